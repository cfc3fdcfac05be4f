//! Goods, their movements, redemptions.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::goods::{GoodsKind, LimitPeriod};
use entity::id::{GoodsId, RedemptionId};
use entity::redemption::{self, RedemptionStatus};
use entity::stock_movement::{self, StockReason};
use entity::{goods, redemption_line, station};
use futures_util::TryStreamExt as _;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::{Export, ExportError, instant, number, points};
use crate::exchange::import::PROGRAMME;
use crate::exchange::table::Table;
use crate::points::account;

/// Pieces of one line.
#[derive(FromQueryResult)]
struct Piece {
    id: RedemptionId,
    line: i16,
    goods_id: GoodsId,
    quantity: i32,
    at: Option<DateTime<Utc>>,
}

/// Redemptions that are more than a row of the table can say.
fn beyond_the_table() -> Condition {
    let several = Condition::any().add(redemption::Column::LineCount.gt(1)).add(redemption::Column::Shared.eq(true));
    several.add(redemption::Column::SlotId.is_not_null())
}

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
        let (mut left_out, mut plainer) = (0, 0);
        for row in goods::Entity::find().order_by_asc(goods::Column::Id).all(self.db).await? {
            let Some(region) = regions.get(&row.station_id).filter(|_| row.programme == PROGRAMME) else {
                left_out += 1;
                continue;
            };
            let whole = row.limit_period == LimitPeriod::All;
            let is_plain = whole && row.kind == GoodsKind::Good && row.per_household_limit.is_none() && row.cost == 0;
            plainer += u64::from(!is_plain);
            let reference = row.ref_id.unwrap_or_else(|| row.id.to_string());
            let supplier = row.supplier_unit_id.and_then(|unit| self.refs.units.get(&unit)).map_or("", String::as_str);
            sink.write([
                &reference,
                &row.name,
                region,
                &points(row.points),
                &first.get(&row.id).copied().unwrap_or(0).to_string(),
                // In a data set it counts for ever.
                &number(row.per_member_limit.filter(|_| whole)),
                supplier,
            ])?;
            self.refs.goods.insert(row.id, (reference, region.clone()));
        }
        self.left_out(Table::Goods, left_out, "其他积分项目");
        if plainer > 0 {
            let words = "类别、时长、成本、预约时段、限兑周期与每户限额未导出，导入后请补设";
            self.report.warnings.push(format!("{}：{plainer} 项的{words}", Table::Goods.name()));
        }
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
        for piece in self.pieces().await? {
            let Some((goods, _)) = self.refs.goods.get(&piece.goods_id) else { continue };
            let (reference, taken) = (format!("{}-{}", piece.id, piece.line), (-piece.quantity).to_string());
            let at = instant(piece.at.unwrap_or_default());
            sink.write([&reference, goods, &taken, &StockReason::Loss.to_value(), &at])?;
        }
        self.close(sink)
    }

    /// What was handed out by redemptions that the table cannot hold: there it is a loss, so that the stock comes out right.
    async fn pieces(&self) -> Result<Vec<Piece>, ExportError> {
        let more = redemption_line::Entity::belongs_to(redemption::Entity)
            .from(redemption_line::Column::RedemptionId)
            .to(redemption::Column::Id)
            .into();
        let further = redemption_line::Entity::find()
            .select_only()
            .column_as(redemption_line::Column::RedemptionId, "id")
            .columns([
                redemption_line::Column::Line,
                redemption_line::Column::GoodsId,
                redemption_line::Column::Quantity,
            ])
            .column_as(redemption::Column::FulfilledAt, "at")
            .join(JoinType::InnerJoin, more)
            .filter(redemption::Column::Status.eq(RedemptionStatus::Fulfilled))
            .filter(redemption_line::Column::SlotId.is_null())
            .order_by_asc(redemption_line::Column::RedemptionId)
            .order_by_asc(redemption_line::Column::Line);
        let rows = redemption::Entity::find()
            .filter(redemption::Column::Status.eq(RedemptionStatus::Fulfilled))
            .filter(redemption::Column::SlotId.is_null())
            .filter(beyond_the_table())
            .order_by_asc(redemption::Column::Id);
        let first = rows.all(self.db).await?.into_iter().map(|row| Piece {
            id: row.id,
            line: 1,
            goods_id: row.goods_id,
            quantity: row.quantity,
            at: row.fulfilled_at,
        });
        let further: Vec<Piece> = further.into_model().all(self.db).await?;
        Ok(first.chain(further).collect())
    }

    /// Fulfilled ones of one line that their member paid alone, without a time booked.
    pub(super) async fn redemptions(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Redemptions)?;
        let fulfilled = redemption::Column::Status.eq(RedemptionStatus::Fulfilled);
        let db = self.db;
        let rows = redemption::Entity::find().filter(fulfilled).order_by_asc(redemption::Column::Id);
        let mut rows = rows.stream(db).await?;
        let (mut left_out, mut beyond) = (0, 0);
        while let Some(row) = rows.try_next().await? {
            if row.line_count > 1 || row.shared || row.slot_id.is_some() {
                beyond += 1;
                continue;
            }
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
        self.left_out(Table::Redemptions, beyond, "多项、预约时段或家庭支付的兑换，其积分与库存变动已随账目导出");
        self.close(sink)
    }
}
