//! Expressions: what their names mean, which types they have, and where these have to be made alike.

use super::{Binder, Typed};
use crate::postgres::error::{SqlError, code};
use crate::postgres::sql::aggregate::{Aggregate, AggregateKind};
use crate::postgres::sql::ast::{Kind, Node};
use crate::postgres::sql::decimal::Decimal;
use crate::postgres::sql::function::{Function, Takes};
use crate::postgres::sql::operator::{Arithmetic, Comparison, common_number};
use crate::postgres::sql::plan::Expr;
use crate::postgres::sql::value::{Type, Value, out_of_range};

/// Parameters of one statement.
const MOST_PARAMETERS: usize = 1000;
/// Nodes of one plan: `*` stands for many, and `order by 1, 1, 1` for three times a column.
const MOST_NODES: usize = 16 * 1024;

impl Binder {
    pub(super) fn column(&self, table: Option<&str>, name: &str) -> Option<usize> {
        if table.is_some_and(|table| self.table.as_deref() != Some(table)) {
            return None;
        }
        self.columns.iter().position(|(column, _)| column == name)
    }

    /// An expression that has to be of a type.
    pub(super) fn of_type(&mut self, node: &Node, ty: Type, place: &str) -> Result<Expr, SqlError> {
        let bound = self.bind(node)?;
        let fits = bound.ty == ty || bound.ty == Type::Unknown || (bound.ty.is_number() && ty.is_number());
        if !fits {
            let wrong = format!("argument of {place} must be type {}, not type {}", ty.name(), bound.ty.name());
            return Err(SqlError::new(code::TYPE_MISMATCH, wrong).at(node.at));
        }
        Ok(self.cast(bound, ty)?.expr)
    }

    /// Makes it of a type: a literal at once, a parameter by saying so.
    pub(super) fn cast(&mut self, bound: Typed, ty: Type) -> Result<Typed, SqlError> {
        let at = bound.at;
        let expr = match bound.expr {
            _ if bound.ty == ty => bound.expr,
            Expr::Value(value) => Expr::Value(value.cast(ty).map_err(|error| error.at(at))?),
            Expr::Parameter(index) if bound.ty == Type::Unknown => {
                self.parameters[index] = ty;
                Expr::Parameter(index)
            }
            expr => Expr::Cast(Box::new(expr), ty),
        };
        Ok(Typed { expr, ty, at })
    }

