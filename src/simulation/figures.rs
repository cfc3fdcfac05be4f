//! Plain statistics, each the same on every run.

/// A number that is not negative, rounded to the nearest whole one.
pub(super) fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest that fits"
    )]
    let whole = number.round() as u64;
    whole
}

/// A part of a whole with four places; `None` of nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "four places are shown")]
    let ratio = (whole > 0).then(|| part as f64 / whole as f64);
    ratio.map(|ratio| (ratio * 1e4).round() / 1e4)
}

/// The value below or at which lie `percent` of a hundred, of sorted values.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Of all work, the share that each tenth of the people did, the busiest tenth first; nothing where there is no work.
pub(super) fn deciles(values: &[u64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    let total: u64 = sorted.iter().sum();
    let tenth = |number: usize| {
        let part = &sorted[sorted.len() * number / 10..sorted.len() * (number + 1) / 10];
        share(part.iter().sum(), total)
    };
    (0..10).filter_map(tenth).collect()
}

/// 0 where all have the same, towards 1 where one has all; `None` where there is nothing.
pub(super) fn gini(values: &[u64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let (count, total) = (u64::try_from(sorted.len()).ok()?, sorted.iter().sum::<u64>());
    // Twice the ranked sum less (n + 1) times the sum, of n times the sum.
    let ranked: u64 = (1_u64..).zip(&sorted).map(|(rank, value)| rank * value).sum();
    share((2 * ranked).saturating_sub((count + 1) * total), count * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_work_are_those_of_the_books() {
        assert_eq!(gini(&[1, 1, 1, 1]), Some(0.0));
        assert_eq!(gini(&[0, 0, 0, 8]), Some(0.75));
        assert_eq!(gini(&[1, 3]), Some(0.25));
        assert_eq!((gini(&[]), gini(&[0, 0])), (None, None));
        let one_of_ten: Vec<u64> = (0..10).map(|at| u64::from(at == 4) * 60).collect();
        assert_eq!(deciles(&one_of_ten)[0].to_bits(), 1.0_f64.to_bits());
        assert_eq!(deciles(&one_of_ten)[1..].iter().sum::<f64>().to_bits(), 0.0_f64.to_bits());
        assert_eq!((deciles(&[]).len(), deciles(&[0; 20]).len(), deciles(&[5; 3]).len()), (0, 0, 10));
    }

    #[test]
    fn percentiles_are_values_that_occur() {
        let values: Vec<u64> = (1..=10).collect();
        assert_eq!(percentile(&values, 50), Some(5));
        assert_eq!(percentile(&values, 90), Some(9));
        assert_eq!(percentile(&values, 100), Some(10));
        assert_eq!(percentile(&[7], 50), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn parts_of_nothing_are_nothing() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(1, 3), Some(0.3333));
    }
}
