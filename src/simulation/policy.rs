//! What a district decides: a TOML file of which every key has a default.

use serde::{Deserialize, Serialize};

/// How wishes find their volunteers, and what is assumed of the volunteers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// As the report calls it.
    pub name: String,
    pub order: Order,
    pub assignment: Assignment,
    pub offers: Offers,
    pub answers: Answers,
    pub points: Points,
}

/// Who comes first among pairs of the same score. No weight changes a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Order {
    /// For each whole day that a wish has waited.
    pub wait: f64,
    /// For a wish of somebody of a special group: so many days of waiting it counts as, at a `wait` of 1.
    pub special_group: f64,
    /// Against a volunteer for each hour served or promised in the last 28 days; 0 asks in the order of the member ids.
    pub fair_share: f64,
}

/// When it is decided who is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assignment {
    pub mode: Mode,
    /// Hours of the day, local. With `immediate`, wishes for which nobody could be asked are looked at again then.
    pub hours: Vec<u32>,
    /// With `batch`: a wish that became urgent is not left until the next hour.
    pub urgent_at_once: bool,
    /// Nobody is asked later than so long before the window begins.
    pub lead_minutes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All open wishes together, at the given hours, by the greatest sum of scores.
    Batch,
    /// Each wish when it arrives, and the next candidate when one has said no.
    Immediate,
}

/// How people are asked, and how much of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Offers {
    /// Open offers for each missing person.
    pub wave: u32,
    /// The same, where the wish is urgent.
    pub urgent_wave: u32,
    /// A wish is urgent from so many hours before its window.
    pub urgent_hours: u32,
    pub expiry_hours: u32,
    /// Of an offer made when the wish was urgent.
    pub urgent_expiry_hours: u32,
    /// Offers that one volunteer has open at once.
    pub open_per_volunteer: u32,
    /// Offers made to one volunteer in a calendar week (Monday to Sunday).
    pub offers_per_week: u32,
    /// Claims of one volunteer whose windows lie in one calendar week, offers that are open among them.
    pub claims_per_week: u32,
}

/// What is assumed of the volunteers: nobody's real answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// Share of offers accepted, by the average volunteer.
    pub accept: f64,
    /// Share of offers declined in words; what is left lapses.
    pub decline: f64,
    /// How far volunteers' shares of accepted offers lie from the average, at most, to either side.
    pub spread: f64,
    /// Mean time until an answer; one that would come after the end of the offer lapses.
    pub delay_minutes: u32,
    /// Share of promises that are not kept.
    pub no_show: f64,
}

/// What a kept promise earns, in points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Points {
    pub per_hour: f64,
    pub per_wish: f64,
    /// On top, for a wish of somebody of a special group.
    pub special_group: f64,
    /// Most for one volunteer in one day; 0 for no limit.
    pub per_day: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            order: Order::default(),
            assignment: Assignment::default(),
            offers: Offers::default(),
            answers: Answers::default(),
            points: Points::default(),
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self { wait: 1.0, special_group: 7.0, fair_share: 1.0 }
    }
}

impl Default for Assignment {
    fn default() -> Self {
        Self { mode: Mode::Batch, hours: vec![9], urgent_at_once: true, lead_minutes: 60 }
    }
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            wave: 1,
            urgent_wave: 3,
            urgent_hours: 48,
            expiry_hours: 48,
            urgent_expiry_hours: 6,
            open_per_volunteer: 3,
            offers_per_week: 5,
            claims_per_week: 3,
        }
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self { accept: 0.5, decline: 0.3, spread: 0.3, delay_minutes: 240, no_show: 0.03 }
    }
}

impl Default for Points {
    fn default() -> Self {
        Self { per_hour: 2.0, per_wish: 0.0, special_group: 0.0, per_day: 0.0 }
    }
}

/// A value that a policy cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {wanted}")]
pub struct PolicyError {
    /// As in the file: `offers.wave`.
    pub key: &'static str,
    pub wanted: &'static str,
}

impl Policy {
    /// Looks at every value.
    ///
    /// # Errors
    /// The first that is out of range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let Self { name, order, assignment, offers, answers, points } = self;
        let named = !name.trim().is_empty() && name.chars().count() <= 40 && !name.chars().any(char::is_control);
        let hours = &assignment.hours;
        let sorted = hours.windows(2).all(|pair| pair[0] < pair[1]);
        check("name", "1 to 40 characters", named)?;
        for (key, weight) in [
            ("order.wait", order.wait),
            ("order.special_group", order.special_group),
            ("order.fair_share", order.fair_share),
        ] {
            check(key, "0 to 1000", (0.0..=1000.0).contains(&weight))?;
        }
        let day = !hours.is_empty() && sorted && hours.iter().all(|hour| *hour < 24);
        check("assignment.hours", "hours of the day, 0 to 23, in order and at least one", day)?;
        check("assignment.lead_minutes", "0 to 10080", assignment.lead_minutes <= 10_080)?;
        for (key, count) in [
            ("offers.wave", offers.wave),
            ("offers.urgent_wave", offers.urgent_wave),
            ("offers.open_per_volunteer", offers.open_per_volunteer),
            ("offers.offers_per_week", offers.offers_per_week),
            ("offers.claims_per_week", offers.claims_per_week),
        ] {
            check(key, "1 to 100", (1..=100).contains(&count))?;
        }
        check("offers.urgent_hours", "0 to 720", offers.urgent_hours <= 720)?;
        check("offers.expiry_hours", "1 to 720", (1..=720).contains(&offers.expiry_hours))?;
        check("offers.urgent_expiry_hours", "1 to 720", (1..=720).contains(&offers.urgent_expiry_hours))?;
        check_answers(answers)?;
        for (key, amount) in [
            ("points.per_hour", points.per_hour),
            ("points.per_wish", points.per_wish),
            ("points.special_group", points.special_group),
            ("points.per_day", points.per_day),
        ] {
            let hundredths = (amount * 100.0).round();
            let fits = (0.0..=10_000.0).contains(&amount) && (amount * 100.0 - hundredths).abs() < 1e-6;
            check(key, "0 to 10000 with at most two places", fits)?;
        }
        Ok(())
    }
}

fn check_answers(answers: &Answers) -> Result<(), PolicyError> {
    for (key, share) in [
        ("answers.accept", answers.accept),
        ("answers.decline", answers.decline),
        ("answers.spread", answers.spread),
        ("answers.no_show", answers.no_show),
    ] {
        check(key, "0 to 1", (0.0..=1.0).contains(&share))?;
    }
    check("answers.decline", "at most 1 together with answers.accept", answers.accept + answers.decline <= 1.0 + 1e-9)?;
    check("answers.delay_minutes", "1 to 43200", (1..=43_200).contains(&answers.delay_minutes))
}

fn check(key: &'static str, wanted: &'static str, holds: bool) -> Result<(), PolicyError> {
    if holds { Ok(()) } else { Err(PolicyError { key, wanted }) }
}
