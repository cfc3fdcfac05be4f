//! The calls on bookings.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use entity::booking;
use entity::id::{BookingId, ListingId, PeriodId, ServiceRecordId};
use utoipa_actix_web::service_config::ServiceConfig;

use super::attendance::{self, Completion};
use super::body::{AttendBooking, CompleteBooking, ListingReason, MakeBooking};
use super::booking::{self as bookings, NewBooking};
use super::error::ListingError;
use super::query::{self, BookingQuery};
use super::route::{exists as listing_exists, mover};
use super::service;
use super::view::BookingView;
use crate::app::{AppState, State};
use crate::audit::{self, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Listing, Once, Page, Params, PathId, Problem, RequiredKey};
use crate::identity::{Caller, Scope};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(make_booking)
        .service(list_bookings)
        .service(list_my_bookings)
        .service(get_booking)
        .service(cancel_booking)
        .service(attend_booking)
        .service(complete_booking)
        .service(miss_booking);
}

/// Book a resource or a service. Members book for themselves; clerks and managers for residents.
///
/// 409 `capacity_exhausted`, unless `waitlist` is true: then the booking waits (`waiting`) and is given what becomes free, in order;
/// `already_booked`, `opening_over`, `listing_closed`, `not_bookable` (a need is claimed, not booked).
#[utoipa::path(tag = "listing", params(("listing_id" = ListingId, Path), RequiredKey), request_body = MakeBooking, responses((status = 201, body = BookingView)))]
#[post("/listings/{listing_id}/bookings")]
async fn make_booking(state: State, id: PathId<ListingId>, call: Call<MakeBooking>) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit_keyed(listing_exists(&state, &caller, *id)).await?;
    let new = NewBooking {
        id: BookingId::new(),
        period_id: PeriodId::new(),
        quantity: body.quantity,
        wish: body.wish_id,
        member: body.member_id,
        from: body.from.map(|from| *from),
        waitlist: body.waitlist,
    };
    let (id, calendar, now, who) = (*id, state.calendar, state.clock.now(), caller.clone());
    let outcome = answer(&state, once, StatusCode::CREATED, &caller, async move |txn| {
        bookings::book(txn, calendar, &who, &by, id, &new, now).await
    });
    let outcome = outcome.await;
    let Caller::Staff(staff) = &caller else { return outcome };
    let event = AuditEvent::new(caller.audit_actor(), "booking.make", "listing", now).of(id).in_region(&staff.region);
    audit::note_elsewhere(&state.db, outcome, event, async || service::exists(state.db.lookup(), id).await).await
}

/// Bookings: one's own and those of one's own listings for members, those of the subtree's listings for staff. Newest first.
#[utoipa::path(tag = "listing", params(BookingQuery, Page), responses((status = 200, body = Listing<BookingView>)))]
#[get("/bookings")]
async fn list_bookings(
    state: State,
    caller: Caller,
    params: Params<BookingQuery>,
) -> Result<web::Json<Listing<BookingView>>, Problem> {
    let query = params.checked()?;
    Ok(web::Json(query::bookings(state.db.lookup(), &caller.scope(), None, &query).await?))
}

/// What the member has booked, newest first.
#[utoipa::path(tag = "listing", params(BookingQuery, Page), responses((status = 200, body = Listing<BookingView>)))]
#[get("/me/bookings")]
async fn list_my_bookings(
    state: State,
    caller: Caller,
    params: Params<BookingQuery>,
) -> Result<web::Json<Listing<BookingView>>, Problem> {
    let member = caller.member()?.id;
    let query = params.checked()?;
    Ok(web::Json(query::bookings(state.db.lookup(), &Scope::Member(member), Some(member), &query).await?))
}

/// One booking: for its member, the provider, and staff.
#[utoipa::path(tag = "listing", params(("booking_id" = BookingId, Path)), responses((status = 200, body = BookingView)))]
#[get("/bookings/{booking_id}")]
async fn get_booking(state: State, caller: Caller, id: PathId<BookingId>) -> Result<web::Json<BookingView>, Problem> {
    let scope = caller.scope();
    let row = bookings::find(state.db.lookup(), &scope, *id).await?;
    Ok(web::Json(query::booking_view(state.db.lookup(), &scope, row).await?))
}

/// Give a booking up, or a place in the line; what it held goes to who waits, in order. For its member until it begins, the provider,
/// clerks and managers.
#[utoipa::path(tag = "listing", params(("booking_id" = BookingId, Path)), request_body = ListingReason, responses((status = 200, body = BookingView)))]
#[post("/bookings/{booking_id}/cancellation")]
async fn cancel_booking(
    state: State,
    id: PathId<BookingId>,
    call: Call<ListingReason>,
) -> Result<HttpResponse, Problem> {
    let (by, caller) = (mover(&call.caller)?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller.scope(), *id)).await?;
    let (id, calendar, now) = (*id, state.calendar, state.clock.now());
    moved(&state, once, caller, (id, "booking.cancel"), async move |txn| {
        bookings::cancel(txn, calendar, &by, id, body.reason.as_deref(), now).await
    })
    .await
}

