//! The calls on coded lists.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, delete, get, patch, post, web};
use entity::code_item::{self, Privacy};
use serde::Deserialize;
use serde::de::Deserializer;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::TaxonomyError;
use super::list::List;
use super::service::{self, Traits, list_named};
use super::view::CodeView;
use super::{merge, qualification_route, word_route};
use crate::app::{AppState, State};
use crate::db::Txn;
use crate::http::{Call, Line, Listing, Once, Page, Params, PathCode, Problem};
use crate::identity::Admin;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_codes)
        .service(add_code)
        .service(get_code)
        .service(change_code)
        .service(retire_code)
        .service(restore_code)
        .service(merge_code)
        .service(unmerge_code)
        .configure(word_route::routes)
        .configure(qualification_route::routes);
}

/// Longest code there is, in characters.
const MAX_CODE: usize = 32;

/// A list and one of its codes in the path. Codes may be Chinese.
struct ItemPath {
    list: String,
    code: String,
}

impl FromRequest for ItemPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let part = |name| request.match_info().get(name).unwrap_or_default();
        // What cannot be a code becomes empty, which nobody has.
        let code = Some(part("code")).filter(|code| is_code(code)).unwrap_or_default();
        let list = Some(part("list")).filter(|list| List::named(list).is_some()).unwrap_or_default();
        ready(Ok(Self { list: list.to_owned(), code: code.to_owned() }))
    }
}

impl ItemPath {
    async fn exists(&self, state: &AppState) -> Result<(), Problem> {
        let list = list_named(&self.list)?;
        if list.open { Ok(service::find(state.db.lookup(), list.name, &self.code).await.map(drop)?) } else { Ok(()) }
    }
}

/// Letters of any script, digits, `-`, `_` and `.`: lists of codes are joined by `;`, and codes stand in addresses.
fn is_code(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !text.is_empty() && text.chars().count() <= MAX_CODE && text.chars().all(plain) && text != "." && text != ".."
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct CodeQuery {
    /// Those directly under this code.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    parent: Option<Line<32>>,
    /// Whether retired and merged codes are listed too; not where it is not given.
    all: Option<bool>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// A coded list in order of code: `category`, `skill`, `special_group`, `hazard` …
#[utoipa::path(tag = "places", security(()), params(("list" = String, Path), CodeQuery, Page),
    responses((status = 200, body = Listing<CodeView>)))]
#[get("/codes/{list}")]
async fn list_codes(
    state: State,
    list: PathCode,
    params: Params<CodeQuery>,
) -> Result<web::Json<Listing<CodeView>>, Problem> {
    if &*list == "category" {
        let page = params.checked()?.page;
        return Ok(web::Json(super::view::categories(&page)?));
    }
    let db = state.db.lookup();
    if !service::has_entries(db, &list).await? {
        return Err(Problem::not_found());
    }
    let query = params.checked()?;
    let after = query.page.after::<String>()?;
    let (parent, all) = (query.parent.as_deref(), query.all == Some(true));
    let rows = service::items(db, &list, parent, all, after.as_deref(), query.page.limit() + 1).await?;
    Ok(web::Json(Listing::cut(rows, &query.page, |row| row.code.clone()).map(CodeView::from)))
}

/// One code, retired or merged ones too.
#[utoipa::path(tag = "places", security(()), params(("list" = String, Path), ("code" = String, Path)),
    responses((status = 200, body = CodeView)))]
#[get("/codes/{list}/{code}")]
async fn get_code(state: State, path: ItemPath) -> Result<web::Json<CodeView>, Problem> {
    if path.list == "category" {
        return super::view::category(&path.code).map(web::Json).ok_or_else(Problem::not_found);
    }
    Ok(web::Json(service::find(state.db.lookup(), &path.list, &path.code).await?.into()))
}

/// A new code. Which of the flags there are depends on the list.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddCode {
    /// Letters of any script, digits, `-`, `_` and `.`.
    #[schema(inline)]
    code: Line<32>,
    #[schema(inline)]
    name: Line<100>,
    /// A code of the same list; of `special_class` for a special group.
    #[schema(inline)]
    parent: Option<Line<32>>,
    /// Special groups; `sensitive` where it is not given.
    privacy: Option<Privacy>,
    /// Special groups: higher comes first among equals.
    #[validate(range(min = 0, max = 100))]
    #[schema(minimum = 0, maximum = 100)]
    priority: Option<i16>,
    /// Skills: a licence is required by law.
    licence: Option<bool>,
    /// Hazards: the training that is required.
    #[schema(inline)]
    training: Option<Line<32>>,
    /// Hazards: the volunteer must be insured.
    insurance: Option<bool>,
    /// Hazards: in full years.
    #[validate(range(min = 0, max = 120))]
    #[schema(minimum = 0, maximum = 120)]
    min_age: Option<i16>,
}

/// Add a code to a list. For admins.
#[utoipa::path(tag = "places", params(("list" = String, Path)), request_body = AddCode,
    responses((status = 201, body = CodeView)))]
#[post("/codes/{list}")]
async fn add_code(state: State, list: PathCode, call: Call<AddCode>) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let (body, once) = call.admit(async || Ok(list_named(&list).map(drop)?)).await?;
    let list = list_named(&list)?;
    if !is_code(&body.code) {
        return Err(Problem::invalid("code", "invalid", "编码只能用文字、数字、“-”“_”“.”，请修改"));
    }
    let traits = Traits {
        name: Some(body.name.into_inner()),
        parent: body.parent.map(|code| Some(code.into_inner())),
        privacy: body.privacy,
        priority: body.priority,
        licence: body.licence,
        training: body.training.map(|code| Some(code.into_inner())),
        insurance: body.insurance,
        min_age: body.min_age.map(Some),
    };
    let (code, now) = (body.code.into_inner(), state.clock.now());
    answer(&state, once, StatusCode::CREATED, async move |txn| {
        service::add(txn, &admin, list, &code, &traits, now).await
    })
    .await
}

