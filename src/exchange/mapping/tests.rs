//! The steps of a cell, what is wrong with a mapping, and the files of others that come with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Mapping, MappingError};
use crate::exchange::dataset::DataSet;
use crate::exchange::scene;
use crate::exchange::table::Table;
use crate::matching::candidates::Pool;
use crate::matching::{assign, value};

const REGION: &str = "[[table]]\ntable = \"regions\"\nfile = \"a.csv\"\n";

/// The cells that a mapping makes of one file: with their lines.
fn rows(csv: &[u8], mapping: &str) -> Vec<(u64, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), csv).unwrap();
    let set = Mapping::parse("m.toml", mapping).unwrap().apply(folder.path()).unwrap();
    let files = set.tables.values().flatten();
    let rows = files.flat_map(|file| file.mapped.as_ref().unwrap().rows.clone());
    rows.map(|row| (row.line, row.cells)).collect()
}

/// What one rule makes of the rows of columns `a` and `b`.
fn cells(rule: &str, rest: &str, csv: &str) -> Vec<String> {
    let mapping = format!("{REGION}columns = {{ name = {rule} }}\n{rest}");
    let made = rows(format!("a,b\n{csv}").as_bytes(), &mapping);
    made.into_iter().map(|(_, cells)| cells.concat()).collect()
}

#[test]
fn a_cell_is_taken_over_cut_and_dated() {
    assert_eq!(cells("\"a\"", "", " x ,y\n"), ["x"]);
    assert_eq!(cells("{ from = [\"a\", \"b\"] }", "", "x,y\n,y\n"), ["x y", "y"]);
    assert_eq!(cells("{ constant = \"k\" }", "", "x,y\n"), ["k"]);
    assert_eq!(cells("{ from = \"a\", after = \"/\" }", "", "u/v/w,\nw,\n"), ["w", "w"]);
    let quoted = "\"{'latitude': '40.5', 'human_address': '{\"\"city\"\": \"\"New York\"\"}'}\",\n";
    assert_eq!(cells("{ from = \"a\", between = [\"'latitude': '\", \"'\"] }", "", quoted), ["40.5"]);
    assert_eq!(cells("{ from = \"a\", between = ['\"city\": \"', '\"'] }", "", quoted), ["New York"]);
    let dates = "February 24 2011,\nsoon,\n,\n";
    assert_eq!(cells("{ from = \"a\", date = \"%B %d %Y\" }", "", dates), ["2011-02-24", "soon", ""]);
    assert_eq!(
        cells("{ from = \"a\", moment = \"%d/%m/%Y %H:%M:%S\" }", "", "21/10/2025 10:35:00,\n"),
        ["2025-10-21 10:35"]
    );
    assert_eq!(cells("{ from = \"a\", year_before = 2025 }", "", "71,\nold,\n"), ["1954", "old"]);
}

#[test]
fn a_cell_is_translated_by_maps_words_and_lists() {
    let maps = "[maps.m]\nBRONX = \"4\"\n\"10\" = \"1\"\n\"104\" = \"4\"\n";
    assert_eq!(cells("{ from = \"a\", map = \"m\" }", maps, "BRONX    ,\nELSE,\n"), ["4", "ELSE"]);
    assert_eq!(cells("{ from = \"a\", map = \"m\", other = \"\" }", maps, "ELSE,\n"), [""]);
    assert_eq!(cells("{ from = \"a\", prefixes = \"m\" }", maps, "10463,\n10001,\n2114,\n"), ["4", "1", "2114"]);
    assert_eq!(cells("{ from = \"a\", map = \"m\", or = { from = \"b\", prefixes = \"m\" } }", maps, ",104\n"), ["4"]);
    assert_eq!(cells("{ from = \"a\", split = \"|\", map = \"m\" }", maps, "BRONX | x |BRONX| |10,\n"), ["1;4;x"]);
    let words = "[words.w]\nT = [\"tutor\"]\nF = [\"film\", \"Video\"]\n";
    assert_eq!(
        cells("{ from = [\"a\", \"b\"], words = \"w\" }", words, "Tutoring,VIDEO!\nthe prostitutor,\n"),
        ["F;T", ""]
    );
    assert_eq!(cells("{ from = \"a\", slug = true }", "", "Web Design (UX/UI),\n"), ["web-design-ux-ui"]);
}

