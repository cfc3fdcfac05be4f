//! What calls about listings and bookings give.

use std::borrow::Cow;

use entity::category::Category;
use entity::id::{MemberId, StationId, UnitId, WishId};
use entity::listing::{CapacityPeriod, ListingKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::intake::{Change, NewListing, Owner, Publication};
use super::opening::{Opening, Openings, WeeklyHours};
use super::recurrence::Recurrence;
use crate::crypto::Keys;
use crate::http::{Day, Instant, Line, Problem, Text};
use crate::identity::hours::HourMinute;
use crate::identity::sealed::seal_special_group;
use crate::region::RegionCode;
use crate::task::check::Point;

/// From when until when a listing holds: at most three years; a need without opening times at most 24 hours.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListingWindow {
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    from: Instant,
    /// After `from`, in the future.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    until: Instant,
}

impl From<ListingWindow> for Opening {
    fn from(body: ListingWindow) -> Self {
        Self { starts_at: *body.from, ends_at: *body.until }
    }
}

/// Where it is; shown to everybody who sees the listing.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListingPlace {
    /// Degrees north.
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    lat: f64,
    /// Degrees east.
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    lon: f64,
    address: Option<Line<200>>,
}

/// Hours that come back each week, local time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "takes_time", skip_on_field_errors = false))]
pub struct WeeklyBody {
    /// ISO: 1 is Monday.
    #[validate(range(min = 1, max = 7))]
    #[schema(minimum = 1, maximum = 7)]
    weekday: i16,
    from: HourMinute,
    /// Where it is not after `from`, on the day after.
    until: HourMinute,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the validator hands it over so")]
fn takes_time(hours: &WeeklyBody) -> Result<(), ValidationError> {
    let (from, until) = (hours.from.minutes(), hours.until.minutes());
    if from != until && from < 1_440 {
        return Ok(());
    }
    Err(ValidationError::new("invalid")
        .with_message(Cow::Borrowed("开始与结束时间不能相同；跨午夜的写法如 19:00 至 07:00")))
}

/// Dates by a rule of RFC 5545.
#[derive(Clone, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecurrenceBody {
    /// RRULE, as in `FREQ=MONTHLY;BYDAY=2SA`: FREQ from DAILY on, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS, WKST.
    rule: Line<200>,
    /// DTSTART: the first date, within the window, with the time of day of all of them.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    starts_at: Instant,
    /// How long it is open each time.
    #[validate(range(min = 1, max = 1440))]
    #[schema(minimum = 1, maximum = 1440)]
    minutes: i32,
}

/// When it is open within its window; nothing here: all the time.
#[derive(Clone, Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningsBody {
    #[serde(default)]
    #[validate(length(max = 50), nested)]
    #[schema(max_items = 50)]
    weekly: Vec<WeeklyBody>,
    #[validate(nested)]
    recurrence: Option<RecurrenceBody>,
    /// Local days on which nothing begins.
    #[serde(default)]
    #[validate(length(max = 100))]
    #[schema(max_items = 100)]
    closed_on: Vec<Day>,
}

impl From<OpeningsBody> for Openings {
    fn from(body: OpeningsBody) -> Self {
        let weekly = |hours: WeeklyBody| WeeklyHours { weekday: hours.weekday, from: hours.from, until: hours.until };
        let recurrence = |body: RecurrenceBody| Recurrence {
            rule: body.rule.into_inner(),
            starts_at: *body.starts_at,
            minutes: body.minutes,
        };
        let mut closed_on: Vec<_> = body.closed_on.into_iter().map(Day::get).collect();
        closed_on.sort_unstable();
        closed_on.dedup();
        Self {
            weekly: body.weekly.into_iter().map(weekly).collect(),
            recurrence: body.recurrence.map(recurrence),
            closed_on,
        }
    }
}

/// A listing to be posted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostListing {
    kind: ListingKind,
    title: Line<100>,
    body: Text<2000>,
    category: Category,
    /// A code of the list `domain`.
    domain: Option<Line<32>>,
    /// Codes of the list `skill`: what it gives or, a need, asks for.
    #[serde(default)]
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    skills: Vec<Line<32>>,
    /// Required of staff; of members their community where it is not given, and within their district.
    region_code: Option<RegionCode>,
    /// Whose it is, for staff: a unit's …
    unit_id: Option<UnitId>,
    /// … a station's …
    station_id: Option<StationId>,
    /// … or a member's; the community's where none of the three is given. Members post their own.
    member_id: Option<MemberId>,
    /// How much there is in one period; of a need, how many people are wanted each time.
    #[validate(range(min = 1, max = 100_000))]
    #[schema(minimum = 1, maximum = 100_000)]
    capacity: i32,
    /// What is counted: 人, 次, 台.
    measure: Option<Line<10>>,
    /// In what time the capacity counts anew; `opening` where there are opening times, else `all`.
    period: Option<CapacityPeriod>,
    window: ListingWindow,
    #[validate(nested)]
    place: Option<ListingPlace>,
    #[validate(nested)]
    openings: Option<OpeningsBody>,
    /// A code of the list `special_group`: whom it is meant for. Staff and the owner see it.
    special_group: Option<Line<32>>,
}

