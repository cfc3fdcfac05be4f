//! The calls on the words of the guess, and trying a guess out.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, web};
use entity::guess_word::{self, WordKind};
use entity::id::GuessWordId;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ModelTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::error::TaxonomyError;
use super::given::given;
use super::guess::{Guess, Word, weigh};
use super::route::Nothing;
use super::service::equivalents;
use super::view::WordView;
use super::words::guesser;
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::http::{Call, Line, Listing, Page, Params, PathId, Problem, Text};
use crate::identity::{Admin, Caller};
use crate::region::containing;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_words).service(add_word).service(remove_word).service(try_guess);
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct WordQuery {
    kind: Option<WordKind>,
    /// Words that speak for this code.
    #[param(value_type = Option<String>, min_length = 1, max_length = 32)]
    code: Option<Line<32>>,
    /// Part of the word.
    #[param(value_type = Option<String>, min_length = 1, max_length = 20)]
    q: Option<Line<20>>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

const fn list_of(kind: WordKind) -> (&'static str, &'static str) {
    match kind {
        WordKind::Skill => ("skill", "技能"),
        WordKind::Domain => ("domain", "服务领域"),
    }
}

/// The words by which skills and domains are guessed, the oldest first. For staff.
#[utoipa::path(tag = "places", params(WordQuery, Page), responses((status = 200, body = Listing<WordView>)))]
#[get("/guess-words")]
async fn list_words(
    state: State,
    caller: Caller,
    params: Params<WordQuery>,
) -> Result<web::Json<Listing<WordView>>, Problem> {
    use guess_word::Column::{Code, Id, Kind, Word};
    caller.staff()?;
    let query = params.checked()?;
    let db = state.db.lookup();
    let mut rows = guess_word::Entity::find().order_by_asc(Id).limit(query.page.limit() + 1);
    if let Some(kind) = query.kind {
        rows = rows.filter(Kind.eq(kind));
    }
    if let Some(code) = &query.code {
        let mut codes = equivalents(db, "skill", code).await?;
        codes.extend(equivalents(db, "domain", code).await?);
        rows = rows.filter(Code.is_in(codes));
    }
    if let Some(part) = &query.q {
        rows = rows.filter(Word.like(containing(part)));
    }
    if let Some(after) = query.page.after::<GuessWordId>()? {
        rows = rows.filter(Id.gt(after));
    }
    Ok(web::Json(Listing::cut(rows.all(db).await?, &query.page, |row| row.id).map(WordView::from)))
}

/// A word to listen for.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddWord {
    /// As a resident would say it; capital letters count as small ones.
    #[schema(inline)]
    word: Line<20>,
    kind: WordKind,
    /// Of the list that `kind` names.
    #[schema(inline)]
    code: Line<32>,
    /// How much it says; the words of a skill need 9 together for a guess, those of a domain 6.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    weight: i16,
}

/// Add a word, or weigh one anew. For admins.
#[utoipa::path(tag = "places", request_body = AddWord, responses((status = 201, body = WordView)))]
#[post("/guess-words")]
async fn add_word(state: State, call: Call<AddWord>) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let (body, once) = call.admit(async || Ok(())).await?;
    let (id, now) = (GuessWordId::new(), state.clock.now());
    once.run(&state, StatusCode::CREATED, async move |txn| put(txn, &admin, id, &body, now).await).await
}

async fn put(
    db: &impl ConnectionTrait,
    admin: &Admin,
    id: GuessWordId,
    body: &AddWord,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<WordView, TaxonomyError> {
    use guess_word::Column::{Code, Kind, Word};
    let (list, what) = list_of(body.kind);
    let code = given(db, list, &[body.code.to_string()]).await?.one("code", what);
    let code = code.map_err(|fault| TaxonomyError::Invalid(vec![fault]))?.unwrap_or_default();
    let word = body.word.to_lowercase();
    let known = guess_word::Entity::find().filter(Word.eq(&word)).filter(Kind.eq(body.kind)).filter(Code.eq(&code));
    let id = known.one(db).await?.map_or(id, |row| row.id);
    let row = guess_word::Model { id, word, kind: body.kind, code, weight: body.weight };
    let again = sea_orm::sea_query::OnConflict::columns([Word, Kind, Code])
        .update_column(guess_word::Column::Weight)
        .to_owned();
    guess_word::Entity::insert(guess_word::ActiveModel {
        id: Set(row.id),
        word: Set(row.word.clone()),
        kind: Set(row.kind),
        code: Set(row.code.clone()),
        weight: Set(row.weight),
    })
    .on_conflict(again)
    .exec_without_returning(db)
    .await?;
    note(db, admin, "guess_word.add", &row, now).await?;
    Ok(row.into())
}

/// Remove a word. For admins.
#[utoipa::path(tag = "places", params(("word_id" = GuessWordId, Path)), responses((status = 200, body = WordView)))]
#[delete("/guess-words/{word_id}")]
async fn remove_word(state: State, id: PathId<GuessWordId>, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let exists = async || {
        let found = guess_word::Entity::find_by_id(*id).one(state.db.lookup()).await?;
        found.map(drop).ok_or_else(Problem::not_found)
    };
    let (Nothing {}, once) = call.admit(exists).await?;
    let (id, now) = (*id, state.clock.now());
    once.run(&state, StatusCode::OK, async move |txn| {
        let found = guess_word::Entity::find_by_id(id).one(txn).await?.ok_or(TaxonomyError::NotFound)?;
        found.clone().delete(txn).await?;
        note(txn, &admin, "guess_word.remove", &found, now).await?;
        Ok::<_, TaxonomyError>(WordView::from(found))
    })
    .await
}

async fn note(
    db: &impl ConnectionTrait,
    admin: &Admin,
    action: &'static str,
    row: &guess_word::Model,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), TaxonomyError> {
    let event = AuditEvent::new(Actor::Staff(admin.id), action, "guess_word", now).of(row.id);
    let detail = json!({"word": row.word, "kind": row.kind, "code": row.code, "weight": row.weight});
    Ok(audit::record(db, event.in_region(&admin.region).with(detail)).await?)
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct GuessQuery {
    /// As a wish would say it: title and body.
    #[param(value_type = Option<String>, min_length = 1, max_length = 1000)]
    text: Option<Text<1000>>,
}

/// What a text is taken to ask for, and by which words.
#[derive(Serialize, ToSchema)]
struct GuessView {
    #[serde(flatten)]
    guess: Guess,
    /// The listed words that were found, each once.
    words: Vec<Word>,
}

/// Try out what a text is taken to ask for. Nothing is kept. For staff.
#[utoipa::path(tag = "places", params(GuessQuery), responses((status = 200, body = GuessView)))]
#[get("/guess")]
async fn try_guess(state: State, caller: Caller, params: Params<GuessQuery>) -> Result<web::Json<GuessView>, Problem> {
    caller.staff()?;
    let query = params.checked()?;
    let list = guesser(&state).await?;
    let found = query.text.as_ref().map(|text| list.found(text)).unwrap_or_default();
    Ok(web::Json(GuessView { guess: weigh(&found), words: found.into_iter().cloned().collect() }))
}
