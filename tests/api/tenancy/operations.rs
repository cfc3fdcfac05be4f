//! Who may call which operation on which objects, after API.md: one line for each operation of the OpenAPI document.
//!
//! A new operation without a line fails `every_operation_has_its_line`. Add it here: who is let in at all (else 403), what
//! the id in its path names and for whom that is there (else 404), and a body that would be taken.

use ::entity::staff::Role;
use serde_json::{Value, json};

use super::world::{Caller, Is, Place, Plot, World};

/// One line of the table.
pub(crate) struct Operation {
    /// Method and path below the base path, parameters without their names.
    pub(crate) call: &'static str,
    pub(crate) who: Who,
    pub(crate) on: On,
    /// As complete as can be, so that each of its fields can be spoilt.
    pub(crate) body: Option<fn(&World) -> Value>,
}

/// Who is let in; the others get 403.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    pub(crate) nobody: bool,
    members: Members,
    staff: &'static [Role],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    None,
    Any,
    /// With name and region.
    Complete,
    Volunteers,
}

const ALL: &[Role] = &[Role::Admin, Role::Manager, Role::Clerk, Role::Operator, Role::GridWorker, Role::Auditor];
const BUT_AUDITORS: &[Role] = &[Role::Admin, Role::Manager, Role::Clerk, Role::Operator, Role::GridWorker];
const FIELD: &[Role] = &[Role::Admin, Role::Manager, Role::Clerk, Role::GridWorker];
const CLERKS: &[Role] = &[Role::Admin, Role::Manager, Role::Clerk];
const MANAGERS: &[Role] = &[Role::Admin, Role::Manager];
const KEEPERS: &[Role] = &[Role::Admin, Role::Manager, Role::Clerk, Role::GridWorker];
const BOOKS: &[Role] = &[Role::Admin, Role::Manager, Role::Auditor];

const fn who(members: Members, staff: &'static [Role]) -> Who {
    Who { nobody: false, members, staff }
}

/// With a token or without.
const EVERYONE: Who = Who { nobody: true, members: Members::Any, staff: ALL };
const CALLERS: Who = who(Members::Any, ALL);
const MEMBERS: Who = who(Members::Any, &[]);
const RESIDENTS: Who = who(Members::Complete, &[]);
const VOLUNTEERS: Who = who(Members::Volunteers, &[]);
const STAFF: Who = who(Members::None, ALL);
const CLERK: Who = who(Members::None, CLERKS);
const FIELD_STAFF: Who = who(Members::None, FIELD);
const RESIDENT_OR_FIELD_STAFF: Who = who(Members::Complete, FIELD);
const MANAGER: Who = who(Members::None, MANAGERS);
const ADMIN: Who = who(Members::None, &[Role::Admin]);
const MANAGER_OR_AUDITOR: Who = who(Members::None, BOOKS);
const MEMBER_OR_CLERK: Who = who(Members::Any, CLERKS);
const RESIDENT_OR_CLERK: Who = who(Members::Complete, CLERKS);
const RESIDENT_OR_MANAGER: Who = who(Members::Complete, MANAGERS);
const RESIDENT_OR_KEEPER: Who = who(Members::Complete, KEEPERS);
const RESIDENT_OR_WORKER: Who = who(Members::Complete, BUT_AUDITORS);

impl Who {
    pub(crate) fn admits(self, caller: &Caller) -> bool {
        match caller.is {
            Is::Nobody => self.nobody,
            Is::Refused => false,
            Is::Newcomer => self.members == Members::Any,
            Is::Resident(_) => matches!(self.members, Members::Any | Members::Complete),
            Is::Volunteer(_) => self.members != Members::None,
            Is::Staff(role, ..) => self.staff.contains(&role),
        }
    }
}

/// What the path names, and for whom it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// Nothing: no id in the path.
    Nothing,
    /// A member: themselves and staff of the subtree.
    Member,
    /// A wish: its requester, the volunteer of an open claim, staff of the subtree.
    Wish,
    /// A wish, for its requester (and staff of the subtree, where staff is let in at all).
    OwnWish,
    /// A task: every member of the district, staff of the subtree.
    Task,
    /// A claim: its volunteer, staff of the subtree.
    Claim,
    /// A service record: its volunteer, staff of the subtree.
    Record,
    /// A redemption: its member, staff of the subtree.
    Redemption,
    /// A redemption, for its member and staff of its station.
    RedemptionAtStation,
    /// Goods: everyone.
    Goods,
    /// Goods, for staff of their station.
    GoodsAtStation,
    /// A time at which a service can be had, for staff of its station.
    SlotAtStation,
    /// An adjustment: staff of the subtree.
    Adjustment,
    /// A budget: staff of the subtree.
    Budget,
    /// A merit: its member, staff of the subtree.
    Merit,
    /// A photo of a merit: its member, staff of the subtree.
    Photo,
    /// A round of grants: staff of the subtree.
    GrantRound,
    /// A gift: staff in whose subtree both live.
    Gift,
    /// A household: who belongs to it, staff of the subtree.
    Household,
    /// A rule: staff whose subtree holds its region.
    Rule,
    /// A programme, by its code: staff whose subtree holds its region.
    Programme,
    /// A message: its member.
    Message,
    /// A station: everyone.
    Station,
    /// A station, for staff of its subtree.
    StationInSubtree,
    /// A station, for staff who work there.
    StationServed,
    /// A stock take, for staff of its station.
    StockTake,
    /// Goods on their way from the station, for staff who work there.
    TransferOut,
    /// Goods on their way to the station, for staff who work there.
    TransferIn,
    /// What a supplier is owed: staff of the subtree.
    Settlement,
    /// A region, by its code: everyone.
    Region,
    /// A coded list, by its name: everyone.
    CodeList,
    /// A word of the guess: everybody who is let in.
    GuessWord,
    /// A kind of consent, by its name: every member.
    ConsentKind,
    /// A seal, by its number: everyone.
    Seal,
    /// A posting: its member.
    Entry,
    /// A month that has begun: everybody who is let in.
    Month,
    /// A region, for staff of its subtree.
    RegionInSubtree,
    /// A plan of whom to ask for what: staff of the subtree.
    Assignment,
    /// A published listing: every member of the district, staff of the subtree.
    Listing,
    /// A published listing, for who provides it and staff of the subtree.
    OwnListing,
    /// A booking: its member, who provides it, staff of the subtree.
    Booking,
    /// A bundle of listings: every member of the district, staff of the subtree.
    Project,
}

