//! One seeded instance in which everybody has something that somebody else must not see: the same set of objects at home,
//! in the sister community and in another district, each with canary words of its own.

use ::entity::adjustment::{self, AdjustmentStatus, Direction};
use ::entity::assignment;
use ::entity::category::Category;
use ::entity::claim::{self, ClaimStatus};
use ::entity::goods_slot::{self, SlotStatus};
use ::entity::grant_round::{self, GrantSource};
use ::entity::household_member::{self, HouseholdRole, MembershipStatus};
use ::entity::id::{
    AdjustmentId, AssignmentId, BookingId, BudgetId, ClaimId, FundingId, GiftId, GoodsId, GrantRoundId, HouseholdId,
    InboxMessageId, JournalId, ListingId, MeritId, PhotoId, ProjectId, RedemptionId, RuleId, ServiceRecordId, SlotId,
    StationId, TaskId, UnitId, WishId,
};
use ::entity::journal::JournalKind;
use ::entity::merit::{self, MeritKind, MeritStatus};
use ::entity::photo::{self, PhotoSubject};
use ::entity::redemption::{self, RedemptionChannel, RedemptionStatus};
use ::entity::score::{self, SubjectKind};
use ::entity::service_record::{self, Evidence, RecordStatus};
use ::entity::staff::Role;
use ::entity::task::{self, TaskSource, TaskStatus};
use ::entity::token::{self, TokenKind};
use ::entity::wish::{self, WishStatus};
use ::entity::{
    budget, budget_funding, code_item, gift, goods, household, inbox_message, member, photo_content, programme, rule,
    session, staff, unit,
};
use chrono::{DateTime, TimeDelta, Utc};
use linli::audit::Actor;
use linli::identity::member_code;
use linli::identity::sealed::{Home, seal_home, seal_special_group};
use linli::points::{Points, Posting, Source};
use sea_orm::{ActiveModelTrait as _, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::partners::Partners;
use crate::support::{COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, Staff, TestApp};

/// Where an object lies, as seen by the people of home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    /// In the same community, but another person's, and at another station.
    NextDoor,
    Sister,
    Foreign,
}

pub(crate) const PLACES: [Place; 4] = [Place::Home, Place::NextDoor, Place::Sister, Place::Foreign];

/// What lies at one place.
pub(crate) struct Plot {
    pub(crate) place: Place,
    pub(crate) region: &'static str,
    pub(crate) resident: Member,
    pub(crate) volunteer: Member,
    pub(crate) manager: Staff,
    pub(crate) station: StationId,
    pub(crate) goods: GoodsId,
    /// A time at which the goods can be had.
    pub(crate) slot: SlotId,
    pub(crate) wish: WishId,
    pub(crate) task: TaskId,
    pub(crate) claim: ClaimId,
    /// Of the manager, a plan without pairs.
    pub(crate) assignment: AssignmentId,
    pub(crate) record: ServiceRecordId,
    pub(crate) redemption: RedemptionId,
    /// What the resident shows to get the goods.
    pub(crate) pick_up_code: String,
    pub(crate) adjustment: AdjustmentId,
    pub(crate) budget: BudgetId,
    pub(crate) partners: Option<Partners>,
    /// Of the resident, waiting for approval.
    pub(crate) merit: MeritId,
    /// What the staff who entered it say about it.
    pub(crate) merit_words: String,
    /// Attached to the merit, by staff.
    pub(crate) photo: PhotoId,
    /// For the resident, waiting for a second manager.
    pub(crate) grant_round: GrantRoundId,
    /// From the resident to the volunteer.
    pub(crate) gift: GiftId,
    /// Of the resident alone.
    pub(crate) household: HouseholdId,
    pub(crate) rule: RuleId,
    pub(crate) programme: String,
    /// Title and words of the wish, as its task shows them to the district.
    pub(crate) wish_words: String,
    /// Where the resident lives.
    pub(crate) address: String,
    /// In the inbox of the resident.
    pub(crate) message: String,
    pub(crate) message_id: InboxMessageId,
    /// Of the resident, sealed.
    pub(crate) special_group: String,
    /// A service of the resident, as the district sees it on the lists.
    pub(crate) listing: ListingId,
    pub(crate) listing_words: String,
    /// Of the volunteer.
    pub(crate) booking: BookingId,
    pub(crate) project: ProjectId,
}

/// Whoever calls.
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) token: Option<String>,
    pub(crate) is: Is,
}

