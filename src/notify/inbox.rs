//! The inbox as its member reads it.

use chrono::{DateTime, Utc};
use entity::id::{InboxMessageId, MemberId};
use entity::inbox_message::{self, Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::http::{Listing, Page, Problem};

/// A message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageView {
    id: InboxMessageId,
    /// For programs: `claim.accepted`, `wish.expired` …
    kind: String,
    title: String,
    body: String,
    /// What it is about: `wish`, `claim` …, and its id.
    source_kind: Option<String>,
    source_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
}

impl From<inbox_message::Model> for MessageView {
    fn from(row: inbox_message::Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            title: row.title,
            body: row.body,
            source_kind: row.source_kind,
            source_id: row.source_id,
            created_at: row.created_at,
            read_at: row.read_at,
        }
    }
}

/// Which messages, newest first.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// Only those not read yet (`true`) or read already (`false`).
    pub unread: Option<bool>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// A page of a member's messages.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    member: MemberId,
    query: &InboxQuery,
) -> Result<Listing<MessageView>, Problem> {
    let mut rows = Entity::find().filter(Column::MemberId.eq(member));
    match query.unread {
        Some(true) => rows = rows.filter(Column::ReadAt.is_null()),
        Some(false) => rows = rows.filter(Column::ReadAt.is_not_null()),
        None => {}
    }
    if let Some(before) = query.page.after::<InboxMessageId>()? {
        rows = rows.filter(Column::Id.lt(before));
    }
    // Ids are ordered by time.
    let rows = rows.order_by_desc(Column::Id).limit(query.page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, &query.page, |row| row.id).map(MessageView::from))
}

/// A member's message.
///
/// # Errors
/// The database's.
pub async fn find(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: InboxMessageId,
) -> Result<Option<inbox_message::Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::MemberId.eq(member)).one(db).await
}

/// Marks messages as read: one, or all that are not. What was read before keeps its time.
///
/// # Errors
/// The database's.
pub async fn mark_read(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: Option<InboxMessageId>,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let mut rows = Entity::update_many().filter(Column::MemberId.eq(member)).filter(Column::ReadAt.is_null());
    if let Some(id) = id {
        rows = rows.filter(Column::Id.eq(id));
    }
    Ok(rows.col_expr(Column::ReadAt, Expr::value(now)).exec(db).await?.rows_affected)
}
