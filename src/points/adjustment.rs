//! Points given or taken by hand. A grant above the setting waits for a second manager, and nobody decides for the member
//! that they are.

use chrono::{DateTime, NaiveDate, Utc};
use entity::adjustment::{ActiveModel, AdjustmentStatus, Column, Direction, Entity, Model};
use entity::id::{AdjustmentId, JournalId, MemberId};
use entity::journal::JournalKind;
use entity::{member, programme, setting, staff};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, SelectExt as _,
};

use super::domain::Points;
use super::earning::{Lifetime, expires_on};
use super::error::PointsError;
use super::issuing::{OnEmpty, issue};
use super::ledger::{self, Posting, Source};
use super::rules::refused;
use crate::audit::Actor;
use crate::http::{Listing, Page, PointsAmount, Problem};
use crate::identity::Manager;
use crate::region::Subtree;

/// The `source_kind` of what an adjustment posts.
pub const SOURCE: &str = "adjustment";
/// The setting above which a grant needs a second manager: points with two places, as in `"100.00"`.
pub const SECOND_PERSON_ABOVE: &str = "points.second_person_above";
const DEFAULT_ABOVE: i64 = 10_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewAdjustment {
    pub id: AdjustmentId,
    pub member_id: MemberId,
    pub programme: String,
    pub direction: Direction,
    /// Above zero.
    pub amount: Points,
    pub reason: String,
    /// Of a grant: the first local day without the points, after today; `None`: as the programme says.
    pub expires_on: Option<NaiveDate>,
}

/// When, and under which journal, a step posts; drawn before the transaction.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub journal_id: JournalId,
    pub now: DateTime<Utc>,
    /// The local day of now.
    pub today: NaiveDate,
}

/// Posts an adjustment, or keeps it pending where it needs a second manager.
///
/// # Errors
/// `OwnPoints` for the member that `manager` is, `NotFound` for a member outside the subtree, `Field` for an unknown
/// programme, `Insufficient` where a deduction is not covered.
pub async fn request(
    db: &impl ConnectionTrait,
    manager: &Manager,
    new: &NewAdjustment,
    moment: Moment,
) -> Result<Model, PointsError> {
    if manager.member == Some(new.member_id) {
        return Err(PointsError::OwnPoints);
    }
    lasting(new, moment.today)?;
    let member = member::Entity::find_by_id(new.member_id)
        .filter(manager.subtree().covers(Expr::col((member::Entity, member::Column::RegionCode))))
        .one(db)
        .await?;
    let region_code = member.and_then(|member| member.region_code).ok_or(PointsError::NotFound)?;
    let large = new.direction == Direction::Grant && new.amount.hundredths() > second_person_above(db).await?;
    let status = if large { AdjustmentStatus::Pending } else { AdjustmentStatus::Posted };
    let row = Model {
        id: new.id,
        member_id: new.member_id,
        region_code,
        programme: new.programme.clone(),
        direction: new.direction,
        amount: new.amount.hundredths(),
        reason: new.reason.clone(),
        status,
        requested_by: manager.id,
        decided_by: None,
        created_at: moment.now,
        decided_at: None,
        round_id: None,
        expires_on: new.expires_on,
    };
    let lifetime = programme::Entity::find_by_id(&new.programme).one(db).await?;
    let lifetime = lifetime
        .as_ref()
        .map(Lifetime::of)
        .ok_or(PointsError::Field {
            field: "programme", detail: "没有这个积分项目，请从积分项目列表中选择"
        })?;
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    if status == AdjustmentStatus::Posted {
        post(db, &row, &lifetime, Actor::Staff(manager.id), moment).await?;
    }
    Ok(row)
}

/// A day on which points expire lies ahead, and only points that are given have one.
fn lasting(new: &NewAdjustment, today: NaiveDate) -> Result<(), PointsError> {
    match (new.expires_on, new.direction) {
        (Some(_), Direction::Deduct) => Err(refused("expires_on", "invalid", "扣分没有到期日，请去掉此项")),
        (Some(day), Direction::Grant) if day <= today => {
            Err(refused("expires_on", "out_of_range", "到期日须在今天之后，请重新填写"))
        }
        _ => Ok(()),
    }
}

