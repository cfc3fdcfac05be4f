//! Finding what on the lists meets a wish or a need, and what a resource or service would meet: five queries, however many pairs.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{ListingId, WishId};
use entity::listing::{self, ListingKind, ListingStatus};
use entity::wish::{self, WishStatus};
use entity::wish_skill;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::match_view::{AskerKind, AskerMatchView, ListingMatchView, Matches, NoMatch};
use super::matches::{About, Basis, content, near, worth};
use super::meaning::{Meaning, Reach};
use super::opening::{Opening, Schedule};
use super::service::skills_of;
use super::waitlist;
use crate::calendar::Calendar;
use crate::region::Subtree;
use crate::task::view::WindowView;

/// As many listings or wishes of a district are looked at, the newest first.
const MOST: u64 = 5_000;

/// What asks: a wish, or one opening of a need.
#[derive(Clone, Debug)]
pub struct Asker {
    pub about: About,
    pub region: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Asker {
    fn need_minutes(&self) -> u32 {
        u32::try_from((self.until - self.from).num_minutes()).unwrap_or(u32::MAX)
    }
}

/// A listing with what it is about.
#[derive(Clone, Debug)]
pub struct Offered {
    pub row: listing::Model,
    pub schedule: Schedule,
    pub about: About,
}

/// Published resources and services within `reach` that hold at some time in `[from, until)`.
///
/// # Errors
/// The database's.
pub async fn offered(
    db: &impl ConnectionTrait,
    meaning: &Meaning,
    calendar: Calendar,
    reach: &Reach,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Offered>, DbErr> {
    let kinds = [ListingKind::Resource, ListingKind::Service];
    let rows = published(db, reach, &kinds, (from, until)).await?;
    with_meaning(db, meaning, calendar, rows).await
}

async fn published(
    db: &impl ConnectionTrait,
    reach: &Reach,
    kinds: &[ListingKind],
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<listing::Model>, DbErr> {
    use listing::Column::{Id, Kind, RegionCode as At, Status, WindowFrom, WindowUntil};
    listing::Entity::find()
        .filter(Status.eq(ListingStatus::Published))
        .filter(Kind.is_in(kinds.iter().copied()))
        .filter(reach.covers(&Expr::col((listing::Entity, At))))
        .filter(WindowFrom.lt(until))
        .filter(WindowUntil.gt(from))
        .order_by_desc(Id)
        .limit(MOST)
        .all(db)
        .await
}

/// Listings with their skills, and what they are about.
///
/// # Errors
/// The database's.
pub async fn with_meaning(
    db: &impl ConnectionTrait,
    meaning: &Meaning,
    calendar: Calendar,
    rows: Vec<listing::Model>,
) -> Result<Vec<Offered>, DbErr> {
    let mut skills: HashMap<ListingId, Vec<String>> = HashMap::new();
    for (id, skill) in skills_of(db, rows.iter().map(|row| row.id)).await? {
        skills.entry(id).or_default().push(skill);
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            let own = skills.remove(&row.id).unwrap_or_default();
            let about = meaning.about((&row.title, &row.body), &own, row.domain.as_deref(), row.category);
            Offered { schedule: Schedule::of(&row, calendar), about, row }
        })
        .collect())
}

/// How far a listing that is there came on the way to a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Skill,
    Time,
    Capacity,
}

