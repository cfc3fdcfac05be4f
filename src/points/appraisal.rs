//! What rules say of something before anybody decides about it, and what its journal moved afterwards.

use entity::account::{self, AccountKind};
use entity::id::RuleId;
use entity::rule::{Column, Entity, Model};
use entity::{entry, journal};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _,
    QuerySelect as _, RelationDef,
};

use super::domain::Points;
use super::error::PointsError;
use super::ledger::Source;
use super::valuation::{self, Facts, RuleBook};

/// What a rule says something is worth, before caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    pub rule_id: RuleId,
    /// Below zero where they would be taken.
    pub points: Points,
}

/// What the rules of a programme say of each of `all`, given with its community; `None` where no rule applies. One query,
/// however many.
///
/// # Errors
/// [`PointsError::TooLarge`] beyond 64 bits; the database's.
pub async fn appraise(
    db: &impl ConnectionTrait,
    programme: &str,
    all: &[(&str, Facts)],
) -> Result<Vec<Option<Worth>>, PointsError> {
    let (Some(first), Some(last)) =
        (all.iter().map(|(_, facts)| facts.at).min(), all.iter().map(|(_, facts)| facts.at).max())
    else {
        return Ok(Vec::new());
    };
    let rules: Vec<Model> = Entity::find()
        .filter(Column::Programme.eq(programme))
        .filter(Column::ValidFrom.lte(last))
        .filter(Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gt(first)))
        .all(db)
        .await?;
    let book = RuleBook::new(rules);
    let worth = |(community, facts): &(&str, Facts)| match book.applicable(facts, community) {
        None => Ok(None),
        Some(rule) => {
            let value = valuation::value(rule, facts).ok_or(PointsError::TooLarge)?;
            Ok(Some(Worth { rule_id: rule.id, points: Points::from_hundredths(value) }))
        }
    };
    all.iter().map(worth).collect()
}

/// What the journal of `source` gave its member (above zero) or took (below); zero where there is none.
///
/// # Errors
/// The database's.
pub async fn moved(db: &impl ConnectionTrait, source: Source<'_>) -> Result<Points, DbErr> {
    let of_journal: RelationDef =
        entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
    let of_account: RelationDef =
        entry::Entity::belongs_to(account::Entity).from(entry::Column::AccountId).to(account::Column::Id).into();
    let sum: Option<Option<i64>> = entry::Entity::find()
        .select_only()
        .column_as(Expr::col((entry::Entity, entry::Column::Amount)).sum().cast_as("bigint"), "moved")
        .join(JoinType::InnerJoin, of_journal)
        .join(JoinType::InnerJoin, of_account)
        .filter(journal::Column::SourceKind.eq(source.kind))
        .filter(journal::Column::SourceId.eq(source.id))
        .filter(account::Column::Kind.eq(AccountKind::Member))
        .into_tuple()
        .one(db)
        .await?;
    Ok(Points::from_hundredths(sum.flatten().unwrap_or(0)))
}
