//! The table of listings: what is taken, what is not, and what comes back.

use std::fmt::Write as _;

use ::entity::listing::{self, CapacityPeriod, ListingKind, ListingStatus, OwnerKind};
use ::entity::staff::Role;
use ::entity::{listing_skill, unit};
use chrono::NaiveDate;
use linli::exchange::export::export;
use linli::exchange::import::Options;
use linli::exchange::table::Table;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;

use super::ledger::verify;
use super::{Folder, counts, reasons, station_set, take, take_with};
use crate::support::TestApp;

const HEADER: &str = "listing_id,kind,title,body,category,skills,region_code,owner_kind,owner_id,quantity,unit_name,\
    available_from,available_to,special_group\n";
const HERE: &str = "130202009001";

async fn row(app: &TestApp, reference: &str) -> listing::Model {
    let found = listing::Entity::find().filter(listing::Column::RefId.eq(reference)).one(app.state.db.read()).await;
    found.unwrap().unwrap()
}

both!(the_listings_of_the_station_set_are_all_taken_and_shown, async |app| {
    let report = take(&app, &station_set()).await;
    assert_eq!(counts(&report, Table::Listings), [60, 60, 0, 0, 0]);
    let again = take(&app, &station_set()).await;
    assert_eq!(counts(&again, Table::Listings), [60, 0, 60, 0, 0]);
    verify(&app).await;
    let first = row(&app, "L000001").await;
    assert_eq!((first.kind, first.owner_kind, first.capacity), (ListingKind::Need, OwnerKind::Member, 24));
    assert_eq!(
        (first.status, first.measure.as_deref(), first.period),
        (ListingStatus::Expired, Some("人"), CapacityPeriod::All)
    );
    let local = |at| app.state.calendar.local(at).to_string();
    assert_eq!(
        (local(first.window_from), local(first.window_until)),
        ("2023-09-18 00:00:00".into(), "2023-12-14 00:00:00".into())
    );
    let unit = unit::Entity::find_by_id(row(&app, "L000002").await.unit_id.unwrap()).one(app.state.db.read()).await;
    assert_eq!(unit.unwrap().unwrap().ref_id.as_deref(), Some("U00003"));
    let third = row(&app, "L000003").await;
    assert!(third.special_group_sealed.is_some());
    let skills = listing_skill::Entity::find().filter(listing_skill::Column::ListingId.eq(third.id));
    assert_eq!(skills.one(app.state.db.read()).await.unwrap().unwrap().skill, "S16");
});

both!(moved_into_this_week_listings_are_on_the_lists, async |app| {
    let day = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    take_with(&app, &station_set(), Options { shift_to: Some(day), ..Options::default() }).await;
    let db = app.state.db.read();
    let open = listing::Entity::find().filter(listing::Column::Status.eq(ListingStatus::Published));
    let open = open.count(db).await.unwrap();
    assert!((1..60).contains(&open), "{open}");
    let staff = app.seed().staff(Role::Manager).in_region("130202").await;
    let shown =
        app.by(&staff).get("/api/v1/listings?list=services&status=published&limit=100").await.expect_status(200);
    assert!(!shown.json()["items"].as_array().unwrap().is_empty());
    // Nothing is over that is shown as open, and the job finds nothing to do.
    assert_eq!(linli::jobs::run_once(&app.state, "bookings").await.unwrap(), Some(0));
    verify(&app).await;
});

