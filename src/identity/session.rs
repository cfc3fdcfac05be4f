//! Sessions and their tokens: opaque, 256 random bits, stored as SHA-256.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{MemberId, SessionId, StaffId};
use entity::token::TokenKind;
use entity::{session, token};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};

use crate::crypto::{random_token, token_hash};

/// How long a call may be made without refreshing: short enough for a lost phone, long enough for a Saturday's duty.
pub const ACCESS_LIVES: TimeDelta = TimeDelta::hours(2);
/// The end of a session, refreshed or not: a month, after which the person proves again who they are.
pub const SESSION_LIVES: TimeDelta = TimeDelta::days(30);
/// A console left alone signs itself out: its refresh token is good for a working day.
const STAFF_IDLE: TimeDelta = TimeDelta::hours(12);

/// Who a session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Member(MemberId),
    Staff(StaffId),
}

/// A fresh pair of tokens, drawn before the command that stores them. Prints nothing.
#[derive(Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Pair {
    pub fn draw() -> Self {
        Self { access: random_token(), refresh: random_token() }
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Pair(..)")
    }
}

/// Begins a session for `holder` with these tokens.
///
/// # Errors
/// The database's.
pub async fn begin(
    db: &impl ConnectionTrait,
    id: SessionId,
    holder: Holder,
    pair: &Pair,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let (member, staff) = match holder {
        Holder::Member(id) => (Some(id), None),
        Holder::Staff(id) => (None, Some(id)),
    };
    let ends = now + SESSION_LIVES;
    let row = session::ActiveModel {
        id: Set(id),
        member_id: Set(member),
        staff_id: Set(staff),
        created_at: Set(now),
        expires_at: Set(ends),
        ended_at: Set(None),
    };
    session::Entity::insert(row).exec_without_returning(db).await?;
    store(db, id, pair, ends, staff.is_some(), now).await
}

/// An access token alone, for scripts: it cannot be refreshed and ends after `lives`.
///
/// # Errors
/// The database's.
pub async fn begin_for_script(
    db: &impl ConnectionTrait,
    rows: &[(SessionId, Holder, String)],
    lives: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sessions = rows.iter().map(|(id, holder, _)| {
        let (member, staff) = match holder {
            Holder::Member(id) => (Some(*id), None),
            Holder::Staff(id) => (None, Some(*id)),
        };
        session::ActiveModel {
            id: Set(*id),
            member_id: Set(member),
            staff_id: Set(staff),
            created_at: Set(now),
            expires_at: Set(now + lives),
            ended_at: Set(None),
        }
    });
    crate::db::insert_all(db, sessions).await?;
    let tokens = rows.iter().map(|(id, _, token)| row(*id, token, TokenKind::Access, now + lives, now));
    crate::db::insert_all(db, tokens).await.map(drop)
}

/// What a refresh token was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// New tokens are stored.
    Done(Holder),
    /// Unknown, expired, or its session is over.
    Refused,
    /// Used before: somebody has a copy, so the whole family is ended.
    Reused(Holder),
}

/// Trades a refresh token for `pair`. The second use of one ends its session.
///
/// # Errors
/// The database's.
pub async fn refresh(
    db: &impl ConnectionTrait,
    used: &str,
    pair: &Pair,
    now: DateTime<Utc>,
) -> Result<Refreshed, DbErr> {
    let hash = token_hash(used);
    let Some(found) = token::Entity::find_by_id(hash.clone()).one(db).await? else { return Ok(Refreshed::Refused) };
    let Some(session) = session::Entity::find_by_id(found.session_id).one(db).await? else {
        return Ok(Refreshed::Refused);
    };
    let holder = match (session.member_id, session.staff_id) {
        (Some(id), _) => Holder::Member(id),
        (_, Some(id)) => Holder::Staff(id),
        (None, None) => return Ok(Refreshed::Refused),
    };
    let live = session.ended_at.is_none() && now < session.expires_at && now < found.expires_at;
    if found.kind != TokenKind::Refresh || !live {
        return Ok(Refreshed::Refused);
    }
    // Conditional: of two uses at once one finds the row untouched.
    let marked = token::Entity::update_many()
        .col_expr(token::Column::UsedAt, Expr::value(now))
        .filter(token::Column::Hash.eq(hash))
        .filter(token::Column::UsedAt.is_null())
        .exec(db)
        .await?;
    if marked.rows_affected == 0 {
        end(db, session.id, now).await?;
        return Ok(Refreshed::Reused(holder));
    }
    store(db, session.id, pair, session.expires_at, session.staff_id.is_some(), now).await?;
    Ok(Refreshed::Done(holder))
}

/// Ends a session: its tokens count no more.
///
/// # Errors
/// The database's.
pub async fn end(db: &impl ConnectionTrait, id: SessionId, now: DateTime<Utc>) -> Result<(), DbErr> {
    end_where(db, session::Column::Id.eq(id), now).await
}

/// Ends all sessions of `holder`.
///
/// # Errors
/// The database's.
pub async fn end_all(db: &impl ConnectionTrait, holder: Holder, now: DateTime<Utc>) -> Result<(), DbErr> {
    let theirs = match holder {
        Holder::Member(id) => session::Column::MemberId.eq(id),
        Holder::Staff(id) => session::Column::StaffId.eq(id),
    };
    end_where(db, theirs, now).await
}

async fn end_where(
    db: &impl ConnectionTrait,
    which: sea_orm::sea_query::SimpleExpr,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now))
        .filter(which)
        .filter(session::Column::EndedAt.is_null())
        .exec(db)
        .await
        .map(drop)
}

/// Takes away sessions that are over, with their tokens; `keep` is how long a used refresh token can still be told from an
/// unknown one.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &impl ConnectionTrait, keep: TimeDelta, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let old = session::Column::ExpiresAt.lt(now - keep).or(session::Column::EndedAt.lt(now - keep));
    let sessions = session::Entity::delete_many().filter(old).exec(db).await?.rows_affected;
    let stale = token::Column::Kind.eq(TokenKind::Access).and(token::Column::ExpiresAt.lt(now - keep));
    let tokens = token::Entity::delete_many().filter(stale).exec(db).await?.rows_affected;
    Ok(sessions + tokens)
}

async fn store(
    db: &impl ConnectionTrait,
    session: SessionId,
    pair: &Pair,
    ends: DateTime<Utc>,
    staff: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let idle = if staff { std::cmp::min(ends, now + STAFF_IDLE) } else { ends };
    let rows = [
        row(session, &pair.access, TokenKind::Access, std::cmp::min(ends, now + ACCESS_LIVES), now),
        row(session, &pair.refresh, TokenKind::Refresh, idle, now),
    ];
    token::Entity::insert_many(rows).exec_without_returning(db).await.map(drop)
}

fn row(
    session: SessionId,
    text: &str,
    kind: TokenKind,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> token::ActiveModel {
    token::ActiveModel {
        hash: Set(token_hash(text)),
        session_id: Set(session),
        kind: Set(kind),
        created_at: Set(now),
        expires_at: Set(expires_at),
        used_at: Set(None),
    }
}
