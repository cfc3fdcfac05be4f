//! What is outstanding, what it will cost and how long the budgets last.
//!
//! - **outstanding**: the balances of the subtree's members and the dues that wait in it.
//! - **redeemed share**: of the points that ended in the last twelve months (this one and the eleven before), those that were
//!   spent (less refunds) rather than expired; 1 where none ended. Points donated or deducted cost nobody anything and count
//!   on neither side.
//! - **expected cost**: outstanding × the programme's cost of a point × its redeemed share, in yuan.
//! - **months covered**: what budgets may still issue ÷ what was issued (earned, granted, less reversals) in a month on average
//!   over the last three whole months. A larger region's budget counts by the part that this region's issuing was of it.

mod domain;
mod route;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use entity::budget::{self, BudgetStatus};
use entity::{account, balance, due, member, programme, region};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef,
};

use super::due::waits;
use super::turnover::{self, Sum, month_of};
use crate::calendar::Calendar;
use crate::region::{RegionCode, Subtree};

use domain::{Ended, Month, Part, by_month, ended, issued, total};
pub(super) use route::routes;

/// Months over which it is looked how points end, this one included.
const ENDING_MONTHS: usize = 12;
/// Whole months over which issuing is averaged.
const ISSUING_MONTHS: usize = 3;

/// The answer for a region. Amounts are hundredths of points, costs are fen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Liability {
    outstanding: i64,
    held: i64,
    due: i64,
    expected_cost: i64,
    /// Tenths of a month.
    months_covered: Option<i64>,
    budgets_left: Option<i64>,
    ended: Ended,
    by_region: Vec<Part>,
    by_month: Vec<Month>,
}

/// What is asked for.
#[derive(Clone, Debug)]
struct Question {
    region: RegionCode,
    programme: Option<String>,
    /// How many months back, this one included.
    months: usize,
    calendar: Calendar,
    now: DateTime<Utc>,
}

/// Answers it. Four queries over sums, and one over the balances of the region's members.
async fn answer(db: &impl ConnectionTrait, asked: &Question) -> Result<Liability, DbErr> {
    let (subtree, programme) = (asked.region.subtree(), asked.programme.as_deref());
    let months = last_months(asked.calendar, asked.now, Ord::max(asked.months, ENDING_MONTHS));
    let costs = costs(db).await?;
    let programmes: Vec<&str> = programme.map_or_else(|| costs.keys().map(String::as_str).collect(), |code| vec![code]);
    let turnover = turnover::of_subtree(db, &subtree, &programmes, &months).await?;
    let ending = months.get(months.len() - ENDING_MONTHS..).unwrap_or_default();
    let ended = ended(&turnover, ending);
    let mut answer =
        Liability { by_region: children(db, &asked.region).await?, ended: total(&ended), ..Default::default() };
    let places: Vec<Subtree> = answer.by_region.iter().filter_map(|part| subtree_of(&part.region_code)).collect();
    for line in outstanding(db, &subtree, programme).await? {
        answer.held += line.held;
        answer.due += line.due;
        answer.outstanding += line.amount;
        let of = ended.get(line.programme.as_str()).copied().unwrap_or_default();
        let cost = of.cost(line.amount, costs.get(&line.programme).copied().unwrap_or(0));
        answer.expected_cost += cost;
        if let Some(part) = places.iter().position(|place| place.contains(&line.region_code)) {
            let part = &mut answer.by_region[part];
            part.outstanding += line.amount;
            part.expected_cost += cost;
        }
    }
    answer.by_month = by_month(&turnover, &months, asked.months, answer.outstanding - answer.due);
    let whole = &months[months.len() - 1 - ISSUING_MONTHS..months.len() - 1];
    let issued = issued(&turnover, whole, None);
    answer.budgets_left = budgets_left(db, asked, whole, &turnover).await?;
    answer.months_covered = answer.budgets_left.and_then(|left| {
        let tenths = i128::from(left) * 10 * i128::try_from(ISSUING_MONTHS).ok()?;
        (issued > 0).then(|| i64::try_from(tenths / i128::from(issued)).ok()).flatten()
    });
    Ok(answer)
}

fn subtree_of(code: &str) -> Option<Subtree> {
    RegionCode::parse(code).ok().map(|code| code.subtree())
}

/// The last months, oldest first, the present one last.
fn last_months(calendar: Calendar, now: DateTime<Utc>, count: usize) -> Vec<String> {
    let mut months = vec![month_of(calendar, now)];
    let mut first = calendar.month_around(now).start;
    while months.len() < count {
        first = calendar.month_around(first - chrono::TimeDelta::hours(1)).start;
        months.push(month_of(calendar, first));
    }
    months.reverse();
    months
}

