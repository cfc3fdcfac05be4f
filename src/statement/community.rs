//! A community's month, or that of any region above: what its books issued, what came back, and who moved them.

use chrono::{DateTime, TimeDelta, Utc};
use entity::account::{self, AccountKind};
use entity::budget;
use entity::category::Category;
use entity::id::{JournalId, MemberId};
use entity::journal::{self, JournalKind};
use entity::{entry, member, merit, programme, region, service_record, turnover, unsealed};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef, Select,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::member::{foot, moment, newest_seal};
use super::month::Month;
use super::paper::{Cell, Column, Paper, Table};
use super::words;
use crate::calendar::Calendar;
use crate::http::{Listing, Page, Problem};
use crate::identity::mask;
use crate::points::Points;
use crate::points::seal::SealView;
use crate::region::Subtree;

/// What the books of a region did in a month. Amounts are those of the members: above zero they gained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RegionStatement {
    region_code: String,
    region_name: String,
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
    /// Residents now, without those erased.
    members: u64,
    /// What members had of these books before the month.
    opening: Points,
    issued: Points,
    /// Deducted and reversed.
    taken_back: Points,
    spent: Points,
    refunded: Points,
    expired: Points,
    donated: Points,
    closing: Points,
    /// By kind and, where a service record, a donation, an event or a score was the cause, by category.
    flows: Vec<Flow>,
    /// Of the region, as they stand now.
    budgets: Vec<BudgetLine>,
    /// Residents who had points, by id; for managers, of one community.
    lines: Option<Listing<MemberLine>>,
    /// The newest seal.
    seal: Option<SealView>,
}

/// What journals of one kind did.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Flow {
    kind: JournalKind,
    category: Option<Category>,
    /// Given away for good, or that come back.
    donated: bool,
    amount: Points,
    journals: i64,
}

/// A budget that pays for points.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct BudgetLine {
    name: String,
    funded: Points,
    issued: Points,
    left: Points,
}

/// A resident's month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct MemberLine {
    member_id: MemberId,
    r#ref: Option<String>,
    /// Masked.
    name: String,
    opening: Points,
    gained: Points,
    /// Below zero.
    spent: Points,
    closing: Points,
}

#[derive(FromQueryResult)]
struct FlowRow {
    kind: JournalKind,
    /// Which of the books.
    books: AccountKind,
    /// Of the service record.
    category: Option<Category>,
    /// Of the merit.
    merit: Option<Category>,
    amount: i64,
    journals: i64,
}

#[derive(FromQueryResult)]
struct LineRow {
    id: MemberId,
    ref_id: Option<String>,
    name: Option<String>,
    opening: Option<i64>,
    gained: Option<i64>,
    spent: Option<i64>,
}

/// Which lines of members are wanted.
pub(super) enum Lines<'a> {
    None,
    Page(&'a Page),
    All,
}

/// Reads the statement of `region`, all of it as of one snapshot.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn read(
    db: &impl ConnectionTrait,
    region: &region::Model,
    programme: &programme::Model,
    subtree: &Subtree,
    month: &Month,
    wanted: Lines<'_>,
) -> Result<RegionStatement, Problem> {
    use JournalKind::{Deduct, Earn, Expire, Grant, Opening, Refund, Reversal, Spend};
    let opening = opening(db, &programme.code, subtree, month).await?;
    let flows = flows(db, &programme.code, subtree, month).await?;
    let sum = |kinds: &[JournalKind]| -> i64 {
        let counted = flows.iter().filter(|flow| !flow.donated && kinds.contains(&flow.kind));
        counted.map(|flow| flow.amount.hundredths()).sum()
    };
    let donated: i64 = flows.iter().filter(|flow| flow.donated).map(|flow| flow.amount.hundredths()).sum();
    let closing = opening + flows.iter().map(|flow| flow.amount.hundredths()).sum::<i64>();
    let points = Points::from_hundredths;
    let in_use = member::Entity::find()
        .filter(subtree.covers(Expr::col(member::Column::RegionCode)))
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null());
    Ok(RegionStatement {
        region_code: region.code.clone(),
        region_name: region.name.clone(),
        programme: programme.code.clone(),
        programme_name: programme.name.clone(),
        unit: programme.unit_name.clone(),
        month: month.name.clone(),
        provisional: month.provisional,
        as_of: month.as_of,
        members: in_use.count(db).await?,
        opening: points(opening),
        issued: points(sum(&[Earn, Grant, Opening])),
        taken_back: points(sum(&[Deduct, Reversal])),
        spent: points(sum(&[Spend])),
        refunded: points(sum(&[Refund])),
        expired: points(sum(&[Expire])),
        donated: points(donated),
        closing: points(closing),
        flows,
        budgets: budgets(db, &programme.code, subtree).await?,
        lines: lines(db, &programme.code, subtree, month, wanted).await?,
        seal: newest_seal(db).await?,
    })
}

