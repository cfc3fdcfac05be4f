//! Nothing is lost, no cap is passed, nobody is in two places, and the same seed tells the same story.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::run::{Offer, Run, Stage, replay};
use super::scene::{DAY, week_of};
use super::{Mode, Outcome, Person, Policy, Request, Scene, simulate};
use crate::matching::score::{DaySpan, Place, near, skill};

const COMMUNITIES: [&str; 4] = ["130202001001", "130202001002", "130202002001", "130203001001"];
/// 2023-01-02, a Monday.
const BEGIN: i64 = 19_359 * DAY;
const DAYS: u32 = 21;

fn person(number: usize, place: usize, skills: &[u8], weekdays: &[u8], hours: Option<u32>) -> Person {
    let span = |weekday: &u8| DaySpan { weekday: *weekday, from: 8 * 60, until: 20 * 60 };
    let mut availability: Vec<DaySpan> = weekdays.iter().map(span).collect();
    availability.sort_unstable();
    availability.dedup();
    Person {
        id: format!("M{number:03}"),
        place: Place::parse(COMMUNITIES[place]).unwrap(),
        skills: skills.iter().map(|skill| format!("S{skill}")).collect(),
        availability,
        most_minutes_week: hours.map(|hours| hours * 60),
        registered: 0,
    }
}

/// Created on one day of the replay, wanted so many days later.
fn request(
    number: usize,
    place: usize,
    skill: Option<u8>,
    days: (i64, i64),
    hours: (i64, i64),
    needed: u32,
) -> Request {
    let (created, from) = (BEGIN + days.0 * DAY + 10 * 60, BEGIN + (days.0 + days.1) * DAY + hours.0 * 60);
    Request {
        id: format!("W{number:03}"),
        requester: format!("M{:03}", number % 5),
        region: COMMUNITIES[place].to_owned(),
        place: Place::parse(COMMUNITIES[place]).unwrap(),
        skills: skill.iter().map(|skill| format!("S{skill}")).collect(),
        category: ["HZ", "ZY"][number % 2].to_owned(),
        special_group: number.is_multiple_of(3).then(|| "A1".to_owned()),
        needed,
        created,
        from,
        until: from + hours.1 * 60,
        deadline: from.div_euclid(DAY) * DAY + DAY,
        minutes: u32::try_from(hours.1 * 60).unwrap(),
    }
}

fn any_people() -> impl Strategy<Value = Vec<Person>> {
    let one = (
        0_usize..4,
        proptest::collection::vec(0_u8..3, 0..3),
        proptest::collection::vec(1_u8..8, 0..6),
        proptest::option::of(0_u32..9),
    );
    proptest::collection::vec(one, 0..14).prop_map(|people| {
        let with_number = people.into_iter().enumerate();
        with_number.map(|(number, (place, skills, days, hours))| person(number, place, &skills, &days, hours)).collect()
    })
}

