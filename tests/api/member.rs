//! What members do about themselves, and what staff see of them.

use ::entity::id::{InboxMessageId, MemberId, UnitId, WishId};
use ::entity::staff::Role;
use ::entity::{audit, code_item, inbox_message, member, member_skill, session, unit, wish};
use chrono::TimeDelta;
use linli::db::Txn;
use linli::identity::member_code;
use linli::identity::sealed::{Home, seal_home, seal_special_group};
use linli::notify::{self, Message};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set,
};
use serde_json::{Value, json};

use crate::support::{CITY, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, STREET, TestApp};

async fn skills(app: &TestApp) {
    let skill = |code: &str| code_item::ActiveModel {
        list: Set("skill".into()),
        code: Set(code.into()),
        name: Set(code.into()),
        parent: Set(None),
        ..Default::default()
    };
    app.seed().insert(vec![skill("S01"), skill("S02")]).await;
}

async fn change(app: &TestApp, row: member::ActiveModel) {
    let write = async move |txn: &Txn| row.clone().update(txn).await.map(drop);
    app.state.db.write(write).await.unwrap_or_else(|error: DbErr| panic!("{error}"));
}

/// A member of whom everything is known.
async fn known(app: &TestApp) -> Member {
    let member = app.seed().member().called("欧阳建国").await;
    let keys = &app.state.keys;
    let home = Home { lat: Some(39.93), lon: Some(119.6), address: Some("幸福里 3 号楼 2 单元".into()) };
    let row = member::ActiveModel {
        id: Set(member.id),
        home_sealed: Set(Some(seal_home(keys, &home))),
        special_group_sealed: Set(Some(seal_special_group(keys, "SG03"))),
        ..Default::default()
    };
    change(app, row).await;
    member
}

both!(a_member_changes_the_profile, async |app| {
    skills(&app).await;
    let member = app.seed().member().await;
    let me = app.by(&member);
    let body = json!({
        "name": " 李\u{65b0} ", "region_code": SISTER, "gender": "F", "birth_year": 1980, "max_hours_week": 6,
        "home": {"lat": 39.9, "lon": 119.6, "address": "幸福里 1 号"}, "skills": ["S02", "S01", "S02"],
        "availability": [{"weekday": 6, "from": "08:30", "until": "11:30"}, {"weekday": 7, "from": "20:00", "until": "24:00"}],
    });
    let view: Value = me.patch("/api/v1/me", body).await.expect_status(200).json();
    for (field, value) in [
        ("name", json!("李新")),
        ("region_code", json!(SISTER)),
        ("phone", json!(member.phone)),
        ("skills", json!(["S01", "S02"])),
        (
            "availability",
            json!([{"weekday": 6, "from": "08:30", "until": "11:30"}, {"weekday": 7, "from": "20:00", "until": "24:00"}]),
        ),
        ("home", json!({"lat": 39.9, "lon": 119.6, "address": "幸福里 1 号"})),
        ("max_hours_week", json!(6)),
        ("capacities", json!(["resident"])),
        ("profile_complete", json!(true)),
    ] {
        assert_eq!(view[field], value, "{field}");
    }
    assert_eq!(view, me.get("/api/v1/me").await.expect_status(200).json());
    assert_eq!(
        me.patch("/api/v1/me", json!({})).await.expect_status(200).json(),
        view,
        "nothing given, nothing changed"
    );
});

