//! Who is calling, what that proves, and which rows it opens.
//!
//! The middleware puts the [`Caller`] into the request. A handler asks it for the proof its work needs ([`Caller::manager`],
//! [`Caller::volunteer`] …) before anything else, and gives its [`Scope`] to every query.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use entity::id::{MemberId, StaffId, StationId};
use entity::staff::Role;
use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait as _, IntoColumnRef};

use crate::audit::Actor;
use crate::http::Problem;
use crate::region::{RegionCode, Subtree};

/// Whoever holds a token that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    Member(MemberCaller),
    Staff(StaffCaller),
}

/// A member as of this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberCaller {
    pub id: MemberId,
    /// The member's community; none until the profile is complete.
    pub region: Option<RegionCode>,
    pub volunteer: bool,
    pub party_member: bool,
}

/// A console account as of this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffCaller {
    pub id: StaffId,
    pub role: Role,
    /// Works in this region's subtree.
    pub region: RegionCode,
    /// None: at every station of the subtree.
    pub station: Option<StationId>,
    /// Which member it is, so that nobody decides about themselves.
    pub member: Option<MemberId>,
}

/// A member with a complete profile. Made by [`Caller::resident`] only.
#[derive(Clone, Debug)]
#[expect(clippy::manual_non_exhaustive, reason = "the proof is for this crate too")]
pub struct Resident {
    pub id: MemberId,
    /// The member's community.
    pub region: RegionCode,
    _proof: (),
}

/// A resident who may claim: with the facet volunteer or party member. Made by [`Caller::volunteer`] only.
#[derive(Clone, Debug)]
#[expect(clippy::manual_non_exhaustive, reason = "the proof is for this crate too")]
pub struct Volunteer {
    pub id: MemberId,
    /// The member's community.
    pub region: RegionCode,
    _proof: (),
}

macro_rules! staff_proof {
    ($($(#[$meta:meta])* $name:ident),+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name(StaffCaller);

        impl Deref for $name {
            type Target = StaffCaller;

            fn deref(&self) -> &StaffCaller {
                &self.0
            }
        }
    )+};
}

staff_proof!(
    /// Staff of any role, for reads.
    Staff,
    /// Staff of a station: clerk, manager or admin.
    Clerk,
    /// A community worker: manager or admin.
    Manager,
    /// An admin.
    Admin
);

impl StaffCaller {
    /// The regions it works in.
    pub fn subtree(&self) -> Subtree {
        self.region.subtree()
    }

    /// Whether it works at a station in `region`.
    pub fn serves(&self, station: StationId, region: &str) -> bool {
        self.station.is_none_or(|own| own == station) && self.subtree().contains(region)
    }

    /// Nobody verifies, adjusts or reviews for the member that they are.
    ///
    /// # Errors
    /// 403 `second_person_required`.
    pub fn other_than(&self, member: MemberId) -> Result<(), Problem> {
        if self.member == Some(member) {
            return Err(Problem::forbidden_as("second_person_required", "不能为自己办理，请由另一位工作人员处理"));
        }
        Ok(())
    }
}

impl Caller {
    /// A member, complete or not.
    ///
    /// # Errors
    /// 403 for staff.
    pub fn member(&self) -> Result<&MemberCaller, Problem> {
        match self {
            Self::Member(member) => Ok(member),
            Self::Staff(_) => Err(Problem::forbidden("此操作由居民本人办理，请用居民账号登录")),
        }
    }

    /// A member with a complete profile.
    ///
    /// # Errors
    /// 403 `forbidden` for staff, 403 `profile_incomplete` before the profile is complete.
    pub fn resident(&self) -> Result<Resident, Problem> {
        let MemberCaller { id, region, .. } = self.member()?;
        let incomplete = || Problem::forbidden_as("profile_incomplete", "请先填写姓名和所在社区，再办理此事");
        Ok(Resident { id: *id, region: region.clone().ok_or_else(incomplete)?, _proof: () })
    }

    /// A resident who may claim.
    ///
    /// # Errors
    /// As [`Caller::resident`]; 403 `not_a_volunteer` without the facet.
    pub fn volunteer(&self) -> Result<Volunteer, Problem> {
        let member = self.member()?;
        let Resident { id, region, .. } = self.resident()?;
        if !(member.volunteer || member.party_member) {
            return Err(Problem::forbidden_as("not_a_volunteer", "请先登记为志愿者，再认领任务"));
        }
        Ok(Volunteer { id, region, _proof: () })
    }

    /// Staff of any role.
    ///
    /// # Errors
    /// 403 for members.
    pub fn staff(&self) -> Result<Staff, Problem> {
        self.staff_with(&[Role::Admin, Role::Manager, Role::Clerk, Role::Operator, Role::GridWorker, Role::Auditor])
            .map(Staff)
    }

    /// Clerk, manager or admin.
    ///
    /// # Errors
    /// 403 for members and other roles.
    pub fn clerk(&self) -> Result<Clerk, Problem> {
        self.staff_with(&[Role::Admin, Role::Manager, Role::Clerk]).map(Clerk)
    }

    /// Manager or admin.
    ///
    /// # Errors
    /// 403 for members and other roles.
    pub fn manager(&self) -> Result<Manager, Problem> {
        self.staff_with(&[Role::Admin, Role::Manager]).map(Manager)
    }

    /// Manager, admin, or auditor, who only reads.
    ///
    /// # Errors
    /// 403 for members and other roles.
    pub fn manager_or_auditor(&self) -> Result<Staff, Problem> {
        self.staff_with(&[Role::Admin, Role::Manager, Role::Auditor]).map(Staff)
    }

    /// Admin.
    ///
    /// # Errors
    /// 403 for members and other roles.
    pub fn admin(&self) -> Result<Admin, Problem> {
        self.staff_with(&[Role::Admin]).map(Admin)
    }

    fn staff_with(&self, roles: &[Role]) -> Result<StaffCaller, Problem> {
        match self {
            Self::Staff(staff) if roles.contains(&staff.role) => Ok(staff.clone()),
            Self::Staff(_) => Err(Problem::forbidden("您的角色不能办理此事，请联系有权限的工作人员")),
            Self::Member(_) => Err(Problem::forbidden("此操作由工作人员办理")),
        }
    }

    /// Which rows this caller may see.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Member(member) => Scope::Member(member.id),
            Self::Staff(staff) => Scope::Staff(staff.subtree()),
        }
    }

    /// Who acts, for the audit trail.
    pub const fn audit_actor(&self) -> Actor {
        match self {
            Self::Member(member) => Actor::Member(member.id),
            Self::Staff(staff) => Actor::Staff(staff.id),
        }
    }

    /// Who acts, as stored beside idempotency keys and audit entries: `member:ID` or `staff:ID`.
    pub fn actor(&self) -> String {
        match self {
            Self::Member(member) => format!("member:{}", member.id),
            Self::Staff(staff) => format!("staff:{}", staff.id),
        }
    }
}

