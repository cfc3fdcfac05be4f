//! Posting, reviewing, changing, ending listings; who sees them; profiles, projects, outcomes.

use ::entity::staff::Role;
use ::entity::wish::{self, WishStatus};
use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait as _, Set};
use serde_json::json;

use super::{hours, inbox, manager, publish, published, verify, weekly, with};
use crate::support::{COMMUNITY, DISTRICT, FOREIGN, SISTER, TestApp, at_once};

both!(a_draft_is_seen_by_its_owner_and_staff_and_a_published_one_by_the_district, async |app| {
    let (owner, neighbour) = (app.seed().member().await, app.seed().member().in_region(SISTER).await);
    let stranger = app.seed().member().in_region(FOREIGN).await;
    let staff = manager(&app).await;
    let body = with(
        weekly(&app),
        json!({"region_code": null, "special_group": "A1",
        "place": {"lat": 39.93, "lon": 119.6, "address": "活动室"}}),
    );
    let posted = app.by(&owner).post("/api/v1/listings", body).await.expect_status(201);
    let (id, view) = (posted.id(), posted.json());
    assert_eq!(view["status"], "draft");
    assert_eq!((&view["owner"]["kind"], &view["owner"]["id"]), (&json!("member"), &json!(owner.id)));
    assert_eq!((&view["period"], &view["special_group"]), (&json!("opening"), &json!("A1")));
    let path = format!("/api/v1/listings/{id}");
    app.by(&neighbour).get(&path).await.expect_problem(404, "not_found");
    app.by(&staff).get(&path).await.expect_status(200);

    // Nobody publishes their own, and members publish nothing.
    let oneself = app.seed().staff(Role::Manager).being(&owner).await;
    let publication = format!("{path}/publication");
    app.by(&oneself).post(&publication, json!({})).await.expect_problem(403, "second_person_required");
    app.by(&owner).post(&publication, json!({})).await.expect_problem(403, "forbidden");
    let clerk = app.seed().staff(Role::Clerk).await;
    app.by(&clerk).post(&publication, json!({})).await.expect_problem(403, "forbidden");
    publish(&app, &staff, &id).await;
    app.by(&staff).post(&publication, json!({})).await.expect_problem(409, "invalid_transition");
    assert_eq!(inbox(&app, &owner).await, ["listing.published"]);

    let seen = app.by(&neighbour).get(&path).await.expect_status(200).json();
    let name: String = owner.name.chars().take(1).chain(['*']).collect();
    assert_eq!((&seen["owner"]["name"], &seen["owner"]["id"]), (&json!(name), &json!(null)));
    assert!(seen.get("special_group").is_none());
    app.by(&stranger).get(&path).await.expect_problem(404, "not_found");
    let listed = |answer: crate::support::Answer| answer.json()["items"].as_array().unwrap().len();
    assert_eq!(listed(app.by(&neighbour).get("/api/v1/listings?kind=service").await), 1);
    assert_eq!(listed(app.by(&neighbour).get("/api/v1/listings?mine=true").await), 0);
    assert_eq!(listed(app.by(&owner).get("/api/v1/listings?mine=true&status=published").await), 1);
    assert_eq!(listed(app.by(&stranger).get("/api/v1/listings").await), 0);
    for query in ["q=%E7%90%86%E5%8F%91", "category=volunteering", "owner=member", "region=130302001"] {
        assert_eq!(listed(app.by(&staff).get(&format!("/api/v1/listings?{query}")).await), 1, "{query}");
    }
    for query in ["q=%25", "category=safety", "skill=S99", "owner=unit", "domain=x", "region=130302001002"] {
        assert_eq!(listed(app.by(&staff).get(&format!("/api/v1/listings?{query}")).await), 0, "{query}");
    }
    // Another's is not theirs to move.
    for step in ["closing", "withdrawal", "reopening"] {
        app.by(&neighbour).post(&format!("{path}/{step}"), json!({})).await.expect_problem(403, "forbidden");
    }
    app.by(&neighbour).patch(&path, json!({"title": "新"})).await.expect_problem(403, "forbidden");
    verify(&app).await;
});