/// The entries of the region's books, with their journals.
fn books(programme: &str, subtree: &Subtree) -> Select<account::Entity> {
    let entries: RelationDef =
        account::Entity::belongs_to(entry::Entity).from(account::Column::Id).to(entry::Column::AccountId).into();
    let journals: RelationDef =
        entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
    account::Entity::find()
        .select_only()
        .join(JoinType::InnerJoin, entries)
        .join(JoinType::InnerJoin, journals)
        .filter(account::Column::Programme.eq(programme))
        .filter(account::Column::Kind.ne(AccountKind::Member))
        .filter(subtree.covers(Expr::col((account::Entity, account::Column::RegionCode))))
}

/// Below the id of every journal that counts in the month. Ids begin with the moment they were drawn, and nothing counts before
/// it is posted; two days are for clocks.
fn first_id(month: &Month) -> JournalId {
    let earliest = (month.span.start - TimeDelta::days(2)).timestamp_millis();
    let milliseconds = u64::try_from(earliest).unwrap_or(0);
    JournalId(uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid())
}

/// The members' side: what the books lost.
fn members_side() -> SimpleExpr {
    Expr::value(0_i64).sub(Expr::col((entry::Entity, entry::Column::Amount)).sum()).cast_as("bigint")
}

/// Sums of the months before, and what waits to be added to them; so it costs the same however old the books are.
async fn opening(db: &impl ConnectionTrait, programme: &str, subtree: &Subtree, month: &Month) -> Result<i64, DbErr> {
    let sealed: Option<Option<i64>> = turnover::Entity::find()
        .select_only()
        .column_as(turnover::Column::Amount.sum().cast_as("bigint"), "amount")
        .filter(turnover::Column::Programme.eq(programme))
        .filter(subtree.covers(Expr::col(turnover::Column::RegionCode)))
        .filter(turnover::Column::Month.lt(month.name.as_str()))
        .into_tuple()
        .one(db)
        .await?;
    let queued = unsealed::Entity::find().select_only().column(unsealed::Column::JournalId).into_query();
    let waiting: Option<Option<i64>> = books(programme, subtree)
        .column_as(members_side(), "amount")
        .filter(entry::Column::JournalId.in_subquery(queued))
        .filter(journal::Column::At.lt(month.span.start))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sealed.flatten().unwrap_or(0) + waiting.flatten().unwrap_or(0))
}

async fn flows(
    db: &impl ConnectionTrait,
    programme: &str,
    subtree: &Subtree,
    month: &Month,
) -> Result<Vec<Flow>, DbErr> {
    // Ids of all tables differ, so that the source's kind need not be asked for.
    let records: RelationDef = journal::Entity::belongs_to(service_record::Entity)
        .from(journal::Column::SourceId)
        .to(service_record::Column::Id)
        .into();
    let merits: RelationDef =
        journal::Entity::belongs_to(merit::Entity).from(journal::Column::SourceId).to(merit::Column::Id).into();
    let rows = books(programme, subtree)
        .join(JoinType::LeftJoin, records)
        .join(JoinType::LeftJoin, merits)
        .column(journal::Column::Kind)
        .column(service_record::Column::Category)
        .column_as(merit::Column::Category, "merit")
        .column_as(account::Column::Kind, "books")
        .column_as(members_side(), "amount")
        .column_as(journal::Column::Id.count(), "journals")
        .filter(entry::Column::JournalId.gte(first_id(month)))
        .filter(journal::Column::At.gte(month.span.start))
        .filter(journal::Column::At.lt(month.span.end))
        .group_by(journal::Column::Kind)
        .group_by(service_record::Column::Category)
        .group_by(merit::Column::Category)
        .group_by(account::Column::Kind)
        .into_model::<FlowRow>()
        .all(db)
        .await?;
    let flow = |row: FlowRow| Flow {
        kind: row.kind,
        category: row.category.or(row.merit),
        donated: row.books == AccountKind::Donated,
        amount: Points::from_hundredths(row.amount),
        journals: row.journals,
    };
    let mut flows: Vec<Flow> = rows.into_iter().map(flow).collect();
    let key = |flow: &Flow| (flow.kind, flow.category, flow.donated);
    flows.sort_unstable_by_key(key);
    flows.dedup_by(|flow, before| {
        let same = key(flow) == key(before);
        if same {
            before.amount = Points::from_hundredths(before.amount.hundredths() + flow.amount.hundredths());
            before.journals += flow.journals;
        }
        same
    });
    Ok(flows)
}

