//! The calls on listings.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::TimeDelta;
use entity::id::{ListingId, WishId};
use entity::list_profile_list::Holds;
use entity::list_project::ProjectStatus;
use entity::listing::{self, ListingKind};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::body::{ChangeListing, ListingReason, PostListing, PublishListing, ReopenListing};
use super::error::ListingError;
use super::finding;
use super::match_view::{AskerMatchView, ListingMatchView, MatchQuery, Matches};
use super::meaning::Meaning;
use super::opening::{MOST_DAYS, Opening};
use super::outcome::OutcomeView;
use super::project::ProjectView;
use super::query::{self, ListingQuery, OpeningQuery};
use super::service::{self, By};
use super::view::{ListingView, OpeningView};
use super::{ending, intake, outcome, profile, project, round};
use crate::app::{AppState, State};
use crate::audit::{self, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Listing, Once, Page, Params, PathId, Problem};
use crate::identity::Caller;
use crate::region::Subtree;
use crate::taxonomy;
use crate::wish::service as wishes;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(profile::get_profile)
        .service(profile::put_profile)
        .service(profile::delete_profile)
        .service(project::list_projects)
        .service(project::post_project)
        .service(project::get_project)
        .service(project::patch_project)
        .service(list_listings)
        .service(post_listing)
        .service(get_listing)
        .service(change_listing)
        .service(publish_listing)
        .service(close_listing)
        .service(withdraw_listing)
        .service(reopen_listing)
        .service(list_openings)
        .service(match_listing)
        .service(match_wish);
    super::booking_route::routes(config);
}

/// What stands on a list: listings, or, by a list that holds them, outcomes or projects.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Listed {
    Listing(Box<ListingView>),
    Outcome(OutcomeView),
    Project(ProjectView),
}

/// Who moves listings: members with a complete profile, clerks and managers.
pub(super) fn mover(caller: &Caller) -> Result<By, Problem> {
    match caller {
        Caller::Member(_) => Ok(By::Member(caller.resident()?)),
        Caller::Staff(_) => Ok(By::Staff((*caller.clerk()?).clone())),
    }
}

/// The lists: published listings of the district for members (and their own, and what they have booked), all of the subtree for
/// staff. With `list`, a code of the region's profile, what stands on that list, which may be outcomes or projects.
#[utoipa::path(tag = "listing", params(ListingQuery, Page), responses((status = 200, body = Listing<Listed>)))]
#[get("/listings")]
async fn list_listings(
    state: State,
    caller: Caller,
    params: Params<ListingQuery>,
) -> Result<web::Json<Listing<Listed>>, Problem> {
    let mut query = params.checked()?;
    let db = state.db.lookup();
    if let Some(code) = &query.list {
        let region = query.region.clone().or_else(|| profile::home(&caller));
        let holds = match &region {
            Some(region) => profile::of(db, region).await?.holds(code),
            None => None,
        };
        let unknown = || Problem::invalid("list", "invalid", "本区没有这个清单，请从清单设置（list-profiles）中选择");
        match holds.ok_or_else(unknown)? {
            Holds::Need => query.kind = Some(ListingKind::Need),
            Holds::Resource => query.kind = Some(ListingKind::Resource),
            Holds::Service => query.kind = Some(ListingKind::Service),
            Holds::Outcome => {
                let found = outcome::page(db, &caller, query.region.as_ref(), query.category, &query.page).await?;
                return Ok(web::Json(found.map(Listed::Outcome)));
            }
            Holds::Project => {
                let open = Some(ProjectStatus::Open);
                let found = project::page(db, &caller, query.region.as_ref(), open, &query.page).await?;
                return Ok(web::Json(found.map(Listed::Project)));
            }
        }
    }
    let found = query::listings(db, &caller, &query).await?;
    Ok(web::Json(found.map(|view| Listed::Listing(Box::new(view)))))
}

/// Post a need, a resource or a service, as a draft that a manager reviews. Members post their own; clerks and managers those of
/// communities, units, stations and, for who has no phone, members.
#[utoipa::path(tag = "listing", request_body = PostListing, responses((status = 201, body = ListingView)))]
#[post("/listings")]
async fn post_listing(state: State, call: Call<PostListing>) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit(async || Ok(())).await?;
    let new = body.read(&state.keys, by.member())?;
    let (calendar, now) = (state.calendar, state.clock.now());
    answer(&state, once, StatusCode::CREATED, caller, async move |txn| {
        intake::post(txn, calendar, &by, new.clone(), now).await
    })
    .await
}

