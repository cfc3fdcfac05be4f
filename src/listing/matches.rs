//! What on the lists would meet a wish or a need, scored with its reasons. Pure.
//!
//! The score is the engine's: skill 50, near 30, time 20, in whole points, within one district only. Two things are the lists' own.
//! A thing is wanted for what it is, so that a wish that asks for no skill is not met by everything: where one of the two has no
//! skills, not even guessed from its words, the service domain decides (35 of the 50), and without one the points category (20); what has
//! neither in common is no match. And it is the opening times of the listing that have to cover the wish's window, half of it at least.

use entity::category::Category;
use serde::Serialize;
use utoipa::ToSchema;

use crate::matching::score;

/// What the same domain is worth, of the 50 of skills.
const SAME_DOMAIN: u8 = 35;
/// What the same category is worth, of the 50 of skills.
const SAME_CATEGORY: u8 = 20;

/// What one side of a match is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Codes, each once, merged ones made canonical.
    pub skills: Vec<String>,
    /// They were guessed from the words.
    pub guessed: bool,
    pub domain: Option<String>,
    pub category: Option<Category>,
}

/// Why two sides belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Skills that both name.
    Skill,
    /// Skills of which at least one side's were guessed from its words.
    Guess,
    /// The service domain.
    Domain,
    /// The points category and nothing more.
    Category,
}

/// One factor of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListFactor {
    /// `skill`, `near`, `time`, and, with `max` 0, what only orders equals: `capacity`, `wait`.
    pub name: &'static str,
    pub value: i64,
    pub max: u8,
}

/// What a pair is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    pub basis: Basis,
    pub skill: u8,
    pub near: u8,
    pub time: u8,
}

impl Score {
    /// The sum of its parts, at most 100.
    pub const fn total(&self) -> u8 {
        self.skill + self.near + self.time
    }

    /// Its parts, and what orders equals.
    pub fn factors(&self, ordering: impl IntoIterator<Item = (&'static str, i64)>) -> Vec<ListFactor> {
        let part = |name, value: u8, max| ListFactor { name, value: i64::from(value), max };
        let mut factors = vec![part("skill", self.skill, 50), part("near", self.near, 30), part("time", self.time, 20)];
        factors.extend(ordering.into_iter().map(|(name, value)| ListFactor { name, value, max: 0 }));
        factors
    }
}

/// What `offered` gives of what is `asked` for, of 50; `None` where that is nothing.
pub fn content(asked: &About, offered: &About) -> Option<(Basis, u8)> {
    if !asked.skills.is_empty() && !offered.skills.is_empty() {
        let held = asked.skills.iter().filter(|skill| offered.skills.contains(skill)).count();
        let basis = if asked.guessed || offered.guessed { Basis::Guess } else { Basis::Skill };
        return score::skill(asked.skills.len(), held).map(|worth| (basis, worth));
    }
    if let (Some(one), Some(other)) = (&asked.domain, &offered.domain) {
        return (one == other).then_some((Basis::Domain, SAME_DOMAIN));
    }
    let same = asked.category.is_some() && asked.category == offered.category;
    same.then_some((Basis::Category, SAME_CATEGORY))
}

/// What nearness is worth between two regions of whatever level; `None` in another district.
pub fn near(one: &str, other: &str) -> Option<u8> {
    let same = |digits: usize| one.get(..digits).is_some_and(|head| other.get(..digits) == Some(head));
    match () {
        () if same(12) => Some(30),
        () if same(9) => Some(18),
        () if same(6) => Some(8),
        () => None,
    }
}

/// The worth of a pair whose window has `need` minutes, of which `free` are covered.
pub fn worth(content: (Basis, u8), near: u8, need: u32, free: u32) -> Option<Score> {
    let (basis, skill) = content;
    Some(Score { basis, skill, near, time: score::time(need, free)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn about(skills: &[&str], domain: Option<&str>, category: Category) -> About {
        About {
            skills: skills.iter().map(|&skill| skill.to_owned()).collect(),
            guessed: false,
            domain: domain.map(str::to_owned),
            category: Some(category),
        }
    }

    #[test]
    fn skills_decide_before_domains_and_domains_before_categories() {
        use Category::{Culture, Neighbourly};
        let hair = about(&["S01"], Some("养老"), Neighbourly);
        assert_eq!(content(&hair, &about(&["S01", "S02"], None, Culture)), Some((Basis::Skill, 50)));
        assert_eq!(content(&about(&["S01", "S03"], None, Culture), &hair), Some((Basis::Skill, 25)));
        // Another skill is another thing, whatever else is the same.
        assert_eq!(content(&hair, &about(&["S05"], Some("养老"), Neighbourly)), None);
        assert_eq!(content(&hair, &about(&[], Some("养老"), Culture)), Some((Basis::Domain, SAME_DOMAIN)));
        assert_eq!(content(&hair, &about(&[], Some("法律"), Neighbourly)), None);
        assert_eq!(content(&hair, &about(&[], None, Neighbourly)), Some((Basis::Category, SAME_CATEGORY)));
        assert_eq!(content(&hair, &about(&[], None, Culture)), None);
        assert_eq!(content(&About::default(), &About::default()), None);
    }

    #[test]
    fn nearness_is_that_of_codes() {
        assert_eq!(near("130202009001", "130202009001"), Some(30));
        assert_eq!(near("130202009001007", "130202009001"), Some(30));
        assert_eq!(near("130202009", "130202009001"), Some(18));
        assert_eq!(near("130202009001", "130202010001"), Some(8));
        assert_eq!(near("130202", "130203001001"), None);
    }

    proptest! {
        #[test]
        fn a_score_is_the_sum_of_its_counted_factors(skill in 0..=50_u8, near in 0..=30_u8, need in 1..2000_u32, free in 0..2000_u32) {
            let free = free.min(need);
            let Some(score) = worth((Basis::Skill, skill), near, need, free) else {
                prop_assert!(2 * free < need);
                return Ok(());
            };
            let factors = score.factors([("capacity", 7), ("wait", 300)]);
            let counted: i64 = factors.iter().filter(|factor| factor.max > 0).map(|factor| factor.value).sum();
            prop_assert_eq!(counted, i64::from(score.total()));
            prop_assert!(factors.iter().all(|factor| factor.max == 0 || factor.value <= i64::from(factor.max)));
        }
    }
}