    pub(super) fn bind(&mut self, node: &Node) -> Result<Typed, SqlError> {
        self.bound += 1;
        if self.bound > MOST_NODES {
            let full = format!("a query may come to {MOST_NODES} operators, columns and constants");
            return Err(SqlError::new(code::TOO_COMPLEX, full).at(node.at));
        }
        if let Some(scope) = self.grouping.as_ref().filter(|_| !self.in_aggregate)
            && let Some(index) = scope.keys.iter().position(|(key, _)| key == node)
        {
            return Ok(Typed { expr: Expr::Column(index), ty: scope.keys[index].1.ty, at: node.at });
        }
        let typed = |expr, ty| Ok(Typed { expr, ty, at: node.at });
        match &node.kind {
            Kind::Null => typed(Expr::Value(Value::Null), Type::Unknown),
            Kind::Bool(value) => typed(Expr::Value(Value::Bool(*value)), Type::Bool),
            Kind::Text(text) => typed(Expr::Value(Value::text(text.as_str())), Type::Unknown),
            Kind::Number(digits) => {
                let (value, ty) = number(digits).map_err(|error| error.at(node.at))?;
                typed(Expr::Value(value), ty)
            }
            Kind::Parameter(number) => {
                let index = usize::from(*number) - 1;
                if index >= MOST_PARAMETERS {
                    let wrong = format!("a statement may have {MOST_PARAMETERS} parameters");
                    return Err(SqlError::new(code::TOO_LARGE, wrong).at(node.at));
                }
                if self.parameters.len() <= index {
                    self.parameters.resize(index + 1, Type::Unknown);
                }
                typed(Expr::Parameter(index), self.parameters[index])
            }
            Kind::Column { table, name } => self.bind_column(table.as_deref(), name, node.at),
            Kind::CountAll => self.aggregate(AggregateKind::Count, None, node.at),
            Kind::Call { name, arguments } => self.call(name, arguments, node.at),
            Kind::Not(of) => {
                let of = self.of_type(of, Type::Bool, "NOT")?;
                typed(Expr::Not(Box::new(of)), Type::Bool)
            }
            Kind::Negate(of) => {
                let of = self.bind(of)?;
                let ty = if of.ty == Type::Unknown { Type::Int4 } else { of.ty };
                if !ty.is_number() {
                    return Err(no_operator(&format!("- {}", ty.name())).at(node.at));
                }
                let of = self.cast(of, ty)?;
                typed(Expr::Negate(Box::new(of.expr), ty), ty)
            }
            Kind::Binary(symbol, left, right) => self.binary(symbol, left, right, node.at),
            Kind::IsNull(of, not) => {
                let of = self.bind(of)?;
                typed(Expr::IsNull(Box::new(of.expr), *not), Type::Bool)
            }
            Kind::In(of, items) => {
                let bound: Result<Vec<_>, _> =
                    std::iter::once(&**of).chain(items).map(|item| self.bind(item)).collect();
                let mut bound = self.alike(bound?, "=", node.at)?.into_iter().map(|typed| typed.expr);
                let of = bound.next().unwrap_or(Expr::Value(Value::Null));
                typed(Expr::In(Box::new(of), bound.collect()), Type::Bool)
            }
            Kind::Between(nodes) => {
                let bound: Result<Vec<_>, _> = nodes.iter().map(|node| self.bind(node)).collect();
                let mut bound = self.alike(bound?, "between", node.at)?.into_iter().map(|typed| typed.expr);
                let mut next = || bound.next().unwrap_or(Expr::Value(Value::Null));
                typed(Expr::Between(Box::new([next(), next(), next()])), Type::Bool)
            }
            Kind::Like { text, pattern, any_case } => {
                let text = Box::new(self.of_type(text, Type::Text, "LIKE")?);
                let pattern = Box::new(self.of_type(pattern, Type::Text, "LIKE")?);
                typed(Expr::Like { text, pattern, any_case: *any_case }, Type::Bool)
            }
            Kind::Cast(of, name) => {
                let Some((ty, _)) = Type::from_name(name) else {
                    let missing = format!("type \"{name}\" is not known to the demo's database");
                    return Err(SqlError::new(code::NO_OBJECT, missing)
                        .with_hint("it has boolean, integer, bigint, numeric, text, date and timestamptz")
                        .at(node.at));
                };
                let of = self.bind(of)?;
                self.cast(of, ty)
            }
        }
    }

    fn bind_column(&self, table: Option<&str>, name: &str, at: usize) -> Result<Typed, SqlError> {
        let Some(index) = self.column(table, name) else {
            let shown = table.map_or_else(|| format!("\"{name}\""), |table| format!("{table}.{name}"));
            let mut error = SqlError::new(code::NO_COLUMN, format!("column {shown} does not exist"));
            if !self.columns.is_empty() {
                let known: Vec<_> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
                error = error.with_hint(format!("there is {}", known.join(", ")));
            }
            return Err(error.at(at));
        };
        if self.grouping.is_some() && !self.in_aggregate {
            let wrong =
                format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function");
            return Err(SqlError::new(code::GROUPING, wrong).at(at));
        }
        Ok(Typed { expr: Expr::Column(index), ty: self.columns[index].1, at })
    }

