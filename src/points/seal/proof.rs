//! Seals as everyone sees them, and how a journal is shown to stand in one.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use entity::id::JournalId;
use entity::{seal, seal_leaf};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::leaf::{self, Rows};
use super::tree::{self, Hash, Side};
use crate::crypto::hex;
use crate::points::Points;

/// A seal. Hashes are SHA-256 in hexadecimal; how each is made is told in `docs/seals.md`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SealView {
    /// 1, 2, 3 … without gaps.
    pub no: i64,
    pub journals: i64,
    pub entries: i64,
    /// Of the entries above zero, over all programmes.
    pub sum: Points,
    /// The smallest id in it.
    pub first_journal: JournalId,
    /// The largest id in it.
    pub last_journal: JournalId,
    /// Of the Merkle tree over the journals (RFC 6962).
    pub root: String,
    /// `hash` of the seal before; zeros in the first.
    pub previous: String,
    pub hash: String,
    /// With six places of a second, as it is hashed.
    #[serde(serialize_with = "micros")]
    pub sealed_at: DateTime<Utc>,
    pub key_id: String,
    /// Ed25519 over the 32 bytes of `hash`, in hexadecimal.
    pub signature: String,
}

fn micros<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&leaf::instant(*at))
}

impl From<seal::Model> for SealView {
    fn from(row: seal::Model) -> Self {
        Self {
            no: row.no,
            journals: row.journals,
            entries: row.entries,
            sum: Points::from_hundredths(row.sum),
            first_journal: row.first_journal,
            last_journal: row.last_journal,
            root: hex(&row.root),
            previous: hex(&row.previous),
            hash: hex(&row.hash),
            sealed_at: row.sealed_at,
            key_id: row.key_id,
            signature: hex(&row.signature),
        }
    }
}

/// That a journal stands in a seal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Proof {
    pub journal_id: JournalId,
    /// The journal as it is hashed, a line of JSON.
    pub leaf: String,
    /// SHA-256 of a zero byte and the leaf.
    pub leaf_hash: String,
    /// Its place in the seal: 0, 1, 2 …
    pub position: i32,
    /// What the leaf's hash is joined with to come to the root, in this order.
    pub path: Vec<Step>,
    pub seal: SealView,
}

/// A step up the tree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Step {
    /// Where `hash` stands when both are joined: `left` or `right`.
    pub side: &'static str,
    pub hash: String,
}

/// The proofs of journals, without those that wait for their seal.
///
/// # Errors
/// The database's.
pub async fn proofs(db: &impl ConnectionTrait, ids: &[JournalId]) -> Result<HashMap<JournalId, Proof>, DbErr> {
    let mut proofs = HashMap::new();
    for ids in ids.chunks(500) {
        let leaves = seal_leaf::Entity::find()
            .filter(seal_leaf::Column::JournalId.is_in(ids.iter().copied()))
            .order_by_asc(seal_leaf::Column::SealNo)
            .all(db)
            .await?;
        let journals = Rows::read(db, ids).await?;
        let mut by_seal: BTreeMap<i64, Vec<seal_leaf::Model>> = BTreeMap::new();
        for row in leaves {
            by_seal.entry(row.seal_no).or_default().push(row);
        }
        for (no, rows) in by_seal {
            let Some(seal) = seal::Entity::find_by_id(no).one(db).await? else { continue };
            let hashes = hashes(db, no).await?;
            for row in rows {
                let Some((journal, lines)) = journals.get(row.journal_id) else { continue };
                let position = usize::try_from(row.position).unwrap_or(usize::MAX);
                let text = leaf::text(journal, lines);
                proofs.insert(row.journal_id, proof(&row, text, tree::path(&hashes, position), &seal));
            }
        }
    }
    Ok(proofs)
}

fn proof(row: &seal_leaf::Model, leaf: String, path: Vec<(Side, Hash)>, seal: &seal::Model) -> Proof {
    let step = |(side, hash): (Side, Hash)| Step {
        side: match side {
            Side::Left => "left",
            Side::Right => "right",
        },
        hash: hex(&hash),
    };
    Proof {
        journal_id: row.journal_id,
        leaf,
        leaf_hash: hex(&row.hash),
        position: row.position,
        path: path.into_iter().map(step).collect(),
        seal: seal.clone().into(),
    }
}

/// A leaf with the journal it stands for.
#[derive(Clone, Debug)]
pub struct SealedLeaf {
    pub seal_no: i64,
    pub position: i32,
    pub journal_id: JournalId,
    /// In hexadecimal.
    pub hash: String,
    /// What is hashed; empty where the journal is gone.
    pub text: String,
}

/// The leaves of the seals from `first` to `last`, in their order.
///
/// # Errors
/// The database's.
pub async fn leaves(db: &impl ConnectionTrait, first: i64, last: i64) -> Result<Vec<SealedLeaf>, DbErr> {
    let rows = seal_leaf::Entity::find()
        .filter(seal_leaf::Column::SealNo.between(first, last))
        .order_by_asc(seal_leaf::Column::SealNo)
        .order_by_asc(seal_leaf::Column::Position)
        .all(db)
        .await?;
    let ids: Vec<JournalId> = rows.iter().map(|row| row.journal_id).collect();
    let journals = Rows::read(db, &ids).await?;
    let leaf = |row: seal_leaf::Model| SealedLeaf {
        seal_no: row.seal_no,
        position: row.position,
        journal_id: row.journal_id,
        hash: hex(&row.hash),
        text: journals.get(row.journal_id).map(|(journal, lines)| leaf::text(journal, lines)).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(leaf).collect())
}

/// All leaves of a seal, in their order.
async fn hashes(db: &impl ConnectionTrait, no: i64) -> Result<Vec<Hash>, DbErr> {
    let rows: Vec<Vec<u8>> = seal_leaf::Entity::find()
        .select_only()
        .column(seal_leaf::Column::Hash)
        .filter(seal_leaf::Column::SealNo.eq(no))
        .order_by_asc(seal_leaf::Column::Position)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|hash| Hash::try_from(hash).unwrap_or_default()).collect())
}
