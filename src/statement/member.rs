//! A member's month: what the months before left, the account's entries in it, and what explains them.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::id::{JournalId, MemberId};
use entity::journal::{self, JournalKind};
use entity::{balance, entry, member, programme, region, seal_leaf, service_record};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::month::Month;
use super::paper::{Cell, Column, Paper, Table};
use super::words::{self, Causes};
use crate::calendar::Calendar;
use crate::http::decimal;
use crate::points::months::Asked;
use crate::points::seal::{Proof, SealView, proofs};
use crate::points::{Points, account};
use crate::service_record::domain::hours;

/// How far ahead points are told that will expire.
const SOON: TimeDelta = TimeDelta::days(90);

/// What a member's account did in a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct MemberStatement {
    member_id: MemberId,
    /// Masked for staff who give no reason; null for an erased member.
    name: Option<String>,
    region_code: Option<String>,
    #[serde(skip)]
    region_name: Option<String>,
    programme: String,
    #[serde(skip)]
    programme_name: String,
    /// What one point is called.
    unit: String,
    /// `2026-11`
    month: String,
    /// The month is not over: more may come.
    provisional: bool,
    /// Until when journals are counted.
    as_of: DateTime<Utc>,
    opening: Points,
    gained: Points,
    /// Below zero.
    spent: Points,
    closing: Points,
    /// Set aside for what is reserved now; null for a month that is over.
    held: Option<Points>,
    /// What of `closing` is gone within 90 days; earliest first.
    expiring: Vec<Lot>,
    /// Served in the month, less what was reversed in it.
    #[schema(value_type = String, example = "3.50")]
    hours: String,
    /// By when they count.
    entries: Vec<Line>,
    /// The newest seal: keep it, and what stands before it cannot be changed unnoticed.
    seal: Option<SealView>,
}

/// Points of one expiry date.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Lot {
    /// The first day on which they are gone; null: never.
    on: Option<NaiveDate>,
    amount: Points,
}

/// What one journal did to the account.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Line {
    /// Of the journal.
    id: JournalId,
    at: DateTime<Utc>,
    kind: JournalKind,
    /// In words, such as `兑换：大米 5 公斤 ×1`.
    source: String,
    reason: Option<String>,
    /// Signed: below zero was taken.
    amount: Points,
    balance_after: Points,
    /// By expiry date.
    lots: Vec<Lot>,
    /// The seal it stands in; null while it waits.
    seal_no: Option<i64>,
    /// Where it was asked for: that it stands in the seal.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
}

#[derive(FromQueryResult)]
struct Row {
    id: JournalId,
    at: DateTime<Utc>,
    kind: JournalKind,
    source_kind: String,
    source_id: Uuid,
    reason: Option<String>,
    line: i16,
    amount: i64,
    expires_on: Option<NaiveDate>,
}

/// Whose statement, as the reader may see them.
pub(super) struct Reader<'a> {
    pub(super) member: &'a member::Model,
    /// The name as it is shown.
    pub(super) name: Option<String>,
    pub(super) programme: &'a programme::Model,
    pub(super) with_proof: bool,
}

/// Reads the statement; `db` is a snapshot.
///
/// # Errors
/// The database's.
pub(super) async fn read(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    reader: Reader<'_>,
    month: &Month,
) -> Result<MemberStatement, DbErr> {
    let account = account::of_member(&reader.programme.code, reader.member.id);
    let asked = Asked { account, month: &month.name, span: &month.span };
    let mut lots = asked.opening(db).await?;
    let opening: i64 = lots.values().sum();
    let rows = rows(db, &asked).await?;
    for row in &rows {
        *lots.entry(row.expires_on).or_default() += row.amount;
    }
    let entries = lines(db, calendar, rows, opening, reader.with_proof).await?;
    let sum = |above: bool| entries.iter().map(|line| line.amount.hundredths()).filter(|n| (*n > 0) == above).sum();
    let (gained, spent): (i64, i64) = (sum(true), sum(false));
    let soon = month.last_day + SOON;
    let expiring = lots
        .into_iter()
        .filter(|(on, amount)| *amount > 0 && on.is_some_and(|on| on > month.last_day && on <= soon))
        .map(|(on, amount)| Lot { on, amount: Points::from_hundredths(amount) });
    let region_name = match &reader.member.region_code {
        Some(code) => region::Entity::find_by_id(code).one(db).await?.map(|row| row.name),
        None => None,
    };
    Ok(MemberStatement {
        member_id: reader.member.id,
        name: reader.name,
        region_code: reader.member.region_code.clone(),
        region_name,
        programme: reader.programme.code.clone(),
        programme_name: reader.programme.name.clone(),
        unit: reader.programme.unit_name.clone(),
        month: month.name.clone(),
        provisional: month.provisional,
        as_of: month.as_of,
        opening: Points::from_hundredths(opening),
        gained: Points::from_hundredths(gained),
        spent: Points::from_hundredths(spent),
        closing: Points::from_hundredths(opening + gained + spent),
        held: if month.provisional { Some(held(db, account).await?) } else { None },
        expiring: expiring.collect(),
        hours: decimal(hours(minutes(db, reader.member.id, month).await?)),
        entries,
        seal: newest_seal(db).await?,
    })
}