    fn aggregate(&mut self, kind: AggregateKind, argument: Option<&Node>, at: usize) -> Result<Typed, SqlError> {
        if self.in_aggregate {
            return Err(SqlError::new(code::GROUPING, "aggregate function calls cannot be nested").at(at));
        }
        if self.grouping.is_none() {
            return Err(SqlError::new(code::GROUPING, "aggregate functions are not allowed here").at(at));
        }
        let (mut expr, mut ty) = (None, Type::Int8);
        if let Some(node) = argument {
            self.in_aggregate = true;
            let bound = self.bind(node)?;
            self.in_aggregate = false;
            let of = if bound.ty == Type::Unknown { Type::Text } else { bound.ty };
            let bound = self.cast(bound, of)?;
            ty = kind.result(of).ok_or_else(|| {
                let wrong = format!("function {kind:?}({}) does not exist", of.name()).to_lowercase();
                SqlError::new(code::NO_FUNCTION, wrong).at(at)
            })?;
            expr = Some(bound.expr);
        }
        let aggregate = Aggregate { kind, argument: expr, ty };
        let scope = self.grouping.get_or_insert_default();
        let known = scope.aggregates.iter().position(|other| *other == aggregate);
        let index = known.unwrap_or_else(|| {
            scope.aggregates.push(aggregate);
            scope.aggregates.len() - 1
        });
        Ok(Typed { expr: Expr::Column(scope.keys.len() + index), ty, at })
    }

    fn call(&mut self, name: &str, arguments: &[Node], at: usize) -> Result<Typed, SqlError> {
        if let Some(kind) = AggregateKind::named(name) {
            return match arguments {
                [argument] => self.aggregate(kind, Some(argument), at),
                _ => Err(no_function(name, arguments.len()).at(at)),
            };
        }
        let bound: Vec<Typed> = arguments.iter().map(|node| self.bind(node)).collect::<Result<_, _>>()?;
        for (function, takes, result) in Function::named(name) {
            match takes {
                Takes::These(types) if fit(&bound, types) => {
                    let mut cast = Vec::new();
                    for (argument, ty) in bound.into_iter().zip(*types) {
                        cast.push(self.cast(argument, *ty)?.expr);
                    }
                    return Ok(Typed { expr: Expr::Call(*function, cast), ty: *result, at });
                }
                Takes::Alike(least) if bound.len() >= *least => {
                    let alike = self.alike(bound, name, at)?;
                    let ty = alike.first().map_or(Type::Text, |typed| typed.ty);
                    let arguments = alike.into_iter().map(|typed| typed.expr).collect();
                    return Ok(Typed { expr: Expr::Call(*function, arguments), ty, at });
                }
                Takes::Anything if !bound.is_empty() => {
                    let arguments = match function {
                        Function::PgTypeof => vec![Expr::Value(Value::text(bound[0].ty.name()))],
                        _ => bound.into_iter().map(|typed| typed.expr).collect(),
                    };
                    return Ok(Typed { expr: Expr::Call(*function, arguments), ty: *result, at });
                }
                _ => {}
            }
        }
        let types: Vec<_> = bound.iter().map(|typed| typed.ty.name()).collect();
        let missing = format!("function {name}({}) does not exist", types.join(", "));
        Err(SqlError::new(code::NO_FUNCTION, missing)
            .with_hint("the demo's database knows a few functions only")
            .at(at))
    }