both!(a_listing_goes_through_its_states_and_no_others, async |app| {
    let (owner, staff) = (app.seed().member().await, manager(&app).await);
    let id = app.by(&owner).post("/api/v1/listings", weekly(&app)).await.expect_status(201).id();
    let path = format!("/api/v1/listings/{id}");
    let (closing, reopening) = (format!("{path}/closing"), format!("{path}/reopening"));
    app.by(&owner).post(&closing, json!({})).await.expect_problem(409, "invalid_transition");
    app.by(&owner).post(&reopening, json!({})).await.expect_problem(409, "invalid_transition");
    app.by(&owner).patch(&path, json!({"title": "理发，免费", "capacity": 3})).await.expect_status(200);
    publish(&app, &staff, &id).await;
    // Published, it is staff's to change.
    app.by(&owner).patch(&path, json!({"title": "别的"})).await.expect_problem(409, "invalid_transition");
    let changed = app.by(&staff).patch(&path, json!({"body": "带好围布"})).await.expect_status(200).json();
    assert_eq!(
        (&changed["title"], &changed["body"], &changed["capacity"]),
        (&json!("理发，免费"), &json!("带好围布"), &json!(3))
    );
    let closed = app.by(&owner).post(&closing, json!({"reason": "假期"})).await.expect_status(200).json();
    assert_eq!((&closed["status"], &closed["reason"]), (&json!("closed"), &json!("假期")));
    app.by(&staff).patch(&path, json!({"title": "别的"})).await.expect_problem(409, "invalid_transition");
    // Its owner hands it in again; staff put it up at once.
    let again = app.by(&owner).post(&reopening, json!({})).await.expect_status(200);
    assert_eq!(again.at("/status"), "draft");
    publish(&app, &staff, &id).await;
    app.by(&owner).post(&format!("{path}/withdrawal"), json!({})).await.expect_status(200);
    assert_eq!(app.by(&staff).post(&reopening, json!({})).await.expect_status(200).at("/status"), "published");

    app.clock.advance(TimeDelta::days(91));
    assert!(linli::jobs::run_once(&app.state, "bookings").await.unwrap().unwrap() >= 1);
    assert_eq!(app.by(&owner).get(&path).await.at("/status"), "expired");
    let refused = app.by(&owner).post(&reopening, json!({})).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "window.until");
    let window = json!({"window": {"from": hours(&app, 1), "until": hours(&app, 24 * 60)}});
    assert_eq!(app.by(&staff).post(&reopening, window).await.expect_status(200).at("/status"), "published");
    verify(&app).await;
});

both!(what_cannot_be_given_is_refused_by_name, async |app| {
    let (staff, owner) = (manager(&app).await, app.seed().member().await);
    let refused = async |changes: serde_json::Value| {
        let body = with(weekly(&app), changes);
        let answer = app.by(&staff).post("/api/v1/listings", body).await.expect_problem(422, "validation_failed");
        format!("{} {}", answer.at("/errors/0/field"), answer.at("/errors/0/code"))
    };
    let night =
        json!([{"weekday": 7, "from": "19:00", "until": "07:00"}, {"weekday": 1, "from": "06:00", "until": "08:00"}]);
    let rule =
        |rule: &str| json!({"openings": {"recurrence": {"rule": rule, "starts_at": hours(&app, 48), "minutes": 60}}});
    for (changes, expected) in [
        (json!({"capacity": 0}), "capacity out_of_range"),
        (json!({"region_code": FOREIGN}), "region_code invalid"),
        (json!({"region_code": null}), "region_code required"),
        (json!({"window": {"from": hours(&app, 5), "until": hours(&app, 5)}}), "window.until invalid"),
        (json!({"window": {"from": hours(&app, -5), "until": hours(&app, -1)}}), "window.until out_of_range"),
        (json!({"window": {"from": hours(&app, 1), "until": hours(&app, 24 * 1_200)}}), "window.until out_of_range"),
        (json!({"openings": {"weekly": night}}), "openings.weekly[1].from invalid"),
        (
            json!({"openings": {"weekly": [{"weekday": 8, "from": "19:00", "until": "20:00"}]}}),
            "openings.weekly[0].weekday out_of_range",
        ),
        (
            json!({"openings": {"weekly": [{"weekday": 1, "from": "19:00", "until": "19:00"}]}}),
            "openings.weekly[0] invalid",
        ),
        (json!({"window": {"from": hours(&app, 1), "until": hours(&app, 20)}}), "openings invalid"),
        (rule("FREQ=SECONDLY"), "openings.recurrence.rule invalid"),
        (rule("FREQ=MINUTELY"), "openings.recurrence.rule invalid"),
        (rule("FREQ=DAILY;UNTIL=19990101T000000Z"), "openings.recurrence.rule invalid"),
        (rule("FREQ=WEEKLY;\u{2028}BYDAY=SA"), "openings.recurrence.rule invalid"),
        (rule("DROP TABLE listing"), "openings.recurrence.rule invalid"),
        (rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "openings invalid"),
        (json!({"place": {"lat": 91, "lon": 119.6}}), "place.lat out_of_range"),
        (json!({"unit_id": uuid::Uuid::now_v7()}), "unit_id invalid"),
        (json!({"station_id": uuid::Uuid::now_v7()}), "station_id invalid"),
        (json!({"member_id": uuid::Uuid::now_v7()}), "member_id invalid"),
        (json!({"member_id": owner.id, "unit_id": uuid::Uuid::now_v7()}), "unit_id invalid"),
        (json!({"kind": "need", "openings": null}), "window.until out_of_range"),
    ] {
        assert_eq!(refused(changes.clone()).await, expected, "{changes}");
    }
    let foreign = with(weekly(&app), json!({"region_code": FOREIGN}));
    app.by(&owner).post("/api/v1/listings", foreign).await.expect_problem(422, "validation_failed");
    let auditor = app.seed().staff(Role::Auditor).await;
    app.by(&auditor).post("/api/v1/listings", weekly(&app)).await.expect_problem(403, "forbidden");
    // Staff write it down for who has no phone.
    let body = with(weekly(&app), json!({"member_id": owner.id}));
    let posted = app.by(&staff).post("/api/v1/listings", body).await.expect_status(201).json();
    assert_eq!(posted["owner"]["id"], json!(owner.id));
});

