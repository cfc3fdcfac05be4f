//! Monthly scores of households, many in one call: all of them are taken, or none.
//!
//! A score is the head's: the head answers for the household, gets what it earns and loses what it costs. Others of the
//! household lose nothing by what one of them did.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use entity::category::Category;
use entity::id::{HouseholdId, MeritId};
use entity::merit::{Column, Entity, MeritKind, MeritStatus, Model};
use entity::service_record::Evidence;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};
use serde_json::json;

use super::domain::{self, day_of_score, earliest};
use super::entering::{MOST_DAYS_BACK, acceptable, counts_in};
use super::error::MeritError;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::{Calendar, Period};
use crate::db::insert_all;
use crate::household::{Home, homes};
use crate::http::FieldError;
use crate::identity::StaffCaller;
use crate::points::{appraise, programme_of};
use crate::setting;

/// The scores of one call.
#[derive(Clone, Debug)]
pub struct Sheet {
    pub period: Period,
    /// `None`: the one that counts in the caller's region.
    pub programme: Option<String>,
    pub category: Option<Category>,
    pub scores: Vec<Score>,
    pub now: DateTime<Utc>,
}

/// One household's score for one item.
#[derive(Clone, Debug)]
pub struct Score {
    /// Drawn before the transaction.
    pub id: MeritId,
    pub household_id: HouseholdId,
    pub item: Option<String>,
    pub quantity: i32,
    pub description: Option<String>,
    pub reason: Option<String>,
}

/// Enters pending scores.
///
/// # Errors
/// [`MeritError::Fields`] naming each score that cannot be taken by its place, as in `scores[3].item`; on `period` for a month
/// to come or long past; [`MeritError::AlreadyScored`] where another call was faster.
pub async fn enter(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    staff: &StaffCaller,
    sheet: &Sheet,
) -> Result<Vec<Model>, MeritError> {
    let happened_on = day_of(db, calendar, sheet).await?;
    let code = match &sheet.programme {
        Some(code) => code.clone(),
        None => programme_of(db, staff.region.as_str()).await?,
    };
    let programme = entity::programme::Entity::find_by_id(code)
        .one(db)
        .await?
        .ok_or_else(|| MeritError::field("programme", "invalid", "没有这个积分项目，请从积分项目列表中选择"))?;
    let ids: Vec<HouseholdId> = sheet.scores.iter().map(|score| score.household_id).collect();
    let found = homes(db, &staff.subtree(), &ids).await?;
    let mut errors = places(sheet, &found, staff);
    errors.extend(doubles(db, sheet, &ids).await?);
    if !errors.is_empty() {
        return Err(MeritError::Fields(errors));
    }
    let rows: Vec<Model> = sheet
        .scores
        .iter()
        .filter_map(|score| {
            Some(pending((sheet, programme.code.as_str()), score, found.get(&score.household_id)?, staff, happened_on))
        })
        .collect();
    let facts: Vec<_> = rows.iter().map(|row| (row.region_code.as_str(), domain::facts(calendar, row))).collect();
    let worth = appraise(db, &programme.code, &facts).await?;
    for (place, (row, worth)) in rows.iter().zip(worth).enumerate() {
        let prefix = format!("scores[{place}].");
        if !counts_in(&programme, &row.region_code) {
            let detail = "这个积分项目不用于该户所在社区";
            errors.push(FieldError::new(format!("{prefix}household_id"), "invalid").saying(detail));
        } else if let Err(refused) = acceptable(worth, &programme, true, row.reason.is_some(), &prefix) {
            errors.extend(refused);
        }
    }
    if !errors.is_empty() {
        return Err(MeritError::Fields(errors));
    }
    insert_all(db, rows.iter().cloned().map(Model::into_active_model)).await?;
    trail(db, staff, sheet, &rows).await?;
    Ok(rows)
}

