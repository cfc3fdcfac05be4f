//! What merged codes became. A merged code keeps its row, so that past rows are still read.

use std::collections::BTreeMap;

use entity::code_item;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

/// The merged codes of one list, each with the code it was merged into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged(BTreeMap<String, String>);

impl Merged {
    /// What `code` is now: the end of its merges, or itself. Where a list goes round in a circle (no command makes one), the
    /// walk ends after as many steps as there are merged codes.
    pub fn canonical<'a>(&'a self, code: &'a str) -> &'a str {
        let mut at = code;
        for _ in 0..self.0.len() {
            match self.0.get(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    /// Each code as it is now, in order of code, each once.
    pub fn each(&self, codes: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
        let mut now: Vec<String> = codes.into_iter().map(|code| self.canonical(code.as_ref()).to_owned()).collect();
        now.sort_unstable();
        now.dedup();
        now
    }

    /// Every code that is now what `code` is, in order; `code` too.
    pub fn equivalents(&self, code: &str) -> Vec<String> {
        let now = self.canonical(code);
        let mut same: Vec<String> = self.0.keys().filter(|old| self.canonical(old) == now).cloned().collect();
        same.extend([now.to_owned(), code.to_owned()]);
        same.sort_unstable();
        same.dedup();
        same
    }
}

impl FromIterator<(String, String)> for Merged {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// The merged codes of a list.
///
/// # Errors
/// The database's.
pub async fn merged(db: &impl ConnectionTrait, list: &str) -> Result<Merged, DbErr> {
    let pairs: Vec<(String, String)> = code_item::Entity::find()
        .select_only()
        .columns([code_item::Column::Code, code_item::Column::MergedInto])
        .filter(code_item::Column::List.eq(list))
        .filter(code_item::Column::MergedInto.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(pairs.into_iter().collect())
}

/// The codes as they are now: merged ones replaced by what they became, in order of code, each once. Unknown ones stay.
///
/// # Errors
/// The database's.
pub async fn canonical(db: &impl ConnectionTrait, list: &str, codes: &[String]) -> Result<Vec<String>, DbErr> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    Ok(merged(db, list).await?.each(codes))
}