async fn budgets(db: &impl ConnectionTrait, programme: &str, subtree: &Subtree) -> Result<Vec<BudgetLine>, DbErr> {
    let rows = budget::Entity::find()
        .filter(budget::Column::Programme.eq(programme))
        .filter(subtree.covers(Expr::col(budget::Column::RegionCode)))
        .order_by_asc(budget::Column::RegionCode)
        .order_by_asc(budget::Column::Id)
        .limit(100)
        .all(db)
        .await?;
    let line = |row: budget::Model| BudgetLine {
        name: row.name,
        funded: Points::from_hundredths(row.funded),
        issued: Points::from_hundredths(row.issued),
        left: Points::from_hundredths(row.funded - row.issued),
    };
    Ok(rows.into_iter().map(line).collect())
}

async fn lines(
    db: &impl ConnectionTrait,
    programme: &str,
    subtree: &Subtree,
    month: &Month,
    wanted: Lines<'_>,
) -> Result<Option<Listing<MemberLine>>, Problem> {
    let page = match wanted {
        Lines::None => return Ok(None),
        Lines::Page(page) => Some(page),
        Lines::All => None,
    };
    let mut query = of_members(programme, subtree, month);
    if let Some(page) = page {
        query = query.limit(page.limit() + 1);
        if let Some(after) = page.after::<MemberId>()? {
            query = query.filter(member::Column::Id.gt(after));
        }
    }
    let rows = query.into_model::<LineRow>().all(db).await?;
    let listing = match page {
        Some(page) => Listing::cut(rows, page, |row| row.id),
        None => Listing::whole(rows),
    };
    Ok(Some(listing.map(MemberLine::from)))
}

/// What each resident's account did; by id.
fn of_members(programme: &str, subtree: &Subtree, month: &Month) -> Select<member::Entity> {
    let accounts: RelationDef =
        member::Entity::belongs_to(account::Entity).from(member::Column::Id).to(account::Column::MemberId).into();
    let entries: RelationDef =
        account::Entity::belongs_to(entry::Entity).from(account::Column::Id).to(entry::Column::AccountId).into();
    let journals: RelationDef =
        entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
    let amount = || Expr::col((entry::Entity, entry::Column::Amount));
    let at = || Expr::col((journal::Entity, journal::Column::At));
    let sum = |condition: SimpleExpr| -> SimpleExpr {
        let counted = CaseStatement::new().case(condition, amount()).finally(Expr::value(0_i64));
        Expr::expr(counted).sum().cast_as("bigint")
    };
    let start = month.span.start;
    member::Entity::find()
        .select_only()
        .columns([member::Column::Id, member::Column::RefId, member::Column::Name])
        .column_as(sum(at().lt(start)), "opening")
        .column_as(sum(at().gte(start).and(amount().gt(0))), "gained")
        .column_as(sum(at().gte(start).and(amount().lt(0))), "spent")
        .join(JoinType::InnerJoin, accounts)
        .join(JoinType::InnerJoin, entries)
        .join(JoinType::InnerJoin, journals)
        .filter(subtree.covers(Expr::col((member::Entity, member::Column::RegionCode))))
        .filter(account::Column::Programme.eq(programme))
        .filter(journal::Column::At.lt(month.span.end))
        .group_by(member::Column::Id)
        .group_by(member::Column::RefId)
        .group_by(member::Column::Name)
        .order_by_asc(member::Column::Id)
}

