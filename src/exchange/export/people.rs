//! Members and the hours they brought along.

use std::collections::HashMap;

use entity::id::MemberId;
use entity::{availability, member, member_skill, opening_balance};
use futures_util::TryStreamExt as _;
use sea_orm::{EntityTrait as _, QueryOrder as _};

use super::{Export, ExportError, day, hours, number};
use crate::exchange::table::Table;
use crate::identity::sealed;

impl Export<'_> {
    /// Those who can be imported: with name, phone and community.
    pub(super) async fn members(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Members)?;
        let (mut skills, mut spans) = (self.skills().await?, self.availability().await?);
        let db = self.db;
        let mut rows = member::Entity::find().order_by_asc(member::Column::Id).stream(db).await?;
        let mut left_out = 0;
        while let Some(row) = rows.try_next().await? {
            if row.merged_into.is_some() {
                continue;
            }
            let keys = self.keys;
            let phone = row.phone_sealed.as_deref().and_then(|phone| sealed::open_phone(keys, phone).ok());
            let (Some(name), Some(phone), Some(region)) = (&row.name, phone, &row.region_code) else {
                left_out += 1;
                continue;
            };
            let home =
                row.home_sealed.as_deref().and_then(|home| sealed::open_home(keys, home).ok()).unwrap_or_default();
            let facets =
                [(row.is_resident, "resident"), (row.is_volunteer, "volunteer"), (row.is_party_member, "party_member")];
            let kinds: Vec<_> = facets.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
            let reference = row.ref_id.clone().unwrap_or_else(|| row.id.to_string());
            let unit = row.unit_id.and_then(|unit| self.refs.units.get(&unit)).cloned().unwrap_or_default();
            sink.write([
                &reference,
                name,
                &phone,
                row.gender.as_deref().unwrap_or_default(),
                &number(row.birth_year),
                region,
                &kinds.join(";"),
                &unit,
                row.group_no.as_deref().unwrap_or_default(),
                &skills.remove(&row.id).unwrap_or_default().join(";"),
                &spans.remove(&row.id).unwrap_or_default().join(";"),
                &number(row.max_hours_week),
                &self.special_group(row.special_group_sealed.as_deref()),
                &number(home.lat),
                &number(home.lon),
                &day(row.registered_on),
            ])?;
            self.refs.members.insert(row.id, reference);
        }
        drop(rows);
        self.left_out(Table::Members, left_out, "缺少姓名、手机号或社区");
        self.close(sink)
    }

    async fn skills(&self) -> Result<HashMap<MemberId, Vec<String>>, ExportError> {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        let rows = member_skill::Entity::find().order_by_asc(member_skill::Column::Skill);
        let mut rows = rows.stream(self.db).await?;
        while let Some(row) = rows.try_next().await? {
            found.entry(row.member_id).or_default().push(row.skill);
        }
        Ok(found)
    }

    async fn availability(&self) -> Result<HashMap<MemberId, Vec<String>>, ExportError> {
        use availability::Column;
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        let rows = availability::Entity::find().order_by_asc(Column::Weekday).order_by_asc(Column::FromMinute);
        let mut rows = rows.stream(self.db).await?;
        while let Some(row) = rows.try_next().await? {
            let clock = |minute: i16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let span = format!("{}@{}-{}", row.weekday, clock(row.from_minute), clock(row.until_minute));
            found.entry(row.member_id).or_default().push(span);
        }
        Ok(found)
    }

    /// One row a member, as data sets have it: what came on several days becomes one sum.
    pub(super) async fn opening_balances(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::OpeningBalances)?;
        let rows = opening_balance::Entity::find()
            .order_by_asc(opening_balance::Column::MemberId)
            .order_by_asc(opening_balance::Column::AsOf)
            .all(self.db)
            .await?;
        let mut left_out = 0;
        for rows in rows.chunk_by(|one, other| one.member_id == other.member_id) {
            let (Some(last), minutes) = (rows.last(), rows.iter().map(|row| row.minutes).sum()) else { continue };
            match self.refs.members.get(&last.member_id) {
                Some(member) => sink.write([member, &hours(minutes), &day(Some(last.as_of))])?,
                None => left_out += 1,
            }
        }
        self.left_out(Table::OpeningBalances, left_out, "人员未导出");
        self.close(sink)
    }
}
