//! A query whose names are found and whose types are known.

use super::aggregate::Aggregate;
use super::function::Function;
use super::operator::{Arithmetic, Comparison};
use super::value::{Type, Value};

/// What a `SELECT` does, in order: rows of the source, filter, groups, outputs, order, limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) filter: Option<Expr>,
    pub(crate) grouping: Option<Grouping>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) distinct: bool,
    pub(crate) order: Vec<OrderKey>,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
    /// Of `$1`, `$2`, ….
    pub(crate) parameters: Vec<Type>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// One row without columns.
    Nothing,
    Orders,
    Series {
        from: Expr,
        to: Expr,
        step: Expr,
    },
}

/// Rows with equal keys become one; behind it a row is its keys, then its aggregates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<Expr>,
    pub(crate) aggregates: Vec<Aggregate>,
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) expr: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderKey {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// Something that has a value for each row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Value(Value),
    Parameter(usize),
    /// Of the source's row, or, behind a grouping, of that one's.
    Column(usize),
    Not(Box<Expr>),
    Negate(Box<Expr>, Type),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>, Type),
    Concat(Box<Expr>, Box<Expr>),
    IsNull(Box<Expr>, bool),
    In(Box<Expr>, Vec<Expr>),
    Like {
        text: Box<Expr>,
        pattern: Box<Expr>,
        any_case: bool,
    },
    /// A value, and the first and the last that it may be.
    Between(Box<[Expr; 3]>),
    Cast(Box<Expr>, Type),
    Call(Function, Vec<Expr>),
}