/// What a caller is, as far as the contract asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// Without a token.
    Nobody,
    /// With a token that does not count any more, or never did.
    Refused,
    /// Signed in for the first time: neither name nor region.
    Newcomer,
    Resident(Place),
    Volunteer(Place),
    /// Role, region, and the station where it is bound to one.
    Staff(Role, &'static str, Option<StationId>),
}

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) plots: Vec<Plot>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) now: DateTime<Utc>,
    /// A resident of home whom no test but the tests of bodies names.
    pub(crate) bystander: Member,
    pub(crate) unit: UnitId,
}

impl World {
    pub(crate) async fn new(app: TestApp) -> Self {
        let now = app.clock.now();
        let mut plots = Vec::new();
        for (place, region, mark) in [
            (Place::Home, COMMUNITY, "甲"),
            (Place::NextDoor, COMMUNITY, "乙"),
            (Place::Sister, SISTER, "丙"),
            (Place::Foreign, FOREIGN, "丁"),
        ] {
            plots.push(plot(&app, place, region, mark).await);
        }
        points(&app, &plots).await;
        let bystander = app.seed().member().await;
        let callers = callers(&app, &plots).await;
        let unit = lists(&app).await;
        Self { app, plots, callers, now, bystander, unit }
    }

    pub(crate) fn plot(&self, place: Place) -> &Plot {
        self.plots.iter().find(|plot| plot.place == place).unwrap()
    }

    pub(crate) fn home(&self) -> &Plot {
        self.plot(Place::Home)
    }

    /// So many hours from now, as bodies write it.
    pub(crate) fn hours(&self, hours: i64) -> Value {
        json!(self.now + TimeDelta::hours(hours))
    }

    /// Tomorrow, for two hours.
    pub(crate) fn window(&self) -> Value {
        json!({"from": self.hours(24), "until": self.hours(26)})
    }

    /// What the resident of `place` shows at a counter.
    pub(crate) fn member_code(&self, place: Place) -> String {
        member_code::issue(&self.app.state.keys, self.plot(place).resident.id, self.now).code
    }

    pub(crate) fn caller(&self, name: &str) -> &Caller {
        self.callers.iter().find(|caller| caller.name == name).unwrap_or_else(|| panic!("no caller {name}"))
    }
}

/// A sealed posting for each resident, under the id of the resident.
async fn points(app: &TestApp, plots: &[Plot]) {
    let (now, today) = (app.clock.now(), app.state.calendar.day_of(app.clock.now()));
    for plot in plots {
        let (member_id, community) = (plot.resident.id, plot.region);
        let posted = app.state.db.write(async move |txn| {
            let posting = Posting {
                journal_id: JournalId(member_id.0),
                kind: JournalKind::Grant,
                programme: "default",
                member_id,
                community,
                amount: Points::from_hundredths(10_000),
                expires_on: None,
                source: Source { kind: "test", id: member_id.0 },
                reason: None,
                actor: Actor::System,
                at: now,
                posted_at: now,
                today,
            };
            linli::points::post(txn, &posting).await
        });
        posted.await.unwrap();
    }
    linli::jobs::run_once(&app.state, "seal").await.unwrap();
}

/// A skill and a unit, for bodies to name.
async fn lists(app: &TestApp) -> UnitId {
    let skill = |code: &str| code_item::ActiveModel {
        list: Set("skill".to_owned()),
        code: Set(code.to_owned()),
        name: Set("水电维修".to_owned()),
        parent: Set(None),
        ..Default::default()
    };
    app.seed().insert(vec![skill("SK01"), skill("SK02")]).await;
    let unit = UnitId::new();
    let row = unit::ActiveModel {
        id: Set(unit),
        ref_id: Set(None),
        name: Set("市供电公司".to_owned()),
        unit_type: Set("企业".to_owned()),
        region_code: Set(COMMUNITY.to_owned()),
        party_members: Set(30),
        created_at: Set(app.clock.now()),
    };
    app.seed().insert(vec![row]).await;
    unit
}

