//! Console accounts: made and changed on the command line.

use chrono::{DateTime, Utc};
use entity::id::{MemberId, StaffId, StationId};
use entity::staff::{self, Role};
use entity::{region as region_table, station};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _,
    QueryFilter as _,
};
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use super::session::{self, Holder};
use crate::audit::{self, Actor, AuditEvent};
use crate::db::{CommandError, Fault, fault};
use crate::region::RegionCode;

/// A username as it is compared: compatibility forms and case are folded, so that look-alikes of width or case are one.
pub fn fold(username: &str) -> String {
    username.trim().nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// What a new account needs. The password is hashed already.
#[derive(Clone, Debug)]
pub struct NewStaff {
    pub id: StaffId,
    pub username: String,
    pub password_hash: String,
    pub role: Role,
    pub region: RegionCode,
    pub station: Option<StationId>,
    /// `ref` or id of the member that it is.
    pub member: Option<MemberId>,
}

/// Why an account was not made or changed. For the operator, so in English.
#[derive(Debug, thiserror::Error)]
pub enum StaffError {
    #[error("there is an account of this name already")]
    Taken,
    #[error("no account of this name")]
    Unknown,
    #[error("no region has this code")]
    UnknownRegion,
    #[error("the station does not exist or lies outside the region")]
    UnknownStation,
    #[error(transparent)]
    Db(DbErr),
}

impl From<DbErr> for StaffError {
    fn from(error: DbErr) -> Self {
        let found = fault(&error);
        if matches!(found, Fault::Unique(_)) && found.names("staff.username") { Self::Taken } else { Self::Db(error) }
    }
}

impl CommandError for StaffError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::Taken | Self::Unknown | Self::UnknownRegion | Self::UnknownStation => None,
        }
    }
}

/// Makes an account.
///
/// # Errors
/// See [`StaffError`].
pub async fn add(db: &impl ConnectionTrait, new: &NewStaff, now: DateTime<Utc>) -> Result<(), StaffError> {
    let region = region_table::Entity::find_by_id(new.region.as_str()).one(db).await?;
    if region.is_none() {
        return Err(StaffError::UnknownRegion);
    }
    if let Some(id) = new.station {
        let station = station::Entity::find_by_id(id).one(db).await?;
        if !station.is_some_and(|station| new.region.subtree().contains(&station.region_code)) {
            return Err(StaffError::UnknownStation);
        }
    }
    let row = staff::ActiveModel {
        id: Set(new.id),
        username: Set(new.username.clone()),
        password_hash: Set(new.password_hash.clone()),
        role: Set(new.role),
        region_code: Set(new.region.to_string()),
        station_id: Set(new.station),
        member_id: Set(new.member),
        totp_sealed: Set(None),
        disabled_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    staff::Entity::insert(row).exec_without_returning(db).await?;
    let event = AuditEvent::new(Actor::System, "staff.add", "staff", now).of(new.id).in_region(&new.region);
    audit::record(db, event.with(json!({"role": new.role}))).await?;
    Ok(())
}

/// Takes an account out of use, with all its sessions, or back into it.
///
/// # Errors
/// [`StaffError::Unknown`]; the database's.
pub async fn set_disabled(
    db: &impl ConnectionTrait,
    username: &str,
    disabled: bool,
    now: DateTime<Utc>,
) -> Result<(), StaffError> {
    let found = find(db, username).await?;
    let row = staff::ActiveModel {
        id: Set(found.id),
        disabled_at: Set(disabled.then_some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(db).await?;
    if disabled {
        session::end_all(db, Holder::Staff(found.id), now).await?;
    }
    let action = if disabled { "staff.disable" } else { "staff.enable" };
    audit::record(db, AuditEvent::new(Actor::System, action, "staff", now).of(found.id)).await?;
    Ok(())
}

/// The account of a name, as typed.
///
/// # Errors
/// [`StaffError::Unknown`]; the database's.
pub async fn find(db: &impl ConnectionTrait, username: &str) -> Result<staff::Model, StaffError> {
    let found = staff::Entity::find().filter(staff::Column::Username.eq(fold(username))).one(db).await?;
    found.ok_or(StaffError::Unknown)
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn names_that_look_alike_are_one() {
        for name in ["wang", " WANG ", "ｗａｎｇ", "Wang"] {
            assert_eq!(fold(name), "wang", "{name}");
        }
        assert_eq!(fold("王芳"), "王芳");
    }
}
