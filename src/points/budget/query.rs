//! Budgets as they are read, each with what waits for it.

use std::collections::HashMap;

use entity::budget::{self, BudgetStatus, Column, Entity, Model};
use entity::id::BudgetId;
use entity::{budget_funding, due};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::super::due::waits;
use crate::http::{Listing, Page, Problem};
use crate::region::{RegionCode, Subtree};

/// Which budgets.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) programme: Option<String>,
    pub(super) region: Option<RegionCode>,
    pub(super) status: Option<BudgetStatus>,
}

/// Budgets of a subtree, newest first.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    filter: &Filter,
    page: &Page,
) -> Result<Listing<Model>, Problem> {
    let column = || Expr::col((Entity, Column::RegionCode));
    let mut query = Entity::find().filter(subtree.covers(column()));
    if let Some(programme) = &filter.programme {
        query = query.filter(Column::Programme.eq(programme.as_str()));
    }
    if let Some(region) = &filter.region {
        query = query.filter(region.subtree().covers(column()));
    }
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(after) = page.after::<BudgetId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}

/// A budget's fundings, newest first.
pub(super) async fn fundings(
    db: &impl ConnectionTrait,
    budget: BudgetId,
    page: &Page,
) -> Result<Listing<budget_funding::Model>, Problem> {
    use budget_funding::{Column, Entity};
    let mut query = Entity::find().filter(Column::BudgetId.eq(budget));
    if let Some(after) = page.after::<entity::id::FundingId>()? {
        query = query.filter(Column::Id.lt(after));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit() + 1).all(db).await?;
    Ok(Listing::cut(rows, page, |last| last.id))
}

/// How many dues wait for each of the budgets, and how much they are in hundredths; those for which none waits are left out.
pub(super) async fn waiting(
    db: &impl ConnectionTrait,
    budgets: impl IntoIterator<Item = BudgetId>,
) -> Result<HashMap<BudgetId, (i64, i64)>, DbErr> {
    #[derive(sea_orm::FromQueryResult)]
    struct Sum {
        id: BudgetId,
        dues: i64,
        amount: i64,
    }
    let of_budget = |column: budget::Column| Expr::col((budget::Entity, column));
    let of_due = |column: due::Column| Expr::col((due::Entity, column));
    let waits = Condition::all()
        .add(waits())
        .add(of_due(due::Column::Programme).eq(of_budget(Column::Programme)))
        .add(of_due(due::Column::RegionCode).gte(of_budget(Column::RegionLo)))
        .add(of_due(due::Column::RegionCode).lt(of_budget(Column::RegionHi)));
    let query = Query::select()
        .column((budget::Entity, Column::Id))
        .expr_as(Func::count(of_due(due::Column::Id)), "dues")
        .expr_as(of_due(due::Column::Amount).sum().cast_as("bigint"), "amount")
        .from(budget::Entity)
        .inner_join(due::Entity, waits)
        .and_where(of_budget(Column::Id).is_in(budgets.into_iter().map(uuid::Uuid::from)))
        .group_by_col((budget::Entity, Column::Id))
        .to_owned();
    let rows = db.query_all(&query).await?;
    let sums = rows.iter().map(|row| Sum::from_query_result(row, ""));
    sums.map(|sum| sum.map(|sum| (sum.id, (sum.dues, sum.amount)))).collect()
}