async fn callers(app: &TestApp, plots: &[Plot]) -> Vec<Caller> {
    let [home, next_door, sister, foreign] = plots else { panic!("four places") };
    let newcomer = app.seed().member().incomplete().await;
    let mut callers = vec![
        Caller { name: "nobody", token: None, is: Is::Nobody },
        Caller { name: "forged token", token: Some(linli::crypto::random_token()), is: Is::Refused },
        Caller { name: "token of yesterday", token: Some(stale(app, &home.manager, 1).await), is: Is::Refused },
        Caller { name: "token of an ended session", token: Some(stale(app, &home.manager, 0).await), is: Is::Refused },
        Caller { name: "disabled account", token: Some(disabled(app).await), is: Is::Refused },
        Caller { name: "newcomer", token: Some(newcomer.token), is: Is::Newcomer },
    ];
    for (name, plot) in
        [("resident", home), ("neighbour", next_door), ("sister resident", sister), ("foreign resident", foreign)]
    {
        callers.push(Caller { name, token: Some(plot.resident.token.clone()), is: Is::Resident(plot.place) });
    }
    for (name, plot) in [
        ("volunteer", home),
        ("other volunteer", next_door),
        ("sister volunteer", sister),
        ("foreign volunteer", foreign),
    ] {
        callers.push(Caller { name, token: Some(plot.volunteer.token.clone()), is: Is::Volunteer(plot.place) });
    }
    let city = crate::support::CITY;
    for (name, role, region, station) in [
        ("clerk of the station", Role::Clerk, COMMUNITY, Some(home.station)),
        ("clerk of another station", Role::Clerk, COMMUNITY, Some(next_door.station)),
        ("clerk of another district", Role::Clerk, FOREIGN, Some(foreign.station)),
        ("manager", Role::Manager, COMMUNITY, None),
        ("sister manager", Role::Manager, SISTER, None),
        ("foreign manager", Role::Manager, FOREIGN, None),
        ("operator", Role::Operator, COMMUNITY, None),
        ("grid worker", Role::GridWorker, COMMUNITY, None),
        ("auditor", Role::Auditor, COMMUNITY, None),
        ("admin of the district", Role::Admin, DISTRICT, None),
        ("foreign admin", Role::Admin, "130303", None),
        ("admin of the city", Role::Admin, city, None),
    ] {
        let mut seed = app.seed().staff(role).in_region(region);
        if let Some(station) = station {
            seed = seed.at_station(station);
        }
        callers.push(Caller { name, token: Some(seed.await.token), is: Is::Staff(role, region, station) });
    }
    callers
}

/// A token that was good `days` ago; with 0 its session was ended instead.
async fn stale(app: &TestApp, staff: &Staff, days: i64) -> String {
    let (now, id, text) = (app.clock.now(), ::entity::id::SessionId::new(), linli::crypto::random_token());
    let began = now - TimeDelta::days(2);
    app.seed()
        .insert(vec![session::ActiveModel {
            id: Set(id),
            member_id: Set(None),
            staff_id: Set(Some(staff.id)),
            created_at: Set(began),
            expires_at: Set(now + TimeDelta::days(30)),
            ended_at: Set((days == 0).then_some(now - TimeDelta::hours(1))),
        }])
        .await;
    let expires = if days == 0 { now + TimeDelta::hours(1) } else { now - TimeDelta::days(days) };
    app.seed()
        .insert(vec![token::ActiveModel {
            hash: Set(linli::crypto::token_hash(&text)),
            session_id: Set(id),
            kind: Set(TokenKind::Access),
            created_at: Set(began),
            expires_at: Set(expires),
            used_at: Set(None),
        }])
        .await;
    text
}

async fn disabled(app: &TestApp) -> String {
    let admin = app.seed().staff(Role::Admin).await;
    let now = app.clock.now();
    let row = staff::ActiveModel { id: Set(admin.id), disabled_at: Set(Some(now)), ..Default::default() };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
    admin.token
}

