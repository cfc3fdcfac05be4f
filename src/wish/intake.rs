//! Taking wishes in and reviewing them. All of it to be run in a transaction.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::{MemberId, StaffId, TaskId, WishId};
use entity::wish::{self, WishStatus};
use entity::{member, wish_hazard, wish_skill};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use super::domain::{WishStep, due_at, window_of};
use super::error::WishError;
use super::guessing;
use super::notice;
use super::round::{NewRound, open_round};
use super::service::{allowed, find, limits, other_than, skills_of, step, window_fault};
use crate::audit::{self, Actor, AuditEvent};
use crate::http::FieldError;
use crate::identity::{Manager, Scope};
use crate::notify;
use crate::region::{self, RegionCode, Subtree};
use crate::task::check::Point;
use crate::task::service::Window;
use crate::taxonomy::{self, Guess};

/// What an item of the list `skill` is called.
const SKILL: &str = "技能";

/// A wish as somebody asks for it.
#[derive(Clone, Debug)]
pub struct NewWish {
    pub id: WishId,
    pub requester: MemberId,
    /// Staff who write it down for the requester, and where they work.
    pub posted_by: Option<(StaffId, Subtree)>,
    /// None: the requester's community.
    pub region: Option<RegionCode>,
    pub title: String,
    pub body: String,
    pub category: Category,
    pub skills: Vec<String>,
    /// What title and body are taken to ask for.
    pub guess: Guess,
    pub slots: i32,
    pub window: Window,
    pub place: Option<Point>,
    pub address_sealed: Option<Vec<u8>>,
}

/// Takes a wish in, for review.
///
/// # Errors
/// [`WishError::Invalid`] on `window`, `region_code` (unknown, of another district, outside the staff's subtree), `skills[n]`
/// (unknown) and `requester_id` (nobody of the staff's subtree).
pub async fn post(db: &impl ConnectionTrait, mut new: NewWish, now: DateTime<Utc>) -> Result<wish::Model, WishError> {
    let skills = taxonomy::given(db, "skill", &new.skills).await?;
    let mut refused: Vec<_> = window_fault(new.window, now).into_iter().collect();
    refused.extend(skills.faults("skills", SKILL));
    new.skills = skills.codes;
    let region = match region_of(db, &new).await? {
        Ok(region) if refused.is_empty() => region,
        Ok(_) => return Err(WishError::Invalid(refused)),
        Err(fault) => {
            refused.push(fault);
            return Err(WishError::Invalid(refused));
        }
    };
    let row = wish::Model {
        id: new.id,
        ref_id: None,
        requester_id: new.requester,
        region_code: region.as_str().to_owned(),
        title: new.title,
        body: new.body,
        category: new.category,
        slots: new.slots,
        window_from: new.window.from,
        window_until: new.window.until,
        lat: new.place.map(|place| place.lat),
        lon: new.place.map(|place| place.lon),
        address_sealed: new.address_sealed,
        special_group_sealed: None,
        est_minutes: None,
        status: WishStatus::Submitted,
        priority: 0,
        risk_notice: None,
        reason: None,
        rating: None,
        comment: None,
        task_id: None,
        due_at: due_at(WishStatus::Submitted, new.window, limits(db).await?, now),
        deadline_on: None,
        created_by: new.posted_by.map(|(staff, _)| staff),
        created_at: now,
        published_at: None,
        claimed_at: None,
        fulfilled_at: None,
        confirmed_at: None,
        updated_at: now,
        domain: None,
    };
    wish::Entity::insert(wish::ActiveModel::from(row.clone())).exec_without_returning(db).await?;
    set_skills(db, row.id, &new.skills).await?;
    guessing::keep(db, row.id, new.guess.beside(&new.skills), now).await?;
    Ok(row)
}

/// What a manager decides about a submitted wish.
#[derive(Clone, Debug)]
pub enum Decision {
    Publish {
        risk_notice: String,
        place_required: bool,
        /// 1 to 3: rules may pay more for harder work.
        difficulty: i16,
    },
    Reject {
        reason: String,
    },
}

/// A review.
#[derive(Clone, Debug)]
pub struct Review {
    pub decision: Decision,
    /// Instead of what the requester chose.
    pub category: Option<Category>,
    /// Instead of what the requester chose, or of what was guessed.
    pub skills: Option<Vec<String>>,
    /// Instead of what was guessed.
    #[allow(clippy::option_option, reason = "null is none, absent takes the guess")]
    pub domain: Option<Option<String>>,
    /// What volunteers have to be ready for.
    pub hazards: Vec<String>,
}

