//! Boards counted the slow way, from a list of what happened, and compared with what the service answers.

use std::collections::HashMap;

use ::entity::category::Category;
use chrono::{Datelike as _, Timelike as _};
use linli::ranking::Boarded;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// What is done to the record of one member in one slot.
#[derive(Clone, Debug)]
struct Plan {
    member: usize,
    slot: usize,
    minutes: i32,
    category: Category,
    /// At which of [`STEPS`] it is verified, and after how many more it is reversed.
    verified: Option<usize>,
    reversed: Option<usize>,
}

/// Ends of services, on both sides of the edges of months, quarter and year in Shanghai.
const SLOTS: [&str; 8] = [
    "2026-09-30T15:30:00Z",
    "2026-10-31T13:00:00Z",
    "2026-10-31T15:59:00Z",
    "2026-10-31T18:00:00Z",
    "2026-11-15T04:00:00Z",
    "2026-11-30T16:00:00Z",
    "2026-12-31T15:59:59Z",
    "2027-01-05T04:00:00Z",
];
/// When decisions are made; a record is verified at the first one after its end at the earliest.
const STEPS: [&str; 7] = [
    "2026-10-05T00:00:00Z",
    "2026-10-31T15:59:30Z",
    "2026-11-20T00:00:00Z",
    "2026-11-30T15:59:59Z",
    "2026-12-20T00:00:00Z",
    "2027-01-10T00:00:00Z",
    "2027-02-10T00:00:00Z",
];
const MEMBERS: usize = 7;
const CATEGORIES: [Category; 2] = [Category::Culture, Category::Safety];

/// Minutes, category, step of verification, steps more until reversal, and whether there is a record at all.
type Drawn = (i32, usize, Option<usize>, Option<usize>, bool);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let one = (
        prop_oneof![Just(0), Just(30), Just(60), Just(60), Just(90)],
        0..CATEGORIES.len(),
        proptest::option::weighted(0.85, 0..STEPS.len()),
        proptest::option::weighted(0.35, 0..3_usize),
        proptest::bool::weighted(0.6),
    );
    proptest::collection::vec(one, MEMBERS * SLOTS.len()).prop_map(|all| {
        let plan = |(place, drawn): (usize, Drawn)| {
            let (minutes, category, verified, reversed, exists) = drawn;
            let (member, slot) = (place / SLOTS.len(), place % SLOTS.len());
            let first = STEPS.iter().position(|step| at(step) >= at(SLOTS[slot])).unwrap();
            let verified = verified.map(|step| step.max(first));
            let reversed = verified.zip(reversed).map(|(step, more)| step + more).filter(|step| *step < STEPS.len());
            exists.then(|| Plan { member, slot, minutes, category: CATEGORIES[category], verified, reversed })
        };
        all.into_iter().enumerate().filter_map(plan).collect()
    })
}

/// A record as the model knows it.
#[derive(Clone, Debug)]
struct Event {
    member: MemberId,
    member_ref: Option<String>,
    unit: Option<UnitId>,
    community: &'static str,
    category: Category,
    points: i64,
    minutes: i64,
    ended_at: DateTime<Utc>,
    counted_at: DateTime<Utc>,
    reversed_at: Option<DateTime<Utc>>,
}

pub(super) async fn agree(app: &TestApp) {
    let world = World::plant(app).await;
    let plans = plans().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let events = world.live(app, &plans).await;
    assert!(events.iter().filter(|event| event.reversed_at.is_some()).count() > 3, "too dull a world");
    compare(app, &world, &events).await;

    // The same all at once, as an import writes it.
    app.state.db.write(async |txn| txn.execute_unprepared("DELETE FROM score").await.map(drop)).await.unwrap();
    let (calendar, all) = (app.state.calendar, events.clone());
    app.state
        .db
        .write(async move |txn| {
            let (first, second) = all.split_at(all.len() / 3);
            for part in [first, second] {
                linli::ranking::bulk(txn, &calendar, part.iter().map(Event::boarded)).await?;
            }
            Ok::<_, sea_orm::DbErr>(())
        })
        .await
        .unwrap();
    compare(app, &world, &events).await;
}

