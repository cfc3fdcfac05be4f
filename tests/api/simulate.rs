//! `linli simulate` on files: the same bytes each run, policies beside each other, and what it says of files that are wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::expect_exit;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn simulate(data: &Path, days: &str, policies: &[&Path], more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linli"));
    command.arg("simulate").arg("--data").arg(data).arg("--days").arg(days).args(more);
    for policy in policies {
        command.arg("--policy").arg(policy);
    }
    command.output().unwrap()
}

#[test]
fn two_policies_on_the_station_set_beside_each_other() {
    let station = repository("datasets/station");
    let (daily, first) =
        (repository("examples/policies/daily-batch.toml"), repository("examples/policies/first-come.toml"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let output = simulate(&station, "365", &[&daily, &first], &["--out", &file.display().to_string()]);
    let table = String::from_utf8(output.stderr.clone()).unwrap();
    let text = expect_exit(output, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert!(table.contains("daily-batch") && table.contains("first-come") && table.contains("seconds"));
    assert!(!text.contains("seconds"));

    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["set"]["wishes"], 150);
    assert_eq!(report["set"]["first_day"], "2023-01-02");
    assert_eq!(report["set"]["last_day"], "2024-01-01");
    for (policy, name) in report["policies"].as_array().unwrap().iter().zip(["daily-batch", "first-come"]) {
        assert_eq!(policy["policy"], name);
        let wishes = &policy["wishes"];
        let sum: u64 =
            ["fulfilled", "partly", "unmet", "open"].iter().map(|state| wishes[state].as_u64().unwrap()).sum();
        assert_eq!((sum, wishes["wishes"].as_u64()), (150, Some(150)));
        assert!(wishes["fulfilled"].as_u64().unwrap() > 40);
        assert_eq!(policy["work"]["deciles"].as_array().unwrap().len(), 10);
    }
    let wait = |policy: usize| report["policies"][policy]["wishes"]["waiting"]["median"].as_u64().unwrap();
    assert!(wait(0) > wait(1), "who waits for the morning waits longer");

    assert_eq!(expect_exit(simulate(&station, "365", &[&daily, &first], &[]), 0), text);
    let other = expect_exit(simulate(&station, "365", &[&daily, &first], &["--seed", "2"]), 0);
    assert_ne!(other, text);
}

#[test]
fn the_order_of_rows_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["members.csv", "wishes.csv"] {
        let text = fs::read_to_string(repository("datasets/station").join(name)).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let mut rows: Vec<&str> = rows.lines().collect();
        rows.reverse();
        fs::write(folder.path().join(name), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    }
    let daily = repository("examples/policies/daily-batch.toml");
    let one = expect_exit(simulate(&repository("datasets/station"), "200", &[&daily], &[]), 0);
    let other = expect_exit(simulate(folder.path(), "200", &[&daily], &[]), 0);
    assert_eq!(one, other);
}

#[test]
fn rows_that_say_nothing_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let members = "member_id,name,phone,region_code,kinds,skills,availability\n\
                   M1,甲,10000000001,130202001001,volunteer,,1@08:00-12:00\n\
                   M1,甲,10000000001,130202001001,volunteer,,1@08:00-12:00\n\
                   M2,乙,10000000002,13,volunteer,,1@08:00-12:00\n\
                   M3,丙,10000000003,130202001001,volunteer\n\
                   M4,丁,10000000004,130202001001,resident,,\n";
    let wish = |id: &str, window: &str, needed: &str| {
        format!("{id},问,问,HZ,130202001001,M4,{needed},{window},2023-01-02 09:00,open\n")
    };
    let header =
        "wish_id,title,body,category,region_code,requester_id,people_needed,preferred_window,created_at,status\n";
    let wishes = [
        wish("W1", "2023-01-09 09:00/10:00", "1"),
        wish("W2", "2023-01-09 22:00/2023-01-10 23:00", "1"),
        wish("W6", "2023-01-09 22:00/2023-01-10 02:00", "1"),
        wish("W3", "2023-01-09 10:00/10:00", "1"),
        wish("W4", "soon", "1"),
        wish("W5", "2023-01-09 09:00/10:00", "0"),
    ];
    fs::write(folder.path().join("members.csv"), members).unwrap();
    fs::write(folder.path().join("wishes.csv"), format!("{header}{}", wishes.concat())).unwrap();
    let policy = folder.path().join("所有默认.toml");
    fs::write(&policy, "").unwrap();
    let report: Value = serde_json::from_str(&expect_exit(simulate(folder.path(), "30", &[&policy], &[]), 0)).unwrap();
    let left_out = serde_json::json!({
        "members: column_count": 1, "members: duplicate_id": 1, "members: unknown_region": 1,
        "wishes: bad_number": 1, "wishes: bad_time": 3,
    });
    assert_eq!(report["set"]["left_out"], left_out);
    assert_eq!((&report["set"]["volunteers"], &report["set"]["wishes"]), (&1.into(), &2.into()));
    assert_eq!(report["policies"][0]["policy"], "所有默认");
}

#[test]
fn a_set_without_wishes_and_a_day_without_any_are_no_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("members.csv"), "member_id,name,phone,region_code\n").unwrap();
    fs::write(folder.path().join("wishes.csv"), "").unwrap();
    let daily = repository("examples/policies/daily-batch.toml");
    let report: Value = serde_json::from_str(&expect_exit(simulate(folder.path(), "1", &[&daily], &[]), 0)).unwrap();
    assert_eq!((&report["set"]["first_day"], &report["set"]["wishes"]), (&Value::Null, &0.into()));
    let station: Value =
        serde_json::from_str(&expect_exit(simulate(&repository("datasets/station"), "1", &[&daily], &[]), 0)).unwrap();
    assert_eq!(station["set"]["wishes_after_the_last_day"].as_u64().unwrap() + 1, 150);
}

