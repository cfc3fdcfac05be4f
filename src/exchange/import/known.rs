//! What rows may refer to, and what is taken already: loaded once, then kept up to date by what is accepted. So a dry run
//! judges as the real one does, and no row asks the database.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::id::{ActivityId, GoodsId, MemberId, RedemptionId, ServiceRecordId, StationId, UnitId};
use entity::service_record::RecordStatus;
use entity::{
    account, activity, balance, claim, code_item, goods, member, redemption, redemption_line, region, service_record,
    station, unit,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationDef};

use entity::account::AccountKind;
use entity::category::Category;
use entity::claim::ClaimStatus;
use entity::goods::LimitPeriod;
use entity::redemption::RedemptionStatus;
use entity::region::RegionLevel;

use crate::exchange::intervals::Intervals;
use crate::exchange::table::Table;
use crate::taxonomy::{self, LISTS, Merged};

/// The programme that imported points belong to.
pub(in super::super) const PROGRAMME: &str = "default";

#[derive(Debug)]
pub(super) struct Region {
    pub(super) name: Box<str>,
    pub(super) level: RegionLevel,
}

/// A member as other rows need them.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: MemberId,
    pub(super) reference: Box<str>,
    pub(super) region: Box<str>,
    pub(super) unit: Option<UnitId>,
}

#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) id: GoodsId,
    pub(super) station: StationId,
    pub(super) region: Box<str>,
    pub(super) left: i32,
    pub(super) limit: Option<i32>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) regions: HashMap<Box<str>, Region>,
    /// By list and code, and by list and name.
    codes: HashMap<Box<str>, HashMap<Box<str>, Box<str>>>,
    /// By list, what staff have merged.
    merged: HashMap<Box<str>, Merged>,
    pub(super) units: HashMap<Box<str>, UnitId>,
    pub(super) members: HashMap<Box<str>, Arc<Person>>,
    pub(super) phones: HashSet<Vec<u8>>,
    pub(super) activities: HashMap<Box<str>, (ActivityId, Category)>,
    /// Of a community, by its code.
    pub(super) stations: HashMap<Box<str>, StationId>,
    pub(super) goods: HashMap<Box<str>, Shelf>,
    /// Hundredths that a member may spend.
    pub(super) available: HashMap<MemberId, i64>,
    /// Pieces of a good that a member has.
    pub(super) bought: HashMap<(GoodsId, MemberId), i32>,
    /// Service that counts.
    pub(super) served: HashMap<MemberId, Intervals>,
    /// Open claims.
    pub(super) claimed: HashMap<MemberId, Intervals>,
    pub(super) programmes: HashSet<Box<str>>,
    /// What journals may be posted for, by ref.
    pub(super) records: HashMap<Box<str>, ServiceRecordId>,
    /// Redemptions whose spending the set's journals say themselves, with the ids they will get.
    pub(super) posted_redemptions: HashMap<Box<str>, RedemptionId>,
}

