//! What each node keeps in memory of people and open work, district by district, and how it stays true.
//!
//! A district is read at its first use and from then on brought up to date on every call, by one indexed read of the change
//! feed: what another node has committed before the call is seen by it. What changed is read anew by id, so that a change seen
//! twice does no harm. Nobody is answered from what could not be brought up to date. See `docs/adr/0013-live-matching.md`.

mod answer;
mod codes;
mod district;
mod load;
mod place;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity::id::{MemberId, TaskId};
use entity::region::{self, RegionLevel};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement,
};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::calendar::Calendar;
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::{Change, Db, fault};
use crate::region::{RegionCode, Subtree};

pub use answer::{Factor, Market, Ranked, Suggested, Why};
use codes::Codes;
pub use district::District;
use load::Which;

/// Beyond so many changes the whole district is read again: that takes fewer and larger queries.
const MOST_CHANGES: usize = 2_000;

type Slot = Arc<RwLock<Option<District>>>;

/// A district as it is now. While it is held nobody else sees a later one, so it is held for the answer and no longer: nothing
/// is awaited with it.
pub type Current = OwnedRwLockReadGuard<Option<District>, District>;

/// The districts of one node. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

struct Shared {
    keys: Keys,
    calendar: Calendar,
    clock: Clock,
    districts: Mutex<HashMap<String, Slot>>,
}

impl Live {
    /// With nothing read yet.
    pub fn new(keys: Keys, calendar: Calendar, clock: Clock) -> Self {
        Self(Arc::new(Shared { keys, calendar, clock, districts: Mutex::default() }))
    }

    /// The district that a region lies in, up to date: with everything that was committed before the call.
    ///
    /// # Errors
    /// The database's. What is kept stays as it was, and the next call tries again.
    pub async fn district(&self, db: &Db, region: &RegionCode) -> Result<Current, DbErr> {
        let district = region.district();
        let slot = self.slot(&district);
        let known = Arc::clone(&slot).read_owned().await;
        if let Some(current) = &*known {
            let changes = db.changes_since(&district, &current.position()).await?;
            if changes.rows.is_empty() && !changes.lost {
                current.advance(changes.position);
                return whole(known);
            }
        }
        drop(known);
        // One at a time; whoever waited finds the work done.
        let mut kept = slot.write_owned().await;
        self.bring_up_to_date(db, &district, &mut kept).await?;
        whole(kept.downgrade())
    }

    /// The districts of a region's subtree, in order of code.
    ///
    /// # Errors
    /// The database's.
    pub async fn districts(&self, db: &Db, within: &Subtree) -> Result<Vec<RegionCode>, DbErr> {
        let codes: Vec<String> = region::Entity::find()
            .select_only()
            .column(region::Column::Code)
            .filter(region::Column::Level.eq(RegionLevel::District))
            .filter(within.covers(Expr::col(region::Column::Code)))
            .order_by_asc(region::Column::Code)
            .into_tuple()
            .all(db.read())
            .await?;
        codes.iter().map(RegionCode::try_from).collect()
    }

    /// The districts where somebody lives who may claim, in order of code.
    ///
    /// # Errors
    /// The database's.
    pub async fn peopled(&self, db: &Db) -> Result<Vec<RegionCode>, DbErr> {
        let sql = "SELECT DISTINCT CAST(substr(region_code, 1, 6) AS text) AS district FROM member
            WHERE region_code IS NOT NULL AND (is_volunteer OR is_party_member) ORDER BY 1";
        let rows = db.read().query_all_raw(Statement::from_string(db.backend(), sql)).await?;
        rows.iter().map(|row| RegionCode::try_from(&row.try_get::<String>("", "district")?)).collect()
    }

    /// Reads all districts where somebody may be matched, one after the other, so that nobody waits for it later.
    pub async fn warm(&self, db: &Db) {
        let districts = self.peopled(db).await.unwrap_or_default();
        for district in districts {
            // What cannot be read now is read when it is asked for.
            if let Err(error) = self.district(db, &district).await {
                tracing::warn!(fault = ?fault(&error), district = district.as_str(), "a district was not read beforehand");
            }
        }
    }

