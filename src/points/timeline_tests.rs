use super::super::valuation::tests::rule;
use super::*;
use proptest::prelude::*;

/// The model's time goes from minute 0 to this one; what is open to the end is so after it.
const END: i64 = 60;

fn minute(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(number * 60, 0).unwrap()
}

const REGIONS: [Option<&str>; 4] = [None, Some("130300"), Some("130302"), Some("130302001001")];
const CATEGORIES: [Option<&str>; 3] = [None, Some("culture"), Some("safety")];
const ITEMS: [Option<&str>; 2] = [None, Some("toss")];

fn any_rule() -> impl Strategy<Value = Model> {
    let span = (0..END, prop::option::of(0..=END / 2));
    (0..REGIONS.len(), 0..CATEGORIES.len(), 0..ITEMS.len(), span).prop_map(
        |(region, category, item, (from, length))| Model {
            region_code: REGIONS[region].map(Into::into),
            category: CATEGORIES[category].map(Into::into),
            item: ITEMS[item].map(Into::into),
            valid_from: minute(from),
            valid_until: length.map(|length| minute(from + length)),
            ..rule()
        },
    )
}

/// Rules of which each is the first of its scope, or begins where none of it is in force any more.
fn tidy(rules: Vec<Model>) -> Vec<Model> {
    let mut kept: Vec<Model> = Vec::new();
    for rule in rules {
        if kept
            .iter()
            .all(|other| Scope::of(other) != Scope::of(&rule) || Span::of(other).common(&Span::of(&rule)).is_none())
        {
            kept.push(rule);
        }
    }
    kept
}

proptest! {
    #[test]
    fn overlaps_are_those_of_every_minute(rules in prop::collection::vec(any_rule(), 0..8)) {
        let rules: Vec<_> = rules.iter().collect();
        let found = overlaps(&rules);
        for (at, one) in rules.iter().enumerate() {
            for two in &rules[at + 1..] {
                let said = found.iter().find(|(left, right, _)| left.id == one.id && right.id == two.id);
                for number in 0..END * 3 / 2 {
                    let now = minute(number);
                    let both = in_force(one, now) && in_force(two, now);
                    let inside = said.is_some_and(|(.., span)| span.from <= now && span.until.is_none_or(|until| now < until));
                    prop_assert_eq!(both, inside);
                }
            }
        }
    }

    #[test]
    fn gaps_are_those_of_every_minute(rules in prop::collection::vec(any_rule(), 1..10), of in 0..10_usize) {
        let rules = tidy(rules);
        let scope = Scope::of(&rules[of % rules.len()]);
        let own: Vec<_> = rules.iter().filter(|rule| Scope::of(rule) == scope).collect();
        let found = gaps(scope, &rules);
        prop_assert!(found.windows(2).all(|pair| pair[0].span.until.unwrap() <= pair[1].span.from));
        let begun = |now| own.iter().any(|rule| !Span::of(rule).is_empty() && rule.valid_from <= now);
        for number in 0..END * 3 / 2 {
            let now = minute(number);
            let gap = found.iter().find(|gap| gap.span.from <= now && gap.span.until.is_none_or(|until| now < until));
            let bare = begun(now) && !own.iter().any(|rule| in_force(rule, now));
            prop_assert_eq!(bare, gap.is_some());
            if let Some(gap) = gap {
                let fits = |rule: &&Model| {
                    let wide = Scope::of(rule);
                    wide != scope
                        && in_force(rule, now)
                        && (wide.category.is_none() || wide.category == scope.category)
                        && (wide.item.is_none() || wide.item == scope.item)
                        && REGIONS.iter().position(|region| *region == wide.region) <= REGIONS.iter().position(|region| *region == scope.region)
                };
                let best = rules.iter().filter(fits).max_by_key(|rule| {
                    let wide = Scope::of(rule);
                    (REGIONS.iter().position(|region| *region == wide.region), wide.item, wide.category)
                });
                prop_assert_eq!(gap.falls_back_to, best.map(|rule| rule.id));
            }
        }
    }

    #[test]
    fn nothing_is_earned_where_no_rule_is(rules in prop::collection::vec(any_rule(), 0..6), begin in 0..END) {
        let scope = Scope { region: Some("130302001001"), subject: Subject::Record, category: Some("culture"), item: None };
        let found = uncovered(scope, &rules, minute(begin));
        for number in begin..END * 3 / 2 {
            let now = minute(number);
            let bare = found.iter().any(|span| span.from <= now && span.until.is_none_or(|until| now < until));
            let covered = rules.iter().any(|rule| {
                in_force(rule, now) && rule.item.is_none() && rule.category.as_deref().is_none_or(|category| category == "culture")
            });
            prop_assert_eq!(bare, !covered);
        }
    }
}

#[test]
fn a_gap_names_the_wider_rule_that_steps_in() {
    let wide = Model { valid_until: Some(minute(40)), ..rule() };
    let own = |from, until| Model {
        region_code: Some("130302".into()),
        valid_from: minute(from),
        valid_until: Some(minute(until)),
        ..rule()
    };
    let rules = [wide.clone(), own(10, 20), own(30, 35), own(50, 50)];
    let gap = |from, until: Option<i64>, falls_back_to| Gap {
        span: Span { from: minute(from), until: until.map(minute) },
        falls_back_to,
    };
    let expected = [gap(20, Some(30), Some(wide.id)), gap(35, Some(40), Some(wide.id)), gap(40, None, None)];
    assert_eq!(gaps(Scope::of(&rules[1]), &rules), expected);
    assert_eq!(gaps(Scope::of(&rules[0]), &rules), [gap(40, None, None)]);
}
