//! A round of grants: all of its members are given the same, or nobody anything.

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::AccountKind;
use entity::adjustment::{self, AdjustmentStatus, Direction};
use entity::budget::{self, BudgetStatus};
use entity::grant_round::{ActiveModel, Column, Entity, GrantSource, Model};
use entity::id::{AdjustmentId, BudgetId, GrantRoundId, JournalId, MemberId};
use entity::journal::JournalKind;
use entity::{member, programme, staff};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
};
use uuid::Uuid;

use super::error::GrantError;
use super::rank::Candidate;
use crate::audit::Actor;
use crate::db::insert_all;
use crate::identity::Manager;
use crate::notify::{self, Message};
use crate::points::adjustment::{SOURCE, second_person_above};
use crate::points::domain::Lot;
use crate::points::earning::{Lifetime, expires_on};
use crate::points::issuing::{self, OnEmpty, issue};
use crate::points::ledger::{self, Links, Posting, Source};
use crate::points::{Points, PointsError, account, cap};
use crate::region::{RegionCode, Subtree};

/// A round to be.
#[derive(Clone, Debug)]
pub(super) struct NewRound {
    pub(super) id: GrantRoundId,
    pub(super) region: RegionCode,
    pub(super) programme: String,
    pub(super) source: GrantSource,
    pub(super) budget_id: Option<BudgetId>,
    /// Above zero.
    pub(super) amount_each: Points,
    pub(super) reason: String,
    /// At least one; each once.
    pub(super) chosen: Vec<Candidate>,
}

impl NewRound {
    /// What all get together; `None` beyond 64 bits.
    pub(super) fn total(&self) -> Option<Points> {
        let members = i32::try_from(self.chosen.len()).ok()?;
        self.amount_each.checked_mul(members)
    }
}

/// When a round is posted, and the id from which those of its rows are counted on; drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) first: JournalId,
    pub(super) now: DateTime<Utc>,
    /// The local day of now.
    pub(super) today: NaiveDate,
}

impl Moment {
    /// Far enough apart for what stands beside a journal.
    fn nth(&self, place: usize) -> Uuid {
        Uuid::from_u128(self.first.0.as_u128().wrapping_add(4 * (place as u128 + 1)))
    }
}

/// Whether a round needs a second manager: what all get together is above the setting of a single grant.
///
/// # Errors
/// `TooLarge` beyond 64 bits; the database's.
pub(super) async fn is_large(db: &impl ConnectionTrait, new: &NewRound) -> Result<bool, GrantError> {
    let total = new.total().ok_or(PointsError::TooLarge)?;
    Ok(total.hundredths() > second_person_above(db).await?)
}

