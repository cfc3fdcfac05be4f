//! The calls about vouchers.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entity::goods;
use entity::id::{GoodsId, RedemptionId, VoucherBatchId, VoucherId};
use entity::redemption;
use entity::voucher::{Model, VoucherStatus};
use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

use super::code;
use super::give::{self, Given};
use super::import::{self, NewBatch};
use super::list::{self, At, BadCode, Before, Entry, Judged, MOST_CODES, Unread};
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::openapi::RequiredKey;
use crate::http::{Accepts, Call, FileCall, Line, Listing, Once, Page, Params, PathId, Problem};
use crate::identity::{Caller, StaffCaller};
use crate::redemption::RedemptionError;
use crate::redemption::service;
use crate::redemption::stock::{StockError, transfer};

/// A list of the longest codes, as JSON.
const LIST_BYTES: usize = 1024 * 1024;

/// The routes of vouchers.
pub(in crate::redemption) fn routes(config: &mut ServiceConfig) {
    config.service(import_codes).service(import_file).service(list_vouchers).service(disclose);
}

/// A voucher that a redemption has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::redemption) struct VoucherView {
    goods_id: GoodsId,
    /// Whole for its member; `****` and its end for staff.
    code: String,
    /// The last local day on which it is good; null: it does not end.
    expires_on: Option<NaiveDate>,
}

impl From<Given> for VoucherView {
    fn from(given: Given) -> Self {
        Self { goods_id: given.goods_id, code: given.code, expires_on: given.expires_on }
    }
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct ImportCodes {
    /// 1 to 5,000. Full-width letters and digits are folded; what then is not visible ASCII is told as bad.
    #[validate(length(min = 1, max = 5000))]
    #[schema(inline, min_items = 1, max_items = 5000)]
    codes: Vec<Line<64>>,
    /// The last local day on which they are good; they do not end where it is not given.
    #[validate(custom(function = imaginable))]
    expires_on: Option<NaiveDate>,
}

/// A day of this millennium.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the validator hands it over so")]
pub(in crate::redemption) fn imaginable(day: &NaiveDate) -> Result<(), ValidationError> {
    if (2000..=2999).contains(&day.year()) { Ok(()) } else { Err(ValidationError::new("out_of_range")) }
}

/// A code that was in the list, or known, before.
#[derive(Debug, Serialize, ToSchema)]
struct DuplicateView {
    #[serde(flatten)]
    at: At,
    of: Before,
}

/// A code that cannot be one.
#[derive(Debug, Serialize, ToSchema)]
struct BadView {
    #[serde(flatten)]
    at: At,
    reason: BadCode,
}

/// What became of a list. Codes themselves are not repeated.
#[derive(Debug, Serialize, ToSchema)]
struct ImportView {
    batch_id: VoucherBatchId,
    goods_id: GoodsId,
    /// How many are on the shelf now that were not before.
    accepted: usize,
    /// Left out, in the order of the list.
    duplicates: Vec<DuplicateView>,
    /// Left out, in the order of the list.
    bad: Vec<BadView>,
    /// After it.
    stock: i32,
}

/// Import codes for goods of the kind voucher: each new one raises the stock by one. For clerks of the station.
///
/// Duplicates and bad ones are told by their place and left out; the others are taken. 409 `no_vouchers` for other goods.
#[utoipa::path(tag = "voucher", params(("goods_id" = GoodsId, Path), RequiredKey), request_body = ImportCodes, responses((status = 201, body = ImportView)))]
#[post("/goods/{goods_id}/vouchers")]
async fn import_codes(
    state: State,
    id: PathId<GoodsId>,
    call: Call<ImportCodes, LIST_BYTES>,
) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let exists = async || Ok(transfer::served(state.db.read(), &clerk, *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit_keyed(exists).await?;
        let entry = |code: &Line<64>| Entry {
            line: None,
            text: code.to_string(),
            expires_on: String::new(),
            bad_encoding: false,
        };
        let entries = body.codes.iter().map(entry).collect();
        take_in(&state, &clerk, *id, entries, body.expires_on, once).await
    };
    leave_trace(&state, &clerk, *id, outcome.await).await
}

/// The files that [`import_file`] takes.
struct CodeList;

impl Accepts for CodeList {
    const TYPES: &'static [&'static str] =
        &["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];
    const LIMIT_BYTES: usize = 2 * 1024 * 1024;
    const REFUSAL: &'static str = "请以 text/csv 或 XLSX 的类型直接发送文件内容，不压缩、不打包";
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct FileQuery {
    /// The last local day of codes for which the file names none; they do not end where neither does.
    #[validate(custom(function = imaginable))]
    expires_on: Option<NaiveDate>,
}

/// Import codes from a CSV or XLSX file, at most 5,000: the column `code` (券码, 卡号 …) and, where there is one, `expires_on`
/// (有效期 …); without a header, the first column. For clerks of the station.
///
/// What becomes of each code is told as for a list. The same file twice changes nothing: all codes are known then.
#[utoipa::path(tag = "voucher", params(("goods_id" = GoodsId, Path), FileQuery),
    request_body(content((Vec<u8> = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 201, body = ImportView)))]
#[post("/goods/{goods_id}/voucher-files")]
async fn import_file(
    state: State,
    id: PathId<GoodsId>,
    params: Params<FileQuery>,
    call: FileCall<CodeList>,
) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let outcome = async {
        transfer::served(state.db.read(), &clerk, *id).await?;
        let expires_on = params.checked()?.expires_on;
        let (file, once) = call.admit()?;
        let entries = read(file).await?;
        take_in(&state, &clerk, *id, entries, expires_on, once).await
    };
    leave_trace(&state, &clerk, *id, outcome.await).await
}