both!(openings_say_what_is_free, async |app| {
    let (staff, member) = (manager(&app).await, app.seed().member().await);
    let body = with(
        weekly(&app),
        json!({"openings": {"weekly": [{"weekday": 7, "from": "19:00", "until": "07:00"}],
        "recurrence": {"rule": "FREQ=MONTHLY;BYMONTHDAY=-1", "starts_at": "2026-11-30T01:00:00Z", "minutes": 60},
        "closed_on": ["2026-11-29"]}}),
    );
    let id = published(&app, &staff, body).await;
    let path = format!("/api/v1/listings/{id}/openings");
    let seen = app.by(&member).get(&format!("{path}?until=2026-12-10T00:00:00Z")).await.expect_status(200).json();
    let starts: Vec<_> =
        seen["items"].as_array().unwrap().iter().map(|item| item["starts_at"].as_str().unwrap().to_owned()).collect();
    assert_eq!(starts, ["2026-11-22T11:00:00Z", "2026-11-30T01:00:00Z", "2026-12-06T11:00:00Z"]);
    assert_eq!((&seen["items"][0]["left"], &seen["items"][0]["ends_at"]), (&json!(2), &json!("2026-11-22T23:00:00Z")));
    let first = app.by(&member).get(&format!("{path}?limit=1&until=2026-12-10T00:00:00Z")).await.expect_status(200);
    let cursor = first.at("/next_cursor");
    let second = app.by(&member).get(&format!("{path}?limit=1&cursor={cursor}&until=2026-12-10T00:00:00Z")).await;
    assert_eq!(second.expect_status(200).at("/items/0/starts_at"), "2026-11-30T01:00:00Z");
    for query in ["until=2028-01-01T00:00:00Z", "from=2026-12-01T00:00:00Z&until=2026-11-30T00:00:00Z", "from=x"] {
        app.by(&member).get(&format!("{path}?{query}")).await.expect_problem(422, "validation_failed");
    }
});

