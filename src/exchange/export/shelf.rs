//! Goods, their movements, redemptions.

use std::collections::HashMap;

use entity::redemption::{self, RedemptionStatus};
use entity::stock_movement::{self, StockReason};
use entity::{goods, station};
use futures_util::TryStreamExt as _;
use sea_orm::{ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Export, ExportError, instant, number, points};
use crate::exchange::import::PROGRAMME;
use crate::exchange::table::Table;
use crate::points::account;

impl Export<'_> {
    pub(super) async fn goods(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Goods)?;
        let mut first: HashMap<_, i32> = HashMap::new();
        let initial = stock_movement::Column::Reason.eq(StockReason::Initial);
        for row in stock_movement::Entity::find().filter(initial).all(self.db).await? {
            *first.entry(row.goods_id).or_default() += row.quantity;
        }
        let stations = station::Entity::find().all(self.db).await?;
        let regions: HashMap<_, _> = stations.into_iter().map(|station| (station.id, station.region_code)).collect();
        let mut left_out = 0;
        for row in goods::Entity::find().order_by_asc(goods::Column::Id).all(self.db).await? {
            let Some(region) = regions.get(&row.station_id).filter(|_| row.programme == PROGRAMME) else {
                left_out += 1;
                continue;
            };
            let reference = row.ref_id.unwrap_or_else(|| row.id.to_string());
            let supplier = row.supplier_unit_id.and_then(|unit| self.refs.units.get(&unit)).map_or("", String::as_str);
            sink.write([
                &reference,
                &row.name,
                region,
                &points(row.points),
                &first.get(&row.id).copied().unwrap_or(0).to_string(),
                &number(row.per_member_limit),
                supplier,
            ])?;
            self.refs.goods.insert(row.id, (reference, region.clone()));
        }
        self.left_out(Table::Goods, left_out, "其他积分项目");
        self.close(sink)
    }

    pub(super) async fn stock_movements(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::StockMovements)?;
        let later = stock_movement::Column::Reason.ne(StockReason::Initial);
        let rows = stock_movement::Entity::find().filter(later).order_by_asc(stock_movement::Column::Id);
        let mut rows = rows.stream(self.db).await?;
        while let Some(row) = rows.try_next().await? {
            let Some((goods, _)) = self.refs.goods.get(&row.goods_id) else { continue };
            let reference = row.ref_id.unwrap_or_else(|| row.id.to_string());
            sink.write([&reference, goods, &row.quantity.to_string(), &row.reason.to_value(), &instant(row.at)])?;
        }
        drop(rows);
        self.close(sink)
    }

    /// Fulfilled ones.
    pub(super) async fn redemptions(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Redemptions)?;
        let fulfilled = redemption::Column::Status.eq(RedemptionStatus::Fulfilled);
        let db = self.db;
        let rows = redemption::Entity::find().filter(fulfilled).order_by_asc(redemption::Column::Id);
        let mut rows = rows.stream(db).await?;
        let mut left_out = 0;
        while let Some(row) = rows.try_next().await? {
            let found = self.refs.members.get(&row.member_id).zip(self.refs.goods.get(&row.goods_id));
            let Some((member, (goods, region))) = found else {
                left_out += 1;
                continue;
            };
            let reference = row.ref_id.clone().unwrap_or_else(|| row.id.to_string());
            sink.write([
                &reference,
                member,
                goods,
                &row.quantity.to_string(),
                &points(row.points),
                &self.moment(row.fulfilled_at.unwrap_or(row.created_at)),
                region,
            ])?;
            if !self.refs.dated.contains(&account::of_member(PROGRAMME, row.member_id)) {
                self.refs.implied.insert(row.id.0);
            }
            self.refs.redemptions.insert(row.id, reference);
        }
        drop(rows);
        self.left_out(Table::Redemptions, left_out, "人员或兑换品未导出");
        self.close(sink)
    }
}
