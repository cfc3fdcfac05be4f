//! Closing a month, paying, and what stands in the books.

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::{RedemptionId, SettlementCloseId, SettlementId, StaffId, UnitId};
use entity::settlement_line::{self, SettlementLineKind};
use entity::{goods, settlement, settlement_close};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::error::SettlementError;
use super::owed::{self, Sums};
use crate::db::insert_all;
use crate::http::{Listing, Page, Problem};
use crate::identity::StaffCaller;
use crate::region::{self, RegionCode, Subtree};

/// A month to be closed for a region.
#[derive(Clone, Debug)]
pub(super) struct NewClose {
    pub(super) id: SettlementCloseId,
    pub(super) region: RegionCode,
    /// `2026-10`.
    pub(super) month: String,
    /// Its end, in the local time zone.
    pub(super) until: DateTime<Utc>,
}

/// Closes a month that is over: one settlement for each supplier that has anything to settle.
///
/// # Errors
/// `Field` for a region that is not there or not in `staff`'s, `AlreadySettled`.
pub(super) async fn close(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewClose,
    now: DateTime<Utc>,
) -> Result<Vec<settlement::Model>, SettlementError> {
    let subtree = new.region.subtree();
    let known = staff.subtree().encloses(&subtree) && region::find(db, &new.region).await?.is_some();
    if !known {
        let detail = "辖区内没有这个区划代码，请从区划列表中选择";
        return Err(SettlementError::Field { field: "region_code", code: "invalid", detail });
    }
    expect_open(db, new, &subtree).await?;
    let row = settlement_close::Model {
        id: new.id,
        region_code: new.region.to_string(),
        month: new.month.clone(),
        closed_by: staff.id,
        closed_at: now,
    };
    let columns = [settlement_close::Column::RegionCode, settlement_close::Column::Month];
    let closed = settlement_close::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    if closed == 0 {
        return Err(already(&new.region, &new.month));
    }
    let sums = owed::take(db, new.id, &subtree, new.until).await?;
    let mut rows: Vec<settlement::Model> = sums.iter().map(|sums| settled(new, sums)).collect();
    rows.sort_by_key(|row| row.supplier_unit_id);
    let written: Vec<settlement::ActiveModel> = rows.iter().map(|row| row.clone().into_active_model()).collect();
    insert_all(db, written).await?;
    Ok(rows)
}

fn already(region: &str, month: &str) -> SettlementError {
    SettlementError::AlreadySettled { region: region.to_owned(), month: month.to_owned() }
}

/// Neither this month nor a later one is closed for the region or one around it.
async fn expect_open(db: &impl ConnectionTrait, new: &NewClose, subtree: &Subtree) -> Result<(), SettlementError> {
    let later = settlement_close::Entity::find()
        .filter(settlement_close::Column::Month.gte(new.month.as_str()))
        .order_by_desc(settlement_close::Column::Month)
        .all(db)
        .await?;
    for found in later {
        if RegionCode::try_from(&found.region_code)?.subtree().encloses(subtree) {
            return Err(already(&found.region_code, &found.month));
        }
    }
    Ok(())
}

/// Its id follows from the closing and the supplier: the command can run again.
fn settled(new: &NewClose, sums: &Sums) -> settlement::Model {
    settlement::Model {
        id: SettlementId(Uuid::new_v5(&new.id.0, sums.supplier_unit_id.0.as_bytes())),
        close_id: new.id,
        supplier_unit_id: sums.supplier_unit_id,
        region_code: new.region.to_string(),
        month: new.month.clone(),
        pieces: sums.pieces,
        points: sums.points,
        amount: sums.amount,
        refunded_pieces: sums.refunded_pieces,
        refunded_points: sums.refunded_points,
        refunded_amount: sums.refunded_amount,
        paid_on: None,
        payment_reference: None,
        paid_by: None,
        paid_at: None,
    }
}

/// A payment that has been made.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) paid_on: NaiveDate,
    pub(super) reference: String,
    pub(super) by: StaffId,
    pub(super) now: DateTime<Utc>,
}

