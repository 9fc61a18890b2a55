//! Statements into plans: finds what names mean, gives everything a type, casts where types differ.
//!
//! This file has what a query consists of; its expressions are in `expressions`.

mod expressions;

use super::aggregate::{Aggregate, AggregateKind};
use super::ast::{From, Item, Kind, Node, Order, Select};
use super::orders;
use super::plan::{Expr, Grouping, OrderKey, Output, Plan, Source};
use super::value::{Type, Value};
use crate::postgres::error::{SqlError, code};
use expressions::no_function;

/// Makes the plan of a query. `announced` are the parameters' types as far as the client names them.
///
/// # Errors
/// Names that do not exist, types that do not fit, aggregates where there can be none.
pub(crate) fn bind(select: &Select, announced: &[Type]) -> Result<Plan, SqlError> {
    let mut binder = Binder { parameters: announced.to_vec(), ..Binder::default() };
    let source = binder.source(select.from.as_ref())?;
    let filter = select.filter.as_ref().map(|node| binder.of_type(node, Type::Bool, "WHERE")).transpose()?;
    binder.group(select)?;
    let outputs = binder.outputs(select)?;
    let order = select.order.iter().map(|order| binder.order(order, select)).collect::<Result<_, _>>()?;
    let grouping = binder.grouping.take().map(|scope| Grouping {
        keys: scope.keys.into_iter().map(|(_, key)| key.expr).collect(),
        aggregates: scope.aggregates,
    });
    // Neither may look at rows.
    binder.columns.clear();
    let limit = select.limit.as_ref().map(|node| binder.of_type(node, Type::Int8, "LIMIT")).transpose()?;
    let offset = select.offset.as_ref().map(|node| binder.of_type(node, Type::Int8, "OFFSET")).transpose()?;
    let known = |ty| if ty == Type::Unknown { Type::Text } else { ty };
    let parameters = binder.parameters.into_iter().map(known).collect();
    Ok(Plan { source, filter, grouping, outputs, distinct: select.distinct, order, limit, offset, parameters })
}

/// An expression and its type.
#[derive(Debug, Clone)]
struct Typed {
    expr: Expr,
    ty: Type,
    at: usize,
}

#[derive(Debug, Default)]
struct Binder {
    columns: Vec<(String, Type)>,
    /// The name of the source in this query.
    table: Option<String>,
    parameters: Vec<Type>,
    grouping: Option<Scope>,
    /// What is being bound is an aggregate's argument: it sees the source's rows.
    in_aggregate: bool,
    /// Nodes bound so far.
    bound: usize,
}

/// What there is behind a grouping.
#[derive(Debug, Default)]
struct Scope {
    keys: Vec<(Node, Typed)>,
    aggregates: Vec<Aggregate>,
}

impl Binder {
    fn source(&mut self, from: Option<&From>) -> Result<Source, SqlError> {
        match from {
            None => Ok(Source::Nothing),
            Some(From::Table { name, alias, .. }) if name == orders::NAME => {
                self.table = Some(alias.clone().unwrap_or_else(|| name.clone()));
                self.columns = orders::COLUMNS.map(|(name, ty)| (name.to_owned(), ty)).to_vec();
                Ok(Source::Orders)
            }
            Some(From::Function { name, arguments, alias, at }) if name == "generate_series" => {
                let (from, to, step) = match arguments.as_slice() {
                    [from, to] => (from, to, None),
                    [from, to, step] => (from, to, Some(step)),
                    _ => return Err(no_function(name, arguments.len()).at(*at)),
                };
                let mut integer = |node| self.of_type(node, Type::Int8, "generate_series");
                let step = step.map_or(Ok(Expr::Value(Value::Int(1))), &mut integer)?;
                let source = Source::Series { from: integer(from)?, to: integer(to)?, step };
                let alias = alias.clone().unwrap_or_else(|| name.clone());
                self.columns = vec![(alias.clone(), Type::Int8)];
                self.table = Some(alias);
                Ok(source)
            }
            Some(From::Table { name, at, .. }) => {
                let missing = SqlError::new(code::NO_TABLE, format!("relation \"{name}\" does not exist"));
                Err(missing.with_hint(orders::HINT).at(*at))
            }
            Some(From::Function { name, at, .. }) => {
                Err(SqlError::unsupported(&format!("{name}() as a source of rows"))
                    .with_hint("generate_series does")
                    .at(*at))
            }
        }
    }