/// Gives, or keeps the round pending where it needs a second manager.
///
/// # Errors
/// `OwnPoints` where the manager is one of the members, `BudgetExhausted`, `Donations`, `AccountClosed`.
pub(super) async fn request(
    db: &impl ConnectionTrait,
    manager: &Manager,
    new: &NewRound,
    moment: Moment,
) -> Result<Model, GrantError> {
    if manager.member.is_some_and(|own| new.chosen.iter().any(|candidate| candidate.id == own)) {
        return Err(PointsError::OwnPoints.into());
    }
    let status = if is_large(db, new).await? { AdjustmentStatus::Pending } else { AdjustmentStatus::Posted };
    let row = Model {
        id: new.id,
        region_code: new.region.to_string(),
        programme: new.programme.clone(),
        source: new.source,
        budget_id: new.budget_id,
        amount_each: new.amount_each.hundredths(),
        members: i32::try_from(new.chosen.len()).map_err(|_| PointsError::TooLarge)?,
        reason: new.reason.clone(),
        status,
        requested_by: manager.id,
        decided_by: None,
        created_at: moment.now,
        decided_at: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    let share = |(place, candidate): (usize, &Candidate)| adjustment::Model {
        id: AdjustmentId(moment.nth(place)),
        member_id: candidate.id,
        region_code: candidate.region_code.clone(),
        programme: row.programme.clone(),
        direction: Direction::Grant,
        amount: row.amount_each,
        reason: row.reason.clone(),
        status,
        requested_by: manager.id,
        decided_by: None,
        created_at: moment.now,
        decided_at: None,
        expires_on: None,
        round_id: Some(row.id),
    };
    let shares: Vec<_> = new.chosen.iter().enumerate().map(share).collect();
    insert_all(db, shares.iter().cloned().map(adjustment::Model::into_active_model)).await?;
    if status == AdjustmentStatus::Posted {
        post(db, &row, shares, Actor::Staff(manager.id), moment).await?;
    }
    Ok(row)
}

/// A round whose region lies in the subtree.
///
/// # Errors
/// `NotFound`.
pub(super) async fn find(db: &impl ConnectionTrait, subtree: &Subtree, id: GrantRoundId) -> Result<Model, GrantError> {
    let found = Entity::find_by_id(id).filter(subtree.covers(Expr::col((Entity, Column::RegionCode)))).one(db).await?;
    let within = |row: &Model| RegionCode::parse(&row.region_code).is_ok_and(|code| subtree.encloses(&code.subtree()));
    found.filter(within).ok_or(GrantError::NotFound)
}

/// The grants of a round, by member.
///
/// # Errors
/// The database's.
pub(super) async fn shares(
    db: &impl ConnectionTrait,
    id: GrantRoundId,
) -> Result<Vec<adjustment::Model>, sea_orm::DbErr> {
    let theirs = adjustment::Entity::find().filter(adjustment::Column::RoundId.eq(id));
    theirs.order_by_asc(adjustment::Column::MemberId).all(db).await
}

/// The second manager's word on a pending round: post all of it, or leave it for good.
///
/// # Errors
/// `NotFound` outside the subtree; `InvalidTransition` where it is not pending, `SecondPerson` for the one who asked (under
/// whichever account), `OwnPoints` where the manager is one of the members; as [`request`].
pub(super) async fn decide(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: GrantRoundId,
    approve: bool,
    moment: Moment,
) -> Result<Model, GrantError> {
    let found = find(db, &manager.subtree(), id).await?;
    let asked = staff::Entity::find_by_id(found.requested_by).one(db).await?.and_then(|staff| staff.member_id);
    if found.requested_by == manager.id || (asked.is_some() && asked == manager.member) {
        return Err(PointsError::SecondPerson.into());
    }
    let shares = shares(db, id).await?;
    if manager.member.is_some_and(|own| shares.iter().any(|share| share.member_id == own)) {
        return Err(PointsError::OwnPoints.into());
    }
    let status = if approve { AdjustmentStatus::Posted } else { AdjustmentStatus::Rejected };
    let (by, at) = (Some(manager.id), Some(moment.now));
    let change = ActiveModel { status: Set(status), decided_by: Set(by), decided_at: Set(at), ..Default::default() };
    let decided = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(AdjustmentStatus::Pending))
        .exec(db)
        .await?;
    if decided.rows_affected != 1 {
        return Err(PointsError::InvalidTransition.into());
    }
    let change =
        adjustment::ActiveModel { status: Set(status), decided_by: Set(by), decided_at: Set(at), ..Default::default() };
    adjustment::Entity::update_many().set(change).filter(adjustment::Column::RoundId.eq(id)).exec(db).await?;
    let row = Model { status, decided_by: by, decided_at: at, ..found };
    if approve {
        post(db, &row, shares, Actor::Staff(manager.id), moment).await?;
    }
    Ok(row)
}

async fn post(
    db: &impl ConnectionTrait,
    round: &Model,
    mut shares: Vec<adjustment::Model>,
    actor: Actor,
    moment: Moment,
) -> Result<(), GrantError> {
    all_open(db, &shares).await?;
    let programme = programme::Entity::find_by_id(&round.programme).one(db).await?.ok_or(GrantError::NotFound)?;
    let expires_on = expires_on(&Lifetime::of(&programme), moment.today);
    // As all who take several balance rows.
    shares.sort_by_key(|share| account::of_member(&round.programme, share.member_id));
    let named = match (round.source, round.budget_id) {
        (GrantSource::Budget, Some(budget)) => Some(named_budget(db, round, budget, &shares, moment.today).await?),
        _ => None,
    };
    for (place, share) in shares.iter().enumerate() {
        let from_donations = round.source == GrantSource::Donations;
        let posting = Posting {
            journal_id: JournalId(moment.nth(place)),
            kind: if from_donations { JournalKind::Gift } else { JournalKind::Grant },
            programme: &round.programme,
            member_id: share.member_id,
            community: if from_donations { &round.region_code } else { &share.region_code },
            amount: Points::from_hundredths(share.amount),
            expires_on,
            source: Source { kind: SOURCE, id: share.id.0 },
            reason: Some(&round.reason),
            actor,
            at: moment.now,
            posted_at: moment.now,
            today: moment.today,
        };
        match (round.source, named) {
            (GrantSource::Budget, None) => {
                issue(db, &posting, OnEmpty::Refuse).await?;
            }
            (GrantSource::Budget, Some(budget)) => {
                issuing::credit(db, &posting, Some(budget), programme.account_cap).await?;
            }
            (GrantSource::Donations, _) => {
                let lots = [Lot { expires_on, amount: share.amount }];
                ledger::credit(db, &posting, AccountKind::Donated, &lots, Links::default()).await?;
                cap::settle(db, &posting, expires_on, programme.account_cap).await?;
            }
        }
    }
    let total = round.amount_each.saturating_mul(i64::from(round.members));
    match (round.source, named) {
        (GrantSource::Budget, Some(budget)) => issuing::draw(db, budget, total, moment.now).await?,
        (GrantSource::Budget, None) => {}
        (GrantSource::Donations, _) => covered(db, round, total).await?,
    }
    tell_all(db, round, &programme, &shares, moment.now).await
}