both!(lists_are_what_a_region_calls_them, async |app| {
    let (admin, member) = (app.seed().staff(Role::Admin).await, app.seed().member().await);
    let staff = manager(&app).await;
    let names = async |region: &str| {
        let answer =
            app.by(&member).get(&format!("/api/v1/list-profiles?region={region}")).await.expect_status(200).json();
        let lists = answer["lists"].as_array().unwrap().clone();
        lists.iter().map(|list| list["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("/")
    };
    assert_eq!(names(COMMUNITY).await, "需求/资源/服务");
    let profile = |holds: [(&str, &str, &str); 3]| {
        let lists: Vec<_> =
            holds.iter().map(|(code, name, holds)| json!({"code": code, "name": name, "holds": holds})).collect();
        json!({"name": "三张清单", "lists": lists})
    };
    let outcomes =
        profile([("needs", "需求", "need"), ("resources", "资源", "resource"), ("content", "满意", "outcome")]);
    let projects =
        profile([("resources", "资源", "resource"), ("needs", "需求", "need"), ("projects", "项目", "project")]);
    let put = |region: &str, body| app.by(&admin).call_put(&format!("/api/v1/list-profiles/{region}"), body);
    put(DISTRICT, outcomes).await.expect_status(200);
    assert_eq!(names(COMMUNITY).await, "需求/资源/满意");
    let own = put(COMMUNITY, projects.clone()).await.expect_status(200);
    assert_eq!(own.at("/set_by"), COMMUNITY);
    assert_eq!((names(COMMUNITY).await, names(SISTER).await), ("资源/需求/项目".into(), "需求/资源/满意".into()));
    put(FOREIGN, projects.clone()).await.expect_problem(404, "not_found");
    put("130302001009", projects.clone()).await.expect_problem(404, "not_found");
    let twice = with(
        projects,
        json!({"lists": [{"code": "a", "name": "甲", "holds": "need"}, {"code": "a", "name": "乙", "holds": "need"}]}),
    );
    let refused = put(COMMUNITY, twice).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "lists[1].code");

    // Reading by the code of a list.
    let service = published(&app, &staff, weekly(&app)).await;
    let resource = published(&app, &staff, with(weekly(&app), json!({"kind": "resource", "title": "轮椅借用"}))).await;
    let by_list = async |query: &str| app.by(&member).get(&format!("/api/v1/listings?{query}")).await;
    let found = by_list("list=resources").await.expect_status(200).json();
    assert_eq!((found["items"].as_array().unwrap().len(), &found["items"][0]["id"]), (1, &json!(resource)));
    by_list("list=services").await.expect_problem(422, "validation_failed");
    // A project bundles needs and resources.
    let body = json!({"title": "助行", "body": "先借后修", "region_code": COMMUNITY, "listing_ids": [resource]});
    let project = app.by(&staff).post("/api/v1/list-projects", body.clone()).await.expect_status(201).id();
    let wrong = with(body, json!({"listing_ids": [service]}));
    let refused = app.by(&staff).post("/api/v1/list-projects", wrong).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "listing_ids[0]");
    let found = by_list("list=projects").await.expect_status(200).json();
    assert_eq!(
        (&found["items"][0]["id"], &found["items"][0]["listings"][0]["title"]),
        (&json!(project), &json!("轮椅借用"))
    );
    let closed = app.by(&staff).patch(&format!("/api/v1/list-projects/{project}"), json!({"status": "closed"})).await;
    assert_eq!(closed.expect_status(200).at("/status"), "closed");
    assert_eq!(by_list("list=projects").await.json()["items"], json!([]));

    // Outcomes name nobody.
    confirmed_wish(&app, SISTER, "换灯泡", 5).await;
    let found = by_list(&format!("list=content&region={SISTER}")).await.expect_status(200).json();
    assert_eq!((&found["items"][0]["kind"], &found["items"][0]["rating"]), (&json!("outcome"), &json!(5)));
    assert!(found["items"][0].get("wish_id").is_none());

    let back = app.by(&admin).delete(&format!("/api/v1/list-profiles/{COMMUNITY}")).await.expect_status(200);
    assert_eq!(back.at("/set_by"), DISTRICT);
    assert_eq!(names(COMMUNITY).await, "需求/资源/满意");
});

async fn confirmed_wish(app: &TestApp, region: &str, title: &str, rating: i16) {
    let requester = app.seed().member().in_region(region).await;
    let body = json!({"title": title, "body": "厨房", "category": "neighbourly",
        "window": {"from": hours(app, 24), "until": hours(app, 26)}});
    let id: uuid::Uuid = app.by(&requester).post("/api/v1/wishes", body).await.expect_status(201).id().parse().unwrap();
    let row = wish::ActiveModel {
        id: Set(id.into()),
        status: Set(WishStatus::Confirmed),
        rating: Set(Some(rating)),
        confirmed_at: Set(Some(app.clock.now())),
        ..Default::default()
    };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

both!(two_managers_publish_at_once_and_one_is_told, async |app| {
    let (staff, other) = (manager(&app).await, manager(&app).await);
    let second = app.second_node().await;
    let id = app.by(&staff).post("/api/v1/listings", weekly(&app)).await.expect_status(201).id();
    let path = format!("/api/v1/listings/{id}/publication");
    let calls = [app.by(&staff).post(&path, json!({})), second.by(&other).post(&path, json!({}))];
    let mut found: Vec<_> = at_once(calls).await.iter().map(|answer| answer.status).collect();
    found.sort_unstable();
    assert_eq!(found, [200, 409]);
});
