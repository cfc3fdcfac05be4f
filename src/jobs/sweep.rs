//! Takes away what has served its time: sessions that are over, codes, counters, kept answers, delivered messages.

use chrono::TimeDelta;
use sea_orm::DbErr;

use super::{JobError, Lease, outbox};
use crate::app::AppState;
use crate::db::sweep_changes;
use crate::http::forget_keys;
use crate::identity::sign_in::sms;
use crate::identity::{limit, session};
use crate::photo;

/// Sessions are kept for a while after their end, so that the trail can be read with them.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(30);

/// The contract promises an answer again for at least a day; twice that leaves room for clocks and busy jobs.
const ANSWERS_KEPT: TimeDelta = TimeDelta::days(2);

/// How long a photo may wait to be attached.
const LOOSE_PHOTOS_KEPT: TimeDelta = TimeDelta::days(1);

/// A node that has not looked for so long reads its districts anew.
const CHANGES_KEPT: TimeDelta = TimeDelta::hours(1);

/// The job.
///
/// # Errors
/// The database's.
pub(super) async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let now = state.clock.now();
    // One command each: a long one would keep others waiting.
    let sessions = state.db.write(async move |txn| session::sweep(txn, SESSIONS_KEPT, now).await).await?;
    let codes = state.db.write(async move |txn| sms::sweep(txn, now).await).await?;
    let counters = state.db.write(async move |txn| Ok::<_, DbErr>(limit::sweep(txn, now).await?)).await?;
    let answers = state.db.write(async move |txn| forget_keys(txn, now - ANSWERS_KEPT).await).await?;
    let photos = state.db.write(async move |txn| photo::service::sweep(txn, now - LOOSE_PHOTOS_KEPT).await).await?;
    let changes = state.db.write(async move |txn| sweep_changes(txn, CHANGES_KEPT, now).await).await?;
    Ok(sessions + codes + counters + answers + photos + changes + outbox::sweep(state).await?)
}
