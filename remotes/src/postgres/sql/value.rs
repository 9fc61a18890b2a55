//! Types and values, and both forms in which they cross the wire.

use super::decimal::Decimal;
use crate::postgres::error::{SqlError, code};
use bytes::Bytes;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use std::cmp::Ordering;
use std::fmt::Write as _;

/// What a value is; the numbers are PostgreSQL's own (`pg_type.oid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// A quoted literal or a parameter that nothing has given a type yet.
    Unknown,
    Bool,
    Int4,
    Int8,
    Numeric,
    Text,
    Date,
    Timestamptz,
    Void,
}

/// A value. Integers of both sizes are one kind: the type beside it says which.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Numeric(Decimal),
    Text(Box<str>),
    Date(Date),
    Timestamp(Timestamp),
    Void,
}

/// Text that one value may have: what concatenation and `repeat` are stopped at.
pub(crate) const LONGEST_TEXT: usize = 1024 * 1024;

/// PostgreSQL counts time from the year 2000.
const EPOCH: Timestamp = Timestamp::constant(946_684_800, 0);
const EPOCH_DAY: Date = Date::constant(2000, 1, 1);

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Bool => "boolean",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Date => "date",
            Self::Timestamptz => "timestamp with time zone",
            Self::Void => "void",
        }
    }

    /// As a cast names it, and the column of its result.
    pub(crate) fn from_name(name: &str) -> Option<(Self, &'static str)> {
        Some(match name {
            "bool" | "boolean" => (Self::Bool, "bool"),
            "int" | "int4" | "integer" | "smallint" | "int2" => (Self::Int4, "int4"),
            "bigint" | "int8" => (Self::Int8, "int8"),
            "numeric" | "decimal" => (Self::Numeric, "numeric"),
            "text" | "varchar" | "name" => (Self::Text, "text"),
            "date" => (Self::Date, "date"),
            "timestamptz" => (Self::Timestamptz, "timestamptz"),
            _ => return None,
        })
    }

    pub(crate) fn oid(self) -> u32 {
        match self {
            // A result has to be something: PostgreSQL says text.
            Self::Unknown | Self::Text => 25,
            Self::Bool => 16,
            Self::Int4 => 23,
            Self::Int8 => 20,
            Self::Numeric => 1700,
            Self::Date => 1082,
            Self::Timestamptz => 1184,
            Self::Void => 2278,
        }
    }

    /// The type of a parameter that the client announces.
    pub(crate) fn from_oid(oid: u32) -> Option<Self> {
        Some(match oid {
            0 | 705 => Self::Unknown,
            16 => Self::Bool,
            21 | 23 => Self::Int4,
            20 => Self::Int8,
            1700 => Self::Numeric,
            18 | 19 | 25 | 1042 | 1043 => Self::Text,
            1082 => Self::Date,
            1114 | 1184 => Self::Timestamptz,
            _ => return None,
        })
    }

    /// Bytes of the binary form; -1: it varies.
    pub(crate) fn size(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int4 | Self::Date | Self::Void => 4,
            Self::Int8 | Self::Timestamptz => 8,
            Self::Numeric | Self::Text | Self::Unknown => -1,
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Numeric)
    }
}