impl Event {
    fn boarded(&self) -> Boarded<'_> {
        Boarded {
            member_id: self.member,
            member_ref: self.member_ref.as_deref(),
            unit_id: self.unit,
            region_code: self.community,
            category: self.category,
            points: self.points,
            minutes: i32::try_from(self.minutes).unwrap(),
            ended_at: self.ended_at,
            counted_at: self.counted_at,
            reversed_at: self.reversed_at,
        }
    }
}

/// Who lives where, and in which unit; two members have no ref.
struct World {
    members: Vec<(Member, Option<String>, &'static str, Option<UnitId>)>,
    units: Vec<(UnitId, &'static str, &'static str)>,
    manager: Staff,
}

impl World {
    async fn plant(app: &TestApp) -> Self {
        let (first, second) = (seed_unit(app, "U1", "甲局", SISTER).await, seed_unit(app, "U2", "乙局", FOREIGN).await);
        let mut members = Vec::new();
        for place in 0..MEMBERS {
            let community = [COMMUNITY, SISTER, FOREIGN][place % 3];
            let unit = [None, Some(first), Some(second), Some(first)][place % 4];
            let member = app.seed().member().volunteer().in_region(community).await;
            let has_ref = place % 3 != 2;
            let ref_id = has_ref.then(|| member.ref_id.clone());
            members.push((member, ref_id, community, unit));
        }
        let without: Vec<MemberId> =
            members.iter().filter(|(_, text, ..)| text.is_none()).map(|(who, ..)| who.id).collect();
        app.state
            .db
            .write(async move |txn| {
                member::Entity::update_many()
                    .col_expr(member::Column::RefId, Expr::value(Option::<String>::None))
                    .filter(member::Column::Id.is_in(without.clone()))
                    .exec(txn)
                    .await
            })
            .await
            .unwrap();
        Self { members, units: vec![(first, "U1", SISTER), (second, "U2", FOREIGN)], manager: admin(app).await }
    }

    /// Does what is planned through the API, step by step, and looks at a board now and then.
    async fn live(&self, app: &TestApp, plans: &[Plan]) -> Vec<Event> {
        let mut ids = Vec::new();
        for plan in plans {
            let (member, _, _, unit) = &self.members[plan.member];
            let mut record = pending(member, at(SLOTS[plan.slot]), plan.minutes);
            (record.category, record.unit_id) = (Set(plan.category), Set(*unit));
            ids.push(record.id.clone().unwrap());
            app.seed().insert(vec![record]).await;
        }
        for (place, step) in STEPS.iter().enumerate() {
            app.clock.set(at(step));
            for (plan, id) in plans.iter().zip(&ids).filter(|(plan, _)| plan.verified == Some(place)) {
                verify(app, &self.manager, *id).await;
                if plan.slot % 3 == 0 {
                    board(app, "board=units").await;
                }
            }
            for (_, id) in plans.iter().zip(&ids).filter(|(plan, _)| plan.reversed == Some(place)) {
                reverse(app, &self.manager, *id).await;
            }
        }
        plans.iter().filter_map(|plan| self.event(plan)).collect()
    }

