//! Issuing: the only way in which points come into being for a member. What is issued is paid for by a budget.
//!
//! Which budget pays: of those of the programme that are open today and whose region holds the community, the one of the
//! smallest region, then the oldest, that covers the whole amount; an amount is never split. A budget for which somebody
//! waits pays nobody else first. Where no budget counts for the community, issuing has no limit unless the programme
//! says so. Why: `docs/adr/0007-budgets.md`.
//!
//! The budget's row is the hottest of a posting, so it is taken last. What is in it was read first: where that has changed
//! meanwhile, which only happens on PostgreSQL, the command is run again and sees it.

use chrono::{DateTime, Utc};
use entity::account::AccountKind;
use entity::budget::{self, BudgetStatus, Column, Entity};
use entity::id::BudgetId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, QueryFilter as _, Statement, Value,
};
use serde_json::json;

use super::cap;
use super::domain::Lot;
use super::due;
use super::error::PointsError;
use super::ledger::{self, Links, Posting};
use crate::audit::{Actor, AuditEvent};
use crate::db::contended;
use crate::region::RegionCode;

/// What becomes of points that no budget can pay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEmpty {
    /// [`PointsError::BudgetExhausted`]: nothing is issued.
    Refuse,
    /// They are owed, and paid when funds arrive.
    Owe,
}

/// What became of points to be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    Paid,
    /// Owed until a budget has funds.
    Due,
}

/// Issues what `posting` says (`earn` or `grant`) from the budget that pays for it. With [`OnEmpty::Owe`] it is an `earn`,
/// and the id of its journal becomes that of the due where nothing can be posted yet.
///
/// # Errors
/// As [`ledger::post`]; [`PointsError::BudgetExhausted`] with [`OnEmpty::Refuse`].
pub async fn issue(db: &impl ConnectionTrait, posting: &Posting<'_>, on_empty: OnEmpty) -> Result<Issued, PointsError> {
    let terms = Terms::of(db, posting.programme, posting.community, posting.today).await?;
    match terms.payer(posting.amount.hundredths()) {
        Payer::Nobody => credit(db, posting, None, terms.cap).await?,
        Payer::Budget(budget) => {
            credit(db, posting, Some(budget), terms.cap).await?;
            draw(db, budget, posting.amount.hundredths(), posting.posted_at).await?;
        }
        Payer::None => match on_empty {
            OnEmpty::Refuse => return Err(PointsError::BudgetExhausted { needed: posting.amount }),
            OnEmpty::Owe => {
                due::owe(db, posting).await?;
                return Ok(Issued::Due);
            }
        },
    }
    Ok(Issued::Paid)
}

/// The posting itself, at the cost of `budget`, which is drawn on by the caller; what it brings above `cap`, the
/// programme's for each account, moves on. Everything new that a member gets passes
/// here.
pub(super) async fn credit(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    budget: Option<BudgetId>,
    cap: Option<i64>,
) -> Result<(), PointsError> {
    let lots = [Lot { expires_on: posting.expires_on, amount: posting.amount.hundredths() }];
    ledger::credit(db, posting, AccountKind::Issued, &lots, Links { reverses: None, budget }).await?;
    cap::settle(db, posting, posting.expires_on, cap).await.map(drop)
}

/// Who may pay in a community.
#[derive(Debug)]
pub(super) struct Terms {
    required: bool,
    /// The programme's cap of an account.
    pub(super) cap: Option<i64>,
    /// Those that count, smallest region first, then oldest.
    budgets: Vec<Candidate>,
}

#[derive(Debug, FromQueryResult)]
struct Candidate {
    id: BudgetId,
    rest: i64,
    open: bool,
    /// Somebody waits for it.
    awaited: bool,
}

/// Who pays for an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payer {
    /// No budget counts here, and none is needed.
    Nobody,
    Budget(BudgetId),
    /// None that could.
    None,
}

/// A budget counts from its first day on: while it is open, when it is over, and after it was closed if it ever paid. So one
/// that ends stops issuing rather than letting it run without limit.
const TERMS: &str = "SELECT p.budget_required AS required, p.account_cap AS cap, b.id AS id, CAST(b.funded - b.issued AS bigint) AS rest,
    CAST(b.status = 'active' AND (b.valid_until IS NULL OR b.valid_until >= $1) AS boolean) AS open,
    EXISTS (SELECT 1 FROM due d WHERE d.status = 'waiting' AND d.programme = b.programme
        AND d.region_code >= b.region_lo AND d.region_code < b.region_hi) AS awaited