/// What a point costs in each programme, in ten-thousandths of a yuan.
async fn costs(db: &impl ConnectionTrait) -> Result<HashMap<String, i64>, DbErr> {
    let rows: Vec<(String, i64)> = programme::Entity::find()
        .select_only()
        .columns([programme::Column::Code, programme::Column::PointCost])
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

/// The regions directly below, with nothing yet; communities are not taken apart.
async fn children(db: &impl ConnectionTrait, of: &RegionCode) -> Result<Vec<Part>, DbErr> {
    if of.community().is_some() {
        return Ok(Vec::new());
    }
    let rows = region::Entity::find()
        .filter(region::Column::ParentCode.eq(of.as_str()))
        .order_by_asc(region::Column::Code)
        .all(db)
        .await?;
    let part = |row: region::Model| Part { region_code: row.code, name: row.name, outstanding: 0, expected_cost: 0 };
    Ok(rows.into_iter().map(part).collect())
}

/// What is outstanding in a community.
struct Line {
    region_code: String,
    programme: String,
    /// With what is due.
    amount: i64,
    held: i64,
    due: i64,
}

async fn outstanding(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    programme: Option<&str>,
) -> Result<Vec<Line>, DbErr> {
    let mut lines = balances(db, subtree, programme).await?;
    let mut query = due::Entity::find()
        .select_only()
        .columns([due::Column::RegionCode, due::Column::Programme])
        .column_as(Expr::col(due::Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(waits())
        .filter(subtree.covers(Expr::col((due::Entity, due::Column::RegionCode))));
    if let Some(programme) = programme {
        query = query.filter(due::Column::Programme.eq(programme));
    }
    let dues: Vec<(String, String, i64)> =
        query.group_by(due::Column::RegionCode).group_by(due::Column::Programme).into_tuple().all(db).await?;
    lines.extend(dues.into_iter().map(|(region_code, programme, amount)| Line {
        region_code,
        programme,
        amount,
        held: 0,
        due: amount,
    }));
    Ok(lines)
}

/// By the community in which members live now.
async fn balances(db: &impl ConnectionTrait, subtree: &Subtree, programme: Option<&str>) -> Result<Vec<Line>, DbErr> {
    #[derive(FromQueryResult)]
    struct Balances {
        region_code: String,
        programme: String,
        amount: i64,
        held: i64,
    }
    let sum = |column: balance::Column| Expr::col((balance::Entity, column)).sum().cast_as("bigint");
    let of_member: RelationDef =
        member::Entity::belongs_to(account::Entity).from(member::Column::Id).to(account::Column::MemberId).into();
    let of_account: RelationDef =
        account::Entity::belongs_to(balance::Entity).from(account::Column::Id).to(balance::Column::AccountId).into();
    let mut query = member::Entity::find()
        .select_only()
        .column(member::Column::RegionCode)
        .column(account::Column::Programme)
        .column_as(sum(balance::Column::Balance), "amount")
        .column_as(sum(balance::Column::Held), "held")
        .join(JoinType::InnerJoin, of_member)
        .join(JoinType::InnerJoin, of_account)
        .filter(subtree.covers(Expr::col((member::Entity, member::Column::RegionCode))));
    if let Some(programme) = programme {
        query = query.filter(account::Column::Programme.eq(programme));
    }
    let rows = query
        .group_by(member::Column::RegionCode)
        .group_by(account::Column::Programme)
        .into_model::<Balances>()
        .all(db)
        .await?;
    let line = |row: Balances| Line {
        region_code: row.region_code,
        programme: row.programme,
        amount: row.amount,
        held: row.held,
        due: 0,
    };
    Ok(rows.into_iter().map(line).collect())
}

/// What open budgets may still issue in the region; `None` without any.
async fn budgets_left(
    db: &impl ConnectionTrait,
    asked: &Question,
    whole: &[String],
    turnover: &[Sum],
) -> Result<Option<i64>, DbErr> {
    let today = asked.calendar.day_of(asked.now);
    let subtree = asked.region.subtree();
    let mut above = asked.region.enclosing();
    above.retain(|code| *code != asked.region.as_str());
    let mut left: Option<i64> = None;
    for row in open_budgets(db, &subtree, &above, asked.programme.as_deref(), today).await? {
        let rest = row.funded - row.issued;
        let part = if subtree.contains(&row.region_code) {
            rest
        } else {
            let Some(wider) = subtree_of(&row.region_code) else { continue };
            let here = issued(turnover, whole, Some(&row.programme));
            let all = issued(&turnover::of_subtree(db, &wider, &[&row.programme], whole).await?, whole, None);
            // Where reversals outweigh what was issued, there is nothing to divide by.
            if here <= 0 || all < here {
                continue;
            }
            let part = i128::from(rest) * i128::from(here) / i128::from(all);
            i64::try_from(part).unwrap_or(rest)
        };
        left = Some(left.unwrap_or(0).saturating_add(part));
    }
    Ok(left)
}

async fn open_budgets(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    above: &[String],
    programme: Option<&str>,
    today: NaiveDate,
) -> Result<Vec<budget::Model>, DbErr> {
    use budget::{Column, Entity};
    let within = subtree.covers(Expr::col((Entity, Column::RegionCode)));
    let mut query = Entity::find()
        .filter(Condition::any().add(within).add(Column::RegionCode.is_in(above.iter().map(String::as_str))))
        .filter(Column::Status.eq(BudgetStatus::Active))
        .filter(Column::ValidFrom.lte(today))
        .filter(Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gte(today)));
    if let Some(programme) = programme {
        query = query.filter(Column::Programme.eq(programme));
    }
    query.all(db).await
}