    fn event(&self, plan: &Plan) -> Option<Event> {
        let (member, ref_id, community, unit) = &self.members[plan.member];
        let (ended_at, verified_at) = (at(SLOTS[plan.slot]), at(STEPS[plan.verified?]));
        let on_time = local(ended_at)[..7] == local(verified_at)[..7];
        Some(Event {
            member: member.id,
            member_ref: ref_id.clone(),
            unit: *unit,
            community,
            category: plan.category,
            points: i64::from(plan.minutes) * 100 / 30,
            minutes: plan.minutes.into(),
            ended_at,
            counted_at: if on_time { ended_at } else { verified_at },
            reversed_at: plan.reversed.map(|step| at(STEPS[step])),
        })
    }
}

/// The wall clock in Shanghai, as text.
fn local(instant: DateTime<Utc>) -> String {
    let local = instant + TimeDelta::hours(8);
    format!("{:04}-{:02}-{:02} {:02}", local.year(), local.month(), local.day(), local.hour())
}

fn within(period: &str, instant: DateTime<Utc>) -> bool {
    let day = local(instant);
    let quarter = format!("{}-Q{}", &day[..4], day[5..7].parse::<u32>().unwrap().div_ceil(3));
    period == "all" || period == quarter || (!period.contains('Q') && day.starts_with(period))
}

/// Value, moment, ref and id of a subject.
type Line = (i64, Option<DateTime<Utc>>, String, String);

async fn compare(app: &TestApp, world: &World, events: &[Event]) {
    for kind in ["members", "units", "communities"] {
        for metric in ["points", "hours", "records"] {
            for period in [
                "2026-09", "2026-10", "2026-11", "2026-12", "2027-01", "2026-Q3", "2026-Q4", "2027-Q1", "2026", "2027",
                "all",
            ] {
                for (region, category) in [
                    ("", None),
                    (STREET, None),
                    (SISTER, None),
                    ("", Some(Category::Culture)),
                    (STREET, Some(Category::Safety)),
                ] {
                    let expected = naive(world, events, kind, metric, period, region, category);
                    let mut query = format!("board={kind}&metric={metric}&period={period}");
                    if !region.is_empty() {
                        query = format!("{query}&region={region}");
                    }
                    if let Some(category) = category {
                        query =
                            format!("{query}&category={}", serde_json::to_value(category).unwrap().as_str().unwrap());
                    }
                    assert_eq!(rows(app, &query, 100).await, expected, "{query}");
                    if period == "2026-Q4" {
                        assert_eq!(rows(app, &query, 2).await, expected, "{query} in pages");
                    }
                }
            }
        }
    }
}

fn naive(
    world: &World,
    events: &[Event],
    kind: &str,
    metric: &str,
    period: &str,
    region: &str,
    category: Option<Category>,
) -> Vec<(u64, String, String)> {
    let mut lines: HashMap<String, Line> = HashMap::new();
    for event in events.iter().filter(|event| category.is_none_or(|category| category == event.category)) {
        let subject = match kind {
            "members" => {
                Some((event.member.to_string(), event.member_ref.clone().unwrap_or("~".into()), event.community))
            }
            "communities" => Some((event.community.to_owned(), event.community.to_owned(), event.community)),
            _ => event.unit.and_then(|id| {
                let (_, text, place) = world.units.iter().find(|(unit, ..)| *unit == id)?;
                Some((id.to_string(), (*text).to_owned(), *place))
            }),
        };
        let Some((id, text, place)) = subject.filter(|(_, _, place)| place.starts_with(region)) else { continue };
        let _ = place;
        let line = lines.entry(id.clone()).or_insert((0, None, text, id));
        let value = match metric {
            "points" => event.points,
            "hours" => event.minutes,
            _ => 1,
        };
        let counted = within(period, event.counted_at);
        let reversed = event.reversed_at.is_some_and(|instant| within(period, instant));
        line.0 += i64::from(counted) * value - i64::from(reversed) * value;
        if counted && !reversed && (metric != "points" || event.points > 0) {
            line.1 = line.1.max(Some(event.ended_at));
        }
    }
    let mut lines: Vec<Line> = lines.into_values().filter(|line| line.0 > 0).collect();
    lines.sort_by(|one, other| {
        other.0.cmp(&one.0).then_with(|| (one.1, &one.2, &one.3).cmp(&(other.1, &other.2, &other.3)))
    });
    let (mut rank, mut last) = (0, None);
    let shown = |value: i64| match metric {
        "points" => format!("{}.{:02}", value / 100, value % 100),
        "hours" => format!("{}.{:02}", value / 60, value % 60 * 100 / 60),
        _ => value.to_string(),
    };
    lines
        .into_iter()
        .map(|(value, _, _, id)| {
            rank += u64::from(last != Some(value));
            last = Some(value);
            (rank, id, shown(value))
        })
        .collect()
}
