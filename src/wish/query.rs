//! Reading wishes: who sees which and how much of it, filters, order, pages.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::claim;
use entity::id::{MemberId, WishId};
use entity::member;
use entity::wish::{self, WishStatus};
use entity::{wish_hazard, wish_skill};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Deserialize;
use utoipa::IntoParams;
use validator::Validate;

use super::ADDRESS_PURPOSE;
use super::error::WishError;
use super::guessing;
use super::service::{find, hazards_of, skills_of};
use super::view::{ContactView, HelperView, WishView};
use crate::audit::{Actor, AuditEvent};
use crate::crypto::Keys;
use crate::http::{Listing, Page, Problem};
use crate::identity::{Scope, mask, sealed};
use crate::region::{RegionCode, Subtree};
use crate::task::domain::OPEN;
use crate::task::service as tasks;

/// Which wishes: highest priority and oldest first with `status=published`, newest first otherwise.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WishQuery {
    pub status: Option<WishStatus>,
    /// This region's subtree.
    #[param(value_type = Option<String>, pattern = "^[0-9]{6,30}$")]
    pub region: Option<RegionCode>,
    /// Only those that the caller asked for.
    pub mine: Option<bool>,
    #[serde(flatten)]
    #[validate(nested)]
    #[param(ignore)]
    pub page: Page,
}

/// Its requester, the volunteer of an open claim, staff of the subtree.
pub(super) fn sees(scope: &Scope) -> Condition {
    let owned = scope.owned(wish::Column::RequesterId, wish::Column::RegionCode);
    match scope {
        Scope::Member(id) => Condition::any().add(owned).add(helped_by(*id)),
        Scope::Staff(_) | Scope::System => owned,
    }
}

fn helped_by(member: MemberId) -> sea_orm::sea_query::SimpleExpr {
    let tasks = Query::select()
        .column(claim::Column::TaskId)
        .from(claim::Entity)
        .and_where(claim::Column::MemberId.eq(member))
        .and_where(claim::Column::Status.is_in(OPEN))
        .take();
    Expr::col((wish::Entity, wish::Column::TaskId)).in_subquery(tasks)
}

/// Wishes within `scope`, one page. Addresses and contacts are not in lists.
///
/// # Errors
/// 422 on `cursor`; the database's.
pub async fn wishes(
    db: &impl ConnectionTrait,
    scope: &Scope,
    query: &WishQuery,
    now: DateTime<Utc>,
) -> Result<Listing<WishView>, Problem> {
    use wish::Column::{Id, Priority, RequesterId, Status};
    let mut select = wish::Entity::find().filter(sees(scope));
    if let Some(status) = query.status {
        select = select.filter(Status.eq(status));
    }
    if let Some(region) = &query.region {
        select = select.filter(Subtree::of(region).covers(Expr::col((wish::Entity, wish::Column::RegionCode))));
    }
    if let (Some(true), Scope::Member(id)) = (query.mine, scope) {
        select = select.filter(RequesterId.eq(*id));
    }
    let limit = query.page.limit() + 1;
    let listing = if query.status == Some(WishStatus::Published) {
        if let Some((priority, last)) = query.page.after::<(i32, WishId)>()? {
            let equal = Condition::all().add(Priority.eq(priority)).add(Id.gt(last));
            select = select.filter(Condition::any().add(Priority.lt(priority)).add(equal));
        }
        let rows = select.order_by_desc(Priority).order_by_asc(Id).limit(limit).all(db).await?;
        Listing::cut(rows, &query.page, |wish| (wish.priority, wish.id))
    } else {
        if let Some(last) = query.page.after::<WishId>()? {
            select = select.filter(Id.lt(last));
        }
        let rows = select.order_by_desc(Id).limit(limit).all(db).await?;
        Listing::cut(rows, &query.page, |wish| wish.id)
    };
    let skills = skills_of_all(db, &listing.items).await?;
    let hazards = hazards_of_all(db, &listing.items).await?;
    let mut guesses = match scope {
        Scope::Member(_) => BTreeMap::new(),
        Scope::Staff(_) | Scope::System => guessing::of(db, listing.items.iter().map(|wish| wish.id)).await?,
    };
    let own = |codes: &[(WishId, String)], wish: &wish::Model| {
        codes.iter().filter(|(id, _)| *id == wish.id).map(|(_, code)| code.clone()).collect()
    };
    Ok(listing.map(|wish| {
        let (skills, hazards, guess) = (own(&skills, &wish), own(&hazards, &wish), guesses.remove(&wish.id));
        WishView { hazards, guess, ..WishView::new(wish, skills, now) }
    }))
}