impl PostListing {
    /// The listing that `own`, a member, or staff ask for.
    ///
    /// # Errors
    /// 422 where more than one owner is named.
    pub(super) fn read(self, keys: &Keys, own: Option<MemberId>) -> Result<NewListing, Problem> {
        let owners =
            [self.unit_id.map(Owner::Unit), self.station_id.map(Owner::Station), self.member_id.map(Owner::Member)];
        let mut owners = owners.into_iter().flatten();
        let owner = owners.next();
        if owners.next().is_some() {
            return Err(Problem::invalid("unit_id", "invalid", "单位、站点和居民只能选择一个作为提供者"));
        }
        let owner = owner.or(own.map(Owner::Member)).unwrap_or(Owner::Community);
        let openings: Openings = self.openings.unwrap_or_default().into();
        let timed = !openings.weekly.is_empty() || openings.recurrence.is_some();
        let group = self.special_group.map(Line::into_inner);
        Ok(NewListing {
            id: entity::id::ListingId::new(),
            kind: self.kind,
            title: self.title.into_inner(),
            body: self.body.into_inner(),
            category: self.category,
            domain: self.domain.map(Line::into_inner),
            skills: self.skills.into_iter().map(Line::into_inner).collect(),
            region: self.region_code,
            owner,
            capacity: self.capacity,
            measure: self.measure.map(Line::into_inner),
            period: self.period.unwrap_or(if timed { CapacityPeriod::Opening } else { CapacityPeriod::All }),
            window: self.window.into(),
            place: self.place.as_ref().map(|place| Point { lat: place.lat, lon: place.lon }),
            address: self.place.and_then(|place| place.address).map(Line::into_inner),
            openings,
            special_group_sealed: group.as_deref().map(|group| seal_special_group(keys, group)),
            special_group: group,
        })
    }
}

/// What is to change; what is not given stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeListing {
    title: Option<Line<100>>,
    body: Option<Text<2000>>,
    category: Option<Category>,
    domain: Option<Line<32>>,
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    skills: Option<Vec<Line<32>>>,
    #[validate(range(min = 1, max = 100_000))]
    #[schema(minimum = 1, maximum = 100_000)]
    capacity: Option<i32>,
    measure: Option<Line<10>>,
    period: Option<CapacityPeriod>,
    window: Option<ListingWindow>,
    #[validate(nested)]
    place: Option<ListingPlace>,
    /// All of them anew.
    #[validate(nested)]
    openings: Option<OpeningsBody>,
    special_group: Option<Line<32>>,
}

impl ChangeListing {
    pub(super) fn read(self, keys: &Keys) -> Change {
        let group = self.special_group.map(Line::into_inner);
        Change {
            title: self.title.map(Line::into_inner),
            body: self.body.map(Text::into_inner),
            category: self.category,
            domain: self.domain.map(Line::into_inner),
            skills: self.skills.map(|skills| skills.into_iter().map(Line::into_inner).collect()),
            capacity: self.capacity,
            measure: self.measure.map(Line::into_inner),
            period: self.period,
            window: self.window.map(Opening::from),
            place: self.place.as_ref().map(|place| Point { lat: place.lat, lon: place.lon }),
            address: self.place.and_then(|place| place.address).map(Line::into_inner),
            openings: self.openings.map(Openings::from),
            special_group_sealed: group.as_deref().map(|group| seal_special_group(keys, group)),
            special_group: group,
        }
    }
}

/// What a manager says when publishing.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishListing {
    /// What volunteers of a need have to know (志愿服务条例 art. 12); a general one where it is not given.
    risk_notice: Option<Text<500>>,
    /// Instead of the owner's choice.
    category: Option<Category>,
    /// Instead of the owner's choice.
    domain: Option<Line<32>>,
    /// Instead of the owner's choice.
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    skills: Option<Vec<Line<32>>>,
}

impl PublishListing {
    pub(super) fn read(self) -> Publication {
        Publication {
            risk_notice: self.risk_notice.map(Text::into_inner),
            category: self.category,
            domain: self.domain.map(Line::into_inner),
            skills: self.skills.map(|skills| skills.into_iter().map(Line::into_inner).collect()),
        }
    }
}

/// Why, for the record.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListingReason {
    pub(super) reason: Option<Line<200>>,
}

/// A new window, where the old one is over.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReopenListing {
    pub(super) window: Option<ListingWindow>,
}

/// A booking to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeBooking {
    /// Not more than the listing's capacity.
    #[validate(range(min = 1, max = 100_000))]
    #[schema(minimum = 1, maximum = 100_000)]
    pub(super) quantity: i32,
    /// One's own wish that it is for, submitted, published or claimed.
    pub(super) wish_id: Option<WishId>,
    /// When the opening begins; the first that has as much (with a wish: during its window first) where it is not given.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub(super) from: Option<Instant>,
    /// Wait in line where there is not as much, rather than be refused.
    #[serde(default)]
    pub(super) waitlist: bool,
    /// For staff: for whom; whoever asked for `wish_id` where it is not given.
    pub(super) member_id: Option<MemberId>,
}

/// Nothing more is to be said.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttendBooking {}

/// How a service went.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteBooking {
    /// Where it was not the whole opening: when the service began; the provider's record is then of grade D.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub(super) started_at: Option<Instant>,
    /// With `started_at`: when it ended, not in the future.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub(super) ended_at: Option<Instant>,
    /// The provider gets no service record, as where they did not come themselves.
    #[serde(default)]
    pub(super) without_record: bool,
}