async fn plot(app: &TestApp, place: Place, region: &'static str, mark: &str) -> Plot {
    let seed = app.seed();
    // Full names and words that stand nowhere else: whoever is shown them by mistake is found out.
    let resident = seed.member().called(&format!("许愿{mark}金丝雀")).in_region(region).await;
    let volunteer = seed.member().called(&format!("志愿{mark}金丝雀")).in_region(region).volunteer().await;
    let manager = seed.staff(Role::Manager).in_region(region).await;
    let station = seed.station().in_region(region).await.id;
    let mut plot = Plot {
        place,
        region,
        resident,
        volunteer,
        manager,
        station,
        goods: GoodsId::new(),
        slot: SlotId::new(),
        wish: WishId::new(),
        task: TaskId::new(),
        claim: ClaimId::new(),
        assignment: AssignmentId::new(),
        record: ServiceRecordId::new(),
        redemption: RedemptionId::new(),
        pick_up_code: String::new(),
        adjustment: AdjustmentId::new(),
        budget: BudgetId::new(),
        partners: None,
        merit: MeritId::new(),
        merit_words: format!("{mark}善举金丝雀"),
        photo: PhotoId::new(),
        grant_round: GrantRoundId::new(),
        gift: GiftId::new(),
        household: HouseholdId::new(),
        rule: RuleId::new(),
        programme: format!("p-{region}-{}", place as u8),
        wish_words: format!("{mark}心愿金丝雀"),
        address: format!("{mark}金丝雀胡同 7 号"),
        message: format!("{mark}信箱金丝雀"),
        message_id: InboxMessageId::new(),
        special_group: format!("CANARY-{place:?}"),
        listing: ListingId::new(),
        listing_words: format!("{mark}清单金丝雀"),
        booking: BookingId::new(),
        project: ProjectId::new(),
    };
    let letter = ["A", "B", "C", "D"][PLACES.iter().position(|found| *found == place).unwrap()];
    plot.pick_up_code = format!("K7M2Q9{letter}{letter}");
    seal_home_of(app, &plot).await;
    seed.insert(vec![goods_of(app, &plot)]).await;
    let month = ["2026-01", "2026-02", "2026-03", "2026-04"][place as usize];
    plot.partners = Some(Partners::plant(app, region, station, plot.goods, plot.manager.id, month).await);
    seed.insert(vec![slot_of(app, &plot)]).await;
    seed.insert(vec![task_of(app, &plot)]).await;
    seed.insert(vec![wish_of(app, &plot)]).await;
    seed.insert(vec![claim_of(app, &plot)]).await;
    seed.insert(vec![assignment_of(app, &plot)]).await;
    seed.insert(vec![record_of(app, &plot)]).await;
    seed.insert(vec![redemption_of(app, &plot)]).await;
    seed.insert(vec![adjustment_of(app, &plot)]).await;
    fund(app, &plot).await;
    seed.insert(vec![merit_of(app, &plot)]).await;
    seed.insert(vec![photo_of(app, &plot)]).await;
    let sealed = app.state.keys.seal("photo", b"a picture");
    seed.insert(vec![photo_content::ActiveModel { photo_id: Set(plot.photo), sealed: Set(sealed) }]).await;
    seed.insert(vec![round_of(app, &plot)]).await;
    seed.insert(vec![gift_of(app, &plot)]).await;
    seed.insert(vec![household_of(app, &plot)]).await;
    seed.insert(vec![place_of(app, &plot)]).await;
    seed.insert(vec![programme_of(app, &plot)]).await;
    seed.insert(vec![rule_of(app, &plot)]).await;
    seed.insert(vec![message_of(app, &plot)]).await;
    seed.insert(vec![score_of(app, &plot)]).await;
    super::shelf::plant(app, &plot).await;
    plot
}

async fn seal_home_of(app: &TestApp, plot: &Plot) {
    let keys = &app.state.keys;
    let home = Home { lat: None, lon: None, address: Some(plot.address.clone()) };
    let row = member::ActiveModel {
        id: Set(plot.resident.id),
        home_sealed: Set(Some(seal_home(keys, &home))),
        special_group_sealed: Set(Some(seal_special_group(keys, &plot.special_group))),
        ..Default::default()
    };
    app.state.db.write(async move |txn| row.clone().update(txn).await).await.unwrap();
}

fn assignment_of(app: &TestApp, plot: &Plot) -> assignment::ActiveModel {
    let now = app.clock.now();
    assignment::ActiveModel {
        id: Set(plot.assignment),
        region_code: Set(plot.region.to_owned()),
        dry_run: Set(true),
        status: Set(assignment::AssignmentStatus::Planned),
        max_claims_per_member: Set(1),
        expires_minutes: Set(60),
        window_from: Set(None),
        window_until: Set(None),
        categories: Set(json!([])),
        tasks: Set(0),
        volunteers: Set(0),
        assigned: Set(0),
        unassigned: Set(0),
        objective: Set(0),
        reason: Set(None),
        created_by: Set(plot.manager.id),
        created_at: Set(now),
        offered_by: Set(None),
        offered_at: Set(None),
        withdrawn_by: Set(None),
        withdrawn_at: Set(None),
        updated_at: Set(now),
    }
}

/// More than any test issues.
async fn fund(app: &TestApp, plot: &Plot) {
    let now = app.clock.now();
    let budget = budget::ActiveModel {
        id: Set(plot.budget),
        programme: Set("default".to_owned()),
        name: Set("社区预算".to_owned()),
        owner_kind: Set(budget::BudgetOwner::Community),
        station_id: Set(None),
        unit_id: Set(None),
        region_code: Set(plot.region.to_owned()),
        region_lo: Set(plot.region.to_owned()),
        region_hi: Set(format!("{}A", plot.region)),
        funded: Set(100_000_000),
        issued: Set(0),
        warn_share: Set(80),
        warned_at: Set(None),
        valid_from: Set(now.date_naive()),
        valid_until: Set(None),
        status: Set(budget::BudgetStatus::Active),
        created_by: Set(plot.manager.id),
        created_at: Set(now),
        updated_at: Set(now),
        closed_at: Set(None),
    };
    app.seed().insert(vec![budget]).await;
    let funding = budget_funding::ActiveModel {
        id: Set(FundingId::new()),
        budget_id: Set(plot.budget),
        amount: Set(100_000_000),
        reason: Set("年度预算".to_owned()),
        staff_id: Set(plot.manager.id),
        at: Set(now),
    };
    app.seed().insert(vec![funding]).await;
}

