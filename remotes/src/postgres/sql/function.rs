//! Functions: what they take and give, and what they do.

use super::decimal::Decimal;
use super::evaluate::Context;
use super::operator::{self, negated, too_long};
use super::value::{LONGEST_TEXT, Type, Value, out_of_range};
use crate::postgres::error::{SqlError, code};
use crate::postgres::settings;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The longest pause of one `pg_sleep`: nobody waits longer to see that a connection lives.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    /// Of an `integer`, whose smallest has none.
    Abs4,
    ClockTimestamp,
    Coalesce,
    Concat,
    CurrentDate,
    CurrentDatabase,
    CurrentSchema,
    CurrentUser,
    DateTrunc,
    Left,
    Length,
    Lower,
    Now,
    NullIf,
    PgBackendPid,
    PgSleep,
    PgTypeof,
    Repeat,
    Right,
    Round,
    Upper,
    Version,
}

/// What a function takes.
pub(super) enum Takes {
    /// Exactly these.
    These(&'static [Type]),
    /// At least so many, all of one type, which is that of the result as well.
    Alike(usize),
    /// At least one, of whatever type.
    Anything,
}

impl Function {
    /// Those of a name: the first that fits is called.
    pub(super) fn named(name: &str) -> &'static [(Self, Takes, Type)] {
        use Function as F;
        use Takes::{Alike, Anything, These};
        use Type::{Date, Int4, Int8, Numeric, Text, Timestamptz, Unknown, Void};
        match name {
            "abs" => {
                &[(F::Abs4, These(&[Int4]), Int4), (F::Abs, These(&[Int8]), Int8), (F::Abs, These(&[Numeric]), Numeric)]
            }
            "clock_timestamp" => &[(F::ClockTimestamp, These(&[]), Timestamptz)],
            "coalesce" => &[(F::Coalesce, Alike(1), Unknown)],
            "concat" => &[(F::Concat, Anything, Text)],
            "current_date" => &[(F::CurrentDate, These(&[]), Date)],
            "current_database" | "current_catalog" => &[(F::CurrentDatabase, These(&[]), Text)],
            "current_schema" => &[(F::CurrentSchema, These(&[]), Text)],
            "current_user" | "session_user" | "user" | "current_role" => &[(F::CurrentUser, These(&[]), Text)],
            "date_trunc" => &[(F::DateTrunc, These(&[Text, Timestamptz]), Timestamptz)],
            "left" => &[(F::Left, These(&[Text, Int4]), Text)],
            "length" | "char_length" => &[(F::Length, These(&[Text]), Int4)],
            "lower" => &[(F::Lower, These(&[Text]), Text)],
            "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" => {
                &[(F::Now, These(&[]), Timestamptz)]
            }
            "nullif" => &[(F::NullIf, Alike(2), Unknown)],
            "pg_backend_pid" => &[(F::PgBackendPid, These(&[]), Int4)],
            "pg_sleep" => &[(F::PgSleep, These(&[Numeric]), Void)],
            "pg_typeof" => &[(F::PgTypeof, Anything, Text)],
            "repeat" => &[(F::Repeat, These(&[Text, Int4]), Text)],
            "right" => &[(F::Right, These(&[Text, Int4]), Text)],
            "round" => &[(F::Round, These(&[Numeric]), Numeric), (F::Round, These(&[Numeric, Int4]), Numeric)],
            "upper" => &[(F::Upper, These(&[Text]), Text)],
            "version" => &[(F::Version, These(&[]), Text)],
            _ => &[],
        }
    }

    /// The rest of them are null where an argument is.
    fn takes_null(self) -> bool {
        matches!(self, Self::Coalesce | Self::Concat | Self::NullIf | Self::PgTypeof)
    }

