//! A data set made for a run: one street, members with points in hand, goods on the shelf. Imported like any other.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use super::Place;

pub(crate) const CITY: &str = "130200";
pub(crate) const STREET: &str = "130202009";
pub(crate) const COMMUNITY: &str = "130202009001";
const DISTRICT: &str = "130202";

/// A shelf of goods: how many kinds, each one's stock by its number, the price of one in points.
pub(crate) struct Shelf<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) kinds: usize,
    pub(crate) stock: &'a dyn Fn(usize) -> usize,
    pub(crate) price: u32,
}

/// Writes and imports `members` volunteers, each with `shifts` past participations of `points` points, those `overdue` with 100
/// points besides that were good until yesterday, and the shelves.
pub(crate) fn import(
    place: &Place,
    members: usize,
    shifts: usize,
    points: u32,
    overdue: &Range<usize>,
    shelves: &[Shelf<'_>],
) {
    let dir = place.dir.path().join("set");
    std::fs::create_dir_all(&dir).expect("a folder");
    write(
        &dir,
        "regions.csv",
        &format!(
            "code,name,level,parent_code,kind\n130200,唐山市,city,,city\n{DISTRICT},路南区,district,130200,district\n\
         {STREET},梁家屯路街道,street,{DISTRICT},subdistrict\n{COMMUNITY},仁泰里社区,community,{STREET},residents\n"
        ),
    );
    let mut rows = String::from(
        "member_id,name,phone,gender,birth_year,region_code,kinds,unit_id,group_no,skills,availability,max_hours_week,special_group,lat,lon,registered_on\n",
    );
    for number in 0..members {
        let _ = writeln!(
            rows,
            "M{number:07},张三,{},F,1980,{COMMUNITY},resident;volunteer,,,,,0,,,,2022-01-01",
            10_000_000_000_u64 + number as u64
        );
    }
    write(&dir, "members.csv", &rows);
    let mut activities = String::from(
        "activity_id,title,category,region_code,unit_id,starts_at,ends_at,capacity,points,participants,served_persons\n",
    );
    let mut rows = String::from("participation_id,activity_id,member_id,check_in,check_out,hours,category,points\n");
    let mut number = 0;
    for shift in 0..shifts {
        let day = format!("2023-{:02}-{:02}", shift / 28 + 1, shift % 28 + 1);
        let _ = writeln!(
            activities,
            "A{shift:06},清扫,文明创建,{COMMUNITY},,{day} 08:00,{day} 10:00,{members},{points},{members},0"
        );
        for member in 0..members {
            let _ =
                writeln!(rows, "P{number:07},A{shift:06},M{member:07},{day} 08:00,{day} 10:00,2.00,文明创建,{points}");
            number += 1;
        }
    }
    write(&dir, "activities.csv", &activities);
    write(&dir, "participations.csv", &rows);
    write(&dir, "journals.csv", &journals(overdue));
    let mut rows =
        String::from("goods_id,name,station_region_code,points_cost,stock,per_member_limit,supplier_unit_id\n");
    for shelf in shelves {
        for kind in 0..shelf.kinds {
            let _ =
                writeln!(rows, "{}{kind:05},大米,{COMMUNITY},{},{},,", shelf.prefix, shelf.price, (shelf.stock)(kind));
        }
    }
    write(&dir, "goods.csv", &rows);
    let report = place.linli(&["import", &dir.display().to_string()], "");
    let report: serde_json::Value = serde_json::from_str(&report).expect("a report");
    for (table, counts) in report["tables"].as_object().expect("tables") {
        assert_eq!(counts["read"], counts["accepted"], "{table}: {counts}");
    }
}

fn journals(overdue: &Range<usize>) -> String {
    let mut rows = String::from(
        "journal_id,line,kind,programme,account_kind,account,amount,expires_on,at,reason,source_kind,source,reverses\n",
    );
    // Whatever the time zone, this day is over or begins now.
    let yesterday = chrono::Utc::now().date_naive();
    for member in overdue.clone() {
        for (line, kind, account, amount, expires_on) in [
            (1, "member", format!("M{member:07}"), "100.00", yesterday.to_string()),
            (2, "issued", COMMUNITY.to_owned(), "-100.00", String::new()),
        ] {
            let _ = writeln!(
                rows,
                "J{member:07},{line},grant,default,{kind},{account},{amount},{expires_on},2023-12-01 09:00,,adjustment,,"
            );
        }
    }
    rows
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("a file");
}
