//! Which lists a region keeps and what they are called: a profile of its own, else that of the smallest region around it that has
//! one, else the three lists 需求, 资源, 服务.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, put, web};
use chrono::{DateTime, Utc};
use entity::id::StaffId;
use entity::list_profile_list::{self, Holds};
use entity::{list_profile, region};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    SelectExt as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::error::ListingError;
use crate::app::State;
use crate::audit::{self, Actor, AuditEvent};
use crate::db::Txn;
use crate::http::{Call, Line, Params, PathCode, Problem};
use crate::identity::{Admin, Caller};
use crate::region::RegionCode;

/// One list of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListView {
    pub code: String,
    pub name: String,
    pub holds: Holds,
}

/// The lists of a region, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProfileView {
    /// For which region it was asked; null for a member who has none yet.
    pub region_code: Option<String>,
    /// The region whose profile it is; null: the one that every region has to begin with.
    pub set_by: Option<String>,
    pub name: String,
    pub lists: Vec<ListView>,
    pub updated_at: Option<DateTime<Utc>>,
}

impl ProfileView {
    fn default_for(region: Option<&RegionCode>) -> Self {
        let list = |code: &str, name: &str, holds| ListView { code: code.to_owned(), name: name.to_owned(), holds };
        Self {
            region_code: region.map(RegionCode::to_string),
            set_by: None,
            name: "需求、资源、服务".to_owned(),
            lists: vec![
                list("needs", "需求", Holds::Need),
                list("resources", "资源", Holds::Resource),
                list("services", "服务", Holds::Service),
            ],
            updated_at: None,
        }
    }

    /// What stands on the list of this code.
    pub(super) fn holds(&self, code: &str) -> Option<Holds> {
        self.lists.iter().find(|list| list.code == code).map(|list| list.holds)
    }
}

/// The profile in force in a region.
///
/// # Errors
/// The database's.
pub async fn of(db: &impl ConnectionTrait, region: &RegionCode) -> Result<ProfileView, DbErr> {
    let around = region.enclosing();
    let found = list_profile::Entity::find()
        .filter(list_profile::Column::RegionCode.is_in(around.iter().map(String::as_str)))
        .all(db)
        .await?;
    // Smallest first.
    let Some(profile) = around.iter().find_map(|code| found.iter().find(|row| row.region_code == *code)) else {
        return Ok(ProfileView::default_for(Some(region)));
    };
    let lists = list_profile_list::Entity::find()
        .filter(list_profile_list::Column::RegionCode.eq(profile.region_code.as_str()))
        .order_by_asc(list_profile_list::Column::Position)
        .all(db)
        .await?;
    Ok(ProfileView {
        region_code: Some(region.to_string()),
        set_by: Some(profile.region_code.clone()),
        name: profile.name.clone(),
        lists: lists.into_iter().map(|row| ListView { code: row.code, name: row.name, holds: row.holds }).collect(),
        updated_at: Some(profile.updated_at),
    })
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProfileQuery {
    /// One's own where it is not given.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,24}$")]
    region: Option<RegionCode>,
}

/// Which lists a region keeps: its own, those of the smallest region around it that set some, or 需求/资源/服务.
#[utoipa::path(tag = "listing", params(ProfileQuery), responses((status = 200, body = ProfileView)))]
#[get("/list-profiles")]
pub(super) async fn get_profile(
    state: State,
    caller: Caller,
    params: Params<ProfileQuery>,
) -> Result<web::Json<ProfileView>, Problem> {
    let region = params.checked()?.region.or_else(|| home(&caller));
    Ok(web::Json(match region {
        Some(region) => of(state.db.lookup(), &region).await?,
        None => ProfileView::default_for(None),
    }))
}

/// Where a caller is at home: the member's community, the region where staff work.
pub(super) fn home(caller: &Caller) -> Option<RegionCode> {
    match caller {
        Caller::Member(member) => member.region.clone(),
        Caller::Staff(staff) => Some(staff.region.clone()),
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ListBody {
    /// Small letters, digits, `_` and `-`.
    #[validate(custom(function = "is_code"))]
    #[schema(value_type = String, min_length = 1, max_length = 32)]
    code: Line<32>,
    /// As people read it.
    name: Line<20>,
    holds: Holds,
}

fn is_code(code: &Line<32>) -> Result<(), validator::ValidationError> {
    let plain = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte));
    let words = "清单代码用小写字母、数字、下划线和短横线";
    if plain { Ok(()) } else { Err(validator::ValidationError::new("invalid").with_message(words.into())) }
}

/// The lists of a region, in order.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetProfile {
    name: Line<50>,
    #[validate(length(min = 1, max = 10), nested)]
    #[schema(min_items = 1, max_items = 10)]
    lists: Vec<ListBody>,
}

