//! Valuing records one after the other, and summing up what comes of it. No I/O.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use entity::category::Category;
use entity::id::{MemberId, RuleId};
use entity::rule::Model;

use crate::calendar::{Calendar, Span};
use crate::points::valuation::{Caps, Earned, Facts, RuleBook, best, value};

/// A verified record, as far as a trial is concerned.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) member: MemberId,
    /// The member's community at the time.
    pub(super) community: String,
    pub(super) facts: Facts,
    /// Hundredths that it did earn.
    pub(super) did: i64,
}

/// More than 64 bits of hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Values records that come in the order of member and time; caps are applied as they would have been in that order.
pub(super) struct Valuer<'a> {
    book: &'a RuleBook,
    calendar: Calendar,
    /// The rules of communities met so far, best first.
    rules: HashMap<String, Vec<&'a Model>>,
    member: Option<MemberId>,
    day: Window,
    week: Window,
    month: Window,
    by_rule: HashMap<RuleId, i64>,
}

/// What a member has earned in the day, week or month of the last record.
#[derive(Default)]
struct Window {
    span: Option<Span>,
    earned: i64,
}

impl Window {
    /// What has been earned in `span` so far.
    fn at(&mut self, span: Span) -> i64 {
        if self.span.as_ref() != Some(&span) {
            *self = Self { span: Some(span), earned: 0 };
        }
        self.earned
    }

    fn add(&mut self, span: impl FnOnce() -> Span, points: i64) {
        self.at(span());
        self.earned = self.earned.saturating_add(points);
    }
}

impl<'a> Valuer<'a> {
    pub(super) fn new(book: &'a RuleBook, calendar: Calendar) -> Self {
        Self {
            book,
            calendar,
            rules: HashMap::new(),
            member: None,
            day: Window::default(),
            week: Window::default(),
            month: Window::default(),
            by_rule: HashMap::new(),
        }
    }

    /// Hundredths that a record would have earned after those before it.
    pub(super) fn value(&mut self, line: &Line) -> Result<i64, TooLarge> {
        if self.member != Some(line.member) {
            self.member = Some(line.member);
            (self.day, self.week, self.month) = Default::default();
            self.by_rule.clear();
        }
        if !self.rules.contains_key(&line.community) {
            self.rules.insert(line.community.clone(), self.book.of(&line.community));
        }
        let rules = self.rules.get(&line.community).map_or(&[][..], Vec::as_slice);
        let Some(rule) = best(rules, &line.facts) else { return Ok(0) };
        let worth = value(rule, &line.facts).ok_or(TooLarge)?;
        let caps = Caps::of(rule);
        let (at, calendar) = (line.facts.at, self.calendar);
        let day = || calendar.day(calendar.day_of(at));
        let week = || calendar.week_around(at);
        let month = || calendar.month_around(at);
        let points = if caps.none() {
            worth
        } else {
            let earned = Earned {
                day: self.day.at(day()),
                week: self.week.at(week()),
                month: self.month.at(month()),
                rule: self.by_rule.get(&rule.id).copied().unwrap_or(0),
            };
            caps.leave(worth, &earned)
        };
        self.day.add(day, points);
        self.week.add(week, points);
        self.month.add(month, points);
        let by_rule = self.by_rule.entry(rule.id).or_default();
        *by_rule = by_rule.saturating_add(points);
        Ok(points)
    }
}

/// What some records come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) records: i64,
    pub(super) minutes: i64,
    /// Hundredths by the drafts.
    pub(super) would: i64,
    /// Hundredths as it was.
    pub(super) did: i64,
}

impl Sum {
    fn add(&mut self, minutes: i32, would: i64, did: i64) {
        self.records += 1;
        self.minutes += i64::from(minutes);
        self.would = self.would.saturating_add(would);
        self.did = self.did.saturating_add(did);
    }
}

/// A tenth of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decile {
    /// 1 to 10; in 10 are those who earned most.
    pub(super) number: i32,
    pub(super) members: i64,
    pub(super) would: i64,
    pub(super) did: i64,
}

/// All sums of a trial.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) all: Sum,
    pub(super) by_category: BTreeMap<Category, Sum>,
    pub(super) by_community: BTreeMap<String, Sum>,
    /// What would have been issued, by local day and community.
    pub(super) by_day: BTreeMap<(NaiveDate, String), i64>,
    /// What each member did earn and would have.
    members: Vec<(i64, i64)>,
    last: Option<MemberId>,
}

impl Tally {
    pub(super) fn add(&mut self, line: &Line, would: i64, day: NaiveDate) {
        let (minutes, did) = (line.facts.minutes, line.did);
        self.all.add(minutes, would, did);
        if let Some(category) = line.facts.category {
            self.by_category.entry(category).or_default().add(minutes, would, did);
        }
        match self.by_community.get_mut(&line.community) {
            Some(sum) => sum.add(minutes, would, did),
            None => self.by_community.entry(line.community.clone()).or_default().add(minutes, would, did),
        }
        if would > 0 {
            let issued = self.by_day.entry((day, line.community.clone())).or_default();
            *issued = issued.saturating_add(would);
        }
        if self.last != Some(line.member) {
            self.last = Some(line.member);
            self.members.push((0, 0));
        }
        if let Some((earned, drafted)) = self.members.last_mut() {
            *earned = earned.saturating_add(did);
            *drafted = drafted.saturating_add(would);
        }
    }

