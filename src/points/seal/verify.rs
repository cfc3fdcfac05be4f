//! Whether the journal is what was sealed: every leaf, tree, link and signature made again and compared.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use entity::id::JournalId;
use entity::{journal, seal, seal_leaf, unsealed};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Serialize;

use super::chain::{self, Figures};
use super::leaf::{self, Rows};
use super::tree::{self, Hash};
use crate::crypto::{Signer, hex};
use crate::verify::{Check, Finding};

/// What can be asked in SQL.
pub const CHECKS: &[Check] = &[
    Check {
        name: "journal_is_sealed_or_waits",
        table: "journal",
        sql: "SELECT j.id AS id, NULL AS expected, NULL AS found FROM journal j
            WHERE NOT EXISTS (SELECT 1 FROM seal_leaf l WHERE l.journal_id = j.id)
              AND NOT EXISTS (SELECT 1 FROM unsealed u WHERE u.journal_id = j.id)",
    },
    Check {
        name: "waiting_journal_is_there",
        table: "unsealed",
        sql: "SELECT u.journal_id AS id, NULL AS expected, NULL AS found FROM unsealed u
            WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.id = u.journal_id)",
    },
    Check {
        name: "sealed_journal_does_not_wait",
        table: "unsealed",
        sql: "SELECT u.journal_id AS id, NULL AS expected, l.seal_no AS found FROM unsealed u
            JOIN seal_leaf l ON l.journal_id = u.journal_id",
    },
    Check {
        name: "leaf_has_its_seal",
        table: "seal_leaf",
        sql: "SELECT l.journal_id AS id, NULL AS expected, l.seal_no AS found FROM seal_leaf l
            WHERE NOT EXISTS (SELECT 1 FROM seal s WHERE s.no = l.seal_no)",
    },
    Check {
        name: "entry_has_its_journal",
        table: "entry",
        sql: "SELECT e.journal_id AS id, NULL AS expected, e.line AS found FROM entry e
            WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.id = e.journal_id)",
    },
];

const GONE: &str = "sealed_journal_is_there";
const CHANGED: &str = "sealed_journal_is_unchanged";
const MOVED: &str = "sealed_journal_stands_in_its_place";
const ROOT: &str = "seal_root_is_of_its_leaves";
const FIGURES: &str = "seal_figures_are_of_its_journals";
const WORDS: &str = "seal_hash_is_of_its_words";
const CHAIN: &str = "seal_follows_the_one_before";
const SIGNED: &str = "seal_is_signed_by_this_instance";
const LATE: &str = "journal_is_sealed_within_an_hour";
const NAMES: [&str; 9] = [GONE, CHANGED, MOVED, ROOT, FIGURES, WORDS, CHAIN, SIGNED, LATE];

/// How long a journal may wait while others come after it.
const PATIENCE_SECONDS: i64 = 3600;
/// Seals, and journals they say they have, that are looked at together.
const PAGE_SEALS: u64 = 1000;
const PAGE_JOURNALS: i64 = 16_384;

/// What was sealed and what waits.
#[derive(Clone, Debug, Serialize)]
pub struct SealsReport {
    pub seals: i64,
    /// Journals in seals.
    pub sealed: i64,
    /// Journals that wait, which seals say nothing about yet.
    pub unsealed: u64,
    /// When the oldest of them was posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_unsealed_at: Option<DateTime<Utc>>,
    /// How long ago that was.
    pub lag_seconds: i64,
    /// The newest seal: compare it with what was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// The end of the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    pub no: i64,
    pub hash: String,
    pub sealed_at: DateTime<Utc>,
}

/// What was found, by check.
pub type Findings = Vec<(&'static str, Vec<Finding>)>;

/// Makes everything again, in order of number, as of one snapshot.
///
/// # Errors
/// The database's.
pub async fn run(
    db: &impl ConnectionTrait,
    signer: &Signer,
    now: DateTime<Utc>,
) -> Result<(SealsReport, Findings), DbErr> {
    let mut audit = Audit { signer, key_id: signer.key_id(), before: None, sealed: 0, seals: 0, found: Vec::new() };
    let mut after = 0;
    loop {
        let mut page = seal::Entity::find()
            .filter(seal::Column::No.gt(after))
            .order_by_asc(seal::Column::No)
            .limit(PAGE_SEALS)
            .all(db)
            .await?;
        let mut journals = 0_i64;
        let fits = page.iter().take_while(|seal| {
            journals = journals.saturating_add(seal.journals);
            journals <= PAGE_JOURNALS
        });
        let fits = fits.count().max(1);
        page.truncate(fits);
        let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
        after = last.no;
        audit.page(db, (first.no, last.no), &page).await?;
    }
    let report = audit.report(db, now).await?;
    let by_name = |name| (name, audit.found.iter().filter(|finding| finding.check == name).cloned().collect());
    Ok((report, NAMES.map(by_name).into()))
}

struct Audit<'a> {
    signer: &'a Signer,
    key_id: String,
    before: Option<seal::Model>,
    seals: i64,
    sealed: i64,
    found: Vec<Finding>,
}