/// How a caller stands to an object that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The call is heard.
    Through,
    /// The object may be seen but the step is not theirs: 403 or 404.
    SeenOnly,
    /// 404, as if it did not exist.
    Hidden,
}

impl On {
    /// The object of this kind at a place, as a path writes it.
    pub(crate) fn id(self, plot: &Plot) -> String {
        let id = match self {
            Self::Nothing => return String::new(),
            Self::Region | Self::RegionInSubtree => return plot.region.to_owned(),
            Self::CodeList => return "skill".to_owned(),
            Self::GuessWord => return "00000000-0000-7000-8000-000000000000".to_owned(),
            Self::ConsentKind => return "boards".to_owned(),
            Self::Seal => return "1".to_owned(),
            Self::Month => return "2026-11".to_owned(),
            Self::Member | Self::Entry => plot.resident.id.0,
            Self::Wish | Self::OwnWish => plot.wish.0,
            Self::Task => plot.task.0,
            Self::Claim => plot.claim.0,
            Self::Record => plot.record.0,
            Self::Redemption | Self::RedemptionAtStation => plot.redemption.0,
            Self::Goods | Self::GoodsAtStation => plot.goods.0,
            Self::SlotAtStation => plot.slot.0,
            Self::Adjustment => plot.adjustment.0,
            Self::Budget => plot.budget.0,
            Self::Merit => plot.merit.0,
            Self::Photo => plot.photo.0,
            Self::GrantRound => plot.grant_round.0,
            Self::Gift => plot.gift.0,
            Self::Household => plot.household.0,
            Self::Rule => plot.rule.0,
            Self::Programme => return plot.programme.clone(),
            Self::Message => plot.message_id.0,
            Self::Station | Self::StationInSubtree | Self::StationServed => plot.station.0,
            Self::StockTake => plot.partners().stock_take.0,
            Self::TransferOut => plot.partners().outgoing.0,
            Self::TransferIn => plot.partners().incoming.0,
            Self::Settlement => plot.partners().settlement.0,
            Self::Assignment => plot.assignment.0,
            Self::Listing | Self::OwnListing => plot.listing.0,
            Self::Booking => plot.booking.0,
            Self::Project => plot.project.0,
        };
        id.to_string()
    }

    /// For everybody who is let in.
    fn is_common(self) -> bool {
        use On::{CodeList, ConsentKind, Goods, GuessWord, Month, Nothing, Region, Seal, Station};
        matches!(self, Nothing | Goods | Station | Region | CodeList | GuessWord | ConsentKind | Seal | Month)
    }

    pub(crate) fn reach(self, caller: &Caller, plot: &Plot) -> Reach {
        let hidden_unless = |is: bool| if is { Reach::Through } else { Reach::Hidden };
        if self.is_common() {
            return Reach::Through;
        }
        match caller.is {
            Is::Nobody | Is::Refused | Is::Newcomer => Reach::Hidden,
            Is::Resident(own) | Is::Volunteer(own) if matches!(self, Self::Task | Self::Listing | Self::Project) => {
                hidden_unless(own.is_in_district_of(plot.place))
            }
            // The resident provides it; the others of the district see it.
            Is::Resident(own) | Is::Volunteer(own) if self == Self::OwnListing => {
                match (caller.is, own == plot.place, own.is_in_district_of(plot.place)) {
                    (Is::Resident(_), true, _) => Reach::Through,
                    (_, _, true) => Reach::SeenOnly,
                    _ => Reach::Hidden,
                }
            }
            Is::Resident(own) | Is::Volunteer(own) if self == Self::Booking => hidden_unless(own == plot.place),
            Is::Resident(own) => hidden_unless(own == plot.place && self.is_the_residents()),
            Is::Volunteer(own) if own == plot.place && self == Self::OwnWish => Reach::SeenOnly,
            Is::Volunteer(own) => {
                hidden_unless(own == plot.place && matches!(self, Self::Wish | Self::Claim | Self::Record))
            }
            Is::Staff(_, region, station) => {
                let at_station = matches!(
                    self,
                    Self::GoodsAtStation
                        | Self::SlotAtStation
                        | Self::RedemptionAtStation
                        | Self::StationServed
                        | Self::StockTake
                        | Self::TransferOut
                        | Self::TransferIn
                );
                let served = !at_station || station.is_none_or(|own| own == plot.station);
                hidden_unless(plot.is_in(region) && served)
            }
        }
    }