    pub(super) fn call(self, arguments: Vec<Value>, context: &mut Context<'_>) -> Result<Value, SqlError> {
        if !self.takes_null() && arguments.contains(&Value::Null) {
            return Ok(Value::Null);
        }
        let mut rest = arguments.into_iter();
        let first = rest.next();
        let second = rest.next();
        Ok(match (self, first, second) {
            (Self::Version, ..) => Value::text(settings::VERSION_TEXT),
            (Self::Now, ..) => Value::Timestamp(context.now),
            (Self::ClockTimestamp, ..) => Value::Timestamp(Timestamp::now()),
            (Self::CurrentDate, ..) => Value::Date(context.now.to_zoned(TimeZone::UTC).date()),
            (Self::CurrentDatabase, ..) => Value::text(context.identity.database.as_str()),
            (Self::CurrentUser, ..) => Value::text(context.identity.user.as_str()),
            (Self::CurrentSchema, ..) => Value::text("public"),
            (Self::PgBackendPid, ..) => Value::Int(context.identity.pid.into()),
            (Self::Coalesce, first, second) => {
                first.into_iter().chain(second).chain(rest).find(|value| *value != Value::Null).unwrap_or(Value::Null)
            }
            (Self::Concat, first, second) => {
                let all = first.into_iter().chain(second).chain(rest);
                all.filter(|value| *value != Value::Null)
                    .try_fold(Value::text(""), |text, more| operator::concat(&text, &more))?
            }
            (Self::NullIf, Some(first), Some(second)) => {
                if first == second {
                    Value::Null
                } else {
                    first
                }
            }
            // Binding has put the type's name there.
            (Self::PgTypeof, Some(name), _) => name,
            (Self::PgSleep, Some(Value::Numeric(seconds)), _) => {
                context.pause += seconds.to_duration(LONGEST_PAUSE);
                Value::Void
            }
            (Self::Abs, Some(Value::Int(number)), _) => {
                Value::Int(number.checked_abs().ok_or_else(|| out_of_range("bigint"))?)
            }
            (Self::Abs4, Some(Value::Int(number)), _) => {
                Value::Int(number.checked_abs().ok_or_else(|| out_of_range("integer"))?).cast(Type::Int4)?
            }
            (Self::Abs, Some(number), _) => {
                if number < Value::Numeric(Decimal::from_int(0)) {
                    negated(number, Type::Numeric)?
                } else {
                    number
                }
            }
            (Self::Round, Some(Value::Numeric(number)), digits) => {
                let digits = if let Some(Value::Int(digits)) = digits { digits } else { 0 };
                let digits = u32::try_from(digits.clamp(0, 20)).unwrap_or(0);
                Value::Numeric(number.rounded(digits).ok_or_else(|| out_of_range("numeric"))?)
            }
            (Self::Length, Some(Value::Text(text)), _) => {
                Value::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX))
            }
            (Self::Lower, Some(Value::Text(text)), _) => Value::text(text.to_lowercase()),
            (Self::Upper, Some(Value::Text(text)), _) => Value::text(text.to_uppercase()),
            (Self::Left, Some(Value::Text(text)), Some(Value::Int(count))) => {
                Value::text(text.chars().take(part(&text, count)).collect::<String>())
            }
            (Self::Right, Some(Value::Text(text)), Some(Value::Int(count))) => {
                let skipped = text.chars().count() - part(&text, count);
                Value::text(text.chars().skip(skipped).collect::<String>())
            }
            (Self::Repeat, Some(Value::Text(text)), Some(Value::Int(count))) => {
                let count = usize::try_from(count).unwrap_or(0);
                if text.len().saturating_mul(count) > LONGEST_TEXT {
                    return Err(too_long());
                }
                Value::text(text.repeat(count))
            }
            (Self::DateTrunc, Some(Value::Text(field)), Some(Value::Timestamp(time))) => truncated(&field, time)?,
            // Binding has checked number and types.
            (function, ..) => {
                return Err(SqlError::new(code::NO_FUNCTION, format!("{function:?} cannot be called so")));
            }
        })
    }
}

/// How many characters `left` and `right` take: a negative count leaves so many out.
fn part(text: &str, count: i64) -> usize {
    let length = text.chars().count();
    match usize::try_from(count) {
        Ok(count) => count.min(length),
        Err(_) => length.saturating_sub(usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

fn truncated(field: &str, time: Timestamp) -> Result<Value, SqlError> {
    let zoned = time.to_zoned(TimeZone::UTC);
    let day = zoned.date();
    let midnight = match field.to_lowercase().as_str() {
        "minute" | "hour" | "second" => {
            let unit = match field.to_lowercase().as_str() {
                "hour" => jiff::Unit::Hour,
                "minute" => jiff::Unit::Minute,
                _ => jiff::Unit::Second,
            };
            let round = jiff::TimestampRound::new().smallest(unit).mode(jiff::RoundMode::Floor);
            return time.round(round).map(Value::Timestamp).map_err(|_| out_of_range("timestamp"));
        }
        "day" => day,
        "month" => day.first_of_month(),
        "year" => day.first_of_year(),
        _ => {
            let wrong = format!("unit \"{field}\" not recognized for type timestamp with time zone");
            return Err(SqlError::new(code::INVALID_VALUE, wrong).with_hint("second, minute, hour, day, month or year"));
        }
    };
    Value::Date(midnight).cast(Type::Timestamptz)
}
