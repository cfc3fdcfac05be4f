//! Pages kept in memory. Boards are read far more often than they change, and a hundred rows with their names cost more than
//! asking whether anything has changed: one row, which also says whether marks wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::query::Found;

/// About six megabytes of full pages.
const MOST_PAGES: usize = 256;

/// The pages of one node, all of the same version. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct Pages(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    version: i64,
    pages: HashMap<String, Arc<Vec<Found>>>,
}

impl Pages {
    /// The page of this question, if it was read at this version.
    pub(super) fn get(&self, version: i64, question: &str) -> Option<Arc<Vec<Found>>> {
        let kept = self.kept();
        if kept.version == version { kept.pages.get(question).cloned() } else { None }
    }

    /// Keeps a page that was read after `version` was. An older version's pages go; a full store begins anew.
    pub(super) fn keep(&self, version: i64, question: String, page: &Arc<Vec<Found>>) {
        let mut kept = self.kept();
        if kept.version > version {
            return;
        }
        if kept.version < version || kept.pages.len() >= MOST_PAGES {
            kept.pages.clear();
        }
        kept.version = version;
        kept.pages.insert(question, Arc::clone(page));
    }

    /// What a panic left behind is still whole: entries are put in as one.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_good_for_its_version_only() {
        let pages = Pages::default();
        let page = Arc::new(Vec::new());
        pages.keep(2, "a".into(), &page);
        assert!(pages.get(2, "a").is_some());
        assert!(pages.get(2, "b").is_none() && pages.get(3, "a").is_none() && pages.get(1, "a").is_none());
        pages.keep(1, "b".into(), &page);
        assert!(pages.get(2, "a").is_some() && pages.get(1, "b").is_none());
        pages.keep(3, "b".into(), &page);
        assert!(pages.get(3, "a").is_none() && pages.get(2, "a").is_none() && pages.get(3, "b").is_some());
    }

    #[test]
    fn the_store_does_not_grow_without_end() {
        let pages = Pages::default();
        for number in 0..=MOST_PAGES {
            pages.keep(1, number.to_string(), &Arc::new(Vec::new()));
        }
        assert_eq!(pages.kept().pages.len(), 1);
    }
}
