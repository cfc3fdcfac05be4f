//! Guess: how often the words of the schema find the skills of wishes whose skills are hidden from them, on data sets.
//!
//! `cargo bench --bench guess -- [--set FOLDER]…` (without a set: `datasets/station`, and `tangshan` at scale 0.05 made anew)
//!
//! One line of JSON for the wishes and one for the listings of a set. `hit`: the share of those with skills of which one is
//! among those guessed; `first`: of which the first guess is one; `whole`: of which all are guessed. `spurious`: the share of
//! guessed skills that are none of its own. `idle`: the share of those without skills of which none is guessed. `domain`: the
//! share with a domain.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use linli::exchange::csv::CsvRecords;
use linli::exchange::record::Record;
use linli::taxonomy::{Word, WordList, guess};
use serde_json::json;

fn main() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let began = Instant::now();
    let list = WordList::new(words(&house.join("migration/src/m20261122_000015_guess_words.csv")));
    let ready = began.elapsed();
    let mut sets: Vec<PathBuf> = std::env::args().skip_while(|arg| arg != "--set").skip(1).map(PathBuf::from).collect();
    sets.retain(|set| set.is_dir());
    let made = tempfile::tempdir().expect("a folder");
    if sets.is_empty() {
        sets = vec![house.join("datasets/station"), tangshan(house, made.path())];
    }
    println!("{}", json!({ "dictionary_ms": ready.as_millis() }));
    for set in sets {
        for table in ["wishes", "listings"] {
            measure(&set, table, &list);
        }
    }
}

fn tangshan(house: &Path, folder: &Path) -> PathBuf {
    let out = folder.join("tangshan");
    let mut python = Command::new("python3");
    python.arg(house.join("datasets/generate.py")).args(["--size", "tangshan", "--scale", "0.05", "--out"]).arg(&out);
    assert!(python.stdout(Stdio::null()).status().expect("python3").success(), "the generator failed");
    out
}

fn rows(file: &Path, columns: &[&str]) -> Vec<Vec<String>> {
    let bytes = std::fs::read(file).expect("a set");
    let (mut records, mut record) = (CsvRecords::new(&bytes), Record::default());
    assert!(records.read(&mut record), "a header");
    let header: Vec<String> = record.cells().map(str::to_owned).collect();
    let places: Vec<_> = columns.iter().map(|name| header.iter().position(|cell| cell == name).unwrap()).collect();
    let mut rows = Vec::new();
    while records.read(&mut record) {
        rows.push(places.iter().map(|place| record.cell(*place).to_owned()).collect());
    }
    rows
}

fn words(file: &Path) -> Vec<Word> {
    let word = |row: Vec<String>| {
        let [word, kind, code, weight] = row.try_into().unwrap();
        let kind = serde_json::from_value(json!(kind)).unwrap();
        Word { word, kind, code, weight: weight.parse().unwrap() }
    };
    rows(file, &["word", "kind", "code", "weight"]).into_iter().map(word).collect()
}

fn measure(set: &Path, table: &str, list: &WordList) {
    let rows = rows(&set.join(format!("{table}.csv")), &["title", "body", "skills"]);
    let [mut skilled, mut hit, mut first, mut whole, mut guessed, mut spurious, mut idle, mut domains] = [0_u32; 8];
    let began = Instant::now();
    for row in &rows {
        let found = guess(&format!("{}\n{}", row[0], row[1]), list);
        let truth: Vec<&str> = row[2].split(';').filter(|code| !code.is_empty()).collect();
        let right = found.skills.iter().filter(|code| truth.contains(&code.as_str())).count();
        domains += u32::from(found.domain.is_some());
        if truth.is_empty() {
            idle += u32::from(found.skills.is_empty());
            continue;
        }
        if std::env::var_os("SHOW_MISSES").is_some() && right == 0 {
            println!("{row:?} {found:?}");
        }
        skilled += 1;
        hit += u32::from(right > 0);
        first += u32::from(found.skills.first().is_some_and(|code| truth.contains(&code.as_str())));
        whole += u32::from(right == truth.len());
        guessed += u32::try_from(found.skills.len()).unwrap();
        spurious += u32::try_from(found.skills.len() - right).unwrap();
    }
    let each_us = began.elapsed().as_micros() as f64 / rows.len() as f64;
    let share = |part: u32, of: u32| (f64::from(part) / f64::from(of.max(1)) * 1000.0).round() / 1000.0;
    let plain = u32::try_from(rows.len()).unwrap() - skilled;
    println!(
        "{}",
        json!({
            "set": set.file_name().map(|name| name.to_string_lossy()), "table": table, "rows": rows.len(), "with_skills": skilled,
            "hit": share(hit, skilled), "first": share(first, skilled), "whole": share(whole, skilled),
            "spurious": share(spurious, guessed), "idle": share(idle, plain),
            "domain": share(domains, u32::try_from(rows.len()).unwrap()), "us_each": each_us.round(),
        })
    );
}
