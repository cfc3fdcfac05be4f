//! The list of what is owed, for staff.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use entity::due::{Column, DueStatus, Entity, Model};
use entity::id::{DueId, MemberId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

use super::domain::Points;
use crate::app::State;
use crate::http::{Listing, Page, Params, Problem};
use crate::identity::Caller;
use crate::region::RegionCode;

/// The routes of dues.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_dues);
}

/// Points that were earned when no budget could pay for them.
#[derive(Serialize, ToSchema)]
struct DueView {
    id: DueId,
    programme: String,
    member_id: MemberId,
    /// The community whose books issue them.
    region_code: String,
    amount: Points,
    /// What earned them: `service_record` …
    source_kind: String,
    source_id: Uuid,
    /// When they count.
    at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    status: DueStatus,
    /// When they were paid or cancelled.
    ended_at: Option<DateTime<Utc>>,
}

impl From<Model> for DueView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            programme: row.programme,
            member_id: row.member_id,
            region_code: row.region_code,
            amount: Points::from_hundredths(row.amount),
            source_kind: row.source_kind,
            source_id: row.source_id,
            at: row.at,
            created_at: row.created_at,
            status: row.status,
            ended_at: row.ended_at,
        }
    }
}

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct DueQuery {
    #[validate(length(max = 64))]
    programme: Option<String>,
    /// Those of this region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
    /// Those of this member.
    #[param(value_type = Option<uuid::Uuid>)]
    member: Option<MemberId>,
    #[param(inline)]
    status: Option<DueStatus>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    page: Page,
}

/// What is or was owed in the subtree, oldest first: the order in which it is paid. For managers and auditors.
#[utoipa::path(tag = "points", params(DueQuery, Page), responses((status = 200, body = Listing<DueView>)))]
#[get("/points/dues")]
async fn list_dues(
    state: State,
    caller: Caller,
    params: Params<DueQuery>,
) -> Result<web::Json<Listing<DueView>>, Problem> {
    let staff = caller.manager_or_auditor()?;
    let DueQuery { programme, region, member, status, page } = params.checked()?;
    let column = || Expr::col((Entity, Column::RegionCode));
    let mut query = Entity::find().filter(staff.subtree().covers(column()));
    if let Some(region) = region {
        query = query.filter(region.subtree().covers(column()));
    }
    if let Some(programme) = programme {
        query = query.filter(Column::Programme.eq(programme));
    }
    if let Some(member) = member {
        query = query.filter(Column::MemberId.eq(member));
    }
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(after) = page.after::<DueId>()? {
        query = query.filter(Column::Id.gt(after));
    }
    let rows = query.order_by_asc(Column::Id).limit(page.limit() + 1).all(state.db.read()).await?;
    Ok(web::Json(Listing::cut(rows, &page, |last| last.id).map(DueView::from)))
}
