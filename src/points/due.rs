//! Points that were earned when no budget could pay: owed, in the order in which they came, and paid when funds arrive.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::due::{self, Column, DueStatus, Entity};
use entity::id::{DueId, MemberId};
use entity::journal;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QuerySelect as _,
};
use uuid::Uuid;

use super::domain::Points;
use super::error::PointsError;
use super::ledger::{Posting, Source};
use crate::calendar::Span;

/// Writes down that `posting` is owed.
pub(super) async fn owe(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<(), PointsError> {
    let posted = journal::Entity::find()
        .filter(journal::Column::SourceKind.eq(posting.source.kind))
        .filter(journal::Column::SourceId.eq(posting.source.id))
        .count(db)
        .await?;
    if posted > 0 {
        return Err(PointsError::InvalidTransition);
    }
    let row = due::ActiveModel {
        id: Set(DueId(posting.journal_id.0)),
        programme: Set(posting.programme.to_owned()),
        member_id: Set(posting.member_id),
        region_code: Set(posting.community.to_owned()),
        amount: Set(posting.amount.hundredths()),
        source_kind: Set(posting.source.kind.to_owned()),
        source_id: Set(posting.source.id),
        reason: Set(posting.reason.map(str::to_owned)),
        actor_kind: Set(Some(posting.actor.kind().to_owned())),
        actor_id: Set(posting.actor.id()),
        at: Set(posting.at),
        created_at: Set(posting.posted_at),
        status: Set(DueStatus::Waiting),
        ended_at: Set(None),
    };
    Ok(Entity::insert(row).exec_without_returning(db).await.map(drop)?)
}

/// What cancelling a due came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    Yes,
    /// It has been paid: there is a journal.
    Paid,
    /// Nothing is owed for it.
    Nothing,
}

/// What is owed for `source` is owed no longer. Waits for whoever is paying it just now.
pub(super) async fn cancel(
    db: &impl ConnectionTrait,
    source: Source<'_>,
    now: DateTime<Utc>,
) -> Result<Cancelled, DbErr> {
    let of_source = || Column::SourceKind.eq(source.kind).and(Column::SourceId.eq(source.id));
    let change = due::ActiveModel { status: Set(DueStatus::Cancelled), ended_at: Set(Some(now)), ..Default::default() };
    let cancelled = Entity::update_many()
        .set(change)
        .filter(of_source())
        .filter(Column::Status.eq(DueStatus::Waiting))
        .exec(db)
        .await?;
    if cancelled.rows_affected > 0 {
        return Ok(Cancelled::Yes);
    }
    let found = Entity::find().filter(of_source()).filter(Column::Status.eq(DueStatus::Paid)).count(db).await?;
    Ok(if found > 0 { Cancelled::Paid } else { Cancelled::Nothing })
}

/// Hundredths that wait for a member in a programme and count within `span`: caps look at them beside what was posted.
///
/// # Errors
/// The database's.
pub async fn waiting_within(
    db: &impl ConnectionTrait,
    programme: &str,
    member: MemberId,
    span: &Span,
) -> Result<i64, DbErr> {
    let sum: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::MemberId.eq(member))
        .filter(Column::Programme.eq(programme))
        .filter(Column::Status.eq(DueStatus::Waiting))
        .filter(Column::At.gte(span.start))
        .filter(Column::At.lt(span.end))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

/// What waits for each of the sources of one kind; those for which nothing waits are not in it.
///
/// # Errors
/// The database's.
pub async fn waiting_for(
    db: &impl ConnectionTrait,
    kind: &str,
    sources: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Points>, DbErr> {
    let sources: Vec<Uuid> = sources.into_iter().collect();
    if sources.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, i64)> = Entity::find()
        .select_only()
        .columns([Column::SourceId, Column::Amount])
        .filter(Column::SourceKind.eq(kind))
        .filter(Column::SourceId.is_in(sources))
        .filter(Column::Status.eq(DueStatus::Waiting))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(source, amount)| (source, Points::from_hundredths(amount))).collect())
}
