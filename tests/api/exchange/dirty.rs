//! Wrong rows: every reason with the bytes that cause it, and the order of reasons.

use ::entity::member;
use linli::exchange::table::Table;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::ledger::verify;
use super::{Folder, counts, reasons, take};

const PLACES: [&str; 4] = ["regions", "codes", "units", "activities"];

/// Communities of the station set.
const HERE: &str = "130202009001";

both!(every_reason_against_a_member, async |app| {
    let mut file = b"\xEF\xBB\xBFmember_id,name,phone,birth_year,region_code,kinds\r\n".to_vec();
    let long = "长".repeat(51);
    let fits = "长".repeat(50);
    let lines: Vec<(&str, String)> = vec![
        ("ok", format!("M1,\"张\r\n三\",13800000001,1980,{HERE},resident\r\n")),
        ("too few", "M2,李四,13800000002\r\n".into()),
        ("missing", format!("M3,\u{3000},abc,1980,{HERE},\r\n")),
        ("long name", format!("M4,{long},abc,1980,{HERE},\r\n")),
        ("name fits", format!("M5,{fits},+86 138-0000-0005,,{HERE},\r\n")),
        ("formula", format!("M6,=1+1,abc,1980,{HERE},\r\n")),
        ("phone", format!("M7,王五,23800000007,1899,{HERE},\r\n")),
        ("year", format!("M8,王五,13800000008,2021,{HERE},\r\n")),
        ("year", format!("M9,王五,13800000009,1980.0,{HERE},\r\n")),
        ("region", "M10,王五,13800000010,1980,130202,\r\n".into()),
        ("id", format!("Ｍ１,王五,13800000001,1980,{HERE},\r\n")),
        ("phone twice", format!("M12,王五,１３８０００００００１,1980,{HERE},\r\n")),
        ("ok", format!("\r\n\u{3000}M13,\"\u{3000}赵六\u{3000}\",13800000013.0,２０００,{HERE},志愿者;党员\r\n")),
        ("formula kept", format!("M14,'=SUM(A1),13800000014,1980,{HERE},\r\n")),
    ];
    for (_, line) in &lines {
        file.extend(line.as_bytes());
    }
    file.extend(b"M15,\xFF\xFE,13800000015,1980,130202009001,\r\n");
    let folder = Folder::with(&["regions"]).file("members.csv", file);
    let report = take(&app, folder.path()).await;
    assert_eq!(counts(&report, Table::Members), [15, 4, 0, 11, 0]);
    assert_eq!(
        reasons(&report, Table::Members),
        [
            "bad_birth_year: members.csv:10 members.csv:11",
            "bad_encoding: members.csv:18",
            "bad_phone: members.csv:9",
            "column_count: members.csv:4",
            "duplicate_id: members.csv:13",
            "duplicate_phone: members.csv:14",
            "formula_cell: members.csv:8",
            "missing_field: members.csv:5",
            "name_too_long: members.csv:6",
            "unknown_region: members.csv:12",
        ]
    );
    let find = |reference: &'static str| {
        let db = app.state.db.read().clone();
        async move { member::Entity::find().filter(member::Column::RefId.eq(reference)).one(&db).await.unwrap().unwrap() }
    };
    assert_eq!(find("M14").await.name.as_deref(), Some("=SUM(A1)"));
    let zhao = find("M13").await;
    assert_eq!((zhao.name.as_deref(), zhao.birth_year), (Some("赵六"), Some(2000)));
    assert!(zhao.is_volunteer && zhao.is_party_member && !zhao.is_resident);

    let second = take(&app, folder.path()).await;
    assert_eq!(counts(&second, Table::Members), [15, 0, 4, 11, 0]);
    assert_eq!(reasons(&second, Table::Members), reasons(&report, Table::Members));
});