both!(profiles_that_cannot_be_are_refused, async |app| {
    skills(&app).await;
    let member = app.seed().member().await;
    let before: Value = app.by(&member).get("/api/v1/me").await.json();
    let span = |from: &str, until: &str| json!({"weekday": 6, "from": from, "until": until});
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a\u{202E}b"}), "name"),
        (json!({"name": "名".repeat(51)}), "name"),
        (json!({"region_code": DISTRICT}), "region_code"),
        (json!({"region_code": "139999999999"}), "region_code"),
        (json!({"region_code": "130302001001999"}), "region_code"),
        (json!({"gender": "X"}), "gender"),
        (json!({"birth_year": 1800}), "birth_year"),
        (json!({"birth_year": 2027}), "birth_year"),
        (json!({"max_hours_week": 169}), "max_hours_week"),
        (json!({"skills": ["S01", "S99"]}), "skills[1]"),
        (json!({"availability": [span("11:30", "08:30")]}), "availability[0]"),
        (json!({"availability": [span("08:00", "10:00"), span("09:00", "11:00")]}), "availability[1]"),
        (json!({"availability": [span("8:00", "10:00")]}), "availability[0].from"),
        (json!({"availability": [{"weekday": 8, "from": "08:00", "until": "10:00"}]}), "availability[0].weekday"),
        (json!({"home": {"lat": 91.0}}), "home.lat"),
        (json!({"phone": "13900000000"}), "phone"),
        (json!({"is_volunteer": true}), "is_volunteer"),
        (json!({"capacities": ["volunteer"]}), "capacities"),
        (json!({"ref": "M1"}), "ref"),
    ] {
        let answer = app.by(&member).patch("/api/v1/me", body.clone()).await.expect_problem(422, "validation_failed");
        assert_eq!(answer.at("/errors/0/field"), field, "{body}");
    }
    assert_eq!(app.by(&member).get("/api/v1/me").await.json(), before);
    let staff = app.seed().staff(Role::Admin).await;
    app.by(&staff).patch("/api/v1/me", json!({"name": "x"})).await.expect_problem(403, "forbidden");
    assert_eq!(app.by(&staff).get("/api/v1/me").await.expect_status(200).at("/kind"), "staff");
    app.patch("/api/v1/me", json!({})).await.expect_problem(401, "unauthenticated");
});

both!(becoming_a_volunteer_needs_consent_and_age, async |app| {
    skills(&app).await;
    let member = app.seed().member().await;
    let me = app.by(&member);
    me.post("/api/v1/me/volunteer", json!({"skills": []})).await.expect_problem(422, "validation_failed");
    let refused =
        me.post("/api/v1/me/volunteer", json!({"consent": false})).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.at("/errors/0/field"), "consent");
    let body = |year: i32| json!({"consent": true, "skills": ["S01"], "birth_year": year, "max_hours_week": 4});
    let young = me.post("/api/v1/me/volunteer", body(2011)).await.expect_problem(422, "validation_failed");
    assert_eq!(young.at("/errors/0/field"), "birth_year");
    assert_eq!(me.get("/api/v1/me").await.at("/birth_year"), "1970");
    let view: Value = me.post("/api/v1/me/volunteer", body(2010)).await.expect_status(200).json();
    assert_eq!((&view["capacities"], &view["skills"]), (&json!(["resident", "volunteer"]), &json!(["S01"])));
    let consents: Value = me.get("/api/v1/me/consents").await.expect_status(200).json();
    assert_eq!(
        (&consents["items"][0]["kind"], &consents["items"][0]["given_by"]),
        (&json!("volunteer"), &json!("member"))
    );
    let after = me.post("/api/v1/me/consents/volunteer/withdrawal", json!({})).await.expect_status(200);
    assert_ne!(after.at("/withdrawn_at"), "null");
    assert_eq!(me.get("/api/v1/me").await.json()["capacities"], json!(["resident"]));
});

both!(boards_name_only_who_agreed, async |app| {
    let member = app.seed().member().await;
    let me = app.by(&member);
    let named = async || app.by(&member).get("/api/v1/me").await.json()["named_on_boards"].clone();
    let first = me.post("/api/v1/me/consents", json!({"kind": "boards"})).await.expect_status(201);
    assert_eq!(named().await, json!(true));
    let again = me.post("/api/v1/me/consents", json!({"kind": "boards"})).await.expect_status(201);
    assert_eq!(first.id(), again.id(), "one is in force");
    let newer =
        me.post("/api/v1/me/consents", json!({"kind": "boards", "notice_version": "2"})).await.expect_status(201);
    assert_ne!(first.id(), newer.id());
    me.post("/api/v1/me/consents/boards/withdrawal", json!({})).await.expect_status(200);
    assert_eq!(named().await, json!(false));
    me.post("/api/v1/me/consents/boards/withdrawal", json!({})).await.expect_problem(404, "not_found");
    me.post("/api/v1/me/consents/nonsense/withdrawal", json!({})).await.expect_problem(404, "not_found");
    me.post("/api/v1/me/consents/service/withdrawal", json!({})).await.expect_problem(409, "erasure_needed");
    let rows: Value = me.get("/api/v1/me/consents").await.json();
    let boards = rows["items"].as_array().unwrap().iter().filter(|row| row["kind"] == "boards");
    assert!(boards.clone().count() == 2 && boards.clone().all(|row| !row["withdrawn_at"].is_null()));
});

