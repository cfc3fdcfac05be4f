//! Boards: order, ties, ranks over pages, periods, late verification, reversal, masks, and a naive model of all of it.

mod model;

use std::collections::HashMap;

use ::entity::id::{MemberId, ServiceRecordId, UnitId};
use ::entity::staff::Role;
use ::entity::{member, score_mark, unit};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};
use serde_json::{Value, json};

use crate::service_record::pending;
use crate::support::{CITY, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, STREET, Staff, TestApp, at, dataset, linli};

pub(super) async fn board(app: &TestApp, query: &str) -> Value {
    app.get(&format!("/api/v1/rankings?{query}")).await.expect_status(200).json()
}

/// `rank id value` of every row, page by page.
async fn rows(app: &TestApp, query: &str, limit: usize) -> Vec<(u64, String, String)> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = board(app, &format!("{query}&limit={limit}{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        found.extend(items.iter().map(|item| {
            let value = &item["value"];
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (item["rank"].as_u64().unwrap(), item["id"].as_str().unwrap().to_owned(), value)
        }));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn served(app: &TestApp, member: &Member, ended_at: &str, minutes: i32) -> ServiceRecordId {
    let record = pending(member, at(ended_at), minutes);
    let id = record.id.clone().unwrap();
    app.seed().insert(vec![record]).await;
    id
}

async fn verify(app: &TestApp, manager: &Staff, id: ServiceRecordId) {
    let path = format!("/api/v1/service-records/{id}/verification");
    app.by(manager).post(&path, json!({"decision": "verify"})).key(&id.to_string()).await.expect_status(200);
}

async fn reverse(app: &TestApp, manager: &Staff, id: ServiceRecordId) {
    let path = format!("/api/v1/service-records/{id}/reversal");
    app.by(manager).post(&path, json!({"reason": "误登"})).key(&format!("r{id}")).await.expect_status(200);
}

/// An admin of the whole city.
async fn admin(app: &TestApp) -> Staff {
    app.seed().staff(Role::Admin).in_region(CITY).await
}

both!(equal_values_are_listed_by_who_reached_them_first, async |app| {
    let manager = admin(&app).await;
    let members: Vec<Member> = {
        let mut members = Vec::new();
        for _ in 0..5 {
            members.push(app.seed().member().volunteer().await);
        }
        members
    };
    // Three with 2.00, the last two at the same moment; one with 4.00; one with nothing.
    for (place, end, minutes) in [
        (2, "2026-11-20T03:00:00Z", 60),
        (1, "2026-11-20T03:00:00Z", 60),
        (3, "2026-11-20T02:00:00Z", 60),
        (0, "2026-11-20T09:00:00Z", 120),
    ] {
        let id = served(&app, &members[place], end, minutes).await;
        verify(&app, &manager, id).await;
    }
    let expected: Vec<_> = [(1, 0, "4.00"), (2, 3, "2.00"), (2, 1, "2.00"), (2, 2, "2.00")]
        .map(|(rank, place, value): (u64, usize, &str)| (rank, members[place].id.to_string(), value.to_owned()))
        .to_vec();
    for limit in [1, 2, 3, 4, 100] {
        assert_eq!(rows(&app, "board=members", limit).await, expected, "{limit}");
    }
    // A rank goes on over pages: the value after the tie is third.
    let late = served(&app, &members[4], "2026-11-20T10:00:00Z", 30).await;
    verify(&app, &manager, late).await;
    for limit in [1, 3, 4] {
        assert_eq!(rows(&app, "board=members", limit).await[4].0, 3, "{limit}");
    }
});

both!(periods_begin_at_midnight_in_shanghai, async |app| {
    let manager = admin(&app).await;
    let volunteer = app.seed().member().volunteer().await;
    app.clock.set(at("2026-10-31T15:59:59Z"));
    let october = served(&app, &volunteer, "2026-10-31T15:59:59Z", 30).await;
    verify(&app, &manager, october).await;
    app.clock.set(at("2026-11-20T00:00:00Z"));
    let november = served(&app, &volunteer, "2026-10-31T16:30:00Z", 30).await;
    verify(&app, &manager, november).await;
    for (period, value) in
        [("2026-10", "1.00"), ("2026-11", "1.00"), ("2026-Q4", "2.00"), ("2026", "2.00"), ("all", "2.00")]
    {
        let found = rows(&app, &format!("period={period}"), 100).await;
        assert_eq!(found, [(1, volunteer.id.to_string(), value.to_owned())], "{period}");
    }
    for period in ["2026-09", "2026-12", "2026-Q3", "2025"] {
        assert_eq!(rows(&app, &format!("period={period}"), 100).await, [], "{period}");
    }
});

