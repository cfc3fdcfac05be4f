//! Who pays. A member alone pays by one hold and one journal of the redemption itself. Where the household pays, each payer
//! has a share with a hold and a journal of its own; their balance rows are taken in the order of account ids.

use entity::id::{JournalId, MemberId, RedemptionShareId};
use entity::journal::JournalKind;
use entity::redemption::Model;
use entity::redemption_share;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::domain::{REFUND, SHARE, SHARE_REFUND, SOURCE};
use super::error::RedemptionError;
use super::service::Moment;
use crate::household;
use crate::notify::{self, Message};
use crate::points::{self, Points, PointsError, Posting, Reversing, Source, account, hold};

/// Whose points a redemption is paid with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayWith {
    /// The member's.
    #[default]
    Own,
    /// The member's first, then those of the household's members who agreed to it, in order of joining.
    Household,
}

/// What happens to the points of a new redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Hold,
    Spend,
}

/// Holds or spends what `row` costs. The shares of its payers, in the order of account ids, where it is not the member
/// alone: then the row says so.
///
/// # Errors
/// `Insufficient`, with what all payers have together.
pub(super) async fn pay(
    db: &impl ConnectionTrait,
    row: &mut Model,
    with: PayWith,
    way: Way,
    moment: &Moment,
) -> Result<Vec<redemption_share::Model>, RedemptionError> {
    let shares = if with == PayWith::Household { split(db, row, moment).await? } else { Vec::new() };
    row.shared = !shares.is_empty();
    for posting in postings(row, &shares, moment) {
        match way {
            Way::Hold => hold::open(db, &posting).await?,
            Way::Spend => points::post(db, &posting).await?,
        }
    }
    let words = match way {
        Way::Hold => "家庭成员用家庭积分预约了兑换，为此预留了您的 {} 积分；取消或过期后会退回。",
        Way::Spend => "家庭成员用家庭积分兑换了物品，其中使用了您的 {} 积分，可在积分明细中查看。",
    };
    tell(db, row, &shares, ("redemption.shared", "家庭兑换使用了您的积分", words), moment).await?;
    Ok(shares)
}

/// The shares of the payers; none where the member has enough alone. The balances are locked from here on.
async fn split(
    db: &impl ConnectionTrait,
    row: &Model,
    moment: &Moment,
) -> Result<Vec<redemption_share::Model>, RedemptionError> {
    let payers = household::purse(db, row.member_id, &row.programme).await?;
    if payers.len() == 1 {
        return Ok(Vec::new());
    }
    let available = hold::available(db, &posting(row, moment), &payers).await?;
    let parts = divide(row.points, payers.into_iter().zip(available))?;
    if matches!(parts[..], [(only, _)] if only == row.member_id) {
        return Ok(Vec::new());
    }
    let share = |(at, (member_id, points)): (u128, (MemberId, i64))| redemption_share::Model {
        id: RedemptionShareId(nth(row.id.0, at + 1)),
        redemption_id: row.id,
        member_id,
        points,
    };
    let mut shares: Vec<_> = (0..).zip(parts).map(share).collect();
    in_order(&row.programme, &mut shares);
    Ok(shares)
}

/// Who pays how much: as much as there is of the first, then of the second, until it is enough.
fn divide(needed: i64, payers: impl Iterator<Item = (MemberId, Points)>) -> Result<Vec<(MemberId, i64)>, PointsError> {
    let (mut missing, mut total, mut parts) = (needed, 0_i64, Vec::new());
    for (member, available) in payers {
        let available = available.hundredths().max(0);
        total = total.saturating_add(available);
        let part = missing.min(available);
        if part > 0 {
            missing -= part;
            parts.push((member, part));
        }
    }
    if missing == 0 {
        return Ok(parts);
    }
    Err(PointsError::Insufficient {
        needed: Points::from_hundredths(needed),
        available: Points::from_hundredths(total),
    })
}

/// Spends what is held.
///
/// # Errors
/// `InvalidTransition` where a hold is not open.
pub(super) async fn capture(
    db: &impl ConnectionTrait,
    row: &Model,
    shares: &[redemption_share::Model],
    moment: &Moment,
) -> Result<(), RedemptionError> {
    for posting in postings(row, shares, moment) {
        hold::capture(db, &posting).await?;
    }
    Ok(())
}

/// Gives back what is held for some redemptions, and tells those who only paid.
///
/// # Errors
/// `InvalidTransition` where a hold is not open.
pub(super) async fn release(
    db: &impl ConnectionTrait,
    rows: &[&Model],
    moment: &Moment,
) -> Result<(), RedemptionError> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push((*row, shares_of(db, row).await?));
    }
    let mut open: Vec<_> = all.iter().flat_map(|(row, shares)| postings(row, shares, moment)).collect();
    open.sort_by_key(|posting| account::of_member(posting.programme, posting.member_id));
    for posting in &open {
        hold::release(db, posting).await?;
    }
    let words = "家庭成员的兑换没有完成，为此预留的您的 {} 积分已退回可用余额。";
    for (row, shares) in &all {
        tell(db, row, shares, ("redemption.share_released", "家庭兑换的积分已退回", words), moment).await?;
    }
    Ok(())
}

