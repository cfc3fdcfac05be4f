use super::*;
use entity::id::RuleId;
use entity::rule::Approver;
use proptest::prelude::*;
use rstest::rstest;

/// Half an hour is one point, everywhere, for everything, for ever.
pub(in crate::points) fn rule() -> Model {
    Model {
        id: RuleId::new(),
        programme: "default".into(),
        region_code: None,
        category: None,
        basis: RuleBasis::Time,
        amount: 100,
        per_minutes: Some(30),
        cap_day: None,
        cap_month: None,
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
        cap_week: None,
        cap_rule: None,
        min_evidence: None,
        approver: Approver::Manager,
    }
}

fn service(minutes: i32) -> Facts {
    Facts::service(Category::Culture, DateTime::UNIX_EPOCH, minutes)
}

#[test]
fn the_smallest_region_wins_then_the_item_then_the_category_then_the_newest() {
    let rule = |region: Option<&str>, item: Option<&str>, category: Option<&str>, version| Model {
        region_code: region.map(Into::into),
        item: item.map(Into::into),
        category: category.map(Into::into),
        version,
        ..rule()
    };
    let rules = [
        rule(None, None, None, 1),
        rule(None, Some("toss"), None, 1),
        rule(None, None, Some("culture"), 1),
        rule(Some("130200"), None, None, 1),
        rule(Some("130202"), None, None, 1),
        rule(Some("130202"), None, Some("culture"), 1),
        rule(Some("130202"), None, Some("culture"), 2),
        rule(Some("130202"), Some("toss"), Some("culture"), 1),
        rule(Some("130203"), None, Some("culture"), 9),
        rule(Some("130202009001"), None, Some("safety"), 1),
    ];
    let of = |from: usize, to: usize, community, item: Option<&str>| {
        let facts = Facts { item: item.map(Into::into), ..service(30) };
        let book = RuleBook::new(rules[from..to].iter().cloned());
        book.applicable(&facts, community).map(|found| found.id)
    };
    let id = |at: usize| Some(rules[at].id);
    assert_eq!(of(0, 10, "130202009001", None), id(6));
    assert_eq!(of(0, 10, "130202009001", Some("toss")), id(7));
    assert_eq!(of(0, 7, "130202009001", Some("toss")), id(6)); // the district's, though it is for no item
    assert_eq!(of(0, 5, "130202009001", None), id(4));
    assert_eq!(of(0, 10, "130205009001", None), id(3));
    assert_eq!(of(0, 3, "130202009001", None), id(2));
    assert_eq!(of(0, 3, "130202009001", Some("toss")), id(1));
    assert_eq!(of(8, 9, "130202009001", None), None);
    let donation = Facts { subject: Subject::Donation, ..service(30) };
    assert_eq!(RuleBook::new(rules).applicable(&donation, "130202009001"), None);
}

#[rstest]
#[case(30, 100)]
#[case(29, 96)]
#[case(1, 3)]
#[case(0, 0)]
#[case(-5, 0)]
#[case(720, 2400)]
fn half_an_hour_is_one_point_and_fractions_are_cut(#[case] minutes: i32, #[case] hundredths: i64) {
    assert_eq!(value(&rule(), &service(minutes)), Some(hundredths));
}

#[test]
fn each_basis_counts_its_own_units() {
    let by = |basis, per_units| Model { basis, per_minutes: None, per_units, amount: 100, ..rule() };
    let facts = Facts { items: 7, value_fen: 12_345, ..service(30) };
    assert_eq!(value(&by(RuleBasis::Event, None), &facts), Some(100));
    assert_eq!(value(&by(RuleBasis::Item, Some(2)), &facts), Some(350));
    assert_eq!(value(&by(RuleBasis::Yuan, Some(10)), &facts), Some(1234)); // 123.45 yuan, a point for each ten
    assert_eq!(value(&by(RuleBasis::Item, None), &facts), None);
    let taking = Model { amount: -333, ..by(RuleBasis::Item, Some(2)) };
    assert_eq!(value(&taking, &facts), Some(-1165)); // −11.655, cut towards zero
}

#[test]
fn factors_multiply_and_weak_evidence_earns_nothing() {
    let rule = Model { factor_grade_c: 50, factor_level_3: 150, factor_organiser: 120, ..rule() };
    let facts = Facts { evidence: Some(Evidence::C), difficulty: 3, organiser: true, ..service(30) };
    assert_eq!(value(&rule, &facts), Some(90)); // 1.00 × 0.5 × 1.5 × 1.2
    assert_eq!(value(&rule, &service(30)), Some(100));
    let strict = Model { min_evidence: Some(Evidence::B), ..rule };
    assert_eq!(value(&strict, &facts), Some(0));
    assert_eq!(value(&strict, &service(30)), Some(0));
    assert_eq!(value(&strict, &Facts { evidence: Some(Evidence::B), ..service(30) }), Some(100));
}

#[test]
fn what_64_bits_do_not_hold_is_refused() {
    let huge = Model { amount: i64::MAX, per_minutes: Some(1), ..rule() };
    assert_eq!(value(&huge, &service(2)), None);
    assert_eq!(value(&Model { amount: i64::MIN, ..huge }, &service(i32::MAX)), None);
    let items =
        Model { basis: RuleBasis::Item, per_units: Some(1), amount: i64::MAX, factor_organiser: 10_000, ..rule() };
    assert_eq!(value(&items, &Facts { items: i64::MAX, organiser: true, ..service(0) }), None);
}

