//! Reading listings and bookings: filters, order, pages, and what else belongs to a row.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::booking::{self, BookingStatus};
use entity::category::Category;
use entity::id::{BookingId, ListingId, MemberId, StationId, UnitId};
use entity::listing::{self, ListingKind, ListingStatus, OwnerKind};
use entity::listing_skill;
use entity::{member, station, unit};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Deserialize;
use utoipa::IntoParams;
use validator::Validate;

use super::booking::sees_booking;
use super::error::ListingError;
use super::opening::Schedule;
use super::service::{find, sees, skills_of};
use super::view::{BookingView, ListingView, OpeningView, OwnerView, RoundView};
use super::{round, waitlist};
use crate::calendar::Calendar;
use crate::crypto::Keys;
use crate::http::{Instant, Line, Listing, Page, Problem};
use crate::identity::{Caller, Scope, mask, sealed};
use crate::region::{RegionCode, Subtree, containing};
use crate::task::view::WindowView;
use crate::taxonomy;

/// Which listings, newest first.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListingQuery {
    /// A code of the region's lists (`GET /list-profiles`): what stands on that list.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub list: Option<Line<32>>,
    #[param(inline)]
    pub kind: Option<ListingKind>,
    #[param(inline)]
    pub status: Option<ListingStatus>,
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    pub region: Option<RegionCode>,
    pub category: Option<Category>,
    /// A code of the list `domain`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub domain: Option<Line<32>>,
    /// A code of the list `skill`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub skill: Option<Line<32>>,
    #[param(inline)]
    pub owner: Option<OwnerKind>,
    /// Only those that the caller provides.
    pub mine: Option<bool>,
    /// Part of title or body.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub q: Option<Line<100>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// A page of listings that `caller` may see.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn listings(
    db: &impl ConnectionTrait,
    caller: &Caller,
    query: &ListingQuery,
) -> Result<Listing<ListingView>, Problem> {
    // A merged code is taken as what it became, and listings that carry an old one are found too.
    let skills = match &query.skill {
        Some(skill) => taxonomy::equivalents(db, "skill", skill).await?,
        None => Vec::new(),
    };
    let mut select = listing::Entity::find().filter(sees(caller)).filter(filters(query, skills));
    if let (Some(true), Caller::Member(member)) = (query.mine, caller) {
        select = select.filter(listing::Column::MemberId.eq(member.id));
    }
    if let Some(after) = query.page.after::<ListingId>()? {
        select = select.filter(listing::Column::Id.lt(after));
    }
    let rows = select.order_by_desc(listing::Column::Id).limit(query.page.limit() + 1).all(db).await?;
    let Listing { items, next_cursor } = Listing::cut(rows, &query.page, |row| row.id);
    Ok(Listing { items: views(db, caller, items).await?, next_cursor })
}

fn filters(query: &ListingQuery, skills: Vec<String>) -> Condition {
    use listing::Column::{Body, Domain, Id, Kind, OwnerKind, RegionCode, Status, Title};
    let skill = query.skill.as_ref().map(|_| {
        let with = Query::select()
            .column(listing_skill::Column::ListingId)
            .from(listing_skill::Entity)
            .and_where(listing_skill::Column::Skill.is_in(skills))
            .take();
        Id.in_subquery(with)
    });
    let part = query
        .q
        .as_ref()
        .map(|part| Condition::any().add(Title.like(containing(part))).add(Body.like(containing(part))));
    Condition::all()
        .add_option(query.kind.map(|kind| Kind.eq(kind)))
        .add_option(query.status.map(|status| Status.eq(status)))
        .add_option(
            query.region.as_ref().map(|region| Subtree::of(region).covers(Expr::col((listing::Entity, RegionCode)))),
        )
        .add_option(query.category.map(|category| listing::Column::Category.eq(category)))
        .add_option(query.domain.as_ref().map(|domain| Domain.eq(domain.as_str())))
        .add_option(skill)
        .add_option(query.owner.map(|owner| OwnerKind.eq(owner)))
        .add_option(part)
}

/// Rows as `caller` sees them in a list.
///
/// # Errors
/// The database's.
pub async fn views(
    db: &impl ConnectionTrait,
    caller: &Caller,
    rows: Vec<listing::Model>,
) -> Result<Vec<ListingView>, DbErr> {
    let mut skills: HashMap<ListingId, Vec<String>> = HashMap::new();
    for (id, skill) in skills_of(db, rows.iter().map(|row| row.id)).await? {
        skills.entry(id).or_default().push(skill);
    }
    let names = Names::of(db, &rows).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let owner = names.owner(&row, caller);
            let own = skills.remove(&row.id).unwrap_or_default();
            ListingView::new(row, own, owner)
        })
        .collect())
}

