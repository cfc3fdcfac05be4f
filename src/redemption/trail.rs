//! Somebody reached for another station's goods: nothing happens, the answer is 404, and the trail says who tried.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use entity::id::StaffId;

use super::error::{Foreign, RedemptionError};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::Problem;

/// Carries out of a command, whose effects are undone, what it must not forget.
#[derive(Clone, Default)]
pub(super) struct Witness(Arc<OnceLock<Foreign>>);

impl Witness {
    /// Looks at a command's outcome on its way out. A second run of the command finds the same.
    pub(super) fn see<T>(&self, outcome: Result<T, RedemptionError>) -> Result<T, RedemptionError> {
        if let Err(RedemptionError::OtherStation(foreign)) = &outcome {
            let _ = self.0.set(foreign.clone());
        }
        outcome
    }

    /// Leaves a denied entry where there was something to see.
    pub(super) async fn testify(
        self,
        state: &State,
        staff: StaffId,
        action: &'static str,
        now: DateTime<Utc>,
    ) -> Result<(), Problem> {
        let Some(Foreign { kind, id, region }) = self.0.get().cloned() else { return Ok(()) };
        let event = AuditEvent::new(Actor::Staff(staff), action, kind, now).of(id).in_region(&region).denied();
        state.db.write(async move |txn| audit::record(txn, event.clone()).await).await?;
        Ok(())
    }
}
