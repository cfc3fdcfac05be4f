//! Who is where when: half-open intervals that never meet, one set per member.

/// Disjoint half-open intervals in microseconds since 1970-01-01 UTC, in order.
#[derive(Debug, Default, Clone)]
pub struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    /// Takes in `[start, end)` unless it meets one that is there; says whether it did. Neighbours that only touch do not meet.
    pub fn insert(&mut self, start: i64, end: i64) -> bool {
        // An empty one meets nothing and is not kept.
        if start >= end {
            return true;
        }
        let at = self.0.partition_point(|&(_, other_end)| other_end <= start);
        if self.0.get(at).is_some_and(|&(other_start, _)| other_start < end) {
            return false;
        }
        self.0.insert(at, (start, end));
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn touching_is_not_meeting() {
        let mut set = Intervals::default();
        assert!(set.insert(60, 120));
        assert!(set.insert(120, 180) && set.insert(0, 60));
        assert!(!set.insert(59, 61) && !set.insert(60, 120) && !set.insert(100, 101) && !set.insert(-10, 500));
    }

    proptest! {
        #[test]
        fn the_set_agrees_with_a_plain_comparison(pairs in prop::collection::vec((0..300i64, 1..40i64), 0..60)) {
            let mut set = Intervals::default();
            let mut accepted: Vec<(i64, i64)> = Vec::new();
            for (start, length) in pairs {
                let end = start + length;
                let free = accepted.iter().all(|&(s, e)| end <= s || e <= start);
                prop_assert_eq!(set.insert(start, end), free);
                if free {
                    accepted.push((start, end));
                }
            }
        }
    }
}