/// The listings that meet `asker`, best score first, then by what is left, then by id; and why there are none.
///
/// # Errors
/// The database's.
pub async fn listings_for(
    db: &impl ConnectionTrait,
    asker: &Asker,
    offered: &[Offered],
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Matches<ListingMatchView>, DbErr> {
    let mut reached = None;
    let mut fitting = Vec::new();
    for offer in offered {
        let Some(near) = near(&asker.region, &offer.row.region_code) else { continue };
        reached = reached.max(Some(Reached::Skill));
        let Some(content) = content(&asker.about, &offer.about) else { continue };
        reached = reached.max(Some(Reached::Time));
        let free = offer.schedule.open_minutes(asker.from, asker.until);
        let Some(score) = worth(content, near, asker.need_minutes(), free) else { continue };
        let bookable = |opening: &Opening| offer.schedule.held_until(*opening) > now;
        let Some(opening) = offer.schedule.first(asker.from.max(now), asker.until, bookable) else { continue };
        reached = reached.max(Some(Reached::Capacity));
        fitting.push((score, offer, opening));
    }
    let periods: HashMap<_, _> = waitlist::periods(db, fitting.iter().map(|(_, offer, _)| offer.row.id))
        .await?
        .into_iter()
        .map(|period| ((period.listing_id, period.starts_at), period))
        .collect();
    let mut items: Vec<_> = fitting
        .into_iter()
        .filter_map(|(score, offer, opening)| {
            let left = match periods.get(&(offer.row.id, offer.schedule.period_of(opening))) {
                Some(period) if period.waiting > 0 => 0,
                Some(period) => period.capacity - period.taken,
                None => offer.row.capacity,
            };
            (left > 0).then(|| ListingMatchView {
                listing_id: offer.row.id,
                kind: offer.row.kind,
                title: offer.row.title.clone(),
                region_code: offer.row.region_code.clone(),
                score: score.total(),
                basis: score.basis,
                factors: score.factors([("capacity", i64::from(left))]),
                opening: WindowView { from: opening.starts_at, until: opening.ends_at },
                left,
            })
        })
        .collect();
    items.sort_by(|one, other| {
        other.score.cmp(&one.score).then(other.left.cmp(&one.left)).then(one.listing_id.cmp(&other.listing_id))
    });
    items.truncate(limit);
    Ok(Matches::of(
        items,
        match reached {
            None => NoMatch::NothingThere,
            Some(Reached::Skill) => NoMatch::NoSkill,
            Some(Reached::Time) => NoMatch::NoTime,
            Some(Reached::Capacity) => NoMatch::NoCapacity,
        },
    ))
}

/// What of a wish asks; `None` once nothing more is to be found for it.
pub fn asker_of_wish(row: &wish::Model, skills: &[String], meaning: &Meaning, now: DateTime<Utc>) -> Option<Asker> {
    let open = matches!(row.status, WishStatus::Submitted | WishStatus::Published | WishStatus::Claimed);
    (open && row.window_until > now).then(|| Asker {
        about: meaning.about((&row.title, &row.body), skills, row.domain.as_deref(), row.category),
        region: row.region_code.clone(),
        from: row.window_from,
        until: row.window_until,
    })
}

/// What of a need asks: its next opening of at most a day, else, where it says no hours, the next day of its window.
fn asker_of_need(need: &Offered, now: DateTime<Utc>) -> Option<Asker> {
    let next = need.schedule.first(now, need.row.window_until, |opening| opening.ends_at > now)?;
    let from = next.starts_at.max(now);
    let until = if next.minutes() > 24 * 60 { next.ends_at.min(from + TimeDelta::hours(24)) } else { next.ends_at };
    let from = if next.minutes() > 24 * 60 { from } else { next.starts_at };
    (until > from).then(|| Asker { about: need.about.clone(), region: need.row.region_code.clone(), from, until })
}

/// What meets a need: resources and services of its district.
///
/// # Errors
/// The database's.
pub async fn for_need(
    db: &impl ConnectionTrait,
    meaning: &Meaning,
    calendar: Calendar,
    need: listing::Model,
    (staff, limit): (Option<Subtree>, usize),
    now: DateTime<Utc>,
) -> Result<Matches<ListingMatchView>, DbErr> {
    let reach = Reach::new(&need.region_code, staff)?;
    let open = matches!(need.status, ListingStatus::Draft | ListingStatus::Published);
    let Some(need) = with_meaning(db, meaning, calendar, vec![need]).await?.pop().filter(|_| open) else {
        return Ok(Matches::of(Vec::new(), NoMatch::Over));
    };
    let Some(asker) = asker_of_need(&need, now) else { return Ok(Matches::of(Vec::new(), NoMatch::Over)) };
    let offered = offered(db, meaning, calendar, &reach, (asker.from.max(now), asker.until)).await?;
    listings_for(db, &asker, &offered, limit, now).await
}

/// What meets a wish.
///
/// # Errors
/// The database's.
pub async fn for_wish(
    db: &impl ConnectionTrait,
    meaning: &Meaning,
    calendar: Calendar,
    (row, skills): (&wish::Model, &[String]),
    (staff, limit): (Option<Subtree>, usize),
    now: DateTime<Utc>,
) -> Result<Matches<ListingMatchView>, DbErr> {
    let Some(asker) = asker_of_wish(row, skills, meaning, now) else {
        return Ok(Matches::of(Vec::new(), NoMatch::Over));
    };
    let reach = Reach::new(&row.region_code, staff)?;
    let offered = offered(db, meaning, calendar, &reach, (asker.from.max(now), asker.until)).await?;
    listings_for(db, &asker, &offered, limit, now).await
}

/// The wishes and needs of its district that a resource or service would meet, best first, then who has waited longest.
/// Submitted wishes are for staff.
///
/// # Errors
/// The database's.
pub async fn for_listing(
    db: &impl ConnectionTrait,
    meaning: &Meaning,
    calendar: Calendar,
    row: listing::Model,
    (staff, limit): (Option<Subtree>, usize),
    now: DateTime<Utc>,
) -> Result<Matches<AskerMatchView>, DbErr> {
    let reach = Reach::new(&row.region_code, staff)?;
    let open = matches!(row.status, ListingStatus::Draft | ListingStatus::Published) && row.window_until > now;
    let span = (row.window_from.max(now), row.window_until);
    let Some(offer) = with_meaning(db, meaning, calendar, vec![row]).await?.pop().filter(|_| open) else {
        return Ok(Matches::of(Vec::new(), NoMatch::Over));
    };
    let mut askers = wishes(db, meaning, &reach, span).await?;
    let needs = published(db, &reach, &[ListingKind::Need], span).await?;
    for need in with_meaning(db, meaning, calendar, needs).await? {
        let Some(asker) = asker_of_need(&need, now) else { continue };
        let view = blank(AskerKind::Need, &need.row.title, &asker, need.row.created_at);
        askers.push((AskerMatchView { listing_id: Some(need.row.id), ..view.0 }, view.1, asker));
    }
    let taken: HashMap<_, _> =
        waitlist::periods(db, [offer.row.id]).await?.into_iter().map(|period| (period.starts_at, period)).collect();
    let mut reached = None;
    let mut items = Vec::new();
    for (view, since, asker) in askers {
        let Some(near) = near(&asker.region, &offer.row.region_code) else { continue };
        reached = reached.max(Some(Reached::Skill));
        let Some(content) = content(&asker.about, &offer.about) else { continue };
        reached = reached.max(Some(Reached::Time));
        let free = offer.schedule.open_minutes(asker.from, asker.until);
        let Some(score) = worth(content, near, asker.need_minutes(), free) else { continue };
        reached = reached.max(Some(Reached::Capacity));
        let free_then = offer.schedule.first(asker.from.max(now), asker.until, |opening| {
            taken.get(&offer.schedule.period_of(*opening)).is_none_or(|period| period.taken < period.capacity)
        });
        if free_then.is_none() {
            continue;
        }
        let hours = (now - since).num_hours().max(0);
        let (basis, factors) = (score.basis, score.factors([("wait", hours)]));
        items.push((since, AskerMatchView { score: score.total(), basis, factors, ..view }));
    }
    items.sort_by(|(one_since, one), (other_since, other)| {
        let name = |view: &AskerMatchView| (view.kind as u8, view.task_id, view.listing_id);
        other.score.cmp(&one.score).then(one_since.cmp(other_since)).then(name(one).cmp(&name(other)))
    });
    items.truncate(limit);
    let items = items.into_iter().map(|(_, view)| view).collect();
    Ok(Matches::of(
        items,
        match reached {
            None => NoMatch::NothingThere,
            Some(Reached::Skill) => NoMatch::NoSkill,
            Some(Reached::Time) => NoMatch::NoTime,
            Some(Reached::Capacity) => NoMatch::NoCapacity,
        },
    ))
}

fn blank(kind: AskerKind, title: &str, asker: &Asker, since: DateTime<Utc>) -> (AskerMatchView, DateTime<Utc>) {
    let view = AskerMatchView {
        kind,
        wish_id: None,
        listing_id: None,
        task_id: None,
        title: title.to_owned(),
        region_code: asker.region.clone(),
        window: WindowView { from: asker.from, until: asker.until },
        score: 0,
        basis: Basis::Category,
        factors: Vec::new(),
    };
    (view, since)
}

async fn wishes(
    db: &impl ConnectionTrait,
    meaning: &Meaning,
    reach: &Reach,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<(AskerMatchView, DateTime<Utc>, Asker)>, DbErr> {
    use wish::Column::{Id, RegionCode as At, Status, WindowFrom, WindowUntil};
    let open = |status: WishStatus| Status.eq(status);
    let status = Condition::any().add(open(WishStatus::Published));
    let status = if reach.is_staff() { status.add(open(WishStatus::Submitted)) } else { status };
    let rows = wish::Entity::find()
        .filter(status)
        .filter(reach.covers(&Expr::col((wish::Entity, At))))
        .filter(WindowFrom.lt(until))
        .filter(WindowUntil.gt(from))
        .order_by_desc(Id)
        .limit(MOST)
        .all(db)
        .await?;
    let pairs: Vec<(WishId, String)> = wish_skill::Entity::find()
        .select_only()
        .columns([wish_skill::Column::WishId, wish_skill::Column::Skill])
        .filter(wish_skill::Column::WishId.is_in(rows.iter().map(|row| row.id)))
        .into_tuple()
        .all(db)
        .await?;
    let mut skills: HashMap<WishId, Vec<String>> = HashMap::new();
    for (id, skill) in pairs {
        skills.entry(id).or_default().push(skill);
    }
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let own = skills.remove(&row.id).unwrap_or_default();
            let asker = asker_of_wish(&row, &own, meaning, from)?;
            let (view, since) = blank(AskerKind::Wish, &row.title, &asker, row.created_at);
            let view = AskerMatchView { wish_id: reach.is_staff().then_some(row.id), task_id: row.task_id, ..view };
            Some((view, since, asker))
        })
        .collect())
}