/// The newest seal.
pub(super) async fn newest_seal(db: &impl ConnectionTrait) -> Result<Option<SealView>, DbErr> {
    use entity::seal::{Column, Entity};
    Ok(Entity::find().order_by_desc(Column::No).limit(1).one(db).await?.map(SealView::from))
}

/// What counts in the month, in the order in which it does.
async fn rows(db: &impl ConnectionTrait, asked: &Asked<'_>) -> Result<Vec<Row>, DbErr> {
    let mut rows = Vec::new();
    for part in asked.entries(db).await? {
        let part = part
            .columns([journal::Column::Id, journal::Column::At, journal::Column::Kind])
            .columns([journal::Column::SourceKind, journal::Column::SourceId, journal::Column::Reason])
            .columns([entry::Column::Line, entry::Column::ExpiresOn])
            .column(entry::Column::Amount);
        rows.extend(part.into_model::<Row>().all(db).await?);
    }
    rows.sort_by_key(|row: &Row| (row.at, row.id, row.line));
    Ok(rows)
}

async fn lines(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    rows: Vec<Row>,
    opening: i64,
    with_proof: bool,
) -> Result<Vec<Line>, DbErr> {
    let sources: Vec<_> = rows.iter().map(|row| (row.source_kind.clone(), row.source_id)).collect();
    let causes = Causes::of(db, calendar, &sources).await?;
    let mut ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    ids.dedup();
    let seals = seals(db, &ids).await?;
    let mut proofs = if with_proof { proofs(db, &ids).await? } else { HashMap::new() };
    let mut balance = opening;
    let mut lines: Vec<Line> = Vec::new();
    for row in rows {
        balance += row.amount;
        let lot = Lot { on: row.expires_on, amount: Points::from_hundredths(row.amount) };
        if let Some(line) = lines.last_mut().filter(|line| line.id == row.id) {
            line.amount = Points::from_hundredths(line.amount.hundredths() + row.amount);
            line.balance_after = Points::from_hundredths(balance);
            line.lots.push(lot);
            continue;
        }
        lines.push(Line {
            id: row.id,
            at: row.at,
            kind: row.kind,
            source: causes.words(&row.source_kind, row.source_id),
            reason: row.reason,
            amount: lot.amount,
            balance_after: Points::from_hundredths(balance),
            lots: vec![lot],
            seal_no: seals.get(&row.id).copied(),
            proof: proofs.remove(&row.id),
        });
    }
    Ok(lines)
}

