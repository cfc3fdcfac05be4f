//! Gifts as a member sees them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::gift::{Column, Entity, Model};
use entity::id::{GiftId, MemberId};
use entity::member;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{Listing, Page, Problem};
use crate::identity::mask;
use crate::points::Points;

/// Which way a gift went, as its member sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GiftDirection {
    Given,
    Received,
}

/// A gift as one of the two sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct GiftView {
    id: GiftId,
    at: DateTime<Utc>,
    direction: GiftDirection,
    /// The giver's name, masked.
    from: String,
    /// The receiver's name, masked.
    to: String,
    programme: String,
    amount: Points,
    message: Option<String>,
    /// When staff took it back.
    reversed_at: Option<DateTime<Utc>>,
    /// Why they did.
    reason: Option<String>,
}

/// A member's gifts, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    member: MemberId,
    direction: Option<GiftDirection>,
    page: &Page,
) -> Result<Listing<GiftView>, Problem> {
    let mut theirs = Condition::any();
    if direction != Some(GiftDirection::Received) {
        theirs = theirs.add(Column::GiverId.eq(member));
    }
    if direction != Some(GiftDirection::Given) {
        theirs = theirs.add(Column::ReceiverId.eq(member));
    }
    let mut query = Entity::find().filter(theirs);
    if let Some(after) = page.after::<GiftId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    let page = Listing::cut(rows, page, |last| last.id);
    let names = names(db, &page.items).await?;
    Ok(page.map(|row| {
        let direction = if row.giver_id == member { GiftDirection::Given } else { GiftDirection::Received };
        view(row, direction, &names)
    }))
}

/// One gift, as staff or its giver see it.
///
/// # Errors
/// The database's.
pub(super) async fn one(db: &impl ConnectionTrait, row: Model) -> Result<GiftView, DbErr> {
    let names = names(db, std::slice::from_ref(&row)).await?;
    Ok(view(row, GiftDirection::Given, &names))
}

async fn names(db: &impl ConnectionTrait, rows: &[Model]) -> Result<HashMap<MemberId, Option<String>>, DbErr> {
    let ids = rows.iter().flat_map(|row| [row.giver_id, row.receiver_id]);
    let people = member::Entity::find().filter(member::Column::Id.is_in(ids)).all(db).await?;
    Ok(people.into_iter().map(|row| (row.id, row.name)).collect())
}

fn view(row: Model, direction: GiftDirection, names: &HashMap<MemberId, Option<String>>) -> GiftView {
    let name = |id: MemberId| mask::name(names.get(&id).and_then(Option::as_deref));
    GiftView {
        id: row.id,
        at: row.given_at,
        direction,
        from: name(row.giver_id),
        to: name(row.receiver_id),
        programme: row.programme,
        amount: Points::from_hundredths(row.amount),
        message: row.message,
        reversed_at: row.reversed_at,
        reason: row.reason,
    }
}
