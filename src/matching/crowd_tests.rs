//! The search in the grid against a look at everybody, under every filter; and the batch under the same filters.

use std::cmp::Reverse;

use proptest::prelude::*;
use uuid::Uuid;

use super::bounds::{Answer, Asked, Barrier, Busy, Demands, Limits, Proof, ProofOf};
use super::candidates::{Pool, Volunteer, Wish, fits, held, judge};
use super::crowd::Crowd;
use super::score::{self, DaySpan, Place, Window, tidy};
use super::{assign, value};

const PLACES: [&str; 8] = [
    "130202001001",
    "130202001002",
    "130202001003",
    "130202002001",
    "130202002002",
    "130202003001",
    "130203001001",
    "130203001002",
];
const DAY: i64 = 24 * 60;
/// Midnight of a Monday, in minutes since 1970-01-01.
const MONDAY: i64 = 4 * DAY + 2_000 * 7 * DAY;

fn any_wish() -> impl Strategy<Value = Wish> {
    let window = (0_i64..14 * DAY, prop_oneof![1_i64..6 * 60, 1_i64..3 * DAY]);
    let proofs = (prop::collection::vec(0_u32..3, 0..2), prop::collection::vec(0_u32..3, 0..2), any::<bool>());
    let demands = (0_u128..4, prop::option::of(0_u128..60), prop_oneof![Just(0_u8), Just(18)], proofs);
    (0_usize..9, prop::collection::btree_set(0_u32..6, 0..4), window, 1_u32..4, prop::option::of(demands)).prop_map(
        |(place, skills, (from, long), needed, demands)| {
            let (from, until) = (MONDAY + from, MONDAY + from + long);
            let demands = demands.map(|(task, owner, min_age, (licences, trainings, insured))| {
                let owner = owner.map(Uuid::from_u128);
                Box::new(Demands {
                    task: Uuid::from_u128(task),
                    owner,
                    min_age,
                    year: 2_026,
                    day: 20_000,
                    // Seldom, or nobody is left.
                    licences: licences.into_iter().filter(|code| *code == 0).collect(),
                    trainings: trainings.into_iter().filter(|code| *code == 0).collect(),
                    insured: insured && task == 0,
                })
            });
            // The last one is a street, where nobody lives.
            let place = PLACES.get(place).and_then(|code| Place::parse(code)).or(Place::within("130202001")).unwrap();
            let window = Window::of(from, until);
            Wish { place, skills: skills.into_iter().collect(), from, until, window, needed, demands }
        },
    )
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let proof = (0_u32..3, 0_u8..3, any::<bool>()).prop_map(|(code, kind, holds)| Proof {
        of: [ProofOf::Licence(code), ProofOf::Training(code), ProofOf::Insurance][usize::from(kind)],
        until: if holds { 20_000 } else { 19_999 },
    });
    let busy = (0_i64..14 * DAY, 1_i64..DAY, any::<bool>()).prop_map(|(from, long, blocks)| Busy {
        from: MONDAY + from,
        until: MONDAY + from + long,
        blocks,
    });
    let answers = prop::collection::vec((0_u128..4, 0_u8..3), 0..2).prop_map(|answers| {
        let answer = |kind: u8| [Answer::Open, Answer::Declined, Answer::Let][usize::from(kind)];
        answers.into_iter().map(|(task, kind)| (Uuid::from_u128(task), answer(kind))).collect()
    });
    let hours = prop_oneof![3 => Just(None), 1 => (60_u32..3_000).prop_map(Some)];
    let year = prop_oneof![4 => Just(Some(1_980)), 1 => Just(Some(2_010)), 1 => Just(None)];
    let paused = prop_oneof![4 => Just(false), 1 => Just(true)];
    let lists = (prop::collection::vec(proof, 0..4), prop::collection::vec(busy, 0..2), answers);
    (paused, year, hours, lists).prop_map(|(paused, birth_year, week_minutes, (proofs, busy, answers))| Limits {
        id: Uuid::nil(),
        paused,
        birth_year,
        week_minutes,
        proofs,
        busy,
        answers,
    })
}

fn any_volunteer() -> impl Strategy<Value = Volunteer> {
    let span = (1_u8..8, 0_u16..3, 1_u16..4).prop_map(|(weekday, from, long)| DaySpan {
        weekday,
        from: from * 6 * 60,
        until: ((from + long) * 6 * 60).min(24 * 60),
    });
    let spans = prop::collection::vec(span, 1..8).prop_map(tidy);
    let limits = prop::option::of(any_limits());
    (0_usize..8, prop::collection::btree_set(0_u32..6, 0..4), spans, limits).prop_map(
        |(place, skills, availability, limits)| Volunteer {
            place: Place::parse(PLACES[place]).unwrap(),
            skills: skills.into_iter().collect(),
            availability,
            capacity: 2,
            limits: limits.map(Box::new),
        },
    )
}

