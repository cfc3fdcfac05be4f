//! Erasing a person (个人信息保护法 art. 47): who they are goes, what was done stays under an id that nobody can resolve.
//!
//! This is the one service that looks into all rooms' tables: what is a person's data is not one room's to say.

use chrono::{DateTime, Utc};
use entity::claim::ClaimStatus;
use entity::id::MemberId;
use entity::merit::MeritStatus;
use entity::redemption::RedemptionStatus;
use entity::service_record::RecordStatus;
use entity::wish::WishStatus;
use entity::{
    availability, claim, inbox_message, member, member_identity, member_skill, merit, offer, redemption,
    redemption_share, service_record, staff, wish,
};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType,
    PaginatorTrait as _, QueryFilter as _, QuerySelect as _, RelationDef,
};

use super::consents;
use super::error::IdentityError;
use super::session::{self, Holder};
use crate::audit::{self, Actor, AuditEvent};
use crate::photo;
use crate::taxonomy;

/// What a wish of an erased person says instead of its own words.
const ERASED_TITLE: &str = "（已注销）";

/// Erases `member`, at their own wish.
///
/// # Errors
/// [`IdentityError::OpenCommitments`] while others rely on something: goods put aside, a claim, a wish that somebody is
/// about to fulfil, a record that waits for verification.
pub async fn erase(db: &impl ConnectionTrait, member: MemberId, now: DateTime<Utc>) -> Result<(), IdentityError> {
    let open = commitments(db, member).await?;
    if !open.is_empty() {
        return Err(IdentityError::OpenCommitments(open.join("、")));
    }
    crate::household::forget(db, member, now).await?;
    forget_rows(db, member).await?;
    forget_words(db, member).await?;
    consents::withdraw_all(db, member, now).await?;
    session::end_all(db, Holder::Member(member), now).await?;
    blank(member, now).update(db).await?;
    audit::record(db, AuditEvent::new(Actor::Member(member), "member.erase", "member", now).of(member)).await?;
    Ok(())
}

/// The row without the person. The community and the unit stay: boards and books are kept by them, and they name nobody.
fn blank(member: MemberId, now: DateTime<Utc>) -> member::ActiveModel {
    member::ActiveModel {
        id: Set(member),
        ref_id: Set(None),
        name: Set(None),
        phone_sealed: Set(None),
        phone_index: Set(None),
        gender: Set(None),
        birth_year: Set(None),
        is_resident: Set(false),
        is_volunteer: Set(false),
        is_party_member: Set(false),
        group_no: Set(None),
        max_hours_week: Set(None),
        special_group_sealed: Set(None),
        home_sealed: Set(None),
        registered_on: Set(None),
        named_on_boards: Set(false),
        offers_paused: Set(false),
        updated_at: Set(now),
        erased_at: Set(Some(now)),
        ..Default::default()
    }
}