/// Gives back what was spent, to each payer's own buckets, and tells those who only paid.
///
/// # Errors
/// `InvalidTransition` where nothing was spent or it was given back before.
pub(super) async fn refund(
    db: &impl ConnectionTrait,
    row: &Model,
    shares: &[redemption_share::Model],
    moment: &Moment,
) -> Result<(), RedemptionError> {
    for (posting, kind) in postings(row, shares, moment).into_iter().map(|posting| match posting.source.kind {
        SHARE => (posting, SHARE_REFUND),
        _ => (posting, REFUND),
    }) {
        let reversing = Reversing {
            journal_id: posting.journal_id,
            original: posting.source,
            source: Source { kind, id: posting.source.id },
            reason: row.reason.as_deref(),
            actor: moment.actor,
            now: moment.now,
            today: moment.today,
        };
        points::refund(db, &reversing).await?;
    }
    let words = "家庭成员的兑换已退回，其中您支付的 {} 积分已回到您的账户，可在积分明细中查看。";
    tell(db, row, shares, ("redemption.share_refunded", "家庭兑换的积分已退回", words), moment).await
}

/// The shares of a redemption, in the order of account ids; none where its member pays alone.
///
/// # Errors
/// The database's.
pub(super) async fn shares_of(db: &impl ConnectionTrait, row: &Model) -> Result<Vec<redemption_share::Model>, DbErr> {
    if !row.shared {
        return Ok(Vec::new());
    }
    let of_it = redemption_share::Column::RedemptionId.eq(row.id);
    let mut shares = redemption_share::Entity::find().filter(of_it).all(db).await?;
    in_order(&row.programme, &mut shares);
    Ok(shares)
}

fn in_order(programme: &str, shares: &mut [redemption_share::Model]) {
    shares.sort_by_key(|share| account::of_member(programme, share.member_id));
}

/// What is posted for a redemption: of each share, or of its member alone.
fn postings<'a>(row: &'a Model, shares: &[redemption_share::Model], moment: &Moment) -> Vec<Posting<'a>> {
    if shares.is_empty() {
        return vec![posting(row, moment)];
    }
    let of_share = |(at, share): (u128, &redemption_share::Model)| Posting {
        journal_id: JournalId(nth(moment.journal_id.0, at)),
        member_id: share.member_id,
        amount: Points::from_hundredths(share.points),
        source: Source { kind: SHARE, id: share.id.0 },
        ..posting(row, moment)
    };
    (0..).zip(shares).map(of_share).collect()
}

fn posting<'a>(row: &'a Model, moment: &Moment) -> Posting<'a> {
    Posting {
        journal_id: moment.journal_id,
        kind: JournalKind::Spend,
        programme: &row.programme,
        member_id: row.member_id,
        community: &row.region_code,
        amount: Points::from_hundredths(row.points),
        expires_on: None,
        source: Source { kind: SOURCE, id: row.id.0 },
        reason: None,
        actor: moment.actor,
        at: moment.now,
        posted_at: moment.now,
        today: moment.today,
    }
}

/// An id made from one that was drawn before the transaction, so that a second run makes the same: how many there will be is
/// known only inside. Of a v7 id the last bits are random, and no two draws are near each other.
fn nth(id: Uuid, at: u128) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ at)
}

/// Tells each payer but the member, who sees the redemption. `{}` in the words is the payer's points.
async fn tell(
    db: &impl ConnectionTrait,
    row: &Model,
    shares: &[redemption_share::Model],
    (kind, title, words): (&'static str, &str, &str),
    moment: &Moment,
) -> Result<(), RedemptionError> {
    let others = shares.iter().filter(|share| share.member_id != row.member_id);
    let messages = others.map(|share| {
        let points = Points::from_hundredths(share.points).to_string();
        let message = Message::new(kind, title, words.replace("{}", &points)).about("redemption_share", share.id);
        (share.member_id, message)
    });
    Ok(notify::tell_all(db, messages, moment.now).await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn payers_pay_in_their_order_and_what_is_needed(
            needed in 1_i64..500, purse in proptest::collection::vec(0_i64..200, 1..6),
        ) {
            let payers: Vec<_> = purse.iter().map(|points| (MemberId::new(), Points::from_hundredths(*points))).collect();
            let total: i64 = purse.iter().sum();
            match divide(needed, payers.iter().copied()) {
                Ok(parts) => {
                    prop_assert_eq!(parts.iter().map(|(_, part)| part).sum::<i64>(), needed);
                    // All but the last one give all they have.
                    let mut of_payers = payers.iter().filter(|(_, points)| points.hundredths() > 0);
                    for (at, (member, part)) in parts.iter().enumerate() {
                        let (payer, points) = of_payers.next().unwrap();
                        prop_assert_eq!(payer, member);
                        prop_assert!(*part == points.hundredths() || at + 1 == parts.len());
                    }
                }
                Err(PointsError::Insufficient { available, .. }) => {
                    prop_assert_eq!(available.hundredths(), total);
                    prop_assert!(total < needed);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn derived_ids_differ_and_the_first_is_the_drawn_one() {
        let id = Uuid::now_v7();
        assert_eq!(nth(id, 0), id);
        assert!((1..100).map(|at| nth(id, at)).all(|other| other != id && other.get_version_num() == 7));
    }
}
