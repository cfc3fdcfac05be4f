//! A link of the chain over the journal. Never changed, never deleted.

use crate::id::JournalId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "seal")]
pub struct Model {
    /// 1, 2, 3 … without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub no: i64,
    pub journals: i64,
    pub entries: i64,
    /// Of the entries above zero, in hundredths, over all programmes.
    pub sum: i64,
    /// The smallest id in it; a journal that committed late may have a smaller one and stand in a later seal.
    pub first_journal: JournalId,
    /// The largest id in it.
    pub last_journal: JournalId,
    /// Of the Merkle tree over its leaves (RFC 6962).
    pub root: Vec<u8>,
    /// Hash of the seal before; zeros in the first.
    pub previous: Vec<u8>,
    /// Over all of the above and `sealed_at`.
    pub hash: Vec<u8>,
    pub sealed_at: DateTimeUtc,
    pub key_id: String,
    /// Ed25519 over `hash`.
    pub signature: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