    fn slot(&self, district: &RegionCode) -> Slot {
        let mut districts = self.0.districts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(districts.entry(district.to_string()).or_default())
    }

    async fn bring_up_to_date(
        &self,
        db: &Db,
        district: &RegionCode,
        kept: &mut OwnedRwLockWriteGuard<Option<District>>,
    ) -> Result<(), DbErr> {
        let found = match &**kept {
            None => None,
            Some(current) => Some(db.changes_since(district, &current.position()).await?),
        };
        let anew = |rows: &[Change]| rows.len() > MOST_CHANGES || rows.iter().any(|change| change.kind == "codes");
        match (found, kept.as_mut()) {
            (Some(changes), Some(current)) if !changes.lost && !anew(&changes.rows) => {
                self.apply(db, district, current, &changes.rows).await?;
                current.advance(changes.position);
            }
            _ => {
                // Two of them would take twice the room. Where reading fails, the next call finds nothing and reads again.
                **kept = None;
                **kept = Some(self.read(db, district).await?);
            }
        }
        Ok(())
    }

    /// Everything of a district. The position is older than what is read, so a change made meanwhile is read once more.
    async fn read(&self, db: &Db, code: &RegionCode) -> Result<District, DbErr> {
        let began = std::time::Instant::now();
        let position = db.changes_end().await?;
        let (subtree, now) = (code.subtree(), self.0.clock.now());
        let mut district = District::new(position, Codes::read(db.read()).await?);
        let members = load::members(db.read(), &subtree, Which::All, now).await?;
        let tasks = load::tasks(db.read(), &subtree, Which::All, now).await?;
        district.silent = load::silent(db.read(), &subtree, Which::All).await?.into_iter().collect();
        for facts in members.values() {
            district.put_member(facts, &self.0.keys, self.0.calendar);
        }
        for facts in &tasks {
            district.put_task(facts, &self.0.keys, self.0.calendar);
        }
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (volunteers, tasks) = (members.len(), tasks.len());
        tracing::debug!(district = code.as_str(), volunteers, tasks, milliseconds, "district read for matching");
        Ok(district)
    }

    /// Reads anew what changed. All is read before anything is changed.
    async fn apply(&self, db: &Db, code: &RegionCode, district: &mut District, rows: &[Change]) -> Result<(), DbErr> {
        let members: Vec<MemberId> = ids(rows, "member");
        let tasks: Vec<TaskId> = ids(rows, "task");
        let (subtree, now) = (code.subtree(), self.0.clock.now());
        let (found, silent) = match members.as_slice() {
            [] => (HashMap::new(), Vec::new()),
            ids => {
                let found = load::members(db.lookup(), &subtree, Which::These(ids), now).await?;
                (found, load::silent(db.lookup(), &subtree, Which::These(ids)).await?)
            }
        };
        let open = match tasks.as_slice() {
            [] => Vec::new(),
            ids => load::tasks(db.lookup(), &subtree, Which::These(ids), now).await?,
        };
        for id in members {
            match found.get(&id) {
                Some(facts) => district.put_member(facts, &self.0.keys, self.0.calendar),
                None => district.remove_member(id),
            }
        }
        district.silent.extend(silent);
        for id in tasks {
            district.tasks.remove(&id);
        }
        for facts in &open {
            district.put_task(facts, &self.0.keys, self.0.calendar);
        }
        district.forget_past(now);
        Ok(())
    }
}

fn ids<Id: From<uuid::Uuid>>(rows: &[Change], kind: &str) -> Vec<Id> {
    rows.iter().filter(|change| change.kind == kind).map(|change| change.id.into()).collect()
}

/// The district in a place where one is.
fn whole(kept: OwnedRwLockReadGuard<Option<District>>) -> Result<Current, DbErr> {
    OwnedRwLockReadGuard::try_map(kept, Option::as_ref)
        .map_err(|_| DbErr::Custom("a district of matching was not read".to_owned()))
}