async fn hazards_of_all(db: &impl ConnectionTrait, wishes: &[wish::Model]) -> Result<Vec<(WishId, String)>, DbErr> {
    wish_hazard::Entity::find()
        .select_only()
        .columns([wish_hazard::Column::WishId, wish_hazard::Column::Hazard])
        .filter(wish_hazard::Column::WishId.is_in(wishes.iter().map(|wish| wish.id)))
        .order_by_asc(wish_hazard::Column::Hazard)
        .into_tuple()
        .all(db)
        .await
}

/// A wish with the codes that hang on it; the guess is the staff's to see.
async fn coded(
    db: &impl ConnectionTrait,
    scope: &Scope,
    wish: &wish::Model,
    now: DateTime<Utc>,
) -> Result<WishView, DbErr> {
    let mut view = WishView::new(wish.clone(), skills_of(db, wish.id).await?, now);
    view.hazards = hazards_of(db, wish.id).await?;
    if !matches!(scope, Scope::Member(_)) {
        view.guess = guessing::of(db, [wish.id]).await?.remove(&wish.id);
    }
    Ok(view)
}

async fn skills_of_all(db: &impl ConnectionTrait, wishes: &[wish::Model]) -> Result<Vec<(WishId, String)>, DbErr> {
    wish_skill::Entity::find()
        .select_only()
        .columns([wish_skill::Column::WishId, wish_skill::Column::Skill])
        .filter(wish_skill::Column::WishId.is_in(wishes.iter().map(|wish| wish.id)))
        .order_by_asc(wish_skill::Column::Skill)
        .into_tuple()
        .all(db)
        .await
}

/// One wish as `scope` may see it, and what is to be audited before it is shown.
///
/// # Errors
/// [`WishError::NotFound`].
pub async fn wish(
    db: &impl ConnectionTrait,
    keys: &Keys,
    scope: &Scope,
    id: WishId,
    now: DateTime<Utc>,
) -> Result<(WishView, Option<AuditEvent>), WishError> {
    let wish = find(db, scope, id).await?;
    let mut view = coded(db, scope, &wish, now).await?;
    match scope {
        Scope::Member(member) if *member != wish.requester_id => {
            view.contact = Some(contact(db, keys, &wish).await?);
            let event = AuditEvent::new(Actor::Member(*member), "wish.contact", "wish", now)
                .of(id)
                .in_region(&wish.region_code);
            return Ok((view, Some(event)));
        }
        Scope::Member(_) => show_address(&mut view, keys, &wish),
        Scope::Staff(_) | Scope::System => {}
    }
    view.volunteers = Some(helpers(db, &wish).await?);
    Ok((view, None))
}

/// A wish just changed, as its changer may see it.
///
/// # Errors
/// The database's.
pub async fn changed(
    db: &impl ConnectionTrait,
    keys: &Keys,
    scope: &Scope,
    wish: wish::Model,
    now: DateTime<Utc>,
) -> Result<WishView, WishError> {
    let mut view = coded(db, scope, &wish, now).await?;
    if matches!(scope, Scope::Member(member) if *member == wish.requester_id) {
        show_address(&mut view, keys, &wish);
    }
    view.volunteers = Some(helpers(db, &wish).await?);
    Ok(view)
}

fn show_address(view: &mut WishView, keys: &Keys, wish: &wish::Model) {
    if let Some(place) = &mut view.place {
        place.address = address(keys, wish);
    }
}

/// One that does not open is as good as none to whoever looks; `linli verify` is for that.
fn address(keys: &Keys, wish: &wish::Model) -> Option<String> {
    let opened = keys.open(ADDRESS_PURPOSE, wish.address_sealed.as_ref()?);
    if opened.is_err() {
        tracing::error!(wish.id = %wish.id, "an address does not open");
    }
    String::from_utf8(opened.ok()?).ok()
}

async fn contact(db: &impl ConnectionTrait, keys: &Keys, wish: &wish::Model) -> Result<ContactView, DbErr> {
    let requester = member::Entity::find_by_id(wish.requester_id).one(db).await?;
    let phone = requester.as_ref().and_then(|member| member.phone_sealed.as_ref()).and_then(|phone| {
        sealed::open_phone(keys, phone)
            .inspect_err(|_| tracing::error!(member.id = %wish.requester_id, "a phone does not open"))
            .ok()
    });
    Ok(ContactView { name: requester.and_then(|member| member.name), phone, address: address(keys, wish) })
}

async fn helpers(db: &impl ConnectionTrait, wish: &wish::Model) -> Result<Vec<HelperView>, DbErr> {
    let Some(task) = wish.task_id else { return Ok(Vec::new()) };
    let helpers = tasks::helpers(db, task).await?;
    Ok(helpers
        .into_iter()
        .map(|(claim, name)| HelperView { claim_id: claim.id, name: mask::name(name.as_deref()), status: claim.status })
        .collect())
}
