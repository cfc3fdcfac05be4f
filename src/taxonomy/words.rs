//! The words of the guess as this node keeps them: read again when a word or a coded list has changed, on whatever node.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use entity::guess_word::{self, WordKind};
use entity::{code_item, guess_version};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::canonical::merged;
use super::guess::{Word, WordList};
use crate::app::AppState;

/// What this node keeps; shared by clones.
#[derive(Clone, Default)]
pub struct Guesser(Arc<Kept>);

#[derive(Default)]
struct Kept {
    list: RwLock<Option<(i64, Arc<WordList>)>>,
    /// One makes it, the others wait for it.
    making: tokio::sync::Mutex<()>,
}

impl Guesser {
    fn at(&self, version: i64) -> Option<Arc<WordList>> {
        let kept = self.0.list.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(at, _)| *at >= version).map(|(_, list)| Arc::clone(list))
    }

    fn keep(&self, version: i64, list: Arc<WordList>) {
        *self.0.list.write().unwrap_or_else(PoisonError::into_inner) = Some((version, list));
    }
}

/// The words as they are now. One row is read; the rest only where something has changed since this node last looked, and a
/// thread that may block then puts the dictionary together.
///
/// # Errors
/// The database's.
pub async fn guesser(state: &AppState) -> Result<Arc<WordList>, DbErr> {
    if let Some(list) = state.guesser.at(version(state.db.lookup()).await?) {
        return Ok(list);
    }
    let _one = state.guesser.0.making.lock().await;
    // The version before the words: words that are newer than it are only read once more.
    let version = version(state.db.lookup()).await?;
    if let Some(list) = state.guesser.at(version) {
        return Ok(list);
    }
    let words = words(state.db.read()).await?;
    let list = tokio::task::spawn_blocking(move || Arc::new(WordList::new(words)))
        .await
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    state.guesser.keep(version, Arc::clone(&list));
    Ok(list)
}

/// Makes the words ready before somebody asks.
pub async fn warm(state: AppState) {
    if let Err(error) = guesser(&state).await {
        tracing::warn!(%error, "the words of the guess could not be read");
    }
}

async fn version(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    Ok(guess_version::Entity::find_by_id(1_i16).one(db).await?.map_or(0, |row| row.version))
}

/// The words whose codes may be used, under what the codes are now.
async fn words(db: &impl ConnectionTrait) -> Result<Vec<Word>, DbErr> {
    let mut words = Vec::new();
    let rows = guess_word::Entity::find().order_by_asc(guess_word::Column::Id).all(db).await?;
    for (kind, list) in [(WordKind::Skill, "skill"), (WordKind::Domain, "domain")] {
        let merged = merged(db, list).await?;
        let live: BTreeSet<String> = code_item::Entity::find()
            .filter(code_item::Column::List.eq(list))
            .filter(code_item::Column::MergedInto.is_null())
            .filter(code_item::Column::RetiredAt.is_null())
            .all(db)
            .await?
            .into_iter()
            .map(|row| row.code)
            .collect();
        let mut seen = BTreeSet::new();
        for row in rows.iter().filter(|row| row.kind == kind) {
            let code = merged.canonical(&row.code);
            if live.contains(code) && seen.insert((row.word.as_str(), code.to_owned())) {
                words.push(Word { word: row.word.clone(), kind, code: code.to_owned(), weight: row.weight });
            }
        }
    }
    Ok(words)
}
