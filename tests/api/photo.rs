//! Photos: what is taken in, what becomes of it, who sees it, and when it is gone.

use std::io::Cursor;

use ::entity::audit::{
    self,
    AuditOutcome::{Denied, Done},
};
use ::entity::id::{MeritId, PhotoId};
use ::entity::photo::PhotoSubject;
use ::entity::staff::Role;
use ::entity::{photo as rows, photo_content};
use chrono::TimeDelta;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use linli::audit::Actor;
use linli::jobs;
use linli::photo::{PhotoError, Subject, service};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use uuid::Uuid;

use crate::support::{Answer, Bearer, COMMUNITY, FOREIGN, Member, SISTER, TestApp, at_once};

/// A picture of its own for each `shade`.
pub(crate) fn picture(width: u32, height: u32, shade: u8) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([shade, u8::try_from(x % 256).unwrap(), u8::try_from(y % 256).unwrap()])
    })
    .into()
}

pub(crate) fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

async fn send(app: &TestApp, who: &(impl Bearer + ?Sized), kind: &str, file: Vec<u8>) -> Answer {
    app.call("POST", "/api/v1/photos").bearer(who).raw(kind, file).await
}

/// Uploads a small photo; its id.
pub(crate) async fn upload(app: &TestApp, who: &(impl Bearer + ?Sized), shade: u8) -> String {
    send(app, who, "image/jpeg", file(&picture(40, 30, shade), ImageFormat::Jpeg)).await.expect_status(201).id()
}

async fn show(app: &TestApp, who: &(impl Bearer + ?Sized), id: &str) -> Answer {
    app.get(&format!("/api/v1/photos/{id}")).bearer(who).await
}

/// Attaches directly, as other rooms do.
async fn attach(app: &TestApp, member: &Member, ids: &[&str]) -> Result<(), PhotoError> {
    let ids: Vec<PhotoId> = ids.iter().map(|id| id.parse().unwrap()).collect();
    let subject =
        Subject { kind: PhotoSubject::Claim, id: MeritId::new().0, member: member.id, region: COMMUNITY.to_owned() };
    let uploader = Actor::Member(member.id);
    app.state.db.write(async move |txn| service::attach(txn, uploader, &ids, &subject).await).await
}

/// A segment with orientation 6 and a place.
fn with_exif(jpeg: &[u8]) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]);
    tiff.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38, 0, 0, 0, 0]);
    tiff.extend(b"GPSCANARY 39.9333N 119.6000E");
    let mut out = jpeg[..2].to_vec();
    out.extend([0xFF, 0xE1]);
    out.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
    out.extend(b"Exif\0\0");
    out.extend(&tiff);
    out.extend(&jpeg[2..]);
    out
}

/// A PNG whose header promises so many pixels.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut png = file(&picture(1, 1, 0), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = png[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    png
}

both!(a_photo_is_written_anew_and_shown_to_its_uploader, async |app| {
    let member = app.seed().member().await;
    let sent = with_exif(&file(&picture(2_000, 1_000, 9), ImageFormat::Jpeg));
    let taken = send(&app, &member, "image/jpeg", sent).await.expect_status(201);
    assert_eq!((taken.at("/width"), taken.at("/height")), ("800".to_owned(), "1600".to_owned()));
    let shown = show(&app, &member, &taken.id()).await.expect_status(200);
    assert_eq!(shown.header("content-type"), Some("image/jpeg"));
    assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(shown.header("content-disposition"), Some(format!("inline; filename=\"{}.jpg\"", taken.id()).as_str()));
    assert!(shown.header("cache-control").unwrap().starts_with("private"));
    assert_eq!(taken.at("/bytes"), shown.body.len().to_string());
    let seen = image::load_from_memory_with_format(&shown.body, ImageFormat::Jpeg).unwrap();
    assert_eq!((seen.width(), seen.height()), (800, 1_600));
    for trace in [&b"GPSCANARY"[..], b"Exif"] {
        assert!(!shown.body.windows(trace.len()).any(|part| part == trace));
    }
    // At rest nobody sees a picture.
    let kept = photo_content::Entity::find().one(&app.database.connect().await).await.unwrap().unwrap();
    assert!(image::guess_format(&kept.sealed).is_err());
    for (format, kind) in [(ImageFormat::Png, "image/png"), (ImageFormat::WebP, "image/webp; charset=binary")] {
        send(&app, &member, kind, file(&picture(60, 20, 1), format)).await.expect_status(201);
    }
    crate::points::assert_in_order(&app).await;
});