    /// The members who served in the period, by what they earned: tenths that differ by one member at most.
    pub(super) fn deciles(&mut self) -> Vec<Decile> {
        self.members.sort_unstable();
        let count = self.members.len();
        let of = |decile: usize| {
            let members = &self.members[count * decile / 10..count * (decile + 1) / 10];
            Decile {
                number: i32::try_from(decile + 1).unwrap_or(10),
                members: i64::try_from(members.len()).unwrap_or(i64::MAX),
                would: members.iter().map(|(_, would)| would).sum(),
                did: members.iter().map(|(did, _)| did).sum(),
            }
        };
        (0..10).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta, Utc};
    use entity::rule::{Approver, RuleBasis, Subject};
    use proptest::prelude::*;

    fn rule(caps: Caps) -> Model {
        Model {
            id: RuleId::new(),
            programme: "default".into(),
            region_code: None,
            category: None,
            basis: RuleBasis::Time,
            amount: 100,
            per_minutes: Some(30),
            cap_day: caps.day,
            cap_month: caps.month,
            version: 1,
            valid_from: DateTime::UNIX_EPOCH,
            valid_until: None,
            created_by: None,
            created_at: DateTime::UNIX_EPOCH,
            subject: Subject::Record,
            item: None,
            name: None,
            per_units: None,
            factor_grade_a: 100,
            factor_grade_b: 100,
            factor_grade_c: 100,
            factor_grade_d: 100,
            factor_level_1: 100,
            factor_level_2: 100,
            factor_level_3: 100,
            factor_organiser: 100,
            cap_week: caps.week,
            cap_rule: caps.rule,
            min_evidence: None,
            approver: Approver::Manager,
        }
    }

    const CALENDAR: Calendar = Calendar::new(chrono_tz::Asia::Shanghai);

    fn line(member: MemberId, at: DateTime<Utc>, minutes: i32) -> Line {
        let facts = Facts::service(Category::Culture, at, minutes);
        Line { member, community: "130302001001".into(), facts, did: i64::from(minutes) }
    }

    proptest! {
        /// The sliding windows say what adding up all earlier records of the span says.
        #[test]
        fn caps_hold_in_every_span(
            steps in prop::collection::vec((0..60_i64, 1..300_i32), 1..80),
            day in prop::option::of(1..2_000_i64),
            week in prop::option::of(1..3_000_i64),
            month in prop::option::of(1..4_000_i64),
            whole in prop::option::of(1..9_000_i64),
        ) {
            let caps = Caps { day, week, month, rule: whole };
            let book = RuleBook::new([rule(caps)]);
            let mut valuer = Valuer::new(&book, CALENDAR);
            let member = MemberId::new();
            let mut at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
            let mut earned: Vec<(DateTime<Utc>, i64)> = Vec::new();
            for (hours, minutes) in steps {
                at += TimeDelta::hours(hours);
                let within = |span: Span| earned.iter().filter(|(at, _)| span.contains(at)).map(|(_, points)| points).sum();
                let expected = caps.leave(i64::from(minutes) * 100 / 30, &Earned {
                    day: within(CALENDAR.day(CALENDAR.day_of(at))),
                    week: within(CALENDAR.week_around(at)),
                    month: within(CALENDAR.month_around(at)),
                    rule: earned.iter().map(|(_, points)| points).sum(),
                });
                let points = valuer.value(&line(member, at, minutes)).unwrap();
                prop_assert_eq!(points, expected);
                earned.push((at, points));
            }
            // Another member starts anew.
            let first = valuer.value(&line(MemberId::new(), at, 30)).unwrap();
            prop_assert_eq!(first, caps.leave(100, &Earned::default()));
        }
    }

    #[test]
    fn tenths_hold_all_members_the_most_earning_last() {
        let mut tally = Tally::default();
        for minutes in 1..=25 {
            let line = line(MemberId::new(), DateTime::UNIX_EPOCH, minutes);
            tally.add(&line, 2 * line.did, NaiveDate::MIN);
        }
        let deciles = tally.deciles();
        assert_eq!(deciles.iter().map(|tenth| tenth.members).sum::<i64>(), 25);
        assert_eq!(deciles.iter().map(|tenth| tenth.did).sum::<i64>(), (1..=25).sum::<i64>());
        assert_eq!(deciles[9], Decile { number: 10, members: 3, would: 2 * (23 + 24 + 25), did: 23 + 24 + 25 });
        assert_eq!(Tally::default().deciles().len(), 10);
    }
}
