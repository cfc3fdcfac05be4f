//! What a pair of wish and volunteer is worth: skill, nearness and time in whole points, after the hard filters.

/// A place in the address tree, as digits of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The first six, nine and twelve digits.
    pub district: u64,
    pub street: u64,
    pub community: u64,
}

impl Place {
    /// Of a community's code, twelve digits.
    pub fn parse(code: &str) -> Option<Self> {
        let digits = code.len() == 12 && code.bytes().all(|byte| byte.is_ascii_digit());
        let part = |digits: usize| code.get(..digits)?.parse().ok();
        if !digits {
            return None;
        }
        Some(Self { district: part(6)?, street: part(9)?, community: part(12)? })
    }

    /// Of any region's code: a grid is in its community; a street or a district is in none that anybody lives in.
    pub fn within(code: &str) -> Option<Self> {
        let digits = code.get(..code.len().min(12))?;
        Self::parse(&format!("{digits:0<12}")).filter(|_| code.len() >= 6)
    }
}

/// What nearness is worth; `None` in another district.
pub fn near(one: Place, other: Place) -> Option<u8> {
    match () {
        () if one.community == other.community => Some(30),
        () if one.street == other.street => Some(18),
        () if one.district == other.district => Some(8),
        () => None,
    }
}

/// What skills are worth, of `wanted` of which `held` are there; `None` where some are wanted and none is there.
pub fn skill(wanted: usize, held: usize) -> Option<u8> {
    match (wanted, held) {
        (0, _) => Some(50),
        (_, 0) => None,
        (wanted, held) => u8::try_from(50 * held / wanted).ok(),
    }
}

/// What `free` of `need` minutes are worth; `None` below half of them.
pub fn time(need: u32, free: u32) -> Option<u8> {
    let (need, free) = (u64::from(need), u64::from(free));
    if need == 0 || 2 * free < need { None } else { u8::try_from(20 * free / need).ok() }
}

/// A span of one weekday, in minutes of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DaySpan {
    /// ISO: 1 is Monday.
    pub weekday: u8,
    pub from: u16,
    pub until: u16,
}

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

/// When work is done, as weekly availability sees it: whole weeks, and what is left by days. It may cross midnights and weeks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Minutes in all.
    pub need: u32,
    /// How many times it covers every minute of a week.
    weeks: u32,
    days: Vec<DaySpan>,
}

impl Window {
    /// Of minutes since the local midnight of 1970-01-01; nothing where it ends before it begins.
    pub fn of(from: i64, until: i64) -> Self {
        let minutes = (until - from).max(0);
        let weeks = minutes / WEEK;
        let mut days = Vec::new();
        let mut here = from + weeks * WEEK;
        while here < until {
            let day = here.div_euclid(DAY);
            let end = until.min((day + 1) * DAY);
            let minute = |at: i64| u16::try_from(at - day * DAY).unwrap_or(u16::MAX);
            // 1970-01-01 was a Thursday.
            let weekday = u8::try_from((day + 3).rem_euclid(7) + 1).unwrap_or(1);
            days.push(DaySpan { weekday, from: minute(here), until: minute(end) });
            here = end;
        }
        let short = |minutes: i64| u32::try_from(minutes).unwrap_or(u32::MAX);
        Self { need: short(minutes), weeks: short(weeks), days }
    }
}

impl From<DaySpan> for Window {
    fn from(span: DaySpan) -> Self {
        Self { need: u32::from(span.until.saturating_sub(span.from)), weeks: 0, days: vec![span] }
    }
}

/// Minutes of `window` inside `availability`, whose spans do not overlap each other.
pub fn free(window: &Window, availability: &[DaySpan]) -> u32 {
    let by_days: u32 = window.days.iter().map(|day| free_on(*day, availability)).sum();
    if window.weeks == 0 {
        return by_days;
    }
    let weekly: u32 = availability.iter().map(|span| u32::from(span.until.saturating_sub(span.from))).sum();
    window.weeks.saturating_mul(weekly).saturating_add(by_days)
}

fn free_on(day: DaySpan, availability: &[DaySpan]) -> u32 {
    let same_day = availability.iter().filter(|span| span.weekday == day.weekday);
    let minutes = same_day.map(|span| span.until.min(day.until).saturating_sub(span.from.max(day.from)));
    minutes.map(u32::from).sum()
}

/// Joins spans that overlap or touch, so that none is counted twice.
pub fn tidy(mut spans: Vec<DaySpan>) -> Vec<DaySpan> {
    spans.sort_unstable();
    let mut tidy: Vec<DaySpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match tidy.last_mut() {
            Some(last) if last.weekday == span.weekday && span.from <= last.until => {
                last.until = last.until.max(span.until);
            }
            _ => tidy.push(span),
        }
    }
    tidy
}
