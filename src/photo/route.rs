//! The calls about photos.

use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, get, post};
use entity::id::PhotoId;
use entity::staff::Role;
use sea_orm::DbErr;
use tokio::sync::Semaphore;
use utoipa_actix_web::service_config::ServiceConfig;

use super::error::PhotoError;
use super::picture::{self, MOST_PIXELS, Picture, Unfit};
use super::service::{self, NewPhoto};
use super::view::PhotoView;
use crate::app::{AppState, State};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Accepts, FileCall, PathId, Problem};
use crate::identity::limit::{PHOTOS, Verdict};
use crate::identity::{Caller, Scope};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(upload_photo).service(get_photo);
}

/// Megapixels that are worked on at once: some nine bytes each at the worst, whatever is sent by however many.
static DARKROOM: Semaphore = Semaphore::const_new(64);
const MEGAPIXEL: u64 = 1_000_000;
const _: () = assert!(MOST_PIXELS <= 64 * MEGAPIXEL);

/// The files that [`upload_photo`] takes.
struct PhotoFile;

impl Accepts for PhotoFile {
    const TYPES: &'static [&'static str] = &["image/jpeg", "image/png", "image/webp"];
    const LIMIT_BYTES: usize = 5 * 1024 * 1024;
    const REFUSAL: &'static str = "请以 image/jpeg、image/png 或 image/webp 直接发送照片内容，不压缩、不打包";
}

/// Whoever may prove something: members with a complete profile, staff but auditors.
fn uploader(caller: &Caller) -> Result<Actor, Problem> {
    match caller {
        Caller::Member(_) => Ok(Actor::Member(caller.resident()?.id)),
        Caller::Staff(staff) if staff.role == Role::Auditor => {
            Err(Problem::forbidden("审计账号只能查看，不能上传照片"))
        }
        Caller::Staff(staff) => Ok(Actor::Staff(staff.id)),
    }
}

/// Upload a photo, to be attached by its id to what it proves within a day.
///
/// The body is the file itself, at most 5 MiB and 50 million pixels. It is written anew as a JPEG of at most 1,600 pixels
/// a side, without EXIF and place. 422 `photo_unreadable`, `photo_too_large`.
#[utoipa::path(tag = "photo",
    request_body(content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"))),
    responses((status = 201, body = PhotoView), (status = 415, description = "Neither JPEG, PNG nor WebP, or compressed.",
        body = Problem, content_type = "application/problem+json")))]
#[post("/photos")]
async fn upload_photo(state: State, call: FileCall<PhotoFile>) -> Result<HttpResponse, Problem> {
    let uploader = uploader(&call.caller)?;
    let subject = call.caller.actor();
    let (file, once) = call.admit()?;
    count_one(&state, &subject).await?;
    let picture = develop(file).await?;
    let new = NewPhoto::new(&state.keys, &picture, uploader, state.clock.now());
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        Ok::<_, PhotoError>(PhotoView::from(service::keep(txn, &new).await?))
    })
    .await
}

async fn count_one(state: &AppState, uploader: &str) -> Result<(), Problem> {
    let (bucket, now) = (PHOTOS.of(&state.keys, uploader), state.clock.now());
    match state.db.write(async move |txn: &Txn| bucket.hit(txn, now).await).await? {
        Verdict::Allowed => Ok(()),
        Verdict::Exceeded(seconds) => Err(Problem::too_many_requests(seconds)),
    }
}

/// Off the server's threads, and no more at once than fits into memory. What makes a decoder panic is no photo.
async fn develop(file: Bytes) -> Result<Picture, PhotoError> {
    let pixels = picture::pixels(&file)?;
    let megapixels = u32::try_from(pixels.div_ceil(MEGAPIXEL)).unwrap_or(u32::MAX);
    let room = DARKROOM.acquire_many(megapixels).await.map_err(|_| PhotoError::TooLarge)?;
    let developed = web::block(move || {
        let picture = picture::develop(&file);
        drop(room);
        picture
    });
    Ok(developed.await.unwrap_or(Err(Unfit::Unreadable))?)
}

/// A photo's picture: for its uploader, for whom it is about, for staff of the subtree. What staff open of others' is logged.
#[utoipa::path(tag = "photo", params(("photo_id" = PhotoId, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg")))]
#[get("/photos/{photo_id}")]
async fn get_photo(state: State, caller: Caller, id: PathId<PhotoId>) -> Result<HttpResponse, Problem> {
    let (actor, now) = (caller.audit_actor(), state.clock.now());
    let event = AuditEvent::new(actor, "photo.read", "photo", now).of(*id);
    let found = match &caller {
        Caller::Member(_) => found(&state, actor, &caller.scope(), *id).await?,
        Caller::Staff(staff) => {
            let outcome = found(&state, actor, &caller.scope(), *id).await;
            let denied = event.clone().in_region(&staff.region);
            audit::note_elsewhere(&state.db, outcome, denied, async || exists(&state, *id).await).await?
        }
    };
    let jpeg = service::jpeg(state.db.read(), &state.keys, found.id).await?;
    if matches!(actor, Actor::Staff(staff) if found.uploaded_by_staff != Some(staff)) {
        let event = event.in_region(found.region_code.as_deref().unwrap_or_default());
        state.db.write(async move |txn: &Txn| audit::record(txn, event.clone()).await).await?;
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "image/jpeg"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_DISPOSITION, format!("inline; filename=\"{}.jpg\"", found.id)))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .body(jpeg))
}

async fn found(state: &AppState, actor: Actor, scope: &Scope, id: PhotoId) -> Result<entity::photo::Model, Problem> {
    Ok(service::find(state.db.read(), actor, scope, id).await?)
}

async fn exists(state: &AppState, id: PhotoId) -> Result<bool, DbErr> {
    service::exists(state.db.read(), id).await
}