/// One need, resource or service.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path)), responses((status = 200, body = ListingView)))]
#[get("/listings/{listing_id}")]
async fn get_listing(state: State, caller: Caller, id: PathId<ListingId>) -> Result<web::Json<ListingView>, Problem> {
    let row = query::listing(state.db.lookup(), &caller, *id).await?;
    Ok(web::Json(query::detail(state.db.lookup(), &state.keys, &caller, row).await?))
}

/// Change a draft, for its owner and staff, or a published one, for staff.
///
/// 409 `has_bookings` where live bookings would not fit any more.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path)), request_body = ChangeListing, responses((status = 200, body = ListingView)))]
#[patch("/listings/{listing_id}")]
async fn change_listing(
    state: State,
    id: PathId<ListingId>,
    call: Call<ChangeListing>,
) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller, *id)).await?;
    let change = body.read(&state.keys);
    let (id, calendar, now, tasks) = (*id, state.calendar, state.clock.now(), round::draw());
    moved(&state, once, caller, (id, "listing.change"), async move |txn| {
        intake::change(txn, calendar, &by, id, change.clone(), &tasks, now).await
    })
    .await
}

/// Review a draft and put it on the list. A need's openings of the next days become tasks that volunteers claim. For managers, but not
/// for one's own.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path)), request_body = PublishListing, responses((status = 200, body = ListingView)))]
#[post("/listings/{listing_id}/publication")]
async fn publish_listing(
    state: State,
    id: PathId<ListingId>,
    call: Call<PublishListing>,
) -> Result<HttpResponse, Problem> {
    let (manager, caller) = (call.caller.manager()?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller, *id)).await?;
    let publication = body.read();
    let (id, calendar, now, tasks) = (*id, state.calendar, state.clock.now(), round::draw());
    moved(&state, once, caller, (id, "listing.publish"), async move |txn| {
        intake::publish(txn, calendar, &manager, id, publication.clone(), &tasks, now).await
    })
    .await
}

/// Give no more of it: who waits is let go, what is booked or claimed stays. For its owner, clerks and managers.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path)), request_body = ListingReason, responses((status = 200, body = ListingView)))]
#[post("/listings/{listing_id}/closing")]
async fn close_listing(
    state: State,
    id: PathId<ListingId>,
    call: Call<ListingReason>,
) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    moved(&state, once, caller, (id, "listing.close"), async move |txn| {
        ending::close(txn, &by, id, body.reason.as_deref(), now).await
    })
    .await
}

/// Take it back with what is booked and claimed; everybody concerned is told. For its owner, clerks and managers.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path)), request_body = ListingReason, responses((status = 200, body = ListingView)))]
#[post("/listings/{listing_id}/withdrawal")]
async fn withdraw_listing(
    state: State,
    id: PathId<ListingId>,
    call: Call<ListingReason>,
) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller, *id)).await?;
    let (id, now) = (*id, state.clock.now());
    moved(&state, once, caller, (id, "listing.withdraw"), async move |txn| {
        ending::withdraw(txn, &by, id, body.reason.as_deref(), now).await
    })
    .await
}

/// Put an ended one up again: staff at once, its owner as a draft for another review. Where its window is over, `window` is needed.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path)), request_body = ReopenListing, responses((status = 200, body = ListingView)))]
#[post("/listings/{listing_id}/reopening")]
async fn reopen_listing(
    state: State,
    id: PathId<ListingId>,
    call: Call<ReopenListing>,
) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller, *id)).await?;
    let window = body.window.map(Opening::from);
    let (id, calendar, now, tasks) = (*id, state.calendar, state.clock.now(), round::draw());
    moved(&state, once, caller, (id, "listing.reopen"), async move |txn| {
        ending::reopen(txn, calendar, &by, id, window, &tasks, now).await
    })
    .await
}

/// When it is open and what is left of it, earliest first.
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path), OpeningQuery, Page), responses((status = 200, body = Listing<OpeningView>)))]
#[get("/listings/{listing_id}/openings")]
async fn list_openings(
    state: State,
    caller: Caller,
    id: PathId<ListingId>,
    params: Params<OpeningQuery>,
) -> Result<web::Json<Listing<OpeningView>>, Problem> {
    let row = query::listing(state.db.lookup(), &caller, *id).await?;
    let query = params.checked()?;
    let now = state.clock.now();
    let from = query.from.map_or(now, |from| *from);
    let until = match query.until {
        Some(until) => *until,
        None => from.checked_add_signed(TimeDelta::days(14)).unwrap_or(from),
    };
    if until <= from || until - from > TimeDelta::days(MOST_DAYS) {
        let words = "结束时间须晚于开始时间，且相距不超过 92 天，请缩短";
        return Err(Problem::invalid("until", "out_of_range", words));
    }
    let found = query::openings(state.db.lookup(), state.calendar, &row, (from, until), &query.page, now).await?;
    Ok(web::Json(found))
}