both!(a_closed_period_stays_as_it_is, async |app| {
    let manager = admin(&app).await;
    let (late, early) = (app.seed().member().volunteer().await, app.seed().member().volunteer().await);
    let of_november =
        [served(&app, &late, "2026-11-20T03:00:00Z", 60).await, served(&app, &early, "2026-11-20T03:00:00Z", 90).await];
    verify(&app, &manager, of_november[1]).await;
    let frozen = rows(&app, "period=2026-11", 100).await;
    assert_eq!(frozen, [(1, early.id.to_string(), "3.00".to_owned())]);

    // Verified in December: it counts in December. Reversed in December: it is taken off December, which it never was in.
    app.clock.set(at("2026-12-05T02:00:00Z"));
    verify(&app, &manager, of_november[0]).await;
    reverse(&app, &manager, of_november[1]).await;
    let other = served(&app, &early, "2026-12-01T03:00:00Z", 60).await;
    verify(&app, &manager, other).await;
    assert_eq!(rows(&app, "period=2026-11", 100).await, frozen);
    // 2.00 of a December record less 3.00 of the reversed one is below zero, so not listed.
    assert_eq!(rows(&app, "period=2026-12", 100).await, [(1, late.id.to_string(), "2.00".to_owned())]);
    // In the quarter and the year it has never counted; both reached 2.00, `late` with the earlier service.
    let both = [(1, late.id.to_string(), "2.00".to_owned()), (1, early.id.to_string(), "2.00".to_owned())];
    for period in ["2026-Q4", "2026", "all"] {
        assert_eq!(rows(&app, &format!("period={period}"), 100).await, both, "{period}");
    }
});

both!(a_reversal_in_the_same_month_leaves_no_trace, async |app| {
    let manager = admin(&app).await;
    let (one, other) = (app.seed().member().volunteer().await, app.seed().member().volunteer().await);
    let first = served(&app, &one, "2026-11-10T03:00:00Z", 60).await;
    let second = served(&app, &one, "2026-11-12T03:00:00Z", 60).await;
    let between = served(&app, &other, "2026-11-11T03:00:00Z", 60).await;
    for id in [first, second, between] {
        verify(&app, &manager, id).await;
    }
    let order = async |query: &str| rows(&app, query, 100).await.into_iter().map(|(_, id, _)| id).collect::<Vec<_>>();
    assert_eq!(order("period=2026-11").await, [one.id.to_string(), other.id.to_string()]);
    // Without the record of the 12th `one` had reached 2.00 on the 10th, before `other`.
    reverse(&app, &manager, second).await;
    for metric in ["points", "hours", "records"] {
        for query in ["period=2026-11", "period=all&category=neighbourly"] {
            let query = format!("{query}&metric={metric}");
            assert_eq!(order(&query).await, [one.id.to_string(), other.id.to_string()], "{query}");
        }
    }
    // Without the record of the 10th it would have been the 12th.
    let third = served(&app, &one, "2026-11-13T03:00:00Z", 60).await;
    verify(&app, &manager, third).await;
    reverse(&app, &manager, first).await;
    assert_eq!(order("period=2026-11").await, [other.id.to_string(), one.id.to_string()]);
});

