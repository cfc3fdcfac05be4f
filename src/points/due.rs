//! Points that were earned when no budget could pay: owed, in the order in which they came, and paid when funds arrive.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::budget::{self, BudgetStatus};
use entity::due::{self, Column, DueStatus, Entity};
use entity::id::{DueId, MemberId};
use entity::journal;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QuerySelect as _,
};
use uuid::Uuid;

use super::domain::Points;
use super::error::PointsError;
use super::ledger::{Posting, Source};
use crate::calendar::Span;
use crate::notify::{self, Message};

/// The condition that a due waits, written out: databases use the index of those that wait only where they can read that.
pub(super) fn waits() -> SimpleExpr {
    Expr::col((Entity, Column::Status)).eq(Expr::cust("'waiting'"))
}

/// Writes down that `posting` is owed, and tells its member.
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
    Entity::insert(row).exec_without_returning(db).await?;
    let body =
        format!("您获得的 {} 积分因本期预算用完，暂未到账；预算补足后按先后顺序自动发放，无需办理。", posting.amount);
    let message = Message::new("points.due", "积分待发放", body).about("due", posting.journal_id);
    notify::tell(db, posting.member_id, message, posting.posted_at).await?;
    Ok(())
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
    let cancelled = Entity::update_many().set(change).filter(of_source()).filter(waits()).exec(db).await?;
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
        .filter(waits())
        .filter(Column::At.gte(span.start))
        .filter(Column::At.lt(span.end))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

/// What waits for a member, by programme; those in which nothing waits are not in it.
pub(super) async fn waiting_of(db: &impl ConnectionTrait, member: MemberId) -> Result<HashMap<String, Points>, DbErr> {
    let rows: Vec<(String, i64)> = Entity::find()
        .select_only()
        .column(Column::Programme)
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::MemberId.eq(member))
        .filter(waits())
        .group_by(Column::Programme)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(programme, amount)| (programme, Points::from_hundredths(amount))).collect())
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
        .filter(waits())
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(source, amount)| (source, Points::from_hundredths(amount))).collect())
}

/// How many dues wait in a budget's region, and how much they are in hundredths.
pub(super) async fn waiting_in(db: &impl ConnectionTrait, row: &budget::Model) -> Result<(i64, i64), DbErr> {
    let sums: Option<(i64, Option<i64>)> = Entity::find()
        .select_only()
        .column_as(Column::Id.count(), "dues")
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::Programme.eq(row.programme.as_str()))
        .filter(Column::RegionCode.gte(row.region_lo.as_str()))
        .filter(Column::RegionCode.lt(row.region_hi.as_str()))
        .filter(waits())
        .into_tuple()
        .one(db)
        .await?;
    let (dues, amount) = sums.unwrap_or_default();
    Ok((dues, amount.unwrap_or(0)))
}

/// Shows in the metrics what waits and how many budgets are nearly used up.
pub(super) async fn gauge(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let sums: Option<(i64, Option<i64>)> = Entity::find()
        .select_only()
        .column_as(Column::Id.count(), "dues")
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(waits())
        .into_tuple()
        .one(db)
        .await?;
    let (dues, amount) = sums.unwrap_or_default();
    let low = budget::Entity::find()
        .filter(budget::Column::Status.eq(BudgetStatus::Active))
        .filter(budget::Column::WarnedAt.is_not_null())
        .count(db)
        .await?;
    metrics::gauge!("linli_dues_waiting").set(float(dues));
    metrics::gauge!("linli_dues_waiting_points").set(float(amount.unwrap_or(0) / 100));
    metrics::gauge!("linli_budgets_warned").set(float(i64::try_from(low).unwrap_or(i64::MAX)));
    Ok(())
}

/// For a gauge, which knows no other numbers.
#[allow(clippy::cast_precision_loss, reason = "a metric")]
const fn float(count: i64) -> f64 {
    count as f64
}
