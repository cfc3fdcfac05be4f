//! Seals and what they seal, for a check without this program.

use entity::seal;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::{Export, ExportError};
use crate::crypto::hex;
use crate::points::seal::{PURPOSE, SealView, leaves};

/// Seals of one read; a seal has some thousand journals at most.
const PAGE: u64 = 8;

const SEALS: [&str; 13] = [
    "no",
    "journals",
    "entries",
    "sum",
    "first_journal",
    "last_journal",
    "root",
    "previous",
    "hash",
    "sealed_at",
    "key_id",
    "signature",
    "public_key",
];
const LEAVES: [&str; 5] = ["seal_no", "position", "journal_id", "leaf_hash", "leaf"];

impl Export<'_> {
    pub(super) async fn seals(&mut self) -> Result<(), ExportError> {
        let public_key = hex(&self.keys.signer(PURPOSE).public_key());
        let (mut seals, mut leaf_rows) = (self.file("seals")?, self.file("seal_leaves")?);
        seals.write(SEALS)?;
        leaf_rows.write(LEAVES)?;
        let (mut after, mut sealed, mut written) = (0_i64, 0_u64, 0_u64);
        loop {
            let page = seal::Entity::find()
                .filter(seal::Column::No.gt(after))
                .order_by_asc(seal::Column::No)
                .limit(PAGE)
                .all(self.db)
                .await?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            let span = (first.no, last.no);
            after = span.1;
            for seal in page {
                seals.write(cells(seal.into(), &public_key).iter().map(String::as_str))?;
                sealed += 1;
            }
            for leaf in leaves(self.db, span.0, span.1).await? {
                let (no, position) = (leaf.seal_no.to_string(), leaf.position.to_string());
                leaf_rows.write(
                    [&no, &position, &leaf.journal_id.to_string(), &leaf.hash, &leaf.text].map(String::as_str),
                )?;
                written += 1;
            }
        }
        self.done("seals", seals, sealed)?;
        self.done("seal_leaves", leaf_rows, written)
    }
}

fn cells(seal: SealView, public_key: &str) -> [String; 13] {
    [
        seal.no.to_string(),
        seal.journals.to_string(),
        seal.entries.to_string(),
        seal.sum.to_string(),
        seal.first_journal.to_string(),
        seal.last_journal.to_string(),
        seal.root,
        seal.previous,
        seal.hash,
        super::instant(seal.sealed_at),
        seal.key_id,
        seal.signature,
        public_key.to_owned(),
    ]
}
