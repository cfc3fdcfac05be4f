//! The station set: whole, twice, dry, moved in time, as workbooks.

use ::entity::{claim, member, service_record, station, task, wish};
use chrono::{Datelike, NaiveDate, TimeDelta};
use linli::exchange::import::Options;
use linli::exchange::table::Table;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::Value;

use super::ledger::{totals, verify};
use super::{Folder, counts, station_set, take, take_with};

fn summary() -> Value {
    serde_json::from_slice(&std::fs::read(station_set().join("summary.json")).unwrap()).unwrap()
}

/// `"1563.75"` hours as minutes.
fn minutes(hours: &Value) -> i64 {
    let (whole, part) = hours.as_str().unwrap().split_once('.').unwrap();
    whole.parse::<i64>().unwrap() * 60 + part.parse::<i64>().unwrap() * 60 / 100
}

both!(the_station_set_adds_up_to_its_summary_and_a_second_run_changes_nothing, async |app| {
    let first = take(&app, &station_set()).await;
    let summary = summary();
    for (table, report) in &first.tables {
        assert_eq!(Some(report.read), summary["rows"][table.name()].as_u64(), "{}", table.name());
        assert_eq!(report.accepted + report.skipped, report.read, "{}", table.name());
    }
    assert_eq!(first.warnings.len(), 1);
    assert!(first.warnings[0].contains("summary.json"));
    let sums = totals(&app).await;
    let number = |key: &str| summary[key].as_i64().unwrap();
    assert_eq!(sums.members, number("members"));
    assert_eq!(sums.volunteers, number("volunteers"));
    assert_eq!(sums.party_members, number("party_members"));
    assert_eq!(sums.records, number("participations"));
    assert_eq!(sums.minutes, minutes(&summary["hours_earned"]));
    assert_eq!(sums.opening_minutes, minutes(&summary["hours_opening"]));
    assert_eq!(sums.earned, 100 * number("points"));
    assert_eq!(sums.spent, 100 * number("points_redeemed"));
    assert_eq!(sums.balance, sums.earned - sums.spent);
    assert_eq!(sums.wishes["Confirmed"], number("wishes_done"));
    assert_eq!(sums.boards["all"], (sums.earned, sums.minutes, number("participations")));
    verify(&app).await;

    let second = take(&app, &station_set()).await;
    for (table, report) in &second.tables {
        let before = &first.tables[table];
        assert_eq!((report.accepted, report.unchanged, report.rejected), (0, before.accepted, 0), "{}", table.name());
    }
    assert_eq!(totals(&app).await, sums);
    verify(&app).await;
});

both!(wishes_come_with_their_tasks_and_claims, async |app| {
    take(&app, &station_set()).await;
    let db = app.state.db.read();
    let open = wish::Entity::find().filter(wish::Column::Status.eq(wish::WishStatus::Published)).all(db).await.unwrap();
    assert!(!open.is_empty());
    for wish in open {
        let task = task::Entity::find_by_id(wish.task_id.unwrap()).one(db).await.unwrap().unwrap();
        assert_eq!((task.status, task.taken, task.slots), (task::TaskStatus::Open, 0, wish.slots));
        assert!(wish.risk_notice.is_some() && wish.claimed_at.is_none());
    }
    let done = wish::Entity::find().filter(wish::Column::Status.eq(wish::WishStatus::Confirmed)).all(db).await.unwrap();
    assert!(done.iter().all(|wish| wish.rating.is_some() && wish.confirmed_at.is_some()));
    let claims = claim::Entity::find().all(db).await.unwrap();
    assert_eq!(claims.iter().filter(|claim| claim.status == claim::ClaimStatus::Verified).count(), done.len());
    assert_eq!(claims.iter().filter(|claim| claim.status == claim::ClaimStatus::Accepted).count(), 13);
    // W000002 was done by M0000727 and came to no service record.
    let known = member::Entity::find().filter(member::Column::RefId.eq("M0000727")).one(db).await.unwrap().unwrap();
    assert!(claims.iter().any(|claim| claim.member_id == known.id));
    assert_eq!(service_record::Entity::find().count(db).await.unwrap(), 900);
});

both!(each_community_with_goods_has_one_station, async |app| {
    take(&app, &station_set()).await;
    let stations = station::Entity::find().order_by_asc(station::Column::RefId).all(app.state.db.read()).await.unwrap();
    assert!(stations.iter().all(|station| station.ref_id.as_ref() == Some(&station.region_code)));
    assert!(stations.iter().all(|station| station.name.ends_with("社区积分超市")), "{stations:?}");
    let regions: std::collections::BTreeSet<_> = stations.iter().map(|station| &station.region_code).collect();
    assert_eq!(regions.len(), stations.len());
});