both!(a_party_member_reports_once_to_a_community_for_a_unit, async |app| {
    let member = app.seed().member().await;
    let unit = UnitId::new();
    let row = unit::ActiveModel {
        id: Set(unit),
        ref_id: Set(Some("U001".into())),
        name: Set("区财政局".into()),
        unit_type: Set("机关".into()),
        region_code: Set(COMMUNITY.into()),
        party_members: Set(0),
        created_at: Set(app.clock.now()),
    };
    app.seed().insert(vec![row]).await;
    let me = app.by(&member);
    let made =
        me.post("/api/v1/me/reporting", json!({"unit_ref": "U001", "region_code": SISTER})).await.expect_status(201);
    assert_eq!((made.at("/unit_id"), made.at("/region_code")), (unit.to_string(), SISTER.to_owned()));
    me.post("/api/v1/me/reporting", json!({"unit_id": unit, "region_code": SISTER}))
        .await
        .expect_problem(409, "already_reported");
    me.post("/api/v1/me/reporting", json!({"unit_id": unit, "region_code": FOREIGN})).await.expect_status(201);
    let view: Value = me.get("/api/v1/me").await.json();
    assert_eq!((&view["capacities"], &view["unit_id"]), (&json!(["resident", "party_member"]), &json!(unit)));
    for (body, field) in [
        (json!({"region_code": SISTER}), "unit_ref"),
        (json!({"unit_ref": "U1", "unit_id": unit, "region_code": SISTER}), "unit_ref"),
        (json!({"unit_ref": "U999", "region_code": SISTER}), "unit_ref"),
        (json!({"unit_ref": "U001", "region_code": STREET}), "region_code"),
    ] {
        let answer = me.post("/api/v1/me/reporting", body).await.expect_problem(422, "validation_failed");
        assert_eq!(answer.at("/errors/0/field"), field);
    }
});

both!(staff_see_the_members_of_their_subtree_masked, async |app| {
    let known = known(&app).await;
    let sister = app.seed().member().in_region(SISTER).volunteer().await;
    let foreign = app.seed().member().in_region(FOREIGN).await;
    app.seed().member().incomplete().await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let list = async |query: &str| -> Vec<Value> {
        app.by(&clerk).get(&format!("/api/v1/members?{query}")).await.expect_status(200).json()["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    let ids = |items: &[Value]| items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let all = list("").await;
    assert_eq!(ids(&all), [known.id.to_string(), sister.id.to_string()]);
    assert_eq!((&all[0]["name"], &all[0]["phone"]), (&json!("欧*"), &json!(format!("{}****", &known.phone[..7]))));
    for hidden in ["home", "special_group", "birth_year"] {
        assert_eq!(all[0][hidden], Value::Null, "{hidden}");
    }
    assert_eq!(ids(&list(&format!("region={SISTER}")).await), [sister.id.to_string()]);
    assert_eq!(ids(&list(&format!("region={CITY}")).await).len(), 2, "a wider region shows no more");
    assert_eq!(ids(&list(&format!("region={FOREIGN}")).await).len(), 0);
    assert_eq!(ids(&list("capacity=volunteer").await), [sister.id.to_string()]);
    assert_eq!(ids(&list(&format!("ref={}", known.ref_id)).await), [known.id.to_string()]);
    assert_eq!(ids(&list(&format!("q={}", known.phone)).await), [known.id.to_string()]);
    assert_eq!(ids(&list(&format!("q={}", &known.phone[..10])).await).len(), 0, "a phone is found as a whole only");
    assert_eq!(ids(&list(&format!("q={}", foreign.phone)).await).len(), 0);
    assert_eq!(ids(&list("q=%E5%BB%BA%E5%9B%BD").await), [known.id.to_string()]);
    let first: Value = app.by(&clerk).get("/api/v1/members?limit=1").await.json();
    let next = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&list(&format!("limit=1&cursor={next}")).await), [sister.id.to_string()]);
    app.by(&clerk).get("/api/v1/members?capacity=disabled").await.expect_problem(422, "validation_failed");
    app.by(&known).get("/api/v1/members").await.expect_problem(403, "forbidden");
    app.get("/api/v1/members").await.expect_problem(401, "unauthenticated");
});

