//! Giving, and taking back by staff.

use chrono::{DateTime, NaiveDate, Utc};
use entity::gift::{ActiveModel, Column, Entity, Model};
use entity::id::{GiftId, JournalId, MemberId};
use entity::journal::{self, JournalKind};
use entity::{entry, member, programme};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::error::{GiftCap, GiftError};
use super::{GIFT, REVERSAL};
use crate::audit::Actor;
use crate::calendar::Span;
use crate::crypto::Keys;
use crate::identity::{Manager, mask, member_code};
use crate::notify::{self, Message};
use crate::points::cap::{self, Undoing};
use crate::points::domain::{Lot, returned};
use crate::points::ledger::{self, Links, Posting, Source};
use crate::points::query::serves;
use crate::points::{Points, PointsError, account, bucket};

/// Who is to be given something.
#[derive(Clone, Debug)]
pub enum Receiver {
    Id(MemberId),
    /// What the receiver shows, see `GET /me/code`.
    Code(String),
}

impl Receiver {
    /// The field of the body that named them.
    const fn field(&self) -> &'static str {
        match self {
            Self::Id(_) => "to_member_id",
            Self::Code(_) => "to_member_code",
        }
    }
}

/// What is to be given.
#[derive(Clone, Debug)]
pub struct NewGift {
    pub id: GiftId,
    pub giver: MemberId,
    /// The giver's community.
    pub region: String,
    pub receiver: Receiver,
    pub programme: String,
    /// Above zero.
    pub amount: Points,
    pub message: Option<String>,
}

/// When a gift is given, and under which journal; drawn before the transaction.
#[derive(Clone, Debug)]
pub struct Moment {
    pub journal_id: JournalId,
    pub now: DateTime<Utc>,
    /// The local day of now.
    pub today: NaiveDate,
    /// That day, and its month, for the caps.
    pub day: Span,
    pub month: Span,
}

/// Gives points and tells the receiver.
///
/// # Errors
/// `Field` for a receiver who is not there or is the giver, and for an unknown programme; `NotAllowed`, `AccountClosed`,
/// `ProgrammeMismatch`, `LimitReached`, and `Insufficient` among the ledger's.
pub async fn give(db: &impl ConnectionTrait, keys: &Keys, new: &NewGift, moment: &Moment) -> Result<Model, GiftError> {
    let (receiver, receiver_region) = receiver(db, keys, new, moment.now).await?;
    let programme = programme_for(db, new, &receiver_region).await?;
    if receiver.disabled_at.is_some() || receiver.erased_at.is_some() || receiver.merged_into.is_some() {
        return Err(GiftError::AccountClosed);
    }
    ledger::lock_balances(db, &programme.code, &[new.giver, receiver.id]).await?;
    within_caps(db, new, receiver.id, &programme, moment).await?;
    let posting = posting(new, moment);
    let lots = bucket::take_free(db, &posting, None).await?;
    let (from, to) = (account::of_member(&new.programme, new.giver), account::of_member(&new.programme, receiver.id));
    ledger::enter(db, &posting, &passed(from, to, &lots), Links::default()).await?;
    ledger::add(db, to, &lots, 0).await?;
    let row = Model {
        id: new.id,
        programme: new.programme.clone(),
        giver_id: new.giver,
        receiver_id: receiver.id,
        region_code: new.region.clone(),
        receiver_region_code: receiver_region,
        amount: new.amount.hundredths(),
        message: new.message.clone(),
        given_at: moment.now,
        reversed_at: None,
        reversed_by: None,
        reason: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    tell_received(db, &row, moment.now).await?;
    let incoming = Posting { member_id: receiver.id, community: &row.receiver_region_code, ..posting };
    cap::settle(db, &incoming, lots.first().and_then(|lot| lot.expires_on), programme.account_cap).await?;
    Ok(row)
}

fn posting<'a>(new: &'a NewGift, moment: &Moment) -> Posting<'a> {
    Posting {
        journal_id: moment.journal_id,
        kind: JournalKind::Gift,
        programme: &new.programme,
        member_id: new.giver,
        community: &new.region,
        amount: new.amount,
        expires_on: None,
        source: Source { kind: GIFT, id: new.id.0 },
        // The giver's words stand with the gift, where they can be erased; the journal is for good.
        reason: Some("积分赠送"),
        actor: Actor::Member(new.giver),
        at: moment.now,
        posted_at: moment.now,
        today: moment.today,
    }
}

