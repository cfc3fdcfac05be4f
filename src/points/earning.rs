//! What something done earns, or costs: the rule that applies, its value, its caps, and the posting.

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};
use entity::id::{JournalId, MemberId, RuleId};
use entity::journal::{self, JournalKind};
use entity::programme::{self, Expiry};
use entity::rule::{self, Approver};
use entity::{balance, entry, rule_use};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _,
    QuerySelect as _, RelationDef,
};

use super::domain::Points;
use super::error::PointsError;
use super::issuing::{Issued, OnEmpty, issue};
use super::ledger::{self, Posting, Source};
use super::valuation::{self, Caps, Facts, RuleBook};
use super::{account, bucket, due};
use crate::audit::Actor;
use crate::calendar::{Calendar, Span};
use crate::http::FieldError;
use crate::region::RegionCode;

/// The `source_kind` of what a service record earns.
pub const RECORD: &str = "service_record";

/// Something done, as far as points are concerned: a verified record, a donation, an event, a household's score.
#[derive(Clone, Debug)]
pub struct Earning<'a> {
    /// Drawn before the transaction.
    pub journal_id: JournalId,
    /// What earns; it earns once.
    pub source: Source<'a>,
    pub programme: &'a str,
    pub member_id: MemberId,
    /// The member's community, twelve digits: its rules apply and its books issue.
    pub community: &'a str,
    pub facts: Facts,
    pub actor: Actor,
    /// The region of the manager who decides; `None` where nobody has to (a job).
    pub approver: Option<&'a str>,
    pub now: DateTime<Utc>,
    /// The local day of now: dated points expire counted from it.
    pub today: NaiveDate,
    /// Around `facts.at`.
    pub spans: Spans,
    /// Why; without one nothing is taken.
    pub reason: Option<&'a str>,
}

/// The local day, week (Monday to Sunday) and month of something done: what caps are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    pub day: Span,
    pub week: Span,
    pub month: Span,
}

impl Spans {
    pub fn around(calendar: &Calendar, at: DateTime<Utc>) -> Self {
        Self {
            day: calendar.day(calendar.day_of(at)),
            week: calendar.week_around(at),
            month: calendar.month_around(at),
        }
    }
}

/// What something has earned: 0.00 and no rule where none applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// As valued, after caps. Below zero what is taken away, of which the member may have had less.
    pub points: Points,
    pub rule_id: Option<RuleId>,
    /// Whether it is owed, because no budget can pay for it yet.
    pub due: bool,
}

/// Values something and posts what it earns or costs, in the transaction that verifies it. Nothing is posted for zero.
/// What is taken is at most what the member has available.
///
/// # Errors
/// [`PointsError::InvalidTransition`] where the source has earned before, [`PointsError::TooLarge`] beyond 64 bits,
/// [`PointsError::HigherApproval`] where the rule asks for a manager higher up, [`PointsError::Fields`] on `reason` where
/// points would be taken without one.
pub async fn earn(db: &impl ConnectionTrait, earning: &Earning<'_>) -> Result<Earned, PointsError> {
    let none = Earned { points: Points::ZERO, rule_id: None, due: false };
    let Some((book, programme)) = rules_in_force(db, earning).await? else { return Ok(none) };
    let Some(rule) = book.applicable(&earning.facts, earning.community) else { return Ok(none) };
    let value = valuation::value(rule, &earning.facts).ok_or(PointsError::TooLarge)?;
    let earned = Earned { rule_id: Some(rule.id), ..none };
    if value == 0 || (value < 0 && !programme.negative_allowed) {
        return Ok(earned);
    }
    approved(rule.approver, earning.approver)?;
    if value < 0 {
        take(db, earning, value).await?;
        return Ok(Earned { points: Points::from_hundredths(value), ..earned });
    }
    let points = capped(db, rule, earning, value).await?;
    let mut due = false;
    if points > 0 {
        let expires_on = expires_on(&Lifetime::of(&programme), earning.today);
        let posting = posting(earning, JournalKind::Earn, points, expires_on);
        due = issue(db, &posting, OnEmpty::Owe).await? == Issued::Due;
        if rule.cap_rule.is_some() {
            remember(db, rule.id, earning, points).await?;
        }
    }
    Ok(Earned { points: Points::from_hundredths(points), due, ..earned })
}

fn posting<'a>(earning: &Earning<'a>, kind: JournalKind, amount: i64, expires_on: Option<NaiveDate>) -> Posting<'a> {
    Posting {
        journal_id: earning.journal_id,
        kind,
        programme: earning.programme,
        member_id: earning.member_id,
        community: earning.community,
        amount: Points::from_hundredths(amount),
        expires_on,
        source: earning.source,
        reason: earning.reason,
        actor: earning.actor,
        at: earning.facts.at,
        posted_at: earning.now,
        today: earning.today,
    }
}

/// Takes `value` (below zero), or as much of it as is available.
async fn take(db: &impl ConnectionTrait, earning: &Earning<'_>, value: i64) -> Result<(), PointsError> {
    if earning.reason.is_none() {
        let missing = FieldError::new("reason", "required").saying("按规则扣分时请写明原因");
        return Err(PointsError::Fields(vec![missing]));
    }
    let amount = value.checked_neg().ok_or(PointsError::TooLarge)?;
    let posting = posting(earning, JournalKind::Deduct, amount, None);
    let settled = bucket::settle(db, &posting).await?;
    let available = settled.map_or(0, |(row, _)| row.balance - row.held);
    let amount = Ord::min(amount, available);
    if amount > 0 {
        ledger::post(db, &Posting { amount: Points::from_hundredths(amount), ..posting }).await?;
    }
    Ok(())
}