both!(what_is_no_photo_is_refused_by_name, async |app| {
    let member = app.seed().member().await;
    let jpeg = file(&picture(300, 200, 3), ImageFormat::Jpeg);
    let png = file(&picture(300, 200, 3), ImageFormat::Png);
    let webp = file(&picture(300, 200, 3), ImageFormat::WebP);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    for unreadable in [
        Vec::new(),
        b"x".to_vec(),
        svg,
        b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(),
        b"PK\x03\x04".to_vec(),
        jpeg[..jpeg.len() / 2].to_vec(),
        png[..png.len() / 2].to_vec(),
        webp[..webp.len() / 2].to_vec(),
        bomb(100, 100),
        vec![0xFF; 4 * 1024 * 1024],
        [&[0xFF, 0xD8][..], &vec![0xFF; 4 * 1024 * 1024]].concat(),
    ] {
        let refused = send(&app, &member, "image/jpeg", unreadable).await;
        refused.expect_problem(422, "photo_unreadable");
    }
    for large in [bomb(30_000, 30_000), bomb(10_000, 5_001), bomb(i32::MAX.unsigned_abs(), 1)] {
        send(&app, &member, "image/png", large).await.expect_problem(422, "photo_too_large");
    }
    for kind in ["image/svg+xml", "image/gif", "text/html", "application/octet-stream", "multipart/form-data", ""] {
        send(&app, &member, kind, jpeg.clone()).await.expect_problem(415, "unsupported_media_type");
    }
    let zipped = app.call("POST", "/api/v1/photos").bearer(&member).raw("image/jpeg", jpeg.clone());
    zipped.header("Content-Encoding", "gzip").await.expect_problem(415, "unsupported_media_type");
    let heavy = [jpeg, vec![0; 5 * 1024 * 1024]].concat();
    send(&app, &member, "image/jpeg", heavy).await.expect_problem(413, "payload_too_large");
    assert_eq!(rows::Entity::find().count(&app.database.connect().await).await.unwrap(), 0);
});

both!(a_second_file_behind_the_photo_is_left_behind, async |app| {
    let member = app.seed().member().await;
    let mut sent = file(&picture(30, 30, 5), ImageFormat::Jpeg);
    sent.extend(b"PK\x03\x04 and <html><script>alert(1)</script></html>");
    let taken = send(&app, &member, "image/jpeg", sent).await.expect_status(201);
    let shown = show(&app, &member, &taken.id()).await.expect_status(200);
    assert!(!shown.body.windows(6).any(|part| part == b"script") && !shown.body.windows(2).any(|part| part == b"PK"));
});

both!(an_upload_repeated_under_its_key_is_one_photo, async |app| {
    let member = app.seed().member().await;
    let call = |shade| {
        let file = file(&picture(20, 20, shade), ImageFormat::Png);
        app.call("POST", "/api/v1/photos").bearer(&member).raw("image/png", file).key("once")
    };
    let first = call(1).await.expect_status(201);
    let again = call(1).await.expect_status(201);
    assert!(again.is_replayed() && again.id() == first.id());
    call(2).await.expect_problem(422, "idempotency_key_reused");
    call(1).key("twice").await.expect_problem(400, "idempotency_key_required");
    assert_eq!(rows::Entity::find().count(&app.database.connect().await).await.unwrap(), 1);
});

both!(many_uploads_at_once_stay_within_the_darkroom, async |app| {
    let member = app.seed().member().await;
    let large = file(&picture(5_000, 5_000, 8), ImageFormat::Png);
    let calls = (0..6).map(|_| app.call("POST", "/api/v1/photos").bearer(&member).raw("image/png", large.clone()));
    for answer in at_once(calls).await {
        assert_eq!(answer.expect_status(201).at("/width"), "1600");
    }
});