/// The receiver and their community.
async fn receiver(
    db: &impl ConnectionTrait,
    keys: &Keys,
    new: &NewGift,
    now: DateTime<Utc>,
) -> Result<(member::Model, String), GiftError> {
    let field = new.receiver.field();
    let refused = |detail| GiftError::Field { field, detail };
    let id = match &new.receiver {
        Receiver::Id(id) => *id,
        Receiver::Code(code) => {
            let stale = refused("会员码无效或已过期，请对方打开“我的会员码”重新出示");
            member_code::resolve(db, keys, code, now).await?.ok_or(stale)?
        }
    };
    if id == new.giver {
        return Err(refused("不能赠送给自己，请填写受赠人"));
    }
    let nobody = || refused("没有这位居民，请核对后重新填写，或请对方出示会员码");
    let found = member::Entity::find_by_id(id).one(db).await?.ok_or_else(nobody)?;
    let incomplete = || refused("对方还没有填写姓名和所在社区，请对方先完善资料");
    // A closed account keeps its community.
    let region = found.region_code.clone().ok_or_else(incomplete)?;
    Ok((found, region))
}

async fn programme_for(
    db: &impl ConnectionTrait,
    new: &NewGift,
    receiver_region: &str,
) -> Result<programme::Model, GiftError> {
    let detail = "没有这个积分项目，请从积分项目列表中选择";
    let found = programme::Entity::find_by_id(&new.programme).one(db).await?;
    let found = found.ok_or(GiftError::Field { field: "programme", detail })?;
    if !found.gifts_allowed {
        return Err(GiftError::NotAllowed);
    }
    for (region, whose) in [(new.region.as_str(), "您"), (receiver_region, "对方")] {
        if !serves(&found, Some(region)) {
            return Err(GiftError::ProgrammeMismatch(whose));
        }
    }
    Ok(found)
}

/// The giver's balance row is locked, so that of many at once each sees those before.
async fn within_caps(
    db: &impl ConnectionTrait,
    new: &NewGift,
    receiver: MemberId,
    programme: &programme::Model,
    moment: &Moment,
) -> Result<(), GiftError> {
    let caps = [
        (programme.gift_cap_day, GiftCap::Day, &moment.day, None),
        (programme.gift_cap_receiver, GiftCap::Receiver, &moment.month, Some(receiver)),
    ];
    for (most, cap, span, to) in caps {
        let Some(most) = most else { continue };
        let given = given_within(db, new, span, to).await?;
        let left = Ord::max(most.saturating_sub(given), 0);
        if new.amount.hundredths() > left {
            return Err(GiftError::LimitReached { cap, left: Points::from_hundredths(left) });
        }
    }
    Ok(())
}

/// What the giver gave in the programme within `span`, to one or to all; what was taken back does not count.
async fn given_within(
    db: &impl ConnectionTrait,
    new: &NewGift,
    span: &Span,
    receiver: Option<MemberId>,
) -> Result<i64, DbErr> {
    let mut query = Entity::find()
        .select_only()
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::GiverId.eq(new.giver))
        .filter(Column::Programme.eq(&new.programme))
        .filter(Column::ReversedAt.is_null())
        .filter(Column::GivenAt.gte(span.start))
        .filter(Column::GivenAt.lt(span.end));
    if let Some(receiver) = receiver {
        query = query.filter(Column::ReceiverId.eq(receiver));
    }
    let sum: Option<Option<i64>> = query.into_tuple().one(db).await?;
    Ok(sum.flatten().unwrap_or(0))
}

/// The lines of lots that go from one account to another.
fn passed(from: entity::id::AccountId, to: entity::id::AccountId, lots: &[Lot]) -> Vec<(entity::id::AccountId, Lot)> {
    let out = ledger::negative(lots).into_iter().map(|lot| (from, lot));
    out.chain(lots.iter().map(|lot| (to, *lot))).collect()
}

async fn tell_received(db: &impl ConnectionTrait, row: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    let giver = member::Entity::find_by_id(row.giver_id).one(db).await?.and_then(|giver| giver.name);
    let amount = Points::from_hundredths(row.amount);
    let words = format!(
        "{} 赠送给您 {amount} 积分，已到账，可在积分明细中查看。积分的有效期不变，请在到期前使用。",
        mask::name(giver.as_deref())
    );
    let message = Message::new("points.gift", "收到积分赠送", words).about("gift", row.id);
    notify::tell(db, row.receiver_id, message, now).await
}

/// A gift between two members of the manager's subtree.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, manager: &Manager, id: GiftId) -> Result<Model, GiftError> {
    let subtree = manager.subtree();
    Entity::find_by_id(id)
        .filter(subtree.covers(Expr::col((Entity, Column::RegionCode))))
        .filter(subtree.covers(Expr::col((Entity, Column::ReceiverRegionCode))))
        .one(db)
        .await?
        .ok_or(GiftError::NotFound)
}

