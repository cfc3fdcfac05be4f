//! Adds records up in memory: one sum for each subject, period and category. Pure.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::{MemberId, UnitId};
use entity::score::SubjectKind;

use super::domain::{Boarded, periods};
use crate::calendar::{Calendar, Period};

/// Whose row it is, by position in the tally's lists: an import has a million rows, and texts in each would not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Subject {
    Member(u32),
    Unit(u32),
    Community(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    subject: Subject,
    period: Period,
    /// `None`: all categories together.
    category: Option<Category>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    points: i64,
    minutes: i64,
    records: i64,
    points_at: Option<DateTime<Utc>>,
    minutes_at: Option<DateTime<Utc>>,
    /// Of the latest record.
    community: u32,
}

/// One row to add to `score`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) kind: SubjectKind,
    pub(super) period: Period,
    pub(super) category: Option<Category>,
    pub(super) subject: Id<'a>,
    pub(super) region_code: &'a str,
    pub(super) tie: &'a str,
    pub(super) points: i64,
    pub(super) minutes: i64,
    pub(super) records: i64,
    pub(super) points_at: Option<DateTime<Utc>>,
    pub(super) minutes_at: Option<DateTime<Utc>>,
}

/// A subject's id as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id<'a> {
    Uuid(uuid::Uuid),
    Code(&'a str),
}

impl Id<'_> {
    pub(super) fn text(self) -> String {
        match self {
            Self::Uuid(id) => id.to_string(),
            Self::Code(code) => code.to_owned(),
        }
    }
}

/// What stands in `tie` where there is no ref: after every ref of letters and digits.
const NO_REF: &str = "~";

/// Texts seen once are kept once.
struct Names<K, V> {
    places: HashMap<K, u32>,
    entries: Vec<V>,
}

impl<K: Hash + Eq, V> Names<K, V> {
    fn new() -> Self {
        Self { places: HashMap::new(), entries: Vec::new() }
    }