both!(phones_are_sealed_and_names_are_not_shown, async |app| {
    take(&app, &station_set()).await;
    let member = member::Entity::find()
        .filter(member::Column::RefId.eq("M0000002"))
        .one(app.state.db.read())
        .await
        .unwrap()
        .unwrap();
    let sealed = member.phone_sealed.unwrap();
    assert_eq!(app.state.keys.open("phone", &sealed).unwrap(), b"10000000002");
    assert_eq!(member.phone_index, Some(app.state.keys.blind_index("phone", "10000000002")));
    assert!(!member.named_on_boards);
    assert!(member.is_resident && member.is_volunteer && !member.is_party_member);
});

both!(a_dry_run_reports_the_same_and_writes_nothing, async |app| {
    let options = Options { dry_run: true, ..Options::default() };
    let dry = take_with(&app, &station_set(), options).await;
    assert_eq!(member::Entity::find().count(app.state.db.read()).await.unwrap(), 0);
    let real = take(&app, &station_set()).await;
    assert_eq!(dry, real);
});

both!(regions_may_come_alone_and_first, async |app| {
    let alone = Folder::with(&["regions"]);
    assert_eq!(counts(&take(&app, alone.path()).await, Table::Regions), [13, 13, 0, 0, 0]);
    let all = take(&app, &station_set()).await;
    assert_eq!(counts(&all, Table::Regions), [13, 0, 13, 0, 0]);
    assert_eq!(counts(&all, Table::Members), [1000, 1000, 0, 0, 0]);
});

both!(a_shift_moves_by_whole_weeks_and_stays_with_the_set, async |app| {
    let day = NaiveDate::from_ymd_opt(2026, 11, 18).unwrap();
    let options = Options { shift_to: Some(day), ..Options::default() };
    let activities = Folder::with(&["regions", "codes", "units", "activities"]);
    take_with(&app, activities.path(), options).await;
    // The rest comes later, in another folder and with another wish: the set keeps its shift.
    let later = Options { shift_to: Some(day + TimeDelta::weeks(8)), ..Options::default() };
    let report = take_with(&app, &station_set(), later).await;
    assert!(report.warnings.iter().any(|warning| warning.contains("平移")), "{:?}", report.warnings);
    assert_eq!(counts(&report, Table::Activities), [60, 0, 60, 0, 0]);
    let record = service_record::Entity::find()
        .filter(service_record::Column::RefId.eq("P0000001"))
        .one(app.state.db.read())
        .await
        .unwrap()
        .unwrap();
    let newest = service_record::Entity::find()
        .order_by_desc(service_record::Column::EndedAt)
        .one(app.state.db.read())
        .await
        .unwrap()
        .unwrap();
    let local = |at| app.state.calendar.local(at);
    assert_eq!(local(newest.ended_at).iso_week(), day.iso_week());
    let original = NaiveDate::from_ymd_opt(2023, 1, 14).unwrap().and_hms_opt(13, 45, 0).unwrap();
    let moved = local(record.started_at) - original;
    assert_eq!(moved.num_minutes() % TimeDelta::weeks(1).num_minutes(), 0);
    // Without asking for it, and a third time, the same.
    let third = take(&app, &station_set()).await;
    assert!(third.tables.values().all(|table| table.accepted == 0 && table.rejected == 0));
});

both!(a_workbook_is_the_same_as_a_text_file, async |app| {
    let text = Folder::with(&["regions", "codes", "units", "members", "activities", "participations"]);
    let book = |table: &str| {
        let mut reader = csv::Reader::from_path(station_set().join(format!("{table}.csv"))).unwrap();
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        let header = reader.headers().unwrap().clone();
        for (row, record) in [header].into_iter().chain(reader.records().map(Result::unwrap)).enumerate() {
            for (column, cell) in record.iter().enumerate() {
                let (row, column) = (u32::try_from(row).unwrap(), u16::try_from(column).unwrap());
                // As people's spreadsheets do: what looks like a number becomes one.
                match cell.parse::<f64>() {
                    Ok(number) => sheet.write(row, column, number).unwrap(),
                    Err(_) => sheet.write(row, column, cell).unwrap(),
                };
            }
        }
        book.save_to_buffer().unwrap()
    };
    let tables = ["regions", "codes", "units", "members", "activities", "participations"];
    let books =
        tables.iter().fold(Folder::with(&[]), |folder, table| folder.file(&format!("{table}.xlsx"), book(table)));
    let first = take(&app, books.path()).await;
    assert_eq!(counts(&first, Table::Participations), [900, 900, 0, 0, 0]);
    let second = take(&app, text.path()).await;
    for (table, report) in &second.tables {
        assert_eq!((report.accepted, report.rejected), (0, 0), "{}: {:?}", table.name(), report.reasons);
    }
});
