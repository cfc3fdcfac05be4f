//! The rules as rows: who may add or end one, how a new one takes over from the one before, and what stands in each
//! other's way or is missing. What they are worth is said in [`valuation`](super::valuation), when they are in force in
//! `timeline`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::RuleId;
use entity::rule::{ActiveModel, Column, Entity, Model, Subject};
use entity::{programme, region};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _,
    Iterable as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, SelectExt as _,
};

use super::error::PointsError;
use super::programmes;
use super::timeline::{self, Gap, Scope, Span};
use super::valuation::in_force;
use crate::http::{FieldError, Listing, Page, Problem};
use crate::identity::StaffCaller;
use crate::region::{RegionCode, Subtree};

/// A new rule, or a new version of the one of the same scope: programme, region, subject, category and item.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// With its own id. Region, version and who made it are filled in.
    pub rule: Model,
    /// `None`: the region of the one who adds it.
    pub region: Option<RegionCode>,
}

/// What became of a scope by a rule that was added or ended.
#[derive(Clone, Debug)]
pub struct Saved {
    pub rule: Model,
    /// The version that ends where this one begins.
    pub replaces: Option<RuleId>,
    pub gaps: Vec<Gap>,
}

/// Adds a rule. The one of the same scope that is open to the end, if there is one, ends where it begins. Without an end of
/// its own it ends where one planned for later begins.
///
/// # Errors
/// [`PointsError::Fields`]: no such programme, or one of another district; a region that is not there, not in the subtree of
/// `staff`, not in the programme's, or below a community; an amount below zero where the programme does not allow it; a time
/// that overlaps another version (`overlapping_rule`).
pub async fn add(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    new: &NewRule,
    now: DateTime<Utc>,
) -> Result<Saved, PointsError> {
    // Locked: two rules added at once see each other.
    let found = programme::Entity::find_by_id(&new.rule.programme).lock_exclusive().one(db).await?;
    let found = programmes::within_reach(found, &staff.subtree())?;
    let region = new.region.clone().unwrap_or_else(|| staff.region.clone());
    admissible(db, staff, &found, &region, new.rule.amount).await?;
    let mut rule =
        Model { region_code: Some(region.into()), created_by: Some(staff.id), created_at: now, ..new.rule.clone() };
    let mut rules = of_programme(db, &found.code).await?;
    let replaces = take_over(&rules, &mut rule, now)?;
    rule.version = rules.iter().filter(|other| same(other, &rule)).map(|other| other.version).max().unwrap_or(0) + 1;
    if let Some(id) = replaces {
        close(db, &mut rules, id, rule.valid_from).await?;
    }
    Entity::insert(rule.clone().into_active_model()).exec_without_returning(db).await?;
    rules.push(rule.clone());
    let gaps = timeline::gaps(Scope::of(&rule), &rules);
    Ok(Saved { rule, replaces, gaps })
}

fn same(one: &Model, two: &Model) -> bool {
    Scope::of(one) == Scope::of(two)
}

/// Decides how a new rule stands to those of its scope: gives it an end where a later one begins, and names the one that it
/// takes over from. That is one without an end, or with no end but where its successor begins.
fn take_over(rules: &[Model], rule: &mut Model, now: DateTime<Utc>) -> Result<Option<RuleId>, PointsError> {
    let others: Vec<_> = rules.iter().filter(|other| same(other, rule) && !over(other)).collect();
    let later = others.iter().map(|other| other.valid_from).filter(|from| *from > rule.valid_from).min();
    let succeeded = |other: &Model| rule.valid_until.is_none() && later.is_some() && other.valid_until == later;
    let replaces = others.iter().find(|other| {
        let begun =
            other.valid_from < rule.valid_from || (other.valid_from == rule.valid_from && other.valid_from <= now);
        begun && (other.valid_until.is_none() || succeeded(other))
    });
    let replaces = replaces.map(|other| other.id);
    rule.valid_until = rule.valid_until.or(later);
    let in_the_way = |other: &&&Model| Some(other.id) != replaces && Span::of(other).common(&Span::of(rule)).is_some();
    match others.iter().find(in_the_way) {
        Some(other) => Err(overlapping(rule, other)),
        None => Ok(replaces),
    }
}

/// Called off before it began.
fn over(rule: &Model) -> bool {
    rule.valid_until.is_some_and(|until| until <= rule.valid_from)
}

/// Names the rule that is in the way, on the field that would have to change.
fn overlapping(rule: &Model, other: &Model) -> PointsError {
    let field = if in_force(other, rule.valid_from) { "valid_from" } else { "valid_until" };
    let until =
        other.valid_until.map_or_else(|| "长期".to_owned(), |until| format!("{}", until.format("%Y-%m-%d %H:%M")));
    let detail = format!(
        "与第 {} 版规则（{} 至 {}，UTC）时间重叠。请改用不重叠的时间，或先结束那一版",
        other.version,
        other.valid_from.format("%Y-%m-%d %H:%M"),
        until
    );
    PointsError::Fields(vec![FieldError::new(field, "overlapping_rule").saying(detail)])
}

pub(super) fn refused(field: &'static str, code: &'static str, detail: &'static str) -> PointsError {
    PointsError::Fields(vec![FieldError::new(field, code).saying(detail)])
}

