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

/// Minutes of `window` inside `availability`, whose spans do not overlap each other.
pub fn free(window: DaySpan, availability: &[DaySpan]) -> u32 {
    let same_day = availability.iter().filter(|span| span.weekday == window.weekday);
    let minutes = same_day.map(|span| span.until.min(window.until).saturating_sub(span.from.max(window.from)));
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
