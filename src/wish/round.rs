//! One round of a wish: a task with its window, from publication to its end.

use chrono::{DateTime, Utc};
use entity::id::TaskId;
use entity::task::TaskSource;
use entity::wish;
use sea_orm::ActiveValue::Set;
use sea_orm::ConnectionTrait;

use super::domain::WishStep;
use super::error::WishError;
use super::service::{allowed, step};
use crate::points::programme_of;
use crate::task::check::Point;
use crate::task::service::{self as tasks, NewTask, Window};

/// What a published wish without one says (an imported one, put up again): nobody is recruited without knowing the risks
/// (志愿服务条例 art. 12).
const RISK_NOTICE: &str = "请注意出行与人身安全，量力而行；遇到危险请先离开并拨打 110、119 或 120。";

pub(super) struct NewRound {
    pub(super) task: TaskId,
    pub(super) window: Window,
    pub(super) skills: Vec<String>,
    pub(super) risk_notice: Option<String>,
    pub(super) priority: i32,
    pub(super) place_required: bool,
    /// 1 to 3.
    pub(super) difficulty: i16,
    /// Codes of the list `hazard`, each once.
    pub(super) hazards: Vec<String>,
}

/// Opens the round's task and publishes the wish by `why`. What was said of an earlier round is cleared.
pub(super) async fn open_round(
    db: &impl ConnectionTrait,
    found: &wish::Model,
    why: WishStep,
    round: NewRound,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    allowed(found, why)?;
    let risk_notice = round.risk_notice.unwrap_or_else(|| RISK_NOTICE.to_owned());
    let task = NewTask {
        id: round.task,
        source_kind: TaskSource::Wish,
        source_id: found.id.0,
        region_code: found.region_code.clone(),
        title: found.title.clone(),
        body: found.body.clone(),
        category: found.category,
        skills: round.skills,
        slots: found.slots,
        window: round.window,
        place: found.lat.zip(found.lon).map(|(lat, lon)| Point { lat, lon }),
        place_required: round.place_required,
        risk_notice: Some(risk_notice.clone()),
        priority: round.priority,
        programme: programme_of(db, &found.region_code).await?,
        difficulty: round.difficulty,
        domain: found.domain.clone(),
        hazards: round.hazards,
    };
    tasks::open(db, task, now).await?;
    let changes = wish::ActiveModel {
        task_id: Set(Some(round.task)),
        category: Set(found.category),
        domain: Set(found.domain.clone()),
        window_from: Set(round.window.from),
        window_until: Set(round.window.until),
        risk_notice: Set(Some(risk_notice)),
        priority: Set(round.priority),
        reason: Set(found.reason.clone()),
        rating: Set(None),
        comment: Set(None),
        published_at: Set(Some(now)),
        claimed_at: Set(None),
        fulfilled_at: Set(None),
        confirmed_at: Set(None),
        ..Default::default()
    };
    step(db, found, why, changes, now).await
}