/// Notes a payment, once.
///
/// # Errors
/// `NotFound` outside the subtree, `AlreadyPaid`.
pub(super) async fn pay(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    id: SettlementId,
    payment: &Payment,
) -> Result<settlement::Model, SettlementError> {
    let found = find(db, subtree, id).await?;
    let row = settlement::Model {
        paid_on: Some(payment.paid_on),
        payment_reference: Some(payment.reference.clone()),
        paid_by: Some(payment.by),
        paid_at: Some(payment.now),
        ..found
    };
    let change = settlement::ActiveModel {
        paid_on: Set(row.paid_on),
        payment_reference: Set(row.payment_reference.clone()),
        paid_by: Set(row.paid_by),
        paid_at: Set(row.paid_at),
        ..Default::default()
    };
    let paid = settlement::Entity::update_many()
        .set(change)
        .filter(settlement::Column::Id.eq(id))
        .filter(settlement::Column::PaidOn.is_null())
        .exec(db)
        .await?;
    if paid.rows_affected == 1 { Ok(row) } else { Err(SettlementError::AlreadyPaid) }
}

/// A settlement of a region in the subtree.
///
/// # Errors
/// `NotFound`.
pub(super) async fn find(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    id: SettlementId,
) -> Result<settlement::Model, SettlementError> {
    let found = settlement::Entity::find_by_id(id).one(db).await?;
    found.filter(|row| subtree.contains(&row.region_code)).ok_or(SettlementError::NotFound)
}

/// Whether there is such a settlement, wherever.
///
/// # Errors
/// The database's.
pub(super) async fn exists(db: &impl ConnectionTrait, id: SettlementId) -> Result<bool, DbErr> {
    Ok(settlement::Entity::find_by_id(id).one(db).await?.is_some())
}

/// The settlements of a month in a subtree.
///
/// # Errors
/// The database's.
pub(super) async fn closed(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    month: &str,
) -> Result<Vec<settlement::Model>, DbErr> {
    let region = Expr::col((settlement::Entity, settlement::Column::RegionCode));
    let rows = settlement::Entity::find()
        .filter(settlement::Column::Month.eq(month))
        .filter(subtree.covers(region))
        .order_by_asc(settlement::Column::Id);
    rows.all(db).await
}

/// One line with the goods' name.
pub(super) type NamedLine = (settlement_line::Model, String);

/// The lines of a settlement in the order of their redemptions; a page of them, or all.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn lines(
    db: &impl ConnectionTrait,
    of: &settlement::Model,
    page: Option<&Page>,
) -> Result<Listing<NamedLine>, Problem> {
    use settlement_line::{Column, Entity};
    let mut query =
        Entity::find().filter(Column::CloseId.eq(of.close_id)).filter(Column::SupplierUnitId.eq(of.supplier_unit_id));
    if let Some(page) = page {
        if let Some((redemption, line, kind)) = page.after::<(RedemptionId, i16, SettlementLineKind)>()? {
            let same = || Condition::all().add(Column::RedemptionId.eq(redemption));
            let further = Condition::any()
                .add(Column::RedemptionId.gt(redemption))
                .add(same().add(Column::Line.gt(line)))
                .add(same().add(Column::Line.eq(line)).add(Column::Kind.gt(kind)));
            query = query.filter(further);
        }
        query = query.limit(page.limit() + 1);
    }
    let query = query.order_by_asc(Column::RedemptionId).order_by_asc(Column::Line).order_by_asc(Column::Kind);
    let rows = query.all(db).await?;
    let mut names = std::collections::HashMap::new();
    let mut wanted: Vec<_> = rows.iter().map(|row| row.goods_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for some in wanted.chunks(500) {
        let found = goods::Entity::find().filter(goods::Column::Id.is_in(some.iter().copied())).all(db).await?;
        names.extend(found.into_iter().map(|row| (row.id, row.name)));
    }
    let key = |row: &settlement_line::Model| (row.redemption_id, row.line, row.kind);
    let listing = match page {
        Some(page) => Listing::cut(rows, page, key),
        None => Listing::whole(rows),
    };
    Ok(listing.map(|row| {
        let name = names.get(&row.goods_id).cloned().unwrap_or_default();
        (row, name)
    }))
}

/// The names of units.
///
/// # Errors
/// The database's.
pub(super) async fn suppliers(
    db: &impl ConnectionTrait,
    ids: Vec<UnitId>,
) -> Result<std::collections::HashMap<UnitId, String>, DbErr> {
    use entity::unit;
    let mut names = std::collections::HashMap::new();
    for some in ids.chunks(500) {
        let found = unit::Entity::find().filter(unit::Column::Id.is_in(some.iter().copied())).all(db).await?;
        names.extend(found.into_iter().map(|row| (row.id, row.name)));
    }
    Ok(names)
}
