//! Codes go to redemptions, each once, and come back only to be void or, where staff say so, to be given again.

use chrono::NaiveDate;
use entity::id::{GoodsId, RedemptionId, StockMovementId, VoucherId};
use entity::stock_movement::StockReason;
use entity::voucher::{ActiveModel, Column, Entity, Model, VoucherStatus};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use uuid::Uuid;

use super::code;
use crate::crypto::{CryptoError, Keys};
use crate::redemption::goods::MOST_STOCK;
use crate::redemption::service::Moment;
use crate::redemption::stock::{movement, shift};

/// A code that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub goods_id: GoodsId,
    pub code: String,
    /// The last local day on which it is good.
    pub expires_on: Option<NaiveDate>,
}

impl Given {
    fn open(keys: &Keys, row: &Model) -> Result<Self, CryptoError> {
        Ok(Self { goods_id: row.goods_id, code: code::open(keys, &row.code_sealed)?, expires_on: row.expires_on })
    }

    /// As staff see it.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { code: code::masked(&self.code), ..self }
    }
}

/// Gives `quantity` codes of goods to a redemption whose stock has been taken: those that end first, never one that has ended.
/// The answer is how many there were; fewer than `quantity`, and none has been given.
///
/// # Errors
/// The database's.
pub(in crate::redemption) async fn give(
    db: &impl ConnectionTrait,
    redemption: RedemptionId,
    goods: GoodsId,
    quantity: i32,
    moment: &Moment,
) -> Result<i32, DbErr> {
    let wanted = u64::try_from(quantity).unwrap_or(0);
    // Two questions, each answered by the index in its order: dated codes first.
    let mut chosen = choose(db, goods, Column::ExpiresOn.gte(moment.today).into(), wanted).await?;
    let missing = wanted.saturating_sub(chosen.len() as u64);
    if missing > 0 {
        chosen.extend(choose(db, goods, Column::ExpiresOn.is_null().into(), missing).await?);
    }
    let found = i32::try_from(chosen.len()).unwrap_or(i32::MAX);
    if found < quantity {
        return Ok(found);
    }
    let given = ActiveModel {
        status: Set(VoucherStatus::Given),
        redemption_id: Set(Some(redemption)),
        given_at: Set(Some(moment.now)),
        ..Default::default()
    };
    let given = Entity::update_many()
        .set(given)
        .filter(Column::Id.is_in(chosen))
        .filter(Column::Status.eq(VoucherStatus::Free))
        .exec(db)
        .await?;
    Ok(i32::try_from(given.rows_affected).unwrap_or(i32::MAX))
}

async fn choose(
    db: &impl ConnectionTrait,
    goods: GoodsId,
    good: Condition,
    wanted: u64,
) -> Result<Vec<VoucherId>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::GoodsId.eq(goods))
        .filter(Column::Status.eq(VoucherStatus::Free))
        .filter(good)
        .order_by_asc(Column::ExpiresOn)
        .order_by_asc(Column::Id)
        .limit(wanted)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(db)
        .await
}

/// The codes of a refunded redemption, whose stock has been given back: with `reissue` those that are still good are free
/// again; the others are void, and leave the stock by a movement.
///
/// # Errors
/// The database's.
pub(in crate::redemption) async fn take_back(
    db: &impl ConnectionTrait,
    redemption: RedemptionId,
    reissue: bool,
    moment: &Moment,
) -> Result<(), DbErr> {
    let given = of_redemption(db, redemption).await?;
    let (free, void): (Vec<&Model>, Vec<&Model>) =
        given.iter().partition(|row| reissue && row.expires_on.is_none_or(|day| day >= moment.today));
    let again = ActiveModel {
        status: Set(VoucherStatus::Free),
        redemption_id: Set(None),
        given_at: Set(None),
        ..Default::default()
    };
    let ended = ActiveModel { status: Set(VoucherStatus::Void), ended_at: Set(Some(moment.now)), ..Default::default() };
    for (rows, change) in [(&free, again), (&void, ended)] {
        let changed = Entity::update_many().set(change).filter(Column::Id.is_in(rows.iter().map(|row| row.id)));
        changed.filter(Column::Status.eq(VoucherStatus::Given)).exec(db).await?;
    }
    let mut goods: Vec<GoodsId> = void.iter().map(|row| row.goods_id).collect();
    goods.sort_unstable();
    goods.dedup();
    for goods in goods {
        let gone = void.iter().filter(|row| row.goods_id == goods).count();
        let gone = i32::try_from(gone).unwrap_or(i32::MAX);
        // A redemption is refunded once, so its id and that of the goods name the movement.
        let id = StockMovementId(Uuid::new_v5(&redemption.0, goods.0.as_bytes()));
        let staff = match moment.actor {
            crate::audit::Actor::Staff(id) => Some(id),
            _ => None,
        };
        let loss = movement(id, goods, -gone, StockReason::Loss, staff, moment.now);
        if !shift(db, loss, MOST_STOCK).await? {
            return Err(DbErr::Custom(format!("goods {goods} have fewer pieces than came back")));
        }
    }
    Ok(())
}

async fn of_redemption(db: &impl ConnectionTrait, redemption: RedemptionId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RedemptionId.eq(redemption))
        .filter(Column::Status.eq(VoucherStatus::Given))
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// The codes that a redemption has, in the order they came in.
///
/// # Errors
/// The database's; a code that cannot be opened is an error of the database's keeping, too.
pub async fn given_to(db: &impl ConnectionTrait, keys: &Keys, redemption: RedemptionId) -> Result<Vec<Given>, DbErr> {
    let rows = of_redemption(db, redemption).await?;
    let opened: Result<Vec<Given>, CryptoError> = rows.iter().map(|row| Given::open(keys, row)).collect();
    opened.map_err(|error| DbErr::Custom(format!("a voucher of redemption {redemption}: {error}")))
}
