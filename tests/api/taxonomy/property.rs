//! Whatever staff do to a list in whatever order: no code lies under itself, and a merged code ends at one that is not.

use ::entity::code_item;
use linli::taxonomy::merged;
use linli::taxonomy::tree;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use super::{admin, merge, seed};
use crate::support::{Backend, TestApp};

const CODES: [&str; 6] = ["S1", "S2", "S3", "S4", "S5", "S6"];

#[derive(Clone, Debug)]
enum Deed {
    Merge(usize, usize),
    Unmerge(usize),
    Move(usize, Option<usize>),
    Retire(usize, bool),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let code = || 0..CODES.len();
    let deed = prop_oneof![
        4 => (code(), code()).prop_map(|(from, into)| Deed::Merge(from, into)),
        2 => code().prop_map(Deed::Unmerge),
        4 => (code(), prop::option::weighted(0.8, code())).prop_map(|(code, parent)| Deed::Move(code, parent)),
        1 => (code(), any::<bool>()).prop_map(|(code, retired)| Deed::Retire(code, retired)),
    ];
    prop::collection::vec(deed, 10..40)
}

async fn check(app: &TestApp, deed: &Deed) {
    let db = app.state.db.read();
    let (merged, tree) = (merged(db, "skill").await.unwrap(), tree::load(db, "skill").await.unwrap());
    let items = code_item::Entity::find().filter(code_item::Column::List.eq("skill")).all(db).await.unwrap();
    for item in items {
        let now = merged.canonical(&item.code).to_owned();
        assert_eq!(merged.canonical(&now), now, "{deed:?}");
        assert_eq!(item.merged_into.is_some(), now != item.code, "{deed:?}");
        assert!(merged.equivalents(&item.code).contains(&item.code), "{deed:?}");
        if let Some(parent) = &item.parent {
            assert!(!tree.is_at_or_below(parent, &item.code), "{deed:?}: {} lies under itself", item.code);
        }
    }
}

both!(lists_keep_their_shape, async |app| {
    let admin = admin(&app).await;
    let items: Vec<_> = CODES.iter().map(|code| (*code, "技能", None)).collect();
    seed(&app, "skill", &items).await;
    let cases = if app.database.backend() == Backend::Sqlite { 12 } else { 4 };
    let (mut runner, mut done) = (TestRunner::deterministic(), 0);
    for _ in 0..cases {
        for deed in deeds().new_tree(&mut runner).unwrap().current() {
            let path = |code: usize| format!("/api/v1/codes/skill/{}", CODES[code]);
            let answer = match &deed {
                Deed::Merge(from, into) => merge(&app, &admin, "skill", CODES[*from], CODES[*into]).await,
                Deed::Unmerge(code) => app.by(&admin).delete(&format!("{}/merge", path(*code))).await,
                Deed::Move(code, parent) => {
                    app.by(&admin).patch(&path(*code), json!({"parent": parent.map(|at| CODES[at])})).await
                }
                Deed::Retire(code, true) => {
                    app.by(&admin).post(&format!("{}/retirement", path(*code)), json!({})).await
                }
                Deed::Retire(code, false) => app.by(&admin).delete(&format!("{}/retirement", path(*code))).await,
            };
            assert!(matches!(answer.status, 200 | 409 | 422), "{deed:?}: {}", answer.text());
            done += usize::from(answer.status == 200);
            check(&app, &deed).await;
        }
    }
    assert!(done > 20, "only {done} deeds were let through");
});

both!(two_at_once_close_no_circle, async |app| {
    let admin = admin(&app).await;
    let items: Vec<_> = CODES.iter().map(|code| (*code, "技能", None)).collect();
    seed(&app, "skill", &items).await;
    let calls = (0..CODES.len()).map(|at| {
        let path = format!("/api/v1/codes/skill/{}", CODES[at]);
        app.by(&admin).patch(&path, json!({"parent": CODES[(at + 1) % CODES.len()]}))
    });
    let answers = crate::support::at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 1);
    let calls = (0..CODES.len()).map(|at| {
        let path = format!("/api/v1/codes/skill/{}/merge", CODES[at]);
        app.by(&admin).post(&path, json!({"into": CODES[(at + 1) % CODES.len()]}))
    });
    for answer in crate::support::at_once(calls).await {
        assert!(matches!(answer.status, 200 | 422), "{}", answer.text());
    }
    check(&app, &Deed::Unmerge(0)).await;
});