impl Known {
    /// Loads what the rows of `tables` may need.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn load(db: &impl ConnectionTrait, tables: &[Table]) -> Result<Self, DbErr> {
        let mut known = Self::default();
        let any = |wanted: &[Table]| wanted.iter().any(|table| tables.contains(table));
        known.load_regions(db).await?;
        known.load_codes(db).await?;
        known.load_units(db).await?;
        let people = [
            Table::Members,
            Table::Participations,
            Table::OpeningBalances,
            Table::Wishes,
            Table::ServiceRecords,
            Table::Journals,
            Table::Redemptions,
            Table::Listings,
        ];
        if any(&people) {
            known.load_people(db).await?;
        }
        if any(&[Table::Participations, Table::ServiceRecords]) {
            known.load_activities(db).await?;
            known.load_served(db).await?;
        }
        if any(&[Table::Wishes]) {
            known.load_claimed(db).await?;
        }
        if any(&[Table::Goods, Table::StockMovements, Table::Redemptions]) {
            known.load_goods(db).await?;
        }
        if any(&[Table::Journals, Table::Redemptions]) {
            known.load_points(db).await?;
        }
        if any(&[Table::Journals]) {
            known.load_records(db).await?;
        }
        Ok(known)
    }

    async fn load_regions(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        for region in region::Entity::find().all(db).await? {
            self.regions.insert(region.code.into(), Region { name: region.name.into(), level: region.level });
        }
        Ok(())
    }

    async fn load_codes(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        for item in code_item::Entity::find().all(db).await? {
            self.add_code(&item.list, &item.code, &item.name);
        }
        for list in LISTS {
            self.merged.insert(list.name.into(), taxonomy::merged(db, list.name).await?);
        }
        Ok(())
    }

    async fn load_units(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        for unit in unit::Entity::find().all(db).await? {
            let reference = unit.ref_id.unwrap_or_else(|| unit.id.to_string());
            self.units.insert(reference.into(), unit.id);
        }
        Ok(())
    }

    /// Those whom a row may name. An account that was joined to another stands for that one.
    async fn load_people(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        use member::Column;
        type Line = (MemberId, Option<String>, Option<Vec<u8>>, Option<String>, Option<UnitId>, Option<MemberId>);
        let lines: Vec<Line> = member::Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::RefId,
                Column::PhoneIndex,
                Column::RegionCode,
                Column::UnitId,
                Column::MergedInto,
            ])
            .into_tuple()
            .all(db)
            .await?;
        let mut merged = Vec::new();
        let mut by_id = HashMap::new();
        for (id, reference, phone, region, unit, into) in lines {
            let reference = reference.unwrap_or_else(|| id.to_string());
            self.phones.extend(phone);
            if let Some(into) = into {
                merged.push((reference, into));
            } else if let Some(region) = region {
                let person = Arc::new(Person { id, reference: reference.into(), region: region.into(), unit });
                self.members.insert(person.reference.clone(), Arc::clone(&person));
                by_id.insert(id, person);
            }
        }
        for (reference, into) in merged {
            if let Some(person) = by_id.get(&into) {
                self.members.insert(reference.into(), Arc::clone(person));
            }
        }
        Ok(())
    }

    async fn load_activities(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        use activity::Column;
        let lines: Vec<(ActivityId, Option<String>, Category)> = activity::Entity::find()
            .select_only()
            .columns([Column::Id, Column::RefId, Column::Category])
            .into_tuple()
            .all(db)
            .await?;
        for (id, reference, category) in lines {
            self.activities.insert(reference.unwrap_or_else(|| id.to_string()).into(), (id, category));
        }
        Ok(())
    }

    async fn load_served(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        use chrono::{DateTime, Utc};
        use service_record::Column;
        let live = [RecordStatus::Pending, RecordStatus::Verified, RecordStatus::Disputed];
        let lines: Vec<(MemberId, DateTime<Utc>, DateTime<Utc>)> = service_record::Entity::find()
            .select_only()
            .columns([Column::MemberId, Column::StartedAt, Column::EndedAt])
            .filter(Column::Status.is_in(live))
            .into_tuple()
            .all(db)
            .await?;
        for (member, from, until) in lines {
            self.served.entry(member).or_default().insert(from.timestamp_micros(), until.timestamp_micros());
        }
        Ok(())
    }

    async fn load_claimed(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        use chrono::{DateTime, Utc};
        use claim::Column;
        let lines: Vec<(MemberId, DateTime<Utc>, DateTime<Utc>)> = claim::Entity::find()
            .select_only()
            .columns([Column::MemberId, Column::WindowFrom, Column::WindowUntil])
            .filter(Column::Status.is_in([ClaimStatus::Accepted, ClaimStatus::CheckedIn]))
            .into_tuple()
            .all(db)
            .await?;
        for (member, from, until) in lines {
            self.claimed.entry(member).or_default().insert(from.timestamp_micros(), until.timestamp_micros());
        }
        Ok(())
    }

    async fn load_goods(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let mut regions = HashMap::new();
        for station in station::Entity::find().all(db).await? {
            if let Some(reference) = station.ref_id {
                self.stations.insert(reference.into(), station.id);
            }
            regions.insert(station.id, station.region_code);
        }
        for row in goods::Entity::find().all(db).await? {
            let goods = Shelf {
                id: row.id,
                station: row.station_id,
                region: regions.get(&row.station_id).cloned().unwrap_or_default().into(),
                left: row.stock,
                // Of a period of its own: old rows cannot be counted in it.
                limit: row.per_member_limit.filter(|_| row.limit_period == LimitPeriod::All),
            };
            self.goods.insert(row.ref_id.unwrap_or_else(|| row.id.to_string()).into(), goods);
        }
        Ok(())
    }

    async fn load_records(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let lines: Vec<(ServiceRecordId, Option<String>)> = service_record::Entity::find()
            .select_only()
            .columns([service_record::Column::Id, service_record::Column::RefId])
            .into_tuple()
            .all(db)
            .await?;
        for (id, reference) in lines {
            self.records.insert(reference.unwrap_or_else(|| id.to_string()).into(), id);
        }
        Ok(())
    }

    async fn load_points(&mut self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        use redemption::Column;
        let mut owners: HashMap<_, _> = account::Entity::find()
            .filter(account::Column::Kind.eq(AccountKind::Member))
            .filter(account::Column::Programme.eq(PROGRAMME))
            .all(db)
            .await?
            .into_iter()
            .filter_map(|account| Some((account.id, account.member_id?)))
            .collect();
        for balance in balance::Entity::find().all(db).await? {
            if let Some(member) = owners.remove(&balance.account_id) {
                self.available.insert(member, balance.balance - balance.held);
            }
        }
        let lines: Vec<(GoodsId, MemberId, i32)> = redemption::Entity::find()
            .select_only()
            .columns([Column::GoodsId, Column::MemberId, Column::Quantity])
            .filter(Column::Status.is_in([RedemptionStatus::Reserved, RedemptionStatus::Fulfilled]))
            .into_tuple()
            .all(db)
            .await?;
        let whole: RelationDef = redemption_line::Entity::belongs_to(redemption::Entity)
            .from(redemption_line::Column::RedemptionId)
            .to(Column::Id)
            .into();
        let further: Vec<(GoodsId, MemberId, i32)> = redemption_line::Entity::find()
            .select_only()
            .columns([
                redemption_line::Column::GoodsId,
                redemption_line::Column::MemberId,
                redemption_line::Column::Quantity,
            ])
            .join(JoinType::InnerJoin, whole)
            .filter(Column::Status.is_in([RedemptionStatus::Reserved, RedemptionStatus::Fulfilled]))
            .into_tuple()
            .all(db)
            .await?;
        for (goods, member, quantity) in lines.into_iter().chain(further) {
            *self.bought.entry((goods, member)).or_default() += quantity;
        }
        let programmes = entity::programme::Entity::find().all(db).await?;
        self.programmes = programmes.into_iter().map(|programme| programme.code.into()).collect();
        Ok(())
    }

    /// Whether `code` is that of a community.
    pub(super) fn is_community(&self, code: &str) -> bool {
        self.regions.get(code).is_some_and(|region| region.level == RegionLevel::Community)
    }

    pub(super) fn add_code(&mut self, list: &str, code: &str, name: &str) {
        let items = self.codes.entry(list.into()).or_default();
        items.entry(name.into()).or_insert_with(|| code.into());
        items.insert(code.into(), code.into());
    }

    /// The code that `text`, code or name, has in `list`; a merged one is taken as what it became. A list that nothing is known
    /// of takes all.
    pub(super) fn code_in<'a>(&'a self, list: &str, text: &'a str) -> Option<&'a str> {
        let code = match self.codes.get(list) {
            Some(items) => &**items.get(text)?,
            None => text,
        };
        Some(self.merged.get(list).map_or(code, |merged| merged.canonical(code)))
    }
}
