//! What members change about themselves: profile, volunteering, double reporting.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entity::consent::ConsentKind;
use entity::id::{ConsentId, MemberId, ReportingId, UnitId};
use entity::{availability, member, member_skill, reporting, unit};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::consents;
use super::error::IdentityError;
use super::hours::{Availability, overlapping};
use super::sealed::{Home, seal_home};
use crate::crypto::Keys;
use crate::db::insert_all;
use crate::http::Line;
use crate::region::{self, RegionCode};
use crate::setting::{self, Number};
use crate::taxonomy;

/// Younger people may not volunteer on their own word.
pub const LEAST_AGE: Number = Number::new("volunteer.least_age", 16, 0..=100);

/// What changes of a profile; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ChangeProfile {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50)]
    pub name: Option<Line<50>>,
    /// A community, or a place in one.
    pub region_code: Option<RegionCode>,
    #[schema(inline)]
    pub gender: Option<Gender>,
    #[validate(range(min = 1900, max = 2200))]
    #[schema(minimum = 1900, maximum = 2200)]
    pub birth_year: Option<i32>,
    #[validate(nested)]
    pub home: Option<HomeGiven>,
    /// Codes of the list `skill`; they take the place of all before.
    #[validate(length(max = 50))]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    pub skills: Option<Vec<Line<32>>>,
    /// They take the place of all before.
    #[validate(length(max = 50), nested)]
    #[schema(max_items = 50)]
    pub availability: Option<Vec<Availability>>,
    /// 0: no limit.
    #[validate(range(min = 0, max = 168))]
    #[schema(minimum = 0, maximum = 168)]
    pub max_hours_week: Option<i32>,
    /// Does not want to be asked for now: no offers, no digest of open tasks. What was offered before stays.
    pub offers_paused: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub enum Gender {
    F,
    M,
}

/// Where the member lives; kept sealed. It takes the place of what was given before.
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct HomeGiven {
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    lat: Option<f64>,
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    lon: Option<f64>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    address: Option<Line<200>>,
}

/// Registration as a volunteer.
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct BecomeVolunteer {
    /// Codes of the list `skill`.
    #[serde(default)]
    #[validate(length(max = 50))]
    #[schema(value_type = Vec<String>, max_items = 50)]
    pub skills: Vec<Line<32>>,
    #[serde(default)]
    #[validate(length(max = 50), nested)]
    #[schema(max_items = 50)]
    pub availability: Vec<Availability>,
    /// 0: no limit.
    #[validate(range(min = 0, max = 168))]
    #[schema(minimum = 0, maximum = 168)]
    pub max_hours_week: Option<i32>,
    #[validate(range(min = 1900, max = 2200))]
    #[schema(minimum = 1900, maximum = 2200)]
    pub birth_year: Option<i32>,
    /// To the notice on volunteers' data; must be true.
    #[validate(custom(function = "agreed"))]
    pub consent: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the validator hands it over so")]
fn agreed(consent: &bool) -> Result<(), ValidationError> {
    let words = "请阅读并同意志愿者信息告知书，才能登记为志愿者";
    if *consent { Ok(()) } else { Err(ValidationError::new("invalid").with_message(words.into())) }
}

/// Double reporting: a party member reports to a community for a unit (双报到).
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "one_unit"))]
pub struct Report {
    /// The id that the unit had in the data set; this or `unit_id`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    unit_ref: Option<Line<64>>,
    unit_id: Option<UnitId>,
    region_code: RegionCode,
}

fn one_unit(report: &Report) -> Result<(), ValidationError> {
    let (code, words) = match (&report.unit_ref, report.unit_id) {
        (Some(_), None) | (None, Some(_)) => return Ok(()),
        (None, None) => ("required", "请给出 unit_ref 或 unit_id"),
        (Some(_), Some(_)) => ("invalid", "unit_ref 与 unit_id 只填一个"),
    };
    let mut error = ValidationError::new(code).with_message(words.into());
    error.add_param("field".into(), &"unit_ref");
    Err(error)
}

/// A reporting.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReportingView {
    id: ReportingId,
    unit_id: UnitId,
    region_code: String,
    reported_at: DateTime<Utc>,
}

impl From<reporting::Model> for ReportingView {
    fn from(row: reporting::Model) -> Self {
        Self { id: row.id, unit_id: row.unit_id, region_code: row.region_code, reported_at: row.reported_at }
    }
}

/// The member's row.
///
/// # Errors
/// [`IdentityError::NotFound`]; the database's.
pub async fn find(db: &impl ConnectionTrait, id: MemberId) -> Result<member::Model, IdentityError> {
    member::Entity::find_by_id(id).one(db).await?.ok_or(IdentityError::NotFound)
}

/// Changes the profile.
///
/// # Errors
/// [`IdentityError::Fields`] for unknown codes and overlapping hours.
pub async fn change(
    db: &impl ConnectionTrait,
    keys: &Keys,
    id: MemberId,
    change: &ChangeProfile,
    now: DateTime<Utc>,
) -> Result<member::Model, IdentityError> {
    let mut row = member::ActiveModel { id: Set(id), updated_at: Set(now), ..Default::default() };
    if let Some(name) = &change.name {
        row.name = Set(Some(name.to_string()));
    }
    if let Some(code) = &change.region_code {
        row.region_code = Set(Some(community(db, code).await?));
    }
    if let Some(gender) = change.gender {
        row.gender = Set(Some(match gender {
            Gender::F => "F".to_owned(),
            Gender::M => "M".to_owned(),
        }));
    }
    if let Some(year) = change.birth_year {
        row.birth_year = Set(Some(not_to_come(year, now)?));
    }
    if let Some(HomeGiven { lat, lon, address }) = &change.home {
        let home = Home { lat: *lat, lon: *lon, address: address.as_ref().map(ToString::to_string) };
        row.home_sealed = Set(Some(seal_home(keys, &home)));
    }
    if let Some(hours) = change.max_hours_week {
        row.max_hours_week = Set(Some(hours));
    }
    if let Some(paused) = change.offers_paused {
        row.offers_paused = Set(paused);
    }
    if let Some(skills) = &change.skills {
        set_skills(db, id, skills).await?;
    }
    if let Some(spans) = &change.availability {
        set_hours(db, id, spans).await?;
    }
    Ok(row.update(db).await?)
}