both!(every_reason_against_a_participation, async |app| {
    let header = "参与,记录编号,活动编号,志愿者编号,签到时间,签退时间,时长,类别,积分\n";
    let rows = [
        ",P1,A000001,M0000001,2023-03-15 09:00,2023-03-15 11:00,2.00,邻里互助,5", // 2 ok
        ",P2,A000001,M0000001,2023-03-15 09:00",                                  // 3 column_count
        ",P3,A000001,,2023-03-15 09:00,2023-03-15 11:00,2,,5",                    // 4 missing_field
        ",P1,NONE,M0000001,2023-03-16 09:00,2023-03-16 11:00,2,,5",               // 5 duplicate_id
        ",P5,NONE,NOBODY,x,2023-03-15 11:00,2,,5",                                // 6 unknown_activity
        ",P6,A000001,NOBODY,x,2023-03-15 11:00,2,,5",                             // 7 unknown_member
        ",P7,A000001,M0000002,昨天,2023-03-15 11:00,2,,5",                        // 8 bad_time
        ",P8,A000001,M0000002,2023-03-15 11:00,2023-03-15 11:00,-1,,5",           // 9 negative_hours
        ",P9,A000001,M0000002,2023-03-15 09:00,2023-03-15 10:00,-1,,5",           // 10 negative_hours
        ",P10,A000001,M0000002,2023-03-15 09:00,2023-03-15 21:01,9,,5",           // 11 too_long
        ",P11,A000001,M0000002,2023-03-15 09:00,2023-03-15 21:00,12.02,,5",       // 12 ok
        ",P12,A000001,M0000002,2023-03-16 09:00,2023-03-16 10:00,1.03,唱歌,5",    // 13 hours_mismatch
        ",P13,A000001,M0000002,2023-03-16 09:00,2023-03-16 10:00,一,唱歌,5",      // 14 hours_mismatch
        ",P14,A000001,M0000002,2023-03-16 09:00,2023-03-16 10:00,,唱歌,101",      // 15 unknown_category
        ",P15,A000001,M0000002,2023-03-16 09:00,2023-03-16 10:00,,,101",          // 16 bad_points
        ",P16,A000001,M0000002,2023-03-16 09:00,2023-03-16 10:00,,,-1",           // 17 bad_points
        ",P17,A000001,M0000002,2023-03-16 09:00,2023-03-16 10:00,,,2.5",          // 18 bad_points
        ",P18,A000001,M0000002,2023-03-15 20:59,2023-03-15 22:00,,,5",            // 19 overlap
        ",P19,A000001,M0000002,2023/3/15 21:00:00,45000.9375,1.5,HZ,0",           // 20 ok: touches
        ",P20,A000001,M0000003,2023年3月15日 9:00,2023年3月15日 11:30,2.50,,100", // 21 ok
    ];
    let folder = Folder::with(&PLACES).file("participations_2.csv", header.to_owned() + &rows.join("\n"));
    let folder = folder.file("members.csv", std::fs::read(crate::exchange::station_set().join("members.csv")).unwrap());
    let report = take(&app, folder.path()).await;
    assert_eq!(counts(&report, Table::Participations), [20, 4, 0, 16, 0]);
    assert_eq!(
        reasons(&report, Table::Participations),
        [
            "bad_points: participations_2.csv:16 participations_2.csv:17 participations_2.csv:18",
            "bad_time: participations_2.csv:8",
            "column_count: participations_2.csv:3",
            "duplicate_id: participations_2.csv:5",
            "hours_mismatch: participations_2.csv:13 participations_2.csv:14",
            "missing_field: participations_2.csv:4",
            "negative_hours: participations_2.csv:9 participations_2.csv:10",
            "overlap: participations_2.csv:19",
            "too_long: participations_2.csv:11",
            "unknown_activity: participations_2.csv:6",
            "unknown_category: participations_2.csv:15",
            "unknown_member: participations_2.csv:7",
        ]
    );
    verify(&app).await;
    let second = take(&app, folder.path()).await;
    assert_eq!(counts(&second, Table::Participations), [20, 0, 4, 16, 0]);
});

