//! What a verified record earns: the rule that applies, its amount, its caps, and the posting.

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};
use entity::category::Category;
use entity::id::{JournalId, MemberId, RuleId, ServiceRecordId};
use entity::journal::{self, JournalKind};
use entity::programme::{self, Expiry};
use entity::rule::{self, RuleBasis};
use entity::{balance, entry};
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _,
    QuerySelect as _, RelationDef,
};

use super::account;
use super::domain::Points;
use super::error::PointsError;
use super::issuing::{OnEmpty, issue};
use super::ledger::{self, Posting, Source};
use crate::audit::Actor;
use crate::calendar::{Calendar, Span};
use crate::region::{RegionCode, Subtree};

/// The `source_kind` of what a service record earns.
pub const RECORD: &str = "service_record";

/// A verified record, as far as points are concerned.
#[derive(Clone, Debug)]
pub struct Earning<'a> {
    /// Drawn before the transaction.
    pub journal_id: JournalId,
    pub record_id: ServiceRecordId,
    pub programme: &'a str,
    pub member_id: MemberId,
    /// The member's community, twelve digits: its rules apply and its books issue.
    pub community: &'a str,
    pub category: Category,
    /// Decides which rule was in force and which day and month the caps are of.
    pub ended_at: DateTime<Utc>,
    pub minutes: i32,
    pub actor: Actor,
    pub now: DateTime<Utc>,
    /// The local day of now: dated points expire counted from it.
    pub today: NaiveDate,
    /// The local day and month of `ended_at`.
    pub day: Span,
    pub month: Span,
}

impl Earning<'_> {
    /// The local day of `now`, and day and month of `ended_at`, in the order of the fields.
    pub fn spans(calendar: &Calendar, ended_at: DateTime<Utc>, now: DateTime<Utc>) -> (NaiveDate, Span, Span) {
        let day = calendar.day(calendar.day_of(ended_at));
        (calendar.day_of(now), day, calendar.month_around(ended_at))
    }
}

/// What a record has earned: 0.00 and no rule where none applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    pub points: Points,
    pub rule_id: Option<RuleId>,
}

/// Values a verified record and posts what it earns, in the transaction that verifies it. Nothing is posted for zero.
///
/// # Errors
/// [`PointsError::InvalidTransition`] where the record has earned before, [`PointsError::TooLarge`] beyond 64 bits.
pub async fn earn(db: &impl ConnectionTrait, earning: &Earning<'_>) -> Result<Earned, PointsError> {
    let rules = rules_in_force(db, earning.programme, earning.category, earning.ended_at).await?;
    let Some((rule, expiry)) = applicable(&rules, earning.community) else {
        return Ok(Earned { points: Points::ZERO, rule_id: None });
    };
    let value = value_of(rule, earning.minutes).ok_or(PointsError::TooLarge)?;
    let points = capped(db, rule, earning, value).await?;
    if points > 0 {
        let posting = Posting {
            journal_id: earning.journal_id,
            kind: JournalKind::Earn,
            programme: earning.programme,
            member_id: earning.member_id,
            community: earning.community,
            amount: Points::from_hundredths(points),
            expires_on: expires_on(expiry, earning.today),
            source: Source { kind: RECORD, id: earning.record_id.0 },
            reason: None,
            actor: earning.actor,
            at: earning.ended_at,
            posted_at: earning.now,
            today: earning.today,
        };
        issue(db, &posting, OnEmpty::Owe).await?;
    }
    Ok(Earned { points: Points::from_hundredths(points), rule_id: Some(rule.id) })
}

/// How long a programme's points are good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    expiry: Expiry,
    months: Option<i32>,
    /// After the end of the year in which the points came.
    years: i32,
}

impl Lifetime {
    pub(super) fn of(programme: &programme::Model) -> Self {
        Self { expiry: programme.expiry, months: programme.expiry_months, years: programme.expiry_years }
    }
}

/// The first local day on which points credited on `today` are gone.
pub(super) fn expires_on(lifetime: &Lifetime, today: NaiveDate) -> Option<NaiveDate> {
    match lifetime.expiry {
        Expiry::Never => None,
        Expiry::Months => {
            let months = lifetime.months.and_then(|months| u32::try_from(months).ok())?;
            today.checked_add_months(Months::new(months))
        }
        Expiry::YearEnd => NaiveDate::from_ymd_opt(today.year().checked_add(lifetime.years)?.checked_add(1)?, 1, 1),
    }
}