#[test]
fn a_cell_is_filled_reckoned_and_drawn() {
    assert_eq!(cells("{ from = \"a\", template = \"X-{}-{b:04}\" }", "", "1,2\n,2\n"), ["X-1-0002", ""]);
    assert_eq!(cells("{ template = \"{a}/{b}\" }", "", "1,2\n"), ["1/2"]);
    let window = "{ from = \"a\", template = \"{} 23:00\", window_hours = \"b\" }";
    let made = cells(window, "", "2025-10-08,2\n2025-10-08,0.5\n2025-10-08,\nsoon,2\n");
    let expected =
        ["2025-10-08 23:00/2025-10-09 01:00", "2025-10-08 23:00/2025-10-08 23:30", "2025-10-08 23:00", "soon 23:00"];
    assert_eq!(made, expected);
    assert_eq!(cells("{ from = \"a\", plus_hours = \"1.5\" }", "", "2025-10-08 23:00,\n"), ["2025-10-09 00:30"]);
    let draw = "{ from = \"a\", draw = { of = [\"p\", \"q\", \"r\"], count = 2 } }";
    let drawn = cells(draw, "", "1,\n2,\n3,\n4,\n,\n1,\n");
    assert_eq!((drawn[0].len(), drawn[4].as_str(), &drawn[5]), (3, "", &drawn[0]));
    assert!(drawn[..4].iter().any(|one| *one != drawn[0]));
    // Beyond what a number or a calendar holds.
    assert_eq!(
        cells("{ from = \"a\", plus_hours = \"b\" }", "", "2025-10-08 23:00,79228162514264337593543950335\n"),
        ["2025-10-08 23:00"]
    );
    assert_eq!(cells("{ from = \"a\", year_before = -2147483648 }", "", "5,\n"), ["5"]);
}

#[test]
fn rows_are_chosen_and_named_by_their_lines() {
    let csv = b"a,b\nx,1\ny,1\nx,2\n\nx,1\nz\nx,\"\xFF\"\n";
    let mapping = format!("{REGION}only = {{ a = [\"x\"] }}\ndistinct = [\"name\"]\ncolumns = {{ name = \"b\" }}\n");
    let kept = rows(csv, &mapping);
    let expected: Vec<(u64, Vec<String>)> =
        vec![(2, vec!["1".into()]), (4, vec!["2".into()]), (7, Vec::new()), (8, Vec::new())];
    assert_eq!(kept, expected, "short rows and wrong bytes are the import's to name");
    let given = "[[table]]\ntable = \"regions\"\nrows = [{ code = \"990100\" }, { name = \"n\" }]\n";
    assert_eq!(rows(b"", given), [(1, vec!["990100".into(), String::new()]), (2, vec![String::new(), "n".into()])]);
}

#[test]
fn other_encodings_are_read_as_told() {
    let mapping = format!("{REGION}encoding = \"windows-1252\"\ncolumns = {{ name = \"a\" }}\n");
    assert_eq!(rows(b"a\ncaf\xE9\n", &mapping), [(2, vec!["café".to_owned()])]);
}