    fn group(&mut self, select: &Select) -> Result<(), SqlError> {
        let is_aggregate = |kind: &Kind| match kind {
            Kind::CountAll => true,
            Kind::Call { name, .. } => AggregateKind::named(name).is_some(),
            _ => false,
        };
        let in_items = select.items.iter().any(|item| matches!(item, Item::One(node, _) if node.any(&is_aggregate)));
        let in_order = select.order.iter().any(|order| order.by.any(&is_aggregate));
        if select.group.is_empty() && !in_items && !in_order {
            return Ok(());
        }
        let mut scope = Scope::default();
        for node in &select.group {
            let node = self.meant(node, select, false)?;
            if node.any(&is_aggregate) {
                return Err(
                    SqlError::new(code::GROUPING, "aggregate functions are not allowed in GROUP BY").at(node.at)
                );
            }
            scope.keys.push((node.clone(), self.bind(node)?));
        }
        self.grouping = Some(scope);
        Ok(())
    }

    /// What stands in `GROUP BY` or `ORDER BY` may be the number or the name of an output.
    fn meant<'a>(&self, node: &'a Node, select: &'a Select, outputs_first: bool) -> Result<&'a Node, SqlError> {
        let by_name = |wanted: &str| {
            select.items.iter().find_map(|item| match item {
                Item::One(node, Some(alias)) if alias == wanted => Some(node),
                _ => None,
            })
        };
        match &node.kind {
            Kind::Number(number) => {
                let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                match index.and_then(|index| select.items.get(index)) {
                    Some(Item::One(node, _)) => Ok(node),
                    Some(Item::All(at)) => Err(SqlError::unsupported("numbers of columns behind *").at(*at)),
                    None => {
                        let missing = format!("position {number} is not in select list");
                        Err(SqlError::new("42P10", missing).at(node.at))
                    }
                }
            }
            Kind::Column { table: None, name } if outputs_first || self.column(None, name).is_none() => {
                Ok(by_name(name).unwrap_or(node))
            }
            _ => Ok(node),
        }
    }

    fn outputs(&mut self, select: &Select) -> Result<Vec<Output>, SqlError> {
        let mut outputs = Vec::new();
        for item in &select.items {
            match item {
                Item::All(at) if self.columns.is_empty() => {
                    return Err(SqlError::new(code::SYNTAX, "SELECT * with no tables specified is not valid").at(*at));
                }
                Item::All(at) => {
                    for (name, _) in self.columns.clone() {
                        let node = Node { kind: Kind::Column { table: None, name: name.clone() }, at: *at, depth: 1 };
                        outputs.push(self.output(&node, name)?);
                    }
                }
                Item::One(node, alias) => {
                    let name = alias.clone().unwrap_or_else(|| name_of(node));
                    outputs.push(self.output(node, name)?);
                }
            }
        }
        Ok(outputs)
    }

    fn output(&mut self, node: &Node, name: String) -> Result<Output, SqlError> {
        let bound = self.bind(node)?;
        let bound = if bound.ty == Type::Unknown { self.cast(bound, Type::Text)? } else { bound };
        Ok(Output { name, ty: bound.ty, expr: bound.expr })
    }

    fn order(&mut self, order: &Order, select: &Select) -> Result<OrderKey, SqlError> {
        let node = self.meant(&order.by, select, true)?;
        Ok(OrderKey { expr: self.bind(node)?.expr, descending: order.descending, nulls_first: order.nulls_first })
    }
}

fn name_of(node: &Node) -> String {
    match &node.kind {
        Kind::Column { name, .. } | Kind::Call { name, .. } => name.clone(),
        Kind::CountAll => "count".to_owned(),
        Kind::Bool(_) => "bool".to_owned(),
        Kind::Cast(of, ty) => match &of.kind {
            Kind::Column { name, .. } | Kind::Call { name, .. } => name.clone(),
            _ => Type::from_name(ty).map_or("?column?", |(_, name)| name).to_owned(),
        },
        _ => "?column?".to_owned(),
    }
}