/// Whether the manager who decides stands as high as the rule asks.
fn approved(needed: Approver, by: Option<&str>) -> Result<(), PointsError> {
    let digits = match needed {
        Approver::Manager => return Ok(()),
        Approver::Street => 9,
        Approver::District => 6,
    };
    let region = by.and_then(|region| RegionCode::parse(region).ok());
    if by.is_some() && region.is_none_or(|region| region.subtree().lo().len() > digits) {
        return Err(PointsError::HigherApproval(needed));
    }
    Ok(())
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

/// The programme, and its rules at that instant which may apply in the member's community; `None` without any.
async fn rules_in_force(
    db: &impl ConnectionTrait,
    earning: &Earning<'_>,
) -> Result<Option<(RuleBook, programme::Model)>, DbErr> {
    use rule::Column::{Category, Item, Programme, RegionCode, Subject, ValidFrom, ValidUntil};
    let facts = &earning.facts;
    let regions =
        crate::region::RegionCode::parse(earning.community).map_or_else(|_| Vec::new(), |code| code.enclosing());
    let of_programme: RelationDef =
        rule::Entity::belongs_to(programme::Entity).from(Programme).to(programme::Column::Code).into();
    let or_none = |column: rule::Column, value: Option<String>| {
        let none = Condition::any().add(column.is_null());
        value.into_iter().fold(none, |condition, value| condition.add(column.eq(value)))
    };
    let found = rule::Entity::find()
        .join(JoinType::InnerJoin, of_programme)
        .select_also(programme::Entity)
        .filter(Programme.eq(earning.programme))
        .filter(Subject.eq(facts.subject))
        .filter(or_none(Category, facts.category.map(|category| category.to_value())))
        .filter(or_none(Item, facts.item.clone()))
        .filter(Condition::any().add(RegionCode.is_null()).add(RegionCode.is_in(regions)))
        .filter(ValidFrom.lte(facts.at))
        .filter(Condition::any().add(ValidUntil.is_null()).add(ValidUntil.gt(facts.at)))
        .all(db)
        .await?;
    let (rules, programmes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok(programmes.into_iter().flatten().next().map(|programme| (RuleBook::new(rules), programme)))
}

/// What the rule's caps leave of `value`, after what the member has earned in the programme in their spans.
async fn capped(
    db: &impl ConnectionTrait,
    rule: &rule::Model,
    earning: &Earning<'_>,
    value: i64,
) -> Result<i64, PointsError> {
    let caps = Caps::of(rule);
    if caps.none() {
        return Ok(value);
    }
    // Two records of one member verified at once must see each other: the balance row is where they meet.
    let id = account::of_member(earning.programme, earning.member_id);
    account::open(db, [account::member_row(earning.programme, earning.member_id)]).await?;
    ledger::open_balance(db, id).await?;
    balance::Entity::find_by_id(id).lock_exclusive().one(db).await?;
    let mut earned = valuation::Earned::default();
    let Spans { day, week, month } = &earning.spans;
    if caps.day.is_some() {
        earned.day = earned_within(db, earning, day).await?;
    }
    if caps.week.is_some() {
        earned.week = earned_within(db, earning, week).await?;
    }
    if caps.month.is_some() {
        earned.month = earned_within(db, earning, month).await?;
    }
    if caps.rule.is_some() {
        earned.rule = earned_by(db, rule.id, earning).await?;
    }
    Ok(caps.leave(value, &earned))
}

/// What the member has earned by a version of a rule that has a cap of its own, without what was reversed.
async fn earned_by(db: &impl ConnectionTrait, rule: RuleId, earning: &Earning<'_>) -> Result<i64, DbErr> {
    let sum: Option<Option<i64>> = rule_use::Entity::find()
        .select_only()
        .column_as(Expr::col(rule_use::Column::Amount).sum().cast_as("bigint"), "earned")
        .filter(rule_use::Column::AccountId.eq(account::of_member(earning.programme, earning.member_id)))
        .filter(rule_use::Column::RuleId.eq(rule))
        .into_tuple()
        .one(db)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

/// Keeps what was earned by a rule with a cap of its own.
async fn remember(db: &impl ConnectionTrait, rule: RuleId, earning: &Earning<'_>, amount: i64) -> Result<(), DbErr> {
    let row = rule_use::ActiveModel {
        source_kind: Set(earning.source.kind.to_owned()),
        source_id: Set(earning.source.id),
        rule_id: Set(rule),
        account_id: Set(account::of_member(earning.programme, earning.member_id)),
        amount: Set(amount),
    };
    rule_use::Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// What was earned for `source` is taken back: it no longer fills its rule's cap.
pub(super) async fn forget(db: &impl ConnectionTrait, source: Source<'_>) -> Result<(), DbErr> {
    rule_use::Entity::delete_many()
        .filter(rule_use::Column::SourceKind.eq(source.kind))
        .filter(rule_use::Column::SourceId.eq(source.id))
        .exec(db)
        .await
        .map(drop)
}

/// What the member has earned in the programme by what was done within `span`, paid or still owed, without what was
/// reversed.
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
    let posted = sum.flatten().unwrap_or(0);
    let owed = due::waiting_within(db, earning.programme, earning.member_id, span).await?;
    Ok(posted.saturating_add(owed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_may_ask_for_a_manager_higher_up() {
        let refused = |needed, by| approved(needed, by).is_err();
        let (community, street, district, city) =
            (Some("130302001001"), Some("130302001"), Some("130302"), Some("130300"));
        assert!(!refused(Approver::Manager, community));
        assert!(refused(Approver::Street, community) && !refused(Approver::Street, street));
        assert!(refused(Approver::District, street) && !refused(Approver::District, district));
        assert!(!refused(Approver::District, city) && !refused(Approver::District, None));
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
