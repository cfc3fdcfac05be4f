//! The rows of a period.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::claim::{self, ClaimStatus};
use entity::id::MemberId;
use entity::member;
use entity::offer::{self, OfferSource};
use entity::service_record::{self, RecordStatus};
use entity::wish::{self, WishStatus};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType,
    PaginatorTrait as _, QueryFilter as _, QuerySelect as _, RelationDef,
};

use super::stats::{Fate, Wait};
use crate::calendar::Span;
use crate::crypto::Keys;
use crate::identity::sealed::open_special_group;
use crate::region::{RegionCode, Subtree};

/// What a wish that belongs to no special group counts under.
pub(super) const NO_GROUP: &str = "";

/// That a column lies in the subtree. The cast keeps SQLite from going by the region, through all there ever was, where an
/// index of the period is there.
fn lies_in(subtree: &Subtree, column: Expr) -> Expr {
    subtree.covers(column.cast_as("text"))
}

/// How wishes fared, in groups.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pub(super) all: Vec<Wait>,
    /// By code of the community (or of what is above it).
    pub(super) by_community: BTreeMap<String, Vec<Wait>>,
    pub(super) by_category: BTreeMap<Category, Vec<Wait>>,
    /// By code as it stands in the wish; [`NO_GROUP`] where there is none.
    pub(super) by_group: BTreeMap<String, Vec<Wait>>,
}

#[derive(FromQueryResult)]
pub(super) struct WishRow {
    region_code: String,
    category: Category,
    status: WishStatus,
    published_at: Option<DateTime<Utc>>,
    claimed_at: Option<DateTime<Utc>>,
    window_until: DateTime<Utc>,
    special_group_sealed: Option<Vec<u8>>,
    /// The first claim of its task that was ever accepted.
    accepted_at: Option<DateTime<Utc>>,
}

/// Wishes that were published in the period.
///
/// # Errors
/// The database's.
pub(super) async fn wishes(db: &impl ConnectionTrait, subtree: &Subtree, period: &Span) -> Result<Vec<WishRow>, DbErr> {
    use wish::Column::{
        Category, ClaimedAt, PublishedAt, RegionCode as Region, SpecialGroupSealed, Status, TaskId, WindowUntil,
    };
    let claims: RelationDef = wish::Entity::belongs_to(claim::Entity).from(TaskId).to(claim::Column::TaskId).into();
    wish::Entity::find()
        .select_only()
        .columns([Region, Category, Status, PublishedAt, ClaimedAt, WindowUntil, SpecialGroupSealed])
        .column_as(Expr::col((claim::Entity, claim::Column::AcceptedAt)).min(), "accepted_at")
        .join(JoinType::LeftJoin, claims)
        .filter(PublishedAt.gte(period.start))
        .filter(PublishedAt.lt(period.end))
        .filter(lies_in(subtree, Expr::col((wish::Entity, Region))))
        .group_by(wish::Column::Id)
        .group_by(Region)
        .group_by(Category)
        .group_by(Status)
        .group_by(PublishedAt)
        .group_by(ClaimedAt)
        .group_by(WindowUntil)
        .group_by(SpecialGroupSealed)
        .into_model()
        .all(db)
        .await
}

/// Sorts them into groups. Opens what is sealed, so it belongs outside the workers.
pub(super) fn sort(rows: Vec<WishRow>, keys: &Keys, now: DateTime<Utc>) -> Waits {
    let mut waits = Waits::default();
    for row in rows {
        let Some(wait) = wait(&row, now) else { continue };
        let place = RegionCode::parse(&row.region_code).ok();
        let community = place.and_then(|place| place.community()).map_or(row.region_code, String::from);
        // What another key sealed is no group that could be told.
        let sealed = row.special_group_sealed.as_deref();
        let group = sealed.and_then(|sealed| open_special_group(keys, sealed).ok());
        waits.by_community.entry(community).or_default().push(wait);
        waits.by_category.entry(row.category).or_default().push(wait);
        waits.by_group.entry(group.unwrap_or_else(|| NO_GROUP.to_owned())).or_default().push(wait);
        waits.all.push(wait);
    }
    waits
}

