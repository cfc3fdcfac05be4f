//! Reading volunteers and tasks of a district, all of them or some: the same few queries.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::claim::{self, ClaimStatus};
use entity::id::{MemberId, TaskId};
use entity::qualification::{self, QualificationKind};
use entity::task::{self, TaskStatus};
use entity::{availability, member, member_skill, offer, task_hazard, task_skill, wish};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef,
};

use crate::matching::score::DaySpan;
use crate::region::Subtree;

/// Windows that ended this long ago may still count in a week's hours.
const HOURS_COUNT: TimeDelta = TimeDelta::days(8);
/// Claims made this long ago count in the fair share.
pub(super) const RECENT: TimeDelta = TimeDelta::days(30);

/// Which ones to read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which<'a, Id> {
    All,
    These(&'a [Id]),
}

/// Somebody who may claim and says when they are free.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberFacts {
    pub(super) row: Option<MemberRow>,
    pub(super) skills: Vec<String>,
    pub(super) availability: Vec<DaySpan>,
    pub(super) proofs: Vec<ProofRow>,
    pub(super) claims: Vec<ClaimRow>,
}

#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct MemberRow {
    pub(super) id: MemberId,
    pub(super) region_code: Option<String>,
    pub(super) birth_year: Option<i32>,
    pub(super) max_hours_week: Option<i32>,
    pub(super) home_sealed: Option<Vec<u8>>,
    pub(super) offers_paused: bool,
}

#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct ProofRow {
    member_id: MemberId,
    pub(super) kind: QualificationKind,
    pub(super) code: String,
    pub(super) valid_until: Option<NaiveDate>,
}

/// A claim, with what the person served said of the work.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct ClaimRow {
    member_id: MemberId,
    pub(super) task_id: TaskId,
    pub(super) status: ClaimStatus,
    pub(super) window_from: DateTime<Utc>,
    pub(super) window_until: DateTime<Utc>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) rating: Option<i16>,
}

/// A task that may be claimed.
#[derive(Clone, Debug)]
pub(super) struct TaskFacts {
    pub(super) row: task::Model,
    /// In order of code.
    pub(super) skills: Vec<String>,
    pub(super) hazards: Vec<String>,
    pub(super) wish: Option<WishRow>,
}

#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct WishRow {
    task_id: Option<TaskId>,
    pub(super) requester_id: MemberId,
    pub(super) special_group_sealed: Option<Vec<u8>>,
    pub(super) created_at: DateTime<Utc>,
}

/// Members of the district who may claim, are not gone, and say when they are free; by id.
///
/// # Errors
/// The database's.
pub(super) async fn members(
    db: &impl ConnectionTrait,
    district: &Subtree,
    which: Which<'_, MemberId>,
    now: DateTime<Utc>,
) -> Result<HashMap<MemberId, MemberFacts>, DbErr> {
    let rows = member::Entity::find()
        .select_only()
        .columns([
            member::Column::Id,
            member::Column::RegionCode,
            member::Column::BirthYear,
            member::Column::MaxHoursWeek,
            member::Column::HomeSealed,
            member::Column::OffersPaused,
        ])
        .filter(may_claim(district, which))
        .filter(Expr::exists(free_sometime()))
        .into_model::<MemberRow>()
        .all(db)
        .await?;
    let mut found: HashMap<MemberId, MemberFacts> =
        rows.into_iter().map(|row| (row.id, MemberFacts { row: Some(row), ..MemberFacts::default() })).collect();
    for row in availability::Entity::find().filter(of(availability::Column::MemberId, district, which)).all(db).await? {
        let minute = |minute: i16| u16::try_from(minute).unwrap_or(0);
        let span = DaySpan {
            weekday: u8::try_from(row.weekday).unwrap_or(1),
            from: minute(row.from_minute),
            until: minute(row.until_minute),
        };
        add(&mut found, row.member_id, |facts| facts.availability.push(span));
    }
    for row in member_skill::Entity::find().filter(of(member_skill::Column::MemberId, district, which)).all(db).await? {
        add(&mut found, row.member_id, |facts| facts.skills.push(row.skill));
    }
    let proofs = qualification::Entity::find()
        .select_only()
        .columns([
            qualification::Column::MemberId,
            qualification::Column::Kind,
            qualification::Column::Code,
            qualification::Column::ValidUntil,
        ])
        .filter(of(qualification::Column::MemberId, district, which))
        .into_model::<ProofRow>()
        .all(db)
        .await?;
    for row in proofs {
        add(&mut found, row.member_id, |facts| facts.proofs.push(row));
    }
    for row in claims(db, district, which, now).await? {
        add(&mut found, row.member_id, |facts| facts.claims.push(row));
    }
    Ok(found)
}

fn add(found: &mut HashMap<MemberId, MemberFacts>, member: MemberId, change: impl FnOnce(&mut MemberFacts)) {
    // Others who have skills cannot be matched.
    if let Some(facts) = found.get_mut(&member) {
        change(facts);
    }
}

fn may_claim(district: &Subtree, which: Which<'_, MemberId>) -> Condition {
    let region = || Expr::col((member::Entity, member::Column::RegionCode));
    let facets = Condition::any().add(member::Column::IsVolunteer.eq(true)).add(member::Column::IsPartyMember.eq(true));
    let may = Condition::all()
        .add(district.covers(region()))
        .add(facets)
        .add(member::Column::DisabledAt.is_null())
        .add(member::Column::ErasedAt.is_null())
        .add(member::Column::MergedInto.is_null());
    match which {
        Which::All => may,
        Which::These(ids) => may.add(member::Column::Id.is_in(ids.iter().copied())),
    }
}