async fn day_of(db: &impl ConnectionTrait, calendar: &Calendar, sheet: &Sheet) -> Result<NaiveDate, MeritError> {
    let [most_days] = setting::numbers(db, [MOST_DAYS_BACK]).await?;
    let today = calendar.day_of(sheet.now);
    day_of_score(sheet.period, today, earliest(today, most_days)).ok_or_else(|| {
        let detail = format!("只能登记本月或最近 {most_days} 天内月份的评分，请核对月份");
        MeritError::field("period", "out_of_range", detail)
    })
}

/// Households that are not there, that nobody belongs to, or to which the scorer belongs.
fn places(sheet: &Sheet, found: &HashMap<HouseholdId, Home>, staff: &StaffCaller) -> Vec<FieldError> {
    let fault = |(place, score): (usize, &Score)| {
        let detail = match found.get(&score.household_id) {
            None => "没有这一户，或还没有成员加入，请核对后重新选择",
            Some(home) if staff.member.is_some_and(|own| home.members.contains(&own)) => {
                "不能为自己所在的户评分，请由另一位工作人员登记"
            }
            Some(_) => return None,
        };
        Some(FieldError::new(format!("scores[{place}].household_id"), "invalid").saying(detail))
    };
    sheet.scores.iter().enumerate().filter_map(fault).collect()
}

/// Scores of a household and item that stand twice in the sheet, or that have been entered for the month before.
async fn doubles(db: &impl ConnectionTrait, sheet: &Sheet, ids: &[HouseholdId]) -> Result<Vec<FieldError>, DbErr> {
    let known: HashSet<(HouseholdId, Option<String>)> = Entity::find()
        .filter(Column::HouseholdId.is_in(ids.iter().copied()))
        .filter(Column::Period.eq(sheet.period.to_string()))
        .filter(Column::Status.is_in([MeritStatus::Pending, MeritStatus::Approved]))
        .all(db)
        .await?
        .into_iter()
        .filter_map(|row| Some((row.household_id?, row.item)))
        .collect();
    let mut seen = HashSet::new();
    let fault = |(place, score): (usize, &Score)| {
        let key = (score.household_id, score.item.clone());
        let detail = if known.contains(&key) {
            "该户本月此项已有评分；如需更正，请先冲正或驳回原评分"
        } else if seen.insert(key) {
            return None;
        } else {
            "该户此项在本次登记中重复，请合并"
        };
        Some(FieldError::new(format!("scores[{place}].item"), "already_scored").saying(detail))
    };
    Ok(sheet.scores.iter().enumerate().filter_map(fault).collect())
}

fn pending(
    (sheet, programme): (&Sheet, &str),
    score: &Score,
    home: &Home,
    staff: &StaffCaller,
    happened_on: NaiveDate,
) -> Model {
    Model {
        id: score.id,
        kind: MeritKind::HouseholdScore,
        member_id: home.head,
        household_id: Some(score.household_id),
        region_code: home.region_code.clone(),
        programme: programme.to_owned(),
        category: sheet.category.unwrap_or_else(|| domain::usual_category(MeritKind::HouseholdScore)),
        item: score.item.clone(),
        quantity: score.quantity,
        value_fen: None,
        period: Some(sheet.period.to_string()),
        happened_on,
        description: score.description.clone(),
        evidence: Evidence::D,
        status: MeritStatus::Pending,
        entered_by: Some(staff.id),
        submitted_by: None,
        decided_by: None,
        decided_at: None,
        points: None,
        shortfall: 0,
        rule_id: None,
        reason: score.reason.clone(),
        reversed_by: None,
        reversed_at: None,
        disputed_at: None,
        dispute_reason: None,
        dispute_outcome: None,
        dispute_answer: None,
        dispute_decided_by: None,
        dispute_decided_at: None,
        created_at: sheet.now,
        updated_at: sheet.now,
    }
}

async fn trail(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    sheet: &Sheet,
    rows: &[Model],
) -> Result<(), MeritError> {
    let event = AuditEvent::new(Actor::Staff(staff.id), "merit.score", "merit", sheet.now).in_region(&staff.region);
    let detail =
        json!({"period": sheet.period.to_string(), "scores": rows.len(), "first": rows.first().map(|row| row.id)});
    Ok(audit::record(db, event.with(detail)).await?)
}
