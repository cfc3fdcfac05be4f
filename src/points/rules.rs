//! The rules as rows: who may add one, and how a new one takes over from the one before.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::RuleId;
use entity::programme;
use entity::rule::{ActiveModel, Approver, Column, Entity, Model, RuleBasis, Subject};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::error::PointsError;
use crate::http::{Listing, Page, Problem};
use crate::identity::StaffCaller;
use crate::region::{RegionCode, Subtree};

/// A new rule, or a new version of the one for the same programme, region and category.
#[derive(Clone, Debug)]
pub struct NewRule {
    pub id: RuleId,
    pub programme: String,
    /// `None`: the region of the one who adds it.
    pub region: Option<RegionCode>,
    /// `None`: every category.
    pub category: Option<Category>,
    pub basis: RuleBasis,
    /// Hundredths.
    pub amount: i64,
    /// With basis `time`, and only then.
    pub per_minutes: Option<i32>,
    pub cap_day: Option<i64>,
    pub cap_month: Option<i64>,
    /// Not in the past: what was earned stays as it was earned.
    pub valid_from: DateTime<Utc>,
    pub valid_until: Option<DateTime<Utc>>,
}

/// Adds a rule. The one in force for the same programme, region and category ends where it begins; it ends itself where
/// one planned for later begins.
///
/// # Errors
/// `Field` where the programme is not there, or the region lies outside the subtree of `staff`.
pub async fn add(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewRule,
    now: DateTime<Utc>,
) -> Result<Model, PointsError> {
    let region = new.region.clone().unwrap_or_else(|| staff.region.clone());
    if !staff.subtree().encloses(&Subtree::of(&region))
        || entity::region::Entity::find_by_id(region.as_str()).one(db).await?.is_none()
    {
        return Err(PointsError::Field {
            field: "region_code",
            detail: "没有这个区划，或不在您的管辖范围内，请重新选择",
        });
    }
    // Locked: two rules added at once see each other.
    let programme = programme::Entity::find_by_id(&new.programme).lock_exclusive().one(db).await?;
    if programme.is_none() {
        return Err(PointsError::Field {
            field: "programme", detail: "没有这个积分项目，请从积分项目列表中选择"
        });
    }
    let category = new.category.map(|category| category.to_value());
    let same = same_scope(&new.programme, region.as_str(), category.as_deref());
    let others = Entity::find().filter(same.clone()).order_by_asc(Column::ValidFrom).all(db).await?;
    let later = others.iter().map(|rule| rule.valid_from).find(|from| *from > new.valid_from);
    let valid_until = [new.valid_until, later].into_iter().flatten().min();
    Entity::update_many()
        .set(ActiveModel { valid_until: Set(Some(new.valid_from)), ..Default::default() })
        .filter(same)
        .filter(Column::ValidFrom.lt(new.valid_from))
        .filter(Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gt(new.valid_from)))
        .exec(db)
        .await?;
    let row = Model {
        id: new.id,
        programme: new.programme.clone(),
        region_code: Some(region.into()),
        category,
        basis: new.basis,
        amount: new.amount,
        per_minutes: new.per_minutes,
        cap_day: new.cap_day,
        cap_month: new.cap_month,
        version: others.iter().map(|rule| rule.version).max().unwrap_or(0) + 1,
        valid_from: new.valid_from,
        valid_until,
        created_by: Some(staff.id),
        created_at: now,
        subject: Subject::Record,
        item: None,
        name: None,
        per_units: None,
        factor_grade_a: 100,
        factor_grade_b: 100,
        factor_grade_c: 100,
        factor_grade_d: 100,
        factor_level_1: 100,
        factor_level_2: 100,
        factor_level_3: 100,
        factor_organiser: 100,
        cap_week: None,
        cap_rule: None,
        min_evidence: None,
        approver: Approver::Manager,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(row)
}

fn same_scope(programme: &str, region: &str, category: Option<&str>) -> Condition {
    let of_category = match category {
        Some(category) => Column::Category.eq(category),
        None => Column::Category.is_null(),
    };
    Condition::all().add(Column::Programme.eq(programme)).add(Column::RegionCode.eq(region)).add(of_category)
}

/// Rules, newest first; `at` leaves those in force at an instant.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub async fn list(
    db: &impl ConnectionTrait,
    programme: Option<&str>,
    at: Option<DateTime<Utc>>,
    page: &Page,
) -> Result<Listing<Model>, Problem> {
    let mut query = Entity::find();
    if let Some(programme) = programme {
        query = query.filter(Column::Programme.eq(programme));
    }
    if let Some(at) = at {
        let not_over = Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gt(at));
        query = query.filter(Column::ValidFrom.lte(at)).filter(not_over);
    }
    if let Some(after) = page.after::<RuleId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}
