//! The calls about seals: public, because what nobody sees proves nothing; and a journal's proof for whom it concerns.

use actix_web::{HttpRequest, get, web};
use entity::account;
use entity::id::{JournalId, MemberId};
use entity::{entry, seal};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::proof::{Proof, SealView, proofs};
use crate::app::State;
use crate::crypto::hex;
use crate::http::{Listing, Page, Params, PathCode, PathId, Problem};
use crate::identity::Caller;

/// The routes of seals.
pub(in crate::points) fn routes(config: &mut ServiceConfig) {
    config.service(list_seals).service(get_key).service(get_seal).service(my_proof).service(proof_of_member);
}

/// Why there is no proof yet.
pub struct NotSealed;

impl From<NotSealed> for Problem {
    fn from(_: NotSealed) -> Self {
        Self::conflict("not_sealed_yet", "这笔记账尚未封印，通常在一分钟内完成，请稍后再试")
    }
}

/// The seals, newest first. Needs no token: keep what you see, and nobody can change it unnoticed.
#[utoipa::path(tag = "points", params(Page), responses((status = 200, body = Listing<SealView>)), security(()))]
#[get("/points/seals")]
async fn list_seals(state: State, params: Params<Page>) -> Result<web::Json<Listing<SealView>>, Problem> {
    let page = params.checked()?;
    let mut rows = seal::Entity::find().order_by_desc(seal::Column::No).limit(page.limit() + 1);
    if let Some(no) = page.after::<i64>()? {
        rows = rows.filter(seal::Column::No.lt(no));
    }
    let rows = rows.all(state.db.read()).await?;
    Ok(web::Json(Listing::cut(rows, &page, |row| row.no).map(SealView::from)))
}

/// One seal by its number. Needs no token.
#[utoipa::path(tag = "points", params(("no" = i64, Path)), responses((status = 200, body = SealView)), security(()))]
#[get("/points/seals/{no}")]
async fn get_seal(state: State, no: PathCode) -> Result<web::Json<SealView>, Problem> {
    let plain = no.bytes().all(|byte| byte.is_ascii_digit()) && !no.starts_with('0');
    let no: i64 = no.parse().ok().filter(|_| plain).ok_or_else(Problem::not_found)?;
    let row = seal::Entity::find_by_id(no).one(state.db.read()).await?;
    Ok(web::Json(row.ok_or_else(Problem::not_found)?.into()))
}

/// With what seals are signed.
#[derive(Serialize, ToSchema)]
struct KeyView {
    /// `Ed25519` (RFC 8032).
    algorithm: &'static str,
    /// The first eight bytes of the public key's SHA-256.
    key_id: String,
    /// 32 bytes in hexadecimal.
    public_key: String,
}

/// The public key of the seals. Needs no token.
#[utoipa::path(tag = "points", responses((status = 200, body = KeyView)), security(()))]
#[get("/points/seals/key")]
async fn get_key(state: State) -> web::Json<KeyView> {
    let signer = state.keys.signer(super::PURPOSE);
    web::Json(KeyView { algorithm: "Ed25519", key_id: signer.key_id(), public_key: hex(&signer.public_key()) })
}

/// That one of the member's own postings stands in a seal.
#[utoipa::path(tag = "points", params(("journal_id" = JournalId, Path)), responses((status = 200, body = Proof)))]
#[get("/me/points/entries/{journal_id}/proof")]
async fn my_proof(state: State, caller: Caller, id: PathId<JournalId>) -> Result<web::Json<Proof>, Problem> {
    let member = caller.member()?;
    of(state.db.read(), member.id, *id).await.map(web::Json)
}

/// That one of a member's postings stands in a seal: for the member and staff of the subtree.
#[utoipa::path(tag = "points", params(("member_id" = MemberId, Path), ("journal_id" = JournalId, Path)), responses((status = 200, body = Proof)))]
#[get("/members/{member_id}/points/entries/{journal_id}/proof")]
async fn proof_of_member(
    state: State,
    caller: Caller,
    id: PathId<MemberId>,
    request: HttpRequest,
) -> Result<web::Json<Proof>, Problem> {
    crate::points::route::region_of(&state, &caller.scope(), *id).await?;
    let journal = request.match_info().get("journal_id").and_then(|text| Uuid::try_parse(text).ok());
    of(state.db.read(), *id, JournalId(journal.unwrap_or_default())).await.map(web::Json)
}

async fn of(db: &impl ConnectionTrait, member: MemberId, id: JournalId) -> Result<Proof, Problem> {
    if !concerns(db, member, id).await? {
        return Err(Problem::not_found());
    }
    Ok(proofs(db, &[id]).await?.remove(&id).ok_or(NotSealed)?)
}

/// Whether the journal moved points of the member.
async fn concerns(db: &impl ConnectionTrait, member: MemberId, id: JournalId) -> Result<bool, DbErr> {
    let accounts: Vec<_> = entry::Entity::find()
        .select_only()
        .column(entry::Column::AccountId)
        .filter(entry::Column::JournalId.eq(id))
        .into_tuple::<entity::id::AccountId>()
        .all(db)
        .await?;
    let own = account::Entity::find()
        .filter(account::Column::Id.is_in(accounts))
        .filter(account::Column::MemberId.eq(member))
        .count(db)
        .await?;
    Ok(own > 0)
}