both!(other_content_under_the_same_id_is_a_conflict, async |app| {
    let members = |name: &str| {
        let line = |id: &str, name: &str, phone: &str| format!("{id},{name},{phone},{HERE}\n");
        let head = "member_id,name,phone,region_code\n".to_owned();
        head + &line("M1", name, "13800000001") + &line("M2", "李四", "13800000002")
    };
    take(&app, Folder::with(&["regions"]).file("members.csv", members("张三")).path()).await;
    let changed = Folder::with(&["regions"]).file("members.csv", members("=张三"));
    let report = take(&app, changed.path()).await;
    assert_eq!(counts(&report, Table::Members), [2, 0, 1, 1, 0]);
    // It comes right after the missing fields, so before the formula.
    assert_eq!(reasons(&report, Table::Members), ["conflict: members.csv:2"]);
});

both!(goods_and_redemptions_are_checked_against_stock_and_points, async |app| {
    let goods = format!(
        "goods_id,name,station_region_code,points_cost,stock,per_member_limit,supplier_unit_id\n\
        K1,香皂,{HERE},1.5,2,2,U00001\nK2,大米,{HERE},60,2,,\nK3,米,{HERE},0,2,,\nK4,米,130202,6,2,,\nK5,米,{HERE},6,x,,\n\
        K6,米,{HERE},6,2,,U9\nK1,米,{HERE},6,2,,\n"
    );
    let redemptions = format!(
        "redemption_id,member_id,goods_id,quantity,points,redeemed_at,station_region_code\n\
        R1,M0000074,K1,1,1.50,2023-05-01 10:00,{HERE}\n\
        R2,NOBODY,K9,1,1.50,2023-05-01 10:00,{HERE}\n\
        R3,M0000074,K9,1,1.50,2023-05-01 10:00,{HERE}\n\
        R4,M0000074,K1,1,1.50,2023-05-01 10:00,130202009002\n\
        R5,M0000074,K1,1,1.50,soon,{HERE}\n\
        R6,M0000074,K1,0,1.50,2023-05-01 10:00,{HERE}\n\
        R7,M0000074,K1,1,1.505,2023-05-01 10:00,{HERE}\n\
        R8,M0000074,K2,9,99999,2023-05-01 10:00,{HERE}\n\
        R9,M0000074,K1,2,0.50,2023-05-01 10:00,{HERE}\n\
        R10,M0000074,K1,1,1.50,2023-05-01 10:00,\n\
        R11,M0000001,K2,1,60,2023-05-01 10:00,\n"
    );
    let tables = ["regions", "codes", "units", "members", "activities", "participations"];
    let folder = Folder::with(&tables).file("goods.csv", goods).file("redemptions.csv", redemptions);
    let report = take(&app, folder.path()).await;
    assert_eq!(
        reasons(&report, Table::Goods),
        [
            "bad_number: goods.csv:4 goods.csv:6",
            "duplicate_id: goods.csv:8",
            "unknown_region: goods.csv:5",
            "unknown_unit: goods.csv:7",
        ]
    );
    assert_eq!(
        reasons(&report, Table::Redemptions),
        [
            "bad_number: redemptions.csv:7 redemptions.csv:8",
            "bad_time: redemptions.csv:6",
            "insufficient_points: redemptions.csv:9 redemptions.csv:12",
            "out_of_stock: redemptions.csv:10",
            "unknown_goods: redemptions.csv:4",
            "unknown_member: redemptions.csv:3",
            "unknown_station: redemptions.csv:5",
        ]
    );
    verify(&app).await;
});

