//! What listings and wishes are about, by their codes or their words, and where somebody looks for them.

use std::sync::Arc;

use entity::category::Category;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, ConnectionTrait, DbErr};

use super::matches::About;
use crate::region::{RegionCode, Subtree};
use crate::taxonomy::{Merged, WordList, guess, merged};

/// What texts and codes mean at this moment.
#[derive(Clone)]
pub struct Meaning {
    pub words: Arc<WordList>,
    pub skills: Merged,
    pub domains: Merged,
}

impl Meaning {
    /// With the words given.
    ///
    /// # Errors
    /// The database's.
    pub async fn load(db: &impl ConnectionTrait, words: Arc<WordList>) -> Result<Self, DbErr> {
        Ok(Self { words, skills: merged(db, "skill").await?, domains: merged(db, "domain").await? })
    }

    /// What something is about: its codes, or what its words say.
    pub fn about(
        &self,
        (title, body): (&str, &str),
        skills: &[String],
        domain: Option<&str>,
        category: Category,
    ) -> About {
        let domain = domain.map(|domain| self.domains.canonical(domain).to_owned());
        let skills = self.skills.each(skills);
        let category = Some(category);
        if !skills.is_empty() {
            return About { skills, guessed: false, domain, category };
        }
        let guess = guess(&format!("{title}\n{body}"), &self.words);
        About { guessed: !guess.skills.is_empty(), skills: guess.skills, domain: domain.or(guess.domain), category }
    }
}

/// Where somebody looks: in one district, and of it what they may see.
#[derive(Clone, Debug)]
pub struct Reach {
    district: Subtree,
    /// Of staff, where they work.
    subtree: Option<Subtree>,
}

impl Reach {
    /// The district of `region`, as members see it or, within their subtree, staff.
    ///
    /// # Errors
    /// Where `region` is no code.
    pub fn new(region: &str, staff: Option<Subtree>) -> Result<Self, DbErr> {
        let district = RegionCode::try_from(&region.to_owned())?.district().subtree();
        Ok(Self { district, subtree: staff })
    }

    pub(super) fn covers(&self, column: &Expr) -> Condition {
        let within = self.subtree.as_ref().map(|subtree| subtree.covers(column.clone()));
        Condition::all().add(self.district.covers(column.clone())).add_option(within)
    }

    pub(super) const fn is_staff(&self) -> bool {
        self.subtree.is_some()
    }
}
