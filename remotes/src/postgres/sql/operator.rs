//! Operators: which types they take, and what they give.

use super::decimal::Decimal;
use super::value::{LONGEST_TEXT, Type, Value, out_of_range};
use crate::postgres::error::{SqlError, code};
use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "=" => Self::Equal,
            "<>" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// Null where one of both is.
    pub(super) fn of(self, left: &Value, right: &Value) -> Value {
        if *left == Value::Null || *right == Value::Null {
            return Value::Null;
        }
        Value::Bool(self.holds(left.cmp(right)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Plus,
    Minus,
    Times,
    Over,
    Remainder,
}

impl Arithmetic {
    pub(super) fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "+" => Self::Plus,
            "-" => Self::Minus,
            "*" => Self::Times,
            "/" => Self::Over,
            "%" => Self::Remainder,
            _ => return None,
        })
    }

    pub(super) fn of(self, left: &Value, right: &Value, ty: Type) -> Result<Value, SqlError> {
        match (left, right) {
            (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
            (Value::Int(a), Value::Int(b)) => self.integers(*a, *b, ty),
            (Value::Numeric(a), Value::Numeric(b)) => {
                if b.is_zero() && matches!(self, Self::Over | Self::Remainder) {
                    return Err(division_by_zero());
                }
                let result = match self {
                    Self::Plus => a.plus(*b),
                    Self::Minus => a.minus(*b),
                    Self::Times => a.times(*b),
                    Self::Over => a.over(*b),
                    Self::Remainder => a.remainder(*b),
                };
                result.map(Value::Numeric).ok_or_else(|| out_of_range("numeric"))
            }
            // Binding has cast both to numbers of one type.
            _ => Err(SqlError::new(code::TYPE_MISMATCH, "operands are no numbers")),
        }
    }

    fn integers(self, a: i64, b: i64, ty: Type) -> Result<Value, SqlError> {
        if b == 0 && matches!(self, Self::Over | Self::Remainder) {
            return Err(division_by_zero());
        }
        let result = match self {
            Self::Plus => a.checked_add(b),
            Self::Minus => a.checked_sub(b),
            Self::Times => a.checked_mul(b),
            Self::Over => a.checked_div(b),
            // The one case that overflows has no rest.
            Self::Remainder => Some(a.checked_rem(b).unwrap_or(0)),
        };
        Value::Int(result.ok_or_else(|| out_of_range(ty.name()))?).cast(ty)
    }
}

/// The type of what comes of two numbers: both are cast to it.
pub(super) fn common_number(left: Type, right: Type) -> Option<Type> {
    let widest = [Type::Numeric, Type::Int8, Type::Int4];
    let both = left.is_number() && right.is_number();
    widest.into_iter().find(|ty| both && [left, right].contains(ty))
}

pub(super) fn negated(value: Value, ty: Type) -> Result<Value, SqlError> {
    match value {
        Value::Int(number) => Arithmetic::Minus.of(&Value::Int(0), &Value::Int(number), ty),
        Value::Numeric(number) => number.negated().map(Value::Numeric).ok_or_else(|| out_of_range("numeric")),
        other => Ok(other),
    }
}

pub(super) fn concat(left: &Value, right: &Value) -> Result<Value, SqlError> {
    if *left == Value::Null || *right == Value::Null {
        return Ok(Value::Null);
    }
    let text = left.to_text() + &right.to_text();
    if text.len() > LONGEST_TEXT { Err(too_long()) } else { Ok(Value::text(text)) }
}

pub(super) fn too_long() -> SqlError {
    SqlError::new(code::TOO_LARGE, format!("a text may have {LONGEST_TEXT} bytes in the demo's database"))
}

fn division_by_zero() -> SqlError {
    SqlError::new(code::DIVISION_BY_ZERO, "division by zero")
}

/// `sum` and `avg` of an integer.
pub(super) fn widened(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(number) => Some(Decimal::from_int(*number)),
        Value::Numeric(number) => Some(*number),
        _ => None,
    }
}
