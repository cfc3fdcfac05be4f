//! Reading the records of a period and valuing them, as they come.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::MemberId;
use entity::rule::Model;
use entity::service_record::{Column, Entity, Evidence, RecordStatus};
use entity::{programme, region};
use futures_util::TryStreamExt as _;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::budgets::{self, Told};
use super::domain::{Decile, Line, Sum, Tally, TooLarge, Valuer};
use crate::calendar::{Calendar, Span};
use crate::http::FieldError;
use crate::identity::StaffCaller;
use crate::points::rule_body::RuleBody;
use crate::points::rules::{self, NewRule};
use crate::points::timeline::{self, Scope};
use crate::points::valuation::{Facts, RuleBook};
use crate::points::{PointsError, programmes};
use crate::region::RegionCode;

/// By what the records are valued beside the drafts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The rules that were in force.
    Current,
    Nothing,
}

/// What is to be tried.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) programme: String,
    /// Its records, by their members' communities.
    pub(super) region: RegionCode,
    pub(super) span: Span,
    pub(super) base: Base,
    pub(super) drafts: Vec<RuleBody>,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) all: Sum,
    pub(super) by_category: Vec<(Category, Sum)>,
    /// Code, name, sum; by code.
    pub(super) by_community: Vec<(String, String, Sum)>,
    pub(super) by_decile: Vec<Decile>,
    pub(super) budgets: Vec<Told>,
}

/// Tries the drafts on all records of the period that count.
///
/// # Errors
/// [`PointsError::Fields`] where a draft or the programme is refused, two drafts overlap; [`PointsError::TooLarge`] where a
/// value does not fit into 64 bits.
pub(super) async fn run(
    db: &DatabaseConnection,
    staff: &StaffCaller,
    trial: &Trial,
    calendar: Calendar,
) -> Result<Outcome, PointsError> {
    let found = programme::Entity::find_by_id(&trial.programme).one(db).await?;
    let found = programmes::within_reach(found, &staff.subtree())?;
    let drafts = drafted(db, staff, &found, trial).await?;
    let book = match trial.base {
        Base::Nothing => RuleBook::new(drafts),
        Base::Current => {
            let standing = rules::of_programme(db, &trial.programme).await?;
            RuleBook::new(standing.into_iter().chain(drafts))
        }
    };
    let mut tally = value_all(db, trial, &book, calendar).await?;
    let budgets = budgets::told(db, &found, &trial.span, &tally.by_day, calendar).await?;
    Ok(Outcome {
        all: tally.all,
        by_category: tally.by_category.iter().map(|(category, sum)| (*category, *sum)).collect(),
        by_community: named(db, &tally).await?,
        by_decile: tally.deciles(),
        budgets,
    })
}

/// The drafts as rules that win over those of the same scope; all their faults at once.
async fn drafted(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    programme: &programme::Model,
    trial: &Trial,
) -> Result<Vec<Model>, PointsError> {
    let mut errors = Vec::new();
    let mut made = Vec::new();
    for (at, body) in trial.drafts.iter().enumerate() {
        let within = |mut error: FieldError| {
            error.field = format!("rules[{at}].{}", error.field);
            error
        };
        if body.named_programme().is_some_and(|named| named != trial.programme) {
            let other = FieldError::new("programme", "invalid").saying("草案须与试算的积分项目一致，请去掉此项");
            errors.push(within(other));
        }
        match body.clone().draft(trial.span.start) {
            Err(faults) => errors.extend(faults.into_iter().map(within)),
            Ok(new) => match placed(db, staff, programme, new).await {
                Ok(rule) => made.push((at, rule)),
                Err(PointsError::Fields(faults)) => errors.extend(faults.into_iter().map(within)),
                Err(other) => return Err(other),
            },
        }
    }
    for (place, (one, first)) in made.iter().enumerate() {
        for (two, second) in &made[place + 1..] {
            let same = Scope::of(first) == Scope::of(second);
            if same && !timeline::overlaps(&[first, second]).is_empty() {
                let detail =
                    format!("草案 rules[{one}] 与 rules[{two}] 适用范围相同且时间重叠，请去掉一条，或改用不重叠的时间");
                errors.push(FieldError::new(format!("rules[{two}]"), "overlapping_rule").saying(detail));
            }
        }
    }
    if errors.is_empty() {
        Ok(made.into_iter().map(|(_, rule)| rule).collect())
    } else {
        Err(PointsError::Fields(errors))
    }
}