async fn seals(db: &impl ConnectionTrait, ids: &[JournalId]) -> Result<HashMap<JournalId, i64>, DbErr> {
    let mut seals = HashMap::new();
    for ids in ids.chunks(500) {
        let found: Vec<(JournalId, i64)> = seal_leaf::Entity::find()
            .select_only()
            .columns([seal_leaf::Column::JournalId, seal_leaf::Column::SealNo])
            .filter(seal_leaf::Column::JournalId.is_in(ids.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        seals.extend(found);
    }
    Ok(seals)
}

async fn held(db: &impl ConnectionTrait, account: entity::id::AccountId) -> Result<Points, DbErr> {
    let row = balance::Entity::find_by_id(account).one(db).await?;
    Ok(Points::from_hundredths(row.map_or(0, |row| row.held)))
}

async fn minutes(db: &impl ConnectionTrait, member: MemberId, month: &Month) -> Result<i64, DbErr> {
    let mut sums = [0_i64; 2];
    for (sum, column) in sums.iter_mut().zip([service_record::Column::CountedAt, service_record::Column::ReversedAt]) {
        let found: Option<Option<i64>> = service_record::Entity::find()
            .select_only()
            .column_as(service_record::Column::Minutes.sum().cast_as("bigint"), "minutes")
            .filter(service_record::Column::MemberId.eq(member))
            .filter(service_record::Column::CountedAt.is_not_null())
            .filter(column.gte(month.span.start))
            .filter(column.lt(month.span.end))
            .into_tuple()
            .one(db)
            .await?;
        *sum = found.flatten().unwrap_or(0);
    }
    Ok(sums[0] - sums[1])
}

/// The seal in words for the foot of a page.
pub(super) fn foot(seal: Option<&SealView>) -> String {
    match seal {
        Some(seal) => format!("可核对：截至第 {} 号封印，哈希 {}。核对方法见 docs/seals.md。", seal.no, seal.hash),
        None => "账本尚无封印。".to_owned(),
    }
}

/// `2026-11-21 10:00`, local.
pub(super) fn moment(calendar: Calendar, at: DateTime<Utc>) -> String {
    calendar.local(at).format("%Y-%m-%d %H:%M").to_string()
}

impl MemberStatement {
    /// Laid out.
    pub(super) fn paper(&self, calendar: Calendar, month: &Month) -> Paper {
        let provisional = if self.provisional { "（月中，未结）" } else { "" };
        let name = self.name.clone().unwrap_or_else(|| "（已注销）".to_owned());
        let (code, place) =
            (self.region_code.as_deref().unwrap_or("—"), self.region_name.as_deref().unwrap_or_default());
        let mut facts: Vec<(&'static str, Cell)> = vec![
            ("姓名", name.into()),
            ("社区", format!("{place} {code}").trim().into()),
            ("积分项目", format!("{}（单位：{}）", self.programme_name, self.unit).into()),
            ("统计至", moment(calendar, self.as_of).into()),
            ("期初余额", Cell::Amount(self.opening.hundredths())),
            ("期末余额", Cell::Amount(self.closing.hundredths())),
            ("本月增加", Cell::Amount(self.gained.hundredths())),
            ("本月减少", Cell::Amount(self.spent.hundredths())),
            ("服务时长", format!("{} 小时", self.hours).into()),
        ];
        if let Some(held) = self.held {
            facts.push(("兑换占用", Cell::Amount(held.hundredths())));
        }
        let soon: Vec<_> = self.expiring.iter().map(Lot::words).collect();
        facts.push(("即将到期", if soon.is_empty() { "90 天内没有到期积分".into() } else { soon.join("；").into() }));
        Paper {
            title: format!("积分月度对账单 {}{provisional}", month.in_words()),
            name: format!("积分对账单_{}", self.month),
            facts,
            tables: vec![Table {
                heading: "明细",
                columns: vec![
                    Column::text("时间", 17),
                    Column::text("类型", 8),
                    Column::text("来源", 36),
                    Column::numbers("积分", 12),
                    Column::numbers("余额", 13),
                    Column::text("有效期至", 15),
                    Column::text("封印", 9),
                ],
                rows: self.entries.iter().map(|line| line.cells(calendar)).collect(),
                empty: "本月没有积分变动",
            }],
            foot: foot(self.seal.as_ref()),
        }
    }
}

impl Lot {
    fn words(&self) -> String {
        let on = self.on.map_or_else(|| "长期".to_owned(), |on| on.to_string());
        format!("{on} {}", decimal(self.amount.hundredths()))
    }
}

impl Line {
    fn cells(&self, calendar: Calendar) -> Vec<Cell> {
        let source = match &self.reason {
            Some(reason) => format!("{}（{reason}）", self.source),
            None => self.source.clone(),
        };
        let valid = match self.lots.as_slice() {
            [Lot { on: None, .. }] => "长期".to_owned(),
            [Lot { on: Some(on), .. }] => on.to_string(),
            lots => lots.iter().map(Lot::words).collect::<Vec<_>>().join("\n"),
        };
        vec![
            moment(calendar, self.at).into(),
            words::kind(self.kind).into(),
            source.into(),
            Cell::Amount(self.amount.hundredths()),
            Cell::Amount(self.balance_after.hundredths()),
            valid.into(),
            self.seal_no.map_or_else(|| "待封印".to_owned(), |no| format!("第{no}号")).into(),
        ]
    }
}