/// What a resource or service would meet, or, of a need, what would meet it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ListingMatches {
    Askers(Matches<AskerMatchView>),
    Listings(Matches<ListingMatchView>),
}

/// The wishes and needs that a resource or service would meet, best first; of a need, the resources and services that would meet
/// it. For its owner and staff. An empty list says why (`reason`).
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path), MatchQuery), responses((status = 200, body = ListingMatches)))]
#[get("/listings/{listing_id}/matches")]
async fn match_listing(
    state: State,
    caller: Caller,
    id: PathId<ListingId>,
    params: Params<MatchQuery>,
) -> Result<web::Json<ListingMatches>, Problem> {
    let row = query::listing(state.db.lookup(), &caller, *id).await?;
    if let Caller::Member(member) = &caller
        && row.member_id != Some(member.id)
    {
        return Err(Problem::forbidden("匹配结果只对提供者本人和工作人员开放"));
    }
    let limit = params.checked()?.limit();
    let meaning = meaning(&state).await?;
    let (db, calendar, now) = (state.db.read(), state.calendar, state.clock.now());
    let staff = subtree(&caller);
    let found = if row.kind == ListingKind::Need {
        ListingMatches::Listings(finding::for_need(db, &meaning, calendar, row, (staff, limit), now).await?)
    } else {
        ListingMatches::Askers(finding::for_listing(db, &meaning, calendar, row, (staff, limit), now).await?)
    };
    Ok(web::Json(found))
}

/// The resources and services that would meet a wish, best first, with the opening to book. For its requester and staff. An empty
/// list says why (`reason`).
#[utoipa::path(tag = "listing", params(("wish_id" = WishId, Path), MatchQuery), responses((status = 200, body = Matches<ListingMatchView>)))]
#[get("/wishes/{wish_id}/listings")]
async fn match_wish(
    state: State,
    caller: Caller,
    id: PathId<WishId>,
    params: Params<MatchQuery>,
) -> Result<web::Json<Matches<ListingMatchView>>, Problem> {
    let wish = wishes::find(state.db.lookup(), &caller.scope(), *id).await?;
    if let Caller::Member(member) = &caller
        && wish.requester_id != member.id
    {
        return Err(Problem::forbidden("匹配结果只对求助人本人和工作人员开放"));
    }
    let limit = params.checked()?.limit();
    let meaning = meaning(&state).await?;
    let skills = wishes::skills_of(state.db.lookup(), wish.id).await?;
    let (db, calendar, now) = (state.db.read(), state.calendar, state.clock.now());
    Ok(web::Json(finding::for_wish(db, &meaning, calendar, (&wish, &skills), (subtree(&caller), limit), now).await?))
}

/// Where staff see what they look for.
fn subtree(caller: &Caller) -> Option<Subtree> {
    match caller {
        Caller::Staff(staff) => Some(staff.subtree()),
        Caller::Member(_) => None,
    }
}

async fn meaning(state: &AppState) -> Result<Meaning, Problem> {
    let words = taxonomy::guesser(state).await?;
    Ok(Meaning::load(state.db.lookup(), words).await?)
}

/// The 404 of a listing.
pub(super) fn exists<'a>(
    state: &'a AppState,
    caller: &'a Caller,
    id: ListingId,
) -> impl AsyncFnOnce() -> Result<(), Problem> + 'a {
    async move || service::find(state.db.lookup(), caller, id).await.map(drop).map_err(Into::into)
}

/// Runs a command on a listing and answers with the listing as its mover may see it.
async fn answer<F>(
    state: &AppState,
    once: Once,
    status: StatusCode,
    caller: Caller,
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<listing::Model, ListingError> + Send + 'static,
{
    let keys = state.keys.clone();
    once.run(state, status, async move |txn: &Txn| {
        let row = command(txn).await?;
        Ok::<_, ListingError>(query::detail(txn, &keys, &caller, row).await?)
    })
    .await
}

/// The same for one that is there already; staff of elsewhere leave a trace.
async fn moved<F>(
    state: &AppState,
    once: Once,
    caller: Caller,
    (id, action): (ListingId, &'static str),
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<listing::Model, ListingError> + Send + 'static,
{
    let outcome = answer(state, once, StatusCode::OK, caller.clone(), command).await;
    let Caller::Staff(staff) = &caller else { return outcome };
    let event = AuditEvent::new(caller.audit_actor(), action, "listing", state.clock.now());
    let event = event.of(id).in_region(&staff.region);
    audit::note_elsewhere(&state.db, outcome, event, async || service::exists(state.db.lookup(), id).await).await
}
