//! Lists of codes come in: what is new raises the stock, what is known or bad is told and left out.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entity::goods::{self, GoodsKind};
use entity::id::{GoodsId, StockMovementId, VoucherBatchId, VoucherId};
use entity::stock_movement::StockReason;
use entity::voucher::{self, VoucherStatus};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::list::{At, Judged, Ready};
use crate::db::Bulk;
use crate::http::{Listing, Page, Problem};
use crate::identity::StaffCaller;
use crate::redemption::goods::MOST_STOCK;
use crate::redemption::stock::{StockError, movement, shift, transfer};

/// Codes for goods. Ids are drawn before the transaction.
#[derive(Clone, Debug)]
pub(super) struct NewBatch {
    pub(super) id: VoucherBatchId,
    pub(super) goods_id: GoodsId,
    pub(super) movement_id: StockMovementId,
    /// Each with an id of its own, in the order of their indexes: two lists at once take the same codes in the same order.
    pub(super) codes: Vec<(VoucherId, Ready)>,
}

impl NewBatch {
    pub(super) fn new(goods_id: GoodsId, judged: &Judged) -> Self {
        let mut codes: Vec<_> = judged.ready.iter().map(|ready| (VoucherId::new(), ready.clone())).collect();
        codes.sort_by(|left, right| left.1.index.cmp(&right.1.index));
        Self { id: VoucherBatchId::new(), goods_id, movement_id: StockMovementId::new(), codes }
    }
}

/// What became of a list.
pub(super) struct Imported {
    pub(super) accepted: usize,
    /// Those that were known, in the order of the list.
    pub(super) known: Vec<At>,
    /// After it.
    pub(super) stock: i32,
    /// Of the station.
    pub(super) region: String,
}

const COLUMNS: [&str; 9] =
    ["id", "goods_id", "issuer", "batch_id", "code_sealed", "code_index", "expires_on", "status", "created_at"];

/// Takes in what is new.
///
/// # Errors
/// `NotFound` for goods of a station where `staff` does not work, `NoVouchers`, `Field` where the shelf would hold too many.
pub(super) async fn import(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    batch: &NewBatch,
    now: DateTime<Utc>,
) -> Result<Imported, StockError> {
    let (found, region) = transfer::served(db, staff, batch.goods_id).await?;
    if found.kind != GoodsKind::Voucher {
        return Err(StockError::NoVouchers);
    }
    let goods = goods::Entity::find_by_id(found.id).lock_exclusive().one(db).await?.ok_or(StockError::NotFound)?;
    let issuer = goods.supplier_unit_id.map_or(goods.id.0, |unit| unit.0);
    let mut rows = Bulk::insert(db, "voucher", &COLUMNS).or("ON CONFLICT (issuer, code_index) DO NOTHING");
    for (id, code) in &batch.codes {
        let row = [
            id.0.into(),
            goods.id.0.into(),
            issuer.into(),
            batch.id.0.into(),
            code.sealed.clone().into(),
            code.index.clone().into(),
            code.expires_on.into(),
            VoucherStatus::Free.to_value().into(),
            now.into(),
        ];
        rows.push(db, row).await?;
    }
    rows.finish(db).await?;
    let taken: Vec<VoucherId> = voucher::Entity::find()
        .select_only()
        .column(voucher::Column::Id)
        .filter(voucher::Column::BatchId.eq(batch.id))
        .into_tuple()
        .all(db)
        .await?;
    let taken: HashSet<VoucherId> = taken.into_iter().collect();
    let mut known: Vec<At> =
        batch.codes.iter().filter(|(id, _)| !taken.contains(id)).map(|(_, code)| code.at).collect();
    known.sort_by_key(|at| at.index);
    let more = i32::try_from(taken.len()).unwrap_or(i32::MAX);
    if more > 0 {
        let receipt = movement(batch.movement_id, goods.id, more, StockReason::Receipt, Some(staff.id), now);
        if !shift(db, receipt, MOST_STOCK).await? {
            return Err(StockError::field("codes", "out_of_range", "库存数量过大，请核对"));
        }
    }
    Ok(Imported { accepted: taken.len(), known, stock: goods.stock + more, region })
}

/// The codes of goods, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    goods: GoodsId,
    status: Option<VoucherStatus>,
    batch: Option<VoucherBatchId>,
    page: &Page,
) -> Result<Listing<voucher::Model>, Problem> {
    let mut query = voucher::Entity::find().filter(voucher::Column::GoodsId.eq(goods));
    if let Some(status) = status {
        query = query.filter(voucher::Column::Status.eq(status));
    }
    if let Some(batch) = batch {
        query = query.filter(voucher::Column::BatchId.eq(batch));
    }
    if let Some(after) = page.after::<VoucherId>()? {
        query = query.filter(voucher::Column::Id.lt(after));
    }
    let rows = query.order_by_desc(voucher::Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}
