//! The job: what waits is sealed, until nothing waits, and with its seal it is added to its month's turnover and to its
//! accounts' months.
//!
//! Journals are read and hashed outside the transaction, because they never change; it then holds a few large inserts only.
//! Two nodes cannot make the same seal: the lease keeps one out, the number is unique, and a journal that another seal took
//! is missing in the queue.

use entity::id::JournalId;
use entity::{seal, seal_leaf, unsealed};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};

use super::chain::{self, Figures};
use super::leaf::{self, Rows};
use super::tree::Hash;
use crate::app::AppState;
use crate::db::{Bulk, CommandError, Txn};
use crate::jobs::{JobError, Lease};
use crate::points::months::Months;
use crate::points::turnover;

/// Journals of one seal, at most: what keeps SQLite's writer for some twenty milliseconds.
pub(super) const MOST: u64 = 4096;

/// Why a seal was not made. Nothing was written.
#[derive(Debug, thiserror::Error)]
enum SealError {
    #[error("another node is sealing")]
    Elsewhere,
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl CommandError for SealError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Elsewhere => None,
        }
    }
}

/// Seals what waits; how many journals that were.
///
/// # Errors
/// The database's; that another node has taken over.
pub async fn run(state: &AppState, lease: &Lease) -> Result<u64, JobError> {
    let signer = state.keys.signer(super::PURPOSE);
    let (mut sealed, mut after) = (0, JournalId::NIL);
    loop {
        let waiting = waiting(state.db.read(), after).await?;
        let Some(last_waiting) = waiting.last() else { return Ok(sealed) };
        after = *last_waiting;
        let Some(batch) = Batch::take(state, &waiting).await? else { continue };
        sealed += batch.leaves.len() as u64;
        let ids: Vec<JournalId> = batch.leaves.iter().map(|(id, _)| *id).collect();
        let turned_over = turnover::Sums::of(state.db.read(), &state.calendar, &ids).await?;
        let (lease, signer, now) = (lease.clone(), signer.clone(), state.clock.now());
        state
            .db
            .write(async move |txn| {
                if !lease.is_held(txn).await? {
                    return Err(SealError::Elsewhere);
                }
                let before = last(txn).await?;
                let seal = chain::next(before.as_ref(), &batch.figures, &batch.hashes(), now, &signer);
                batch.write(txn, seal).await?;
                batch.months.add(txn).await?;
                Ok(turned_over.add(txn).await?)
            })
            .await?;
    }
}

/// The first that wait, in order of id.
async fn waiting(db: &impl ConnectionTrait, after: JournalId) -> Result<Vec<JournalId>, DbErr> {
    unsealed::Entity::find()
        .select_only()
        .column(unsealed::Column::JournalId)
        .filter(unsealed::Column::JournalId.gt(after))
        .order_by_asc(unsealed::Column::JournalId)
        .limit(MOST)
        .into_tuple()
        .all(db)
        .await
}

/// The newest seal.
pub(super) async fn last(db: &impl ConnectionTrait) -> Result<Option<seal::Model>, DbErr> {
    seal::Entity::find().order_by_desc(seal::Column::No).one(db).await
}

/// Journals that are sealed together, in order of id.
struct Batch {
    leaves: Vec<(JournalId, Hash)>,
    figures: Figures,
    months: Months,
}

impl Batch {
    /// Those of `waiting` that are there; `None` where none is.
    async fn take(state: &AppState, waiting: &[JournalId]) -> Result<Option<Self>, DbErr> {
        let rows = Rows::read(state.db.read(), waiting).await?;
        let mut months = Months::default();
        let mut leaves = Vec::with_capacity(waiting.len());
        let mut figures: Option<Figures> = None;
        for id in waiting {
            let Some((journal, lines)) = rows.get(*id) else {
                tracing::error!(journal.id = %id, "a journal that waits for its seal is gone");
                continue;
            };
            leaves.push((*id, leaf::hash(journal, lines)));
            months.count(state.calendar, journal, lines);
            let one = Figures::of(journal, lines);
            let sum = match (figures, one) {
                (None, one) => one,
                (Some(sum), Some(one)) => sum.and(&one),
                (Some(_), None) => None,
            };
            figures = Some(sum.ok_or_else(too_large)?);
        }
        Ok(figures.map(|figures| Self { leaves, figures, months }))
    }

    fn hashes(&self) -> Vec<Hash> {
        self.leaves.iter().map(|(_, hash)| *hash).collect()
    }

    async fn write(&self, txn: &Txn, seal: seal::Model) -> Result<(), SealError> {
        let no = seal.no;
        seal::Entity::insert(seal.into_active_model().reset_all()).exec_without_returning(txn).await?;
        let mut rows = Bulk::insert(txn, "seal_leaf", &["seal_no", "position", "journal_id", "hash"]);
        for (position, (journal, hash)) in (0_i32..).zip(&self.leaves) {
            rows.push(txn, [no.into(), position.into(), (*journal).into(), hash.to_vec().into()]).await?;
        }
        rows.finish(txn).await?;
        let sealed = seal_leaf::Entity::find()
            .select_only()
            .column(seal_leaf::Column::JournalId)
            .filter(seal_leaf::Column::SealNo.eq(no));
        let gone = unsealed::Entity::delete_many()
            .filter(unsealed::Column::JournalId.in_subquery(sealed.into_query()))
            .exec(txn)
            .await?;
        if gone.rows_affected == self.leaves.len() as u64 { Ok(()) } else { Err(SealError::Elsewhere) }
    }
}

fn too_large() -> DbErr {
    DbErr::Custom("the entries of these journals sum up to more than 64 bits".to_owned())
}
