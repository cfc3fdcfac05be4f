//! Sign-in: by password (staff), by WeChat and by a code sent to the phone (members), and what keeps a session going.
//!
//! Known and unknown accounts get the same answer at the same cost; every refusal of a password or code is 401 in the same
//! words, locked or not. Limits are counted for all nodes together ([`super::limit`]).

mod keep;
mod member;
pub mod route;
pub mod sms;
mod staff;
mod wechat;

pub(super) use wechat::problem as wechat_problem;

use std::net::IpAddr;

use actix_web::http::StatusCode;
use entity::id::SessionId;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::limit::{FAILURES_OF_ADDRESS, Verdict, network};
use super::session::{ACCESS_LIVES, Pair};
use crate::app::AppState;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::Problem;

/// What a sign-in answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    access_token: String,
    refresh_token: String,
    /// Seconds for which the access token counts.
    expires_in: i64,
    subject: Subject,
}

/// Who signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subject {
    kind: SubjectKind,
    id: Uuid,
    /// A member's facets (`resident`, `volunteer`, `party_member`), a staff account's role.
    roles: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SubjectKind {
    Member,
    Staff,
}

impl Tokens {
    fn new(pair: Pair, subject: Subject) -> Self {
        Self { access_token: pair.access, refresh_token: pair.refresh, expires_in: ACCESS_LIVES.num_seconds(), subject }
    }
}

/// A sign-in in progress: what is drawn and read before the command.
#[derive(Clone)]
struct Attempt {
    session: SessionId,
    pair: Pair,
    now: chrono::DateTime<chrono::Utc>,
    failures: super::limit::Bucket,
}

impl Attempt {
    fn new(state: &AppState, address: IpAddr) -> Self {
        let failures = FAILURES_OF_ADDRESS.of(&state.keys, &network(address));
        Self { session: SessionId::new(), pair: Pair::draw(), now: state.clock.now(), failures }
    }

    /// 429 for an address from which too much has failed.
    async fn admit(&self, state: &AppState) -> Result<(), Problem> {
        match self.failures.look(state.db.read(), self.now).await? {
            Verdict::Allowed => Ok(()),
            Verdict::Exceeded(seconds) => Err(Problem::too_many_requests(seconds)),
        }
    }

    /// Counts a failure of the address and writes it into the trail.
    async fn failed(&self, db: &impl ConnectionTrait, event: AuditEvent) -> Result<(), sea_orm::DbErr> {
        self.failures.hit(db, self.now).await?;
        audit::record(db, event.denied()).await
    }

    fn event(&self, actor: Actor, action: &'static str) -> AuditEvent {
        AuditEvent::new(actor, action, "session", self.now)
    }
}

/// 401 in the words that all refused passwords and codes share.
fn refused(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
}

/// 503 for a way of signing in that this instance does not have.
fn not_offered(detail: &'static str) -> Problem {
    const AN_HOUR_S: u32 = 3600;
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(AN_HOUR_S)
}