    fn is_the_residents(self) -> bool {
        use On::{Entry, Household, Member, Merit, Message, OwnWish, Photo, Redemption, RedemptionAtStation, Wish};
        matches!(
            self,
            Entry | Household | Member | Merit | Photo | Message | Wish | OwnWish | Redemption | RedemptionAtStation
        )
    }
}

const fn get(call: &'static str, who: Who, on: On) -> Operation {
    Operation { call, who, on, body: None }
}

const fn send(call: &'static str, who: Who, on: On, body: fn(&World) -> Value) -> Operation {
    Operation { call, who, on, body: Some(body) }
}

fn nothing(_: &World) -> Value {
    json!({})
}

fn reason(_: &World) -> Value {
    json!({"reason": "临时有事"})
}

/// The table.
pub(crate) const OPERATIONS: &[Operation] = &[
    // Sign-in.
    send("POST /auth/wechat", EVERYONE, On::Nothing, |_| json!({"code": "081Kq4Ga1MSox41fGa1bqW"})),
    send("POST /auth/sms", EVERYONE, On::Nothing, |_| json!({"phone": "13900000001"})),
    send("POST /auth/sms/verification", EVERYONE, On::Nothing, |_| json!({"phone": "13900000001", "code": "000000"})),
    send(
        "POST /auth/staff",
        EVERYONE,
        On::Nothing,
        |_| json!({"username": "nobody", "password": "nothing at all", "totp": "000000"}),
    ),
    send("POST /auth/refresh", EVERYONE, On::Nothing, |_| json!({"refresh_token": "not-a-token"})),
    get("DELETE /auth/session", CALLERS, On::Nothing),
    // Oneself.
    get("GET /me", CALLERS, On::Nothing),
    get("DELETE /me", MEMBERS, On::Nothing),
    send("PATCH /me", MEMBERS, On::Nothing, |world| {
        json!({"name": "王新名", "region_code": world.home().region, "gender": "F", "birth_year": 1960,
            "home": {"lat": 39.93, "lon": 119.6, "address": "幸福里 5 号楼"}, "skills": ["SK01"],
            "availability": [{"weekday": 6, "from": "08:30", "until": "11:30"}], "max_hours_week": 10, "offers_paused": false})
    }),
    send("POST /me/volunteer", RESIDENTS, On::Nothing, |_| {
        json!({"skills": ["SK01"], "availability": [{"weekday": 6, "from": "08:30", "until": "11:30"}],
            "max_hours_week": 10, "birth_year": 1960, "consent": true})
    }),
    send(
        "POST /me/reporting",
        RESIDENTS,
        On::Nothing,
        |world| json!({"unit_id": world.unit, "region_code": world.home().region}),
    ),
    send("POST /me/phone", MEMBERS, On::Nothing, |_| json!({"phone": "13900000001", "code": "000000"})),
    get("GET /me/export", MEMBERS, On::Nothing),
    get("GET /me/code", MEMBERS, On::Nothing),
    get("GET /me/consents", MEMBERS, On::Nothing),
    send("POST /me/consents", MEMBERS, On::Nothing, |_| json!({"kind": "boards", "notice_version": "1"})),
    send("POST /me/consents/{}/withdrawal", MEMBERS, On::ConsentKind, nothing),
    get("GET /me/inbox", MEMBERS, On::Nothing),
    get("POST /me/inbox/reading", MEMBERS, On::Nothing),
    get("POST /me/inbox/{}/reading", MEMBERS, On::Message),
    // Members, for staff.
    get("GET /members", STAFF, On::Nothing),
    get("GET /members/{}", CALLERS, On::Member),
    get("GET /me/qualifications", MEMBERS, On::Nothing),
    get("GET /members/{}/qualifications", CALLERS, On::Member),
    send(
        "POST /members/{}/qualifications",
        MANAGER,
        On::Member,
        |_| json!({"kind": "licence", "code": "SK01", "valid_until": "2099-12-31", "reference": "T130302199001011234"}),
    ),
    get("DELETE /members/{}/qualifications/{kind}/{code}", MANAGER, On::Member),
    send("POST /members/{}/disclosure", STAFF, On::Member, |_| json!({"reason": "电话核对"})),
    // Places and lists.
    get("GET /regions", EVERYONE, On::Nothing),
    get("GET /regions/{}", EVERYONE, On::Region),
    get("GET /codes/{}", EVERYONE, On::CodeList),
    send(
        "POST /codes/{}",
        ADMIN,
        On::CodeList,
        |_| json!({"code": "SK90", "name": "量血压", "parent": "SK01", "licence": true}),
    ),
    get("GET /codes/{}/{code}", EVERYONE, On::CodeList),
    send("PATCH /codes/{}/{code}", ADMIN, On::CodeList, |_| json!({"name": "水电", "parent": null, "licence": false})),
    send("POST /codes/{}/{code}/retirement", ADMIN, On::CodeList, nothing),
    get("DELETE /codes/{}/{code}/retirement", ADMIN, On::CodeList),
    send("POST /codes/{}/{code}/merge", ADMIN, On::CodeList, |_| json!({"into": "SK02"})),
    get("DELETE /codes/{}/{code}/merge", ADMIN, On::CodeList),
    get("GET /guess-words", STAFF, On::Nothing),
    send(
        "POST /guess-words",
        ADMIN,
        On::Nothing,
        |_| json!({"word": "水龙头", "kind": "skill", "code": "SK01", "weight": 10}),
    ),
    get("DELETE /guess-words/{}", ADMIN, On::GuessWord),
    get("GET /guess", STAFF, On::Nothing),
    get("GET /stations", EVERYONE, On::Nothing),
    get("GET /stations/{}", EVERYONE, On::Station),
    send("POST /stations", MANAGER, On::Nothing, |world| {
        json!({"name": "新驿站", "kind": "points_shop", "region_code": world.home().region, "address": "文化路 1 号",
            "opening_hours": "8:00–18:00", "lat": 39.93, "lon": 119.6})
    }),
    send("PATCH /stations/{}", MANAGER, On::StationInSubtree, |_| {
        json!({"name": "旧驿站", "kind": "points_shop", "address": "文化路 2 号", "opening_hours": "9:00–17:00", "lat": 39.93,
            "lon": 119.6, "active": true})
    }),
    // Service records.
    get("GET /service-records", CALLERS, On::Nothing),
    get("GET /me/service-records", MEMBERS, On::Nothing),
    get("GET /me/service-summary", MEMBERS, On::Nothing),
    get("GET /members/{}/service-summary", CALLERS, On::Member),
    get("GET /service-records/{}", CALLERS, On::Record),
    send("POST /service-records", MANAGER, On::Nothing, |world| {
        json!({"member_id": world.bystander.id, "category": "neighbourly", "started_at": world.hours(-50),
            "ended_at": world.hours(-48), "reason": "系统故障补登"})
    }),
    send(
        "POST /service-records/{}/verification",
        MANAGER,
        On::Record,
        |_| json!({"decision": "verify", "minutes": 60, "difficulty": 2, "organiser": true, "reason": "核对后下调"}),
    ),
    send("POST /service-records/{}/reversal", MANAGER, On::Record, reason),
    send("POST /service-records/{}/dispute", RESIDENTS, On::Record, reason),
    // Photos.
    get("POST /photos", RESIDENT_OR_WORKER, On::Nothing),
    get("GET /photos/{}", CALLERS, On::Photo),
    // Merits.
    get("GET /merits", CALLERS, On::Nothing),
    get("GET /me/merits", MEMBERS, On::Nothing),
    get("GET /merits/{}", CALLERS, On::Merit),
    send("POST /merits", RESIDENT_OR_FIELD_STAFF, On::Nothing, |world| {
        json!({"kind": "donation_goods", "member_id": world.bystander.id, "programme": "default", "category": "charity",
            "item": "books", "quantity": 3, "value": "60.00", "happened_on": "2026-11-20", "description": "旧书三本",
            "reason": "无", "photo_ids": [world.home().photo]})
    }),
    send("POST /merits/household-scores", FIELD_STAFF, On::Nothing, |world| {
        json!({"period": "2026-11", "programme": "default", "category": "civility", "scores": [
            {"household_id": world.home().household, "item": "tidy", "quantity": 1, "description": "楼道整洁", "reason": "无"}]})
    }),
    send("POST /merits/approvals", MANAGER, On::Nothing, |world| json!({"merit_ids": [world.home().merit]})),
    send(
        "POST /merits/{}/approval",
        MANAGER,
        On::Merit,
        |_| json!({"decision": "reject", "witnessed": false, "reason": "照片不清"}),
    ),
    send("POST /merits/{}/reversal", MANAGER, On::Merit, reason),
    send("POST /merits/{}/dispute", RESIDENTS, On::Merit, reason),
    send(
        "POST /merits/{}/dispute-decision",
        MANAGER,
        On::Merit,
        |_| json!({"decision": "dismiss", "reason": "核查属实"}),
    ),
    // Points.
    get("GET /me/points", MEMBERS, On::Nothing),
    get("GET /me/points/entries", MEMBERS, On::Nothing),
    get("GET /members/{}/points", CALLERS, On::Member),
    get("GET /members/{}/points/entries", CALLERS, On::Member),
    get("GET /me/points/entries/{}/proof", MEMBERS, On::Entry),
    get("GET /members/{}/points/entries/{journal_id}/proof", CALLERS, On::Member),
    get("GET /me/points/statements/{}", MEMBERS, On::Month),
    get("GET /members/{}/points/statements/{month}", CALLERS, On::Member),
    get("GET /regions/{}/points/statements/{month}", MANAGER_OR_AUDITOR, On::RegionInSubtree),
    get("GET /points/seals", EVERYONE, On::Nothing),
    get("GET /points/seals/key", EVERYONE, On::Nothing),
    get("GET /points/seals/{}", EVERYONE, On::Seal),
    get("GET /points/programmes", CALLERS, On::Nothing),
    get("GET /points/rules", MANAGER_OR_AUDITOR, On::Nothing),
    send("POST /points/rules", MANAGER, On::Nothing, |world| {
        json!({"programme": "default", "region_code": world.home().region, "subject": "event", "category": "civility",
            "item": "high_toss", "name": "劝阻高空抛物", "basis": "item", "amount": "1.00", "per_units": 1,
            "factors": {"evidence": {"A": "1.20", "B": "1.00", "C": "0.80", "D": "0.50"},
                "difficulty": ["1.00", "1.20", "1.50"], "organiser": "1.50"},
            "cap_day": "10.00", "cap_week": "30.00", "cap_month": "100.00", "cap_rule": "500.00", "min_evidence": "C",
            "approver": "street", "valid_from": world.hours(1), "valid_until": world.hours(1000)})
    }),
    send("POST /points/rules/{}/end", MANAGER, On::Rule, |world| json!({"valid_until": world.hours(500)})),
    get("GET /points/rules/check", MANAGER_OR_AUDITOR, On::Nothing),
    send("POST /points/rules/trial", MANAGER, On::Nothing, |world| {
        json!({"rules": [{"programme": "default", "region_code": world.home().region, "subject": "record",
                "category": "civility", "name": "文明创建", "basis": "time", "amount": "1.00", "per_minutes": 30,
                "factors": {"evidence": {"A": "1.20", "B": "1.00", "C": "0.80", "D": "0.50"},
                    "difficulty": ["1.00", "1.20", "1.50"], "organiser": "1.50"},
                "cap_day": "10.00", "cap_week": "30.00", "cap_month": "100.00", "cap_rule": "500.00",
                "min_evidence": "D", "approver": "street", "valid_from": world.hours(-1000),
                "valid_until": world.hours(1000)}],
            "from": world.hours(-2000), "until": world.hours(1000), "programme": "default",
            "region_code": world.home().region, "base": "current"})
    }),
    send("POST /points/programmes", MANAGER, On::Nothing, |world| {
        json!({"code": "fufen", "name": "福分", "unit": "福分", "region_code": world.home().region, "expiry": "months",
            "expiry_months": 24, "expiry_years": 0, "notice_days": 30, "reopen_days": 7, "negative_allowed": true,
            "budget_required": false, "households_pool": true, "account_cap": "1500.00", "gifts_allowed": true,
            "gift_cap_day": "10.00", "gift_cap_receiver": "50.00", "point_cost": "0.0100"})
    }),
    send("PATCH /points/programmes/{}", MANAGER, On::Programme, |_| {
        json!({"name": "福分", "unit": "福分", "expiry": "year_end", "expiry_years": 1, "notice_days": 15,
            "reopen_days": 5, "negative_allowed": true, "budget_required": false, "households_pool": true,
            "account_cap": "1500.00", "gifts_allowed": true, "gift_cap_day": "10.00", "gift_cap_receiver": "50.00",
            "point_cost": "0.0100"})
    }),
    get("GET /points/adjustments", MANAGER_OR_AUDITOR, On::Nothing),
    send("POST /points/adjustments", MANAGER, On::Nothing, |world| {
        json!({"member_id": world.bystander.id, "programme": "default", "direction": "grant", "amount": "5.00",
            "reason": "活动补发", "expires_on": "2027-12-31"})
    }),
    send("POST /points/adjustments/{}/approval", MANAGER, On::Adjustment, |_| json!({"decision": "reject"})),
    get("GET /points/budgets", MANAGER_OR_AUDITOR, On::Nothing),
    send("POST /points/budgets", MANAGER, On::Nothing, |world| {
        json!({"programme": "default", "name": "社区积分预算", "owner_kind": "sponsor", "region_code": world.home().region,
            "unit_id": world.unit, "amount": "1000", "warn_share": 90, "valid_until": "2027-12-31"})
    }),
    get("GET /points/budgets/{}", MANAGER_OR_AUDITOR, On::Budget),
    send(
        "PATCH /points/budgets/{}",
        MANAGER,
        On::Budget,
        |_| json!({"name": "社区预算", "warn_share": 70, "valid_until": "2027-12-31"}),
    ),
    get("GET /points/budgets/{}/fundings", MANAGER_OR_AUDITOR, On::Budget),
    send(
        "POST /points/budgets/{}/fundings",
        MANAGER,
        On::Budget,
        |_| json!({"amount": "10.00", "direction": "add", "reason": "季度注资"}),
    ),
    send("POST /points/budgets/{}/closing", MANAGER, On::Budget, nothing),
    get("GET /points/dues", MANAGER_OR_AUDITOR, On::Nothing),
    get("GET /points/liability", MANAGER_OR_AUDITOR, On::Nothing),
    // Households.
    get("GET /me/household", MEMBERS, On::Nothing),
    get("GET /households", STAFF, On::Nothing),
    get("GET /households/{}", CALLERS, On::Household),
    send(
        "POST /households",
        RESIDENT_OR_KEEPER,
        On::Nothing,
        |world| json!({"name": "和美之家", "region_code": world.home().region, "member_ids": [world.bystander.id]}),
    ),
    send(
        "POST /households/{}/members",
        RESIDENT_OR_KEEPER,
        On::Household,
        |world| json!({"member_id": world.bystander.id}),
    ),
    get("DELETE /households/{}/members/{member_id}", RESIDENT_OR_KEEPER, On::Household),
    send("POST /households/{}/membership", RESIDENTS, On::Household, |_| json!({"pools": true})),
    get("DELETE /households/{}/membership", RESIDENTS, On::Household),
    // Gifts.
    send(
        "POST /points/gifts",
        RESIDENTS,
        On::Nothing,
        |world| json!({"to_member_id": world.bystander.id, "programme": "default", "amount": "1.00", "message": "谢谢"}),
    ),
    get("GET /me/points/gifts", MEMBERS, On::Nothing),
    send("POST /points/gifts/{}/reversal", MANAGER, On::Gift, reason),
    // Grants to many.
    send("POST /points/grants", MANAGER, On::Nothing, |world| {
        json!({"programme": "default", "amount_each": "1.00", "member_ids": [world.bystander.id],
            "region_code": world.home().region, "special_groups": ["A1"], "from": "budget", "reason": "节日慰问",
            "dry_run": true})
    }),
    get("GET /points/grants", MANAGER_OR_AUDITOR, On::Nothing),
    get("GET /points/grants/{}", MANAGER_OR_AUDITOR, On::GrantRound),
    send("POST /points/grants/{}/approval", MANAGER, On::GrantRound, |_| json!({"decision": "reject"})),
    get("GET /points/donations", MANAGER_OR_AUDITOR, On::Nothing),
    // Goods and redemption.
    get("GET /goods", EVERYONE, On::Nothing),
    get("GET /goods/{}", EVERYONE, On::Goods),
    send("POST /goods", MANAGER, On::Nothing, |world| {
        json!({"name": "食用油", "description": "五升", "station_id": world.home().station, "programme": "default",
            "points": "12.50", "stock": 3, "per_member_limit": 1, "supplier_unit_id": world.unit, "kind": "service",
            "duration_minutes": 30, "cost": 800, "limit_period": "month", "per_household_limit": 2})
    }),
    send("PATCH /goods/{}", MANAGER, On::GoodsAtStation, |_| {
        json!({"name": "新米", "description": "十斤", "points": "9.90", "per_member_limit": 2, "active": false,
            "supplier_unit_id": null, "duration_minutes": null, "cost": 900, "limit_period": "year",
            "per_household_limit": 4})
    }),
    get("GET /goods/{}/slots", EVERYONE, On::Goods),
    send(
        "POST /goods/{}/slots",
        CLERK,
        On::GoodsAtStation,
        |world| json!({"slots": [{"starts_at": world.hours(30), "ends_at": world.hours(31), "capacity": 2}]}),
    ),
    send(
        "PATCH /goods-slots/{}",
        CLERK,
        On::SlotAtStation,
        |_| json!({"capacity": 3, "status": "closed", "cancel_bookings": true}),
    ),
    get("GET /goods/{}/stock-movements", STAFF, On::GoodsAtStation),
    send("POST /goods/{}/stock-movements", CLERK, On::GoodsAtStation, |_| json!({"quantity": 2, "reason": "receipt"})),
    get("GET /redemptions", CALLERS, On::Nothing),
    get("GET /me/redemptions", MEMBERS, On::Nothing),
    get("GET /redemptions/{}", CALLERS, On::Redemption),
    send("POST /redemptions", RESIDENTS, On::Nothing, |world| json!({"goods_id": world.home().goods, "quantity": 1})),
    send("POST /redemptions/{}/cancellation", MEMBER_OR_CLERK, On::RedemptionAtStation, reason),
    send(
        "POST /redemptions/{}/rebooking",
        MEMBERS,
        On::Redemption,
        |world| json!({"slot_id": world.home().slot, "line": 1}),
    ),
    send("POST /redemptions/{}/refund", MANAGER, On::RedemptionAtStation, reason),
    send("POST /redemptions/fulfilments", CLERK, On::Nothing, |world| json!({"code": world.home().pick_up_code})),
    send(
        "POST /counter-redemptions",
        CLERK,
        On::Nothing,
        |world| json!({"member_code": world.member_code(Place::Home), "goods_id": world.home().goods, "quantity": 1}),
    ),
    // Shelves.
    get("GET /stations/{}/stock-takes", STAFF, On::StationServed),
    send(
        "POST /stations/{}/stock-takes",
        CLERK,
        On::StationServed,
        |world| json!({"note": "月末盘点", "lines": [{"goods_id": world.home().goods, "counted": 20}]}),
    ),
    get("GET /stock-takes/{}", STAFF, On::StockTake),
    send(
        "POST /goods/{}/transfers",
        CLERK,
        On::GoodsAtStation,
        |world| json!({"to_station_id": world.home().partners().annex, "quantity": 1, "note": "周末活动用"}),
    ),
    get("GET /stock-transfers", STAFF, On::Nothing),
    get("GET /stock-transfers/{}", STAFF, On::TransferOut),
    send("POST /stock-transfers/{}/receipt", CLERK, On::TransferIn, |_| json!({"quantity": 2, "note": "已清点"})),
    send("POST /stock-transfers/{}/cancellation", CLERK, On::TransferOut, reason),
    // Vouchers.
    get("GET /goods/{}/vouchers", STAFF, On::GoodsAtStation),
    send(
        "POST /goods/{}/vouchers",
        CLERK,
        On::GoodsAtStation,
        |_| json!({"codes": ["AB-1234-5678"], "expires_on": "2099-12-31"}),
    ),
    get("POST /goods/{}/voucher-files", CLERK, On::GoodsAtStation),
    send("POST /redemptions/{}/voucher-disclosure", CLERK, On::RedemptionAtStation, reason),
    // Settlements.
    get("GET /settlements", MANAGER_OR_AUDITOR, On::Nothing),
    send(
        "POST /settlements",
        MANAGER,
        On::Nothing,
        |world| json!({"month": "2026-01", "region_code": world.home().region}),
    ),
    get("GET /settlements/{}", MANAGER_OR_AUDITOR, On::Settlement),
    get("GET /settlements/{}/lines", MANAGER_OR_AUDITOR, On::Settlement),
    send(
        "POST /settlements/{}/payment",
        MANAGER,
        On::Settlement,
        |_| json!({"paid_on": "2026-01-31", "reference": "银付 0017"}),
    ),
    // Boards.
    get("GET /rankings", EVERYONE, On::Nothing),
    // Wishes.
    get("GET /wishes", CALLERS, On::Nothing),
    get("GET /wishes/{}", CALLERS, On::Wish),
    send("POST /wishes", RESIDENT_OR_WORKER, On::Nothing, |world| {
        json!({"title": "换灯泡", "body": "厨房的灯不亮了", "category": "neighbourly", "region_code": world.home().region,
            "skills": ["SK01"], "slots": 1, "window": world.window(),
            "place": {"lat": 39.93, "lon": 119.6, "address": "幸福里 3 号楼"}})
    }),
    send("POST /wishes/{}/review", MANAGER, On::Wish, |_| {
        json!({"decision": "publish", "risk_notice": "注意用电安全", "reason": "无", "category": "neighbourly", "skills": ["SK01"],
            "domain": null, "hazards": ["H02"], "place_required": false})
    }),
    send("POST /wishes/{}/cancellation", RESIDENT_OR_MANAGER, On::OwnWish, reason),
    send("POST /wishes/{}/confirmation", RESIDENTS, On::OwnWish, |_| json!({"rating": 5, "comment": "谢谢"})),
    send("POST /wishes/{}/dispute", RESIDENTS, On::OwnWish, reason),
    send("POST /wishes/{}/arbitration", MANAGER, On::Wish, |_| json!({"decision": "confirm", "reason": "双方已确认"})),
    send("POST /wishes/{}/reopening", RESIDENTS, On::OwnWish, |world| json!({"window": world.window()})),
    send("POST /wishes/{}/relisting", MANAGER, On::Wish, |world| json!({"window": world.window()})),
    // Lists and bookings.
    get("GET /list-profiles", CALLERS, On::Nothing),
    send(
        "PUT /list-profiles/{}",
        ADMIN,
        On::RegionInSubtree,
        |_| json!({"name": "三张清单", "lists": [{"code": "needs", "name": "需求", "holds": "need"}]}),
    ),
    get("DELETE /list-profiles/{}", ADMIN, On::RegionInSubtree),
    get("GET /list-projects", CALLERS, On::Nothing),
    get("GET /list-projects/{}", CALLERS, On::Project),
    send("POST /list-projects", MANAGER, On::Nothing, |world| {
        json!({"title": "老楼加装扶手", "body": "先修楼道，再装扶手", "region_code": world.home().region,
            "listing_ids": [world.home().listing]})
    }),
    send(
        "PATCH /list-projects/{}",
        MANAGER,
        On::Project,
        |world| json!({"title": "老楼加装扶手", "body": "分两期", "status": "closed", "listing_ids": [world.home().listing]}),
    ),
    get("GET /listings", CALLERS, On::Nothing),
    get("GET /listings/{}", CALLERS, On::Listing),
    send("POST /listings", RESIDENT_OR_CLERK, On::Nothing, |world| {
        json!({"kind": "service", "title": "书法公益课", "body": "零基础可学", "category": "culture", "domain": "文化",
            "skills": ["SK01"], "region_code": world.home().region, "unit_id": world.unit,
            "station_id": world.home().station, "member_id": world.bystander.id, "capacity": 10, "measure": "人次",
            "period": "opening", "window": {"from": world.hours(24), "until": world.hours(24 * 60)},
            "place": {"lat": 39.93, "lon": 119.6, "address": "社区活动室"}, "special_group": "A1",
            "openings": {"weekly": [{"weekday": 6, "from": "09:00", "until": "11:00"}],
                "recurrence": {"rule": "FREQ=MONTHLY;BYDAY=2SU", "starts_at": world.hours(48), "minutes": 90},
                "closed_on": ["2026-12-26"]}})
    }),
    send("PATCH /listings/{}", RESIDENT_OR_CLERK, On::OwnListing, |world| {
        json!({"title": "书法课", "body": "每周六", "category": "culture", "domain": "文化", "skills": ["SK01"],
            "capacity": 12, "measure": "人次", "period": "all", "special_group": "A1",
            "window": {"from": world.hours(24), "until": world.hours(24 * 60)},
            "place": {"lat": 39.93, "lon": 119.6, "address": "社区活动室"},
            "openings": {"weekly": [{"weekday": 6, "from": "09:00", "until": "11:00"}],
                "recurrence": {"rule": "FREQ=MONTHLY;BYDAY=2SU", "starts_at": world.hours(48), "minutes": 90},
                "closed_on": ["2026-12-26"]}})
    }),
    send(
        "POST /listings/{}/publication",
        MANAGER,
        On::Listing,
        |_| json!({"risk_notice": "注意安全", "category": "culture", "domain": "文化", "skills": ["SK01"]}),
    ),
    send("POST /listings/{}/closing", RESIDENT_OR_CLERK, On::OwnListing, reason),
    send("POST /listings/{}/withdrawal", RESIDENT_OR_CLERK, On::OwnListing, reason),
    send(
        "POST /listings/{}/reopening",
        RESIDENT_OR_CLERK,
        On::OwnListing,
        |world| json!({"window": {"from": world.hours(24), "until": world.hours(24 * 60)}}),
    ),
    get("GET /listings/{}/openings", CALLERS, On::Listing),
    get("GET /listings/{}/matches", CALLERS, On::OwnListing),
    get("GET /wishes/{}/listings", CALLERS, On::OwnWish),
    send("POST /listings/{}/bookings", RESIDENT_OR_CLERK, On::Listing, |world| {
        json!({"quantity": 1, "wish_id": world.home().wish, "from": world.hours(24), "waitlist": true,
            "member_id": world.bystander.id})
    }),
    get("GET /bookings", CALLERS, On::Nothing),
    get("GET /me/bookings", MEMBERS, On::Nothing),
    get("GET /bookings/{}", CALLERS, On::Booking),
    send("POST /bookings/{}/cancellation", RESIDENT_OR_CLERK, On::Booking, reason),
    send("POST /bookings/{}/attendance", CLERK, On::Booking, nothing),
    send(
        "POST /bookings/{}/completion",
        CLERK,
        On::Booking,
        |world| json!({"started_at": world.hours(-3), "ended_at": world.hours(-1), "without_record": false}),
    ),
    send("POST /bookings/{}/no-show", CLERK, On::Booking, reason),
    // Tasks and claims.
    get("GET /tasks", CALLERS, On::Nothing),
    get("GET /tasks/{}", CALLERS, On::Task),
    get("GET /tasks/{}/check-in-code", CLERK, On::Task),
    get("GET /tasks/{}/matches", MANAGER, On::Task),
    get("GET /me/recommendations", VOLUNTEERS, On::Nothing),
    send("POST /tasks/{}/claims", VOLUNTEERS, On::Task, nothing),
    get("GET /tasks/{}/offers", STAFF, On::Task),
    send("POST /assignments", MANAGER, On::Nothing, |world| {
        json!({"region_code": world.home().region, "dry_run": true, "max_claims_per_member": 2, "from": world.hours(0),
            "until": world.hours(100), "categories": ["neighbourly"], "expires_in_minutes": 60})
    }),
    get("GET /assignments", MANAGER_OR_AUDITOR, On::Nothing),
    get("GET /assignments/{}", MANAGER_OR_AUDITOR, On::Assignment),
    send("POST /assignments/{}/offers", MANAGER, On::Assignment, nothing),
    send("POST /assignments/{}/withdrawal", MANAGER, On::Assignment, nothing),
    get("GET /regions/{}/offer-policy", MANAGER_OR_AUDITOR, On::RegionInSubtree),
    send("PATCH /regions/{}/offer-policy", MANAGER, On::RegionInSubtree, |_| {
        json!({"enabled": true, "wait_minutes": 10, "expires_minutes": 60, "urgent_minutes": 120, "urgent_priority": 2,
            "urgent_expires_minutes": 20, "wave_size": 3, "max_open_offers": 3, "max_asked": 30, "min_score": 40})
    }),
    send("DELETE /regions/{}/offer-policy", MANAGER, On::RegionInSubtree, nothing),
    get("GET /reports/fairness", MANAGER_OR_AUDITOR, On::Nothing),
    send(
        "POST /tasks/{}/offers",
        MANAGER,
        On::Task,
        |world| json!({"member_ids": [world.home().volunteer.id], "expires_in_minutes": 60}),
    ),
    get("GET /claims", CALLERS, On::Nothing),
    get("GET /me/claims", MEMBERS, On::Nothing),
    get("GET /claims/{}", CALLERS, On::Claim),
    send("POST /claims/{}/acceptance", VOLUNTEERS, On::Claim, nothing),
    send("POST /claims/{}/decline", RESIDENTS, On::Claim, reason),
    send("POST /claims/{}/withdrawal", RESIDENTS, On::Claim, reason),
    send(
        "POST /claims/{}/check-in",
        RESIDENT_OR_CLERK,
        On::Claim,
        |_| json!({"code": "0000000000", "lat": 39.93, "lon": 119.6}),
    ),
    send(
        "POST /claims/{}/check-out",
        RESIDENT_OR_CLERK,
        On::Claim,
        |_| json!({"code": "0000000000", "lat": 39.93, "lon": 119.6}),
    ),
    send("POST /claims/{}/no-show", CLERK, On::Claim, reason),
    get("GET /claims/{}/photos", CALLERS, On::Claim),
    send("POST /claims/{}/photos", RESIDENTS, On::Claim, |world| json!({"photo_ids": [world.home().photo]})),
];

/// The line of an operation.
pub(crate) fn line(call: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.call == call)
}