impl Value {
    pub(crate) fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Roughly what it takes in memory.
    pub(crate) fn size(&self) -> usize {
        std::mem::size_of::<Self>() + if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// Turns a value into one of another type.
    pub(crate) fn cast(self, to: Type) -> Result<Self, SqlError> {
        let no =
            |from: &str| Err(SqlError::new(code::TYPE_MISMATCH, format!("cannot cast type {from} to {}", to.name())));
        Ok(match (self, to) {
            (Self::Null, _) => Self::Null,
            (Self::Text(text), _) => return Self::parse(&text, to),
            (value, Type::Text | Type::Unknown) => Self::text(value.to_text()),
            (Self::Bool(value), Type::Bool) => Self::Bool(value),
            (Self::Bool(value), Type::Int4) => Self::Int(value.into()),
            (Self::Int(value), Type::Int4) if i32::try_from(value).is_err() => return Err(out_of_range("integer")),
            (Self::Int(value), Type::Int4 | Type::Int8) => Self::Int(value),
            (Self::Int(value), Type::Numeric) => Self::Numeric(Decimal::from_int(value)),
            (Self::Int(value), Type::Bool) => Self::Bool(value != 0),
            (Self::Numeric(value), Type::Numeric) => Self::Numeric(value),
            (Self::Numeric(value), Type::Int4 | Type::Int8) => {
                let whole = value.to_int().ok_or_else(|| out_of_range(to.name()))?;
                return Self::Int(whole).cast(to);
            }
            (Self::Date(value), Type::Date) => Self::Date(value),
            (Self::Date(value), Type::Timestamptz) => Self::Timestamp(midnight(value)?),
            (Self::Timestamp(value), Type::Timestamptz) => Self::Timestamp(value),
            (Self::Timestamp(value), Type::Date) => Self::Date(value.to_zoned(TimeZone::UTC).date()),
            (Self::Bool(_), _) => return no("boolean"),
            (Self::Int(_) | Self::Numeric(_), _) => return no("numeric"),
            (Self::Date(_), _) => return no("date"),
            (Self::Timestamp(_), _) => return no("timestamp with time zone"),
            (Self::Void, _) => return no("void"),
        })
    }

    /// Reads the text form.
    pub(crate) fn parse(text: &str, ty: Type) -> Result<Self, SqlError> {
        let wrong =
            || SqlError::new(code::INVALID_TEXT, format!("invalid input syntax for type {}: \"{text}\"", ty.name()));
        let trimmed = text.trim();
        Ok(match ty {
            Type::Text | Type::Unknown => Self::text(text),
            Type::Bool => Self::Bool(match trimmed.to_lowercase().as_str() {
                "t" | "true" | "y" | "yes" | "on" | "1" => true,
                "f" | "false" | "n" | "no" | "off" | "0" => false,
                _ => return Err(wrong()),
            }),
            Type::Int4 | Type::Int8 => {
                let number: i128 = trimmed.parse().map_err(|_| wrong())?;
                let number = i64::try_from(number).map_err(|_| out_of_range(ty.name()))?;
                Self::Int(number).cast(ty)?
            }
            Type::Numeric => Self::Numeric(trimmed.parse().map_err(|_| wrong())?),
            Type::Date => Self::Date(trimmed.parse().map_err(|_| bad_time(ty, text))?),
            Type::Timestamptz => Self::Timestamp(timestamp(trimmed).ok_or_else(|| bad_time(ty, text))?),
            Type::Void => Self::Void,
        })
    }

    /// Reads the binary form of a parameter.
    pub(crate) fn from_binary(bytes: &Bytes, ty: Type) -> Result<Self, SqlError> {
        let wrong = || SqlError::new(code::INVALID_BINARY, format!("incorrect binary data for type {}", ty.name()));
        let integer = || -> Result<i64, SqlError> {
            match bytes.len() {
                2 => Ok(i16::from_be_bytes([bytes[0], bytes[1]]).into()),
                4 => Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).into()),
                _ => bytes.as_ref().try_into().map(i64::from_be_bytes).map_err(|_| wrong()),
            }
        };
        Ok(match ty {
            Type::Bool if bytes.len() == 1 => Self::Bool(bytes[0] != 0),
            Type::Int4 | Type::Int8 => Self::Int(integer()?).cast(ty)?,
            Type::Text | Type::Unknown => Self::text(std::str::from_utf8(bytes).map_err(|_| wrong())?),
            Type::Date => {
                let days = jiff::Span::new().try_days(integer()?);
                Self::Date(days.and_then(|days| EPOCH_DAY.checked_add(days)).map_err(|_| wrong())?)
            }
            Type::Timestamptz => {
                let micros = jiff::Span::new().try_microseconds(integer()?);
                Self::Timestamp(micros.and_then(|micros| EPOCH.checked_add(micros)).map_err(|_| wrong())?)
            }
            Type::Numeric => {
                return Err(SqlError::unsupported("numeric parameters in binary form").with_hint("send them as text"));
            }
            Type::Bool | Type::Void => return Err(wrong()),
        })
    }

    /// The text form; nothing for null.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Null | Self::Void => String::new(),
            Self::Bool(value) => if *value { "t" } else { "f" }.to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Numeric(value) => value.to_string(),
            Self::Text(text) => text.to_string(),
            Self::Date(value) => value.to_string(),
            Self::Timestamp(value) => {
                let time = value.to_zoned(TimeZone::UTC).datetime();
                let mut text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
                let micros = time.subsec_nanosecond() / 1000;
                if micros > 0 {
                    let _ = write!(text, ".{}", format!("{micros:06}").trim_end_matches('0'));
                }
                text + "+00"
            }
        }
    }

    /// The binary form, which depends on the type.
    pub(crate) fn to_binary(&self, ty: Type) -> Vec<u8> {
        match self {
            Self::Null | Self::Void => Vec::new(),
            Self::Bool(value) => vec![(*value).into()],
            Self::Int(value) if ty == Type::Int4 => i32::try_from(*value).unwrap_or(i32::MAX).to_be_bytes().to_vec(),
            Self::Int(value) => value.to_be_bytes().to_vec(),
            Self::Numeric(value) => value.binary(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Date(value) => {
                let days = value.since((Unit::Day, EPOCH_DAY)).map_or(0, |span| span.get_days());
                days.to_be_bytes().to_vec()
            }
            Self::Timestamp(value) => (value.as_microsecond() - EPOCH.as_microsecond()).to_be_bytes().to_vec(),
        }
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of `ORDER BY` and groups: null comes last. Values of different kinds do not meet: binding sees to it.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Numeric(a), Self::Numeric(b)) => a.cmp(b),
            (Self::Int(a), Self::Numeric(b)) => Decimal::from_int(*a).cmp(b),
            (Self::Numeric(a), Self::Int(b)) => a.cmp(&Decimal::from_int(*b)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            _ => (*self == Self::Null).cmp(&(*other == Self::Null)),
        }
    }
}

pub(crate) fn out_of_range(ty: &str) -> SqlError {
    SqlError::new(code::OUT_OF_RANGE, format!("{ty} out of range"))
}

fn bad_time(ty: Type, text: &str) -> SqlError {
    SqlError::new(code::DATETIME, format!("invalid input syntax for type {}: \"{text}\"", ty.name()))
        .with_hint("write dates as 2026-11-21, times as 2026-11-21 08:30:00+00")
}

fn midnight(date: Date) -> Result<Timestamp, SqlError> {
    let zoned = date.to_zoned(TimeZone::UTC);
    zoned.map(|zoned| zoned.timestamp()).map_err(|_| out_of_range("timestamp"))
}

/// With an offset, or in UTC without one; a date alone means its midnight.
fn timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() <= "2026-11-21".len()
    {
        return midnight(date).ok();
    }
    text.parse().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}
