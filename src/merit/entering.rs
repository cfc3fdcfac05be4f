//! Entering a donation or an event: by staff for a member, or by the member who gave.

use chrono::{DateTime, NaiveDate, Utc};
use entity::category::Category;
use entity::id::{MemberId, MeritId, PhotoId};
use entity::merit::{Entity, MeritKind, MeritStatus, Model};
use entity::photo::PhotoSubject;
use entity::{member, programme};
use sea_orm::{ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};
use serde_json::json;

use super::domain::{self, earliest, grade};
use super::error::MeritError;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::Calendar;
use crate::http::FieldError;
use crate::identity::{Resident, Scope, StaffCaller};
use crate::photo::{self, Subject};
use crate::points::{Worth, appraise, programme_of};
use crate::region::{RegionCode, Subtree};
use crate::setting::{self, Number};

/// How many days back something may have happened.
pub(super) const MOST_DAYS_BACK: Number = Number::new("merit.entry_days", 90, 1..=3_660);

/// Who enters.
#[derive(Clone, Debug)]
pub enum By {
    /// What they gave themselves.
    Member(Resident),
    Staff(StaffCaller),
}

/// What is to be entered. Its fields fit each other already.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Drawn before the transaction.
    pub id: MeritId,
    pub kind: MeritKind,
    /// Of staff's; a member enters for themselves.
    pub member_id: Option<MemberId>,
    /// `None`: the one that counts in the member's community.
    pub programme: Option<String>,
    pub category: Option<Category>,
    pub item: Option<String>,
    pub quantity: i32,
    pub value_fen: Option<i64>,
    /// `None`: today.
    pub happened_on: Option<NaiveDate>,
    pub description: Option<String>,
    pub reason: Option<String>,
    pub photos: Vec<PhotoId>,
    pub now: DateTime<Utc>,
}

/// Enters a pending merit.
///
/// # Errors
/// [`MeritError::NotFound`] where staff may not see the member; [`MeritError::SecondPerson`] for oneself;
/// [`MeritError::Fields`] for a day to come or long past, a programme of elsewhere, where no rule applies, and where points
/// would be taken without a reason or in a programme that takes none; [`MeritError::Photo`].
pub async fn enter(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    by: &By,
    entry: &Entry,
) -> Result<Model, MeritError> {
    let (member_id, region) = member_of(db, by, entry).await?;
    let today = calendar.day_of(entry.now);
    let happened_on = entry.happened_on.unwrap_or(today);
    let [most_days] = setting::numbers(db, [MOST_DAYS_BACK]).await?;
    if happened_on > today || happened_on < earliest(today, most_days) {
        let detail = format!("只能登记今天或最近 {most_days} 天内的事项，请核对日期");
        return Err(MeritError::field("happened_on", "out_of_range", detail));
    }
    let programme = programme_for(db, entry.programme.as_deref(), &region).await?;
    let row = pending(by, entry, &programme, (member_id, region), happened_on);
    let facts = [(row.region_code.as_str(), domain::facts(calendar, &row))];
    let worth = appraise(db, &row.programme, &facts).await?.into_iter().next().flatten();
    acceptable(worth, &programme, entry.item.is_some(), entry.reason.is_some(), "").map_err(MeritError::Fields)?;
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    let actor = actor(by);
    let subject =
        Subject { kind: PhotoSubject::Merit, id: row.id.0, member: row.member_id, region: row.region_code.clone() };
    photo::service::attach(db, actor, &entry.photos, &subject).await?;
    let event = AuditEvent::new(actor, "merit.enter", "merit", entry.now).of(row.id).in_region(&row.region_code);
    let detail = json!({"kind": row.kind, "member_id": row.member_id, "photos": entry.photos.len()});
    audit::record(db, event.with(detail)).await?;
    Ok(row)
}

fn actor(by: &By) -> Actor {
    match by {
        By::Member(member) => Actor::Member(member.id),
        By::Staff(staff) => Actor::Staff(staff.id),
    }
}

