//! Taking an approved merit back: what it gave is taken, what it took is given back to the lots it came from.

use entity::id::MeritId;
use entity::merit::{ActiveModel, DisputeOutcome, MeritStatus, Model};
use sea_orm::ActiveValue::Set;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::approving::{Moment, change_to, open, other, record};
use super::domain::{Standing, Step};
use super::error::MeritError;
use super::query::take;
use super::{REVERSAL, SOURCE, notice};
use crate::audit::Actor;
use crate::identity::{Manager, Scope};
use crate::points::{self, Reversing, Source};

/// Reverses an approved merit, once. An objection that waits is upheld by it.
///
/// # Errors
/// [`MeritError::NotFound`] where `manager` may not see it; [`MeritError::SecondPerson`] for oneself;
/// [`MeritError::InvalidTransition`]; [`MeritError::Points`] where what it gave is spent by now.
pub async fn reverse(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: MeritId,
    reason: &str,
    moment: Moment,
) -> Result<Model, MeritError> {
    let merit = take(db, &Scope::Staff(manager.subtree()), id).await?;
    other(manager, &merit)?;
    open(&merit, Step::Reverse)?;
    let reversing = Reversing {
        journal_id: moment.journal_id,
        original: Source { kind: SOURCE, id: merit.id.0 },
        source: Source { kind: REVERSAL, id: merit.id.0 },
        reason: Some(reason),
        actor: Actor::Staff(manager.id),
        now: moment.now,
        today: moment.calendar.day_of(moment.now),
    };
    let taken = points::reverse(db, &reversing).await?;
    let mut change = ActiveModel {
        status: Set(MeritStatus::Reversed),
        reason: Set(Some(reason.to_owned())),
        reversed_by: Set(Some(manager.id)),
        reversed_at: Set(Some(moment.now)),
        updated_at: Set(moment.now),
        ..Default::default()
    };
    if Standing::of(&merit) == Standing::Contested {
        change.dispute_outcome = Set(Some(DisputeOutcome::Upheld));
        change.dispute_answer = Set(Some(reason.to_owned()));
        change.dispute_decided_by = Set(Some(manager.id));
        change.dispute_decided_at = Set(Some(moment.now));
    }
    let reversed = change_to(db, &merit, change).await?;
    notice::reversed(db, &reversed, moment.now).await?;
    let detail = json!({"points": merit.points, "taken_back": taken.hundredths()});
    record(db, manager, "merit.reverse", &reversed, detail, moment.now).await?;
    Ok(reversed)
}