async fn placed(
    db: &impl ConnectionTrait,
    staff: &StaffCaller,
    programme: &programme::Model,
    new: NewRule,
) -> Result<Model, PointsError> {
    let region = new.region.clone().unwrap_or_else(|| staff.region.clone());
    rules::admissible(db, staff, programme, &region, new.rule.amount).await?;
    // Of one scope the newest version wins: while a draft is in force, none of those that stand.
    Ok(Model { programme: programme.code.clone(), region_code: Some(region.into()), version: i32::MAX, ..new.rule })
}

type Row = (MemberId, DateTime<Utc>, String, Category, i32, Evidence, i16, bool, Option<i64>);

/// Streams what counts of the period, member by member: one statement, so that the answer is of one moment.
async fn value_all(
    db: &DatabaseConnection,
    trial: &Trial,
    book: &RuleBook,
    calendar: Calendar,
) -> Result<Tally, PointsError> {
    let rows = Entity::find()
        .select_only()
        .columns([
            Column::MemberId,
            Column::EndedAt,
            Column::RegionCode,
            Column::Category,
            Column::Minutes,
            Column::Evidence,
            Column::Difficulty,
            Column::Organiser,
            Column::Points,
        ])
        .filter(Column::CountedAt.is_not_null())
        .filter(Column::Status.is_in([RecordStatus::Verified, RecordStatus::Disputed]))
        .filter(Column::Programme.eq(&trial.programme))
        .filter(trial.region.subtree().covers(Expr::col((Entity, Column::RegionCode))))
        .filter(Column::EndedAt.gte(trial.span.start))
        .filter(Column::EndedAt.lt(trial.span.end))
        .order_by_asc(Column::MemberId)
        .order_by_asc(Column::EndedAt)
        .order_by_asc(Column::Id)
        .into_tuple::<Row>();
    let mut rows = rows.stream(db).await?;
    let mut valuer = Valuer::new(book, calendar);
    let mut tally = Tally::default();
    while let Some((member, at, community, category, minutes, evidence, difficulty, organiser, did)) =
        rows.try_next().await?
    {
        let facts = Facts { evidence: Some(evidence), difficulty, organiser, ..Facts::service(category, at, minutes) };
        let line = Line { member, community, facts, did: did.unwrap_or(0) };
        let would = valuer.value(&line).map_err(|TooLarge| PointsError::TooLarge)?;
        tally.add(&line, would, calendar.day_of(at));
    }
    Ok(tally)
}

/// The communities with their names, by code.
async fn named(db: &impl ConnectionTrait, tally: &Tally) -> Result<Vec<(String, String, Sum)>, DbErr> {
    let mut found = Vec::new();
    let codes: Vec<_> = tally.by_community.iter().collect();
    for part in codes.chunks(500) {
        let rows: Vec<(String, String)> = region::Entity::find()
            .select_only()
            .columns([region::Column::Code, region::Column::Name])
            .filter(region::Column::Code.is_in(part.iter().map(|(code, _)| code.as_str())))
            .into_tuple()
            .all(db)
            .await?;
        let known: std::collections::HashMap<_, _> = rows.into_iter().collect();
        let name = |code: &String| known.get(code).cloned().unwrap_or_default();
        found.extend(part.iter().map(|(code, sum)| ((*code).clone(), name(code), **sum)));
    }
    Ok(found)
}