both!(a_member_is_seen_by_themselves_and_by_staff_of_the_subtree, async |app| {
    let known = known(&app).await;
    let other = app.seed().member().await;
    let path = format!("/api/v1/members/{}", known.id);
    let own: Value = app.by(&known).get(&path).await.expect_status(200).json();
    assert_eq!((&own["name"], &own["special_group"]), (&json!("欧阳建国"), &json!("SG03")));
    let manager = app.seed().staff(Role::Manager).await;
    assert_eq!(app.by(&manager).get(&path).await.expect_status(200).at("/name"), "欧*");
    let sibling = app.seed().staff(Role::Manager).in_region(SISTER).await;
    let unknown =
        app.by(&sibling).get(&format!("/api/v1/members/{}", MemberId::new())).await.expect_problem(404, "not_found");
    let nobody = app.seed().staff(Role::Admin).in_region("130303").await;
    for answer in [
        app.by(&other).get(&path).await,
        app.by(&sibling).get(&path).await,
        app.by(&nobody).get(&path).await,
        app.by(&manager).get("/api/v1/members/1").await,
    ] {
        assert_eq!(answer.expect_problem(404, "not_found").body, unknown.body);
    }
    app.get(&path).await.expect_problem(401, "unauthenticated");
});

both!(opening_a_member_s_data_leaves_a_trace_that_the_member_sees, async |app| {
    let known = known(&app).await;
    let path = format!("/api/v1/members/{}/disclosure", known.id);
    let clerk = app.seed().staff(Role::Clerk).await;
    app.by(&clerk).post(&path, json!({})).await.expect_problem(422, "validation_failed");
    app.by(&clerk).post(&path, json!({"reason": "  "})).await.expect_problem(422, "validation_failed");
    let opened: Value = app.by(&clerk).post(&path, json!({"reason": "送餐上门"})).await.expect_status(201).json();
    assert_eq!((&opened["name"], &opened["phone"]), (&json!("欧阳建国"), &json!(known.phone)));
    assert_eq!((&opened["home"]["address"], &opened["special_group"]), (&json!("幸福里 3 号楼 2 单元"), &Value::Null));
    let manager = app.seed().staff(Role::Manager).await;
    let opened = app.by(&manager).post(&path, json!({"reason": "核实特殊群体"})).await.expect_status(201);
    assert_eq!(opened.at("/special_group"), "SG03");
    let sibling = app.seed().staff(Role::Manager).in_region(SISTER).await;
    app.by(&sibling).post(&path, json!({"reason": "好奇"})).await.expect_problem(404, "not_found");
    app.by(&sibling).post(&path, json!({})).await.expect_problem(404, "not_found");
    app.by(&known).post(&path, json!({"reason": "自己"})).await.expect_problem(403, "forbidden");
    let rows = audit::Entity::find()
        .filter(audit::Column::Action.eq("member.disclose"))
        .all(app.state.db.read())
        .await
        .unwrap();
    assert_eq!(rows.len(), 3, "two readings, one refusal");
    let export: Value = app.by(&known).get("/api/v1/me/export").await.expect_status(200).json();
    let told: Vec<_> =
        export["disclosures"].as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(told, ["送餐上门", "核实特殊群体"]);
});

