//! Telling members what will be gone, the programme's days before it is: once for each account and day, whichever node.

use chrono::{Days, NaiveDate};
use entity::expiry_notice::{ActiveModel, Column, Entity};
use entity::id::{AccountId, MemberId};
use entity::programme;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, QueryFilter as _, Statement,
};

use super::domain::Points;
use crate::app::AppState;
use crate::jobs::{JobError, Lease};
use crate::notify::{self, Message};

const BATCH: u64 = 200;

/// A bucket that nobody was told of yet.
#[derive(Clone, Debug, FromQueryResult)]
struct Due {
    account_id: AccountId,
    expires_on: NaiveDate,
    amount: i64,
    member_id: MemberId,
}

/// What is about to expire in a programme, of people who are still there.
const DUE: &str =
    "SELECT b.account_id AS account_id, b.expires_on AS expires_on, b.amount AS amount, a.member_id AS member_id
FROM bucket b JOIN account a ON a.id = b.account_id JOIN member m ON m.id = a.member_id
WHERE b.amount > 0 AND b.expires_on > $1 AND b.expires_on <= $2 AND a.programme = $3
    AND m.erased_at IS NULL AND m.merged_into IS NULL
    AND NOT EXISTS (SELECT 1 FROM expiry_notice n WHERE n.account_id = b.account_id AND n.expires_on = b.expires_on)
ORDER BY b.account_id, b.expires_on LIMIT ";

/// Tells everybody who has not been told; how many messages there were.
///
/// # Errors
/// The database's.
pub async fn run(state: &AppState, _: &Lease) -> Result<u64, JobError> {
    let today = state.calendar.day_of(state.clock.now());
    let programmes = programme::Entity::find().filter(programme::Column::NoticeDays.gt(0)).all(state.db.read()).await?;
    let mut told = 0;
    for programme in programmes {
        loop {
            let due = due(state.db.read(), &programme, today).await?;
            if due.is_empty() {
                break;
            }
            let (now, programme) = (state.clock.now(), programme.clone());
            let batch = async move |txn: &crate::db::Txn| {
                let mut told = 0;
                for due in &due {
                    told += u64::from(tell(txn, &programme, due, now).await?);
                }
                Ok::<_, DbErr>(told)
            };
            told += state.db.write(batch).await?;
        }
    }
    Ok(told)
}

async fn due(db: &impl ConnectionTrait, programme: &programme::Model, today: NaiveDate) -> Result<Vec<Due>, DbErr> {
    let ahead = u64::try_from(programme.notice_days).unwrap_or(0);
    let last = today.checked_add_days(Days::new(ahead)).unwrap_or(NaiveDate::MAX);
    let values = [today.into(), last.into(), programme.code.as_str().into()];
    let sql = format!("{DUE}{BATCH}");
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Due::from_query_result(row, "")).collect()
}

/// False where another node was faster: the notice is there already.
async fn tell(
    db: &impl ConnectionTrait,
    programme: &programme::Model,
    due: &Due,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<bool, DbErr> {
    let row = ActiveModel {
        account_id: Set(due.account_id),
        expires_on: Set(due.expires_on),
        amount: Set(due.amount),
        told_at: Set(now),
    };
    let known = OnConflict::columns([Column::AccountId, Column::ExpiresOn]).do_nothing().to_owned();
    if Entity::insert(row).on_conflict(known).exec_without_returning(db).await? == 0 {
        return Ok(false);
    }
    let last = due.expires_on.pred_opt().unwrap_or(due.expires_on);
    let words = format!(
        "您的{}有 {} {}将到期，最后一天是 {}，过后自动作废。请在此之前兑换，或到驿站咨询可兑换的商品和服务。",
        programme.name,
        Points::from_hundredths(due.amount),
        programme.unit_name,
        last.format("%Y 年 %-m 月 %-d 日"),
    );
    let message = Message::new("points.expiring", "积分即将到期", words).about("account", due.account_id);
    notify::tell(db, due.member_id, message, now).await?;
    Ok(true)
}