#[test]
fn what_cannot_be_is_named() {
    let columns = |rule: &str| format!("{REGION}columns = {{ name = {rule} }}\n");
    for (mapping, named) in [
        ("", "no [[table]]".to_owned()),
        ("x = 1\n", "x".to_owned()),
        ("[[table]]\ntable = \"stars\"\nrows = [{}]\n", "no such table".to_owned()),
        (REGION, String::new()),
        (&format!("{REGION}rows = [{{ code = \"1\" }}]\n"), "either".to_owned()),
        (&format!("{REGION}columns = {{ colour = \"a\" }}\n"), "colour".to_owned()),
        (&format!("{REGION}encoding = \"klingon\"\ncolumns = {{ name = \"a\" }}\n"), "klingon".to_owned()),
        (&format!("{REGION}distinct = [\"code\"]\ncolumns = {{ name = \"a\" }}\n"), "distinct".to_owned()),
        (&columns("{ form = \"a\" }"), "form".to_owned()),
        (&columns("{}"), "from".to_owned()),
        (&columns("5"), "name of a column".to_owned()),
        (&columns("{ from = \"a\", map = \"none\" }"), "[maps.none]".to_owned()),
        (&columns("{ from = \"a\", words = \"none\" }"), "[words.none]".to_owned()),
        (&columns("{ from = \"a\", date = \"%Q\" }"), "%Q".to_owned()),
        (&columns("{ from = \"a\", template = \"{b\" }"), "brace".to_owned()),
        (&columns("{ from = \"a\", template = \"{:x}\" }"), "brace".to_owned()),
        (&columns("{ from = \"a\", draw = { of = [] } }"), "draw".to_owned()),
        (&columns("{ from = \"a\", or = { map = \"m\" } }"), "from".to_owned()),
        ("[[table]]\ntable = \"regions\"\nfile = \"../a.csv\"\n", "path".to_owned()),
    ] {
        match Mapping::parse("m.toml", mapping) {
            Err(error @ MappingError::Wrong { .. }) => {
                assert!(error.to_string().contains(&named), "{mapping}: {error}");
            }
            Err(error) => panic!("{mapping}: {error}"),
            Ok(_) => assert_eq!(mapping, REGION, "a table without columns reads nothing"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let applied = |mapping: &str| Mapping::parse("m.toml", mapping).unwrap().apply(folder.path()).unwrap_err();
    assert!(matches!(applied(&columns("\"a\"")), MappingError::Missing(files) if files.contains("a.csv")));
    std::fs::write(folder.path().join("a.csv"), "a,b\n").unwrap();
    let lacking = applied(&columns("{ from = \"c\", template = \"{d}{a}\", window_hours = \"e\" }"));
    assert!(lacking.to_string().ends_with("a.csv has no column c, d, e"), "{lacking}");
}

fn third_party() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/third_party")
}

fn set(name: &str, change: impl Fn(String) -> String) -> DataSet {
    let text = change(std::fs::read_to_string(third_party().join(name)).unwrap());
    Mapping::parse(name, &text).unwrap().apply(&third_party()).unwrap()
}

#[test]
fn the_mappings_that_come_along_fit_their_files() {
    let rows = |name: &str| -> BTreeMap<&str, usize> {
        let set = set(name, |text| text);
        let count = |(table, files): (&Table, &Vec<crate::exchange::dataset::SetFile>)| {
            (table.name(), files.iter().map(|file| file.mapped.as_ref().unwrap().rows.len()).sum())
        };
        set.tables.iter().map(count).collect()
    };
    assert_eq!(rows("doit.toml"), BTreeMap::from([("codes", 77)]));
    assert_eq!(rows("esco.toml"), BTreeMap::from([("codes", 656 + 107)]));
    assert_eq!(rows("nyc.toml")["wishes"], 665);
    assert_eq!(rows("teamkinetic.toml")["members"], 431);
    assert_eq!(rows("teamkinetic.toml")["participations"], 12);
}

/// By district: opportunities, those that ask for a skill, those that somebody fits; places, places assigned, sum of scores.
type Shares = BTreeMap<u64, [u64; 6]>;

fn shares(set: &DataSet) -> Shares {
    let scene = scene::of_set(set, Path::new("trial"), &mut |_| ()).unwrap().scene;
    let (wishes, volunteers) = scene.market(3);
    let pool = Pool::new(&volunteers);
    let plan = assign(&wishes, &volunteers);
    let mut shares = Shares::new();
    for (number, wish) in (0_u32..).zip(&wishes) {
        let share = shares.entry(wish.place.district).or_default();
        let taken: Vec<_> = plan.iter().filter(|pair| pair.wish == number).copied().collect();
        let fits = !pool.shortlist(wish, usize::MAX, 0).candidates.is_empty();
        let row = [1, u64::from(!wish.skills.is_empty()), u64::from(fits), u64::from(wish.needed)];
        let row = row.into_iter().chain([taken.len() as u64, value(&taken)]);
        share.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
    }
    shares
}

fn sum(shares: &Shares) -> [u64; 6] {
    shares.values().fold([0; 6], |sum, row| std::array::from_fn(|at| sum[at] + row[at]))
}

/// The figures of `docs/foreign-data.md`.
#[test]
fn the_engine_matches_volunteers_and_opportunities_that_are_not_ours() {
    let drawn = shares(&set("matching_trial.toml", |text| text));
    for (district, share) in &drawn {
        println!("{district} {share:?}");
    }
    // Take the drawn hours, or the drawn skills, away again.
    let without = |column: &str| {
        shares(&set("matching_trial.toml", |text| {
            let from = text.find(&format!("\n{column} = {{ from = \"VOLID\"")).unwrap();
            let until = from + text[from..].find("\n] } }").unwrap();
            format!("{}{}", &text[..from], &text[until + "\n] } }".len()..])
        }))
    };
    let (unskilled, never) = (without("skills"), without("availability"));
    println!("all {:?}, without skills {:?}, without hours {:?}", sum(&drawn), sum(&unskilled), sum(&never));
    let [all, skilled, fits, ..] = sum(&drawn);
    assert_eq!(all, 719);
    assert!(skilled > 400 && fits * 100 > all * 95);
    // Who has no skills fits where none is asked for; who has no hours fits nowhere.
    assert_eq!(sum(&unskilled)[2], all - skilled);
    assert_eq!(sum(&never)[2], 0);
}