/// Set the lists of a region and of all regions below it that have none of their own. For admins of it.
#[utoipa::path(tag = "listing", params(("region_code" = String, Path)), request_body = SetProfile, responses((status = 200, body = ProfileView)))]
#[put("/list-profiles/{region_code}")]
pub(super) async fn put_profile(state: State, code: PathCode, call: Call<SetProfile>) -> Result<HttpResponse, Problem> {
    let admin = call.caller.admin()?;
    let region = RegionCode::parse(&code).unwrap_or_else(|_| admin.region.clone());
    let known = RegionCode::parse(&code).is_ok();
    let outcome = async {
        let (body, once) = call
            .admit(async || {
                if known { Ok(within(state.db.lookup(), &admin, &region).await?) } else { Err(Problem::not_found()) }
            })
            .await?;
        if !known {
            return Err(Problem::not_found());
        }
        let mut seen = BTreeSet::new();
        if let Some(at) = body.lists.iter().position(|list| !seen.insert(list.code.as_str())) {
            within(state.db.lookup(), &admin, &region).await?;
            return Err(Problem::invalid(format!("lists[{at}].code"), "invalid", "与前面的清单代码重复，请换一个"));
        }
        let (now, by, place) = (state.clock.now(), admin.clone(), region.clone());
        once.run(&state, StatusCode::OK, async move |txn: &Txn| {
            within(txn, &by, &place).await?;
            set(txn, by.id, &place, &body, now).await?;
            Ok::<_, ListingError>(of(txn, &place).await?)
        })
        .await
    };
    noted(&state, &admin, &code, "list_profile.set", outcome.await).await
}

async fn noted(
    state: &State,
    admin: &Admin,
    code: &str,
    action: &'static str,
    outcome: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let event = AuditEvent::new(Actor::Staff(admin.id), action, "region", state.clock.now());
    let event = event.of(code).in_region(&admin.region);
    let exists = async || region::Entity::find_by_id(code).exists(state.db.lookup()).await;
    audit::note_elsewhere(&state.db, outcome, event, exists).await
}

/// The 404 of a region that is not there, or not the admin's.
async fn within(db: &impl ConnectionTrait, admin: &Admin, region: &RegionCode) -> Result<(), ListingError> {
    let theirs = admin.subtree().encloses(&region.subtree());
    if theirs && crate::region::region_exists(db, region).await? { Ok(()) } else { Err(ListingError::NotFound) }
}

async fn set(
    db: &impl ConnectionTrait,
    by: StaffId,
    region: &RegionCode,
    body: &SetProfile,
    now: DateTime<Utc>,
) -> Result<(), ListingError> {
    let before = list_profile::Entity::find_by_id(region.as_str()).lock_exclusive().one(db).await?;
    forget(db, region).await?;
    let row = list_profile::ActiveModel {
        region_code: Set(region.to_string()),
        name: Set(body.name.to_string()),
        updated_by: Set(by),
        created_at: Set(before.map_or(now, |row| row.created_at)),
        updated_at: Set(now),
    };
    list_profile::Entity::insert(row).exec_without_returning(db).await?;
    let lists = body.lists.iter().zip(1..).map(|(list, position)| list_profile_list::ActiveModel {
        region_code: Set(region.to_string()),
        position: Set(position),
        code: Set(list.code.to_string()),
        name: Set(list.name.to_string()),
        holds: Set(list.holds),
    });
    list_profile_list::Entity::insert_many(lists.collect::<Vec<_>>()).exec_without_returning(db).await?;
    let event = AuditEvent::new(Actor::Staff(by), "list_profile.set", "region", now).of(region).in_region(region);
    Ok(audit::record(db, event.with(json!({"lists": body.lists.len()}))).await?)
}

async fn forget(db: &impl ConnectionTrait, region: &RegionCode) -> Result<u64, DbErr> {
    let lists = list_profile_list::Entity::delete_many();
    lists.filter(list_profile_list::Column::RegionCode.eq(region.as_str())).exec(db).await?;
    let gone = list_profile::Entity::delete_by_id(region.as_str()).exec(db).await?;
    Ok(gone.rows_affected)
}

/// Take a region's own lists away: those of the region around it hold again. For admins of it.
#[utoipa::path(tag = "listing", params(("region_code" = String, Path)), responses((status = 200, body = ProfileView)))]
#[delete("/list-profiles/{region_code}")]
pub(super) async fn delete_profile(state: State, caller: Caller, code: PathCode) -> Result<HttpResponse, Problem> {
    let admin = caller.admin()?;
    let Ok(region) = RegionCode::parse(&code) else { return Err(Problem::not_found()) };
    let (now, by) = (state.clock.now(), admin.clone());
    let outcome = state
        .db
        .write(async move |txn: &Txn| {
            within(txn, &by, &region).await?;
            if forget(txn, &region).await? > 0 {
                let event = AuditEvent::new(Actor::Staff(by.id), "list_profile.remove", "region", now);
                audit::record(txn, event.of(&region).in_region(&region)).await?;
            }
            Ok::<_, ListingError>(of(txn, &region).await?)
        })
        .await
        .map(|view| HttpResponse::Ok().json(view))
        .map_err(Problem::from);
    noted(&state, &admin, &code, "list_profile.remove", outcome).await
}
