//! What a seal says, how that is hashed, and who signed it.

use chrono::{DateTime, Utc};
use entity::id::JournalId;
use entity::{entry, journal, seal};
use sha2::{Digest as _, Sha256};

use super::leaf::instant;
use super::tree::{self, Hash};
use crate::crypto::{Signer, hex};
use crate::http::decimal;

/// What stands before the first seal.
pub(super) const BEGINNING: Hash = [0; 32];

/// What journals in order of id come to; `None` where there are none, or where 64 bits do not hold the sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) journals: i64,
    pub(super) entries: i64,
    /// Of the entries above zero, in hundredths.
    pub(super) sum: i64,
    pub(super) first: JournalId,
    pub(super) last: JournalId,
}

impl Figures {
    /// Of one journal.
    pub(super) fn of(journal: &journal::Model, entries: &[entry::Model]) -> Option<Self> {
        let mut above = entries.iter().map(|row| row.amount).filter(|amount| *amount > 0);
        let sum = above.try_fold(0_i64, i64::checked_add)?;
        let entries = i64::try_from(entries.len()).ok()?;
        Some(Self { journals: 1, entries, sum, first: journal.id, last: journal.id })
    }

    /// Of these and more.
    pub(super) fn and(self, more: &Self) -> Option<Self> {
        Some(Self {
            journals: self.journals.checked_add(more.journals)?,
            entries: self.entries.checked_add(more.entries)?,
            sum: self.sum.checked_add(more.sum)?,
            first: self.first.min(more.first),
            last: self.last.max(more.last),
        })
    }

    /// What a seal says of itself.
    pub(super) fn said(seal: &seal::Model) -> Self {
        Self {
            journals: seal.journals,
            entries: seal.entries,
            sum: seal.sum,
            first: seal.first_journal,
            last: seal.last_journal,
        }
    }
}

/// The next seal, signed.
pub(super) fn next(
    before: Option<&seal::Model>,
    figures: &Figures,
    leaves: &[Hash],
    sealed_at: DateTime<Utc>,
    signer: &Signer,
) -> seal::Model {
    let mut seal = seal::Model {
        no: before.map_or(1, |before| before.no + 1),
        journals: figures.journals,
        entries: figures.entries,
        sum: figures.sum,
        first_journal: figures.first,
        last_journal: figures.last,
        root: tree::root(leaves).to_vec(),
        previous: before.map_or_else(|| BEGINNING.to_vec(), |before| before.hash.clone()),
        hash: Vec::new(),
        sealed_at,
        key_id: signer.key_id(),
        signature: Vec::new(),
    };
    seal.hash = hash(&seal).to_vec();
    seal.signature = signer.sign(&seal.hash);
    seal
}

/// The hash of what a seal says. A line each, every one with its end; never changes, as another form would have another
/// number in its first line.
pub(super) fn hash(seal: &seal::Model) -> Hash {
    Sha256::digest(words(seal).as_bytes()).into()
}

fn words(seal: &seal::Model) -> String {
    format!(
        "linli seal 1\nno {}\nprevious {}\njournals {}\nentries {}\nsum {}\nfirst {}\nlast {}\nroot {}\nsealed_at {}\n",
        seal.no,
        hex(&seal.previous),
        seal.journals,
        seal.entries,
        decimal(seal.sum),
        seal.first_journal,
        seal.last_journal,
        hex(&seal.root),
        instant(seal.sealed_at),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Keys;
    use uuid::Uuid;

    /// Written down for good, as the leaf's form is.
    #[test]
    fn a_seal_is_hashed_by_its_words() {
        let signer = Keys::from_secret(&[7; 32]).unwrap().signer(super::super::PURPOSE);
        let id = |n| JournalId(Uuid::from_u128(n));
        let figures = Figures { journals: 2, entries: 5, sum: 12_345, first: id(1), last: id(2) };
        let at = "2026-11-21T02:00:00Z".parse().unwrap();
        let first = next(None, &figures, &[tree::leaf(b"a"), tree::leaf(b"b")], at, &signer);
        let zeros = "0".repeat(64);
        let expected = format!(
            "linli seal 1\nno 1\nprevious {zeros}\njournals 2\nentries 5\nsum 123.45\n\
            first 00000000-0000-0000-0000-000000000001\nlast 00000000-0000-0000-0000-000000000002\n\
            root {}\nsealed_at 2026-11-21T02:00:00.000000Z\n",
            hex(&first.root)
        );
        assert_eq!(words(&first), expected);
        let second = next(Some(&first), &figures, &[tree::leaf(b"c")], at, &signer);
        assert_eq!((second.no, &second.previous), (2, &first.hash));
        assert!(signer.made(&second.hash, &second.signature) && !signer.made(&first.hash, &second.signature));
    }
}