#[test]
fn the_tightest_cap_decides() {
    let caps = Caps { day: Some(500), week: None, month: Some(700), rule: Some(1_000) };
    let earned = |day, month, rule| Earned { day, week: 9_999, month, rule };
    assert_eq!(caps.leave(300, &earned(0, 0, 0)), 300);
    assert_eq!(caps.leave(300, &earned(400, 400, 0)), 100);
    assert_eq!(caps.leave(300, &earned(0, 650, 0)), 50);
    assert_eq!(caps.leave(300, &earned(0, 0, 990)), 10);
    assert_eq!(caps.leave(300, &earned(900, 0, 0)), 0);
    assert_eq!(caps.leave(-300, &earned(900, 0, 0)), -300);
    assert!(!caps.none() && Caps::default().none());
}

fn any_rule() -> impl Strategy<Value = Model> {
    let basis =
        prop_oneof![Just(RuleBasis::Time), Just(RuleBasis::Event), Just(RuleBasis::Item), Just(RuleBasis::Yuan)];
    let factors = prop::array::uniform8(1..=10_000_i32);
    (basis, -100_000_000_000..=100_000_000_000_i64, 1..=100_000_i32, factors).prop_map(
        |(basis, amount, per, factors)| Model {
            basis,
            amount,
            per_minutes: Some(per),
            per_units: Some(per),
            factor_grade_a: factors[0],
            factor_grade_b: factors[1],
            factor_grade_c: factors[2],
            factor_grade_d: factors[3],
            factor_level_1: factors[4],
            factor_level_2: factors[5],
            factor_level_3: factors[6],
            factor_organiser: factors[7],
            ..rule()
        },
    )
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let evidence =
        prop::option::of(prop_oneof![Just(Evidence::A), Just(Evidence::B), Just(Evidence::C), Just(Evidence::D)]);
    (any::<i32>(), -10..1_000_000_i64, -10..100_000_000_000_i64, evidence, 1..=3_i16, any::<bool>()).prop_map(
        |(minutes, items, value_fen, evidence, difficulty, organiser)| Facts {
            items,
            value_fen,
            evidence,
            difficulty,
            organiser,
            ..service(minutes)
        },
    )
}

proptest! {
    /// The value lies within one hundredth of the exact one, and never beyond it: checked by multiplying back.
    #[test]
    fn a_value_is_the_exact_one_cut_towards_zero(rule in any_rule(), facts in any_facts()) {
        let grade = facts.evidence.map_or(100, |grade| match grade {
            Evidence::A => rule.factor_grade_a,
            Evidence::B => rule.factor_grade_b,
            Evidence::C => rule.factor_grade_c,
            Evidence::D => rule.factor_grade_d,
        });
        let level = [rule.factor_level_1, rule.factor_level_2, rule.factor_level_3][usize::try_from(facts.difficulty - 1).unwrap()];
        let organiser = if facts.organiser { rule.factor_organiser } else { 100 };
        let (units, per) = match rule.basis {
            RuleBasis::Time => (i128::from(facts.minutes), 1),
            RuleBasis::Event => (1, 0),
            RuleBasis::Item => (i128::from(facts.items), 1),
            RuleBasis::Yuan => (i128::from(facts.value_fen), 100),
        };
        let divisor = 1_000_000 * if per == 0 { 1 } else { i128::from(rule.per_units.unwrap()) * per };
        let exact = i128::from(rule.amount) * units.max(0) * i128::from(grade) * i128::from(level) * i128::from(organiser);
        match value(&rule, &facts) {
            Some(value) => {
                let back = i128::from(value) * divisor;
                prop_assert!(back.abs() <= exact.abs() && exact.abs() - back.abs() < divisor);
                prop_assert!(value == 0 || value.signum() == rule.amount.signum());
            }
            None => prop_assert!((exact / divisor).abs() > i128::from(i64::MAX)),
        }
    }

    /// More minutes, a better factor: never less.
    #[test]
    fn more_is_never_worth_less(rule in any_rule(), facts in any_facts(), more in 0..1_000_i32) {
        prop_assume!(rule.amount >= 0);
        let later = Facts { minutes: facts.minutes.saturating_add(more), ..facts.clone() };
        if let (Some(less), Some(value)) = (value(&rule, &facts), value(&rule, &later)) {
            prop_assert!(value >= less);
        }
    }

    /// However many are valued one after the other, no cap is passed, and one that could take more is full.
    #[test]
    fn caps_are_filled_and_never_passed(values in prop::collection::vec(0..1_000_i64, 1..30), day in 0..3_000_i64, rule in 0..3_000_i64) {
        let caps = Caps { day: Some(day), rule: Some(rule), ..Caps::default() };
        let mut earned = Earned::default();
        for value in &values {
            let left = caps.leave(*value, &earned);
            prop_assert!((0..=*value).contains(&left));
            earned.day += left;
            earned.rule += left;
        }
        prop_assert_eq!(earned.day, values.iter().sum::<i64>().min(day).min(rule));
    }
}