/// Off the server's threads: a workbook takes its time.
async fn read(file: Bytes) -> Result<Vec<Entry>, Problem> {
    let read = web::block(move || list::file(file.to_vec())).await;
    let refused = |code, detail| Problem::invalid("file", code, detail);
    read.unwrap_or(Err(Unread::Unreadable)).map_err(|unread| match unread {
        Unread::Unreadable => refused("invalid", "无法读取这个文件，请用表格软件另存为 CSV 或 XLSX 后再上传"),
        Unread::Empty => refused("required", "文件里没有券码，请核对后再上传"),
        Unread::TooLong => refused("too_long", "一次最多导入 5000 个券码，请拆分文件"),
    })
}

async fn take_in(
    state: &State,
    clerk: &StaffCaller,
    goods_id: GoodsId,
    entries: Vec<Entry>,
    expires_on: Option<NaiveDate>,
    once: Once,
) -> Result<HttpResponse, Problem> {
    debug_assert!(entries.len() <= MOST_CODES, "a list within its bounds");
    let now = state.clock.now();
    let (keys, today) = (state.keys.clone(), state.calendar.day_of(now));
    let judged = web::block(move || Judged::of(&keys, &entries, expires_on, today)).await;
    let judged = judged.map_err(|error| Problem::internal(&error))?;
    let (batch, clerk) = (NewBatch::new(goods_id, &judged), clerk.clone());
    once.run(state, StatusCode::CREATED, async move |txn| {
        let done = import::import(txn, &clerk, &batch, now).await?;
        let of = |before: Before| move |at: &At| DuplicateView { at: *at, of: before };
        let mut duplicates: Vec<DuplicateView> =
            judged.repeated.iter().map(of(Before::List)).chain(done.known.iter().map(of(Before::Known))).collect();
        duplicates.sort_by_key(|duplicate| duplicate.at.index);
        let view = ImportView {
            batch_id: batch.id,
            goods_id,
            accepted: done.accepted,
            duplicates,
            bad: judged.bad.iter().map(|(at, reason)| BadView { at: *at, reason: *reason }).collect(),
            stock: done.stock,
        };
        let event = AuditEvent::new(Actor::Staff(clerk.id), "voucher.import", "goods", now).of(goods_id);
        let detail = json!({"batch_id": batch.id, "accepted": view.accepted, "duplicates": view.duplicates.len(),
            "bad": view.bad.len()});
        audit::record(txn, event.in_region(&done.region).with(detail)).await?;
        Ok::<_, StockError>(view)
    })
    .await
}

