//! Settlements as they are shown and saved.

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::{GoodsId, RedemptionId, SettlementCloseId, SettlementId, UnitId};
use entity::settlement;
use entity::settlement_line::SettlementLineKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::owed::Sums;
use super::service::NamedLine;
use crate::http::decimal;
use crate::points::Points;
use crate::redemption::sheet::Sheet;

/// How far a settlement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SettlementStatus {
    /// Not closed: what closing would settle now.
    Open,
    Settled,
    Paid,
}

/// What one supplier is owed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SettlementView {
    /// Null while it is open.
    pub(super) id: Option<SettlementId>,
    pub(super) supplier_unit_id: UnitId,
    /// The supplier's name.
    pub(super) supplier: String,
    pub(super) region_code: String,
    /// `2026-10`, local.
    pub(super) month: String,
    pub(super) status: SettlementStatus,
    /// Handed out.
    pub(super) pieces: i64,
    /// Spent on them.
    pub(super) points: Points,
    /// What they cost at the terms of their time, in yuan.
    pub(super) amount: String,
    /// That came back, also of months before.
    pub(super) refunded_pieces: i64,
    pub(super) refunded_points: Points,
    /// In yuan.
    pub(super) refunded_amount: String,
    /// `amount` less `refunded_amount`, in yuan; below zero is owed by the supplier.
    pub(super) owed: String,
    pub(super) paid_on: Option<NaiveDate>,
    pub(super) payment_reference: Option<String>,
}

impl SettlementView {
    pub(super) fn closed(row: settlement::Model, supplier: String) -> Self {
        let status = if row.paid_on.is_some() { SettlementStatus::Paid } else { SettlementStatus::Settled };
        Self {
            id: Some(row.id),
            supplier_unit_id: row.supplier_unit_id,
            supplier,
            region_code: row.region_code,
            month: row.month,
            status,
            pieces: row.pieces,
            points: Points::from_hundredths(row.points),
            amount: decimal(row.amount),
            refunded_pieces: row.refunded_pieces,
            refunded_points: Points::from_hundredths(row.refunded_points),
            refunded_amount: decimal(row.refunded_amount),
            owed: decimal(row.amount - row.refunded_amount),
            paid_on: row.paid_on,
            payment_reference: row.payment_reference,
        }
    }

    pub(super) fn open(sums: &Sums, supplier: String, region_code: &str, month: &str) -> Self {
        Self {
            id: None,
            supplier_unit_id: sums.supplier_unit_id,
            supplier,
            region_code: region_code.to_owned(),
            month: month.to_owned(),
            status: SettlementStatus::Open,
            pieces: sums.pieces,
            points: Points::from_hundredths(sums.points),
            amount: decimal(sums.amount),
            refunded_pieces: sums.refunded_pieces,
            refunded_points: Points::from_hundredths(sums.refunded_points),
            refunded_amount: decimal(sums.refunded_amount),
            owed: decimal(sums.amount - sums.refunded_amount),
            paid_on: None,
            payment_reference: None,
        }
    }

    /// By which they are listed.
    pub(super) fn key(&self) -> Key {
        (self.supplier.clone(), self.supplier_unit_id, self.region_code.clone(), self.status)
    }
}

/// Name, unit, region, status.
pub(super) type Key = (String, UnitId, String, SettlementStatus);

/// A month that was closed for a region.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CloseView {
    pub(super) id: SettlementCloseId,
    pub(super) region_code: String,
    pub(super) month: String,
    pub(super) closed_at: DateTime<Utc>,
    pub(super) settlements: Vec<SettlementView>,
}

/// Goods that were handed out, or came back. Names nobody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LineView {
    pub(super) redemption_id: RedemptionId,
    /// Of the redemption, from 1.
    pub(super) line: i16,
    pub(super) kind: SettlementLineKind,
    pub(super) at: DateTime<Utc>,
    pub(super) goods_id: GoodsId,
    /// The goods' name.
    pub(super) name: String,
    pub(super) quantity: i32,
    pub(super) points: Points,
    /// Of one, in yuan.
    pub(super) cost: String,
    /// In yuan; below zero for what came back.
    pub(super) owed: String,
}

impl From<NamedLine> for LineView {
    fn from((row, name): NamedLine) -> Self {
        let sign = match row.kind {
            SettlementLineKind::Fulfilled => 1,
            SettlementLineKind::Refunded => -1,
        };
        Self {
            redemption_id: row.redemption_id,
            line: row.line,
            kind: row.kind,
            at: row.at,
            goods_id: row.goods_id,
            name,
            quantity: row.quantity,
            points: Points::from_hundredths(row.points),
            cost: decimal(row.cost),
            owed: decimal(row.cost.saturating_mul(row.quantity.into()).saturating_mul(sign)),
        }
    }
}

/// All suppliers of a month.
pub(super) fn month_sheet(month: &str, items: &[SettlementView]) -> Sheet {
    let row = |item: &SettlementView| {
        vec![
            item.supplier.clone(),
            item.region_code.clone(),
            item.month.clone(),
            words(item.status).to_owned(),
            item.pieces.to_string(),
            item.points.to_string(),
            item.amount.clone(),
            item.refunded_pieces.to_string(),
            item.refunded_points.to_string(),
            item.refunded_amount.clone(),
            item.owed.clone(),
            item.paid_on.map(|day| day.to_string()).unwrap_or_default(),
            item.payment_reference.clone().unwrap_or_default(),
        ]
    };
    Sheet {
        name: format!("settlements-{month}"),
        header: vec![
            "供应单位",
            "区划",
            "月份",
            "状态",
            "件数",
            "积分",
            "金额（元）",
            "退回件数",
            "退回积分",
            "退回金额（元）",
            "应付（元）",
            "付款日期",
            "付款凭证号",
        ],
        rows: items.iter().map(row).collect(),
    }
}

const fn words(status: SettlementStatus) -> &'static str {
    match status {
        SettlementStatus::Open => "未结算",
        SettlementStatus::Settled => "已结算",
        SettlementStatus::Paid => "已付款",
    }
}

/// All lines of a settlement; `local` shows an instant in local time.
pub(super) fn lines_sheet(id: SettlementId, lines: &[LineView], local: impl Fn(DateTime<Utc>) -> String) -> Sheet {
    let row = |line: &LineView| {
        let kind = match line.kind {
            SettlementLineKind::Fulfilled => "核销",
            SettlementLineKind::Refunded => "退回",
        };
        vec![
            line.redemption_id.to_string(),
            line.line.to_string(),
            kind.to_owned(),
            local(line.at),
            line.name.clone(),
            line.quantity.to_string(),
            line.points.to_string(),
            line.cost.clone(),
            line.owed.clone(),
        ]
    };
    Sheet {
        name: format!("settlement-{id}"),
        header: vec!["兑换编号", "行", "类型", "时间", "兑换品", "件数", "积分", "单价（元）", "应付（元）"],
        rows: lines.iter().map(row).collect(),
    }
}