FROM programme p LEFT JOIN budget b ON b.programme = p.code AND b.region_code IN ($2, $3, $4, $5, $6)
    AND b.valid_from <= $7 AND (b.status = 'active' OR b.issued > 0)
WHERE p.code = $8 ORDER BY length(b.region_lo) DESC, b.id";

impl Terms {
    pub(super) async fn of(
        db: &impl ConnectionTrait,
        programme: &str,
        community: &str,
        today: chrono::NaiveDate,
    ) -> Result<Self, DbErr> {
        let mut codes = RegionCode::parse(community).map_or_else(|_| Vec::new(), |code| code.enclosing()).into_iter();
        // SQLite counts parameters as they come.
        let mut values: Vec<Value> = vec![today.into()];
        values.extend((0..5).map(|_| Value::from(codes.next().unwrap_or_default())));
        values.extend([today.into(), programme.into()]);
        let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), TERMS, values)).await?;
        let mut terms = Self { required: false, cap: None, budgets: Vec::new() };
        for row in rows {
            terms.required = row.try_get("", "required")?;
            terms.cap = row.try_get("", "cap")?;
            if row.try_get::<Option<BudgetId>>("", "id")?.is_some() {
                terms.budgets.push(Candidate::from_query_result(&row, "")?);
            }
        }
        Ok(terms)
    }

    pub(super) fn payer(&self, amount: i64) -> Payer {
        if self.budgets.is_empty() && !self.required {
            return Payer::Nobody;
        }
        let able = |candidate: &&Candidate| candidate.open && !candidate.awaited && candidate.rest >= amount;
        self.budgets.iter().find(able).map_or(Payer::None, |candidate| Payer::Budget(candidate.id))
    }
}

/// Takes from a budget that was seen to have enough, and warns where that crosses its mark. The last thing a posting does.
pub(super) async fn draw(
    db: &impl ConnectionTrait,
    id: BudgetId,
    amount: i64,
    now: DateTime<Utc>,
) -> Result<(), PointsError> {
    let drawn = Entity::update_many()
        .col_expr(Column::Issued, Expr::col(Column::Issued).add(amount))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(BudgetStatus::Active))
        .filter(Expr::col(Column::Funded).sub(Expr::col(Column::Issued)).gte(amount))
        .exec_with_returning(db)
        .await?;
    let row = drawn.into_iter().next().ok_or_else(contended)?;
    warn(db, &row, now).await.map_err(Into::into)
}

/// Says once that a budget is nearly used up. Its row is locked by this transaction.
async fn warn(db: &impl ConnectionTrait, row: &budget::Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    if row.warned_at.is_some() || !is_low(row) {
        return Ok(());
    }
    set_warned(db, row.id, Some(now)).await?;
    let event = AuditEvent::new(Actor::System, "budget.warned", "budget", now).of(row.id).in_region(&row.region_code);
    crate::audit::record(db, event.with(json!({"funded": row.funded, "issued": row.issued}))).await
}

/// After staff changed what a budget holds or where its mark is: warns where it is reached, and is ready to warn again
/// where it is not. The row as it then is; it is locked by this transaction.
pub(super) async fn mark(
    db: &impl ConnectionTrait,
    mut row: budget::Model,
    now: DateTime<Utc>,
) -> Result<budget::Model, DbErr> {
    warn(db, &row, now).await?;
    if is_low(&row) {
        row.warned_at = row.warned_at.or(Some(now));
    } else if row.warned_at.is_some() {
        set_warned(db, row.id, None).await?;
        row.warned_at = None;
    }
    Ok(row)
}

async fn set_warned(db: &impl ConnectionTrait, id: BudgetId, at: Option<DateTime<Utc>>) -> Result<(), DbErr> {
    let mark = budget::ActiveModel { warned_at: Set(at), ..Default::default() };
    Entity::update_many().set(mark).filter(Column::Id.eq(id)).exec(db).await.map(drop)
}

/// Whether the budget's mark is reached.
fn is_low(row: &budget::Model) -> bool {
    row.funded > 0 && i128::from(row.issued) * 100 >= i128::from(row.funded) * i128::from(row.warn_share)
}

/// Gives back what a reversed posting had drawn. Also where the budget is closed: it may then be withdrawn.
pub(super) async fn give_back(
    db: &impl ConnectionTrait,
    id: BudgetId,
    amount: i64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Issued, Expr::col(Column::Issued).sub(amount))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(drop)
}
