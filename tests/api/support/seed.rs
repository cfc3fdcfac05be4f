//! Rows that tests start from, inserted directly: builders with sensible defaults, sent when they are awaited.
//!
//! ```ignore
//! let resident = app.seed().member().await;
//! let volunteer = app.seed().member().volunteer().in_region(SISTER).await;
//! let manager = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
//! ```
//!
//! The tree: a city with two districts; in the first a street with two communities, in the second one with one.

mod member;
mod place;
mod staff;

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use ::entity::id::SessionId;
use ::entity::session;
use ::entity::token::{self, TokenKind};
use chrono::TimeDelta;
use linli::crypto::{random_token, token_hash};
use linli::db::insert_all;
use sea_orm::{ActiveModelTrait, DbErr, Set};
use tokio::sync::OnceCell;

use super::TestApp;

pub(crate) use ::entity::station::Model as Station;
pub(crate) use member::Member;
pub(crate) use staff::Staff;

pub(crate) const CITY: &str = "130300";
pub(crate) const DISTRICT: &str = "130302";
pub(crate) const STREET: &str = "130302001";
/// Where everybody lives who lives nowhere else.
pub(crate) const COMMUNITY: &str = "130302001001";
/// In the same street.
pub(crate) const SISTER: &str = "130302001002";
/// In another district.
pub(crate) const FOREIGN: &str = "130303001001";

/// What a database has been given.
#[derive(Default)]
pub(super) struct Seeded {
    regions: OnceCell<()>,
    count: AtomicU32,
}

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Seed<'a> {
    app: &'a TestApp,
}

/// A builder's way to be awaited.
type Sent<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

impl<'a> Seed<'a> {
    pub(super) fn new(app: &'a TestApp) -> Self {
        Self { app }
    }

    /// The tree; every other seed plants it first.
    pub(crate) async fn regions(self) {
        self.app.seeded.regions.get_or_init(|| self.insert(place::tree())).await;
    }

    /// A resident of [`COMMUNITY`] with a complete profile.
    pub(crate) fn member(self) -> member::MemberSeed<'a> {
        member::MemberSeed::new(self)
    }

    /// An account over the whole of [`DISTRICT`].
    pub(crate) fn staff(self, role: ::entity::staff::Role) -> staff::StaffSeed<'a> {
        staff::StaffSeed::new(self, role)
    }

    /// A points shop in [`COMMUNITY`].
    pub(crate) fn station(self) -> place::StationSeed<'a> {
        place::StationSeed::new(self)
    }

    /// Inserts rows of one table that are already made.
    pub(crate) async fn insert<A: ActiveModelTrait + Send + Sync + Clone + 'static>(self, rows: Vec<A>) {
        self.app
            .state
            .db
            .write(async move |txn| insert_all(txn, rows.clone()).await.map(drop))
            .await
            .unwrap_or_else(|error: DbErr| panic!("seeding failed: {error}"));
    }

    /// 1, 2, 3 …
    fn next(self) -> u32 {
        self.app.seeded.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An access token that lives longer than any test's clock goes.
    async fn token(self, mut session: session::ActiveModel) -> String {
        let now = self.app.clock.now();
        let (id, access, end) = (SessionId::new(), random_token(), now + TimeDelta::days(3650));
        session.id = Set(id);
        session.created_at = Set(now);
        session.expires_at = Set(end);
        session.ended_at = Set(None);
        self.insert(vec![session]).await;
        let row = token::ActiveModel {
            hash: Set(token_hash(&access)),
            session_id: Set(id),
            kind: Set(TokenKind::Access),
            created_at: Set(now),
            expires_at: Set(end),
            used_at: Set(None),
        };
        self.insert(vec![row]).await;
        access
    }
}
