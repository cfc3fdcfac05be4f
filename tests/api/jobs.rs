//! Scheduled work runs on one node at a time, goes on where a node died, and stops when told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::entity::job_lease;
use chrono::TimeDelta;
use futures_util::future::{LocalBoxFuture, join};
use linli::app::AppState;
use linli::jobs::{self, Job, JobError, Lease};
use sea_orm::{ActiveModelTrait as _, DbErr, EntityTrait as _, IntoActiveModel as _, Set};

use crate::support::TestApp;

const HOUR: Duration = Duration::from_hours(1);

fn job(name: &'static str, run: for<'a> fn(&'a AppState, &'a Lease) -> Work<'a>) -> Job {
    Job { name, every: HOUR, run }
}

type Work<'a> = LocalBoxFuture<'a, Result<u64, JobError>>;

fn slow<'a>(_: &'a AppState, _: &'a Lease) -> Work<'a> {
    Box::pin(async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(1)
    })
}

fn failing<'a>(_: &'a AppState, _: &'a Lease) -> Work<'a> {
    Box::pin(async { Err("it rains".into()) })
}

async fn row(app: &TestApp, job: &str) -> job_lease::Model {
    job_lease::Entity::find_by_id(job).one(app.state.db.read()).await.unwrap().unwrap()
}

/// As if another node had it, up to `until` from now by the database's clock.
async fn give_to_another(app: &TestApp, job: &'static str, until: TimeDelta) {
    let until = app.state.db.now().await.unwrap() + until;
    let taken = move |row: job_lease::Model| job_lease::ActiveModel {
        holder: Set("another".to_owned()),
        until: Set(until),
        fencing: Set(row.fencing + 1),
        ..row.into_active_model()
    };
    let row = row(app, job).await;
    let update = async move |txn: &linli::db::Txn| taken(row.clone()).update(txn).await.map(drop);
    app.state.db.write(update).await.unwrap_or_else(|error: DbErr| panic!("{error}"));
}

both!(of_two_nodes_one_runs_the_job, async |app| {
    let other = app.second_node().await;
    let slow = job("slow", slow);
    let (first, second) = join(jobs::run_now(&app.state, &slow), jobs::run_now(&other.state, &slow)).await;
    let mut ran = [first.unwrap(), second.unwrap()];
    ran.sort_unstable();
    assert_eq!(ran, [None, Some(1)]);
    assert_eq!(jobs::run_now(&other.state, &slow).await.unwrap(), Some(1));
    assert_eq!(row(&app, "slow").await.fencing, 2);
});

both!(a_dead_nodes_job_is_taken_over_when_its_lease_is_over, async |app| {
    let slow = job("slow", slow);
    jobs::run_now(&app.state, &slow).await.unwrap();
    give_to_another(&app, "slow", TimeDelta::seconds(30)).await;
    assert_eq!(jobs::run_now(&app.state, &slow).await.unwrap(), None);
    give_to_another(&app, "slow", TimeDelta::seconds(-1)).await;
    assert_eq!(jobs::run_now(&app.state, &slow).await.unwrap(), Some(1));
    assert_eq!(row(&app, "slow").await.fencing, 4);
});

both!(a_late_holder_finds_that_it_holds_nothing, async |app| {
    fn sleeps_too_long<'a>(state: &'a AppState, lease: &'a Lease) -> Work<'a> {
        Box::pin(async move {
            let ask = |lease: Lease| state.db.write(async move |txn| lease.is_held(txn).await);
            let before = ask(lease.clone()).await?;
            let taken = job_lease::ActiveModel {
                holder: Set("another".to_owned()),
                fencing: Set(2),
                ..job_lease::Entity::find_by_id("asleep").one(state.db.read()).await?.unwrap().into_active_model()
            };
            state.db.write(async move |txn| taken.clone().update(txn).await.map(drop)).await?;
            let after = ask(lease.clone()).await?;
            Ok(u64::from(before) * 10 + u64::from(after))
        })
    }
    assert_eq!(jobs::run_now(&app.state, &job("asleep", sleeps_too_long)).await.unwrap(), Some(10));
    // What was lost is not given back in the other's name.
    assert_eq!(row(&app, "asleep").await.holder, "another");
});

both!(a_job_that_failed_may_be_run_again_at_once, async |app| {
    let failing = job("failing", failing);
    for _ in 0..2 {
        assert_eq!(jobs::run_now(&app.state, &failing).await.unwrap_err().to_string(), "it rains");
    }
    assert_eq!(row(&app, "failing").await.holder, "");
});

#[actix_web::test]
async fn an_unknown_job_is_refused() {
    let app = TestApp::spawn(crate::support::Backend::Sqlite).await.unwrap();
    assert!(jobs::run_once(&app.state, "nothing").await.is_err());
}

both!(two_nodes_share_the_turns_of_a_loop, async |app| {
    static RUNS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    fn count<'a>(state: &'a AppState, _: &'a Lease) -> Work<'a> {
        RUNS[usize::from(state.config.sqlite_path().is_some())].fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(1) })
    }
    static TICK: &[Job] = &[Job { name: "tick", every: Duration::from_millis(500), run: count }];
    let other = app.second_node().await;
    let runs = &RUNS[usize::from(app.state.config.sqlite_path().is_some())];
    let both = [jobs::start(&app.state, TICK), jobs::start(&other.state, TICK)];
    let began = std::time::Instant::now();
    while runs.load(Ordering::Relaxed) < 4 {
        assert!(began.elapsed() < Duration::from_secs(30), "the loops stand still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A turn lasts half a second less 200 ms of slack, however many nodes look.
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
    for node in both {
        node.stop().await;
    }
    let after = runs.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(runs.load(Ordering::Relaxed), after);
});