/// Note that the member came, from half an hour before the opening. For clerks and managers.
#[utoipa::path(tag = "listing", params(("booking_id" = BookingId, Path)), request_body = AttendBooking, responses((status = 200, body = BookingView)))]
#[post("/bookings/{booking_id}/attendance")]
async fn attend_booking(
    state: State,
    id: PathId<BookingId>,
    call: Call<AttendBooking>,
) -> Result<HttpResponse, Problem> {
    let (clerk, caller) = (call.caller.clerk()?, call.caller.clone());
    let (_, once) = call.admit(exists(&state, &caller.scope(), *id)).await?;
    let (id, now) = (*id, state.clock.now());
    moved(&state, once, caller, (id, "booking.attend"), async move |txn| attendance::attend(txn, &clerk, id, now).await)
        .await
}

/// Note that what was booked has been given. Where a member provides it, their service record opens, one for the opening: of grade B where
/// staff saw it begin and end, else D. For clerks and managers.
#[utoipa::path(tag = "listing", params(("booking_id" = BookingId, Path)), request_body = CompleteBooking, responses((status = 200, body = BookingView)))]
#[post("/bookings/{booking_id}/completion")]
async fn complete_booking(
    state: State,
    id: PathId<BookingId>,
    call: Call<CompleteBooking>,
) -> Result<HttpResponse, Problem> {
    let (clerk, caller) = (call.caller.clerk()?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller.scope(), *id)).await?;
    let times = match (body.started_at, body.ended_at) {
        (Some(from), Some(until)) => Some((*from, *until)),
        (None, None) => None,
        (given, _) => {
            exists(&state, &caller.scope(), *id)().await?;
            let field = if given.is_some() { "ended_at" } else { "started_at" };
            return Err(Problem::invalid(field, "required", "开始与结束时间请同时填写"));
        }
    };
    let completion = Completion { times, without_record: body.without_record };
    let (id, record, now) = (*id, ServiceRecordId::new(), state.clock.now());
    moved(&state, once, caller, (id, "booking.complete"), async move |txn| {
        attendance::complete(txn, &clerk, id, &completion, record, now).await
    })
    .await
}

/// Note that nobody came, once the opening has begun; what was put aside is free again. For clerks and managers.
#[utoipa::path(tag = "listing", params(("booking_id" = BookingId, Path)), request_body = ListingReason, responses((status = 200, body = BookingView)))]
#[post("/bookings/{booking_id}/no-show")]
async fn miss_booking(state: State, id: PathId<BookingId>, call: Call<ListingReason>) -> Result<HttpResponse, Problem> {
    let (clerk, caller) = (call.caller.clerk()?, call.caller.clone());
    let (body, once) = call.admit(exists(&state, &caller.scope(), *id)).await?;
    let (id, now) = (*id, state.clock.now());
    moved(&state, once, caller, (id, "booking.no_show"), async move |txn| {
        attendance::miss(txn, &clerk, id, body.reason.as_deref(), now).await
    })
    .await
}

/// The 404 of a booking.
fn exists<'a>(state: &'a AppState, scope: &'a Scope, id: BookingId) -> impl AsyncFnOnce() -> Result<(), Problem> + 'a {
    async move || bookings::find(state.db.lookup(), scope, id).await.map(drop).map_err(Into::into)
}

/// Runs a command on a booking and answers with the booking as its mover may see it.
async fn answer<F>(
    state: &AppState,
    once: Once,
    status: StatusCode,
    caller: &Caller,
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<booking::Model, ListingError> + Send + 'static,
{
    let scope = caller.scope();
    once.run(state, status, async move |txn: &Txn| {
        let row = command(txn).await?;
        Ok::<_, ListingError>(query::booking_view(txn, &scope, row).await?)
    })
    .await
}

/// The same for one that is there already; staff of elsewhere leave a trace.
async fn moved<F>(
    state: &AppState,
    once: Once,
    caller: Caller,
    (id, action): (BookingId, &'static str),
    command: F,
) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<booking::Model, ListingError> + Send + 'static,
{
    let outcome = answer(state, once, StatusCode::OK, &caller, command).await;
    let Caller::Staff(staff) = &caller else { return outcome };
    let event = AuditEvent::new(caller.audit_actor(), action, "booking", state.clock.now());
    let event = event.of(id).in_region(&staff.region);
    audit::note_elsewhere(&state.db, outcome, event, async || bookings::exists(state.db.lookup(), id).await).await
}
