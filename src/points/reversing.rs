//! Repairing a posting by its opposite: taking back what was earned, giving back what was spent. Once each.

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::{self, AccountKind};
use entity::id::{JournalId, MemberId};
use entity::journal::{self, JournalKind};
use entity::{balance, entry};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::account as ids;
use super::cap::{self, Undoing};
use super::domain::{Lot, Points, returned};
use super::due;
use super::error::PointsError;
use super::issuing;
use super::ledger::{self, Links, Posting, Source};
use super::{bucket, earning};
use crate::audit::Actor;

/// The repair of one posting.
#[derive(Clone, Copy, Debug)]
pub struct Reversing<'a> {
    /// Of the new journal; drawn before the transaction.
    pub journal_id: JournalId,
    /// What the first journal was posted for.
    pub original: Source<'a>,
    /// What the new one is posted for, such as `service_record_reversal` with the record's id.
    pub source: Source<'a>,
    pub reason: Option<&'a str>,
    pub actor: Actor,
    pub now: DateTime<Utc>,
    /// The local day of now.
    pub today: NaiveDate,
}

/// Takes back what `original` earned, from the bucket it went to and then from the earliest, or gives back what it took; the
/// points taken back, zero where it had earned none, below zero where they are given back. The budget that paid has them
/// again. Points still owed for it are owed no longer, and nothing is posted.
///
/// # Errors
/// [`PointsError::AlreadySpent`] where the member no longer has them available, [`PointsError::InvalidTransition`] where
/// it has been reversed before.
pub async fn reverse(db: &impl ConnectionTrait, reversing: &Reversing<'_>) -> Result<Points, PointsError> {
    earning::forget(db, reversing.original).await?;
    let Some(found) = issued_or_cancelled(db, reversing).await? else { return Ok(Points::ZERO) };
    if found.journal.kind == JournalKind::Deduct {
        return give_back(db, &found, reversing).await.map(|points| Points::from_hundredths(-points.hundredths()));
    }
    let undoing = Undoing {
        original: found.journal.id,
        journal_id: reversing.journal_id,
        programme: &found.journal.programme,
        member_id: found.member_id,
        actor: reversing.actor,
        now: reversing.now,
        today: reversing.today,
    };
    cap::give_back(db, &undoing).await?;
    let posting = found.posting(JournalKind::Reversal, reversing);
    let amount = posting.amount.hundredths();
    let first = found.lots.first();
    let undated = first.is_some_and(|lot| lot.expires_on.is_none());
    let lots = if undated && take_undated(db, &posting).await? {
        vec![Lot { expires_on: None, amount }]
    } else {
        bucket::take_free(db, &posting, first).await.map_err(|error| match error {
            PointsError::Insufficient { needed, available } => PointsError::AlreadySpent { needed, available },
            other => other,
        })?
    };
    let links = Links { reverses: Some(found.journal.id), budget: found.journal.budget_id };
    ledger::write_linked(db, &posting, found.books, &ledger::negative(&lots), links).await?;
    if let Some(budget) = links.budget {
        issuing::give_back(db, budget, amount, reversing.now).await?;
    }
    Ok(posting.amount)
}

/// The journal to reverse. Where there is none, what is owed for the source is cancelled; where that was being paid just
/// now, the journal is there after all.
async fn issued_or_cancelled(
    db: &impl ConnectionTrait,
    reversing: &Reversing<'_>,
) -> Result<Option<Original>, PointsError> {
    let found = Original::of(db, reversing.original).await?;
    if found.is_some() || due::cancel(db, reversing.original, reversing.now).await? != due::Cancelled::Paid {
        return Ok(found);
    }
    Original::of(db, reversing.original).await
}

/// The fast way of an account without dated points; false where it is not open.
async fn take_undated(db: &impl ConnectionTrait, posting: &Posting<'_>) -> Result<bool, DbErr> {
    let amount = posting.amount.hundredths();
    let less = |column: balance::Column| Expr::col(column).sub(amount);
    let taken = balance::Entity::update_many()
        .col_expr(balance::Column::Balance, less(balance::Column::Balance))
        .col_expr(balance::Column::Earned, less(balance::Column::Earned))
        .filter(balance::Column::AccountId.eq(ids::of_member(posting.programme, posting.member_id)))
        .filter(balance::Column::Dated.eq(0))
        .filter(Expr::col(balance::Column::Balance).sub(Expr::col(balance::Column::Held)).gte(amount))
        .exec(db)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Gives back what `original` spent, each part to the bucket it came from; where that day is over, for thirty days more.
///
/// # Errors
/// [`PointsError::InvalidTransition`] where nothing was spent or it has been given back before.
pub async fn refund(db: &impl ConnectionTrait, reversing: &Reversing<'_>) -> Result<Points, PointsError> {
    let found = Original::of(db, reversing.original).await?.ok_or(PointsError::InvalidTransition)?;
    give_back(db, &found, reversing).await
}

async fn give_back(
    db: &impl ConnectionTrait,
    found: &Original,
    reversing: &Reversing<'_>,
) -> Result<Points, PointsError> {
    let posting = found.posting(JournalKind::Refund, reversing);
    let lots = returned(&found.lots, reversing.today);
    let links = Links { reverses: Some(found.journal.id), budget: None };
    ledger::credit(db, &posting, found.books, &lots, links).await?;
    Ok(posting.amount)
}

/// A posted journal: whose it is, in whose books, and its lots without sign.
struct Original {
    journal: journal::Model,
    member_id: MemberId,
    books: AccountKind,
    community: String,
    lots: Vec<Lot>,
}

impl Original {
    async fn of(db: &impl ConnectionTrait, source: Source<'_>) -> Result<Option<Self>, PointsError> {
        let journal = journal::Entity::find()
            .filter(journal::Column::SourceKind.eq(source.kind))
            .filter(journal::Column::SourceId.eq(source.id))
            .one(db)
            .await?;
        let Some(journal) = journal else { return Ok(None) };
        let entries = entry::Entity::find()
            .filter(entry::Column::JournalId.eq(journal.id))
            .order_by_asc(entry::Column::Line)
            .all(db)
            .await?;
        let accounts = account::Entity::find()
            .filter(account::Column::Id.is_in(entries.iter().map(|line| line.account_id)))
            .all(db)
            .await?;
        let mut member = None;
        let mut books = None;
        for found in accounts {
            match (found.member_id, found.region_code) {
                (Some(id), _) => member = Some((found.id, id)),
                (None, Some(community)) => books = Some((found.kind, community)),
                (None, None) => {}
            }
        }
        let (Some((account_id, member_id)), Some((books, community))) = (member, books) else {
            return Err(DbErr::Custom(format!("journal {} has no two sides", journal.id)).into());
        };
        let lines = entries.into_iter().filter(|line| line.account_id == account_id);
        let lots = lines.map(|line| Lot { expires_on: line.expires_on, amount: line.amount.abs() }).collect();
        Ok(Some(Self { journal, member_id, books, community, lots }))
    }

    fn posting<'a>(&'a self, kind: JournalKind, reversing: &Reversing<'a>) -> Posting<'a> {
        Posting {
            journal_id: reversing.journal_id,
            kind,
            programme: &self.journal.programme,
            member_id: self.member_id,
            community: &self.community,
            amount: Points::from_hundredths(self.lots.iter().map(|lot| lot.amount).sum()),
            expires_on: None,
            source: reversing.source,
            reason: reversing.reason,
            actor: reversing.actor,
            at: reversing.now,
            posted_at: reversing.now,
            today: reversing.today,
        }
    }
}