fn any_requests() -> impl Strategy<Value = Vec<Request>> {
    let one = (0_usize..4, proptest::option::of(0_u8..3), (0_i64..18, 0_i64..9), (7_i64..19, 1_i64..4), 1_u32..4);
    proptest::collection::vec(one, 0..30).prop_map(|requests| {
        let with_number = requests.into_iter().enumerate();
        with_number
            .map(|(number, (place, skill, days, hours, needed))| request(number, place, skill, days, hours, needed))
            .collect()
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>(), 1_u32..4, 1_u32..4, 1_u32..60, (1_u32..4, 1_u32..4, 1_u32..4), 0_u32..10).prop_map(
        |(batch, at_once, wave, urgent_wave, expiry, (open, week, claims), accept)| {
            let mut policy = Policy::default();
            policy.assignment.mode = if batch { Mode::Batch } else { Mode::Immediate };
            policy.assignment.hours = vec![9, 18];
            policy.assignment.urgent_at_once = at_once;
            (policy.offers.wave, policy.offers.urgent_wave, policy.offers.expiry_hours) = (wave, urgent_wave, expiry);
            policy.offers.open_per_volunteer = open;
            policy.offers.offers_per_week = week;
            policy.offers.claims_per_week = claims;
            policy.answers.accept = f64::from(accept) / 10.0;
            policy.answers.decline = (1.0 - policy.answers.accept) / 2.0;
            policy.points.per_day = 5.0;
            policy
        },
    )
}

fn report(people: &[Person], requests: &[Request], policy: &Policy, seed: u64) -> String {
    let scene = Scene::new(people.to_vec(), requests.to_vec());
    serde_json::to_string(&simulate(&scene, policy, DAYS, seed, &mut |_| ())).unwrap()
}

fn promised(stage: Stage) -> bool {
    matches!(stage, Stage::Accepted | Stage::Served | Stage::Missed)
}

/// Each wish in one state, each offer in one, and every way of grouping gives the same sums.
fn adds_up(outcome: &Outcome) {
    let tallies = [&outcome.wishes, &outcome.special_groups, &outcome.others];
    let groups = [&outcome.by_special_group, &outcome.by_category, &outcome.by_community];
    for tally in tallies.into_iter().chain(groups.iter().flat_map(|group| group.values())) {
        assert_eq!(tally.wishes, tally.fulfilled + tally.partly + tally.unmet + tally.open);
        assert!(tally.places_served <= tally.places && tally.nobody_fits <= tally.unmet);
        assert!(tally.waiting.median <= tally.waiting.p90 && tally.waiting.p90 <= tally.waiting.worst);
    }
    for group in groups {
        let sum = |of: fn(&super::Tally) -> u64| group.values().map(of).sum::<u64>();
        assert_eq!(sum(|tally| tally.wishes), outcome.wishes.wishes);
        assert_eq!(sum(|tally| tally.fulfilled), outcome.wishes.fulfilled);
        assert_eq!(sum(|tally| tally.places_served), outcome.wishes.places_served);
        assert_eq!(sum(|tally| tally.waiting.filled), outcome.wishes.waiting.filled);
    }
    let offers = &outcome.offers;
    assert_eq!(offers.made, offers.accepted + offers.declined + offers.lapsed + offers.withdrawn + offers.open);
    assert!(offers.accepted >= outcome.wishes.places_served + outcome.work.missed);
    assert!(outcome.work.served <= outcome.work.asked && outcome.work.asked <= outcome.work.volunteers);
}

/// By volunteer: caps of the week, of the moment and of the member; no two promises at once; the hard filters.
fn keeps_the_rules(run: &Run<'_>) {
    let mut by_person: BTreeMap<u32, Vec<Offer>> = BTreeMap::new();
    for offer in &run.offers {
        by_person.entry(offer.person).or_default().push(*offer);
        allowed(run, *offer);
    }
    for (person, offers) in by_person {
        let caps = &run.policy.offers;
        let mut made: BTreeMap<i64, u32> = BTreeMap::new();
        let mut weeks: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
        for offer in &offers {
            *made.entry(week_of(offer.made)).or_default() += 1;
            let open = |other: &&Offer| other.made <= offer.made && other.ended.is_none_or(|ended| ended > offer.made);
            assert!(offers.iter().filter(open).count() <= caps.open_per_volunteer as usize);
            if promised(offer.stage) {
                let request = run.request(offer.request);
                let (claims, minutes) = weeks.entry(week_of(request.from)).or_default();
                (*claims, *minutes) = (*claims + 1, *minutes + request.minutes);
                let meets = |other: &&Offer| {
                    let other = run.request(other.request);
                    other.from < request.until && request.from < other.until
                };
                assert_eq!(offers.iter().filter(|other| promised(other.stage)).filter(meets).count(), 1);
            }
        }
        let most = run.scene.people()[person as usize].most_minutes_week.unwrap_or(u32::MAX);
        assert!(made.values().all(|count| *count <= caps.offers_per_week));
        assert!(weeks.values().all(|(claims, minutes)| *claims <= caps.claims_per_week && *minutes <= most));
    }
    for (number, case) in run.cases.iter().enumerate() {
        let offers = case.offers.iter().map(|offer| run.offers[*offer as usize]);
        let kept = offers.filter(|offer| promised(offer.stage)).count();
        assert!(case.served <= case.promised && case.promised <= run.scene.requests()[number].needed);
        assert_eq!((kept, case.asked.len()), (case.promised as usize, case.offers.len()));
    }
}

fn allowed(run: &Run<'_>, offer: Offer) {
    let (request, person) = (run.request(offer.request), &run.scene.people()[offer.person as usize]);
    let held = request.skills.iter().filter(|skill| person.skills.contains(skill)).count();
    assert!(near(request.place, person.place).is_some() && skill(request.skills.len(), held).is_some());
    assert!(person.id != request.requester && offer.made >= request.created && offer.made < run.asked_until(request));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_is_lost_and_no_rule_is_broken(
        people in any_people(), requests in any_requests(), policy in any_policy(), seed in any::<u64>(),
    ) {
        prop_assert_eq!(policy.check(), Ok(()));
        let scene = Scene::new(people, requests);
        let mut days = Vec::new();
        replay(&scene, &policy, DAYS, seed, &mut |day| days.push(day), |run| {
            keeps_the_rules(run);
            adds_up(&super::report::outcome(run));
        });
        prop_assert!(days.is_sorted() && days.iter().all(|day| *day < DAYS));
    }

    #[test]
    fn the_same_seed_tells_the_same_story_whatever_the_order_of_rows(
        mut people in any_people(), mut requests in any_requests(), policy in any_policy(), turn in 0_usize..30,
    ) {
        let told = report(&people, &requests, &policy, 5);
        prop_assert_eq!(&report(&people, &requests, &policy, 5), &told);
        people.reverse();
        let turn = turn % requests.len().max(1);
        requests.rotate_left(turn);
        prop_assert_eq!(report(&people, &requests, &policy, 5), told);
    }
}

/// Ten who can, three who are needed.
fn street() -> (Vec<Person>, Vec<Request>) {
    let people = (0..10).map(|number| person(number + 10, 0, &[0], &[1, 2, 3, 4, 5, 6, 7], None)).collect();
    (people, vec![request(0, 0, Some(0), (0, 7), (9, 2), 3)])
}

fn run(policy: &Policy) -> Outcome {
    let (people, requests) = street();
    let outcome = simulate(&Scene::new(people, requests), policy, DAYS, 1, &mut |_| ());
    adds_up(&outcome);
    outcome
}

#[test]
fn where_all_accept_three_are_asked_and_paid() {
    let mut policy = Policy::default();
    policy.answers.accept = 1.0;
    (policy.answers.decline, policy.answers.spread, policy.answers.no_show) = (0.0, 0.0, 0.0);
    (policy.points.per_hour, policy.points.per_wish, policy.points.special_group) = (2.0, 0.5, 1.0);
    // An answer that comes too late has lapsed.
    policy.answers.delay_minutes = 1;
    let outcome = run(&policy);
    assert_eq!((outcome.offers.made, outcome.offers.accepted), (3, 3));
    assert_eq!((outcome.wishes.fulfilled, outcome.wishes.places_served), (1, 3));
    assert_eq!((outcome.work.minutes, outcome.work.served), (360, 3));
    assert_eq!(outcome.points, "16.50");
    // Asked at nine the next morning.
    assert!(outcome.wishes.waiting.median.unwrap() >= 23 * 60);
    policy.points.per_day = 2.5;
    assert_eq!(run(&policy).points, "7.50");
    policy.assignment.mode = Mode::Immediate;
    assert!(run(&policy).wishes.waiting.worst.unwrap() < 60);
}

#[test]
fn where_nobody_answers_all_are_asked_and_the_wish_stays_unmet() {
    let mut policy = Policy::default();
    policy.assignment.mode = Mode::Immediate;
    (policy.answers.accept, policy.answers.decline, policy.answers.spread) = (0.0, 0.0, 0.0);
    policy.offers.expiry_hours = 12;
    let outcome = run(&policy);
    assert_eq!((outcome.offers.made, outcome.offers.lapsed), (10, 10));
    assert_eq!((outcome.wishes.unmet, outcome.wishes.nobody_fits), (1, 0));
    assert_eq!((outcome.unmet_skills[0].skill.as_str(), outcome.unmet_skills[0].places), ("S0", 3));
    assert_eq!((outcome.work.deciles.len(), outcome.work.gini, outcome.points.as_str()), (0, None, "0.00"));
}

#[test]
fn a_wave_asks_more_than_it_takes() {
    let mut policy = Policy::default();
    (policy.answers.accept, policy.answers.decline, policy.answers.spread) = (1.0, 0.0, 0.0);
    policy.answers.delay_minutes = 1;
    policy.offers.wave = 3;
    let outcome = run(&policy);
    assert_eq!((outcome.offers.made, outcome.offers.accepted, outcome.offers.withdrawn), (9, 3, 6));
}

#[test]
fn a_skill_that_nobody_has_and_a_wish_that_comes_too_late_are_unmet() {
    let (people, _) = street();
    let mut late = request(1, 0, None, (0, 7), (9, 1), 1);
    late.deadline = late.created;
    let requests = vec![request(0, 0, Some(7), (0, 7), (9, 1), 1), late];
    let outcome = simulate(&Scene::new(people, requests), &Policy::default(), DAYS, 1, &mut |_| ());
    assert_eq!((outcome.wishes.unmet, outcome.wishes.nobody_fits, outcome.offers.made), (2, 1, 0));
    let nothing = simulate(&Scene::default(), &Policy::default(), DAYS, 1, &mut |_| ());
    assert_eq!((nothing.wishes.wishes, nothing.wishes.fulfilment), (0, None));
}

#[test]
fn fair_share_asks_those_who_have_done_less() {
    let (people, _) = street();
    let requests: Vec<Request> = (0..18).map(|day| request(100, 0, Some(0), (day, 2), (9, 2), 1)).collect();
    let numbered = requests.into_iter().enumerate();
    let requests: Vec<Request> =
        numbered.map(|(number, request)| Request { id: format!("W{number}"), ..request }).collect();
    let mut policy = Policy::default();
    (policy.answers.accept, policy.answers.decline, policy.answers.spread) = (1.0, 0.0, 0.0);
    policy.answers.delay_minutes = 1;
    policy.answers.no_show = 0.0;
    let gini = |policy: &Policy| {
        let scene = Scene::new(people.clone(), requests.clone());
        simulate(&scene, policy, DAYS, 1, &mut |_| ()).work.gini.unwrap()
    };
    let fair = gini(&policy);
    policy.order.fair_share = 0.0;
    assert!(fair < 0.15 && gini(&policy) > 0.5, "{fair} {}", gini(&policy));
}

#[test]
fn another_seed_tells_another_story() {
    let (people, requests) = street();
    let stories: std::collections::BTreeSet<String> =
        (0..20).map(|seed| report(&people, &requests, &Policy::default(), seed)).collect();
    assert!(stories.len() > 1);
}

#[test]
fn values_out_of_range_are_named() {
    let named = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        policy.check().unwrap_err().key
    };
    assert_eq!(named(|policy| policy.name = " ".to_owned()), "name");
    assert_eq!(named(|policy| policy.order.wait = -1.0), "order.wait");
    assert_eq!(named(|policy| policy.order.fair_share = f64::NAN), "order.fair_share");
    assert_eq!(named(|policy| policy.assignment.hours = vec![24]), "assignment.hours");
    assert_eq!(named(|policy| policy.assignment.hours = vec![9, 9]), "assignment.hours");
    assert_eq!(named(|policy| policy.assignment.hours.clear()), "assignment.hours");
    assert_eq!(named(|policy| policy.offers.wave = 0), "offers.wave");
    assert_eq!(named(|policy| policy.offers.expiry_hours = 0), "offers.expiry_hours");
    assert_eq!(named(|policy| policy.answers.accept = 1.1), "answers.accept");
    assert_eq!(named(|policy| policy.answers.decline = 0.6), "answers.decline");
    assert_eq!(named(|policy| policy.points.per_hour = 0.001), "points.per_hour");
    assert_eq!(named(|policy| policy.points.per_day = f64::INFINITY), "points.per_day");
}
