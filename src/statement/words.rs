//! What journals are called, for people.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::category::Category;
use entity::id::{MeritId, RedemptionId, RedemptionShareId, ServiceRecordId};
use entity::journal::JournalKind;
use entity::merit::{self, MeritKind};
use entity::{goods, redemption, redemption_share, service_record};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use crate::calendar::Calendar;

/// Causes of one statement.
const CHUNK: usize = 500;

pub(super) const fn kind(kind: JournalKind) -> &'static str {
    match kind {
        JournalKind::Earn => "获得",
        JournalKind::Spend => "兑换",
        JournalKind::Refund => "退回",
        JournalKind::Grant => "发放",
        JournalKind::Deduct => "扣减",
        JournalKind::Expire => "到期",
        JournalKind::Reversal => "冲正",
        JournalKind::Gift => "转赠",
        JournalKind::Opening => "期初",
    }
}

pub(super) const fn category(category: Category) -> &'static str {
    match category {
        Category::Neighbourly => "邻里互助",
        Category::Charity => "慈善捐赠",
        Category::Safety => "平安建设",
        Category::Culture => "文化宣传",
        Category::Civility => "文明创建",
        Category::Volunteering => "志愿服务",
    }
}

/// What a cause is, where nothing more is known of it.
pub(super) fn cause(source_kind: &str) -> &'static str {
    match source_kind {
        "service_record" => "服务记录",
        "service_record_reversal" => "服务记录冲正",
        "redemption" => "兑换",
        "redemption_refund" => "兑换退回",
        "redemption_share" => "家庭共同兑换",
        "redemption_share_refund" => "家庭共同兑换退回",
        "adjustment" => "人工调整",
        "merit" => "文明积分",
        "merit_reversal" => "文明积分冲正",
        "gift" => "积分转赠",
        "gift_reversal" => "积分转赠冲正",
        "grant" | "grant_round" => "帮扶发放",
        "account_cap" => "超出账户上限，转入捐赠账户",
        "account_cap_return" => "账户上限转出退回",
        "expiry" => "积分到期",
        "due" => "补发欠付积分",
        "import" | "import_opening" => "历史数据导入",
        _ => "其他",
    }
}

/// A cause with what it was about, such as `服务记录：邻里互助 2026-11-20 95分钟`.
pub(super) struct Causes {
    known: HashMap<Uuid, String>,
}

impl Causes {
    /// Looks up the records and redemptions among `sources` (kind and id).
    pub(super) async fn of(
        db: &impl ConnectionTrait,
        calendar: &Calendar,
        sources: &[(String, Uuid)],
    ) -> Result<Self, DbErr> {
        let of_kind = |prefix: &str| -> Vec<Uuid> {
            sources
                .iter()
                .filter(|(kind, _)| kind == prefix || kind.strip_prefix(prefix).is_some_and(repairs))
                .map(|(_, id)| *id)
                .collect()
        };
        let mut known = HashMap::new();
        for ids in of_kind("service_record").chunks(CHUNK) {
            records(db, calendar, ids, &mut known).await?;
        }
        for ids in of_kind("merit").chunks(CHUNK) {
            merits(db, ids, &mut known).await?;
        }
        for ids in of_kind("redemption_share").chunks(CHUNK) {
            shares(db, ids, &mut known).await?;
        }
        for ids in of_kind("redemption").chunks(CHUNK) {
            let taken: HashMap<Uuid, Uuid> = ids.iter().map(|id| (*id, *id)).collect();
            goods_of(db, &taken, &mut known).await?;
        }
        Ok(Self { known })
    }

    pub(super) fn words(&self, source_kind: &str, id: Uuid) -> String {
        match self.known.get(&id) {
            Some(about) => format!("{}：{about}", cause(source_kind)),
            None => cause(source_kind).to_owned(),
        }
    }
}

fn repairs(rest: &str) -> bool {
    matches!(rest, "_reversal" | "_refund")
}

async fn records(
    db: &impl ConnectionTrait,
    calendar: &Calendar,
    ids: &[Uuid],
    known: &mut HashMap<Uuid, String>,
) -> Result<(), DbErr> {
    let ids = ids.iter().map(|id| ServiceRecordId(*id));
    let rows = service_record::Entity::find().filter(service_record::Column::Id.is_in(ids)).all(db).await?;
    known.extend(rows.into_iter().map(|row| {
        let day: NaiveDate = calendar.day_of(row.started_at);
        (row.id.0, format!("{} {day} {}分钟", category(row.category), row.minutes))
    }));
    Ok(())
}

async fn merits(db: &impl ConnectionTrait, ids: &[Uuid], known: &mut HashMap<Uuid, String>) -> Result<(), DbErr> {
    let ids = ids.iter().map(|id| MeritId(*id));
    let rows = merit::Entity::find().filter(merit::Column::Id.is_in(ids)).all(db).await?;
    known.extend(rows.into_iter().map(|row| {
        let kind = match row.kind {
            MeritKind::DonationGoods => "捐赠物品",
            MeritKind::DonationMoney => "捐款",
            MeritKind::Event => "文明事迹",
            MeritKind::HouseholdScore => "家庭评分",
        };
        (row.id.0, format!("{kind} {} {}", category(row.category), row.happened_on))
    }));
    Ok(())
}

async fn shares(db: &impl ConnectionTrait, ids: &[Uuid], known: &mut HashMap<Uuid, String>) -> Result<(), DbErr> {
    let ids = ids.iter().map(|id| RedemptionShareId(*id));
    let rows = redemption_share::Entity::find().filter(redemption_share::Column::Id.is_in(ids)).all(db).await?;
    let taken: HashMap<Uuid, Uuid> = rows.into_iter().map(|row| (row.id.0, row.redemption_id.0)).collect();
    goods_of(db, &taken, known).await
}

/// `taken`: what is to be told, and the redemption it was for.
async fn goods_of(
    db: &impl ConnectionTrait,
    taken: &HashMap<Uuid, Uuid>,
    known: &mut HashMap<Uuid, String>,
) -> Result<(), DbErr> {
    let ids = taken.values().map(|id| RedemptionId(*id));
    let rows = redemption::Entity::find().filter(redemption::Column::Id.is_in(ids)).all(db).await?;
    let names =
        goods::Entity::find().filter(goods::Column::Id.is_in(rows.iter().map(|row| row.goods_id))).all(db).await?;
    let names: HashMap<_, _> = names.into_iter().map(|row| (row.id, row.name)).collect();
    let rows: HashMap<Uuid, redemption::Model> = rows.into_iter().map(|row| (row.id.0, row)).collect();
    for (told, id) in taken {
        let Some((row, name)) = rows.get(id).and_then(|row| Some((row, names.get(&row.goods_id)?))) else { continue };
        let more = if row.line_count > 1 { format!(" 等{}项", row.line_count) } else { String::new() };
        known.insert(*told, format!("{name} ×{}{more}", row.quantity));
    }
    Ok(())
}