both!(a_photo_is_seen_by_whom_it_concerns_and_staff_leave_a_trace, async |app| {
    let (member, other) = (app.seed().member().await, app.seed().member().await);
    let manager = app.seed().staff(Role::Manager).in_region(COMMUNITY).await;
    let auditor = app.seed().staff(Role::Auditor).in_region(COMMUNITY).await;
    let sister = app.seed().staff(Role::Admin).in_region(SISTER).await;
    let foreign = app.seed().staff(Role::Admin).in_region(FOREIGN).await;
    let id = upload(&app, &member, 1).await;
    // Attached to nothing it is the uploader's alone.
    show(&app, &manager, &id).await.expect_problem(404, "not_found");
    show(&app, &other, &id).await.expect_problem(404, "not_found");
    attach(&app, &member, &[&id]).await.unwrap();
    show(&app, &member, &id).await.expect_status(200);
    show(&app, &manager, &id).await.expect_status(200);
    show(&app, &auditor, &id).await.expect_status(200);
    for hidden in [&sister, &foreign] {
        show(&app, hidden, &id).await.expect_problem(404, "not_found");
    }
    show(&app, &other, &id).await.expect_problem(404, "not_found");
    app.get(&format!("/api/v1/photos/{id}")).await.expect_problem(401, "unauthenticated");
    let db = app.database.connect().await;
    let trail = audit::Entity::find().filter(audit::Column::ObjectId.eq(&id)).all(&db).await.unwrap();
    let of = |who: Uuid, outcome| {
        trail
            .iter()
            .filter(|row| row.actor_id == Some(who) && row.outcome == outcome && row.action == "photo.read")
            .count()
    };
    assert_eq!((of(manager.id.0, Done), of(auditor.id.0, Done)), (1, 1));
    assert_eq!((of(manager.id.0, Denied), of(sister.id.0, Denied), of(foreign.id.0, Denied)), (1, 1, 1));
    assert_eq!(of(member.id.0, Done), 0);
    send(&app, &auditor, "image/png", file(&picture(9, 9, 9), ImageFormat::Png)).await.expect_problem(403, "forbidden");
    let newcomer = app.seed().member().incomplete().await;
    send(&app, &newcomer, "image/png", Vec::new()).await.expect_problem(403, "profile_incomplete");
});

both!(a_photo_is_attached_once_by_its_uploader, async |app| {
    let (member, other) = (app.seed().member().await, app.seed().member().await);
    let mut ids = Vec::new();
    for shade in 0..10 {
        ids.push(upload(&app, &member, shade).await);
    }
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let theirs = upload(&app, &other, 20).await;
    for refused in [&all[..], &[all[0], all[0]], &[all[0], &theirs], &[all[0], "0199a0b0-0000-7000-8000-000000000002"]]
    {
        assert!(matches!(attach(&app, &member, refused).await, Err(PhotoError::NotYours)), "{refused:?}");
    }
    attach(&app, &member, &all[..9]).await.unwrap();
    assert!(matches!(attach(&app, &member, &[all[9], all[0]]).await, Err(PhotoError::NotYours)));
    let twice = at_once((0..5).map(|_| attach(&app, &member, &all[9..]))).await;
    assert_eq!(twice.iter().filter(|outcome| outcome.is_ok()).count(), 1);
});

both!(what_nobody_attaches_is_swept_after_a_day, async |app| {
    let member = app.seed().member().await;
    let (kept, old) = (upload(&app, &member, 1).await, upload(&app, &member, 2).await);
    attach(&app, &member, &[&kept]).await.unwrap();
    app.clock.advance(TimeDelta::hours(23));
    let young = upload(&app, &member, 3).await;
    jobs::run_once(&app.state, "sweep").await.unwrap();
    show(&app, &member, &old).await.expect_status(200);
    app.clock.advance(TimeDelta::hours(2));
    jobs::run_once(&app.state, "sweep").await.unwrap();
    show(&app, &member, &old).await.expect_problem(404, "not_found");
    show(&app, &member, &kept).await.expect_status(200);
    show(&app, &member, &young).await.expect_status(200);
    assert!(matches!(attach(&app, &member, &[&old]).await, Err(PhotoError::NotYours)));
    assert_eq!(photo_content::Entity::find().count(&app.database.connect().await).await.unwrap(), 2);
});

both!(an_erased_person_leaves_no_photo, async |app| {
    let member = app.seed().member().await;
    let (first, second) = (upload(&app, &member, 1).await, upload(&app, &member, 2).await);
    attach(&app, &member, &[&first]).await.unwrap();
    app.by(&member).delete("/api/v1/me").await.expect_status(204);
    let db = app.database.connect().await;
    assert_eq!(photo_content::Entity::find().count(&db).await.unwrap(), 0, "{first} {second}");
    assert_eq!(rows::Entity::find().count(&db).await.unwrap(), 0);
});

both!(uploads_are_counted, async |app| {
    let member = app.seed().member().await;
    let mut last = None;
    for _ in 0..=200 {
        last = Some(send(&app, &member, "image/png", Vec::new()).await);
    }
    let last = last.unwrap().expect_problem(429, "too_many_requests");
    assert!(last.header("retry-after").is_some());
});