    fn place(&mut self, key: K, entry: impl FnOnce() -> V) -> u32 {
        let Self { places, entries } = self;
        *places.entry(key).or_insert_with(|| {
            entries.push(entry());
            u32::try_from(entries.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn get(&self, place: u32) -> Option<&V> {
        self.entries.get(usize::try_from(place).ok()?)
    }
}

/// Which part of a record's life is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It begins to count.
    Counted,
    /// It is taken off.
    Reversed,
    /// Its whole life as known: nothing where it was taken off in the period in which it began to count.
    Whole,
}

/// Sums of records, row by row.
pub(super) struct Tally {
    calendar: Calendar,
    members: Names<MemberId, (MemberId, String)>,
    units: Names<UnitId, UnitId>,
    communities: Names<String, String>,
    sums: HashMap<Key, Sum>,
}

impl Tally {
    pub(super) fn new(calendar: Calendar) -> Self {
        Self { calendar, members: Names::new(), units: Names::new(), communities: Names::new(), sums: HashMap::new() }
    }

    /// Adds one record's `part`.
    pub(super) fn add(&mut self, record: &Boarded<'_>, part: Part) {
        let counted = periods(self.calendar, record.counted_at);
        let reversed = record.reversed_at.map(|at| periods(self.calendar, at));
        let subjects = self.subjects(record);
        for place in 0..counted.len() {
            let (plus, minus) = (counted[place], reversed.map(|periods| periods[place]));
            let cancelled = part == Part::Whole && minus == Some(plus);
            if part != Part::Reversed && !cancelled {
                self.put(&subjects, plus, record, 1);
            }
            if let Some(minus) = minus.filter(|_| part != Part::Counted && !cancelled) {
                self.put(&subjects, minus, record, -1);
            }
        }
    }

    fn subjects(&mut self, record: &Boarded<'_>) -> Subjects {
        let tie = || (record.member_id, record.member_ref.unwrap_or(NO_REF).to_owned());
        let community = match self.communities.places.get(record.region_code) {
            Some(place) => *place,
            None => self.communities.place(record.region_code.to_owned(), || record.region_code.to_owned()),
        };
        Subjects {
            member: Subject::Member(self.members.place(record.member_id, tie)),
            unit: record.unit_id.map(|id| Subject::Unit(self.units.place(id, || id))),
            community,
        }
    }

    fn put(&mut self, subjects: &Subjects, period: Period, record: &Boarded<'_>, sign: i64) {
        let all = [Some(subjects.member), subjects.unit, Some(Subject::Community(subjects.community))];
        for subject in all.into_iter().flatten() {
            for category in [None, Some(record.category)] {
                let sum = self.sums.entry(Key { subject, period, category }).or_default();
                sum.points += sign * record.points;
                sum.minutes += sign * i64::from(record.minutes);
                sum.records += sign;
                if sign < 0 {
                    if sum.minutes_at.is_none() {
                        sum.community = subjects.community;
                    }
                    continue;
                }
                if record.points > 0 {
                    sum.points_at = sum.points_at.max(Some(record.ended_at));
                }
                if sum.minutes_at <= Some(record.ended_at) {
                    sum.minutes_at = Some(record.ended_at);
                    sum.community = subjects.community;
                }
            }
        }
    }

    /// The units seen.
    pub(super) fn units(&self) -> &[UnitId] {
        &self.units.entries
    }

    /// The rows, in the order of the table's key, so that they are written side by side and no two writers wait for each
    /// other. `places` tells a unit's region and ref; one it does not know is left out.
    pub(super) fn rows<'a>(&'a self, places: &'a UnitPlaces) -> Vec<Row<'a>> {
        let mut rows: Vec<_> = self.sums.iter().filter_map(|(key, sum)| self.row(places, *key, sum)).collect();
        rows.sort_unstable_by(|one, other| {
            let rank = |row: &Row<'_>| (order(row.kind), row.period, row.category);
            rank(one).cmp(&rank(other)).then_with(|| match (one.subject, other.subject) {
                (Id::Uuid(one), Id::Uuid(other)) => one.cmp(&other),
                (Id::Code(one), Id::Code(other)) => one.cmp(other),
                (Id::Uuid(_), Id::Code(_)) => std::cmp::Ordering::Less,
                (Id::Code(_), Id::Uuid(_)) => std::cmp::Ordering::Greater,
            })
        });
        rows
    }

    fn row<'a>(&'a self, places: &'a UnitPlaces, key: Key, sum: &Sum) -> Option<Row<'a>> {
        let (kind, subject, region_code, tie) = match key.subject {
            Subject::Member(place) => {
                let (id, tie) = self.members.get(place)?;
                let region = self.communities.get(sum.community)?;
                (SubjectKind::Member, Id::Uuid(id.0), region.as_str(), tie.as_str())
            }
            Subject::Unit(place) => {
                let id = self.units.get(place)?;
                let (region, tie) = places.get(id)?;
                (SubjectKind::Unit, Id::Uuid(id.0), region.as_str(), tie.as_deref().unwrap_or(NO_REF))
            }
            Subject::Community(place) => {
                let code = self.communities.get(place)?;
                (SubjectKind::Community, Id::Code(code), code.as_str(), code.as_str())
            }
        };
        let Sum { points, minutes, records, points_at, minutes_at, .. } = *sum;
        let Key { period, category, .. } = key;
        Some(Row { kind, period, category, subject, region_code, tie, points, minutes, records, points_at, minutes_at })
    }
}

/// Region and ref of units.
pub(super) type UnitPlaces = HashMap<UnitId, (String, Option<String>)>;

struct Subjects {
    member: Subject,
    unit: Option<Subject>,
    community: u32,
}

const fn order(kind: SubjectKind) -> u8 {
    match kind {
        SubjectKind::Community => 0,
        SubjectKind::Member => 1,
        SubjectKind::Unit => 2,
    }
}