    fn binary(&mut self, symbol: &str, left: &Node, right: &Node, at: usize) -> Result<Typed, SqlError> {
        let typed = |expr, ty| Ok(Typed { expr, ty, at });
        if symbol == "and" || symbol == "or" {
            let place = symbol.to_uppercase();
            let left = Box::new(self.of_type(left, Type::Bool, &place)?);
            let right = Box::new(self.of_type(right, Type::Bool, &place)?);
            return typed(if symbol == "and" { Expr::And(left, right) } else { Expr::Or(left, right) }, Type::Bool);
        }
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        if symbol == "||" {
            if left.ty != Type::Text && right.ty != Type::Text && left.ty != Type::Unknown && right.ty != Type::Unknown
            {
                return Err(no_operator(&format!("{} || {}", left.ty.name(), right.ty.name())).at(at));
            }
            return typed(Expr::Concat(Box::new(left.expr), Box::new(right.expr)), Type::Text);
        }
        if let Some(comparison) = Comparison::from_symbol(symbol) {
            let mut alike = self.alike(vec![left, right], symbol, at)?.into_iter().map(|typed| Box::new(typed.expr));
            let mut next = || alike.next().unwrap_or_else(|| Box::new(Expr::Value(Value::Null)));
            return typed(Expr::Compare(comparison, next(), next()), Type::Bool);
        }
        let Some(arithmetic) = Arithmetic::from_symbol(symbol) else { return Err(no_operator(symbol).at(at)) };
        let (a, b) = match (left.ty, right.ty) {
            (Type::Unknown, Type::Unknown) => {
                let wrong = format!("operator is not unique: unknown {symbol} unknown");
                let hint = "say what they are: $1::int";
                return Err(SqlError::new(code::AMBIGUOUS, wrong).with_hint(hint).at(at));
            }
            (Type::Unknown, ty) | (ty, Type::Unknown) => (ty, ty),
            types => types,
        };
        let Some(ty) = common_number(a, b) else {
            return Err(no_operator(&format!("{} {symbol} {}", a.name(), b.name())).at(at));
        };
        let (left, right) = (self.cast(left, ty)?, self.cast(right, ty)?);
        typed(Expr::Arithmetic(arithmetic, Box::new(left.expr), Box::new(right.expr), ty), ty)
    }

    /// Makes all of one type, which can be compared.
    fn alike(&mut self, all: Vec<Typed>, symbol: &str, at: usize) -> Result<Vec<Typed>, SqlError> {
        let mut common = Type::Unknown;
        for typed in &all {
            common = match (common, typed.ty) {
                (a, b) if a == b => a,
                (Type::Unknown, ty) | (ty, Type::Unknown) => ty,
                (a, b) if a.is_number() && b.is_number() => common_number(a, b).unwrap_or(a),
                (Type::Date, Type::Timestamptz) | (Type::Timestamptz, Type::Date) => Type::Timestamptz,
                (a, b) => return Err(no_operator(&format!("{} {symbol} {}", a.name(), b.name())).at(at)),
            };
        }
        let common = if common == Type::Unknown { Type::Text } else { common };
        all.into_iter().map(|typed| self.cast(typed, common)).collect()
    }
}

fn fit(bound: &[Typed], types: &[Type]) -> bool {
    let widens = |from: Type, to: Type| match (from, to) {
        (Type::Unknown, _)
        | (Type::Int4, Type::Int8 | Type::Numeric)
        | (Type::Int8, Type::Numeric)
        | (Type::Date, Type::Timestamptz) => true,
        (from, to) => from == to,
    };
    bound.len() == types.len() && bound.iter().zip(types).all(|(typed, ty)| widens(typed.ty, *ty))
}

fn number(digits: &str) -> Result<(Value, Type), SqlError> {
    if let Ok(number) = digits.parse::<i64>() {
        let ty = if i32::try_from(number).is_ok() { Type::Int4 } else { Type::Int8 };
        return Ok((Value::Int(number), ty));
    }
    let decimal: Decimal = digits.parse().map_err(|_| out_of_range("numeric"))?;
    Ok((Value::Numeric(decimal), Type::Numeric))
}

/// How PostgreSQL calls a column that nobody named.
fn no_operator(what: &str) -> SqlError {
    SqlError::new(code::NO_FUNCTION, format!("operator does not exist: {what}"))
        .with_hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
}

pub(super) fn no_function(name: &str, arguments: usize) -> SqlError {
    SqlError::new(code::NO_FUNCTION, format!("function {name} does not take {arguments} arguments"))
}
