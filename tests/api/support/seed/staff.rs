//! Console accounts.

use ::entity::id::{MemberId, StaffId, StationId};
use ::entity::session;
use ::entity::staff::{self, Role};
use sea_orm::Set;

use super::{DISTRICT, Member, Seed, Sent};
use crate::support::Bearer;

/// An account and a token for it.
#[derive(Clone, Debug)]
pub(crate) struct Staff {
    pub(crate) id: StaffId,
    pub(crate) username: String,
    pub(crate) role: Role,
    pub(crate) region: String,
    pub(crate) token: String,
}

impl Bearer for Staff {
    fn token(&self) -> &str {
        &self.token
    }
}

pub(crate) struct StaffSeed<'a> {
    seed: Seed<'a>,
    role: Role,
    region: String,
    station: Option<StationId>,
    member: Option<MemberId>,
    password_hash: Option<String>,
}

impl<'a> StaffSeed<'a> {
    pub(super) fn new(seed: Seed<'a>, role: Role) -> Self {
        Self { seed, role, region: DISTRICT.to_owned(), station: None, member: None, password_hash: None }
    }

    pub(crate) fn in_region(mut self, code: &str) -> Self {
        code.clone_into(&mut self.region);
        self
    }

    /// Works at this station only.
    pub(crate) fn at_station(mut self, station: StationId) -> Self {
        self.station = Some(station);
        self
    }

    /// Is this person.
    pub(crate) fn being(mut self, member: &Member) -> Self {
        self.member = Some(member.id);
        self
    }

    /// A PHC string; without one no password fits.
    pub(crate) fn password_hash(mut self, hash: &str) -> Self {
        self.password_hash = Some(hash.to_owned());
        self
    }

    async fn send(self) -> Staff {
        self.seed.regions().await;
        let now = self.seed.app.clock.now();
        let (id, username) = (StaffId::new(), format!("staff{}", self.seed.next()));
        let row = staff::ActiveModel {
            id: Set(id),
            username: Set(username.clone()),
            password_hash: Set(self.password_hash.unwrap_or_else(|| "!".to_owned())),
            role: Set(self.role),
            region_code: Set(self.region.clone()),
            station_id: Set(self.station),
            member_id: Set(self.member),
            totp_sealed: Set(None),
            disabled_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        self.seed.insert(vec![row]).await;
        let session = session::ActiveModel { member_id: Set(None), staff_id: Set(Some(id)), ..Default::default() };
        let token = self.seed.token(session).await;
        Staff { id, username, role: self.role, region: self.region, token }
    }
}

impl<'a> IntoFuture for StaffSeed<'a> {
    type Output = Staff;
    type IntoFuture = Sent<'a, Staff>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
