//! Finding what on the lists meets a wish or a need, and what a resource or service would meet: five queries, however many pairs.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::category::Category;
use entity::id::{ListingId, TaskId, WishId};
use entity::listing::{self, ListingKind, ListingStatus};
use entity::wish::{self, WishStatus};
use entity::wish_skill;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::matches::{About, Basis, ListFactor, content, near, worth};
use super::opening::{Opening, Schedule};
use super::service::skills_of;
use super::waitlist;
use crate::calendar::Calendar;
use crate::region::{RegionCode, Subtree};
use crate::task::view::WindowView;
use crate::taxonomy::{Merged, WordList, guess, merged};

/// As many listings or wishes of a district are looked at, the newest first.
const MOST: u64 = 5_000;

/// How many to show.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MatchQuery {
    /// 1 to 100, 20 where it is not given.
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u16>,
}

impl MatchQuery {
    pub(super) fn limit(&self) -> usize {
        usize::from(self.limit.unwrap_or(20))
    }
}

/// Why there is no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoMatch {
    /// The wish, the need or the listing is over, or not published.
    Over,
    /// Nothing is on the lists of the district at that time, or nobody asks.
    NothingThere,
    /// Skills, domain and category fit nothing that is there.
    NoSkill,
    /// What would fit is closed at that time.
    NoTime,
    /// What would fit is taken.
    NoCapacity,
}

impl NoMatch {
    /// For people.
    const fn words(self) -> &'static str {
        match self {
            Self::Over => "已结束或未发布，不再匹配",
            Self::NothingThere => "本区此时清单上没有可匹配的内容，可以联系站点工作人员",
            Self::NoSkill => "清单上没有技能或领域相符的内容，可以补充技能，或联系站点工作人员",
            Self::NoTime => "相符的资源和服务在该时段不开放，可以换个时间",
            Self::NoCapacity => "相符的资源和服务在该时段名额已满，可以换个时间或候补",
        }
    }
}

/// A resource or service that would meet a wish or a need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListingMatchView {
    pub listing_id: ListingId,
    pub kind: ListingKind,
    pub title: String,
    pub region_code: String,
    /// 0 to 100: the sum of the factors that have a `max`.
    pub score: u8,
    pub basis: Basis,
    pub factors: Vec<ListFactor>,
    /// The opening to book.
    pub opening: WindowView,
    /// What is left of it.
    pub left: i32,
}

/// What asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskerKind {
    Wish,
    Need,
}

/// A wish or a need that a resource or service would meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AskerMatchView {
    pub kind: AskerKind,
    /// For staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wish_id: Option<WishId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// Of a published wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    pub title: String,
    pub region_code: String,
    pub window: WindowView,
    /// 0 to 100: the sum of the factors that have a `max`.
    pub score: u8,
    pub basis: Basis,
    pub factors: Vec<ListFactor>,
}

/// The best matches, and where there are none, why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Matches<T> {
    pub items: Vec<T>,
    /// Null where there are items.
    pub reason: Option<NoMatch>,
    /// The reason for people: what to do next.
    pub detail: Option<&'static str>,
}

impl<T> Matches<T> {
    pub(super) fn of(items: Vec<T>, why: NoMatch) -> Self {
        let reason = items.is_empty().then_some(why);
        Self { items, reason, detail: reason.map(NoMatch::words) }
    }
}

/// What texts and codes mean at this moment.
#[derive(Clone)]
pub struct Meaning {
    pub words: Arc<WordList>,
    pub skills: Merged,
    pub domains: Merged,
}

impl Meaning {
    /// With the words given.
    ///
    /// # Errors
    /// The database's.
    pub async fn load(db: &impl ConnectionTrait, words: Arc<WordList>) -> Result<Self, DbErr> {
        Ok(Self { words, skills: merged(db, "skill").await?, domains: merged(db, "domain").await? })
    }

    /// What something is about: its codes, or what its words say.
    pub fn about(
        &self,
        (title, body): (&str, &str),
        skills: &[String],
        domain: Option<&str>,
        category: Category,
    ) -> About {
        let domain = domain.map(|domain| self.domains.canonical(domain).to_owned());
        let skills = self.skills.each(skills);
        let category = Some(category);
        if !skills.is_empty() {
            return About { skills, guessed: false, domain, category };
        }
        let guess = guess(&format!("{title}\n{body}"), &self.words);
        About { guessed: !guess.skills.is_empty(), skills: guess.skills, domain: domain.or(guess.domain), category }
    }
}

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

/// Where somebody looks: in one district, and of it what they may see.
#[derive(Clone, Debug)]
pub struct Reach {
    district: Subtree,
    /// Of staff, where they work.
    subtree: Option<Subtree>,
}

impl Reach {
    /// The district of `region`, as members see it or, within their subtree, staff.
    ///
    /// # Errors
    /// Where `region` is no code.
    pub fn new(region: &str, staff: Option<Subtree>) -> Result<Self, DbErr> {
        let district = RegionCode::try_from(&region.to_owned())?.district().subtree();
        Ok(Self { district, subtree: staff })
    }

    fn covers(&self, column: &Expr) -> Condition {
        let within = self.subtree.as_ref().map(|subtree| subtree.covers(column.clone()));
        Condition::all().add(self.district.covers(column.clone())).add_option(within)
    }

    const fn is_staff(&self) -> bool {
        self.subtree.is_some()
    }
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
