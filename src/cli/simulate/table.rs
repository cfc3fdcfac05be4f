//! The report for people: one column a policy.

use std::fmt::Write as _;

use crate::simulation::Outcome;

const LABEL: usize = 30;

/// One line a figure, all policies beside each other.
pub(super) fn of(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let mut line = |label: &str, cell: &dyn Fn(&Outcome) -> String| {
        let _ = write!(text, "{label:<LABEL$}");
        for outcome in outcomes {
            let width = outcome.policy.chars().count().max(10) + 2;
            let _ = write!(text, "{:>width$}", cell(outcome));
        }
        text.push('\n');
    };
    line("", &|outcome| outcome.policy.clone());
    line("wishes", &|outcome| outcome.wishes.wishes.to_string());
    line("fulfilled", &|outcome| outcome.wishes.fulfilled.to_string());
    line("in part", &|outcome| outcome.wishes.partly.to_string());
    line("unmet", &|outcome| outcome.wishes.unmet.to_string());
    line("  of them nobody fits", &|outcome| outcome.wishes.nobody_fits.to_string());
    line("open at the end", &|outcome| outcome.wishes.open.to_string());
    line("fulfilment", &|outcome| percent(outcome.wishes.fulfilment));
    let hours = |minutes: Option<u64>| minutes.map_or_else(|| "-".to_owned(), tenths);
    line("hours until found, median", &|outcome| hours(outcome.wishes.waiting.median));
    line("hours until found, 90 %", &|outcome| hours(outcome.wishes.waiting.p90));
    line("hours until found, worst", &|outcome| hours(outcome.wishes.waiting.worst));
    line("  special groups, median", &|outcome| hours(outcome.special_groups.waiting.median));
    line("  others, median", &|outcome| hours(outcome.others.waiting.median));
    line("offers", &|outcome| outcome.offers.made.to_string());
    line("  accepted", &|outcome| outcome.offers.accepted.to_string());
    line("  declined", &|outcome| outcome.offers.declined.to_string());
    line("  lapsed", &|outcome| outcome.offers.lapsed.to_string());
    line("  place taken by another", &|outcome| outcome.offers.withdrawn.to_string());
    line("volunteers asked", &|outcome| outcome.work.asked.to_string());
    line("volunteers who served", &|outcome| outcome.work.served.to_string());
    line("work of the busiest tenth", &|outcome| percent(outcome.work.deciles.first().copied()));
    line("Gini of work", &|outcome| outcome.work.gini.map_or_else(|| "-".to_owned(), |gini| format!("{gini:.3}")));
    line("points issued", &|outcome| outcome.points.clone());
    text
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Minutes as hours with one place.
fn tenths(minutes: u64) -> String {
    let tenths = (minutes + 3) / 6;
    format!("{}.{}", tenths / 10, tenths % 10)
}