/// Which rows a caller may see; decided once, applied at the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is the member's own.
    Member(MemberId),
    /// What lies in the subtree.
    Staff(Subtree),
    /// Everything: jobs and the command line.
    System,
}

impl Scope {
    /// For rows with an owner and a region: the member's own, or the subtree's.
    pub fn owned(&self, owner: impl IntoColumnRef, region: impl IntoColumnRef) -> Condition {
        match self {
            Self::Member(id) => Condition::all().add(Expr::col(owner).eq(*id)),
            Self::Staff(subtree) => Condition::all().add(subtree.covers(Expr::col(region))),
            Self::System => Condition::all(),
        }
    }

    /// Whether one row found otherwise may be seen.
    pub fn sees(&self, owner: MemberId, region: &str) -> bool {
        match self {
            Self::Member(id) => *id == owner,
            Self::Staff(subtree) => subtree.contains(region),
            Self::System => true,
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(Problem::unauthenticated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(region: Option<&str>, volunteer: bool, party_member: bool) -> Caller {
        let region = region.map(|code| RegionCode::parse(code).unwrap());
        Caller::Member(MemberCaller { id: MemberId::new(), region, volunteer, party_member })
    }

    fn staff(role: Role) -> Caller {
        let region = RegionCode::parse("130202").unwrap();
        Caller::Staff(StaffCaller { id: StaffId::new(), role, region, station: None, member: None })
    }

    fn code<T>(result: Result<T, Problem>) -> &'static str {
        result.map_or_else(|problem| problem.code(), |_| "ok")
    }

    #[test]
    fn roles_contain_each_other() {
        use Role::{Admin, Auditor, Clerk, GridWorker, Manager, Operator};
        for (role, expected) in [
            (Admin, ["ok", "ok", "ok", "ok"]),
            (Manager, ["ok", "ok", "ok", "forbidden"]),
            (Clerk, ["ok", "ok", "forbidden", "forbidden"]),
            (Operator, ["ok", "forbidden", "forbidden", "forbidden"]),
            (GridWorker, ["ok", "forbidden", "forbidden", "forbidden"]),
            (Auditor, ["ok", "forbidden", "forbidden", "forbidden"]),
        ] {
            let caller = staff(role);
            let found = [code(caller.staff()), code(caller.clerk()), code(caller.manager()), code(caller.admin())];
            assert_eq!(found, expected, "{role:?}");
            assert_eq!(code(caller.resident()), "forbidden");
        }
    }

    #[test]
    fn a_member_proves_what_the_profile_holds() {
        assert_eq!(code(member(None, true, false).resident()), "profile_incomplete");
        assert_eq!(code(member(None, true, false).volunteer()), "profile_incomplete");
        assert_eq!(code(member(Some("130202009001"), false, false).volunteer()), "not_a_volunteer");
        assert_eq!(code(member(Some("130202009001"), true, false).volunteer()), "ok");
        assert_eq!(code(member(Some("130202009001"), false, true).volunteer()), "ok");
        assert_eq!(code(member(Some("130202009001"), true, true).staff()), "forbidden");
    }
}
