//! The outcome list (满意): what was confirmed in a district, with its rating. Read only; nobody is named on it.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::WishId;
use entity::wish::{self, WishStatus};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Listing, Page, Problem};
use crate::identity::Caller;
use crate::region::{RegionCode, Subtree};

/// What stands on the outcome list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutcomeKind {
    Outcome,
}

/// A wish that was met, as the person served rated it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OutcomeView {
    pub kind: OutcomeKind,
    /// For staff of the subtree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wish_id: Option<WishId>,
    pub title: String,
    pub category: Category,
    pub region_code: String,
    /// 1 to 5.
    pub rating: Option<i16>,
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// A page of outcomes: the district's for members, the subtree's for staff. The latest first.
///
/// # Errors
/// 422 for a forged cursor; the database's.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    caller: &Caller,
    region: Option<&RegionCode>,
    category: Option<Category>,
    page: &Page,
) -> Result<Listing<OutcomeView>, Problem> {
    use wish::Column::{ConfirmedAt, Id, RegionCode as At, Status};
    let place = || Expr::col((wish::Entity, At));
    let seen = match caller {
        Caller::Staff(staff) => staff.subtree().covers(place()),
        Caller::Member(member) => match &member.region {
            Some(home) => Subtree::of(&home.district()).covers(place()),
            None => return Ok(Listing::whole(Vec::new())),
        },
    };
    let wanted = Condition::all()
        .add_option(region.map(|region| Subtree::of(region).covers(place())))
        .add_option(category.map(|category| wish::Column::Category.eq(category)));
    let mut select = wish::Entity::find()
        .filter(seen)
        .filter(wanted)
        .filter(Status.eq(WishStatus::Confirmed))
        .filter(ConfirmedAt.is_not_null());
    if let Some((at, id)) = page.after::<(DateTime<Utc>, WishId)>()? {
        let level = Condition::all().add(ConfirmedAt.eq(at)).add(Id.lt(id));
        select = select.filter(Condition::any().add(Expr::col(ConfirmedAt).lt(at)).add(level));
    }
    let rows = select.order_by_desc(ConfirmedAt).order_by_desc(Id).limit(page.limit() + 1).all(db).await?;
    let staff = matches!(caller, Caller::Staff(_));
    let listing = Listing::cut(rows, page, |row| (row.confirmed_at, row.id));
    Ok(listing.map(|row| OutcomeView {
        kind: OutcomeKind::Outcome,
        wish_id: staff.then_some(row.id),
        title: row.title,
        category: row.category,
        region_code: row.region_code,
        rating: row.rating,
        confirmed_at: row.confirmed_at,
    }))
}