/// All rules of a programme for a category (or for all) at an instant, each with the programme's lifetime.
async fn rules_in_force(
    db: &impl ConnectionTrait,
    programme: &str,
    category: Category,
    at: DateTime<Utc>,
) -> Result<Vec<(rule::Model, Lifetime)>, DbErr> {
    let of_programme: RelationDef =
        rule::Entity::belongs_to(programme::Entity).from(rule::Column::Programme).to(programme::Column::Code).into();
    let for_category =
        Condition::any().add(rule::Column::Category.is_null()).add(rule::Column::Category.eq(category.to_value()));
    let not_over = Condition::any().add(rule::Column::ValidUntil.is_null()).add(rule::Column::ValidUntil.gt(at));
    let found = rule::Entity::find()
        .join(JoinType::InnerJoin, of_programme)
        .select_also(programme::Entity)
        .filter(rule::Column::Programme.eq(programme))
        .filter(for_category)
        .filter(rule::Column::ValidFrom.lte(at))
        .filter(not_over)
        .all(db)
        .await?;
    let with_lifetime = |(rule, programme): (rule::Model, Option<programme::Model>)| {
        let lifetime =
            programme.as_ref().map_or(Lifetime { expiry: Expiry::Never, months: None, years: 0 }, Lifetime::of);
        (rule, lifetime)
    };
    Ok(found.into_iter().map(with_lifetime).collect())
}

/// The rule that applies in a community: of the smallest region, then one for the category before one for all, then the newest.
fn applicable<'a>(rules: &'a [(rule::Model, Lifetime)], community: &str) -> Option<(&'a rule::Model, &'a Lifetime)> {
    let depth = |rule: &rule::Model| match rule.region_code.as_deref() {
        None => Some(0),
        Some(code) => {
            let subtree = Subtree::of(&RegionCode::parse(code).ok()?);
            subtree.contains(community).then_some(subtree.lo().len())
        }
    };
    let ranked = rules.iter().filter_map(|(rule, lifetime)| {
        let rank = (depth(rule)?, rule.category.is_some(), rule.version, rule.valid_from, rule.id);
        Some((rank, rule, lifetime))
    });
    ranked.max_by_key(|(rank, ..)| *rank).map(|(_, rule, lifetime)| (rule, lifetime))
}

/// Hundredths for the minutes, rounded down; `None` beyond 64 bits.
fn value_of(rule: &rule::Model, minutes: i32) -> Option<i64> {
    match (rule.basis, rule.per_minutes) {
        (RuleBasis::Event, _) => Some(rule.amount),
        (RuleBasis::Time, per) => {
            let per = i128::from(per?);
            let value = (i128::from(Ord::max(minutes, 0)) * i128::from(rule.amount)).checked_div(per)?;
            i64::try_from(value).ok()
        }
    }
}

/// What the rule's caps leave of `value`, after what the member has earned in the programme on that day and in that month.
async fn capped(
    db: &impl ConnectionTrait,
    rule: &rule::Model,
    earning: &Earning<'_>,
    value: i64,
) -> Result<i64, PointsError> {
    let caps = [(rule.cap_day, &earning.day), (rule.cap_month, &earning.month)];
    if caps.iter().all(|(cap, _)| cap.is_none()) {
        return Ok(value);
    }
    // Two records of one member verified at once must see each other: the balance row is where they meet.
    let id = account::of_member(earning.programme, earning.member_id);
    account::open(db, [account::member_row(earning.programme, earning.member_id)]).await?;
    ledger::open_balance(db, id).await?;
    balance::Entity::find_by_id(id).lock_exclusive().one(db).await?;
    let mut left = value;
    for (cap, span) in caps {
        if let Some(cap) = cap {
            let earned = earned_within(db, earning, span).await?;
            left = Ord::min(left, Ord::max(cap.saturating_sub(earned), 0));
        }
    }
    Ok(left)
}

