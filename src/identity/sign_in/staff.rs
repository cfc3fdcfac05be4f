//! By password, for the console.

use std::net::IpAddr;

use entity::staff::{self, Role};
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};

use super::{Attempt, Subject, SubjectKind, Tokens, refused};
use crate::app::AppState;
use crate::audit::{self, Actor};
use crate::http::Problem;
use crate::identity::limit::{STAFF_ACCOUNT, TOTP_ONCE};
use crate::identity::session::{self, Holder};
use crate::identity::staff::fold;
use crate::identity::{password, totp};

/// One wording for a wrong name, a wrong password, a disabled and a locked account.
const WORDS: &str = "用户名、密码或动态口令不正确；连续五次不正确须等 15 分钟再试，忘记密码请联系管理员";
const ACTION: &str = "session.begin.password";

/// Signs a staff account in.
///
/// # Errors
/// 401 for whatever does not fit and for a locked account; 401 `totp_required` where only the one-time password is missing;
/// 429 for an address from which too much has failed.
pub(super) async fn sign_in(
    state: &AppState,
    address: IpAddr,
    username: &str,
    password: String,
    code: Option<String>,
) -> Result<Tokens, Problem> {
    let attempt = Attempt::new(state, address);
    attempt.admit(state).await?;
    let username = fold(username);
    let account = STAFF_ACCOUNT.of(&state.keys, &username);
    // Counted before the password is looked at, so that of many tries at once only five are.
    let verdict = {
        let (account, now) = (account.clone(), attempt.now);
        state.db.write(async move |txn| account.hit(txn, now).await).await?
    };
    let found = staff::Entity::find().filter(staff::Column::Username.eq(&username)).one(state.db.read()).await?;
    let known = found.as_ref().map(|row| row.id);
    let usable = found.filter(|row| row.disabled_at.is_none() && verdict.is_allowed());
    let fits = password::verify(password, usable.as_ref().map(|row| row.password_hash.clone())).await?;
    let Some(row) = usable.filter(|_| fits) else {
        return fail(state, attempt, known).await;
    };
    match second_factor(state, &row, code, &attempt).await? {
        Factor::Good => {}
        Factor::Missing => {
            let detail = "该账号开启了动态口令，请一并填写 totp";
            return Err(Problem::new(actix_web::http::StatusCode::UNAUTHORIZED, "totp_required", detail));
        }
        Factor::Wrong => return fail(state, attempt, known).await,
    }
    let (started, id) = (attempt.clone(), row.id);
    state
        .db
        .write(async move |txn| {
            account.reset(txn).await?;
            session::begin(txn, started.session, Holder::Staff(id), &started.pair, started.now).await?;
            audit::record(txn, started.event(Actor::Staff(id), ACTION).of(started.session)).await
        })
        .await
        .map_err(|error: DbErr| Problem::from(error))?;
    Ok(Tokens::new(attempt.pair, subject(&row)))
}

/// Who a staff account is, for a client.
pub(super) fn subject(row: &staff::Model) -> Subject {
    Subject { kind: SubjectKind::Staff, id: row.id.0, roles: vec![role_name(row.role)] }
}

pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Manager => "manager",
        Role::Clerk => "clerk",
        Role::Operator => "operator",
        Role::GridWorker => "grid_worker",
        Role::Auditor => "auditor",
    }
}

enum Factor {
    Good,
    Missing,
    Wrong,
}

/// A one-time password counts once.
async fn second_factor(
    state: &AppState,
    row: &staff::Model,
    code: Option<String>,
    attempt: &Attempt,
) -> Result<Factor, Problem> {
    let Some(sealed) = &row.totp_sealed else { return Ok(Factor::Good) };
    let Some(code) = code else { return Ok(Factor::Missing) };
    let secret = state.keys.open(totp::PURPOSE, sealed).map_err(|error| Problem::internal(&error))?;
    let Some(step) = totp::step_of(&secret, &code, attempt.now) else { return Ok(Factor::Wrong) };
    let (once, now) = (TOTP_ONCE.of(&state.keys, &format!("{}:{step}", row.id)), attempt.now);
    let first = state.db.write(async move |txn| once.hit(txn, now).await).await?;
    Ok(if first.is_allowed() { Factor::Good } else { Factor::Wrong })
}

async fn fail(state: &AppState, attempt: Attempt, known: Option<entity::id::StaffId>) -> Result<Tokens, Problem> {
    state
        .db
        .write(async move |txn| {
            let event = attempt.event(Actor::Anonymous, ACTION);
            // A name that is none of ours may be a password typed into the wrong field.
            let event = match known {
                Some(id) => event.of(id),
                None => event,
            };
            attempt.failed(txn, event).await
        })
        .await
        .map_err(|error: DbErr| Problem::from(error))?;
    Err(refused(WORDS))
}
