//! What listings and bookings hold of a person: for their copy, and for their erasure.

use entity::booking;
use entity::id::MemberId;
use entity::listing;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
};
use serde_json::{Value, json};

use super::domain::LIVE;

/// What a listing of an erased person says instead of its own words.
const ERASED: &str = "（已注销）";

/// Listings of a member.
///
/// # Errors
/// The database's.
pub async fn listings(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<Value>, DbErr> {
    let own = listing::Entity::find().filter(listing::Column::MemberId.eq(member));
    let rows = own.order_by_asc(listing::Column::Id).all(db).await?;
    let show = |row: listing::Model| {
        json!({
            "id": row.id, "ref": row.ref_id, "kind": row.kind, "title": row.title, "body": row.body,
            "category": row.category, "region_code": row.region_code, "capacity": row.capacity, "measure": row.measure,
            "window": {"from": row.window_from, "until": row.window_until}, "openings": row.openings, "lat": row.lat,
            "lon": row.lon, "address": row.address, "status": row.status, "reason": row.reason,
            "created_at": row.created_at, "published_at": row.published_at, "ended_at": row.ended_at,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

/// What a member has booked.
///
/// # Errors
/// The database's.
pub async fn bookings(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<Value>, DbErr> {
    let own = booking::Entity::find().filter(booking::Column::MemberId.eq(member));
    let rows = own.order_by_asc(booking::Column::Id).all(db).await?;
    let show = |row: booking::Model| {
        json!({
            "id": row.id, "listing_id": row.listing_id, "wish_id": row.wish_id, "quantity": row.quantity,
            "starts_at": row.starts_at, "ends_at": row.ends_at, "status": row.status, "reason": row.reason,
            "created_at": row.created_at, "ended_at": row.ended_at,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

/// Bookings of a member that others reckon with.
///
/// # Errors
/// The database's.
pub async fn live_bookings(db: &impl ConnectionTrait, member: MemberId) -> Result<u64, DbErr> {
    let own = booking::Entity::find().filter(booking::Column::MemberId.eq(member));
    own.filter(booking::Column::Status.is_in(LIVE)).count(db).await
}

/// Takes out what a member wrote in listings, and what was written about their bookings. Answers the ids of the listings: tasks made from
/// them have their words too.
///
/// # Errors
/// The database's.
pub async fn forget(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<uuid::Uuid>, DbErr> {
    use listing::Column;
    let nothing = || Expr::value(Option::<String>::None);
    let own = listing::Entity::find().filter(Column::MemberId.eq(member)).all(db).await?;
    listing::Entity::update_many()
        .filter(Column::MemberId.eq(member))
        .col_expr(Column::RefId, nothing())
        .col_expr(Column::Title, Expr::value(ERASED))
        .col_expr(Column::Body, Expr::value(ERASED))
        .col_expr(Column::Reason, nothing())
        .col_expr(Column::Address, nothing())
        .col_expr(Column::Lat, Expr::value(Option::<f64>::None))
        .col_expr(Column::Lon, Expr::value(Option::<f64>::None))
        .col_expr(Column::SpecialGroupSealed, Expr::value(Option::<Vec<u8>>::None))
        .exec(db)
        .await?;
    booking::Entity::update_many()
        .filter(booking::Column::MemberId.eq(member))
        .col_expr(booking::Column::Reason, nothing())
        .exec(db)
        .await?;
    Ok(own.into_iter().map(|row| row.id.0).collect())
}
