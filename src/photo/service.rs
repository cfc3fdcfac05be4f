//! Keeping, attaching, showing and forgetting photos. Pictures come in sealed and go out sealed.

use chrono::{DateTime, Utc};
use entity::id::{MemberId, PhotoId};
use entity::photo::{ActiveModel, Column, Entity, Model};
use entity::photo_content;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, SelectExt as _,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::domain::{Subject, distinct};
use super::error::PhotoError;
use super::picture::Picture;
use crate::audit::Actor;
use crate::crypto::Keys;
use crate::identity::Scope;

/// What pictures are sealed for.
const PURPOSE: &str = "photo";
/// Rows of one sweep; the next one comes soon.
const AT_ONCE: u64 = 200;

/// A photo to be kept; made before the transaction.
#[derive(Clone, Debug)]
pub struct NewPhoto {
    row: Model,
    sealed: Vec<u8>,
}

impl NewPhoto {
    /// Seals `picture` for its uploader, a member or staff.
    pub fn new(keys: &Keys, picture: &Picture, uploader: Actor, now: DateTime<Utc>) -> Self {
        let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let (member, staff) = match uploader {
            Actor::Member(id) => (Some(id), None),
            Actor::Staff(id) => (None, Some(id)),
            Actor::System | Actor::Anonymous => (None, None),
        };
        let row = Model {
            id: PhotoId::new(),
            uploaded_by_member: member,
            uploaded_by_staff: staff,
            width: whole(picture.width),
            height: whole(picture.height),
            size_bytes: i32::try_from(picture.jpeg.len()).unwrap_or(i32::MAX),
            sha256: Sha256::digest(&picture.jpeg).to_vec(),
            subject_kind: None,
            subject_id: None,
            member_id: None,
            region_code: None,
            created_at: now,
        };
        Self { row, sealed: keys.seal(PURPOSE, &picture.jpeg) }
    }
}

/// Keeps a photo that is attached to nothing yet.
///
/// # Errors
/// The database's.
pub async fn keep(db: &impl ConnectionTrait, new: &NewPhoto) -> Result<Model, PhotoError> {
    let row: ActiveModel = new.row.clone().into();
    Entity::insert(row).exec_without_returning(db).await?;
    let content = photo_content::ActiveModel { photo_id: Set(new.row.id), sealed: Set(new.sealed.clone()) };
    photo_content::Entity::insert(content).exec_without_returning(db).await?;
    Ok(new.row.clone())
}

/// Attaches photos of `uploader` that are attached to nothing yet: all of them, or none.
///
/// # Errors
/// [`PhotoError::NotYours`]: one is somebody else's, attached already, named twice, or they are too many.
pub async fn attach(
    db: &impl ConnectionTrait,
    uploader: Actor,
    ids: &[PhotoId],
    subject: &Subject,
) -> Result<(), PhotoError> {
    if ids.is_empty() {
        return Ok(());
    }
    if !distinct(ids) {
        return Err(PhotoError::NotYours);
    }
    let change = ActiveModel {
        subject_kind: Set(Some(subject.kind)),
        subject_id: Set(Some(subject.id)),
        member_id: Set(Some(subject.member)),
        region_code: Set(Some(subject.region.clone())),
        ..Default::default()
    };
    let attached = Entity::update_many()
        .set(change)
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(of_uploader(uploader))
        .filter(Column::SubjectId.is_null())
        .exec(db)
        .await?;
    if attached.rows_affected == ids.len() as u64 { Ok(()) } else { Err(PhotoError::NotYours) }
}

fn of_uploader(uploader: Actor) -> Condition {
    let own = match uploader {
        Actor::Member(id) => Column::UploadedByMember.eq(id),
        Actor::Staff(id) => Column::UploadedByStaff.eq(id),
        Actor::System | Actor::Anonymous => Column::Id.is_null(),
    };
    Condition::all().add(own)
}