async fn leave_trace(
    state: &State,
    clerk: &StaffCaller,
    goods: GoodsId,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let event = AuditEvent::new(Actor::Staff(clerk.id), "voucher.import", "goods", state.clock.now()).of(goods);
    let known = async || Ok(goods::Entity::find_by_id(goods).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome, event, known).await
}

/// A code as staff see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct CodeView {
    id: VoucherId,
    batch_id: VoucherBatchId,
    /// `****` and its end.
    code: String,
    /// `free`: on the shelf; `void`: came back and is not given again; `expired`: never given.
    status: VoucherStatus,
    /// The last local day on which it is good; null: it does not end.
    expires_on: Option<NaiveDate>,
    /// Whose it is or was.
    redemption_id: Option<RedemptionId>,
    given_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct CodeQuery {
    status: Option<VoucherStatus>,
    /// Of one import.
    batch: Option<VoucherBatchId>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// The codes of goods, latest first. For staff of the station.
#[utoipa::path(tag = "voucher", params(("goods_id" = GoodsId, Path), CodeQuery, Page), responses((status = 200, body = Listing<CodeView>)))]
#[get("/goods/{goods_id}/vouchers")]
async fn list_vouchers(
    state: State,
    caller: Caller,
    id: PathId<GoodsId>,
    params: Params<CodeQuery>,
) -> Result<web::Json<Listing<CodeView>>, Problem> {
    let staff = caller.staff()?;
    transfer::served(state.db.read(), &staff, *id).await?;
    let CodeQuery { status, batch, page } = params.checked()?;
    let listing = import::list(state.db.read(), *id, status, batch, &page).await?;
    let next_cursor = listing.next_cursor;
    let view = |row: Model| {
        let code = code::open(&state.keys, &row.code_sealed).map_err(|error| Problem::internal(&error))?;
        Ok(CodeView {
            id: row.id,
            batch_id: row.batch_id,
            code: code::masked(&code),
            status: row.status,
            expires_on: row.expires_on,
            redemption_id: row.redemption_id,
            given_at: row.given_at,
            created_at: row.created_at,
        })
    };
    let items = listing.items.into_iter().map(view).collect::<Result<_, Problem>>()?;
    Ok(web::Json(Listing { items, next_cursor }))
}

#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Disclose {
    #[schema(inline)]
    reason: Line<200>,
}

/// The codes of a redemption.
#[derive(Debug, Serialize, ToSchema)]
struct Disclosed {
    vouchers: Vec<VoucherView>,
}

/// Open the codes of a redemption for a member who has no phone at hand, for a reason that is kept. For clerks of that station.
#[utoipa::path(tag = "voucher", params(("redemption_id" = RedemptionId, Path)), request_body = Disclose, responses((status = 200, body = Disclosed)))]
#[post("/redemptions/{redemption_id}/voucher-disclosure")]
async fn disclose(state: State, id: PathId<RedemptionId>, call: Call<Disclose>) -> Result<HttpResponse, Problem> {
    let clerk = call.caller.clerk()?;
    let scope = call.caller.scope();
    let (now, actor) = (state.clock.now(), Actor::Staff(clerk.id));
    let exists = async || Ok(service::find_served(state.db.read(), &scope, Some(&clerk), *id).await.map(drop)?);
    let outcome = async {
        let (body, once) = call.admit(exists).await?;
        let (clerk, scope, keys) = (clerk.clone(), scope.clone(), state.keys.clone());
        once.run(&state, StatusCode::OK, async move |txn| {
            let found = service::find_served(txn, &scope, Some(&clerk), *id).await?;
            let given = give::given_to(txn, &keys, *id).await?;
            let event = AuditEvent::new(actor, "voucher.disclose", "redemption", now).of(*id);
            let detail = json!({"reason": body.reason.to_string(), "codes": given.len()});
            audit::record(txn, event.in_region(&found.row.region_code).with(detail)).await?;
            Ok::<_, RedemptionError>(Disclosed { vouchers: given.into_iter().map(VoucherView::from).collect() })
        })
        .await
    };
    let event = AuditEvent::new(actor, "voucher.disclose", "redemption", now).of(*id);
    let known = async || Ok(redemption::Entity::find_by_id(*id).one(state.db.read()).await?.is_some());
    audit::note_elsewhere(&state.db, outcome.await, event, known).await
}