both!(the_inbox_is_read_by_its_member, async |app| {
    let (member, other) = (app.seed().member().await, app.seed().member().await);
    let (id, now) = (member.id, app.clock.now());
    app.state
        .db
        .write(async move |txn| {
            for title in ["一", "二", "三"] {
                notify::tell(txn, id, Message::new("test", title, "请查看").about("wish", id), now).await?;
            }
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
    let me = app.by(&member);
    let first: Value = me.get("/api/v1/me/inbox?limit=2").await.expect_status(200).json();
    assert_eq!((&first["items"][0]["title"], &first["items"][1]["title"]), (&json!("三"), &json!("二")));
    let next = first["next_cursor"].as_str().unwrap();
    assert_eq!(me.get(&format!("/api/v1/me/inbox?cursor={next}")).await.at("/items/0/title"), "一");
    let path = format!("/api/v1/me/inbox/{}/reading", first["items"][0]["id"].as_str().unwrap());
    app.by(&other).post(&path, json!({})).await.expect_problem(404, "not_found");
    assert_ne!(me.post(&path, json!({})).await.expect_status(200).at("/read_at"), "null");
    let unread: Value = me.get("/api/v1/me/inbox?unread=true").await.json();
    assert_eq!(unread["items"].as_array().unwrap().len(), 2);
    assert_eq!(me.post("/api/v1/me/inbox/reading", json!({})).await.expect_status(200).at("/marked"), "2");
    me.post(&format!("/api/v1/me/inbox/{}/reading", InboxMessageId::new()), json!({}))
        .await
        .expect_problem(404, "not_found");
    assert_eq!(app.by(&other).get("/api/v1/me/inbox").await.json()["items"], json!([]));
});

both!(a_member_code_finds_its_member_for_a_minute, async |app| {
    let mut members = Vec::new();
    for _ in 0..20 {
        members.push(app.seed().member().await);
    }
    let keys = &app.state.keys;
    let resolve =
        async |code: &str| member_code::resolve(app.state.db.read(), keys, code, app.clock.now()).await.unwrap();
    for member in &members {
        let code = app.by(member).get("/api/v1/me/code").await.expect_status(200).at("/code");
        assert_eq!(resolve(&code).await, Some(member.id));
        assert_eq!(resolve(&code.to_lowercase().replace('-', "")).await, Some(member.id));
    }
    let code = app.by(&members[0]).get("/api/v1/me/code").await.expect_status(200);
    assert_eq!(code.at("/valid_until"), "2026-11-21T02:00:30Z");
    let code = code.at("/code");
    for at in 0..code.len() {
        let mut changed = code.clone().into_bytes();
        changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
        let found = resolve(&String::from_utf8(changed).unwrap()).await;
        assert_ne!(found, Some(members[0].id), "{at}");
    }
    app.clock.advance(TimeDelta::seconds(59));
    assert_eq!(resolve(&code).await, Some(members[0].id));
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(resolve(&code).await, None);
});

both!(erasing_takes_the_person_and_leaves_the_row, async |app| {
    let known = known(&app).await;
    skills(&app).await;
    app.seed().insert(vec![member_skill::ActiveModel { member_id: Set(known.id), skill: Set("S01".into()) }]).await;
    let finished = wish_of(&app, &known, "confirmed").await;
    let me = app.by(&known);
    let open = wish_of(&app, &known, "published").await;
    let refused = me.delete("/api/v1/me").await.expect_problem(409, "open_commitments");
    assert!(refused.at("/detail").contains("未了结的微心愿 1 项"), "{}", refused.text());
    app.state
        .db
        .write(async move |txn| wish::Entity::delete_by_id(open).exec(txn).await.map(drop))
        .await
        .unwrap_or_else(|error: DbErr| panic!("{error}"));
    me.delete("/api/v1/me").await.expect_status(204);
    me.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
    let db = app.state.db.read();
    let row = member::Entity::find_by_id(known.id).one(db).await.unwrap().unwrap();
    assert!(row.erased_at.is_some());
    let debug = format!("{row:?}");
    assert!(
        !debug.contains("欧阳")
            && row.phone_index.is_none()
            && row.phone_sealed.is_none()
            && row.home_sealed.is_none()
            && row.special_group_sealed.is_none()
            && row.ref_id.is_none()
    );
    let wish = wish::Entity::find_by_id(finished).one(db).await.unwrap().unwrap();
    assert_eq!((wish.title.as_str(), wish.address_sealed), ("（已注销）", None));
    assert_eq!(
        member_skill::Entity::find().filter(member_skill::Column::MemberId.eq(known.id)).count(db).await.unwrap(),
        0
    );
    let open = session::Entity::find()
        .filter(session::Column::MemberId.eq(known.id))
        .filter(session::Column::EndedAt.is_null());
    assert_eq!(open.count(db).await.unwrap(), 0);
    let clerk = app.seed().staff(Role::Clerk).await;
    app.by(&clerk).get(&format!("/api/v1/members/{}", known.id)).await.expect_problem(404, "not_found");
    assert_eq!(app.by(&clerk).get(&format!("/api/v1/members?q={}", known.phone)).await.json()["items"], json!([]));
});

/// A wish of `member`, straight into the table.
async fn wish_of(app: &TestApp, member: &Member, status: &str) -> WishId {
    let (id, now) = (WishId::new(), app.clock.now());
    let row = wish::ActiveModel {
        id: Set(id),
        ref_id: Set(None),
        requester_id: Set(member.id),
        region_code: Set(COMMUNITY.into()),
        title: Set("欧阳家修灯".into()),
        body: Set("楼道灯坏了".into()),
        category: Set(::entity::category::Category::Neighbourly),
        slots: Set(1),
        window_from: Set(now),
        window_until: Set(now + TimeDelta::hours(2)),
        lat: Set(None),
        lon: Set(None),
        address_sealed: Set(Some(app.state.keys.seal("wish.address", "幸福里 3 号".as_bytes()))),
        special_group_sealed: Set(None),
        est_minutes: Set(None),
        status: Set(serde_json::from_value(json!(status)).unwrap()),
        priority: Set(0),
        risk_notice: Set(None),
        reason: Set(None),
        rating: Set(None),
        comment: Set(None),
        task_id: Set(None),
        due_at: Set(None),
        deadline_on: Set(None),
        created_by: Set(None),
        created_at: Set(now),
        published_at: Set(None),
        claimed_at: Set(None),
        fulfilled_at: Set(None),
        confirmed_at: Set(None),
        updated_at: Set(now),
        domain: Set(None),
    };
    app.seed().insert(vec![row]).await;
    id
}

both!(an_export_holds_what_is_kept_about_its_member_only, async |app| {
    let known = known(&app).await;
    let other = app.seed().member().called("不相干").await;
    wish_of(&app, &known, "confirmed").await;
    wish_of(&app, &other, "confirmed").await;
    let row = inbox_message::ActiveModel {
        id: Set(InboxMessageId::new()),
        member_id: Set(known.id),
        kind: Set("test".into()),
        title: Set("标题".into()),
        body: Set("内容".into()),
        source_kind: Set(None),
        source_id: Set(None),
        created_at: Set(app.clock.now()),
        read_at: Set(None),
    };
    app.seed().insert(vec![row]).await;
    let answer = app.by(&known).get("/api/v1/me/export").await.expect_status(200);
    let export: Value = answer.json();
    assert_eq!((&export["profile"]["name"], &export["profile"]["special_group"]), (&json!("欧阳建国"), &json!("SG03")));
    assert_eq!(export["wishes"].as_array().unwrap().len(), 1);
    assert_eq!(export["wishes"][0]["address"], "幸福里 3 号");
    assert_eq!(export["inbox"][0]["title"], "标题");
    assert_eq!(export["consents"][0]["kind"], "service");
    assert!(!answer.text().contains("不相干"));
    let staff = app.seed().staff(Role::Admin).await;
    app.by(&staff).get("/api/v1/me/export").await.expect_problem(403, "forbidden");
});