/// The second manager's word on a pending adjustment: post it, or leave it for good.
///
/// # Errors
/// `NotFound` outside the subtree, `InvalidTransition` where it is not pending, `SecondPerson` for the one who asked (under
/// whichever account), `OwnPoints` for the member that `manager` is.
pub async fn decide(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: AdjustmentId,
    approve: bool,
    moment: Moment,
) -> Result<Model, PointsError> {
    let found = find(db, &manager.subtree(), id).await?;
    // One of a round is decided with its round.
    if found.status != AdjustmentStatus::Pending || found.round_id.is_some() {
        return Err(PointsError::InvalidTransition);
    }
    if manager.member == Some(found.member_id) {
        return Err(PointsError::OwnPoints);
    }
    let asked = staff::Entity::find_by_id(found.requested_by).one(db).await?.and_then(|staff| staff.member_id);
    if found.requested_by == manager.id || (asked.is_some() && asked == manager.member) {
        return Err(PointsError::SecondPerson);
    }
    let status = if approve { AdjustmentStatus::Posted } else { AdjustmentStatus::Rejected };
    let change = ActiveModel {
        status: Set(status),
        decided_by: Set(Some(manager.id)),
        decided_at: Set(Some(moment.now)),
        ..Default::default()
    };
    let decided = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(AdjustmentStatus::Pending))
        .exec(db)
        .await?;
    if decided.rows_affected != 1 {
        return Err(PointsError::InvalidTransition);
    }
    let row = Model { status, decided_by: Some(manager.id), decided_at: Some(moment.now), ..found };
    if approve {
        let programme = programme::Entity::find_by_id(&row.programme).one(db).await?.ok_or(PointsError::NotFound)?;
        post(db, &row, &Lifetime::of(&programme), Actor::Staff(manager.id), moment).await?;
    }
    Ok(row)
}

async fn post(
    db: &impl ConnectionTrait,
    row: &Model,
    lifetime: &Lifetime,
    actor: Actor,
    moment: Moment,
) -> Result<(), PointsError> {
    let (kind, expires_on) = match row.direction {
        Direction::Grant => (JournalKind::Grant, row.expires_on.or_else(|| expires_on(lifetime, moment.today))),
        Direction::Deduct => (JournalKind::Deduct, None),
    };
    let posting = Posting {
        journal_id: moment.journal_id,
        kind,
        programme: &row.programme,
        member_id: row.member_id,
        community: &row.region_code,
        amount: Points::from_hundredths(row.amount),
        expires_on,
        source: Source { kind: SOURCE, id: row.id.0 },
        reason: Some(&row.reason),
        actor,
        at: moment.now,
        posted_at: moment.now,
        today: moment.today,
    };
    match row.direction {
        Direction::Grant => issue(db, &posting, OnEmpty::Refuse).await.map(drop),
        Direction::Deduct => ledger::post(db, &posting).await,
    }
}

/// Hundredths. A setting that cannot be read counts as none.
pub(super) async fn second_person_above(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let row = setting::Entity::find_by_id(SECOND_PERSON_ABOVE).one(db).await?;
    let amount = row.and_then(|row| PointsAmount::parse(row.value.as_str()?).ok());
    Ok(amount.map_or(DEFAULT_ABOVE, PointsAmount::hundredths))
}

/// An adjustment of a member in `subtree`.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &impl ConnectionTrait, subtree: &Subtree, id: AdjustmentId) -> Result<Model, PointsError> {
    Entity::find_by_id(id)
        .filter(subtree.covers(Expr::col((Entity, Column::RegionCode))))
        .one(db)
        .await?
        .ok_or(PointsError::NotFound)
}

/// Whether there is such an adjustment for anybody.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: AdjustmentId) -> Result<bool, DbErr> {
    Entity::find_by_id(id).exists(db).await
}

/// Adjustments of a subtree, latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    status: Option<AdjustmentStatus>,
    member: Option<MemberId>,
    page: &Page,
) -> Result<Listing<Model>, Problem> {
    let mut query = Entity::find().filter(subtree.covers(Expr::col((Entity, Column::RegionCode))));
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(member) = member {
        query = query.filter(Column::MemberId.eq(member));
    }
    if let Some(after) = page.after::<AdjustmentId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}
