//! What something is worth: which rule applies to it, its value by that rule, and what caps leave of the value. No I/O.
//!
//! Precedence: the rule of the smallest region, in it one for the item before one for the category before one for all, in
//! the same scope the newest version. Value: amount × units × factors, in whole hundredths, multiplied before it is divided
//! and cut towards zero.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::rule::{Model, RuleBasis, Subject};
use entity::service_record::Evidence;
use sea_orm::ActiveEnum as _;

use crate::region::RegionCode;

/// A factor of one, in hundredths.
const ONE: i128 = 100;

/// What a rule has to know of that which it values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub subject: Subject,
    /// The code of the thing done, such as `high_toss`; rules for it win.
    pub item: Option<String>,
    pub category: Option<Category>,
    /// When it ended: which rule was in force, which day, week and month caps are of.
    pub at: DateTime<Utc>,
    /// Of service; below zero counts as none.
    pub minutes: i32,
    /// How many; below zero counts as none.
    pub items: i64,
    /// What it is worth in hundredths of a yuan; below zero counts as none.
    pub value_fen: i64,
    /// `None` where it has no grade: then a rule that asks for one pays nothing, and no factor of a grade counts.
    pub evidence: Option<Evidence>,
    /// 1 to 3.
    pub difficulty: i16,
    /// Whether the member led it.
    pub organiser: bool,
}

impl Facts {
    /// A service of some minutes, of the usual difficulty; nothing else is known of it.
    pub const fn service(category: Category, at: DateTime<Utc>, minutes: i32) -> Self {
        Self {
            subject: Subject::Record,
            item: None,
            category: Some(category),
            at,
            minutes,
            items: 0,
            value_fen: 0,
            evidence: None,
            difficulty: 1,
            organiser: false,
        }
    }
}

/// Rules of one programme, as many as may matter.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    /// By region (`None`: everywhere), each list best first.
    by_region: HashMap<Option<String>, Vec<Model>>,
}

impl RuleBook {
    pub fn new(rules: impl IntoIterator<Item = Model>) -> Self {
        let mut by_region: HashMap<Option<String>, Vec<Model>> = HashMap::new();
        for rule in rules {
            by_region.entry(rule.region_code.clone()).or_default().push(rule);
        }
        for rules in by_region.values_mut() {
            rules.sort_by_key(|rule| {
                let rank = (rule.item.is_some(), rule.category.is_some(), rule.version, rule.valid_from, rule.id);
                std::cmp::Reverse(rank)
            });
        }
        Self { by_region }
    }

    /// All rules that may apply in a community, best first.
    pub fn of(&self, community: &str) -> Vec<&Model> {
        let regions = RegionCode::parse(community).map_or_else(|_| Vec::new(), |code| code.enclosing());
        let regions = regions.into_iter().map(Some).chain([None]);
        regions.filter_map(|region| self.by_region.get(&region)).flatten().collect()
    }

    /// The rule by which something done by a member of a community is valued.
    pub fn applicable(&self, facts: &Facts, community: &str) -> Option<&Model> {
        best(&self.of(community), facts)
    }
}

/// The first rule that fits, of rules in the order of [`RuleBook::of`].
pub fn best<'a>(rules: &[&'a Model], facts: &Facts) -> Option<&'a Model> {
    rules.iter().find(|rule| fits(rule, facts)).copied()
}

fn fits(rule: &Model, facts: &Facts) -> bool {
    let category = rule.category.as_deref();
    rule.subject == facts.subject
        && (rule.item.is_none() || rule.item == facts.item)
        && (category.is_none() || category == facts.category.map(|category| category.to_value()).as_deref())
        && in_force(rule, facts.at)
}

/// Whether a rule is in force at an instant: from its first up to but without its last.
pub fn in_force(rule: &Model, at: DateTime<Utc>) -> bool {
    rule.valid_from <= at && rule.valid_until.is_none_or(|until| at < until)
}

/// Hundredths that a rule gives (above zero) or takes (below), before caps; zero where the evidence is too weak.
/// `None` beyond 64 bits.
pub fn value(rule: &Model, facts: &Facts) -> Option<i64> {
    if rule.min_evidence.is_some_and(|least| facts.evidence.is_none_or(|grade| grade > least)) {
        return Some(0);
    }
    let (units, per) = match rule.basis {
        RuleBasis::Time => (i128::from(facts.minutes), i128::from(rule.per_minutes?)),
        RuleBasis::Event => (1, 1),
        RuleBasis::Item => (i128::from(facts.items), i128::from(rule.per_units?)),
        RuleBasis::Yuan => (i128::from(facts.value_fen), i128::from(rule.per_units?) * 100),
    };
    let grade = match facts.evidence {
        Some(Evidence::A) => i128::from(rule.factor_grade_a),
        Some(Evidence::B) => i128::from(rule.factor_grade_b),
        Some(Evidence::C) => i128::from(rule.factor_grade_c),
        Some(Evidence::D) => i128::from(rule.factor_grade_d),
        None => ONE,
    };
    let level = i128::from(match facts.difficulty {
        ..=1 => rule.factor_level_1,
        2 => rule.factor_level_2,
        3.. => rule.factor_level_3,
    });
    let organiser = if facts.organiser { i128::from(rule.factor_organiser) } else { ONE };
    let value = [units.max(0), grade, level, organiser]
        .into_iter()
        .try_fold(i128::from(rule.amount), i128::checked_mul)?
        .checked_div(per.checked_mul(ONE * ONE * ONE)?)?;
    i64::try_from(value).ok()
}

/// What a rule lets a member earn at most, in hundredths; or what has been earned already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Over the whole programme, on the local day of what is valued.
    pub day: Option<i64>,
    /// Likewise, in its week from Monday to Sunday.
    pub week: Option<i64>,
    /// Likewise, in its month.
    pub month: Option<i64>,
    /// By this version of the rule alone, in all.
    pub rule: Option<i64>,
}

/// What a member has earned so far, in hundredths, in the spans of [`Caps`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    pub day: i64,
    pub week: i64,
    pub month: i64,
    pub rule: i64,
}

impl Caps {
    pub const fn of(rule: &Model) -> Self {
        Self { day: rule.cap_day, week: rule.cap_week, month: rule.cap_month, rule: rule.cap_rule }
    }

    pub const fn none(&self) -> bool {
        self.day.is_none() && self.week.is_none() && self.month.is_none() && self.rule.is_none()
    }

    /// What is left of `value` after what has been earned: never below zero, and never more than `value`. What is taken
    /// away (below zero) has no caps.
    pub fn leave(&self, value: i64, earned: &Earned) -> i64 {
        let caps =
            [(self.day, earned.day), (self.week, earned.week), (self.month, earned.month), (self.rule, earned.rule)];
        let room = caps.into_iter().filter_map(|(cap, earned)| Some(cap?.saturating_sub(earned).max(0)));
        room.fold(value, Ord::min)
    }
}

#[cfg(test)]
#[path = "valuation_tests.rs"]
pub(super) mod tests;
