//! The hard filters beside district, skill and time: what work asks of a person, and what a person allows.

use uuid::Uuid;

/// Minutes of a week.
const WEEK: i64 = 7 * 24 * 60;
/// From a Monday's midnight to that of 1970-01-01, a Thursday.
const TO_THURSDAY: i64 = 3 * 24 * 60;

/// Why a pair is out of the question. In the order in which they are looked at: who is parted by a later one got further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barrier {
    /// Of another district.
    District,
    /// Has none of the skills.
    Skill,
    /// A skill needs a licence, and there is none that lasts until the end of the work.
    Licence,
    /// Too young for a hazard, or of unknown age.
    Age,
    /// Not trained for a hazard.
    Training,
    /// Not insured.
    Insurance,
    /// Does not want to be asked for now.
    Paused,
    /// Free for less than half of the window.
    Time,
    /// Has accepted other work at that time.
    Clash,
    /// Would work more hours that week than they said.
    Hours,
    /// Asked for the work themselves, has a claim or an offer, or said no.
    Answered,
}

impl Barrier {
    pub const ALL: [Self; 11] = [
        Self::District,
        Self::Skill,
        Self::Licence,
        Self::Age,
        Self::Training,
        Self::Insurance,
        Self::Paused,
        Self::Time,
        Self::Clash,
        Self::Hours,
        Self::Answered,
    ];

    /// For programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Skill => "skill",
            Self::Licence => "licence",
            Self::Age => "age",
            Self::Training => "training",
            Self::Insurance => "insurance",
            Self::Paused => "paused",
            Self::Time => "time",
            Self::Clash => "clash",
            Self::Hours => "hours",
            Self::Answered => "answered",
        }
    }
}

/// Who brings the two together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Staff or the matcher: whoever paused, or let an offer of it lapse or withdrew, is left alone.
    ByOthers,
    /// The volunteer looks for work.
    ByThemselves,
}

/// What work asks beyond skills and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The task.
    pub task: Uuid,
    /// Who asked for it: nobody is matched with their own wish.
    pub owner: Option<Uuid>,
    /// Years; 0: any age.
    pub min_age: u8,
    /// The local year and day (since 1970-01-01) in which the work ends.
    pub year: i32,
    pub day: i32,
    /// Proofs that must be there, by number.
    pub licences: Vec<u32>,
    pub trainings: Vec<u32>,
    pub insured: bool,
}

/// What a proof is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofOf {
    Licence(u32),
    Training(u32),
    Insurance,
}

/// Something that a person was seen to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    pub of: ProofOf,
    /// The last local day (since 1970-01-01) on which it holds.
    pub until: i32,
}

/// Time that a person has given away, in minutes since the local midnight of 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    pub from: i64,
    pub until: i64,
    /// Nothing else may be done then; otherwise it is over and only its hours count.
    pub blocks: bool,
}

/// What became of a task between it and a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Claimed, or offered and not answered yet.
    Open,
    Declined,
    /// Let lapse, withdrawn, or not come: nobody is asked twice, but they may come back by themselves.
    Let,
}

/// What holds of a person beyond skills and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub id: Uuid,
    /// Does not want to be asked.
    pub paused: bool,
    pub birth_year: Option<i32>,
    /// Minutes of a week, at most.
    pub week_minutes: Option<u32>,
    pub proofs: Vec<Proof>,
    pub busy: Vec<Busy>,
    pub answers: Vec<(Uuid, Answer)>,
}

impl Limits {
    /// The first filter that work from `from` until `until` does not pass.
    pub(super) fn barrier(&self, demands: Option<&Demands>, from: i64, until: i64, asked: Asked) -> Option<Barrier> {
        let of_work = demands.and_then(|demands| self.unfit(demands));
        let paused = self.paused && asked == Asked::ByOthers;
        let of_person = || match () {
            () if paused => Some(Barrier::Paused),
            // Before the clash with itself that a claim on it is.
            () if demands.is_some_and(|demands| self.has_answered(demands, asked)) => Some(Barrier::Answered),
            () if self.busy.iter().any(|busy| busy.blocks && busy.from < until && from < busy.until) => {
                Some(Barrier::Clash)
            }
            () if !self.has_hours(from, until) => Some(Barrier::Hours),
            () => None,
        };
        of_work.or_else(of_person)
    }

    fn unfit(&self, demands: &Demands) -> Option<Barrier> {
        let has = |of: ProofOf| self.proofs.iter().any(|proof| proof.of == of && proof.until >= demands.day);
        // Of the birth only the year is known: whoever may have had this year's birthday is let in.
        let old_enough = || self.birth_year.is_some_and(|year| demands.year - year >= i32::from(demands.min_age));
        match () {
            () if !demands.licences.iter().all(|code| has(ProofOf::Licence(*code))) => Some(Barrier::Licence),
            () if demands.min_age > 0 && !old_enough() => Some(Barrier::Age),
            () if !demands.trainings.iter().all(|code| has(ProofOf::Training(*code))) => Some(Barrier::Training),
            () if demands.insured && !has(ProofOf::Insurance) => Some(Barrier::Insurance),
            () => None,
        }
    }

    fn has_answered(&self, demands: &Demands, asked: Asked) -> bool {
        let answer = || self.answers.iter().find(|(task, _)| *task == demands.task).map(|(_, answer)| *answer);
        demands.owner == Some(self.id)
            || answer().is_some_and(|answer| asked == Asked::ByOthers || answer != Answer::Let)
    }

    /// Whether the week, or each of the weeks, has room for the work beside what is there.
    fn has_hours(&self, from: i64, until: i64) -> bool {
        self.has_hours_beside(from, until, &mut std::iter::empty())
    }

    /// The same with further work that is planned.
    pub(super) fn has_hours_beside(
        &self,
        from: i64,
        until: i64,
        planned: &mut (impl Iterator<Item = (i64, i64)> + Clone),
    ) -> bool {
        let Some(most) = self.week_minutes.map(i64::from) else { return true };
        let first = (from + TO_THURSDAY).div_euclid(WEEK);
        let last = (until - 1 + TO_THURSDAY).div_euclid(WEEK);
        (first..=last).all(|week| {
            let begin = week * WEEK - TO_THURSDAY;
            let within = |from: i64, until: i64| (until.min(begin + WEEK) - from.max(begin)).max(0);
            let given: i64 = self.busy.iter().map(|busy| within(busy.from, busy.until)).sum();
            let planned: i64 = planned.clone().map(|(from, until)| within(from, until)).sum();
            within(from, until) + given + planned <= most
        })
    }
}
