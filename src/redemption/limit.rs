//! How many of some goods a member or a household may have in a period.
//!
//! Counted after the member's balance row was taken, for a household after its own row was, and before the order's rows are
//! there: so two orders that count the same pieces see each other.

use chrono::{Datelike as _, Days, NaiveDate};
use entity::goods::LimitPeriod;
use entity::id::{GoodsId, MemberId};
use entity::redemption::{self, RedemptionStatus};
use entity::redemption_line;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait as _, Condition, ConnectionTrait, DbErr};

use super::error::RedemptionError;
use super::order::Draft;
use super::service::Moment;
use crate::calendar::{Calendar, Period, PeriodKind, Span};

/// A limit that an order would break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Of the goods.
    pub name: String,
    /// Of a household; else of a member.
    pub household: bool,
    pub period: LimitPeriod,
    pub limit: i32,
    /// What counts of it already.
    pub taken: i64,
    /// The first local day of the next period.
    pub next_on: Option<NaiveDate>,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, limit, taken, .. } = self;
        let who = if self.household { "每户" } else { "每人" };
        let left = Ord::max(i64::from(*limit) - taken, 0);
        write!(out, "“{name}”{who}{}限兑 {limit} 件，已兑 {taken} 件，还可兑 {left} 件", words(self.period))?;
        match self.next_on {
            Some(day) => write!(out, "；{} 年 {} 月 {} 日起重新计算", day.year(), day.month(), day.day())?,
            None => out.write_str("。请减少数量或改选其他兑换品")?,
        }
        Ok(())
    }
}

const fn words(period: LimitPeriod) -> &'static str {
    match period {
        LimitPeriod::All => "共",
        LimitPeriod::Day => "每天",
        LimitPeriod::Week => "每周",
        LimitPeriod::Month => "每月",
        LimitPeriod::Quarter => "每季度",
        LimitPeriod::Year => "每年",
    }
}

/// Refuses an order that goes beyond a limit. `household`: who belongs to the member's, its row locked; `None` where no goods
/// of the order ask for it.
///
/// # Errors
/// `LimitReached`.
pub(super) async fn respect(
    db: &impl ConnectionTrait,
    draft: &Draft<'_>,
    member: MemberId,
    household: Option<&[MemberId]>,
    moment: &Moment,
) -> Result<(), RedemptionError> {
    for (offer, ordered) in draft.goods() {
        let of_member = offer.per_member_limit.map(|limit| (limit, std::slice::from_ref(&member)));
        let of_household = offer.per_household_limit.zip(household);
        let limits = of_member.into_iter().map(|limit| (false, limit));
        for (household, (limit, members)) in limits.chain(of_household.into_iter().map(|limit| (true, limit))) {
            let span = span_of(offer.limit_period, moment.calendar, moment.today);
            let taken = taken(db, offer.id, members, span.as_ref()).await?;
            if taken + ordered > i64::from(limit) {
                let (name, period) = (offer.name.clone(), offer.limit_period);
                let next_on = span.map(|span| moment.calendar.day_of(span.end));
                return Err(RedemptionError::LimitReached(Limit { name, household, period, limit, taken, next_on }));
            }
        }
    }
    Ok(())
}

/// The local period that holds `today`; `None`: without bounds.
fn span_of(period: LimitPeriod, calendar: Calendar, today: NaiveDate) -> Option<Span> {
    let whole = |kind| calendar.range(Period::of_day(today, kind));
    match period {
        LimitPeriod::All => None,
        LimitPeriod::Day => Some(calendar.day(today)),
        LimitPeriod::Week => {
            let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
            Some(calendar.days(monday, monday + Days::new(6)))
        }
        LimitPeriod::Month => whole(PeriodKind::Month),
        LimitPeriod::Quarter => whole(PeriodKind::Quarter),
        LimitPeriod::Year => whole(PeriodKind::Year),
    }
}

/// Pieces of live redemptions, whichever line they stand in.
async fn taken(
    db: &impl ConnectionTrait,
    goods: GoodsId,
    members: &[MemberId],
    span: Option<&Span>,
) -> Result<i64, DbErr> {
    let live = || {
        use redemption::Column;
        let made = (redemption::Entity, Column::CreatedAt);
        let counts = Condition::any()
            .add(Column::Status.eq(RedemptionStatus::Reserved))
            .add(Column::Status.eq(RedemptionStatus::Fulfilled));
        let within =
            |span: &Span| Condition::all().add(Expr::col(made).gte(span.start)).add(Expr::col(made).lt(span.end));
        Condition::all().add(counts).add_option(span.map(within))
    };
    let all = Query::select()
        .expr_as(Expr::col(Alias::new("quantity")).sum().cast_as("bigint"), "taken")
        .from_subquery(
            first(goods, members, live()).union(UnionType::All, further(goods, members, live())).to_owned(),
            "each",
        )
        .to_owned();
    let row = db.query_one(&all).await?;
    Ok(row.map(|row| row.try_get::<Option<i64>>("", "taken")).transpose()?.flatten().unwrap_or(0))
}

fn first(goods: GoodsId, members: &[MemberId], live: Condition) -> SelectStatement {
    use redemption::{Column, Entity};
    Query::select()
        .column((Entity, Column::Quantity))
        .from(Entity)
        .and_where(Column::GoodsId.eq(goods))
        .and_where(who(Column::MemberId, members))
        .cond_where(live)
        .to_owned()
}

fn further(goods: GoodsId, members: &[MemberId], live: Condition) -> SelectStatement {
    use redemption_line::{Column, Entity};
    let whole = Expr::col((redemption::Entity, redemption::Column::Id)).equals((Entity, Column::RedemptionId));
    Query::select()
        .column((Entity, Column::Quantity))
        .from(Entity)
        .inner_join(redemption::Entity, whole)
        .and_where(Column::GoodsId.eq(goods))
        .and_where(who(Column::MemberId, members))
        .cond_where(live)
        .to_owned()
}

fn who(column: impl sea_orm::ColumnTrait, members: &[MemberId]) -> Expr {
    match members {
        [one] => column.eq(*one),
        several => column.is_in(several.iter().copied()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(LimitPeriod::Day, "2026-11-22", "2026-11-23")]
    #[case(LimitPeriod::Week, "2026-11-16", "2026-11-23")]
    #[case(LimitPeriod::Month, "2026-11-01", "2026-12-01")]
    #[case(LimitPeriod::Quarter, "2026-10-01", "2027-01-01")]
    #[case(LimitPeriod::Year, "2026-01-01", "2027-01-01")]
    fn a_period_is_the_local_one(#[case] period: LimitPeriod, #[case] first: NaiveDate, #[case] next: NaiveDate) {
        let calendar = Calendar::new(chrono_tz::Asia::Shanghai);
        // A Sunday.
        let span = span_of(period, calendar, "2026-11-22".parse().unwrap()).unwrap();
        assert_eq!(span, calendar.start_of(first)..calendar.start_of(next));
    }

    #[test]
    fn a_limit_says_what_is_left_and_when_it_ends() {
        let limit = Limit {
            name: "大米".to_owned(),
            household: true,
            period: LimitPeriod::Month,
            limit: 3,
            taken: 2,
            next_on: NaiveDate::from_ymd_opt(2026, 12, 1),
        };
        assert_eq!(limit.to_string(), "“大米”每户每月限兑 3 件，已兑 2 件，还可兑 1 件；2026 年 12 月 1 日起重新计算");
    }
}