both!(names_are_masked_unless_agreed, async |app| {
    let manager = admin(&app).await;
    let clerk = app.seed().staff(Role::Clerk).in_region(SISTER).await;
    let names = [("张三丰", false), ("李四", false), ("欧阳修", false), ("John Smith", false), ("王五", true)];
    let mut refs = Vec::new();
    for (place, (name, named)) in names.into_iter().enumerate() {
        let seed = app.seed().member().volunteer().called(name);
        let member = if named { seed.named_on_boards().await } else { seed.await };
        refs.push(member.ref_id.clone());
        let id = served(&app, &member, "2026-11-20T03:00:00Z", 300 - i32::try_from(place).unwrap() * 30).await;
        verify(&app, &manager, id).await;
    }
    let text = app.get("/api/v1/rankings?limit=100").await.expect_status(200).text();
    for secret in ["三丰", "李四", "阳修", "Smith", "M0000", "\"ref\""] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let shown = |page: &Value, field: &str| -> Vec<Value> {
        page["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    };
    assert_eq!(shown(&board(&app, "").await, "name"), ["张*", "李*", "欧*", "J*", "王五"]);
    // Staff of the subtree see refs, others do not.
    let page = app.by(&manager).get("/api/v1/rankings").await.expect_status(200).json();
    assert_eq!(shown(&page, "ref"), refs.iter().map(|text| json!(text)).collect::<Vec<_>>());
    let page = app.by(&clerk).get("/api/v1/rankings").await.expect_status(200).json();
    assert_eq!(shown(&page, "ref"), vec![Value::Null; 5]);
    // Consent withdrawn, or the person erased: gone at the next call.
    let change = async |change: member::ActiveModel| {
        let update = member::Entity::update_many().set(change);
        app.state.db.write(async move |txn| update.clone().exec(txn).await.map(drop)).await.unwrap();
    };
    change(member::ActiveModel { named_on_boards: Set(false), ..Default::default() }).await;
    assert_eq!(shown(&board(&app, "").await, "name")[4], "王*");
    change(member::ActiveModel { name: Set(None), ..Default::default() }).await;
    assert_eq!(shown(&board(&app, "").await, "name"), ["*"; 5]);
});

both!(boards_are_of_members_units_and_communities, async |app| {
    let manager = admin(&app).await;
    let (here, sister, foreign) = (
        app.seed().member().volunteer().await,
        app.seed().member().volunteer().in_region(SISTER).await,
        app.seed().member().volunteer().in_region(FOREIGN).await,
    );
    let unit = seed_unit(&app, "U001", "市教育局", SISTER).await;
    for (member, minutes) in [(&here, 90), (&sister, 60), (&foreign, 600)] {
        let mut record = pending(member, at("2026-11-20T03:00:00Z"), minutes);
        record.unit_id = Set((member.id != here.id).then_some(unit));
        let id = record.id.clone().unwrap();
        app.seed().insert(vec![record]).await;
        verify(&app, &manager, id).await;
    }
    let ids = async |query: &str| {
        rows(&app, query, 2).await.into_iter().map(|(_, id, value)| (id, value)).collect::<Vec<_>>()
    };
    let row = |id: &dyn ToString, value: &str| (id.to_string(), value.to_owned());
    let all = [row(&foreign.id, "20.00"), row(&here.id, "3.00"), row(&sister.id, "2.00")];
    for (region, expected) in [
        ("", &all[..]),
        ("&region=130000", &all[..]),
        (&format!("&region={CITY}"), &all[..]),
        (&format!("&region={DISTRICT}"), &all[1..]),
        (&format!("&region={STREET}"), &all[1..]),
        (&format!("&region={COMMUNITY}"), &all[1..2]),
        (&format!("&region={FOREIGN}"), &all[..1]),
    ] {
        if region != "&region=130000" {
            assert_eq!(ids(&format!("board=members{region}")).await, expected, "{region}");
        }
    }
    let communities = [row(&FOREIGN, "10.00"), row(&COMMUNITY, "1.50"), row(&SISTER, "1.00")];
    assert_eq!(ids("board=communities&metric=hours").await, communities);
    assert_eq!(ids(&format!("board=communities&metric=hours&region={STREET}")).await, communities[1..]);
    assert_eq!(ids("board=units&metric=records").await, [row(&unit, "2")]);
    assert_eq!(ids(&format!("board=units&region={SISTER}")).await, [row(&unit, "22.00")]);
    assert_eq!(ids(&format!("board=units&region={FOREIGN}")).await, []);
    assert_eq!(ids("board=teams").await, []);
    let named = board(&app, "board=units").await;
    assert_eq!(named["items"][0]["name"], "市教育局");
    let named = board(&app, "board=communities").await;
    assert_eq!(named["items"][0]["name"], "道南社区居委会");
    assert_eq!(named["items"][0]["id"], FOREIGN);
});

async fn seed_unit(app: &TestApp, ref_id: &str, name: &str, region: &str) -> UnitId {
    app.seed().regions().await;
    let id = UnitId::new();
    let row = unit::ActiveModel {
        id: Set(id),
        ref_id: Set(Some(ref_id.to_owned())),
        name: Set(name.to_owned()),
        unit_type: Set("机关".to_owned()),
        region_code: Set(region.to_owned()),
        party_members: Set(0),
        created_at: Set(at(TestApp::START)),
    };
    app.seed().insert(vec![row]).await;
    id
}

both!(an_answer_says_what_it_is_and_bad_questions_are_refused, async |app| {
    app.seed().regions().await;
    let empty = board(&app, &format!("metric=hours&period=2026-Q4&region={DISTRICT}&category=culture")).await;
    assert_eq!(
        empty,
        json!({"board": "members", "metric": "hours", "period": "2026-Q4", "region": DISTRICT,
            "as_of": "2026-11-21T02:00:00Z", "items": [], "next_cursor": null})
    );
    let table = [
        ("board=people", "board"),
        ("metric=money", "metric"),
        ("period=2026-13", "period"),
        ("period=2026-W07", "period"),
        ("period=", "period"),
        ("category=HZ", "category"),
        ("region=42", "region"),
        ("region=999999999999", "region"),
        ("region=130302'--", "region"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=eyJ4IjoxfQ", "cursor"),
    ];
    for (query, field) in table {
        let refused = app.get(&format!("/api/v1/rankings?{query}")).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field, "{query}");
    }
    app.get("/api/v1/rankings").bearer("forged").await.expect_problem(401, "unauthenticated");
});

both!(marks_are_counted_once_by_reader_or_job, async |app| {
    let manager = admin(&app).await;
    let volunteer = app.seed().member().volunteer().await;
    for day in 1..=6 {
        let id = served(&app, &volunteer, &format!("2026-11-{day:02}T03:00:00Z"), 30).await;
        verify(&app, &manager, id).await;
    }
    let waiting = async || score_mark::Entity::find().count(app.state.db.read()).await.unwrap();
    assert_eq!(waiting().await, 6);
    let calendar = app.state.calendar;
    let step =
        async || app.state.db.write(async move |txn| linli::ranking::refresh(txn, &calendar, 4).await).await.unwrap();
    assert_eq!(step().await, 4);
    assert_eq!(rows(&app, "", 100).await, [(1, volunteer.id.to_string(), "6.00".to_owned())]);
    assert_eq!((waiting().await, step().await), (0, 0));
    let id = served(&app, &volunteer, "2026-11-08T03:00:00Z", 30).await;
    verify(&app, &manager, id).await;
    assert_eq!(linli::jobs::run_once(&app.state, "ranking").await.unwrap(), Some(1));
    assert_eq!(rows(&app, "", 100).await[0].2, "7.00");
});

both!(readers_and_jobs_at_once_count_nothing_twice, async |app| {
    let manager = admin(&app).await;
    let second = app.second_node().await;
    let mut members = Vec::new();
    for _ in 0..6 {
        members.push(app.seed().member().volunteer().await);
    }
    for round in 0..4 {
        for (place, member) in members.iter().enumerate() {
            let end = at("2026-11-10T03:00:00Z")
                + TimeDelta::hours(2 * round)
                + TimeDelta::minutes(i64::try_from(place).unwrap());
            let record = pending(member, end, 60);
            let id = record.id.clone().unwrap();
            app.seed().insert(vec![record]).await;
            verify(&app, &manager, id).await;
        }
        let reads =
            (0..6).map(|number| if number % 2 == 0 { &app } else { &second }.get("/api/v1/rankings?board=communities"));
        for answer in crate::support::at_once(reads).await {
            let expected = crate::support::at("2026-11-10T03:00:00Z");
            assert!(expected < app.clock.now());
            assert_eq!(answer.expect_status(200).at("/items/0/value"), format!("{}.00", (round + 1) * 12));
        }
    }
});

both!(an_imported_set_stands_on_boards_as_the_rules_say, async |app| {
    let set = dataset::station();
    let output = linli(&app.database, &["import", set.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut points, mut minutes) = (HashMap::<String, (i64, String)>::new(), 0);
    let mut lines = csv::Reader::from_path(set.join("participations.csv")).unwrap();
    for line in lines.deserialize::<HashMap<String, String>>() {
        let line = line.unwrap();
        let worth: i64 = line["points"].parse().unwrap();
        let time = |column: &str| chrono::NaiveDateTime::parse_from_str(&line[column], "%Y-%m-%d %H:%M").unwrap();
        minutes += (time("check_out") - time("check_in")).num_minutes();
        if worth > 0 {
            let entry = points.entry(line["member_id"].clone()).or_default();
            entry.0 += worth;
            entry.1 = line["check_out"].clone().max(entry.1.clone());
        }
    }
    let mut expected: Vec<_> = points.into_iter().map(|(id, (worth, at))| (-worth, at, id)).collect();
    expected.sort();
    let expected: Vec<_> = expected.into_iter().map(|(worth, _, id)| (id, format!("{}.00", -worth))).collect();

    let staff = app.seed().staff(Role::Auditor).in_region("130202").await;
    for period in ["all", "2023"] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/rankings?period={period}&limit=100{cursor}");
            let page = app.by(&staff).get(&path).await.expect_status(200).json();
            let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
            found.extend(page["items"].as_array().unwrap().iter().map(|item| (text(item, "ref"), text(item, "value"))));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, expected, "{period}");
    }
    // The totals of the set: 4,040 points and 1,563.75 hours in ten communities.
    let total = async |metric: &str| -> f64 {
        let rows = rows(&app, &format!("board=communities&metric={metric}"), 100).await;
        rows.iter().map(|(_, _, value)| value.parse::<f64>().unwrap()).sum()
    };
    assert_eq!((total("points").await, total("records").await), (4_040.0, 900.0));
    assert_eq!((total("hours").await, minutes), (1_563.75, 93_825));
});

both!(boards_agree_with_a_naive_model, async |app| {
    model::agree(&app).await;
});