both!(the_other_tables_name_their_reasons, async |app| {
    let regions = "code,name,level,parent_code,kind\n\
        130202009001,后来,community,130202009,\n130202009,街道,street,130202,\n130202,区,district,130200,\n130200,市,city,,\n\
        130203,区,district,139900,\n130204,区,district,,\n1302,市,city,,\n130205,区,village,130200,\n130206009,街道,street,130200,\n";
    let codes = "list,code,name\ncategory,HZ,邻里互助\ncategory,XX,唱歌\ncolour,R,红\nskill,S01,理发\nskill,S01,理发\n";
    let wish = |id: &str,
                category: &str,
                skill: &str,
                window: &str,
                status: &str,
                slots: &str,
                by: &str,
                rating: &str| {
        format!(
            "{id},题,文,{category},{skill},{HERE},M1,,{slots},1,{window},,2023-05-01 10:00,{status},{by},2023-05-02 10:00,,{rating}\n"
        )
    };
    let day = "2023-05-10 09:00/10:00";
    let wishes = "wish_id,title,body,category,skills,region_code,requester_id,special_group,people_needed,est_hours,\
        preferred_window,deadline,created_at,status,claimed_by,claimed_at,done_at,rating\n"
        .to_owned()
        + &wish("W1", "邻里互助", "S01", day, "open", "2", "", "")
        + &wish("W2", "唱歌", "S01", day, "open", "2", "", "")
        + &wish("W3", "HZ", "S99", day, "open", "2", "", "")
        + &wish("W4", "HZ", "理发", day, "lost", "2", "", "")
        + &wish("W5", "HZ", "", "2023-05-10 10:00/09:00", "open", "2", "", "")
        + &wish("W6", "HZ", "", day, "open", "0", "", "")
        + &wish("W7", "HZ", "", day, "done", "1", "M1", "6")
        + &wish("W8", "HZ", "", day, "claimed", "1", "M9", "")
        + &wish("W9", "HZ", "", day, "claimed", "1", "", "")
        + &wish("W10", "HZ", "", day, "claimed", "1", "M1", "")
        + &wish("W11", "HZ", "", "2023-05-10 09:30/10:30", "claimed", "1", "M1", "")
        + &wish("W1", "HZ", "", day, "open", "1", "", "");
    let folder = Folder::with(&[])
        .file("regions.csv", regions)
        .file("codes.csv", codes)
        .file("members.csv", format!("member_id,name,phone,region_code\nM1,张三,13800000001,{HERE}\n"))
        .file("opening_balances.csv", "member_id,hours,as_of\nM1,x,2022-12-31\nM2,1,2022-12-31\nM1,1,never\nM1,1.25,2022-12-31\nM1,1,2022-12-31\n")
        .file("wishes.csv", wishes)
        .file("grids.csv", "grid_id,name\nG1,一\n\nG2,二\n");
    let report = take(&app, folder.path()).await;
    let said =
        [Table::Regions, Table::Codes, Table::OpeningBalances, Table::Wishes].map(|table| reasons(&report, table));
    assert_eq!(
        said.concat(),
        [
            "bad_number: regions.csv:8",
            "missing_field: regions.csv:7",
            "unknown_level: regions.csv:9",
            "unknown_region: regions.csv:6 regions.csv:10",
            "duplicate_id: codes.csv:6",
            "unknown_category: codes.csv:3",
            "unknown_list: codes.csv:4",
            "bad_number: opening_balances.csv:2",
            "bad_time: opening_balances.csv:4",
            "duplicate_id: opening_balances.csv:6",
            "unknown_member: opening_balances.csv:3",
            "bad_number: wishes.csv:7 wishes.csv:8",
            "bad_time: wishes.csv:6",
            "duplicate_id: wishes.csv:13",
            "missing_field: wishes.csv:10",
            "overlap: wishes.csv:12",
            "unknown_category: wishes.csv:3",
            "unknown_member: wishes.csv:9",
            "unknown_skill: wishes.csv:4",
            "unknown_status: wishes.csv:5",
        ]
    );
    assert_eq!(counts(&report, Table::Regions), [9, 4, 0, 5, 0]);
    assert_eq!(counts(&report, Table::Grids), [2, 0, 0, 0, 2]);
});

both!(a_file_in_gb18030_reads_like_one_in_utf_8, async |app| {
    let text = format!("编号,姓名,手机号,社区编码\nM1,喆㛃,13800000001,{HERE}\n");
    let (bytes, _, _) = encoding_rs::GB18030.encode(&text);
    let folder = Folder::with(&["regions"]).file("members_旧.csv", bytes).file("members_0.xlsx", "no workbook");
    let report = take(&app, folder.path()).await;
    assert_eq!(counts(&report, Table::Members), [1, 1, 0, 0, 0]);
    assert!(report.warnings.iter().any(|warning| warning.starts_with("members_0.xlsx：")), "{:?}", report.warnings);
    let again = take(&app, Folder::with(&["regions"]).file("members.csv", text).path()).await;
    assert_eq!(counts(&again, Table::Members), [1, 0, 1, 0, 0]);
});
