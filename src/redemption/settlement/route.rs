//! The calls about settlements.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post};
use chrono::NaiveDate;
use entity::id::{SettlementCloseId, SettlementId, UnitId};
use entity::settlement;
use serde::{Deserialize, Deserializer, de};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::SettlementError;
use super::owed;
use super::service::{self, NewClose, Payment};
use super::view::{CloseView, Key, LineView, SettlementView, lines_sheet, month_sheet};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::calendar::{Period, PeriodKind};
use crate::http::openapi::RequiredKey;
use crate::http::{Call, Line, Listing, Page, Params, PathId, Problem, refusal};
use crate::identity::Caller;
use crate::redemption::sheet::Format;
use crate::redemption::voucher::imaginable;
use crate::region::RegionCode;

/// The routes of settlements.
pub(in crate::redemption) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_settlements)
        .service(close_month)
        .service(get_settlement)
        .service(list_lines)
        .service(note_payment);
}

/// A local month as clients write it: `2026-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month(Period);

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let period = String::deserialize(deserializer)?.parse::<Period>().ok();
        let month = period.filter(|period| period.kind() == PeriodKind::Month);
        month.map(Self).ok_or_else(|| de::Error::custom(refusal("invalid", "请填写年月，如 2026-10")))
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct SettlementQuery {
    /// A local month, `2026-10`; the running one where it is not given.
    #[param(value_type = Option<String>)]
    month: Option<Month>,
    /// A region and all below it; the caller's where it is not given.
    region: Option<RegionCode>,
    /// A supplier's unit.
    supplier: Option<UnitId>,
    /// `json`, or a file to save with all of them: `csv`, `xlsx`.
    #[serde(default)]
    format: Format,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// What suppliers are owed for a month: what was settled, and, `open`, what closing it for the region would settle now. By the
/// supplier's name. For managers and auditors.
///
/// Closing takes all until the month's end that was not settled before, so an open item holds what is left of earlier months, too.
#[utoipa::path(tag = "settlement", params(SettlementQuery, Page), responses((status = 200, body = Listing<SettlementView>)))]
#[get("/settlements")]
async fn list_settlements(
    state: State,
    caller: Caller,
    params: Params<SettlementQuery>,
) -> Result<HttpResponse, Problem> {
    let staff = caller.manager_or_auditor()?;
    let SettlementQuery { month, region, supplier, format, page } = params.checked()?;
    let now = state.clock.now();
    let month = month.map_or_else(|| state.calendar.period_of(now, PeriodKind::Month), |Month(period)| period);
    let region = region.unwrap_or_else(|| staff.region.clone());
    let mut items =
        if staff.subtree().encloses(&region.subtree()) { owed_in(&state, &region, month).await? } else { Vec::new() };
    items.retain(|item| supplier.is_none_or(|unit| unit == item.supplier_unit_id));
    items.sort_by_cached_key(SettlementView::key);
    if format != Format::Json {
        return month_sheet(&month.to_string(), &items).respond(format);
    }
    if let Some(after) = page.after::<Key>()? {
        items.retain(|item| item.key() > after);
    }
    items.truncate(usize::try_from(page.limit() + 1).unwrap_or(usize::MAX));
    Ok(HttpResponse::Ok().json(Listing::cut(items, &page, SettlementView::key)))
}

async fn owed_in(state: &State, region: &RegionCode, month: Period) -> Result<Vec<SettlementView>, Problem> {
    let (db, subtree, name) = (state.db.read(), region.subtree(), month.to_string());
    let Some(span) = state.calendar.range(month) else { return Ok(Vec::new()) };
    let closed = service::closed(db, &subtree, &name).await?;
    let open = owed::open(db, &subtree, span.end).await?;
    let units = closed.iter().map(|row| row.supplier_unit_id).chain(open.iter().map(|sums| sums.supplier_unit_id));
    let names = service::suppliers(db, units.collect()).await?;
    let name_of = |unit: &UnitId| names.get(unit).cloned().unwrap_or_default();
    let closed = closed.into_iter().map(|row| {
        let supplier = name_of(&row.supplier_unit_id);
        SettlementView::closed(row, supplier)
    });
    let open = open.iter().map(|sums| SettlementView::open(sums, name_of(&sums.supplier_unit_id), region, &name));
    Ok(closed.chain(open).collect())
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct CloseMonth {
    /// A local month that is over.
    #[schema(value_type = String, pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-10")]
    month: Month,
    /// It is closed for this region and all below it.
    region_code: RegionCode,
}

/// Close a month: what was handed out and came back until its end, and was not settled before, is settled now. For managers.
///
/// 422 on `month` while it is not over; 409 `already_settled` where it or a later one was closed for the region or one around it.
#[utoipa::path(tag = "settlement", params(RequiredKey), request_body = CloseMonth, responses((status = 201, body = CloseView)))]
#[post("/settlements")]
async fn close_month(state: State, call: Call<CloseMonth>) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (body, once) = call.admit_keyed(async || Ok(())).await?;
    let now = state.clock.now();
    let Month(month) = body.month;
    let Some(until) = state.calendar.range(month).map(|span| span.end).filter(|end| *end <= now) else {
        return Err(Problem::invalid("month", "out_of_range", "该月尚未结束，请在次月结算"));
    };
    let new = NewClose { id: SettlementCloseId::new(), region: body.region_code, month: month.to_string(), until };
    once.run(&state, StatusCode::CREATED, async move |txn| {
        let rows = service::close(txn, &manager, &new, now).await?;
        let names = service::suppliers(txn, rows.iter().map(|row| row.supplier_unit_id).collect()).await?;
        let owed: i64 = rows.iter().map(|row| row.amount - row.refunded_amount).sum();
        let event = AuditEvent::new(Actor::Staff(manager.id), "settlement.close", "settlement_close", now).of(new.id);
        let detail = json!({"month": new.month, "suppliers": rows.len(), "owed": owed});
        audit::record(txn, event.in_region(&new.region).with(detail)).await?;
        let view = |row: settlement::Model| {
            let supplier = names.get(&row.supplier_unit_id).cloned().unwrap_or_default();
            SettlementView::closed(row, supplier)
        };
        let mut settlements: Vec<SettlementView> = rows.into_iter().map(view).collect();
        settlements.sort_by_cached_key(SettlementView::key);
        let (region_code, month) = (new.region.to_string(), new.month.clone());
        Ok::<_, SettlementError>(CloseView { id: new.id, region_code, month, closed_at: now, settlements })
    })
    .await
}

/// One settlement. For managers and auditors of the subtree.
#[utoipa::path(tag = "settlement", params(("settlement_id" = SettlementId, Path)), responses((status = 200, body = SettlementView)))]
#[get("/settlements/{settlement_id}")]
async fn get_settlement(state: State, caller: Caller, id: PathId<SettlementId>) -> Result<HttpResponse, Problem> {
    let staff = caller.manager_or_auditor()?;
    let row = service::find(state.db.read(), &staff.subtree(), *id).await?;
    let mut names = service::suppliers(state.db.read(), vec![row.supplier_unit_id]).await?;
    let supplier = names.remove(&row.supplier_unit_id).unwrap_or_default();
    Ok(HttpResponse::Ok().json(SettlementView::closed(row, supplier)))
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct LineQuery {
    /// `json`, or a file to save with all of them: `csv`, `xlsx`.
    #[serde(default)]
    format: Format,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// What a settlement counts, redemption by redemption. For managers and auditors of the subtree.
#[utoipa::path(tag = "settlement", params(("settlement_id" = SettlementId, Path), LineQuery, Page), responses((status = 200, body = Listing<LineView>)))]
#[get("/settlements/{settlement_id}/lines")]
async fn list_lines(
    state: State,
    caller: Caller,
    id: PathId<SettlementId>,
    params: Params<LineQuery>,
) -> Result<HttpResponse, Problem> {
    let staff = caller.manager_or_auditor()?;
    let found = service::find(state.db.read(), &staff.subtree(), *id).await?;
    let LineQuery { format, page } = params.checked()?;
    let paged = (format == Format::Json).then_some(&page);
    let listing = service::lines(state.db.read(), &found, paged).await?.map(LineView::from);
    if format == Format::Json {
        return Ok(HttpResponse::Ok().json(listing));
    }
    let local = |at| state.calendar.local(at).format("%Y-%m-%d %H:%M").to_string();
    lines_sheet(*id, &listing.items, local).respond(format)
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct NotePayment {
    /// The day of the payment, not after today.
    #[validate(custom(function = imaginable))]
    paid_on: NaiveDate,
    /// Number of the bank's or the accounts' voucher.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    reference: Line<100>,
}

/// Note that a settlement has been paid. For managers.
///
/// 409 `already_paid`.
#[utoipa::path(tag = "settlement", params(("settlement_id" = SettlementId, Path), RequiredKey), request_body = NotePayment, responses((status = 200, body = SettlementView)))]
#[post("/settlements/{settlement_id}/payment")]
async fn note_payment(
    state: State,
    id: PathId<SettlementId>,
    call: Call<NotePayment>,
) -> Result<HttpResponse, Problem> {
    let manager = call.caller.manager()?;
    let (now, actor) = (state.clock.now(), Actor::Staff(manager.id));
    let subtree = manager.subtree();
    let exists = async || Ok(service::find(state.db.read(), &subtree, *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit_keyed(&exists).await?;
        if body.paid_on > state.calendar.day_of(now) {
            exists().await?;
            return Err(Problem::invalid("paid_on", "out_of_range", "付款日期不能晚于今天，请核对"));
        }
        let payment = Payment { paid_on: body.paid_on, reference: body.reference.into(), by: manager.id, now };
        let subtree = subtree.clone();
        once.run(&state, StatusCode::OK, async move |txn| {
            let row = service::pay(txn, &subtree, *id, &payment).await?;
            let event = AuditEvent::new(actor, "settlement.pay", "settlement", now).of(row.id);
            let detail = json!({"owed": row.amount - row.refunded_amount, "reference": payment.reference});
            audit::record(txn, event.in_region(&row.region_code).with(detail)).await?;
            let mut names = service::suppliers(txn, vec![row.supplier_unit_id]).await?;
            let supplier = names.remove(&row.supplier_unit_id).unwrap_or_default();
            Ok::<_, SettlementError>(SettlementView::closed(row, supplier))
        })
        .await
    };
    let event = AuditEvent::new(actor, "settlement.pay", "settlement", now).of(*id);
    let known = async || service::exists(state.db.read(), *id).await;
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}