/// What changes of a code; what is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
struct ChangeCode {
    #[schema(inline)]
    name: Option<Line<100>>,
    /// Null: at the top.
    #[serde(default, deserialize_with = "present")]
    #[schema(inline, value_type = Option<Line<32>>)]
    parent: Option<Option<Line<32>>>,
    privacy: Option<Privacy>,
    #[validate(range(min = 0, max = 100))]
    #[schema(minimum = 0, maximum = 100)]
    priority: Option<i16>,
    licence: Option<bool>,
    /// Null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(inline, value_type = Option<Line<32>>)]
    training: Option<Option<Line<32>>>,
    insurance: Option<bool>,
    /// Null: any.
    #[serde(default, deserialize_with = "present")]
    #[validate(range(min = 0, max = 120))]
    #[schema(value_type = Option<i16>, minimum = 0, maximum = 120)]
    min_age: Option<Option<i16>>,
}

/// Tells `null` from absent.
#[allow(clippy::option_option, reason = "null empties, absent leaves as it is")]
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change a code: its name, its parent, its flags. For admins.
#[utoipa::path(tag = "places", params(("list" = String, Path), ("code" = String, Path)), request_body = ChangeCode,
    responses((status = 200, body = CodeView)))]
#[patch("/codes/{list}/{code}")]
async fn change_code(state: State, path: ItemPath, call: Call<ChangeCode>) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let (body, once) = call.admit(async || path.exists(&state).await).await?;
    let traits = Traits {
        name: body.name.map(Line::into_inner),
        parent: body.parent.map(|code| code.map(Line::into_inner)),
        privacy: body.privacy,
        priority: body.priority,
        licence: body.licence,
        training: body.training.map(|code| code.map(Line::into_inner)),
        insurance: body.insurance,
        min_age: body.min_age,
    };
    let (list, now) = (list_named(&path.list)?, state.clock.now());
    answer(&state, once, StatusCode::OK, async move |txn| {
        service::change(txn, &admin, list, &path.code, &traits, now).await
    })
    .await
}

/// Nothing.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Take a code out of use. Whoever has it keeps it; it is not listed and not taken any more. For admins.
#[utoipa::path(tag = "places", params(("list" = String, Path), ("code" = String, Path)), request_body = Option<Nothing>,
    responses((status = 200, body = CodeView)))]
#[post("/codes/{list}/{code}/retirement")]
async fn retire_code(state: State, path: ItemPath, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    set_retired(state, path, call, true).await
}

/// Take a retired code back into use. For admins.
#[utoipa::path(tag = "places", params(("list" = String, Path), ("code" = String, Path)),
    responses((status = 200, body = CodeView)))]
#[delete("/codes/{list}/{code}/retirement")]
async fn restore_code(state: State, path: ItemPath, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    set_retired(state, path, call, false).await
}

async fn set_retired(
    state: State,
    path: ItemPath,
    call: Call<Nothing>,
    retired: bool,
) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let (Nothing {}, once) = call.admit(async || path.exists(&state).await).await?;
    let (list, now) = (list_named(&path.list)?, state.clock.now());
    answer(&state, once, StatusCode::OK, async move |txn| {
        service::retire(txn, &admin, list, &path.code, retired, now).await
    })
    .await
}

/// What a code becomes.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeCode {
    /// A code of the same list that is in use.
    #[schema(inline)]
    into: Line<32>,
}

/// Merge a code into another of its list. Volunteers, open tasks and live wishes carry the new code from then on; what is past
/// keeps the old one. For admins.
#[utoipa::path(tag = "places", params(("list" = String, Path), ("code" = String, Path)), request_body = MergeCode,
    responses((status = 200, body = CodeView)))]
#[post("/codes/{list}/{code}/merge")]
async fn merge_code(state: State, path: ItemPath, call: Call<MergeCode>) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let (body, once) = call.admit(async || path.exists(&state).await).await?;
    let (list, now) = (list_named(&path.list)?, state.clock.now());
    answer(&state, once, StatusCode::OK, async move |txn| {
        merge::merge(txn, &admin, list, &path.code, &body.into, now).await
    })
    .await
}

/// Take a merge back: the code is itself again. What was moved to the other code stays there. For admins.
#[utoipa::path(tag = "places", params(("list" = String, Path), ("code" = String, Path)),
    responses((status = 200, body = CodeView)))]
#[delete("/codes/{list}/{code}/merge")]
async fn unmerge_code(state: State, path: ItemPath, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let admin: Admin = call.caller.admin()?;
    let (Nothing {}, once) = call.admit(async || path.exists(&state).await).await?;
    let (list, now) = (list_named(&path.list)?, state.clock.now());
    answer(&state, once, StatusCode::OK, async move |txn| merge::unmerge(txn, &admin, list, &path.code, now).await)
        .await
}

async fn answer<F>(state: &AppState, once: Once, status: StatusCode, command: F) -> Result<HttpResponse, Problem>
where
    F: AsyncFn(&Txn) -> Result<code_item::Model, TaxonomyError> + Send + 'static,
{
    once.run(state, status, async move |txn: &Txn| command(txn).await.map(CodeView::from)).await
}
