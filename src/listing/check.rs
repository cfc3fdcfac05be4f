//! Whether a listing can be as somebody wants it: codes, window and openings, region, owner.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::MemberId;
use entity::listing::{self, CapacityPeriod, ListingKind};
use entity::{member, station, unit};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};

use super::intake::Owner;
use super::opening::{LONGEST, Opening, Openings, Schedule, overlapping};
use super::recurrence;
use super::service::By;
use crate::calendar::Calendar;
use crate::http::FieldError;
use crate::region::{self, RegionCode};
use crate::taxonomy;

/// The longest window of a need without hours: it becomes one task.
const ONE_TASK: TimeDelta = TimeDelta::hours(24);

/// A listing whose window is over is not put on a list.
pub(super) fn over_fault(found: &listing::Model, now: DateTime<Utc>) -> Option<FieldError> {
    let words = "有效期已经结束，请先修改有效期（window）再发布";
    (found.window_until <= now).then(|| FieldError::new("window.until", "out_of_range").saying(words))
}

/// Judges codes, and replaces merged ones by what they became.
pub(super) async fn judge(
    db: &impl ConnectionTrait,
    skills: &mut Vec<String>,
    domain: &mut Option<String>,
    special_group: Option<&str>,
) -> Result<Vec<FieldError>, DbErr> {
    let given = taxonomy::given(db, "skill", skills).await?;
    let mut faults = given.faults("skills", "技能");
    *skills = given.codes;
    if let Some(code) = domain {
        let given = taxonomy::given(db, "domain", std::slice::from_ref(code)).await?;
        *domain = given.one("domain", "服务领域").map_err(|fault| faults.push(fault)).unwrap_or_default();
    }
    if let Some(code) = special_group {
        let given = taxonomy::given(db, "special_group", &[code.to_owned()]).await?;
        faults.extend(given.one("special_group", "特殊群体").err());
    }
    Ok(faults)
}

/// What is wrong with window and openings; a rule is brought into its one form.
pub(super) fn when_faults(
    kind: ListingKind,
    window: Opening,
    openings: &mut Openings,
    period: CapacityPeriod,
    calendar: Calendar,
    now: DateTime<Utc>,
) -> Vec<FieldError> {
    let fault = |field: &str, code, words: &'static str| vec![FieldError::new(field, code).saying(words)];
    if window.ends_at <= window.starts_at {
        return fault("window.until", "invalid", "结束时间须晚于开始时间");
    }
    if window.ends_at <= now {
        return fault("window.until", "out_of_range", "有效期已经过去，请选择将来的时间");
    }
    if window.ends_at - window.starts_at > LONGEST {
        return fault("window.until", "out_of_range", "有效期最长三年，请缩短");
    }
    if let Some(place) = overlapping(&openings.weekly) {
        let words = "与前面的开放时间重叠，请合并或修改";
        return fault(&format!("openings.weekly[{place}].from"), "invalid", words);
    }
    if let Some(recurrence) = &mut openings.recurrence {
        if recurrence.starts_at < window.starts_at || recurrence.starts_at >= window.ends_at {
            return fault("openings.recurrence.starts_at", "out_of_range", "首次开始时间须在有效期之内");
        }
        match recurrence::check(&recurrence.rule, recurrence.starts_at, calendar) {
            Ok(rule) => recurrence.rule = rule,
            Err(refused) => {
                return vec![FieldError::new("openings.recurrence.rule", "invalid").saying(refused.to_string())];
            }
        }
    }
    let schedule = Schedule { openings: openings.clone(), window, period, created_at: now, calendar };
    if kind == ListingKind::Need && !schedule.has_hours() && window.ends_at - window.starts_at > ONE_TASK {
        let words = "需求的服务时段最长 24 小时；更长的请另填每周开放时间或重复规则（openings）";
        return fault("window.until", "out_of_range", words);
    }
    if schedule.first(now, window.ends_at, |opening| opening.ends_at > now).is_none() {
        return fault("openings", "invalid", "有效期内没有任何开放时间，请核对开放时间、重复规则和休息日");
    }
    Vec::new()
}

/// Where the listing is: inside the member's district, or inside the staff's subtree.
pub(super) async fn region_of(
    db: &impl ConnectionTrait,
    by: &By,
    wanted: Option<&RegionCode>,
) -> Result<Result<RegionCode, FieldError>, DbErr> {
    let (region, within) = match by {
        By::Member(member) => (wanted.unwrap_or(&member.region).clone(), member.region.district().subtree()),
        By::Staff(staff) => match wanted {
            Some(region) => (region.clone(), staff.subtree()),
            None => return Ok(Err(FieldError::new("region_code", "required").saying("请选择所在区划"))),
        },
    };
    let known = within.contains(&region) && region::region_exists(db, &region).await?;
    let unknown = || FieldError::new("region_code", "invalid").saying("没有这个区划，或不在您的范围内，请重新选择");
    Ok(if known { Ok(region) } else { Err(unknown()) })
}

/// Whoever provides it is of the district: a unit, a station where the staff work, a member of their subtree.
pub(super) async fn owner_fault(
    db: &impl ConnectionTrait,
    by: &By,
    owner: Owner,
    region: &RegionCode,
) -> Result<Option<FieldError>, DbErr> {
    let district = region.district().subtree();
    let fault = |field: &str, words: &'static str| Some(FieldError::new(field, "invalid").saying(words));
    Ok(match (owner, by) {
        (Owner::Member(id), By::Member(own)) if id == own.id => None,
        (Owner::Community, By::Staff(_)) => None,
        (Owner::Unit(id), By::Staff(_)) => {
            let found = unit::Entity::find_by_id(id).one(db).await?;
            let fits = found.is_some_and(|unit| district.contains(&unit.region_code));
            if fits { None } else { fault("unit_id", "没有这个单位，或不在本区，请重新选择") }
        }
        (Owner::Station(id), By::Staff(staff)) => {
            let found = station::Entity::find_by_id(id).one(db).await?;
            let fits = found.is_some_and(|station| staff.serves(id, &station.region_code));
            if fits {
                None
            } else {
                fault("station_id", "没有这个站点，或不是您的站点，请重新选择")
            }
        }
        (Owner::Member(id), By::Staff(staff)) => {
            let found = living(db, id).await?;
            let fits = found.is_some_and(|home| staff.subtree().contains(&home) && district.contains(&home));
            if fits { None } else { fault("member_id", "没有找到该居民，请核对") }
        }
        (_, By::Member(_)) => fault("member_id", "居民只能发布自己的条目，请去掉此项"),
    })
}

/// Where a member lives who has an account that counts.
pub(super) async fn living(db: &impl ConnectionTrait, id: MemberId) -> Result<Option<String>, DbErr> {
    let found = member::Entity::find_by_id(id)
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::MergedInto.is_null())
        .one(db)
        .await?;
    Ok(found.and_then(|member| member.region_code))
}