/// What providers are called.
struct Names {
    units: HashMap<UnitId, String>,
    stations: HashMap<StationId, String>,
    members: HashMap<MemberId, Option<String>>,
}

impl Names {
    async fn of(db: &impl ConnectionTrait, rows: &[listing::Model]) -> Result<Self, DbErr> {
        let units: Vec<_> = rows.iter().filter_map(|row| row.unit_id).collect();
        let stations: Vec<_> = rows.iter().filter_map(|row| row.station_id).collect();
        let mut names = Self {
            units: HashMap::new(),
            stations: HashMap::new(),
            members: names(db, rows.iter().filter_map(|row| row.member_id)).await?,
        };
        if !units.is_empty() {
            let found = unit::Entity::find().filter(unit::Column::Id.is_in(units)).all(db).await?;
            names.units = found.into_iter().map(|unit| (unit.id, unit.name)).collect();
        }
        if !stations.is_empty() {
            let found = station::Entity::find().filter(station::Column::Id.is_in(stations)).all(db).await?;
            names.stations = found.into_iter().map(|station| (station.id, station.name)).collect();
        }
        Ok(names)
    }

    fn owner(&self, row: &listing::Model, caller: &Caller) -> OwnerView {
        let (id, name) = match row.owner_kind {
            OwnerKind::Community => (None, None),
            OwnerKind::Unit => (row.unit_id.map(|id| id.0), row.unit_id.and_then(|id| self.units.get(&id).cloned())),
            OwnerKind::Station => {
                (row.station_id.map(|id| id.0), row.station_id.and_then(|id| self.stations.get(&id).cloned()))
            }
            OwnerKind::Member => {
                let shown = match caller {
                    Caller::Staff(_) => true,
                    Caller::Member(member) => row.member_id == Some(member.id),
                };
                let name = row.member_id.and_then(|id| self.members.get(&id).cloned().flatten());
                (row.member_id.filter(|_| shown).map(|id| id.0), Some(mask::name(name.as_deref())))
            }
        };
        OwnerView { kind: row.owner_kind, id, name }
    }
}

async fn names(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = MemberId>,
) -> Result<HashMap<MemberId, Option<String>>, DbErr> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(MemberId, Option<String>)> = member::Entity::find()
        .select_only()
        .columns([member::Column::Id, member::Column::Name])
        .filter(member::Column::Id.is_in(ids))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().collect())
}

/// One listing with all that `caller` may see of it.
///
/// # Errors
/// The database's.
pub async fn detail(
    db: &impl ConnectionTrait,
    keys: &Keys,
    caller: &Caller,
    row: listing::Model,
) -> Result<ListingView, DbErr> {
    let insider = match caller {
        Caller::Staff(_) => true,
        Caller::Member(member) => row.member_id == Some(member.id),
    };
    let group = row.special_group_sealed.clone().filter(|_| insider);
    let (id, kind) = (row.id, row.kind);
    let mut view = views(db, caller, vec![row]).await?.into_iter().next().ok_or_else(lost)?;
    view.special_group = group.and_then(|group| sealed::open_special_group(keys, &group).ok());
    if kind == ListingKind::Need {
        let tasks = round::tasks_of(db, id).await?;
        let round = |task: entity::task::Model| RoundView {
            task_id: task.id,
            window: WindowView { from: task.window_from, until: task.window_until },
            slots: task.slots,
            taken: task.taken,
            status: task.status,
        };
        view.tasks = Some(tasks.into_iter().map(round).collect());
    }
    Ok(view)
}

fn lost() -> DbErr {
    DbErr::RecordNotFound("a row that was just read".into())
}

/// Which openings.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OpeningQuery {
    /// Those that end after this instant; now where it is not given.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Instant>,
    /// Those that begin before this one, at most 92 days later; 14 days later where it is not given.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// When a listing is open and what is left, earliest first.