/// With ids by their place in the list.
fn people(mut volunteers: Vec<Volunteer>) -> Vec<Volunteer> {
    for (number, volunteer) in (0_u128..).zip(&mut volunteers) {
        if let Some(limits) = &mut volunteer.limits {
            limits.id = Uuid::from_u128(number);
        }
    }
    volunteers
}

/// By the letter of the rules, minute by minute.
fn reference(wish: &Wish, volunteer: &Volunteer, by_themselves: bool) -> Option<u32> {
    let held = wish.skills.iter().filter(|skill| volunteer.skills.contains(skill)).count();
    let weekday = |minute: i64| u8::try_from((minute.div_euclid(DAY) + 3).rem_euclid(7) + 1).unwrap();
    let is_free = |minute: i64| {
        let at = u16::try_from(minute.rem_euclid(DAY)).unwrap();
        volunteer.availability.iter().any(|span| span.weekday == weekday(minute) && span.from <= at && at < span.until)
    };
    let need = u32::try_from(wish.until - wish.from).unwrap();
    let free = u32::try_from((wish.from..wish.until).filter(|minute| is_free(*minute)).count()).unwrap();
    let skill = if wish.skills.is_empty() { 50 } else { 50 * held / wish.skills.len() };
    let near = score::near(wish.place, volunteer.place)?;
    let fits = (wish.skills.is_empty() || held > 0) && 2 * free >= need;
    let none = Limits::default();
    let limits = volunteer.limits.as_deref().unwrap_or(&none);
    let allows = (by_themselves || !limits.paused)
        && limits.busy.iter().all(|busy| !busy.blocks || busy.until <= wish.from || wish.until <= busy.from)
        && limits.week_minutes.is_none_or(|most| {
            let week = |minute: i64| (minute - MONDAY).div_euclid(7 * DAY);
            let weeks = (wish.from..wish.until).map(week).collect::<std::collections::BTreeSet<_>>();
            weeks.into_iter().all(|number| {
                let given: usize = limits
                    .busy
                    .iter()
                    .map(|busy| (busy.from..busy.until).filter(|minute| week(*minute) == number).count())
                    .sum();
                given + (wish.from..wish.until).filter(|minute| week(*minute) == number).count() <= most as usize
            })
        });
    let has = |of: ProofOf| limits.proofs.iter().any(|proof| proof.of == of && proof.until >= 20_000);
    let may = wish.demands.as_ref().is_none_or(|demands| {
        let said = limits.answers.iter().find(|(task, _)| *task == demands.task).map(|(_, answer)| *answer);
        demands.licences.iter().all(|code| has(ProofOf::Licence(*code)))
            && demands.trainings.iter().all(|code| has(ProofOf::Training(*code)))
            && (!demands.insured || has(ProofOf::Insurance))
            && (demands.min_age == 0 || limits.birth_year.is_some_and(|year| 2_026 - year >= 18))
            && demands.owner != Some(limits.id)
            && said.is_none_or(|said| by_themselves && said == Answer::Let)
    });
    (fits && allows && may).then(|| u32::try_from(skill).unwrap() + u32::from(near) + 20 * free / need)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_best_are_those_that_a_look_at_everybody_finds(
        wishes in prop::collection::vec(any_wish(), 1..4),
        volunteers in prop::collection::vec(any_volunteer(), 0..60).prop_map(people),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        limit in 1_usize..25,
    ) {
        let mut crowd = Crowd::default();
        for volunteer in &volunteers {
            crowd.enter(volunteer.clone());
        }
        // Some leave, and come back with another number.
        if !volunteers.is_empty() {
            for who in gone {
                let who = u32::try_from(who.index(volunteers.len())).unwrap();
                if let Some(volunteer) = crowd.get(who).cloned() {
                    crowd.leave(who);
                    crowd.enter(volunteer);
                }
            }
        }
        prop_assert_eq!(crowd.len(), volunteers.len());
        for wish in &wishes {
            // Any order among equals, with equals in it.
            let (first, then) = (|who: u32| who * 7 % 3, |who: u32| who * 11 % 4);
            let order = |who: u32| (first(who), then(who));
            let mut all: Vec<(Reverse<u32>, (u32, u32), u32)> = crowd
                .iter()
                .filter_map(|(who, volunteer)| Some((Reverse(reference(wish, volunteer, false)?), order(who), who)))
                .collect();
            all.sort_unstable();
            all.truncate(limit);
            let found = crowd.best(wish, limit, first, then);
            let found: Vec<_> = found.iter().map(|found| (Reverse(u32::from(found.score)), order(found.volunteer), found.volunteer)).collect();
            prop_assert_eq!(&found, &all);
            let left_out: u32 = crowd.left_out(wish).counts().map(|(_, count)| count).sum();
            let fit = crowd.iter().filter(|(_, volunteer)| reference(wish, volunteer, false).is_some()).count();
            prop_assert_eq!(left_out as usize + fit, crowd.len());
        }
    }

    #[test]
    fn a_pair_is_judged_the_same_everywhere(wish in any_wish(), volunteers in prop::collection::vec(any_volunteer(), 1..20).prop_map(people)) {
        let pool = Pool::new(&volunteers);
        let listed = pool.shortlist(&wish, usize::MAX, 0).candidates;
        for (who, volunteer) in (0_u32..).zip(&volunteers) {
            let expected = reference(&wish, volunteer, false);
            let judged = judge(&wish, volunteer, Asked::ByOthers);
            prop_assert_eq!(judged.ok().map(|parts| u32::from(parts.score())), expected);
            let in_list = listed.iter().find(|found| found.volunteer == who).map(|found| u32::from(found.score));
            prop_assert_eq!(in_list, expected);
            let own = judge(&wish, volunteer, Asked::ByThemselves).ok().map(|parts| u32::from(parts.score()));
            prop_assert_eq!(own, reference(&wish, volunteer, true));
            prop_assert_eq!(fits(&wish, volunteer, Asked::ByOthers), judged.ok());
            if judged == Err(Barrier::Skill) {
                prop_assert_eq!(held(&wish, volunteer), 0);
            }
        }
    }

    #[test]
    fn a_plan_keeps_every_filter_and_the_hours_of_each_week(
        wishes in prop::collection::vec(any_wish(), 0..10),
        volunteers in prop::collection::vec(any_volunteer(), 0..8).prop_map(people),
    ) {
        let plan = assign(&wishes, &volunteers);
        for pair in &plan {
            let (wish, volunteer) = (&wishes[pair.wish as usize], &volunteers[pair.volunteer as usize]);
            prop_assert_eq!(Some(u32::from(pair.score)), reference(wish, volunteer, false));
        }
        for (who, volunteer) in (0_u32..).zip(&volunteers) {
            let mine: Vec<&Wish> = plan.iter().filter(|pair| pair.volunteer == who).map(|pair| &wishes[pair.wish as usize]).collect();
            for (at, one) in mine.iter().enumerate() {
                let clash = mine[at + 1..].iter().any(|other| one.from < other.until && other.from < one.until);
                prop_assert!(!clash);
            }
            let Some((limits, most)) = volunteer.limits.as_ref().and_then(|limits| Some((limits, limits.week_minutes?))) else { continue };
            if mine.is_empty() {
                continue;
            }
            for week in 0..4 {
                let begin = MONDAY + week * 7 * DAY;
                let within = |from: i64, until: i64| (until.min(begin + 7 * DAY) - from.max(begin)).max(0);
                let planned: i64 = mine.iter().map(|wish| within(wish.from, wish.until)).sum();
                let given: i64 = limits.busy.iter().map(|busy| within(busy.from, busy.until)).sum();
                prop_assert!(planned == 0 || planned + given <= i64::from(most));
            }
        }
        prop_assert_eq!(value(&plan), value(&assign(&wishes, &volunteers)));
    }
}

#[test]
fn a_crowd_forgets_who_left() {
    let mut crowd = Crowd::default();
    let span = DaySpan { weekday: 1, from: 0, until: 24 * 60 };
    let volunteer = Volunteer {
        place: Place::parse(PLACES[0]).unwrap(),
        skills: vec![],
        availability: vec![span],
        capacity: 1,
        limits: None,
    };
    let who = crowd.enter(volunteer.clone());
    crowd.leave(who);
    crowd.leave(who);
    assert!(crowd.is_empty() && crowd.get(who).is_none() && crowd.iter().next().is_none());
    assert_eq!(crowd.enter(volunteer), who, "the place is used again");
    assert_eq!(crowd.len(), 1);
}
