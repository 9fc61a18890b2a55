//! Aggregates: one value out of many rows.

use super::decimal::Decimal;
use super::operator::widened;
use super::plan::Expr;
use super::value::{Type, Value, out_of_range};
use crate::postgres::error::SqlError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// One of a query's aggregates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) kind: AggregateKind,
    /// None: `count(*)`.
    pub(crate) argument: Option<Expr>,
    pub(crate) ty: Type,
}

impl AggregateKind {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// The type of the result, if it takes such an argument.
    pub(crate) fn result(self, of: Type) -> Option<Type> {
        match self {
            Self::Count => Some(Type::Int8),
            Self::Sum if of == Type::Int4 => Some(Type::Int8),
            Self::Sum | Self::Avg => of.is_number().then_some(Type::Numeric),
            Self::Min | Self::Max => (of != Type::Bool && of != Type::Void).then_some(of),
        }
    }
}

/// What has come together so far.
#[derive(Debug, Clone)]
pub(crate) struct Accumulator {
    kind: AggregateKind,
    ty: Type,
    count: i64,
    sum: Decimal,
    /// The least or greatest.
    extreme: Value,
}

impl Accumulator {
    pub(crate) fn new(aggregate: &Aggregate) -> Self {
        Self { kind: aggregate.kind, ty: aggregate.ty, count: 0, sum: Decimal::from_int(0), extreme: Value::Null }
    }

    /// Takes a value in; says how many bytes more it holds now. None: `count(*)`, which counts nulls too.
    pub(crate) fn add(&mut self, value: Option<Value>) -> Result<usize, SqlError> {
        let Some(value) = value else {
            self.count += 1;
            return Ok(0);
        };
        if value == Value::Null {
            return Ok(0);
        }
        self.count += 1;
        let replaces = |extreme: &Value| match self.kind {
            AggregateKind::Min => *extreme == Value::Null || value < *extreme,
            _ => *extreme == Value::Null || value > *extreme,
        };
        match self.kind {
            AggregateKind::Count => {}
            AggregateKind::Sum | AggregateKind::Avg => {
                let sum = widened(&value).and_then(|number| self.sum.plus(number));
                self.sum = sum.ok_or_else(|| out_of_range("numeric"))?;
            }
            AggregateKind::Min | AggregateKind::Max => {
                if replaces(&self.extreme) {
                    let grown = value.size().saturating_sub(self.extreme.size());
                    self.extreme = value;
                    return Ok(grown);
                }
            }
        }
        Ok(0)
    }

    pub(crate) fn result(self) -> Result<Value, SqlError> {
        match self.kind {
            AggregateKind::Count => Ok(Value::Int(self.count)),
            AggregateKind::Min | AggregateKind::Max => Ok(self.extreme),
            _ if self.count == 0 => Ok(Value::Null),
            AggregateKind::Sum => Value::Numeric(self.sum).cast(self.ty),
            AggregateKind::Avg => {
                let average = self.sum.over(Decimal::from_int(self.count));
                average.map(Value::Numeric).ok_or_else(|| out_of_range("numeric"))
            }
        }
    }
}