///
/// # Errors
/// [`ListingError::NotFound`] as a 404; 422 for a forged cursor.
pub async fn openings(
    db: &impl ConnectionTrait,
    calendar: Calendar,
    row: &listing::Model,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    page: &Page,
    now: DateTime<Utc>,
) -> Result<Listing<OpeningView>, Problem> {
    let schedule = Schedule::of(row, calendar);
    let mut found = schedule.between(from, until);
    if let Some(after) = page.after::<DateTime<Utc>>()? {
        found.retain(|opening| opening.starts_at > after);
    }
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX).saturating_add(1);
    found.truncate(limit);
    let periods: HashMap<_, _> =
        waitlist::periods(db, [row.id]).await?.into_iter().map(|period| (period.starts_at, period)).collect();
    let open = row.status == ListingStatus::Published && row.kind != ListingKind::Need;
    let view = |opening| {
        let bookable = open && schedule.held_until(opening) > now;
        match periods.get(&schedule.period_of(opening)) {
            Some(period) => OpeningView::new(opening, period.capacity, period.taken, period.waiting, bookable),
            None => OpeningView::new(opening, row.capacity, 0, 0, bookable),
        }
    };
    Ok(Listing::cut(found.into_iter().map(view).collect(), page, |last: &OpeningView| last.starts_at))
}

/// Which bookings, newest first.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BookingQuery {
    #[param(value_type = Option<uuid::Uuid>)]
    pub listing: Option<ListingId>,
    #[param(inline)]
    pub status: Option<BookingStatus>,
    /// On listings of this region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    pub region: Option<RegionCode>,
    #[param(value_type = Option<uuid::Uuid>)]
    pub member: Option<MemberId>,
    /// Openings that end after this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Instant>,
    /// Openings that begin before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// A page of bookings within `scope`; with `own`, only those for that member.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn bookings(
    db: &impl ConnectionTrait,
    scope: &Scope,
    own: Option<MemberId>,
    query: &BookingQuery,
) -> Result<Listing<BookingView>, Problem> {
    use booking::Column::{EndsAt, Id, ListingId, MemberId, RegionCode, StartsAt, Status};
    let region = query.region.as_ref();
    let wanted = Condition::all()
        .add_option(own.map(|own| MemberId.eq(own)))
        .add_option(query.listing.map(|listing| ListingId.eq(listing)))
        .add_option(query.status.map(|status| Status.eq(status)))
        .add_option(query.member.map(|member| MemberId.eq(member)))
        .add_option(region.map(|region| Subtree::of(region).covers(Expr::col((booking::Entity, RegionCode)))))
        .add_option(query.from.map(|from| EndsAt.gt(*from)))
        .add_option(query.until.map(|until| StartsAt.lt(*until)));
    let mut select = booking::Entity::find().filter(sees_booking(scope)).filter(wanted);
    if let Some(after) = query.page.after::<BookingId>()? {
        select = select.filter(Id.lt(after));
    }
    let rows = select.order_by_desc(Id).limit(query.page.limit() + 1).all(db).await?;
    let Listing { items, next_cursor } = Listing::cut(rows, &query.page, |row| row.id);
    Ok(Listing { items: booking_views(db, scope, items).await?, next_cursor })
}

async fn booking_views(
    db: &impl ConnectionTrait,
    scope: &Scope,
    rows: Vec<booking::Model>,
) -> Result<Vec<BookingView>, DbErr> {
    let titles: Vec<(ListingId, String)> = listing::Entity::find()
        .select_only()
        .columns([listing::Column::Id, listing::Column::Title])
        .filter(listing::Column::Id.is_in(rows.iter().map(|row| row.listing_id)))
        .into_tuple()
        .all(db)
        .await?;
    let titles: HashMap<_, _> = titles.into_iter().collect();
    let names = names(db, rows.iter().map(|row| row.member_id)).await?;
    let mut views = Vec::with_capacity(rows.len());
    for mut row in rows {
        let title = titles.get(&row.listing_id).cloned().unwrap_or_default();
        let name = mask::name(names.get(&row.member_id).and_then(Option::as_deref));
        // Whoever provides it need not know which wish it is for.
        row.wish_id = row.wish_id.filter(|_| !matches!(scope, Scope::Member(member) if *member != row.member_id));
        let position = waitlist::position(db, &row).await?;
        views.push(BookingView::new(row, title, name, position));
    }
    Ok(views)
}

/// One booking as `scope` sees it.
///
/// # Errors
/// The database's.
pub async fn booking_view(db: &impl ConnectionTrait, scope: &Scope, row: booking::Model) -> Result<BookingView, DbErr> {
    booking_views(db, scope, vec![row]).await?.into_iter().next().ok_or_else(lost)
}

/// A listing for a read, as [`find`].
///
/// # Errors
/// [`ListingError::NotFound`].
pub async fn listing(
    db: &impl ConnectionTrait,
    caller: &Caller,
    id: ListingId,
) -> Result<listing::Model, ListingError> {
    find(db, caller, id).await
}
