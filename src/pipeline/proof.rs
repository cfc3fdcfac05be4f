//! Photos of a service: what a volunteer shows of the work, while at it or within a day after it.
//!
//! They raise nothing above what it is: a record of grade D (a time that staff gave, a check-out that was forgotten) becomes C,
//! every other stays. Who typed a time in still cannot verify it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, TimeDelta, Utc};
use entity::claim::ClaimStatus;
use entity::id::{ClaimId, MemberId, PhotoId};
use entity::photo::PhotoSubject;
use sea_orm::{ConnectionTrait, DbErr};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use crate::app::{AppState, State};
use crate::audit::Actor;
use crate::db::{CommandError, Txn};
use crate::http::{Call, Listing, PathId, Problem};
use crate::identity::{Caller, Scope};
use crate::photo::{self, MOST, PhotoError, PhotoView, Subject};
use crate::service_record::service as records;
use crate::task;
use crate::task::error::TaskError;

/// How long after the check-out photos are taken in.
const AFTER: TimeDelta = TimeDelta::hours(24);

/// The routes of this file.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_claim_photos).service(attach_claim_photos);
}

/// Why photos were not attached to a claim. The words are for people.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Before the check-in, long after the check-out, or after the record was judged.
    #[error("只能在签到后、签退后一天内且记录核实前补充照片；如需更正，请联系站点工作人员")]
    NotNow,
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl CommandError for ProofError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Task(error) => error.db_err(),
            Self::Photo(error) => error.db_err(),
            Self::NotNow => None,
        }
    }
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        let detail = error.to_string();
        match error {
            ProofError::NotNow => Self::conflict("invalid_transition", detail),
            ProofError::Task(cause) => cause.into(),
            ProofError::Photo(cause) => cause.into(),
            ProofError::Db(cause) => cause.into(),
        }
    }
}

/// Attaches a volunteer's photos to their claim; all photos it then has, oldest first.
///
/// # Errors
/// [`TaskError::NotFound`] where the claim is not theirs; [`ProofError::NotNow`]; [`PhotoError::NotYours`], also where they would
/// be too many.
pub async fn attach(
    db: &impl ConnectionTrait,
    member: MemberId,
    id: ClaimId,
    photos: &[PhotoId],
    now: DateTime<Utc>,
) -> Result<Vec<entity::photo::Model>, ProofError> {
    let claim = task::claim::find(db, &Scope::Member(member), id).await?;
    let open = match claim.status {
        ClaimStatus::CheckedIn => true,
        ClaimStatus::CheckedOut => claim.checked_out_at.is_some_and(|at| now < at + AFTER),
        _ => false,
    };
    if !open {
        return Err(ProofError::NotNow);
    }
    if photo::service::count(db, id.0).await? + photos.len() > MOST {
        return Err(PhotoError::NotYours.into());
    }
    let subject = Subject { kind: PhotoSubject::Claim, id: id.0, member, region: claim.region_code };
    photo::service::attach(db, Actor::Member(member), photos, &subject).await?;
    records::raise_to_shown(db, id, now).await?;
    Ok(photo::service::of_subjects(db, [id.0]).await?)
}

/// Photos of the work.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttachPhotos {
    /// Uploaded by the volunteer and used nowhere else; at most 9 of one claim.
    #[validate(length(min = 1, max = 9))]
    #[schema(value_type = Vec<uuid::Uuid>, min_items = 1, max_items = 9)]
    photo_ids: Vec<PhotoId>,
}

/// Show photos of the work: while checked in, or within a day of the check-out and before the record is judged. For the
/// claim's volunteer.
///
/// A record of grade D becomes C by it.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), request_body = AttachPhotos,
    responses((status = 201, body = Listing<PhotoView>)))]
#[post("/claims/{claim_id}/photos")]
async fn attach_claim_photos(
    state: State,
    id: PathId<ClaimId>,
    call: Call<AttachPhotos>,
) -> Result<HttpResponse, Problem> {
    let (member, id, scope) = (call.caller.resident()?.id, *id, call.caller.scope());
    let (body, once) = call.admit(async || seen(&state, &scope, id).await).await?;
    let now = state.clock.now();
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let photos = attach(txn, member, id, &body.photo_ids, now).await?;
        Ok::<_, ProofError>(Listing::whole(photos).map(PhotoView::from))
    })
    .await
}

/// The photos of a claim: for its volunteer and staff of the subtree. Pictures are fetched by their ids.
#[utoipa::path(tag = "task", params(("claim_id" = ClaimId, Path)), responses((status = 200, body = Listing<PhotoView>)))]
#[get("/claims/{claim_id}/photos")]
async fn list_claim_photos(
    state: State,
    caller: Caller,
    id: PathId<ClaimId>,
) -> Result<web::Json<Listing<PhotoView>>, Problem> {
    seen(&state, &caller.scope(), *id).await?;
    let photos = photo::service::of_subjects(state.db.read(), [id.0.0]).await?;
    Ok(web::Json(Listing::whole(photos).map(PhotoView::from)))
}

/// The 404 of a claim.
async fn seen(state: &AppState, scope: &Scope, id: ClaimId) -> Result<(), Problem> {
    Ok(task::claim::find(state.db.read(), scope, id).await.map(drop)?)
}
