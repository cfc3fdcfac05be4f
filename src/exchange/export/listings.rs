//! Listings as far as the table can hold them: who provides what, how much of it, on which days.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::ListingId;
use entity::listing::{self, ListingKind, ListingStatus, OwnerKind};
use entity::{booking, listing_skill};
use futures_util::TryStreamExt as _;
use sea_orm::{EntityTrait as _, PaginatorTrait as _, QueryOrder as _};

use super::{Export, ExportError, category_name};
use crate::exchange::table::Table;

const fn word(kind: ListingKind) -> &'static str {
    match kind {
        ListingKind::Need => "need",
        ListingKind::Resource => "resource",
        ListingKind::Service => "service",
    }
}

impl Export<'_> {
    pub(super) async fn listings(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Listings)?;
        let mut skills = self.listing_skills().await?;
        let db = self.db;
        let mut rows = listing::Entity::find().order_by_asc(listing::Column::Id).stream(db).await?;
        let (mut unpublished, mut without_owner, mut timed) = (0, 0, 0);
        while let Some(row) = rows.try_next().await? {
            if !matches!(row.status, ListingStatus::Published | ListingStatus::Expired) {
                unpublished += 1;
                continue;
            }
            let Some((kind, owner)) = self.owner(&row) else {
                without_owner += 1;
                continue;
            };
            timed += u64::from(row.openings.as_object().is_some_and(|openings| !openings.is_empty()));
            sink.write([
                &row.ref_id.clone().unwrap_or_else(|| row.id.to_string()),
                word(row.kind),
                &row.title,
                &row.body,
                category_name(row.category),
                &skills.remove(&row.id).unwrap_or_default().join(";"),
                &row.region_code,
                kind,
                &owner,
                &row.capacity.to_string(),
                row.measure.as_deref().unwrap_or_default(),
                &self.local_day(row.window_from),
                // The last day that it holds on at least in part.
                &self.local_day(row.window_until - TimeDelta::microseconds(1)),
                &self.special_group(row.special_group_sealed.as_deref()),
            ])?;
        }
        drop(rows);
        self.left_out(Table::Listings, unpublished, "草稿、已关闭或已撤下");
        self.left_out(Table::Listings, without_owner, "提供者未导出，或为站点");
        if timed > 0 {
            let words = format!("listings：{timed} 行的开放时间与名额周期未导出，导入后按整个有效期开放");
            self.report.warnings.push(words);
        }
        let booked = booking::Entity::find().count(self.db).await?;
        if booked > 0 {
            self.report.warnings.push(format!("预约：{booked} 项未导出（数据集没有预约表）"));
        }
        self.close(sink)
    }

    fn local_day(&self, at: DateTime<Utc>) -> String {
        self.calendar.day_of(at).to_string()
    }

    /// What a set calls whoever provides it.
    fn owner(&self, row: &listing::Model) -> Option<(&'static str, String)> {
        match row.owner_kind {
            OwnerKind::Community => {
                let community = row.region_code.len() == 12;
                community.then(|| ("community", row.region_code.clone()))
            }
            OwnerKind::Unit => Some(("unit", self.refs.units.get(&row.unit_id?)?.clone())),
            OwnerKind::Member => Some(("member", self.refs.members.get(&row.member_id?)?.clone())),
            OwnerKind::Station => None,
        }
    }

    async fn listing_skills(&self) -> Result<HashMap<ListingId, Vec<String>>, ExportError> {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        let rows = listing_skill::Entity::find().order_by_asc(listing_skill::Column::Skill);
        let mut rows = rows.stream(self.db).await?;
        while let Some(row) = rows.try_next().await? {
            found.entry(row.listing_id).or_default().push(row.skill);
        }
        Ok(found)
    }
}