fn wait(row: &WishRow, now: DateTime<Utc>) -> Option<Wait> {
    let published = row.published_at?;
    let first = [row.accepted_at, row.claimed_at].into_iter().flatten().min();
    let (fate, until) = match (row.status, first) {
        // Whoever withdrew helped nobody: the wish waits on.
        (WishStatus::Published, _) => (Fate::Waiting, now),
        (WishStatus::Expired, _) => (Fate::Expired, row.window_until),
        (_, Some(first)) => (Fate::Met, first),
        (WishStatus::Cancelled | WishStatus::Rejected | WishStatus::Submitted, None) => (Fate::Cancelled, published),
        // Imported as done, without a word of when it was taken up.
        (_, None) => return None,
    };
    Some(Wait { fate, minutes: Ord::max((until - published).num_minutes(), 0) })
}

/// Minutes and records of each volunteer of the region who served in the period.
///
/// # Errors
/// The database's.
pub(super) async fn work(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    period: &Span,
) -> Result<Vec<(i64, i64)>, DbErr> {
    use service_record::Column::{EndedAt, MemberId as Of, Minutes, Status};
    let of_member: RelationDef =
        service_record::Entity::belongs_to(member::Entity).from(Of).to(member::Column::Id).into();
    let rows: Vec<(MemberId, i64, i64)> = service_record::Entity::find()
        .select_only()
        .column(Of)
        .column_as(Expr::col((service_record::Entity, Minutes)).sum().cast_as("bigint"), "minutes")
        .column_as(service_record::Column::Id.count(), "records")
        .join(JoinType::InnerJoin, of_member)
        .filter(Status.eq(RecordStatus::Verified))
        .filter(EndedAt.gte(period.start))
        .filter(EndedAt.lt(period.end))
        .filter(may_claim())
        .filter(lies_in(subtree, Expr::col((member::Entity, member::Column::RegionCode))))
        .group_by(Of)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(_, minutes, records)| (minutes, records)).collect())
}

/// How many volunteers the region has now.
///
/// # Errors
/// The database's.
pub(super) async fn volunteers(db: &impl ConnectionTrait, subtree: &Subtree) -> Result<usize, DbErr> {
    let here = subtree.covers(Expr::col((member::Entity, member::Column::RegionCode)));
    let count = member::Entity::find().filter(may_claim()).filter(here).count(db).await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn may_claim() -> Condition {
    let may = Condition::any().add(member::Column::IsVolunteer.eq(true)).add(member::Column::IsPartyMember.eq(true));
    Condition::all()
        .add(may)
        .add(member::Column::DisabledAt.is_null())
        .add(member::Column::ErasedAt.is_null())
        .add(member::Column::MergedInto.is_null())
}

/// Offers made in the period, by who made them (`None`: staff by hand) and what became of them.
///
/// # Errors
/// The database's.
pub(super) async fn offers(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    period: &Span,
    now: DateTime<Utc>,
) -> Result<Vec<(Option<OfferSource>, ClaimStatus, i64)>, DbErr> {
    use claim::Column::{CreatedAt, Id, OfferExpiresAt, RegionCode as Region, Status};
    let made: RelationDef = claim::Entity::belongs_to(offer::Entity).from(Id).to(offer::Column::ClaimId).into();
    let counted = |query: sea_orm::Select<claim::Entity>| {
        query
            .select_only()
            .column(offer::Column::Source)
            .column(Status)
            .column_as(Expr::col((claim::Entity, Id)).count(), "offers")
            .join(JoinType::LeftJoin, made.clone())
            .filter(CreatedAt.gte(period.start))
            .filter(CreatedAt.lt(period.end))
            .filter(lies_in(subtree, Expr::col((claim::Entity, Region))))
            .group_by(offer::Column::Source)
            .group_by(Status)
    };
    let made = counted(claim::Entity::find().filter(OfferExpiresAt.is_not_null()));
    let mut rows: Vec<(Option<OfferSource>, ClaimStatus, i64)> = made.into_tuple().all(db).await?;
    // Those that ran out and that no job has seen yet.
    let ran_out = claim::Entity::find().filter(Status.eq(ClaimStatus::Offered)).filter(OfferExpiresAt.lte(now));
    let over: Vec<(Option<OfferSource>, ClaimStatus, i64)> = counted(ran_out).into_tuple().all(db).await?;
    for (source, _, count) in over {
        rows.push((source, ClaimStatus::Offered, -count));
        rows.push((source, ClaimStatus::Lapsed, count));
    }
    Ok(rows)
}
