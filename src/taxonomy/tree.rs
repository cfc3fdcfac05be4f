//! The tree of a list: which code lies under which. Reading it ends even where an imported set has a circle.

use std::collections::{BTreeMap, BTreeSet};

use entity::code_item::{Column, Entity};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

/// The parents of a list's codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Whether `code` is `above`, or lies under it.
    pub fn is_at_or_below(&self, code: &str, above: &str) -> bool {
        let (mut at, mut seen) = (code, BTreeSet::new());
        loop {
            if at == above {
                return true;
            }
            match self.0.get(at) {
                Some(parent) if seen.insert(at) => at = parent,
                _ => return false,
            }
        }
    }
}

impl FromIterator<(String, String)> for Tree {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// The tree of a list.
///
/// # Errors
/// The database's.
pub async fn load(db: &impl ConnectionTrait, list: &str) -> Result<Tree, DbErr> {
    let pairs: Vec<(String, String)> = Entity::find()
        .select_only()
        .columns([Column::Code, Column::Parent])
        .filter(Column::List.eq(list))
        .filter(Column::Parent.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(pairs.into_iter().collect())
}