/// Makes a member a volunteer, at once, with the consent that goes with it.
///
/// # Errors
/// [`IdentityError::Fields`] for unknown codes, overlapping hours and too young a person.
pub async fn become_volunteer(
    db: &impl ConnectionTrait,
    id: MemberId,
    consent: ConsentId,
    wanted: &BecomeVolunteer,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<member::Model, IdentityError> {
    let found = find(db, id).await?;
    let year = wanted.birth_year.map(|year| not_to_come(year, now)).transpose()?.or(found.birth_year);
    let [least] = setting::numbers(db, [LEAST_AGE]).await?;
    // Of the birth only the year is known: whoever may have had this year's birthday is let in.
    if year.is_some_and(|year| i64::from(today.year() - year) < least) {
        let detail = format!("年满 {least} 周岁才能登记为志愿者，请由监护人陪同到驿站咨询");
        return Err(IdentityError::field("birth_year", "out_of_range", detail));
    }
    set_skills(db, id, &wanted.skills).await?;
    set_hours(db, id, &wanted.availability).await?;
    consents::give(db, id, consent, ConsentKind::Volunteer, consents::NOTICE, now).await?;
    let mut row = member::ActiveModel {
        id: Set(id),
        is_volunteer: Set(true),
        birth_year: Set(year),
        updated_at: Set(now),
        ..Default::default()
    };
    if wanted.max_hours_week.is_some() {
        row.max_hours_week = Set(wanted.max_hours_week);
    }
    Ok(row.update(db).await?)
}

/// Writes down a reporting; whoever reports for a unit is a party member.
///
/// # Errors
/// [`IdentityError::Fields`] for an unknown unit or region; [`IdentityError::AlreadyReported`].
pub async fn report(
    db: &impl ConnectionTrait,
    id: MemberId,
    new: ReportingId,
    report: &Report,
    now: DateTime<Utc>,
) -> Result<reporting::Model, IdentityError> {
    let units = match (&report.unit_ref, report.unit_id) {
        (Some(reference), _) => unit::Entity::find().filter(unit::Column::RefId.eq(reference.as_str())),
        (None, unit) => unit::Entity::find_by_id(unit.unwrap_or(UnitId::NIL)),
    };
    let field = if report.unit_ref.is_some() { "unit_ref" } else { "unit_id" };
    let unknown = || IdentityError::field(field, "invalid", "没有这个单位，请从单位列表中选择");
    let unit = units.one(db).await?.ok_or_else(unknown)?;
    let region = community(db, &report.region_code).await?;
    let row = reporting::ActiveModel {
        id: Set(new),
        member_id: Set(id),
        unit_id: Set(unit.id),
        region_code: Set(region),
        reported_at: Set(now),
    };
    let made = row.insert(db).await?;
    let found = find(db, id).await?;
    let row = member::ActiveModel {
        id: Set(id),
        is_party_member: Set(true),
        unit_id: Set(found.unit_id.or(Some(unit.id))),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(db).await?;
    Ok(made)
}

/// The community that a code is, or lies in.
async fn community(db: &impl ConnectionTrait, code: &RegionCode) -> Result<String, IdentityError> {
    let unknown = || IdentityError::field("region_code", "invalid", "请选择所在的社区或村");
    let community = code.community().ok_or_else(unknown)?;
    // The code itself must exist too, not only the community above it.
    for code in [code, &community] {
        if !region::region_exists(db, code).await? {
            return Err(unknown());
        }
    }
    Ok(community.into())
}

fn not_to_come(year: i32, now: DateTime<Utc>) -> Result<i32, IdentityError> {
    if year > now.year() {
        return Err(IdentityError::field("birth_year", "out_of_range", "出生年份不能在今年之后"));
    }
    Ok(year)
}

async fn set_skills(db: &impl ConnectionTrait, id: MemberId, skills: &[Line<32>]) -> Result<(), IdentityError> {
    let codes: Vec<String> = skills.iter().map(ToString::to_string).collect();
    let given = taxonomy::given(db, "skill", &codes).await?;
    if !given.refused.is_empty() {
        return Err(IdentityError::Fields(given.faults("skills", "技能")));
    }
    member_skill::Entity::delete_many().filter(member_skill::Column::MemberId.eq(id)).exec(db).await?;
    let rows = given.codes.into_iter().map(|code| member_skill::ActiveModel { member_id: Set(id), skill: Set(code) });
    insert_all(db, rows).await?;
    Ok(())
}

async fn set_hours(db: &impl ConnectionTrait, id: MemberId, spans: &[Availability]) -> Result<(), IdentityError> {
    if let Some(at) = overlapping(spans) {
        return Err(IdentityError::field(format!("availability[{at}]"), "invalid", "与前面的时段重叠，请合并"));
    }
    availability::Entity::delete_many().filter(availability::Column::MemberId.eq(id)).exec(db).await?;
    let rows = spans.iter().map(|span| availability::ActiveModel {
        member_id: Set(id),
        weekday: Set(span.weekday),
        from_minute: Set(span.from.minutes()),
        until_minute: Set(span.until.minutes()),
    });
    insert_all(db, rows).await?;
    Ok(())
}
