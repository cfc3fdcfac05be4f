//! What every command on listings shares: finding, locking and stepping them, and who may move them. All of it is to be run in
//! a transaction.
//!
//! Rows are locked in the order listing, task, period, booking, everywhere.

use chrono::{DateTime, Utc};
use entity::id::{ListingId, MemberId};
use entity::listing::{self, ListingStatus};
use entity::{booking, listing_skill};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, SelectExt as _,
};

use super::domain::ListingStep;
use super::error::ListingError;
use crate::audit::Actor;
use crate::identity::{Caller, Resident, StaffCaller};
use crate::region::Subtree;

/// Who moves a listing or a booking.
#[derive(Clone, Debug)]
pub enum By {
    Member(Resident),
    /// Clerk, manager or admin.
    Staff(StaffCaller),
}

impl By {
    /// For the audit trail.
    pub const fn actor(&self) -> Actor {
        match self {
            Self::Member(member) => Actor::Member(member.id),
            Self::Staff(staff) => Actor::Staff(staff.id),
        }
    }

    /// The member who acts; staff are none.
    pub const fn member(&self) -> Option<MemberId> {
        match self {
            Self::Member(member) => Some(member.id),
            Self::Staff(_) => None,
        }
    }
}

/// Published ones for every member of the district, one's own and what one has booked in whatever state; all of the subtree for
/// staff.
pub(super) fn sees(caller: &Caller) -> Condition {
    let region = || Expr::col((listing::Entity, listing::Column::RegionCode));
    match caller {
        Caller::Staff(staff) => Condition::all().add(staff.subtree().covers(region())),
        Caller::Member(member) => {
            let own = listing::Column::MemberId.eq(member.id);
            let any = Condition::any().add(own).add(booked_by(member.id));
            match &member.region {
                Some(home) => any.add(
                    Condition::all()
                        .add(listing::Column::Status.eq(ListingStatus::Published))
                        .add(Subtree::of(&home.district()).covers(region())),
                ),
                None => any,
            }
        }
    }
}

fn booked_by(member: MemberId) -> SimpleExpr {
    let theirs = Query::select()
        .column(booking::Column::ListingId)
        .from(booking::Entity)
        .and_where(booking::Column::MemberId.eq(member))
        .take();
    Expr::col((listing::Entity, listing::Column::Id)).in_subquery(theirs)
}

/// A listing that `caller` may see.
///
/// # Errors
/// [`ListingError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, caller: &Caller, id: ListingId) -> Result<listing::Model, ListingError> {
    listing::Entity::find_by_id(id).filter(sees(caller)).one(db).await?.ok_or(ListingError::NotFound)
}

/// Whether there is such a listing, whoever may see it.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: ListingId) -> Result<bool, DbErr> {
    listing::Entity::find_by_id(id).exists(db).await
}

/// A listing that `by` may move, locked.
///
/// # Errors
/// [`ListingError::NotFound`]; [`ListingError::NotYours`] where a member may see it and no more.
pub(super) async fn take(db: &impl ConnectionTrait, by: &By, id: ListingId) -> Result<listing::Model, ListingError> {
    let mut found = listing::Entity::find_by_id(id);
    match by {
        By::Staff(staff) => {
            found = found.filter(staff.subtree().covers(Expr::col((listing::Entity, listing::Column::RegionCode))));
        }
        By::Member(member) => {
            let caller = Caller::Member(crate::identity::MemberCaller {
                id: member.id,
                region: Some(member.region.clone()),
                volunteer: false,
                party_member: false,
            });
            found = found.filter(sees(&caller));
        }
    }
    let row = found.lock_exclusive().one(db).await?.ok_or(ListingError::NotFound)?;
    match by {
        By::Member(member) if row.member_id != Some(member.id) => {
            Err(ListingError::NotYours("这是别人的条目，只有提供者本人和工作人员可以办理"))
        }
        _ => Ok(row),
    }
}

/// Moves a locked listing by one step. What `changes` leaves open stays.
pub(super) async fn step(
    db: &impl ConnectionTrait,
    found: &listing::Model,
    step: ListingStep,
    mut changes: listing::ActiveModel,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    changes.status = Set(allowed(found, step)?);
    write(db, found, changes, now).await
}

/// The status that `step` leads to.
pub(super) fn allowed(found: &listing::Model, step: ListingStep) -> Result<ListingStatus, ListingError> {
    let at = found.status;
    step.apply_to(at).ok_or(ListingError::InvalidTransition { at, step })
}

/// Writes changes to a listing that stands as it was read.
pub(super) async fn write(
    db: &impl ConnectionTrait,
    found: &listing::Model,
    mut changes: listing::ActiveModel,
    now: DateTime<Utc>,
) -> Result<listing::Model, ListingError> {
    changes.updated_at = Set(now);
    let moved = listing::Entity::update_many()
        .set(changes)
        .filter(listing::Column::Id.eq(found.id))
        .filter(listing::Column::Status.eq(found.status))
        .exec_with_returning(db)
        .await?;
    moved.into_iter().next().ok_or(ListingError::Raced)
}

/// The skills of listings, each in order of code.
///
/// # Errors
/// The database's.
pub async fn skills_of(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = ListingId>,
) -> Result<Vec<(ListingId, String)>, DbErr> {
    listing_skill::Entity::find()
        .select_only()
        .columns([listing_skill::Column::ListingId, listing_skill::Column::Skill])
        .filter(listing_skill::Column::ListingId.is_in(ids))
        .order_by_asc(listing_skill::Column::Skill)
        .into_tuple()
        .all(db)
        .await
}

/// The same for one.
pub(super) async fn own_skills(db: &impl ConnectionTrait, id: ListingId) -> Result<Vec<String>, DbErr> {
    Ok(skills_of(db, [id]).await?.into_iter().map(|(_, skill)| skill).collect())
}

/// Writes the skills of a listing anew.
pub(super) async fn set_skills(db: &impl ConnectionTrait, id: ListingId, skills: &[String]) -> Result<(), DbErr> {
    listing_skill::Entity::delete_many().filter(listing_skill::Column::ListingId.eq(id)).exec(db).await?;
    let rows: Vec<_> = skills
        .iter()
        .map(|skill| listing_skill::ActiveModel { listing_id: Set(id), skill: Set(skill.clone()) })
        .collect();
    if !rows.is_empty() {
        listing_skill::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}