fn goods_of(app: &TestApp, plot: &Plot) -> goods::ActiveModel {
    let now = app.clock.now();
    goods::ActiveModel {
        id: Set(plot.goods),
        ref_id: Set(None),
        name: Set("大米 5 公斤".to_owned()),
        description: Set(None),
        station_id: Set(plot.station),
        programme: Set("default".to_owned()),
        points: Set(500),
        stock: Set(20),
        per_member_limit: Set(None),
        supplier_unit_id: Set(None),
        active: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

fn slot_of(app: &TestApp, plot: &Plot) -> goods_slot::ActiveModel {
    let now = app.clock.now();
    goods_slot::ActiveModel {
        id: Set(plot.slot),
        goods_id: Set(plot.goods),
        starts_at: Set(now + TimeDelta::days(3)),
        ends_at: Set(now + TimeDelta::days(3) + TimeDelta::hours(1)),
        capacity: Set(2),
        taken: Set(0),
        status: Set(SlotStatus::Open),
        created_at: Set(now),
    }
}

/// Claimed, in a window that has begun.
fn wish_of(app: &TestApp, plot: &Plot) -> wish::ActiveModel {
    let now = app.clock.now();
    wish::ActiveModel {
        id: Set(plot.wish),
        ref_id: Set(None),
        requester_id: Set(plot.resident.id),
        region_code: Set(plot.region.to_owned()),
        title: Set(plot.wish_words.clone()),
        body: Set(plot.wish_words.clone()),
        category: Set(Category::Neighbourly),
        slots: Set(2),
        window_from: Set(now - TimeDelta::hours(1)),
        window_until: Set(now + TimeDelta::hours(3)),
        lat: Set(None),
        lon: Set(None),
        address_sealed: Set(Some(app.state.keys.seal("wish.address", plot.address.as_bytes()))),
        special_group_sealed: Set(None),
        est_minutes: Set(None),
        status: Set(WishStatus::Claimed),
        priority: Set(0),
        risk_notice: Set(Some("注意安全".to_owned())),
        reason: Set(None),
        rating: Set(None),
        comment: Set(None),
        task_id: Set(Some(plot.task)),
        due_at: Set(None),
        deadline_on: Set(None),
        created_by: Set(None),
        created_at: Set(now),
        published_at: Set(Some(now)),
        claimed_at: Set(Some(now)),
        fulfilled_at: Set(None),
        confirmed_at: Set(None),
        updated_at: Set(now),
        domain: Set(None),
    }
}

/// Open, with one of its two slots taken.
fn task_of(app: &TestApp, plot: &Plot) -> task::ActiveModel {
    let now = app.clock.now();
    task::ActiveModel {
        id: Set(plot.task),
        source_kind: Set(TaskSource::Wish),
        source_id: Set(plot.wish.0),
        region_code: Set(plot.region.to_owned()),
        title: Set(plot.wish_words.clone()),
        body: Set(plot.wish_words.clone()),
        category: Set(Category::Neighbourly),
        slots: Set(2),
        taken: Set(1),
        window_from: Set(now - TimeDelta::hours(1)),
        window_until: Set(now + TimeDelta::hours(3)),
        lat: Set(None),
        lon: Set(None),
        place_required: Set(false),
        status: Set(TaskStatus::Open),
        risk_notice: Set(Some("注意安全".to_owned())),
        priority: Set(0),
        programme: Set("default".to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
        difficulty: Set(1),
        domain: Set(None),
    }
}

fn claim_of(app: &TestApp, plot: &Plot) -> claim::ActiveModel {
    let now = app.clock.now();
    claim::ActiveModel {
        id: Set(plot.claim),
        task_id: Set(plot.task),
        member_id: Set(plot.volunteer.id),
        region_code: Set(plot.region.to_owned()),
        status: Set(ClaimStatus::Accepted),
        window_from: Set(now - TimeDelta::hours(1)),
        window_until: Set(now + TimeDelta::hours(3)),
        offered_by: Set(None),
        offer_expires_at: Set(None),
        accepted_at: Set(Some(now)),
        checked_in_at: Set(None),
        check_in_means: Set(None),
        check_in_step: Set(None),
        checked_out_at: Set(None),
        check_out_means: Set(None),
        ended_at: Set(None),
        reason: Set(None),
        entered_by: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
}

/// Pending, of the day before.
fn record_of(app: &TestApp, plot: &Plot) -> service_record::ActiveModel {
    let now = app.clock.now();
    service_record::ActiveModel {
        id: Set(plot.record),
        ref_id: Set(None),
        claim_id: Set(None),
        task_id: Set(None),
        activity_id: Set(None),
        member_id: Set(plot.volunteer.id),
        region_code: Set(plot.region.to_owned()),
        unit_id: Set(None),
        task_region_code: Set(None),
        category: Set(Category::Neighbourly),
        started_at: Set(now - TimeDelta::hours(26)),
        ended_at: Set(now - TimeDelta::hours(24)),
        window_minutes: Set(Some(120)),
        minutes: Set(120),
        evidence: Set(Evidence::B),
        status: Set(RecordStatus::Pending),
        reason: Set(None),
        entered_by: Set(None),
        verified_by: Set(None),
        verified_at: Set(None),
        programme: Set("default".to_owned()),
        points: Set(None),
        rule_id: Set(None),
        counted_at: Set(None),
        reversed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        difficulty: Set(1),
        organiser: Set(false),
    }
}

fn redemption_of(app: &TestApp, plot: &Plot) -> redemption::ActiveModel {
    let now = app.clock.now();
    redemption::ActiveModel {
        id: Set(plot.redemption),
        ref_id: Set(None),
        member_id: Set(plot.resident.id),
        goods_id: Set(plot.goods),
        station_id: Set(plot.station),
        region_code: Set(plot.region.to_owned()),
        programme: Set("default".to_owned()),
        quantity: Set(1),
        points: Set(500),
        status: Set(RedemptionStatus::Reserved),
        channel: Set(RedemptionChannel::App),
        code: Set(Some(plot.pick_up_code.clone())),
        created_at: Set(now),
        expires_at: Set(Some(now + TimeDelta::days(7))),
        fulfilled_at: Set(None),
        fulfilled_by: Set(None),
        ended_at: Set(None),
        reason: Set(None),
        ..Default::default()
    }
}

/// Points of this place alone.
fn programme_of(app: &TestApp, plot: &Plot) -> programme::ActiveModel {
    let now = app.clock.now();
    programme::ActiveModel {
        code: Set(plot.programme.clone()),
        name: Set("福分".to_owned()),
        unit_name: Set("福分".to_owned()),
        region_code: Set(Some(plot.region.to_owned())),
        expiry: Set(programme::Expiry::Never),
        reopen_days: Set(7),
        created_at: Set(now),
        ..Default::default()
    }
}

/// What nothing earns by: a household's score.
fn rule_of(app: &TestApp, plot: &Plot) -> rule::ActiveModel {
    let now = app.clock.now();
    rule::ActiveModel {
        id: Set(plot.rule),
        programme: Set(plot.programme.clone()),
        region_code: Set(Some(plot.region.to_owned())),
        subject: Set(rule::Subject::HouseholdScore),
        basis: Set(rule::RuleBasis::Event),
        amount: Set(100),
        version: Set(1),
        valid_from: Set(now - TimeDelta::hours(1)),
        created_at: Set(now),
        ..Default::default()
    }
}

/// A large grant that waits for a second manager.
fn adjustment_of(app: &TestApp, plot: &Plot) -> adjustment::ActiveModel {
    adjustment::ActiveModel {
        id: Set(plot.adjustment),
        member_id: Set(plot.resident.id),
        region_code: Set(plot.region.to_owned()),
        programme: Set("default".to_owned()),
        direction: Set(Direction::Grant),
        amount: Set(20_000),
        reason: Set("补发".to_owned()),
        status: Set(AdjustmentStatus::Pending),
        requested_by: Set(plot.manager.id),
        decided_by: Set(None),
        created_at: Set(app.clock.now()),
        decided_at: Set(None),
        round_id: Set(None),
        expires_on: Set(None),
    }
}

/// A donation that waits to be approved.
fn merit_of(app: &TestApp, plot: &Plot) -> merit::ActiveModel {
    let now = app.clock.now();
    merit::ActiveModel {
        id: Set(plot.merit),
        kind: Set(MeritKind::DonationGoods),
        member_id: Set(plot.resident.id),
        household_id: Set(None),
        region_code: Set(plot.region.to_owned()),
        programme: Set("default".to_owned()),
        category: Set(Category::Charity),
        item: Set(None),
        quantity: Set(1),
        value_fen: Set(Some(5_000)),
        period: Set(None),
        happened_on: Set(app.state.calendar.day_of(now)),
        description: Set(Some(plot.merit_words.clone())),
        evidence: Set(Evidence::C),
        status: Set(MeritStatus::Pending),
        entered_by: Set(Some(plot.manager.id)),
        submitted_by: Set(None),
        decided_by: Set(None),
        decided_at: Set(None),
        points: Set(None),
        shortfall: Set(0),
        rule_id: Set(None),
        reason: Set(None),
        reversed_by: Set(None),
        reversed_at: Set(None),
        disputed_at: Set(None),
        dispute_reason: Set(None),
        dispute_outcome: Set(None),
        dispute_answer: Set(None),
        dispute_decided_by: Set(None),
        dispute_decided_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
}

fn photo_of(app: &TestApp, plot: &Plot) -> photo::ActiveModel {
    photo::ActiveModel {
        id: Set(plot.photo),
        uploaded_by_member: Set(None),
        uploaded_by_staff: Set(Some(plot.manager.id)),
        width: Set(4),
        height: Set(3),
        size_bytes: Set(9),
        sha256: Set(vec![7; 32]),
        subject_kind: Set(Some(PhotoSubject::Merit)),
        subject_id: Set(Some(plot.merit.0)),
        member_id: Set(Some(plot.resident.id)),
        region_code: Set(Some(plot.region.to_owned())),
        created_at: Set(app.clock.now()),
    }
}

fn round_of(app: &TestApp, plot: &Plot) -> grant_round::ActiveModel {
    grant_round::ActiveModel {
        id: Set(plot.grant_round),
        region_code: Set(plot.region.to_owned()),
        programme: Set("default".to_owned()),
        source: Set(GrantSource::Budget),
        budget_id: Set(None),
        amount_each: Set(20_000),
        members: Set(1),
        reason: Set("慰问".to_owned()),
        status: Set(AdjustmentStatus::Pending),
        requested_by: Set(plot.manager.id),
        decided_by: Set(None),
        created_at: Set(app.clock.now()),
        decided_at: Set(None),
    }
}

fn gift_of(app: &TestApp, plot: &Plot) -> gift::ActiveModel {
    gift::ActiveModel {
        id: Set(plot.gift),
        programme: Set("default".to_owned()),
        giver_id: Set(plot.resident.id),
        receiver_id: Set(plot.volunteer.id),
        region_code: Set(plot.region.to_owned()),
        receiver_region_code: Set(plot.region.to_owned()),
        amount: Set(100),
        message: Set(None),
        given_at: Set(app.clock.now()),
        reversed_at: Set(None),
        reversed_by: Set(None),
        reason: Set(None),
    }
}

fn household_of(app: &TestApp, plot: &Plot) -> household::ActiveModel {
    household::ActiveModel {
        id: Set(plot.household),
        region_code: Set(plot.region.to_owned()),
        name: Set("幸福之家".to_owned()),
        created_by_member: Set(Some(plot.resident.id)),
        created_by_staff: Set(None),
        created_at: Set(app.clock.now()),
        ended_at: Set(None),
    }
}

fn place_of(app: &TestApp, plot: &Plot) -> household_member::ActiveModel {
    household_member::ActiveModel {
        household_id: Set(plot.household),
        member_id: Set(plot.resident.id),
        role: Set(HouseholdRole::Head),
        status: Set(MembershipStatus::Joined),
        pools: Set(false),
        invited_at: Set(app.clock.now()),
        joined_at: Set(Some(app.clock.now())),
        left_at: Set(None),
    }
}

/// Two hours of all time.
fn score_of(app: &TestApp, plot: &Plot) -> score::ActiveModel {
    let now = app.clock.now();
    score::ActiveModel {
        subject_kind: Set(SubjectKind::Member),
        period: Set("all".to_owned()),
        category: Set(String::new()),
        subject_id: Set(plot.volunteer.id.to_string()),
        region_code: Set(plot.region.to_owned()),
        points: Set(400),
        minutes: Set(120),
        records: Set(1),
        points_at: Set(Some(now)),
        minutes_at: Set(Some(now)),
        tie: Set(plot.volunteer.ref_id.clone()),
    }
}

fn message_of(app: &TestApp, plot: &Plot) -> inbox_message::ActiveModel {
    inbox_message::ActiveModel {
        id: Set(plot.message_id),
        member_id: Set(plot.resident.id),
        kind: Set("test".to_owned()),
        title: Set(plot.message.clone()),
        body: Set(plot.message.clone()),
        source_kind: Set(None),
        source_id: Set(None),
        created_at: Set(app.clock.now()),
        read_at: Set(None),
    }
}

/// Text that only `seen_by` may read.
pub(crate) struct Canary<'a> {
    pub(crate) text: String,
    pub(crate) of: &'a Plot,
    pub(crate) seen_by: SeenBy,
}

/// The right-hand column of the contract's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeenBy {
    /// The requester of the wish only.
    Resident,
    /// The requester, and the volunteer of the open claim on their wish.
    Visited,
    /// The volunteer only.
    Volunteer,
    /// The requester and staff of the subtree.
    ResidentAndStaff,
    /// The requester, the volunteer and staff of the subtree.
    WishAndStaff,
    /// The volunteer and staff of the subtree.
    VolunteerAndStaff,
    /// Every member of the district and staff of the subtree.
    District,
}

impl World {
    /// What `caller` must never be shown.
    pub(crate) fn hidden_from(&self, caller: &Caller) -> Vec<String> {
        let canaries = self.plots.iter().flat_map(Plot::canaries);
        canaries.filter(|canary| !canary.may_be_read_by(caller)).map(|canary| canary.text).collect()
    }

    /// All of it.
    pub(crate) fn canaries(&self) -> Vec<String> {
        self.plots.iter().flat_map(Plot::canaries).map(|canary| canary.text).collect()
    }
}

impl Plot {
    pub(crate) fn partners(&self) -> Partners {
        self.partners.expect("planted with the plot")
    }

    fn canaries(&self) -> Vec<Canary<'_>> {
        use SeenBy::{District, Resident, ResidentAndStaff, Visited, Volunteer, VolunteerAndStaff, WishAndStaff};
        let id = |id: Uuid| id.to_string();
        [
            (self.resident.name.clone(), Visited),
            (self.resident.phone.clone(), Visited),
            (self.address.clone(), Visited),
            (self.message.clone(), Resident),
            (self.pick_up_code.clone(), Resident),
            (self.special_group.clone(), Resident),
            (self.volunteer.name.clone(), Volunteer),
            (self.volunteer.phone.clone(), Volunteer),
            (id(self.redemption.0), ResidentAndStaff),
            (id(self.adjustment.0), ResidentAndStaff),
            (id(self.merit.0), ResidentAndStaff),
            (self.merit_words.clone(), ResidentAndStaff),
            (id(self.photo.0), ResidentAndStaff),
            (id(self.gift.0), WishAndStaff),
            (id(self.household.0), ResidentAndStaff),
            (id(self.claim.0), WishAndStaff),
            (id(self.booking.0), WishAndStaff),
            (self.listing_words.clone(), District),
            (id(self.record.0), VolunteerAndStaff),
            (self.resident.ref_id.clone(), ResidentAndStaff),
            (self.volunteer.ref_id.clone(), VolunteerAndStaff),
            (self.wish_words.clone(), District),
        ]
        .into_iter()
        .map(|(text, seen_by)| Canary { text, of: self, seen_by })
        .collect()
    }

    pub(crate) fn is_in(&self, region: &str) -> bool {
        let region = region.strip_suffix("00").filter(|_| region.len() == 6).unwrap_or(region);
        self.region.starts_with(region)
    }
}

impl Canary<'_> {
    fn may_be_read_by(&self, caller: &Caller) -> bool {
        use SeenBy::{District, Resident, ResidentAndStaff, Visited, Volunteer, VolunteerAndStaff, WishAndStaff};
        let place = self.of.place;
        match caller.is {
            Is::Nobody | Is::Refused | Is::Newcomer => false,
            Is::Resident(own) => match self.seen_by {
                District => own.is_in_district_of(place),
                Volunteer | VolunteerAndStaff => false,
                Resident | Visited | ResidentAndStaff | WishAndStaff => own == place,
            },
            Is::Volunteer(own) => match self.seen_by {
                District => own.is_in_district_of(place),
                Resident | ResidentAndStaff => false,
                Visited | Volunteer | VolunteerAndStaff | WishAndStaff => own == place,
            },
            Is::Staff(_, region, _) => match self.seen_by {
                // Staff see people masked.
                Resident | Visited | Volunteer => false,
                ResidentAndStaff | VolunteerAndStaff | WishAndStaff | District => self.of.is_in(region),
            },
        }
    }
}

impl Place {
    pub(crate) fn is_in_district_of(self, other: Self) -> bool {
        (self == Self::Foreign) == (other == Self::Foreign)
    }
}
