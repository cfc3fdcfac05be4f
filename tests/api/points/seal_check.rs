//! Seals are checked without linli: the script that is shipped, on a real export and on ones that somebody changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ::entity::journal::JournalKind;
use chrono::Days;
use linli::exchange::export::export;
use tempfile::TempDir;

use super::seals::sealed;
use super::{Draft, give};
use crate::support::{Member, TestApp};

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Exit code and words of the script; `None` where there is no Python and need not be.
fn check(arguments: &[&str]) -> Option<(i32, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/check_seals.py");
    let mut python = Command::new("python3");
    python.arg(script).args(arguments).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    let Ok(output) = python.output() else {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "python3 is missing");
        return None;
    };
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.code().unwrap(), words))
}

#[track_caller]
fn expect(arguments: &[&str], code: i32, words: &str) {
    if let Some((found, said)) = check(arguments) {
        assert_eq!(found, code, "{said}");
        assert!(said.contains(words), "{words} is not in {said}");
    }
}

async fn furnished(app: &TestApp) -> Member {
    let member = app.seed().member().await;
    for (amount, day) in [(500, None), (700, Some(30)), (900, None), (100, Some(60))] {
        let grant = Draft::new(app, JournalKind::Grant, &member, amount);
        let on = day.map(|day| grant.today + Days::new(day));
        on.map_or_else(|| grant.clone(), |on| grant.clone().expiring(on)).post(app).await.unwrap();
    }
    sealed(app).await;
    give(app, &member, 300).await;
    sealed(app).await;
    member
}

async fn exported(app: &TestApp, folder: &TempDir) -> PathBuf {
    let target = folder.path().join("out");
    let report = export(&app.state, &target).await.unwrap();
    assert_eq!((report.tables["seals"], report.tables["seal_leaves"]), (2, 5));
    target
}

/// The export again, with one file otherwise.
fn changed(from: &Path, to: &Path, name: &str, change: impl Fn(&str) -> String) -> String {
    std::fs::create_dir_all(to).unwrap();
    for file in ["seals.csv", "seal_leaves.csv"] {
        let text = std::fs::read_to_string(from.join(file)).unwrap();
        let now = if file == name { change(&text) } else { text.clone() };
        assert!(file != name || now != text, "nothing was changed");
        std::fs::write(to.join(file), now).unwrap();
    }
    to.display().to_string()
}

fn swapped(text: &str, one: usize, other: usize) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(one, other);
    lines.join("\n") + "\n"
}

both!(an_export_is_checked_by_the_script, async |app| {
    furnished(&app).await;
    let folder = folder();
    let out = exported(&app, &folder).await;
    let path = out.display().to_string();
    let known = folder.path().join("known.json");
    std::fs::write(&known, app.get("/api/v1/points/seals").await.expect_status(200).body).unwrap();
    let known = known.display().to_string();
    let key = app.get("/api/v1/points/seals/key").await.expect_status(200).at("/public_key");
    expect(&[&path, "--known", &known, "--key", &key], 0, "2 seals, 5 journals, 0 findings");
    expect(&[&path, "--key", &"0".repeat(64)], 1, "signed with another key");
    expect(&["/nowhere"], 2, "cannot be read");
    expect(&[], 2, "give a folder");

    let other = folder.path().join("changed");
    let leaf = |change: &dyn Fn(&str) -> String| changed(&out, &other, "seal_leaves.csv", change);
    let seal = |change: &dyn Fn(&str) -> String| changed(&out, &other, "seals.csv", change);
    let amounts = |text: &str| text.replacen(":500", ":501", 1).replacen(":-500", ":-501", 1);
    expect(&[&leaf(&amounts)], 1, "was changed");
    let shorter = |text: &str| {
        text.lines().enumerate().filter(|(n, _)| *n != 2).map(|(_, line)| line.to_owned() + "\n").collect()
    };
    expect(&[&leaf(&shorter)], 1, "its root is not that of its leaves");
    expect(&[&leaf(&|text| swapped(text, 1, 2))], 1, "stands in place 1 instead of 0");
    expect(&[&seal(&|text| text.replacen("22.00", "23.00", 1))], 1, "its hash is not that of its words");
    let without_first = |text: &str| {
        text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line.to_owned() + "\n").collect()
    };
    expect(&[&seal(&without_first)], 1, "does not follow the one before");
    let without_last = |text: &str| text.lines().take(2).map(|line| line.to_owned() + "\n").collect();
    expect(&[&seal(&without_last), "--known", &known], 1, "was published");
});

both!(a_members_proof_is_checked_by_the_script, async |app| {
    let member = furnished(&app).await;
    let folder = folder();
    let keep = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = app.get("/api/v1/points/seals/key").await.expect_status(200).at("/public_key");
    let known = keep("known.json", &app.get("/api/v1/points/seals/1").await.expect_status(200).body);
    let statement = "/api/v1/me/points/statements/2026-11?proof=true";
    let statement = app.by(&member).get(statement).await.expect_status(200);
    let path = keep("statement.json", &statement.body);
    expect(&["--proof", &path, "--known", &known, "--key", &key], 0, "5 proofs, 0 findings");
    let one = statement.json()["entries"][1]["proof"].clone();
    let path = keep("proof.json", one.to_string().as_bytes());
    expect(&["--proof", &path, "--key", &key], 0, "1 proofs, 0 findings");
    let mut forged = one.clone();
    forged["leaf"] = one["leaf"].as_str().unwrap().replace(":700", ":900").into();
    let path = keep("forged.json", forged.to_string().as_bytes());
    expect(&["--proof", &path], 1, "was changed since it was sealed");
    let mut elsewhere = one.clone();
    elsewhere["path"][0]["side"] = if one["path"][0]["side"] == "left" { "right" } else { "left" }.into();
    let path = keep("elsewhere.json", elsewhere.to_string().as_bytes());
    expect(&["--proof", &path], 1, "does not stand in seal 1");
});