/// Nobody was closed between being chosen and being given.
async fn all_open(db: &impl ConnectionTrait, shares: &[adjustment::Model]) -> Result<(), GrantError> {
    let closed = member::Entity::find()
        .filter(member::Column::Id.is_in(shares.iter().map(|share| share.member_id)))
        .filter(
            sea_orm::Condition::any()
                .add(member::Column::DisabledAt.is_not_null())
                .add(member::Column::ErasedAt.is_not_null())
                .add(member::Column::MergedInto.is_not_null()),
        )
        .one(db)
        .await?;
    if closed.is_some() { Err(GrantError::AccountClosed) } else { Ok(()) }
}

/// The budget that was named, where it may pay for all of the round and has enough.
async fn named_budget(
    db: &impl ConnectionTrait,
    round: &Model,
    id: BudgetId,
    shares: &[adjustment::Model],
    today: NaiveDate,
) -> Result<BudgetId, GrantError> {
    let pays = |row: &budget::Model| {
        let reach = RegionCode::parse(&row.region_code).map(|code| code.subtree());
        row.programme == round.programme
            && row.status == BudgetStatus::Active
            && row.valid_from <= today
            && row.valid_until.is_none_or(|until| until >= today)
            && reach.is_ok_and(|reach| shares.iter().all(|share| reach.contains(&share.region_code)))
    };
    let found = budget::Entity::find_by_id(id).one(db).await?.filter(pays);
    let detail = "没有这项预算，或它已停用、未到期限、不属于该积分项目或不覆盖名单中的居民，请另选预算";
    let found = found.ok_or(GrantError::Field { field: "budget_id", detail })?;
    let total = round.amount_each.saturating_mul(i64::from(round.members));
    if found.funded - found.issued < total {
        return Err(PointsError::BudgetExhausted { needed: Points::from_hundredths(total) }.into());
    }
    Ok(id)
}

/// After the lines are written: the donated account, locked, still has what it gave.
async fn covered(db: &impl ConnectionTrait, round: &Model, total: i64) -> Result<(), GrantError> {
    let books = account::of_books(&round.programme, AccountKind::Donated, &round.region_code);
    cap::lock_books(db, books).await?;
    let standing = cap::standing(db, books).await?;
    if standing >= 0 {
        return Ok(());
    }
    let [needed, available] = [total, total.saturating_add(standing)].map(Points::from_hundredths);
    Err(GrantError::Donations { needed, available })
}

async fn tell_all(
    db: &impl ConnectionTrait,
    round: &Model,
    programme: &programme::Model,
    shares: &[adjustment::Model],
    now: DateTime<Utc>,
) -> Result<(), GrantError> {
    let words = format!(
        "社区发放给您 {} {}，原因：{}。可在积分明细中查看，并到驿站兑换。",
        Points::from_hundredths(round.amount_each),
        programme.unit_name,
        round.reason
    );
    let message = |share: &adjustment::Model| {
        (share.member_id, Message::new("points.grant", "收到积分发放", words.clone()).about("adjustment", share.id))
    };
    notify::tell_all(db, shares.iter().map(message), now).await?;
    Ok(())
}

/// The members of a round, for whoever may see them.
pub(super) fn members_of(shares: &[adjustment::Model]) -> Vec<MemberId> {
    shares.iter().map(|share| share.member_id).collect()
}