/// What is open, with its number, in words.
async fn commitments(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<String>, DbErr> {
    let reserved = redemption::Entity::find()
        .filter(redemption::Column::MemberId.eq(id))
        .filter(redemption::Column::Status.eq(RedemptionStatus::Reserved))
        .count(db)
        .await?;
    let open = [ClaimStatus::Accepted, ClaimStatus::CheckedIn];
    let claims = claim::Entity::find()
        .filter(claim::Column::MemberId.eq(id))
        .filter(claim::Column::Status.is_in(open))
        .count(db)
        .await?;
    let over = [WishStatus::Confirmed, WishStatus::Rejected, WishStatus::Cancelled, WishStatus::Expired];
    let wishes = wish::Entity::find()
        .filter(wish::Column::RequesterId.eq(id))
        .filter(wish::Column::Status.is_not_in(over))
        .count(db)
        .await?;
    let records = service_record::Entity::find()
        .filter(service_record::Column::MemberId.eq(id))
        .filter(service_record::Column::Status.is_in([RecordStatus::Pending, RecordStatus::Disputed]))
        .count(db)
        .await?;
    let merits = merit::Entity::find()
        .filter(merit::Column::MemberId.eq(id))
        .filter(merit::Column::Status.eq(MeritStatus::Pending))
        .count(db)
        .await?;
    let paid: RelationDef = redemption_share::Entity::belongs_to(redemption::Entity)
        .from(redemption_share::Column::RedemptionId)
        .to(redemption::Column::Id)
        .into();
    let shares = redemption_share::Entity::find()
        .join(JoinType::InnerJoin, paid)
        .filter(redemption_share::Column::MemberId.eq(id))
        .filter(redemption::Column::MemberId.ne(id))
        .filter(redemption::Column::Status.eq(RedemptionStatus::Reserved))
        .count(db)
        .await?;
    let counted = [
        (reserved, "待领取的兑换"),
        (shares, "为家人支付、待领取的兑换"),
        (claims, "进行中的认领"),
        (wishes, "未了结的微心愿"),
        (records, "待核实的服务记录"),
        (merits, "待审核的捐赠、事件或评分"),
        (crate::listing::ending::open_of(db, id).await?, "未结束的清单条目"),
        (crate::listing::personal::live_bookings(db, id).await?, "未了结的预约"),
    ];
    Ok(counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{name} {count} 项")).collect())
}

/// Rows that are about the person and nothing else.
async fn forget_rows(db: &impl ConnectionTrait, id: MemberId) -> Result<(), DbErr> {
    member_identity::Entity::delete_many().filter(member_identity::Column::MemberId.eq(id)).exec(db).await?;
    member_skill::Entity::delete_many().filter(member_skill::Column::MemberId.eq(id)).exec(db).await?;
    availability::Entity::delete_many().filter(availability::Column::MemberId.eq(id)).exec(db).await?;
    inbox_message::Entity::delete_many().filter(inbox_message::Column::MemberId.eq(id)).exec(db).await?;
    photo::service::forget_member(db, id).await?;
    taxonomy::qualification::forget(db, id).await?;
    let offers = offer::Entity::update_many().filter(offer::Column::MemberId.eq(id));
    offers.col_expr(offer::Column::Ordering, Expr::value(serde_json::json!([]))).exec(db).await?;
    let accounts = staff::Entity::update_many().filter(staff::Column::MemberId.eq(id));
    accounts.col_expr(staff::Column::MemberId, Expr::value(Option::<uuid::Uuid>::None)).exec(db).await?;
    Ok(())
}

/// What the person wrote, and what others wrote about them, where it could say who they are. A task made from a wish has
/// its words too.
async fn forget_words(db: &impl ConnectionTrait, id: MemberId) -> Result<(), DbErr> {
    use entity::{gift, task};
    use wish::Column;
    let nothing = || Expr::value(Option::<String>::None);
    let mut theirs: Vec<uuid::Uuid> = wish::Entity::find()
        .filter(Column::RequesterId.eq(id))
        .all(db)
        .await?
        .into_iter()
        .map(|row| row.id.0)
        .collect();
    theirs.extend(crate::listing::personal::forget(db, id).await?);
    wish::Entity::update_many()
        .filter(Column::RequesterId.eq(id))
        .col_expr(Column::RefId, nothing())
        .col_expr(Column::Title, Expr::value(ERASED_TITLE))
        .col_expr(Column::Body, Expr::value(ERASED_TITLE))
        .col_expr(Column::Comment, nothing())
        .col_expr(Column::Reason, nothing())
        .col_expr(Column::AddressSealed, no_bytes())
        .col_expr(Column::SpecialGroupSealed, no_bytes())
        .col_expr(Column::Lat, Expr::value(Option::<f64>::None))
        .col_expr(Column::Lon, Expr::value(Option::<f64>::None))
        .exec(db)
        .await?;
    let guesses = entity::wish_guess::Entity::delete_many();
    guesses.filter(entity::wish_guess::Column::WishId.is_in(theirs.clone())).exec(db).await?;
    task::Entity::update_many()
        .filter(task::Column::SourceId.is_in(theirs))
        .col_expr(task::Column::Title, Expr::value(ERASED_TITLE))
        .col_expr(task::Column::Body, Expr::value(ERASED_TITLE))
        .col_expr(task::Column::Lat, Expr::value(Option::<f64>::None))
        .col_expr(task::Column::Lon, Expr::value(Option::<f64>::None))
        .exec(db)
        .await?;
    merit::Entity::update_many()
        .filter(merit::Column::MemberId.eq(id))
        .col_expr(merit::Column::Description, nothing())
        .col_expr(merit::Column::Reason, nothing())
        .col_expr(merit::Column::DisputeReason, nothing())
        .col_expr(merit::Column::DisputeAnswer, nothing())
        .exec(db)
        .await?;
    let gifts = gift::Entity::update_many().filter(gift::Column::GiverId.eq(id));
    gifts.col_expr(gift::Column::Message, nothing()).exec(db).await?;
    let gifts = gift::Entity::update_many();
    let theirs = sea_orm::Condition::any().add(gift::Column::GiverId.eq(id)).add(gift::Column::ReceiverId.eq(id));
    gifts.filter(theirs).col_expr(gift::Column::Reason, nothing()).exec(db).await?;
    let claims = claim::Entity::update_many().filter(claim::Column::MemberId.eq(id));
    claims.col_expr(claim::Column::Reason, nothing()).exec(db).await?;
    Ok(())
}

fn no_bytes() -> SimpleExpr {
    Expr::value(Option::<Vec<u8>>::None)
}