/// Whether a rule of `amount` for `region` may be made by `staff` in a programme.
///
/// # Errors
/// [`PointsError::Fields`] on `region_code` and `amount`.
pub async fn admissible(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    programme: &programme::Model,
    region: &RegionCode,
    amount: i64,
) -> Result<(), PointsError> {
    let place = region.subtree();
    if !staff.subtree().encloses(&place) || region::Entity::find_by_id(region.as_str()).one(db).await?.is_none() {
        return Err(refused("region_code", "invalid", "没有这个区划，或不在您的管辖范围内，请重新选择"));
    }
    let of = programme.region_code.as_deref().and_then(|code| RegionCode::parse(code).ok()).map(|code| code.subtree());
    if of.is_some_and(|of| !of.encloses(&place) && !place.encloses(&of)) {
        return Err(refused("region_code", "invalid", "该区划不在积分项目的范围内，请重新选择区划或积分项目"));
    }
    if region.community().is_some_and(|community| community != *region) {
        return Err(refused("region_code", "invalid", "积分规则最细到社区，请选择社区、街道或区"));
    }
    if amount < 0 && !programme.negative_allowed {
        let detail = "本积分项目不允许扣分，请填写大于 0 的分值，或先在积分项目中开启扣分";
        return Err(refused("amount", "out_of_range", detail));
    }
    Ok(())
}

/// Ends a rule of the database and the same among `rules`.
async fn close(db: &impl ConnectionTrait, rules: &mut [Model], id: RuleId, at: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::update_many()
        .set(ActiveModel { valid_until: Set(Some(at)), ..Default::default() })
        .filter(Column::Id.eq(id))
        .exec(db)
        .await?;
    for rule in rules.iter_mut().filter(|rule| rule.id == id) {
        rule.valid_until = Some(at);
    }
    Ok(())
}

/// All rules of a programme.
///
/// # Errors
/// The database's.
pub async fn of_programme(db: &impl ConnectionTrait, programme: &str) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Programme.eq(programme)).order_by_asc(Column::Id).all(db).await
}

/// A rule that `staff` may change: of a region in the subtree; one for everywhere takes an admin of everything.
///
/// # Errors
/// [`PointsError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, staff: &StaffCaller, id: RuleId) -> Result<Model, PointsError> {
    let found = Entity::find_by_id(id).one(db).await?.ok_or(PointsError::NotFound)?;
    if !programmes::may_change(db, staff, found.region_code.as_deref()).await? {
        return Err(PointsError::NotFound);
    }
    Ok(found)
}

/// Whether there is such a rule anywhere.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: RuleId) -> Result<bool, DbErr> {
    Entity::find_by_id(id).exists(db).await
}

/// Ends a rule at `at`, or now; one that has not begun is called off. What was earned by it stays.
///
/// # Errors
/// [`PointsError::NotFound`] for one outside the subtree; [`PointsError::InvalidTransition`] where it is over already;
/// [`PointsError::Fields`] on `valid_until`: in the past, before it begins, or later than it ends anyway.
pub async fn end(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    id: RuleId,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Saved, PointsError> {
    let found = find(db, staff, id).await?;
    programme::Entity::find_by_id(&found.programme).lock_exclusive().one(db).await?;
    let mut rules = of_programme(db, &found.programme).await?;
    let found = rules.iter().find(|rule| rule.id == id).cloned().ok_or(PointsError::NotFound)?;
    if found.valid_until.is_some_and(|until| until <= now) || over(&found) {
        return Err(PointsError::InvalidTransition);
    }
    let until = at.unwrap_or_else(|| Ord::max(now, found.valid_from));
    if until < now {
        return Err(refused("valid_until", "out_of_range", "规则不能追溯结束，请填写现在或将来的时间"));
    }
    if until < found.valid_from {
        return Err(refused("valid_until", "out_of_range", "失效时间不能早于生效时间；要取消未生效的规则，请不填此项"));
    }
    if found.valid_until.is_some_and(|last| until > last) {
        return Err(refused("valid_until", "out_of_range", "这条规则本来就更早结束，请填写更早的时间，或新增一条规则"));
    }
    close(db, &mut rules, id, until).await?;
    let gaps = timeline::gaps(Scope::of(&found), &rules);
    Ok(Saved { rule: Model { valid_until: Some(until), ..found }, replaces: None, gaps })
}

/// What is wrong, or may be, with the rules as they stand.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Two rules of one scope at once.
    pub overlaps: Vec<(Model, Model, Span)>,
    /// No rule of a scope that had one; a rule of the scope stands for it.
    pub gaps: Vec<(Model, Gap)>,
    /// From now on, nothing is earned by services of a category in the region.
    pub uncovered: Vec<(Category, Span)>,
}

/// Looks through the rules of a programme in the subtree of `region`. In the order of scopes, then of time.
///
/// # Errors
/// The database's.
pub async fn check(
    db: &impl ConnectionTrait,
    programme: &str,
    region: &RegionCode,
    now: DateTime<Utc>,
) -> Result<Report, DbErr> {
    let rules = of_programme(db, programme).await?;
    let place = region.subtree();
    let within = |code: &str| RegionCode::parse(code).is_ok_and(|code| place.encloses(&Subtree::of(&code)));
    let mut scopes: BTreeMap<Scope<'_>, Vec<&Model>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.region_code.as_deref().is_some_and(within)) {
        scopes.entry(Scope::of(rule)).or_default().push(rule);
    }
    let mut report = Report::default();
    for (scope, own) in scopes {
        let found = timeline::overlaps(&own);
        report.overlaps.extend(found.into_iter().map(|(one, two, span)| (one.clone(), two.clone(), span)));
        let latest = own.iter().max_by_key(|rule| rule.version);
        let gaps = timeline::gaps(scope, &rules);
        report.gaps.extend(latest.into_iter().flat_map(|rule| gaps.iter().map(|gap| ((*rule).clone(), *gap))));
    }
    for category in Category::iter() {
        let code = category.to_value();
        let scope = Scope { region: Some(region), subject: Subject::Record, category: Some(code.as_str()), item: None };
        let spans = timeline::uncovered(scope, &rules, now);
        report.uncovered.extend(spans.into_iter().map(|span| (category, span)));
    }
    Ok(report)
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