both!(listings_that_cannot_be_taken_have_reasons, async |app| {
    let members = format!("member_id,name,phone,region_code\nM1,张三,13800000001,{HERE}\n");
    let mut rows = HEADER.to_owned();
    let good = [
        "L1",
        "service",
        "理发",
        "周一",
        "HZ",
        "S01",
        HERE,
        "member",
        "M1",
        "5",
        "人次",
        "2026-11-01",
        "2026-12-31",
        "",
    ];
    for (at, change) in [
        (0, "L1"),
        (0, "L1"),
        (1, "wish"),
        (2, ""),
        (4, "XX"),
        (5, "S99"),
        (6, "130202009999"),
        (7, "club"),
        (8, "M9"),
        (9, "0"),
        (9, "1.5"),
        (11, "soon"),
        (12, "2026-10-31"),
        (12, "2036-10-31"),
        (13, "Z9"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut cells = good.map(str::to_owned);
        cells[0] = format!("L{}", at + 1);
        change.1.clone_into(&mut cells[change.0]);
        writeln!(rows, "{}", cells.join(",")).unwrap();
    }
    // Of other owners.
    writeln!(rows, "L20,need,巡逻,夜间,PA,,{HERE},community,130202009002,5,人,2026-11-01,2026-12-31,").unwrap();
    writeln!(rows, "L21,need,巡逻,夜间,PA,,{HERE},unit,U9,5,人,2026-11-01,2026-12-31,").unwrap();
    writeln!(rows, "L22,need,巡逻,夜间,PA").unwrap();
    let set = Folder::with(&["regions", "codes"]).file("members.csv", members).file("listings.csv", rows);
    let report = take(&app, set.path()).await;
    assert_eq!(
        reasons(&report, Table::Listings),
        [
            "bad_number: listings.csv:11 listings.csv:12",
            "bad_time: listings.csv:13 listings.csv:14 listings.csv:15",
            "column_count: listings.csv:19",
            "duplicate_id: listings.csv:3",
            "missing_field: listings.csv:5",
            "unknown_category: listings.csv:6",
            "unknown_kind: listings.csv:4 listings.csv:9",
            "unknown_member: listings.csv:10",
            "unknown_region: listings.csv:8 listings.csv:17",
            "unknown_skill: listings.csv:7",
            "unknown_special_group: listings.csv:16",
            "unknown_unit: listings.csv:18",
        ]
    );
    assert_eq!(counts(&report, Table::Listings)[1], 1);
    let other = format!("{HEADER}L1,service,理发,周二,HZ,S01,{HERE},member,M1,5,人次,2026-11-01,2026-12-31,\n");
    let again = take(&app, Folder::with(&["regions"]).file("listings.csv", other).path()).await;
    assert_eq!(reasons(&again, Table::Listings), ["conflict: listings.csv:2"]);
});

both!(what_was_made_here_leaves_as_the_table_can_hold_it, async |app| {
    take(&app, &station_set()).await;
    let manager = app.seed().staff(Role::Manager).in_region("130202").await;
    let body = json!({"kind": "resource", "title": "=会议室", "body": "周末可借", "category": "culture", "skills": ["S16"],
        "region_code": HERE, "capacity": 2, "measure": "场", "special_group": "A1",
        "window": {"from": "2026-11-21T16:00:00Z", "until": "2026-12-31T16:00:00Z"}});
    let posted = app.by(&manager).post("/api/v1/listings", body.clone()).await.expect_status(201).id();
    let publication = format!("/api/v1/listings/{posted}/publication");
    app.by(&manager).post(&publication, json!({})).await.expect_status(200);
    app.by(&manager).post("/api/v1/listings", body).await.expect_status(201);
    let folder = Folder::with(&[]);
    let target = folder.path().join("out");
    let report = export(&app.state, &target).await.unwrap();
    assert_eq!(report.tables["listings"], 61);
    assert!(report.warnings.iter().any(|words| words.starts_with("listings：1 行未导出")), "{:?}", report.warnings);
    let other = TestApp::spawn(app.database.backend()).await.unwrap();
    let taken = take(&other, &target).await;
    assert_eq!(counts(&taken, Table::Listings), [61, 61, 0, 0, 0]);
    let (here, there) =
        (listing::Entity::find_by_id(::entity::id::ListingId(posted.parse().unwrap())), row(&other, &posted).await);
    let here = here.one(app.state.db.read()).await.unwrap().unwrap();
    assert_eq!((&here.title, here.capacity, &here.measure), (&there.title, there.capacity, &there.measure));
    assert_eq!((here.window_from, here.window_until), (there.window_from, there.window_until));
    assert_eq!((here.status, here.owner_kind, here.region_code), (there.status, there.owner_kind, there.region_code));
    // And once more: the same table.
    let again = folder.path().join("again");
    export(&other.state, &again).await.unwrap();
    let lines = |folder: &std::path::Path| {
        let text = std::fs::read_to_string(folder.join("listings.csv")).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(lines(&again), lines(&target));
    other.database.remove().await;
});