impl From<LineRow> for MemberLine {
    fn from(row: LineRow) -> Self {
        let (opening, gained, spent) = (row.opening.unwrap_or(0), row.gained.unwrap_or(0), row.spent.unwrap_or(0));
        Self {
            member_id: row.id,
            r#ref: row.ref_id,
            name: mask::name(row.name.as_deref()),
            opening: Points::from_hundredths(opening),
            gained: Points::from_hundredths(gained),
            spent: Points::from_hundredths(spent),
            closing: Points::from_hundredths(opening + gained + spent),
        }
    }
}

impl RegionStatement {
    /// Laid out.
    pub(super) fn paper(&self, calendar: Calendar, month: &Month) -> Paper {
        let provisional = if self.provisional { "（月中，未结）" } else { "" };
        let amount = |points: Points| Cell::Amount(points.hundredths());
        let mut tables = vec![self.flows_table()];
        if !self.budgets.is_empty() {
            tables.push(self.budgets_table());
        }
        if let Some(lines) = &self.lines {
            tables.push(lines_table(&lines.items));
        }
        Paper {
            title: format!("{} 积分月度报表 {}{provisional}", self.region_name, month.in_words()),
            name: format!("{}_积分月报_{}", self.region_name, self.month),
            facts: vec![
                ("区划代码", self.region_code.as_str().into()),
                ("积分项目", format!("{}（单位：{}）", self.programme_name, self.unit).into()),
                ("居民人数", Cell::Count(i64::try_from(self.members).unwrap_or(i64::MAX))),
                ("统计至", moment(calendar, self.as_of).into()),
                ("期初结存", amount(self.opening)),
                ("期末结存", amount(self.closing)),
                ("发放", amount(self.issued)),
                ("扣减冲正", amount(self.taken_back)),
                ("兑换", amount(self.spent)),
                ("退回", amount(self.refunded)),
                ("到期", amount(self.expired)),
                ("捐赠", amount(self.donated)),
            ],
            tables,
            foot: foot(self.seal.as_ref()),
        }
    }

    fn flows_table(&self) -> Table {
        let row = |flow: &Flow| -> Vec<Cell> {
            vec![
                (if flow.donated { "捐赠" } else { words::kind(flow.kind) }).into(),
                flow.category.map_or("—", words::category).into(),
                Cell::Count(flow.journals),
                Cell::Amount(flow.amount.hundredths()),
            ]
        };
        Table {
            heading: "收支分类",
            columns: vec![
                Column::text("类型", 20),
                Column::text("服务类别", 24),
                Column::numbers("笔数", 16),
                Column::numbers("积分", 20),
            ],
            rows: self.flows.iter().map(row).collect(),
            empty: "本月没有积分变动",
        }
    }

    fn budgets_table(&self) -> Table {
        let row = |line: &BudgetLine| -> Vec<Cell> {
            let amounts = [line.funded, line.issued, line.left].map(|points| Cell::Amount(points.hundredths()));
            std::iter::once(line.name.as_str().into()).chain(amounts).collect()
        };
        Table {
            heading: "预算（当前）",
            columns: vec![
                Column::text("名称", 32),
                Column::numbers("注资", 18),
                Column::numbers("已发放", 18),
                Column::numbers("剩余", 18),
            ],
            rows: self.budgets.iter().map(row).collect(),
            empty: "",
        }
    }
}

fn lines_table(lines: &[MemberLine]) -> Table {
    let row = |line: &MemberLine| -> Vec<Cell> {
        let amounts = [line.opening, line.gained, line.spent, line.closing];
        let names = [line.r#ref.as_deref().unwrap_or("—").into(), line.name.as_str().into()];
        names.into_iter().chain(amounts.map(|points| Cell::Amount(points.hundredths()))).collect()
    };
    Table {
        heading: "居民明细",
        columns: vec![
            Column::text("编号", 20),
            Column::text("姓名", 14),
            Column::numbers("期初", 16),
            Column::numbers("增加", 16),
            Column::numbers("减少", 16),
            Column::numbers("期末", 16),
        ],
        rows: lines.iter().map(row).collect(),
        empty: "没有居民有积分",
    }
}
