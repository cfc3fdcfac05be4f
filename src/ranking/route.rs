//! `GET /rankings`: public, so names are masked unless their owners agreed.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::{HttpResponse, get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::region;
use sea_orm::{DbErr, EntityTrait as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::domain::{Board, Metric};
use super::query::{self, Found, Place, Wanted};
use super::service;
use crate::app::{AppState, State};
use crate::calendar::Period;
use crate::crypto::Keys;
use crate::http::{Listing, Page, Params, Problem, decimal};
use crate::identity::{Caller, mask};
use crate::region::{RegionCode, Subtree};
use crate::service_record::domain::hours;

/// What a cursor is sealed for.
const CURSOR: &str = "ranking.cursor";
/// Marks that one reader counts at most; what is more, the job counts.
const MOST_MARKS: u64 = 2_000;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_ranking);
}

/// Which board.
#[derive(Clone, Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct RankingQuery {
    #[serde(default)]
    #[param(inline)]
    board: Board,
    #[serde(default)]
    #[param(inline)]
    metric: Metric,
    /// This region's subtree; everywhere without it.
    region: Option<RegionCode>,
    /// `2026-11`, `2026-Q4`, `2026` or `all`.
    #[serde(default = "all_time", deserialize_with = "period")]
    #[param(value_type = Option<String>, pattern = r"^([0-9]{4}(-[0-9]{2}|-Q[1-4])?|all)$")]
    period: Period,
    #[param(inline)]
    category: Option<Category>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

const fn all_time() -> Period {
    Period::All
}

fn period<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| {
        serde::de::Error::custom(crate::http::refusal("invalid", "请填写月、季、年或 all，如 2026-11、2026-Q4、2026"))
    })
}

/// A page of a board.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RankingView<'a> {
    #[schema(inline)]
    board: Board,
    #[schema(inline)]
    metric: Metric,
    period: String,
    region: Option<RegionCode>,
    /// Everything verified or reversed before this moment is counted.
    as_of: DateTime<Utc>,
    items: Vec<RankedView<'a>>,
    /// Of the next page; null at the end.
    next_cursor: Option<String>,
}

/// One place on a board.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RankedView<'a> {
    /// Dense: 1, 2, 2, 3.
    rank: u64,
    /// Of the member or unit; a community's code.
    id: &'a str,
    /// The id it had in the data set it was imported from; for staff of the subtree only.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    ref_id: Option<&'a str>,
    /// Members' names are masked unless they agreed to be named.
    name: Cow<'a, str>,
    value: ValueView,
}

/// A decimal with two places for points and hours, a whole number for records.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum ValueView {
    Decimal(String),
    Count(i64),
}

/// A board of members, units or communities by points, hours or records; equal values by who reached them first.
#[utoipa::path(tag = "ranking", params(RankingQuery, Page), responses((status = 200, body = RankingView<'static>)), security(()))]
#[get("/rankings")]
async fn get_ranking(
    state: State,
    caller: Option<Caller>,
    params: Params<RankingQuery>,
) -> Result<HttpResponse, Problem> {
    let query = params.checked()?;
    let after = query.page.after::<String>()?.map(|sealed| place_in(&state.keys, &sealed)).transpose()?;
    let wanted = Wanted {
        board: query.board,
        metric: query.metric,
        period: query.period,
        region: query.region.as_ref(),
        category: query.category,
        limit: query.page.limit(),
        after: after.as_ref(),
    };
    let (rows, as_of) = current(&state, &wanted).await?;
    if rows.is_empty() {
        known(&state, query.region.as_ref()).await?;
    }
    let subtree = subtree_of(caller.as_ref());
    let listing = Listing::cut(rows.iter().collect(), &query.page, |last| sealed(&state.keys, &last.place));
    let listing = listing.map(|row| ranked(row, query.board, query.metric, subtree.as_ref()));
    Ok(HttpResponse::Ok().json(RankingView {
        board: query.board,
        metric: query.metric,
        period: query.period.to_string(),
        region: query.region,
        as_of,
        items: listing.items,
        next_cursor: listing.next_cursor,
    }))
}

/// A place for a cursor. Boards are public and a place holds its subject's ref, so it goes out sealed.
fn sealed(keys: &Keys, place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(keys.seal(CURSOR, &serde_json::to_vec(place).unwrap_or_default()))
}

fn place_in(keys: &Keys, sealed: &str) -> Result<Place, Problem> {
    let plain = URL_SAFE_NO_PAD.decode(sealed).ok().and_then(|sealed| keys.open(CURSOR, &sealed).ok());
    let place = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
    place.ok_or_else(|| Problem::invalid("cursor", "invalid", "请使用上一页返回的 next_cursor，不要修改"))
}

/// The page with all counted that was acknowledged before, and the moment up to which that is so. Where marks wait, they are
/// counted first; a database that cannot write still shows its boards. Where nothing has changed since the page was last
/// read, it is not read again.
async fn current(state: &AppState, wanted: &Wanted<'_>) -> Result<(Arc<Vec<Found>>, DateTime<Utc>), DbErr> {
    let (db, now) = (state.db.read(), state.clock.now());
    let mut standing = query::standing(db).await?;
    if standing.is_behind {
        let calendar = state.calendar;
        let counted = state.db.write(async move |txn| service::refresh(txn, &calendar, MOST_MARKS).await).await;
        if let Err(error) = counted {
            tracing::warn!(kind = ?crate::db::fault(&error), "boards are shown without what waits to be counted");
        }
        standing = query::standing(db).await?;
    }
    let as_of =
        if standing.is_behind { service::behind_since(db).await?.map_or(now, |since| since.min(now)) } else { now };
    let question = wanted.question();
    if let Some(page) = state.boards.get(standing.version, &question) {
        return Ok((page, as_of));
    }
    let page = Arc::new(query::page(db, wanted).await?);
    state.boards.keep(standing.version, question, &page);
    Ok((page, as_of))
}

/// An empty board may be that of a region that does not exist.
async fn known(state: &AppState, region: Option<&RegionCode>) -> Result<(), Problem> {
    let Some(code) = region else { return Ok(()) };
    match region::Entity::find_by_id(code.as_str()).one(state.db.lookup()).await? {
        Some(_) => Ok(()),
        None => Err(Problem::invalid("region", "invalid", "没有这个区划代码，请核对")),
    }
}

/// Where the caller works.
fn subtree_of(caller: Option<&Caller>) -> Option<Subtree> {
    match caller {
        Some(Caller::Staff(staff)) => Some(staff.subtree()),
        Some(Caller::Member(_)) | None => None,
    }
}

fn ranked<'a>(row: &'a Found, board: Board, metric: Metric, subtree: Option<&Subtree>) -> RankedView<'a> {
    let may_see_ref = subtree.is_some_and(|subtree| subtree.contains(&row.region_code));
    let name = match (board, &row.name) {
        (Board::Members, _) if !row.is_named => mask::name(row.name.as_deref()).into(),
        (Board::Members | Board::Units | Board::Teams | Board::Communities, Some(name)) => name.as_str().into(),
        (Board::Members | Board::Units | Board::Teams | Board::Communities, None) => mask::name(None).into(),
    };
    let value = match metric {
        Metric::Points => ValueView::Decimal(decimal(row.place.value)),
        Metric::Hours => ValueView::Decimal(decimal(hours(row.place.value))),
        Metric::Records => ValueView::Count(row.place.value),
    };
    let ref_id = row.ref_id.as_deref().filter(|_| may_see_ref);
    RankedView { rank: row.place.rank, id: &row.place.id, ref_id, name, value }
}