/// Takes a gift back from the receiver entirely and returns it to the giver, each part to the bucket it came from; where that
/// day is over, for thirty days more. Once. Both are told.
///
/// # Errors
/// `NotFound`; `OwnGift` for the giver and the receiver; `AccountClosed` where the giver is gone; `InvalidTransition` the
/// second time and `AlreadySpent` where the receiver no longer has it, among the ledger's.
pub async fn reverse(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: GiftId,
    reason: &str,
    moment: &Moment,
) -> Result<Model, GiftError> {
    let found = find(db, manager, id).await?;
    if manager.member.is_some_and(|own| own == found.giver_id || own == found.receiver_id) {
        return Err(GiftError::OwnGift);
    }
    let giver = member::Entity::find_by_id(found.giver_id).one(db).await?;
    if giver.is_none_or(|giver| giver.erased_at.is_some()) {
        return Err(GiftError::AccountClosed);
    }
    let change = ActiveModel {
        reversed_at: Set(Some(moment.now)),
        reversed_by: Set(Some(manager.id)),
        reason: Set(Some(reason.to_owned())),
        ..Default::default()
    };
    let marked = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .filter(Column::ReversedAt.is_null())
        .exec(db)
        .await?;
    if marked.rows_affected != 1 {
        return Err(PointsError::InvalidTransition.into());
    }
    let actor = Actor::Staff(manager.id);
    take_back(db, &found, reason, actor, moment).await?;
    let amount = Points::from_hundredths(found.amount);
    let tell = async |member, words: String| {
        let message = Message::new("points.gift_reversed", "积分赠送已撤回", words).about("gift", id);
        notify::tell(db, member, message, moment.now).await
    };
    let why = format!("原因：{reason}。如有疑问，请联系社区工作人员。");
    tell(found.giver_id, format!("您赠出的 {amount} 积分已由工作人员撤回，并退回您的账户。{why}")).await?;
    tell(found.receiver_id, format!("您收到的 {amount} 积分赠送已由工作人员撤回。{why}")).await?;
    Ok(Model { reversed_at: Some(moment.now), reversed_by: Some(manager.id), reason: Some(reason.to_owned()), ..found })
}

async fn take_back(
    db: &impl ConnectionTrait,
    gift: &Model,
    reason: &str,
    actor: Actor,
    moment: &Moment,
) -> Result<(), PointsError> {
    let original = journal::Entity::find()
        .filter(journal::Column::SourceKind.eq(GIFT))
        .filter(journal::Column::SourceId.eq(gift.id.0))
        .one(db)
        .await?
        .ok_or(PointsError::InvalidTransition)?;
    ledger::lock_balances(db, &gift.programme, &[gift.giver_id, gift.receiver_id]).await?;
    let undoing = Undoing {
        original: original.id,
        journal_id: moment.journal_id,
        programme: &gift.programme,
        member_id: gift.receiver_id,
        actor,
        now: moment.now,
        today: moment.today,
    };
    cap::give_back(db, &undoing).await?;
    let (from, to) =
        (account::of_member(&gift.programme, gift.receiver_id), account::of_member(&gift.programme, gift.giver_id));
    let given = given_lots(db, original.id, to).await?;
    let posting = Posting {
        journal_id: moment.journal_id,
        kind: JournalKind::Gift,
        programme: &gift.programme,
        member_id: gift.receiver_id,
        community: &gift.receiver_region_code,
        amount: Points::from_hundredths(gift.amount),
        expires_on: None,
        source: Source { kind: REVERSAL, id: gift.id.0 },
        reason: Some(reason),
        actor,
        at: moment.now,
        posted_at: moment.now,
        today: moment.today,
    };
    let taken = bucket::take_free(db, &posting, given.first()).await.map_err(|error| match error {
        PointsError::Insufficient { needed, available } => PointsError::AlreadySpent { needed, available },
        other => other,
    })?;
    let back = returned(&given, moment.today);
    let out = ledger::negative(&taken).into_iter().map(|lot| (from, lot));
    let lines: Vec<_> = out.chain(back.iter().map(|lot| (to, *lot))).collect();
    ledger::enter(db, &posting, &lines, Links { reverses: Some(original.id), budget: None }).await?;
    ledger::add(db, to, &back, 0).await?;
    Ok(())
}

/// What the giver gave, by bucket, without sign.
async fn given_lots(
    db: &impl ConnectionTrait,
    journal: JournalId,
    giver: entity::id::AccountId,
) -> Result<Vec<Lot>, DbErr> {
    let lines = entry::Entity::find()
        .filter(entry::Column::JournalId.eq(journal))
        .filter(entry::Column::AccountId.eq(giver))
        .order_by_asc(entry::Column::Line)
        .all(db)
        .await?;
    Ok(lines.into_iter().map(|line| Lot { expires_on: line.expires_on, amount: line.amount.abs() }).collect())
}