/// What the member's records that ended within `span` have earned, without those reversed.
async fn earned_within(db: &impl ConnectionTrait, earning: &Earning<'_>, span: &Span) -> Result<i64, DbErr> {
    let of_journal: RelationDef =
        entry::Entity::belongs_to(journal::Entity).from(entry::Column::JournalId).to(journal::Column::Id).into();
    let reversed = Query::select()
        .expr(Expr::val(1))
        .from_as(journal::Entity, Alias::new("reversal"))
        .and_where(
            Expr::col((Alias::new("reversal"), journal::Column::ReversesId))
                .equals((journal::Entity, journal::Column::Id)),
        )
        .to_owned();
    let sum: Option<Option<i64>> = entry::Entity::find()
        .select_only()
        .column_as(Expr::col((entry::Entity, entry::Column::Amount)).sum().cast_as("bigint"), "earned")
        .join(JoinType::InnerJoin, of_journal)
        .filter(entry::Column::AccountId.eq(account::of_member(earning.programme, earning.member_id)))
        .filter(journal::Column::Kind.eq(JournalKind::Earn))
        .filter(journal::Column::At.gte(span.start))
        .filter(journal::Column::At.lt(span.end))
        .filter(Expr::exists(reversed).not())
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use entity::id::RuleId;

    fn rule(region: Option<&str>, category: Option<&str>, version: i32) -> (rule::Model, Lifetime) {
        let model = rule::Model {
            id: RuleId::new(),
            programme: "default".into(),
            region_code: region.map(Into::into),
            category: category.map(Into::into),
            basis: RuleBasis::Time,
            amount: 100,
            per_minutes: Some(30),
            cap_day: None,
            cap_month: None,
            version,
            valid_from: DateTime::UNIX_EPOCH,
            valid_until: None,
            created_by: None,
            created_at: DateTime::UNIX_EPOCH,
        };
        (model, Lifetime { expiry: Expiry::Never, months: None, years: 0 })
    }

    #[test]
    fn the_smallest_region_wins_then_the_category_then_the_newest() {
        let rules = [
            rule(None, None, 1),
            rule(None, Some("culture"), 1),
            rule(Some("130200"), None, 1),
            rule(Some("130202"), None, 1),
            rule(Some("130202"), Some("culture"), 1),
            rule(Some("130202"), Some("culture"), 2),
            rule(Some("130203"), Some("culture"), 9),
        ];
        let of = |from: usize, to: usize, community| applicable(&rules[from..to], community).map(|(found, _)| found.id);
        let id = |at: usize| Some(rules[at].0.id);
        assert_eq!(of(0, 7, "130202009001"), id(5));
        assert_eq!(of(0, 4, "130202009001"), id(3));
        assert_eq!(of(0, 7, "130205009001"), id(2));
        assert_eq!(of(0, 2, "130202009001"), id(1));
        assert_eq!(of(6, 7, "130202009001"), None);
    }

    #[test]
    fn half_an_hour_is_one_point_and_fractions_are_cut() {
        let (rule, _) = rule(None, None, 1);
        for (minutes, hundredths) in [(30, 100), (29, 96), (1, 3), (0, 0), (-5, 0), (720, 2400)] {
            assert_eq!(value_of(&rule, minutes), Some(hundredths));
        }
        let huge = rule::Model { amount: i64::MAX, per_minutes: Some(1), ..rule.clone() };
        assert_eq!(value_of(&huge, 2), None);
        let event = rule::Model { basis: RuleBasis::Event, per_minutes: None, amount: 700, ..rule };
        assert_eq!(value_of(&event, 1), Some(700));
    }

    #[test]
    fn points_expire_on_the_first_day_without_them() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 30).unwrap();
        let day = |expiry, months, years| expires_on(&Lifetime { expiry, months, years }, today);
        assert_eq!(day(Expiry::Never, None, 0), None);
        assert_eq!(day(Expiry::Months, Some(3), 0), NaiveDate::from_ymd_opt(2027, 2, 28));
        assert_eq!(day(Expiry::YearEnd, None, 0), NaiveDate::from_ymd_opt(2027, 1, 1));
        assert_eq!(day(Expiry::YearEnd, None, 1), NaiveDate::from_ymd_opt(2028, 1, 1));
        assert_eq!(day(Expiry::YearEnd, None, i32::MAX), None);
    }
}