/// The photos of some objects, oldest first.
///
/// # Errors
/// The database's.
pub async fn of_subjects(
    db: &impl ConnectionTrait,
    subjects: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<Model>, DbErr> {
    let subjects: Vec<Uuid> = subjects.into_iter().collect();
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find().filter(Column::SubjectId.is_in(subjects)).order_by_asc(Column::Id).all(db).await
}

/// How many photos an object has.
///
/// # Errors
/// The database's.
pub async fn count(db: &impl ConnectionTrait, subject: Uuid) -> Result<usize, DbErr> {
    Ok(of_subjects(db, [subject]).await?.len())
}

/// Which of `photos` were attached to something else as well: the same file, uploaded again.
///
/// # Errors
/// The database's.
pub async fn used_elsewhere(db: &impl ConnectionTrait, photos: &[Model]) -> Result<Vec<PhotoId>, DbErr> {
    let hashes: Vec<Vec<u8>> = photos.iter().map(|photo| photo.sha256.clone()).collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let same: Vec<Model> =
        Entity::find().filter(Column::Sha256.is_in(hashes)).filter(Column::SubjectId.is_not_null()).all(db).await?;
    let again =
        |photo: &&Model| same.iter().any(|other| other.sha256 == photo.sha256 && other.subject_id != photo.subject_id);
    Ok(photos.iter().filter(again).map(|photo| photo.id).collect())
}

/// A photo that the caller may see: its uploader, whom its subject is about, staff of the subject's subtree.
///
/// # Errors
/// [`PhotoError::NotFound`].
pub async fn find(db: &impl ConnectionTrait, uploader: Actor, scope: &Scope, id: PhotoId) -> Result<Model, PhotoError> {
    let seen = Condition::any().add(of_uploader(uploader)).add(scope.owned(Column::MemberId, Column::RegionCode));
    Entity::find_by_id(id).filter(seen).one(db).await?.ok_or(PhotoError::NotFound)
}

/// Whether there is such a photo for anybody.
///
/// # Errors
/// The database's.
pub async fn exists(db: &impl ConnectionTrait, id: PhotoId) -> Result<bool, DbErr> {
    Entity::find_by_id(id).exists(db).await
}

/// What is kept of a member's photos, for the member's own export.
///
/// # Errors
/// The database's.
pub async fn exported(db: &impl ConnectionTrait, member: MemberId) -> Result<Vec<Value>, DbErr> {
    let theirs = Column::UploadedByMember.eq(member).or(Column::MemberId.eq(member));
    let rows = Entity::find().filter(theirs).order_by_asc(Column::Id).all(db).await?;
    let show = |row: Model| {
        json!({
            "id": row.id, "width": row.width, "height": row.height, "bytes": row.size_bytes,
            "subject_id": row.subject_id, "own": row.uploaded_by_member == Some(member), "created_at": row.created_at,
        })
    };
    Ok(rows.into_iter().map(show).collect())
}

/// The JPEG of a photo.
///
/// # Errors
/// [`PhotoError::NotFound`] where it is forgotten by now, [`PhotoError::Sealed`] where it was changed.
pub async fn jpeg(db: &impl ConnectionTrait, keys: &Keys, id: PhotoId) -> Result<Vec<u8>, PhotoError> {
    let content = photo_content::Entity::find_by_id(id).one(db).await?.ok_or(PhotoError::NotFound)?;
    Ok(keys.open(PURPOSE, &content.sealed)?)
}

/// Forgets what was uploaded before `before` and never attached; some hundred at most, how many.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<u64, DbErr> {
    // Locked: what is being attached at this moment is either attached or gone.
    let loose = Entity::find().filter(Column::SubjectId.is_null()).filter(Column::CreatedAt.lt(before));
    let loose = loose.order_by_asc(Column::CreatedAt).limit(AT_ONCE).lock_exclusive().all(db).await?;
    forget(db, loose).await
}

/// Forgets the photos that a member uploaded and those that are about the member.
///
/// # Errors
/// The database's.
pub async fn forget_member(db: &impl ConnectionTrait, member: MemberId) -> Result<u64, DbErr> {
    let theirs = Column::UploadedByMember.eq(member).or(Column::MemberId.eq(member));
    let theirs = Entity::find().filter(theirs).lock_exclusive().all(db).await?;
    forget(db, theirs).await
}

async fn forget(db: &impl ConnectionTrait, photos: Vec<Model>) -> Result<u64, DbErr> {
    let ids: Vec<PhotoId> = photos.into_iter().map(|photo| photo.id).collect();
    for ids in ids.chunks(500) {
        let ids = || ids.iter().copied();
        let contents = photo_content::Entity::delete_many().filter(photo_content::Column::PhotoId.is_in(ids()));
        contents.exec(db).await?;
        Entity::delete_many().filter(Column::Id.is_in(ids())).exec(db).await?;
    }
    Ok(ids.len() as u64)
}