#[test]
fn policies_that_cannot_be_are_wrong_usage_and_name_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let station = repository("datasets/station");
    let file = folder.path().join("policy.toml");
    for (text, named) in [
        ("[offers]\nwaves = 2\n", "waves"),
        ("speed = 1\n", "speed"),
        ("[offers]\nwave = 0\n", "offers.wave"),
        ("[offers]\nwave = -1\n", "wave"),
        ("[offers]\nwave = \"two\"\n", "wave"),
        ("[answers]\naccept = 1.5\n", "answers.accept"),
        ("[answers]\naccept = 0.9\n", "answers.decline"),
        ("[assignment]\nhours = [25]\n", "assignment.hours"),
        ("[assignment]\nmode = \"forced\"\n", "forced"),
        ("[points]\nper_hour = nan\n", "points.per_hour"),
        ("name = \"\"\n", "name"),
        ("[offers\n", "policy.toml"),
    ] {
        fs::write(&file, text).unwrap();
        let output = simulate(&station, "1", &[&file], &[]);
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(said.contains(named) && said.contains("policy.toml"), "{text}: {said}");
    }
    fs::write(&file, b"name = \"\xFF\"\n").unwrap();
    assert_eq!(simulate(&station, "1", &[&file], &[]).status.code(), Some(2));
    let daily = repository("examples/policies/daily-batch.toml");
    assert_eq!(simulate(&station, "1", &[&daily, &daily], &[]).status.code(), Some(2));
    for days in ["0", "-1", "many", "4000"] {
        assert_eq!(simulate(&station, days, &[&daily], &[]).status.code(), Some(2), "{days}");
    }
    assert_eq!(simulate(&station, "1", &[], &[]).status.code(), Some(2));
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let daily = repository("examples/policies/daily-batch.toml");
    let said = |output: Output| {
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let empty = said(simulate(folder.path(), "1", &[&daily], &[]));
    assert!(empty.contains("no members.csv, no wishes.csv"), "{empty}");
    assert!(said(simulate(&folder.path().join("none"), "1", &[&daily], &[])).contains("none"));
    assert!(said(simulate(folder.path(), "1", &[&folder.path().join("no.toml")], &[])).contains("no.toml"));
}
