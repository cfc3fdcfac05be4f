//! Everything that is kept about a member, for that member (个人信息保护法 art. 45).
//!
//! Like erasure it looks into all rooms' tables: what is a person's data is not one room's to say.

use chrono::{DateTime, Utc};
use entity::id::MemberId;
use entity::{
    account, assignment_pair, audit, claim, due, entry, gift, household, household_member, inbox_message, journal,
    member_identity, offer, opening_balance, redemption, redemption_line, redemption_share, reporting, service_record,
    voucher, wish,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::consents::ConsentView;
use super::error::IdentityError;
use super::me::{ReportingView, find};
use super::profile::{self, Clarity, MemberView};
use crate::crypto::Keys;
use crate::http::decimal;
use crate::notify::inbox::MessageView;
use crate::task::view::OfferView;
use crate::taxonomy;
use crate::taxonomy::view::QualificationView;

/// Under which wishes keep the address they were given.
const WISH_ADDRESS: &str = "wish.address";
/// Under which the codes of vouchers are kept.
const VOUCHER_CODE: &str = "voucher.code";

/// All that is kept about a member.
#[derive(Serialize, ToSchema)]
pub struct Export {
    exported_at: DateTime<Utc>,
    profile: MemberView,
    /// Ways to sign in beside the phone.
    identities: Vec<Value>,
    consents: Vec<ConsentView>,
    reportings: Vec<ReportingView>,
    /// Those the member belongs or belonged to, or was invited to.
    households: Vec<Value>,
    /// Points given to others and received from them; of the other one only the id.
    gifts: Vec<Value>,
    wishes: Vec<Value>,
    /// Needs, resources and services that the member put on the lists.
    listings: Vec<Value>,
    bookings: Vec<Value>,
    claims: Vec<Value>,
    /// Licences, trainings and insurance.
    qualifications: Vec<QualificationView>,
    /// Plans of staff in which the member stood, for which task and with which score.
    assignments: Vec<Value>,
    service_records: Vec<Value>,
    /// Donations, events and household scores.
    merits: Vec<Value>,
    /// Photos that the member uploaded or that are about the member; each is fetched by its id.
    photos: Vec<Value>,
    /// Hours carried over from an older system.
    opening_balances: Vec<Value>,
    points_entries: Vec<Value>,
    /// Points that waited, or wait, for a budget.
    dues: Vec<Value>,
    redemptions: Vec<Value>,
    /// What the member paid of redemptions of the household, their own ones too.
    redemption_shares: Vec<Value>,
    /// Codes that the member's redemptions have.
    vouchers: Vec<Value>,
    inbox: Vec<MessageView>,
    /// Who opened the member's data, when and why.
    disclosures: Vec<Value>,
}

/// Collects it.
///
/// # Errors
/// [`IdentityError::NotFound`], [`IdentityError::Sealed`]; the database's.
pub async fn collect(
    db: &impl ConnectionTrait,
    keys: &Keys,
    id: MemberId,
    now: DateTime<Utc>,
) -> Result<Export, IdentityError> {
    let member = find(db, id).await?;
    let own = |row: &inbox_message::Model| MessageView::from(row.clone());
    let inbox = inbox_message::Entity::find().filter(inbox_message::Column::MemberId.eq(id)).all(db).await?;
    let reportings = reporting::Entity::find().filter(reporting::Column::MemberId.eq(id)).all(db).await?;
    Ok(Export {
        exported_at: now,
        profile: profile::one(db, keys, member, Clarity::Own).await?,
        identities: identities(db, id).await?,
        consents: super::consents::of(db, id).await?.into_iter().map(ConsentView::from).collect(),
        reportings: reportings.into_iter().map(ReportingView::from).collect(),
        households: households(db, id).await?,
        gifts: gifts(db, id).await?,
        wishes: wishes(db, keys, id).await?,
        listings: crate::listing::personal::listings(db, id).await?,
        bookings: crate::listing::personal::bookings(db, id).await?,
        claims: claims(db, id).await?,
        qualifications: taxonomy::qualification::of(db, keys, id, true, now.date_naive()).await?,
        assignments: assignments(db, id).await?,
        service_records: records(db, id).await?,
        merits: crate::merit::exported(db, id).await?,
        photos: crate::photo::service::exported(db, id).await?,
        opening_balances: openings(db, id).await?,
        points_entries: entries(db, id).await?,
        dues: dues(db, id).await?,
        redemptions: redemptions(db, id).await?,
        redemption_shares: redemption_shares(db, id).await?,
        vouchers: vouchers(db, keys, id).await?,
        inbox: inbox.iter().map(own).collect(),
        disclosures: disclosures(db, id).await?,
    })
}

async fn identities(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows = member_identity::Entity::find().filter(member_identity::Column::MemberId.eq(id)).all(db).await?;
    Ok(rows.into_iter().map(|row| json!({"kind": row.kind, "since": row.created_at})).collect())
}

async fn households(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    use household_member::{Column, Entity};
    let places = Entity::find().filter(Column::MemberId.eq(id)).order_by_asc(Column::HouseholdId).all(db).await?;
    let ids = places.iter().map(|place| place.household_id);
    let homes = household::Entity::find().filter(household::Column::Id.is_in(ids)).all(db).await?;
    let show = |place: household_member::Model| {
        let household = homes.iter().find(|household| household.id == place.household_id);
        json!({
            "id": place.household_id, "name": household.map(|household| household.name.clone()), "role": place.role,
            "status": place.status, "pools": place.pools, "invited_at": place.invited_at, "joined_at": place.joined_at,
            "left_at": place.left_at,
        })
    };
    Ok(places.into_iter().map(show).collect())
}

async fn gifts(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    use gift::{Column, Entity, Model};
    let theirs = sea_orm::Condition::any().add(Column::GiverId.eq(id)).add(Column::ReceiverId.eq(id));
    let rows = Entity::find().filter(theirs).order_by_asc(Column::Id).all(db).await?;
    let show = |row: Model| {
        json!({
            "id": row.id, "programme": row.programme, "from": row.giver_id, "to": row.receiver_id,
            "amount": decimal(row.amount), "message": row.message, "at": row.given_at, "reversed_at": row.reversed_at,
            "reason": row.reason,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn wishes(db: &impl ConnectionTrait, keys: &Keys, id: MemberId) -> Result<Vec<Value>, IdentityError> {
    let rows =
        wish::Entity::find().filter(wish::Column::RequesterId.eq(id)).order_by_asc(wish::Column::Id).all(db).await?;
    rows.into_iter()
        .map(|row| {
            let address = row.address_sealed.as_deref().map(|sealed| keys.open(WISH_ADDRESS, sealed)).transpose()?;
            Ok(json!({
                "id": row.id, "ref": row.ref_id, "title": row.title, "body": row.body, "category": row.category,
                "region_code": row.region_code, "slots": row.slots, "status": row.status,
                "window": {"from": row.window_from, "until": row.window_until}, "lat": row.lat, "lon": row.lon,
                "address": address.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                "reason": row.reason, "rating": row.rating, "comment": row.comment, "created_at": row.created_at,
                "confirmed_at": row.confirmed_at, "domain": row.domain,
            }))
        })
        .collect()
}

async fn claims(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows =
        claim::Entity::find().filter(claim::Column::MemberId.eq(id)).order_by_asc(claim::Column::Id).all(db).await?;
    let offers = offer::Entity::find().filter(offer::Column::MemberId.eq(id)).all(db).await?;
    let show = |row: claim::Model| {
        let offer = offers.iter().find(|offer| offer.claim_id == row.id).map(OfferView::from);
        json!({
            "id": row.id, "task_id": row.task_id, "status": row.status, "created_at": row.created_at,
            "accepted_at": row.accepted_at, "checked_in_at": row.checked_in_at, "checked_out_at": row.checked_out_at,
            "reason": row.reason, "offer": offer,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn assignments(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    use assignment_pair::{Column, Entity, Model};
    let rows = Entity::find().filter(Column::MemberId.eq(id)).order_by_asc(Column::AssignmentId).all(db).await?;
    let show = |row: Model| {
        json!({
            "assignment_id": row.assignment_id, "task_id": row.task_id, "score": row.score, "outcome": row.outcome,
            "claim_id": row.claim_id,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn records(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    use service_record::{Column, Entity, Model};
    let rows = Entity::find().filter(Column::MemberId.eq(id)).order_by_asc(Column::StartedAt).all(db).await?;
    let show = |row: Model| {
        json!({
            "id": row.id, "ref": row.ref_id, "category": row.category, "started_at": row.started_at,
            "ended_at": row.ended_at, "minutes": row.minutes, "evidence": row.evidence, "status": row.status,
            "points": row.points.map(decimal), "reason": row.reason, "verified_at": row.verified_at,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn openings(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows = opening_balance::Entity::find().filter(opening_balance::Column::MemberId.eq(id)).all(db).await?;
    Ok(rows.into_iter().map(|row| json!({"as_of": row.as_of, "minutes": row.minutes})).collect())
}

async fn entries(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let accounts = account::Entity::find().filter(account::Column::MemberId.eq(id)).all(db).await?;
    let accounts: Vec<_> = accounts.into_iter().map(|row| row.id).collect();
    let lines = entry::Entity::find().filter(entry::Column::AccountId.is_in(accounts)).all(db).await?;
    let mut shown = Vec::with_capacity(lines.len());
    // Some hundred values a statement: a long history must not hit the databases' limit.
    for chunk in lines.chunks(500) {
        let ids: Vec<_> = chunk.iter().map(|line| line.journal_id).collect();
        let journals = journal::Entity::find().filter(journal::Column::Id.is_in(ids)).all(db).await?;
        for line in chunk {
            let cause = journals.iter().find(|journal| journal.id == line.journal_id);
            shown.push(json!({
                "amount": decimal(line.amount), "expires_on": line.expires_on,
                "at": cause.map(|journal| journal.at), "programme": cause.map(|journal| journal.programme.clone()),
                "kind": cause.map(|journal| journal.kind), "reason": cause.and_then(|journal| journal.reason.clone()),
            }));
        }
    }
    Ok(shown)
}

async fn dues(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows = due::Entity::find().filter(due::Column::MemberId.eq(id)).order_by_asc(due::Column::Id).all(db).await?;
    let show = |row: due::Model| {
        json!({
            "id": row.id, "programme": row.programme, "amount": decimal(row.amount), "source_kind": row.source_kind,
            "source_id": row.source_id, "at": row.at, "status": row.status, "ended_at": row.ended_at,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn redemptions(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows = redemption::Entity::find().filter(redemption::Column::MemberId.eq(id)).all(db).await?;
    let further = redemption_line::Entity::find().filter(redemption_line::Column::MemberId.eq(id)).all(db).await?;
    let line = |row: &redemption_line::Model| {
        json!({
            "line": row.line, "goods_id": row.goods_id, "quantity": row.quantity, "points": decimal(row.points),
            "slot_id": row.slot_id,
        })
    };
    let show = |row: redemption::Model| {
        let lines: Vec<_> = further.iter().filter(|line| line.redemption_id == row.id).map(line).collect();
        json!({
            "id": row.id, "ref": row.ref_id, "goods_id": row.goods_id, "station_id": row.station_id,
            "quantity": row.quantity, "points": decimal(row.points), "status": row.status, "slot_id": row.slot_id,
            "further_lines": lines, "created_at": row.created_at, "expires_at": row.expires_at,
            "fulfilled_at": row.fulfilled_at, "ended_at": row.ended_at, "reason": row.reason,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn redemption_shares(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    let rows = redemption_share::Entity::find().filter(redemption_share::Column::MemberId.eq(id)).all(db).await?;
    let show = |row: redemption_share::Model| json!({"id": row.id, "redemption_id": row.redemption_id, "points": decimal(row.points)});
    Ok(rows.into_iter().map(show).collect())
}

async fn vouchers(db: &impl ConnectionTrait, keys: &Keys, id: MemberId) -> Result<Vec<Value>, IdentityError> {
    use voucher::{Column, Entity, VoucherStatus};
    let theirs = redemption::Entity::find()
        .select_only()
        .column(redemption::Column::Id)
        .filter(redemption::Column::MemberId.eq(id))
        .into_query();
    let given = Entity::find()
        .filter(Column::RedemptionId.in_subquery(theirs))
        .filter(Column::Status.eq(VoucherStatus::Given))
        .order_by_asc(Column::GivenAt)
        .all(db)
        .await?;
    given
        .into_iter()
        .map(|row| {
            let code = keys.open(VOUCHER_CODE, &row.code_sealed)?;
            Ok(json!({
                "redemption_id": row.redemption_id, "goods_id": row.goods_id, "given_at": row.given_at,
                "code": String::from_utf8_lossy(&code), "expires_on": row.expires_on,
            }))
        })
        .collect()
}

async fn disclosures(db: &impl ConnectionTrait, id: MemberId) -> Result<Vec<Value>, DbErr> {
    use audit::{AuditOutcome, Column, Entity, Model};
    let rows = Entity::find()
        .filter(Column::ObjectKind.eq("member"))
        .filter(Column::ObjectId.eq(id.to_string()))
        .filter(Column::Action.eq("member.disclose"))
        .filter(Column::Outcome.eq(AuditOutcome::Done))
        .order_by_asc(Column::At)
        .all(db)
        .await?;
    let reason = |row: &Model| row.detail.as_ref().and_then(|detail| detail.get("reason").cloned());
    Ok(rows.iter().map(|row| json!({"at": row.at, "staff_id": row.actor_id, "reason": reason(row)})).collect())
}
