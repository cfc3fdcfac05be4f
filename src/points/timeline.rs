//! When the rules of one scope are in force: where two overlap, and where none is. No I/O.

use chrono::{DateTime, Utc};
use entity::id::RuleId;
use entity::rule::{Model, Subject};

use super::valuation::in_force;
use crate::region::{RegionCode, Subtree};

/// What two rules have in common where one replaces the other. All in one programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope<'a> {
    /// `None`: everywhere.
    pub region: Option<&'a str>,
    pub subject: Subject,
    /// `None`: every category.
    pub category: Option<&'a str>,
    /// `None`: every item.
    pub item: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub fn of(rule: &'a Model) -> Self {
        Self {
            region: rule.region_code.as_deref(),
            subject: rule.subject,
            category: rule.category.as_deref(),
            item: rule.item.as_deref(),
        }
    }

    /// Whether everything within `other` is within this one too; also where they are the same.
    fn holds(&self, other: &Self) -> bool {
        let region = match (self.region.and_then(subtree), other.region.and_then(subtree)) {
            (None, _) => self.region.is_none(),
            (Some(wide), Some(narrow)) => wide.encloses(&narrow),
            (Some(_), None) => false,
        };
        region
            && self.subject == other.subject
            && (self.category.is_none() || self.category == other.category)
            && (self.item.is_none() || self.item == other.item)
    }

    /// How specific it is: of two that hold the same thing the greater wins.
    fn rank(&self) -> (usize, bool, bool) {
        let depth = self.region.and_then(subtree).map_or(0, |subtree| subtree.lo().len());
        (depth, self.item.is_some(), self.category.is_some())
    }
}

fn subtree(code: &str) -> Option<Subtree> {
    RegionCode::parse(code).ok().map(|code| code.subtree())
}

/// A span of time, open to the end where `until` is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

impl Span {
    pub const fn of(rule: &Model) -> Self {
        Self { from: rule.valid_from, until: rule.valid_until }
    }

    /// A rule that was called off before it began is in force at no time.
    fn is_empty(&self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// What both have in common.
    pub fn common(&self, other: &Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(one), Some(two)) => Some(Ord::min(one, two)),
            (one, two) => one.or(two),
        };
        let both = Self { from: Ord::max(self.from, other.from), until };
        let empty = self.is_empty() || other.is_empty() || both.is_empty();
        (!empty).then_some(both)
    }
}

/// A span in which no rule of a scope is in force, though an earlier one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub span: Span,
    /// The wider rule that applies then; `None`: nothing is earned.
    pub falls_back_to: Option<RuleId>,
}

/// Every pair of rules of one scope that are in force at once, and when.
pub fn overlaps<'a>(rules: &[&'a Model]) -> Vec<(&'a Model, &'a Model, Span)> {
    let mut found = Vec::new();
    for (at, one) in rules.iter().enumerate() {
        for two in &rules[at + 1..] {
            if let Some(both) = Span::of(one).common(&Span::of(two)) {
                found.push((*one, *two, both));
            }
        }
    }
    found
}

/// The gaps of `scope` after its earliest rule, in the order of time, each as long as the same wider rule applies. `rules`
/// are all of the programme.
pub fn gaps(scope: Scope<'_>, rules: &[Model]) -> Vec<Gap> {
    let own: Vec<_> = rules.iter().filter(|rule| Scope::of(rule) == scope).map(Span::of).collect();
    let Some(begin) = own.iter().filter(|span| !span.is_empty()).map(|span| span.from).min() else { return Vec::new() };
    let mut wider: Vec<_> =
        rules.iter().filter(|rule| Scope::of(rule) != scope && Scope::of(rule).holds(&scope)).collect();
    wider.sort_by_key(|rule| std::cmp::Reverse((Scope::of(rule).rank(), rule.version, rule.valid_from, rule.id)));
    let mut gaps: Vec<Gap> = Vec::new();
    for bare in bare(begin, own) {
        for span in cut(bare, &wider) {
            let falls_back_to = wider.iter().find(|rule| in_force(rule, span.from)).map(|rule| rule.id);
            match gaps.last_mut() {
                Some(last) if last.falls_back_to == falls_back_to && last.span.until == Some(span.from) => {
                    last.span.until = span.until;
                }
                _ => gaps.push(Gap { span, falls_back_to }),
            }
        }
    }
    gaps
}

/// The spans from `begin` on in which nothing of `scope` is earned, because no rule of it or wider is in force.
pub fn uncovered(scope: Scope<'_>, rules: &[Model], begin: DateTime<Utc>) -> Vec<Span> {
    bare(begin, rules.iter().filter(|rule| Scope::of(rule).holds(&scope)).map(Span::of).collect())
}

/// The spans from `begin` on that none of `covered` covers.
fn bare(begin: DateTime<Utc>, mut covered: Vec<Span>) -> Vec<Span> {
    covered.retain(|span| !span.is_empty());
    covered.sort_unstable();
    let mut bare = Vec::new();
    let mut reached = begin;
    for span in covered {
        if span.from > reached {
            bare.push(Span { from: reached, until: Some(span.from) });
        }
        match span.until {
            None => return bare,
            Some(until) => reached = Ord::max(reached, until),
        }
    }
    bare.push(Span { from: reached, until: None });
    bare
}

/// A span cut where one of `rules` begins or ends.
fn cut(span: Span, rules: &[&Model]) -> Vec<Span> {
    let within = |at: &DateTime<Utc>| *at > span.from && span.until.is_none_or(|until| *at < until);
    let mut marks: Vec<_> =
        rules.iter().flat_map(|rule| [Some(rule.valid_from), rule.valid_until]).flatten().filter(within).collect();
    marks.sort_unstable();
    marks.dedup();
    let starts = std::iter::once(span.from).chain(marks.iter().copied());
    let ends = marks.iter().copied().map(Some).chain([span.until]);
    starts.zip(ends).map(|(from, until)| Span { from, until }).collect()
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