/// Whose merit it is, and the community they live in.
async fn member_of(db: &impl ConnectionTrait, by: &By, entry: &Entry) -> Result<(MemberId, String), MeritError> {
    let (staff, id) = match (by, entry.member_id) {
        (By::Member(member), _) => return Ok((member.id, member.region.as_str().to_owned())),
        (By::Staff(staff), Some(id)) => (staff, id),
        (By::Staff(_), None) => return Err(MeritError::field("member_id", "required", "请选择是哪位居民的事项")),
    };
    let found = member::Entity::find_by_id(id)
        .filter(Scope::Staff(staff.subtree()).owned(member::Column::Id, member::Column::RegionCode))
        .one(db)
        .await?
        .filter(|member| member.erased_at.is_none() && member.merged_into.is_none())
        .ok_or(MeritError::NotFound)?;
    if staff.member == Some(found.id) {
        return Err(MeritError::SecondPerson("不能为自己登记，请由另一位工作人员办理"));
    }
    Ok((found.id, found.region_code.ok_or(MeritError::NotFound)?))
}

fn pending(
    by: &By,
    entry: &Entry,
    programme: &programme::Model,
    (member_id, region_code): (MemberId, String),
    happened_on: NaiveDate,
) -> Model {
    let (entered_by, submitted_by) = match by {
        By::Member(member) => (None, Some(member.id)),
        By::Staff(staff) => (Some(staff.id), None),
    };
    Model {
        id: entry.id,
        kind: entry.kind,
        member_id,
        household_id: None,
        region_code,
        programme: programme.code.clone(),
        category: entry.category.unwrap_or_else(|| domain::usual_category(entry.kind)),
        item: entry.item.clone(),
        quantity: entry.quantity,
        value_fen: entry.value_fen,
        period: None,
        happened_on,
        description: entry.description.clone(),
        evidence: grade(entry.photos.len()),
        status: MeritStatus::Pending,
        entered_by,
        submitted_by,
        decided_by: None,
        decided_at: None,
        points: None,
        shortfall: 0,
        rule_id: None,
        reason: entry.reason.clone(),
        reversed_by: None,
        reversed_at: None,
        disputed_at: None,
        dispute_reason: None,
        dispute_outcome: None,
        dispute_answer: None,
        dispute_decided_by: None,
        dispute_decided_at: None,
        created_at: entry.now,
        updated_at: entry.now,
    }
}

/// The programme, where it counts in the community: the one named, or the one that counts there by itself.
///
/// # Errors
/// [`MeritError::Fields`] on `programme` for one that is not there or of elsewhere.
async fn programme_for(
    db: &impl ConnectionTrait,
    code: Option<&str>,
    community: &str,
) -> Result<programme::Model, MeritError> {
    let code = match code {
        Some(code) => code.to_owned(),
        None => programme_of(db, community).await?,
    };
    let found = programme::Entity::find_by_id(code).one(db).await?;
    found.filter(|programme| counts_in(programme, community)).ok_or_else(|| {
        MeritError::field("programme", "invalid", "没有这个积分项目，或不用于该居民所在社区，请重新选择")
    })
}

/// Whether a programme counts in a community.
pub(super) fn counts_in(programme: &programme::Model, community: &str) -> bool {
    let region = programme.region_code.as_deref().map(RegionCode::parse);
    region.is_none_or(|region| region.is_ok_and(|region| Subtree::of(&region).contains(community)))
}

/// What rules ask of an entry: that one applies, and where it takes points, a programme that does so and a reason.
pub(super) fn acceptable(
    worth: Option<Worth>,
    programme: &programme::Model,
    has_item: bool,
    has_reason: bool,
    prefix: &str,
) -> Result<(), Vec<FieldError>> {
    let refuse = |name: &str, code, detail| Err(vec![FieldError::new(format!("{prefix}{name}"), code).saying(detail)]);
    let item = if has_item { "item" } else { "category" };
    match worth {
        None => refuse(item, "invalid", "当天没有适用于此项的积分规则，请核对项目代码，或先由管理员设置规则"),
        Some(worth) if worth.points.hundredths() >= 0 => Ok(()),
        Some(_) if !programme.negative_allowed => {
            refuse(item, "invalid", "该积分项目不允许扣分，请改用其他项目，或先由管理员开启扣分")
        }
        Some(_) if !has_reason => refuse("reason", "required", "按规则扣分时请写明原因"),
        Some(_) => Ok(()),
    }
}
