//! People.

use ::entity::consent::{self, ConsentGiver, ConsentKind};
use ::entity::id::{ConsentId, MemberId};
use ::entity::{member, session};
use linli::identity::sealed::seal_phone;
use sea_orm::Set;

use super::{COMMUNITY, Seed, Sent};
use crate::support::Bearer;

/// A person and a token for them.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) ref_id: String,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) region: Option<String>,
    pub(crate) token: String,
}

impl Bearer for Member {
    fn token(&self) -> &str {
        &self.token
    }
}

pub(crate) struct MemberSeed<'a> {
    seed: Seed<'a>,
    name: Option<String>,
    region: Option<String>,
    is_volunteer: bool,
    is_party_member: bool,
    is_named: bool,
}

impl<'a> MemberSeed<'a> {
    pub(super) fn new(seed: Seed<'a>) -> Self {
        let region = Some(COMMUNITY.to_owned());
        Self { seed, name: None, region, is_volunteer: false, is_party_member: false, is_named: false }
    }

    /// Without it names are 张测试, 李测试 … with a number.
    pub(crate) fn called(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(crate) fn in_region(mut self, code: &str) -> Self {
        self.region = Some(code.to_owned());
        self
    }

    /// As after a first sign-in: neither name nor region.
    pub(crate) fn incomplete(mut self) -> Self {
        self.region = None;
        self
    }

    pub(crate) fn volunteer(mut self) -> Self {
        self.is_volunteer = true;
        self
    }

    pub(crate) fn party_member(mut self) -> Self {
        self.is_party_member = true;
        self
    }

    /// Has agreed to stand on boards by name.
    pub(crate) fn named_on_boards(mut self) -> Self {
        self.is_named = true;
        self
    }

    async fn send(self) -> Member {
        self.seed.regions().await;
        let (app, number) = (self.seed.app, self.seed.next());
        let (now, keys) = (app.clock.now(), &app.state.keys);
        let surname = ["张", "李", "王", "刘", "陈", "杨", "赵"][number as usize % 7];
        let name = self.name.unwrap_or_else(|| format!("{surname}测试{number}"));
        let (id, phone) = (MemberId::new(), format!("138{number:08}"));
        let (phone_sealed, phone_index) = seal_phone(keys, &phone);
        let row = member::ActiveModel {
            id: Set(id),
            ref_id: Set(Some(format!("M{number:06}"))),
            name: Set(self.region.is_some().then(|| name.clone())),
            phone_sealed: Set(Some(phone_sealed)),
            phone_index: Set(Some(phone_index)),
            gender: Set(None),
            birth_year: Set(Some(1970)),
            region_code: Set(self.region.clone()),
            is_resident: Set(true),
            is_volunteer: Set(self.is_volunteer),
            is_party_member: Set(self.is_party_member),
            unit_id: Set(None),
            group_no: Set(None),
            max_hours_week: Set(None),
            special_group_sealed: Set(None),
            home_sealed: Set(None),
            registered_on: Set(None),
            named_on_boards: Set(self.is_named),
            created_at: Set(now),
            updated_at: Set(now),
            disabled_at: Set(None),
            erased_at: Set(None),
            merged_into: Set(None),
            offers_paused: Set(false),
        };
        self.seed.insert(vec![row]).await;
        self.seed.insert(consents(id, self.is_volunteer, self.is_named, now)).await;
        let session = session::ActiveModel { member_id: Set(Some(id)), staff_id: Set(None), ..Default::default() };
        let token = self.seed.token(session).await;
        Member { id, ref_id: format!("M{number:06}"), name, phone, region: self.region, token }
    }
}

fn consents(
    member: MemberId,
    volunteer: bool,
    boards: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Vec<consent::ActiveModel> {
    [(ConsentKind::Service, true), (ConsentKind::Volunteer, volunteer), (ConsentKind::Boards, boards)]
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(kind, _)| consent::ActiveModel {
            id: Set(ConsentId::new()),
            member_id: Set(member),
            kind: Set(kind),
            notice_version: Set("1".to_owned()),
            given_by: Set(ConsentGiver::Member),
            given_by_id: Set(None),
            given_at: Set(now),
            withdrawn_at: Set(None),
        })
        .collect()
}

impl<'a> IntoFuture for MemberSeed<'a> {
    type Output = Member;
    type IntoFuture = Sent<'a, Member>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
