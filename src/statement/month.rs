//! The month in a path.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::{Calendar, Period, Span};
use crate::http::Problem;

/// `2026-11` in a path; what cannot be one is found nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathMonth(Option<Period>);

impl FromRequest for PathMonth {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("month").unwrap_or_default();
        ready(Ok(Self(text.parse().ok().filter(|period| matches!(period, Period::Month(..))))))
    }
}

impl PathMonth {
    /// The month as of `now`.
    ///
    /// # Errors
    /// 404 where it is none, 422 `out_of_range` where it has not begun.
    pub(super) fn checked(self, calendar: Calendar, now: DateTime<Utc>) -> Result<Month, Problem> {
        let period = self.0.ok_or_else(Problem::not_found)?;
        let span = calendar.range(period).ok_or_else(Problem::not_found)?;
        if span.start > now {
            return Err(Problem::invalid("month", "out_of_range", "该月份还没有开始，请选择本月或以前的月份"));
        }
        let provisional = now < span.end;
        let as_of = if provisional { now } else { span.end };
        let last_day = calendar.day_of(if provisional { now } else { span.end - chrono::TimeDelta::microseconds(1) });
        Ok(Month { name: period.to_string(), span, as_of, last_day, provisional })
    }
}

/// A month that has begun.
#[derive(Clone, Debug)]
pub(super) struct Month {
    /// `2026-11`
    pub(super) name: String,
    pub(super) span: Span,
    /// Its end, or now.
    pub(super) as_of: DateTime<Utc>,
    /// Its last day, or today.
    pub(super) last_day: NaiveDate,
    /// It is not over: more may come.
    pub(super) provisional: bool,
}

impl Month {
    /// `2026年11月`
    pub(super) fn in_words(&self) -> String {
        match self.name.split_once('-') {
            Some((year, month)) => format!("{year}年{}月", month.trim_start_matches('0')),
            None => self.name.clone(),
        }
    }
}
