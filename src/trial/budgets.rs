//! What the budgets would have said to a trial.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use entity::account::AccountKind;
use entity::budget::{BudgetStatus, Column, Entity, Model};
use entity::id::BudgetId;
use entity::{account, entry, journal, programme};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef,
};

use crate::calendar::{Calendar, Span};
use crate::points::RECORD;

/// What one budget would have said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: BudgetId,
    pub(super) name: String,
    /// Hundredths it would have had for the period: what is left of it now, with what the period's records have drawn.
    pub(super) left_at_from: i64,
    pub(super) would_draw: i64,
    /// The first local day on which it could not have paid a community all of its day.
    pub(super) exhausted_on: Option<NaiveDate>,
}

/// Lets the budgets pay for what would have been issued, day by day, and within a day community by community. As in
/// earnest the smallest region's budget comes first, then the oldest, and only one that covers the whole pays.
pub(super) async fn told(
    db: &impl ConnectionTrait,
    programme: &programme::Model,
    span: &Span,
    issued: &BTreeMap<(NaiveDate, String), i64>,
    calendar: Calendar,
) -> Result<Vec<Told>, DbErr> {
    let last = calendar.day_of(span.end);
    let over =
        Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gte(calendar.day_of(span.start)));
    let mut budgets = Entity::find()
        .filter(Column::Programme.eq(&programme.code))
        .filter(Column::ValidFrom.lte(last))
        .filter(over)
        .filter(Condition::any().add(Column::Status.eq(BudgetStatus::Active)).add(Column::Issued.gt(0)))
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    budgets.sort_by_key(|budget| (std::cmp::Reverse(budget.region_lo.len()), budget.id));
    let drawn = drawn(db, &budgets, span).await?;
    let mut told: Vec<Told> = budgets
        .iter()
        .map(|budget| Told {
            id: budget.id,
            name: budget.name.clone(),
            left_at_from: budget.funded - budget.issued + drawn.get(&budget.id).copied().unwrap_or(0),
            would_draw: 0,
            exhausted_on: None,
        })
        .collect();
    for ((day, community), amount) in issued {
        pay(&budgets, &mut told, *day, community, *amount);
    }
    Ok(told)
}

fn pay(budgets: &[Model], told: &mut [Told], day: NaiveDate, community: &str, amount: i64) {
    for (budget, told) in budgets.iter().zip(told) {
        let here = budget.region_lo.as_str() <= community && community < budget.region_hi.as_str();
        let open = budget.valid_from <= day && budget.valid_until.is_none_or(|last| day <= last);
        if !here || !open {
            continue;
        }
        if told.left_at_from - told.would_draw >= amount {
            told.would_draw += amount;
            return;
        }
        told.exhausted_on.get_or_insert(day);
    }
}

/// What the period's records drew on each budget, without what was reversed.
async fn drawn(db: &impl ConnectionTrait, budgets: &[Model], span: &Span) -> Result<BTreeMap<BudgetId, i64>, DbErr> {
    if budgets.is_empty() {
        return Ok(BTreeMap::new());
    }
    let of_journal: RelationDef =
        entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
    let of_account: RelationDef =
        entry::Entity::belongs_to(account::Entity).from(entry::Column::AccountId).to(account::Column::Id).into();
    let reversal = sea_orm::sea_query::Alias::new("reversal");
    let reversed = sea_orm::sea_query::Query::select()
        .expr(Expr::val(1))
        .from_as(journal::Entity, reversal.clone())
        .and_where(Expr::col((reversal, journal::Column::ReversesId)).equals((journal::Entity, journal::Column::Id)))
        .to_owned();
    let rows: Vec<(Option<BudgetId>, i64)> = entry::Entity::find()
        .select_only()
        .column(journal::Column::BudgetId)
        .column_as(Expr::col((entry::Entity, entry::Column::Amount)).sum().cast_as("bigint"), "amount")
        .join(JoinType::InnerJoin, of_journal)
        .join(JoinType::InnerJoin, of_account)
        .filter(account::Column::Kind.eq(AccountKind::Member))
        .filter(journal::Column::BudgetId.is_in(budgets.iter().map(|budget| budget.id)))
        .filter(journal::Column::SourceKind.eq(RECORD))
        .filter(journal::Column::At.gte(span.start))
        .filter(journal::Column::At.lt(span.end))
        .filter(Expr::exists(reversed).not())
        .group_by(journal::Column::BudgetId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|(budget, amount)| Some((budget?, amount))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use entity::budget::BudgetOwner;
    use entity::id::StaffId;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
    }

    fn budget(region: &str, hi: &str, from: u32) -> Model {
        Model {
            id: BudgetId::new(),
            programme: "default".into(),
            name: String::new(),
            owner_kind: BudgetOwner::Community,
            station_id: None,
            unit_id: None,
            region_code: region.into(),
            region_lo: region.into(),
            region_hi: hi.into(),
            funded: 0,
            issued: 0,
            warn_share: 80,
            warned_at: None,
            valid_from: day(from),
            valid_until: Some(day(20)),
            status: BudgetStatus::Active,
            created_by: StaffId::new(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
            closed_at: None,
        }
    }

    #[test]
    fn the_smallest_budget_that_covers_the_whole_pays() {
        let budgets = [budget("130302001001", "130302001002", 1), budget("130302", "130303", 5)];
        let told = |left| Told {
            id: BudgetId::NIL,
            name: String::new(),
            left_at_from: left,
            would_draw: 0,
            exhausted_on: None,
        };
        let mut both = [told(10), told(100)];
        for (number, community, amount) in [
            (2, "130302001001", 8),
            (3, "130302001001", 5),
            (6, "130302001001", 5),
            (7, "130302001001", 2),
            (8, "130302001002", 90),
            (9, "130302001002", 6),
            (21, "130302001002", 1),
            (9, "130303001001", 1),
        ] {
            pay(&budgets, &mut both, day(number), community, amount);
        }
        assert_eq!((both[0].would_draw, both[0].exhausted_on), (10, Some(day(3))));
        assert_eq!((both[1].would_draw, both[1].exhausted_on), (95, Some(day(9))));
    }
}
