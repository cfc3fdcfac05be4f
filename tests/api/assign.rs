//! `linli assign` on files: the reference case with its best value, and what it says of files that are wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::expect_exit;

const WISHES: &str = "wish_id,region_code,skills,window_start,window_end,people_needed\n";
const VOLUNTEERS: &str = "member_id,region_code,skills,availability,capacity\n";

fn assign(wishes: &Path, volunteers: &Path, out: Option<&Path>) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linli"));
    command.arg("assign").arg("--wishes").arg(wishes).arg("--volunteers").arg(volunteers);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.output().unwrap()
}

/// Both files with these rows: what it answers, and what it says.
fn answer(wishes: &str, volunteers: &str, code: i32) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("wishes.csv"), folder.path().join("volunteers.csv"));
    fs::write(&one, format!("{WISHES}{wishes}")).unwrap();
    fs::write(&other, format!("{VOLUNTEERS}{volunteers}")).unwrap();
    let output = assign(&one, &other, None);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (serde_json::from_str(&expect_exit(output, code)).unwrap_or_default(), said)
}

#[test]
fn the_reference_case_reaches_its_best_value() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/match_example");
    let expected: Value = serde_json::from_str(&fs::read_to_string(example.join("expected.json")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan.csv");
    let output = assign(&example.join("wishes.csv"), &example.join("volunteers.csv"), Some(&out));
    let answer: Value = serde_json::from_str(&expect_exit(output, 0)).unwrap();
    assert_eq!(answer["objective"], expected["best_value"]);
    assert_eq!(answer["assigned"], expected["pairs_in_best"]);
    assert_eq!(answer["unassigned"], 26);
    assert!(answer["seconds"].is_f64());

    let plan = fs::read_to_string(out).unwrap();
    let mut lines = plan.lines();
    assert_eq!(lines.next(), Some("wish_id,member_id,score"));
    let scores: i64 = lines.clone().map(|line| line.rsplit(',').next().unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(scores, expected["best_value"]);
    let pairs: BTreeSet<&str> = lines.map(|line| line.rsplit_once(',').unwrap().0).collect();
    assert_eq!(pairs.len(), 10);
}

#[test]
fn a_plan_may_be_written_to_a_device() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/match_example");
    let output = assign(&example.join("wishes.csv"), &example.join("volunteers.csv"), Some(Path::new("/dev/null")));
    expect_exit(output, 0);
}

#[test]
fn nobody_and_nothing_are_no_mistakes() {
    let wish = "W1,130202001001,,2024-04-01 09:00,2024-04-01 10:00,2\n";
    let never = "V1,130202001001,S01,,3\nV2,130202001001,S01,1@08:00-12:00,0\n";
    for (wishes, volunteers, unassigned) in [("", "", 0), (wish, "", 2), ("", never, 0), (wish, never, 2)] {
        let (found, _) = answer(wishes, volunteers, 0);
        assert_eq!((&found["objective"], &found["assigned"]), (&0.into(), &0.into()));
        assert_eq!(found["unassigned"], unassigned);
    }
}

#[test]
fn a_day_ends_at_midnight_and_its_last_hours_count() {
    let wish = "W1,130202001001,,2024-04-01 22:00,2024-04-02 00:00,1\n";
    let (found, _) = answer(wish, "V1,130202001001,,1@22:00-24:00,1\n", 0);
    assert_eq!(found["objective"], 100);
}

#[test]
fn bad_rows_are_named_and_nothing_is_planned() {
    let good = "W0,130202001001,,2024-04-01 09:00,2024-04-01 10:00,1\n";
    for (wishes, volunteers, reason) in [
        ("W1,1302,,2024-04-01 09:00,2024-04-01 10:00,1\n", "", "wishes.csv:2 unknown_region"),
        ("W1,130202001001,,soon,2024-04-01 10:00,1\n", "", "wishes.csv:2 bad_time"),
        ("W1,130202001001,,2024-04-01 22:00,2024-04-02 01:00,1\n", "", "wishes.csv:2 bad_window"),
        ("W1,130202001001,,2024-04-01 10:00,2024-04-08 11:00,1\n", "", "wishes.csv:2 bad_window"),
        ("W1,130202001001,,2024-04-01 10:00,2024-04-01 10:00,1\n", "", "wishes.csv:2 bad_window"),
        ("W1,130202001001,,2024-04-01 10:00,2024-04-01 11:00,-1\n", "", "wishes.csv:2 bad_number"),
        ("W1,130202001001,,2024-04-01 10:00,2024-04-01 11:00\n", "", "wishes.csv:2 column_count"),
        (",130202001001,,2024-04-01 10:00,2024-04-01 11:00,1\n", "", "wishes.csv:2 missing_field"),
        (&format!("{good}{good}"), "", "wishes.csv:3 duplicate_id"),
        (good, "V1,130202001001,,6@22:00-02:00,1\n", "volunteers.csv:2 bad_availability"),
        (good, "V1,130202001001,,8@09:00-10:00,1\n", "volunteers.csv:2 bad_availability"),
        (good, "V1,130202001001,,1@09:00-10:00,1.5\n", "volunteers.csv:2 bad_number"),
    ] {
        let (found, said) = answer(wishes, volunteers, 1);
        assert_eq!(found, Value::Null);
        assert!(said.contains("1 bad rows") && said.contains(reason), "{reason}: {said}");
    }
}

#[test]
fn files_that_are_not_what_they_should_be_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.csv");
    fs::write(&file, "").unwrap();
    let said = |output: std::process::Output| {
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(assign(&file, &file, None)).contains("lacks the column wish_id"));
    assert!(said(assign(&folder.path().join("none.csv"), &file, None)).contains("none.csv"));
}

/// Ten thousand skills on one wish, and the same written in full-width letters.
#[test]
fn very_many_skills_are_only_slow_to_read() {
    let skills: Vec<String> = (0..10_000).map(|skill| format!("S{skill:05}")).collect();
    let wish = format!("Ｗ１,130202001001,{},2024-04-01 09:00,2024-04-01 10:00,1\n", skills.join(";"));
    let volunteer = format!("V1,130202001001,{},1@08:00-12:00,1\n", skills[..5_000].join("；"));
    assert_eq!(answer(&wish, &volunteer, 0).0["objective"], 75);
}
