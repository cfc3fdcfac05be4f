//! The best candidates of tasks, from the live index, worked out outside the workers.

use std::collections::{BTreeMap, HashMap};

use actix_web::web;
use chrono::{DateTime, Utc};
use entity::id::{MemberId, TaskId};
use serde_json::{Value, json};

use crate::app::AppState;
use crate::jobs::JobError;
use crate::matching::live::{Factor, Ranked};
use crate::region::RegionCode;
use crate::task::offering::Points;

/// A task that somebody is to be found for.
pub(super) struct Search {
    pub(super) task: TaskId,
    pub(super) region: String,
    pub(super) limit: usize,
}

/// Somebody who fits.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) member: MemberId,
    pub(super) points: Points,
    /// As the volunteer may see it.
    pub(super) ordering: Value,
}

/// The best of each task, best first.
///
/// # Errors
/// The database's.
pub(super) async fn best(
    state: &AppState,
    searches: Vec<Search>,
    now: DateTime<Utc>,
) -> Result<HashMap<TaskId, Vec<Found>>, JobError> {
    let mut by_district: BTreeMap<RegionCode, Vec<Search>> = BTreeMap::new();
    for search in searches {
        if let Ok(region) = RegionCode::parse(&search.region) {
            by_district.entry(region.district()).or_default().push(search);
        }
    }
    let mut all = HashMap::new();
    for (district, searches) in by_district {
        let current = state.matching.district(&state.db, &district).await?;
        let found = web::block(move || {
            let look = |search: Search| {
                let ranked = current.candidates(search.task, search.limit, now);
                (search.task, ranked.iter().map(Found::from).collect::<Vec<_>>())
            };
            searches.into_iter().map(look).collect::<Vec<_>>()
        });
        all.extend(found.await?);
    }
    Ok(all)
}

impl From<&Ranked> for Found {
    fn from(ranked: &Ranked) -> Self {
        let points = Points { skill: ranked.parts.skill, near: ranked.parts.near, time: ranked.parts.time };
        Self { member: ranked.member_id, points, ordering: ordering(&ranked.factors) }
    }
}

/// Factors that only order, without the special group of who asked: that is folded into the priority.
fn ordering(factors: &[Factor]) -> Value {
    let group: i64 = factors.iter().filter(|factor| factor.name == GROUP).map(|factor| factor.value).sum();
    let shown = factors.iter().filter(|factor| factor.max == 0 && factor.name != GROUP).map(|factor| {
        let value = if factor.name == "priority" { factor.value + group } else { factor.value };
        json!({"name": factor.name, "value": value, "max": 0})
    });
    shown.collect()
}

const GROUP: &str = "special_group";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_group_is_folded_into_the_priority() {
        let factor = |name, value, max| Factor { name, value, max };
        let factors =
            [factor("skill", 50, 50), factor("priority", 1, 0), factor("special_group", 3, 0), factor("wait", 2, 0)];
        let expected = json!([{"name": "priority", "value": 4, "max": 0}, {"name": "wait", "value": 2, "max": 0}]);
        assert_eq!(ordering(&factors), expected);
    }
}
