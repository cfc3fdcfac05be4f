//! Refreshing and ending sessions.

use std::net::IpAddr;

use entity::{member, staff};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _};

use super::{Attempt, Subject, Tokens, refused};
use crate::app::AppState;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::Problem;
use crate::identity::authenticate::identify;
use crate::identity::session::{self, Holder, Refreshed};

const WORDS: &str = "登录已过期或在别处被终止，请重新登录";

/// Trades a refresh token for new tokens.
///
/// # Errors
/// 401 for one that is unknown, expired, ended, used before (its whole family is then ended) or of an account out of use;
/// 429 for an address from which too much has failed.
pub(super) async fn refresh(state: &AppState, address: IpAddr, token: String) -> Result<Tokens, Problem> {
    let attempt = Attempt::new(state, address);
    attempt.admit(state).await?;
    let started = attempt.clone();
    let subject = state
        .db
        .write(async move |txn| {
            let event = started.event(Actor::Anonymous, "session.refresh");
            match session::refresh(txn, &token, &started.pair, started.now).await? {
                Refreshed::Done(holder) => subject_of(txn, holder).await,
                Refreshed::Reused(holder) => {
                    let event = AuditEvent { actor: actor(holder), action: "session.refresh_reused", ..event };
                    started.failed(txn, event).await.map(|()| None)
                }
                Refreshed::Refused => started.failed(txn, event).await.map(|()| None),
            }
        })
        .await?;
    subject.map(|subject| Tokens::new(attempt.pair, subject)).ok_or_else(|| refused(WORDS))
}

/// Ends the session of an access token.
///
/// # Errors
/// 401 for one that does not count.
pub(super) async fn end(state: &AppState, token: &str) -> Result<(), Problem> {
    let signed_in = identify(state, token).await?;
    let (session, now) = (signed_in.session, state.clock.now());
    let event = AuditEvent::new(signed_in.caller.audit_actor(), "session.end", "session", now).of(session);
    let command = async move |txn: &crate::db::Txn| {
        session::end(txn, session, now).await?;
        audit::record(txn, event.clone()).await
    };
    Ok(state.db.write(command).await?)
}

const fn actor(holder: Holder) -> Actor {
    match holder {
        Holder::Member(id) => Actor::Member(id),
        Holder::Staff(id) => Actor::Staff(id),
    }
}

/// `None` for an account out of use: its new tokens would count for nothing.
async fn subject_of(db: &impl ConnectionTrait, holder: Holder) -> Result<Option<Subject>, DbErr> {
    Ok(match holder {
        Holder::Member(id) => {
            let found = member::Entity::find_by_id(id).one(db).await?;
            let active = found.filter(|row| row.disabled_at.is_none() && row.erased_at.is_none());
            active.as_ref().map(super::member::subject)
        }
        Holder::Staff(id) => {
            let active = staff::Entity::find_by_id(id).one(db).await?.filter(|row| row.disabled_at.is_none());
            active.as_ref().map(super::staff::subject)
        }
    })
}