impl Audit<'_> {
    fn tell(&mut self, check: &'static str, row: &impl Display, figures: Option<(i64, i64)>) {
        let table = if matches!(check, GONE | CHANGED | MOVED | LATE) { "journal" } else { "seal" };
        let (expected, found) = figures.unzip();
        self.found.push(Finding { check, table: table.to_owned(), row: row.to_string(), expected, found });
    }

    async fn page(
        &mut self,
        db: &impl ConnectionTrait,
        (first, last): (i64, i64),
        seals: &[seal::Model],
    ) -> Result<(), DbErr> {
        let leaves = seal_leaf::Entity::find()
            .filter(seal_leaf::Column::SealNo.between(first, last))
            .order_by_asc(seal_leaf::Column::SealNo)
            .order_by_asc(seal_leaf::Column::Position)
            .all(db)
            .await?;
        let ids: Vec<JournalId> = leaves.iter().map(|row| row.journal_id).collect();
        let rows = Rows::read(db, &ids).await?;
        for seal in seals {
            let from = leaves.partition_point(|row| row.seal_no < seal.no);
            let until = leaves.partition_point(|row| row.seal_no <= seal.no);
            let leaves = leaves.get(from..until).unwrap_or_default();
            self.link(seal);
            self.leaves(seal, leaves, &rows);
            self.before = Some(seal.clone());
            self.seals += 1;
            self.sealed += i64::try_from(leaves.len()).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    /// Number, chain, hash and signature.
    fn link(&mut self, seal: &seal::Model) {
        let (no, previous) = match &self.before {
            Some(before) => (before.no + 1, before.hash.clone()),
            None => (1, chain::BEGINNING.to_vec()),
        };
        if seal.no != no || seal.previous != previous {
            self.tell(CHAIN, &seal.no, Some((no, seal.no)));
        }
        if chain::hash(seal).as_slice() != seal.hash {
            self.tell(WORDS, &seal.no, None);
        }
        if seal.key_id != self.key_id || !self.signer.made(&seal.hash, &seal.signature) {
            self.tell(SIGNED, &seal.no, None);
        }
    }

    /// What stands in the seal against what stands in the journal.
    fn leaves(&mut self, seal: &seal::Model, leaves: &[seal_leaf::Model], rows: &Rows) {
        let mut hashes: Vec<Hash> = Vec::with_capacity(leaves.len());
        let mut figures: Option<Figures> = None;
        let mut is_whole = true;
        for row in leaves {
            hashes.push(Hash::try_from(row.hash.as_slice()).unwrap_or_default());
            let Some((journal, lines)) = rows.get(row.journal_id) else {
                self.tell(GONE, &row.journal_id, None);
                is_whole = false;
                continue;
            };
            if leaf::hash(journal, lines).as_slice() != row.hash {
                self.tell(CHANGED, &row.journal_id, None);
            }
            let one = Figures::of(journal, lines);
            figures = match (figures, one) {
                (None, one) => one,
                (Some(sum), Some(one)) => sum.and(&one),
                (Some(_), None) => None,
            };
        }
        self.order(leaves);
        if tree::root(&hashes).as_slice() != seal.root {
            self.tell(ROOT, &seal.no, None);
        }
        // A journal that is gone is named above; the figures cannot be right without it.
        if is_whole && figures.as_ref() != Some(&Figures::said(seal)) {
            let journals = figures.map_or(0, |figures| figures.journals);
            self.tell(FIGURES, &seal.no, Some((seal.journals, journals)));
        }
    }

    /// Journals stand in a seal in order of their id.
    fn order(&mut self, leaves: &[seal_leaf::Model]) {
        let mut ids: Vec<JournalId> = leaves.iter().map(|row| row.journal_id).collect();
        ids.sort_unstable();
        for (place, (row, id)) in (0_i32..).zip(leaves.iter().zip(&ids)) {
            if row.journal_id != *id || row.position != place {
                let place = ids.binary_search(&row.journal_id).map_or(-1, |at| i64::try_from(at).unwrap_or(-1));
                self.tell(MOVED, &row.journal_id, Some((place, row.position.into())));
            }
        }
    }

    async fn report(&mut self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<SealsReport, DbErr> {
        let unsealed = unsealed::Entity::find().count(db).await?;
        let oldest = oldest_waiting(db).await?;
        let newest = journal::Entity::find().order_by_desc(journal::Column::Id).limit(1).one(db).await?;
        if let (Some((id, posted_at)), Some(head)) = (oldest, &self.before) {
            let newest = newest.map_or(head.sealed_at, |row| row.posted_at.max(head.sealed_at));
            let waited = (newest - posted_at).num_seconds();
            if waited > PATIENCE_SECONDS {
                self.tell(LATE, &id, Some((PATIENCE_SECONDS, waited)));
            }
        }
        let head =
            self.before.as_ref().map(|seal| Head { no: seal.no, hash: hex(&seal.hash), sealed_at: seal.sealed_at });
        Ok(SealsReport {
            seals: self.seals,
            sealed: self.sealed,
            unsealed,
            oldest_unsealed_at: oldest.map(|(_, at)| at),
            lag_seconds: oldest.map_or(0, |(_, at)| (now - at).num_seconds().max(0)),
            head,
        })
    }
}

/// Of those that wait, the one posted first.
async fn oldest_waiting(db: &impl ConnectionTrait) -> Result<Option<(JournalId, DateTime<Utc>)>, DbErr> {
    let mut oldest: Option<(JournalId, DateTime<Utc>)> = None;
    let mut after = JournalId::NIL;
    loop {
        let ids: Vec<JournalId> = unsealed::Entity::find()
            .select_only()
            .column(unsealed::Column::JournalId)
            .filter(unsealed::Column::JournalId.gt(after))
            .order_by_asc(unsealed::Column::JournalId)
            .limit(1000)
            .into_tuple()
            .all(db)
            .await?;
        let Some(last) = ids.last() else { return Ok(oldest) };
        after = *last;
        let rows: Vec<(JournalId, DateTime<Utc>)> = journal::Entity::find()
            .select_only()
            .columns([journal::Column::Id, journal::Column::PostedAt])
            .filter(journal::Column::Id.is_in(ids))
            .into_tuple()
            .all(db)
            .await?;
        oldest = oldest.into_iter().chain(rows).min_by_key(|(_, at)| *at);
    }
}