fn free_sometime() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(availability::Entity)
        .and_where(
            Expr::col((availability::Entity, availability::Column::MemberId))
                .equals((member::Entity, member::Column::Id)),
        )
        .take()
}

/// Rows that belong to those who are asked for.
fn of(owner: impl sea_orm::ColumnTrait, district: &Subtree, which: Which<'_, MemberId>) -> Condition {
    match which {
        Which::These(ids) => Condition::all().add(owner.is_in(ids.iter().copied())),
        Which::All => {
            let here = Query::select()
                .column(member::Column::Id)
                .from(member::Entity)
                .cond_where(may_claim(district, Which::All))
                .take();
            Condition::all().add(owner.in_subquery(here))
        }
    }
}

async fn claims(
    db: &impl ConnectionTrait,
    district: &Subtree,
    which: Which<'_, MemberId>,
    now: DateTime<Utc>,
) -> Result<Vec<ClaimRow>, DbErr> {
    use claim::Column::{CreatedAt, MemberId as Member, Status, TaskId as Task, WindowFrom, WindowUntil};
    let served: RelationDef = claim::Entity::belongs_to(wish::Entity).from(Task).to(wish::Column::TaskId).into();
    let counts = Condition::any()
        .add(WindowUntil.gt(now - HOURS_COUNT))
        .add(CreatedAt.gt(now - RECENT))
        .add(Status.eq(ClaimStatus::NoShow))
        .add(wish::Column::Rating.is_not_null());
    claim::Entity::find()
        .select_only()
        .columns([Member, Task, Status, WindowFrom, WindowUntil, CreatedAt])
        .column_as(wish::Column::Rating, "rating")
        .join(JoinType::LeftJoin, served)
        .filter(of(Member, district, which))
        .filter(counts)
        .filter(Condition::any().add(Status.ne(ClaimStatus::Lapsed)).add(Expr::exists(taken_back()).not()))
        .into_model::<ClaimRow>()
        .all(db)
        .await
}

/// That staff took an offer back: as if nobody had been asked.
fn taken_back() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(offer::Entity)
        .and_where(Expr::col((offer::Entity, offer::Column::ClaimId)).equals((claim::Entity, claim::Column::Id)))
        .and_where(Expr::col((offer::Entity, offer::Column::WithdrawnAt)).is_not_null())
        .take()
}

/// Tasks of the district that may still be claimed or be free again.
///
/// # Errors
/// The database's.
pub(super) async fn tasks(
    db: &impl ConnectionTrait,
    district: &Subtree,
    which: Which<'_, TaskId>,
    now: DateTime<Utc>,
) -> Result<Vec<TaskFacts>, DbErr> {
    use task::Column;
    let alive = || alive(district, which, now);
    let rows = task::Entity::find().filter(alive()).all(db).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = || Query::select().column(Column::Id).from(task::Entity).cond_where(alive()).take();
    let mut skills: HashMap<TaskId, Vec<String>> = HashMap::new();
    let asked = task_skill::Entity::find().filter(task_skill::Column::TaskId.in_subquery(ids()));
    for row in asked.order_by_asc(task_skill::Column::Skill).all(db).await? {
        skills.entry(row.task_id).or_default().push(row.skill);
    }
    let mut hazards: HashMap<TaskId, Vec<String>> = HashMap::new();
    for row in task_hazard::Entity::find().filter(task_hazard::Column::TaskId.in_subquery(ids())).all(db).await? {
        hazards.entry(row.task_id).or_default().push(row.hazard);
    }
    let wishes = wish::Entity::find()
        .select_only()
        .columns([
            wish::Column::TaskId,
            wish::Column::RequesterId,
            wish::Column::SpecialGroupSealed,
            wish::Column::CreatedAt,
        ])
        .filter(wish::Column::TaskId.in_subquery(ids()))
        .into_model::<WishRow>()
        .all(db)
        .await?;
    let mut wishes: HashMap<TaskId, WishRow> =
        wishes.into_iter().filter_map(|wish| Some((wish.task_id?, wish))).collect();
    let facts = rows.into_iter().map(|row| TaskFacts {
        skills: skills.remove(&row.id).unwrap_or_default(),
        hazards: hazards.remove(&row.id).unwrap_or_default(),
        wish: wishes.remove(&row.id),
        row,
    });
    Ok(facts.collect())
}

fn alive(district: &Subtree, which: Which<'_, TaskId>, now: DateTime<Utc>) -> Condition {
    let alive = Condition::all()
        .add(district.covers(Expr::col((task::Entity, task::Column::RegionCode))))
        .add(task::Column::Status.is_in([TaskStatus::Open, TaskStatus::Full, TaskStatus::InProgress]))
        .add(task::Column::WindowUntil.gt(now));
    match which {
        Which::All => alive,
        Which::These(ids) => alive.add(task::Column::Id.is_in(ids.iter().copied())),
    }
}

/// Who may claim but never said when they are free.
///
/// # Errors
/// The database's.
pub(super) async fn silent(
    db: &impl ConnectionTrait,
    district: &Subtree,
    which: Which<'_, MemberId>,
) -> Result<Vec<MemberId>, DbErr> {
    member::Entity::find()
        .select_only()
        .column(member::Column::Id)
        .filter(may_claim(district, which))
        .filter(Expr::exists(free_sometime()).not())
        .into_tuple()
        .all(db)
        .await
}
