//! Values on their way to SQLite and back, in the form that sqlx gives them, so that the writer and the readers agree: a
//! `Uuid` is a blob of 16 bytes, times are RFC 3339 text as short as it goes, JSON is text.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sea_orm::Value;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OptionEnum;

/// What a column holds, as its declaration says: the same names as in `migration/src/ddl.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    SmallInt,
    Int,
    BigInt,
    Double,
    Text,
    Bytes,
    Uuid,
    Json,
    Date,
    Time,
    DateTime,
    DateTimeUtc,
    /// A sum: whole where SQLite answers a whole number.
    Sum,
}

impl Kind {
    /// The kind of a declared type, SQLite's name or PostgreSQL's, with or without a length.
    pub(super) fn declared(name: &str) -> Option<Self> {
        let name = name.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match name.as_str() {
            "boolean" | "bool" => Self::Bool,
            "smallint" | "int2" => Self::SmallInt,
            "integer" | "int" | "int4" => Self::Int,
            "bigint" | "int8" => Self::BigInt,
            "double" | "real" | "double precision" | "float8" => Self::Double,
            "text" | "varchar" | "char" => Self::Text,
            "blob" | "bytea" | "varbinary_blob" => Self::Bytes,
            "uuid_text" | "uuid" => Self::Uuid,
            "json_text" | "jsonb_text" | "json" | "jsonb" => Self::Json,
            "date_text" | "date" => Self::Date,
            "time_text" | "time" => Self::Time,
            "datetime_text" | "timestamp_text" | "timestamp" => Self::DateTime,
            "timestamp_with_timezone_text" | "timestamptz" => Self::DateTimeUtc,
            _ => return None,
        })
    }

    /// `value` as SeaORM expects it from a column of this kind; `None` where the two do not fit.
    pub(super) fn read(self, value: ValueRef<'_>) -> Option<Value> {
        if value == ValueRef::Null {
            return Some(self.null());
        }
        let text = || value.as_str().ok();
        let whole = || value.as_i64().ok();
        Some(match self {
            Self::Bool => Value::Bool(Some(whole()? != 0)),
            Self::SmallInt => Value::SmallInt(Some(whole()?.try_into().ok()?)),
            Self::Int => Value::Int(Some(whole()?.try_into().ok()?)),
            Self::BigInt => Value::BigInt(Some(whole()?)),
            Self::Double => Value::Double(Some(value.as_f64().ok()?)),
            Self::Sum => match value {
                ValueRef::Real(sum) => Value::Double(Some(sum)),
                _ => Value::BigInt(Some(whole()?)),
            },
            Self::Text => Value::String(Some(text()?.to_owned())),
            Self::Bytes => Value::Bytes(Some(value.as_bytes().ok()?.to_owned())),
            Self::Uuid => Value::Uuid(Some(Uuid::from_slice(value.as_blob().ok()?).ok()?)),
            Self::Json => Value::Json(Some(Box::new(serde_json::from_str(text()?).ok()?))),
            Self::Date => Value::ChronoDate(Some(NaiveDate::parse_from_str(text()?, "%F").ok()?)),
            Self::Time => Value::ChronoTime(Some(NaiveTime::parse_from_str(text()?, "%T%.f").ok()?)),
            Self::DateTime => Value::ChronoDateTime(Some(NaiveDateTime::parse_from_str(text()?, "%F %T%.f").ok()?)),
            Self::DateTimeUtc => {
                Value::ChronoDateTimeUtc(Some(DateTime::parse_from_rfc3339(text()?).ok()?.with_timezone(&Utc)))
            }
        })
    }

    fn null(self) -> Value {
        match self {
            Self::Bool => Value::Bool(None),
            Self::SmallInt => Value::SmallInt(None),
            Self::Int => Value::Int(None),
            Self::BigInt | Self::Sum => Value::BigInt(None),
            Self::Double => Value::Double(None),
            Self::Text => Value::String(None),
            Self::Bytes => Value::Bytes(None),
            Self::Uuid => Value::Uuid(None),
            Self::Json => Value::Json(None),
            Self::Date => Value::ChronoDate(None),
            Self::Time => Value::ChronoTime(None),
            Self::DateTime => Value::ChronoDateTime(None),
            Self::DateTimeUtc => Value::ChronoDateTimeUtc(None),
        }
    }
}

/// A value to bind.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let whole = |number: Option<i64>| owned(number);
        Ok(match self.0 {
            Value::Bool(value) => whole(value.map(i64::from)),
            Value::TinyInt(value) => whole(value.map(i64::from)),
            Value::SmallInt(value) => whole(value.map(i64::from)),
            Value::Int(value) => whole(value.map(i64::from)),
            Value::BigInt(value) => whole(*value),
            Value::TinyUnsigned(value) => whole(value.map(i64::from)),
            Value::SmallUnsigned(value) => whole(value.map(i64::from)),
            Value::Unsigned(value) => whole(value.map(i64::from)),
            Value::BigUnsigned(value) => whole(value.map(i64::try_from).transpose().map_err(unbindable)?),
            Value::Float(value) => owned(value.map(f64::from)),
            Value::Double(value) => owned(*value),
            Value::String(value) => borrowed(value.as_ref().map(|text| ValueRef::Text(text.as_bytes()))),
            Value::Bytes(value) => borrowed(value.as_ref().map(|bytes| ValueRef::Blob(bytes))),
            Value::Uuid(value) => borrowed(value.as_ref().map(|id| ValueRef::Blob(id.as_bytes()))),
            Value::Enum(OptionEnum::Some(value)) => borrowed(Some(ValueRef::Text(value.value.as_bytes()))),
            Value::Enum(OptionEnum::None(_)) => borrowed(None),
            Value::Char(value) => owned(value.map(String::from)),
            Value::Json(value) => owned(value.as_ref().map(ToString::to_string)),
            Value::Decimal(value) => owned(value.map(|value| value.to_string())),
            Value::ChronoDate(value) => owned(value.map(|value| value.format("%F").to_string())),
            Value::ChronoTime(value) => owned(value.map(|value| value.format("%T%.f").to_string())),
            Value::ChronoDateTime(value) => owned(value.map(|value| value.format("%F %T%.f").to_string())),
            Value::ChronoDateTimeUtc(value) => owned(value.map(|value| rfc3339(&value))),
            Value::ChronoDateTimeLocal(value) => owned(value.map(|value| rfc3339(&value))),
            Value::ChronoDateTimeWithTimeZone(value) => owned(value.map(|value| rfc3339(&value))),
            other => return Err(unbindable(std::io::Error::other(format!("SQLite has no {other:?}")))),
        })
    }
}

fn rfc3339<Tz: chrono::TimeZone>(time: &DateTime<Tz>) -> String
where
    Tz::Offset: std::fmt::Display,
{
    time.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

fn owned(value: impl Into<rusqlite::types::Value>) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(value.into())
}

fn borrowed(value: Option<ValueRef<'_>>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null))
}

fn unbindable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
