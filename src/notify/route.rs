//! `/me/inbox`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::id::InboxMessageId;
use sea_orm::DbErr;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::inbox::{self, InboxQuery, MessageView};
use crate::app::State;
use crate::http::{Call, Listing, Page, Params, PathId, Problem};
use crate::identity::{Caller, Nothing};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list).service(read_all).service(read_one);
}

/// The caller's messages, newest first.
#[utoipa::path(tag = "members", params(InboxQuery, Page), responses((status = 200, body = Listing<MessageView>)))]
#[get("/me/inbox")]
async fn list(
    state: State,
    caller: Caller,
    params: Params<InboxQuery>,
) -> Result<web::Json<Listing<MessageView>>, Problem> {
    let member = caller.member()?.id;
    let query = params.checked()?;
    Ok(web::Json(inbox::list(state.db.lookup(), member, &query).await?))
}

/// How many were marked.
#[derive(Serialize, ToSchema)]
struct Marked {
    marked: u64,
}

/// Mark all messages as read.
#[utoipa::path(tag = "members", responses((status = 200, body = Marked)))]
#[post("/me/inbox/reading")]
async fn read_all(state: State, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let member = call.caller.member()?.id;
    let (_, once) = call.admit(async || Ok(())).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::OK, async move |txn| {
        Ok::<_, DbErr>(Marked { marked: inbox::mark_read(txn, member, None, now).await? })
    })
    .await
}

/// Mark a message as read.
#[utoipa::path(tag = "members", responses((status = 200, body = MessageView)))]
#[post("/me/inbox/{message_id}/reading")]
async fn read_one(state: State, id: PathId<InboxMessageId>, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let (member, id) = (call.caller.member()?.id, *id);
    // Messages are never taken away but with their member, so what is found here is found below.
    if inbox::find(state.db.lookup(), member, id).await?.is_none() {
        return Err(Problem::not_found());
    }
    let (_, once) = call.admit(async || Ok(())).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::OK, async move |txn| {
        inbox::mark_read(txn, member, Some(id), now).await?;
        Ok::<_, DbErr>(inbox::find(txn, member, id).await?.map(MessageView::from))
    })
    .await
}