/// Publishes or rejects a submitted wish. `task` is the id of the task that publishing makes.
///
/// # Errors
/// [`WishError::NotFound`], [`WishError::SecondPerson`], [`WishError::Invalid`] on `skills[n]` and `place_required`,
/// [`WishError::InvalidTransition`], [`WishError::WindowOver`].
pub async fn review(
    db: &impl ConnectionTrait,
    manager: &Manager,
    id: WishId,
    review: &Review,
    task: TaskId,
    now: DateTime<Utc>,
) -> Result<wish::Model, WishError> {
    let found = find(db, &Scope::Staff(manager.subtree()), id).await?;
    other_than(manager, &found)?;
    let wish = match &review.decision {
        Decision::Reject { reason } => {
            let changes = wish::ActiveModel { reason: Set(Some(reason.clone())), ..Default::default() };
            let wish = step(db, &found, WishStep::Reject, changes, now).await?;
            notify::tell(db, wish.requester_id, notice::rejected(&wish), now).await?;
            wish
        }
        Decision::Publish { risk_notice, place_required, difficulty } => {
            let category = review.category.unwrap_or(found.category);
            let Chosen { skills, domain, hazards } = chosen(db, &found, review).await?;
            if *place_required && found.lat.is_none() {
                return Err(WishError::field("place_required", "invalid", "该心愿没有地点，不能要求到场定位"));
            }
            allowed(&found, WishStep::Publish)?;
            if found.window_until <= now {
                return Err(WishError::WindowOver);
            }
            let round = NewRound {
                task,
                window: window_of(&found),
                skills,
                risk_notice: Some(risk_notice.clone()),
                priority: found.priority,
                place_required: *place_required,
                difficulty: *difficulty,
                hazards,
            };
            let wish = wish::Model { category, domain, ..found };
            let wish = open_round(db, &wish, WishStep::Publish, round, now).await?;
            notify::tell(db, wish.requester_id, notice::published(&wish), now).await?;
            wish
        }
    };
    let event =
        AuditEvent::new(Actor::Staff(manager.id), "wish.review", "wish", now).of(id).in_region(&wish.region_code);
    audit::record(db, event.with(json!({"status": wish.status}))).await?;
    Ok(wish)
}

/// Where the wish is: inside the requester's district, and inside the staff's subtree.
async fn region_of(db: &impl ConnectionTrait, new: &NewWish) -> Result<Result<RegionCode, FieldError>, DbErr> {
    let nobody = || FieldError::new("requester_id", "invalid").saying("没有找到该居民，请核对");
    let living = member::Entity::find_by_id(new.requester)
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .one(db)
        .await?;
    let Some(home) = living.and_then(|member| member.region_code) else { return Ok(Err(nobody())) };
    let home = RegionCode::try_from(&home)?;
    let works_at = new.posted_by.as_ref().map(|(_, subtree)| subtree);
    if works_at.is_some_and(|subtree| !subtree.contains(&home)) {
        return Ok(Err(nobody()));
    }
    let Some(region) = &new.region else { return Ok(Ok(home)) };
    let known = home.district().subtree().contains(region)
        && works_at.is_none_or(|subtree| subtree.contains(region))
        && region::region_exists(db, region).await?;
    let unknown = || FieldError::new("region_code", "invalid").saying("没有这个区划，或不在本区，请重新选择");
    Ok(if known { Ok(region.clone()) } else { Err(unknown()) })
}

/// What the review settles.
struct Chosen {
    skills: Vec<String>,
    domain: Option<String>,
    hazards: Vec<String>,
}

/// Skills, domain and hazards after the review, written to the wish: what staff gave; else the requester's skills; else the
/// guess, as far as its codes may still be used.
async fn chosen(db: &impl ConnectionTrait, found: &wish::Model, review: &Review) -> Result<Chosen, WishError> {
    let mut refused = Vec::new();
    let own = skills_of(db, found.id).await?;
    let guess = guessing::usable(db, found.id).await?;
    let skills = match &review.skills {
        Some(given) => {
            let given = taxonomy::given(db, "skill", given).await?;
            refused.extend(given.faults("skills", SKILL));
            given.codes
        }
        None if own.is_empty() => guess.skills,
        None => own.clone(),
    };
    let domain = match &review.domain {
        Some(Some(domain)) => {
            let given = taxonomy::given(db, "domain", std::slice::from_ref(domain)).await?;
            given.one("domain", "服务领域").map_err(|fault| refused.push(fault)).unwrap_or_default()
        }
        Some(None) => None,
        None => guess.domain,
    };
    let hazards = taxonomy::given(db, "hazard", &review.hazards).await?;
    refused.extend(hazards.faults("hazards", "危险类型"));
    if !refused.is_empty() {
        return Err(WishError::Invalid(refused));
    }
    if skills != own {
        put_skills(db, found.id, &skills).await?;
    }
    put_hazards(db, found.id, &hazards.codes).await?;
    Ok(Chosen { skills, domain, hazards: hazards.codes })
}

/// The skills of a wish from now on.
pub(super) async fn put_skills(db: &impl ConnectionTrait, id: WishId, skills: &[String]) -> Result<(), DbErr> {
    wish_skill::Entity::delete_many().filter(wish_skill::Column::WishId.eq(id)).exec(db).await?;
    set_skills(db, id, skills).await
}

/// The hazards of a wish from now on.
pub(super) async fn put_hazards(db: &impl ConnectionTrait, id: WishId, hazards: &[String]) -> Result<(), DbErr> {
    wish_hazard::Entity::delete_many().filter(wish_hazard::Column::WishId.eq(id)).exec(db).await?;
    let row = |hazard: &String| wish_hazard::ActiveModel { wish_id: Set(id), hazard: Set(hazard.clone()) };
    let rows: Vec<_> = hazards.iter().map(row).collect();
    if !rows.is_empty() {
        wish_hazard::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

async fn set_skills(db: &impl ConnectionTrait, id: WishId, skills: &[String]) -> Result<(), DbErr> {
    let rows: Vec<_> =
        skills.iter().map(|skill| wish_skill::ActiveModel { wish_id: Set(id), skill: Set(skill.clone()) }).collect();
    if !rows.is_empty() {
        wish_skill::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}
