//! A plan under way: gives its rows one after the other, as fast as they are taken.
//!
//! Each step is short, so that the connection's task can look around between two of them. Only groups, `distinct`
//! and `order by` hold rows, and no more than [`MOST_HELD`] bytes of them.

use super::aggregate::Accumulator;
use super::evaluate::{Context, Identity};
use super::orders;
use super::plan::{Grouping, OrderKey, Plan, Source};
use super::value::Value;
use crate::postgres::error::{SqlError, code};
use jiff::Timestamp;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// Rows and parameters that the queries of one connection may hold, all together, in bytes.
const MOST_HELD: usize = 16 * 1024 * 1024;

type Row = Vec<Value>;

/// What a step came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// A row, which is to wait for so long.
    Row(Row, Duration),
    /// Nothing yet.
    Busy,
    End,
}

/// A query that runs.
#[derive(Debug)]
pub(crate) struct Execution {
    plan: Arc<Plan>,
    identity: Arc<Identity>,
    parameters: Vec<Value>,
    now: Timestamp,
    source: Rows,
    phase: Phase,
    groups: BTreeMap<Row, Vec<Accumulator>>,
    seen: BTreeSet<Row>,
    /// Bytes of rows and parameters.
    held: usize,
    may_hold: usize,
    /// What `pg_sleep` asked for since the last row.
    pause: Duration,
    /// Rows with their keys, until all are there.
    unsorted: Vec<(Row, Row)>,
    /// Rows still to be left out, and to be given.
    skip: u64,
    left: u64,
}

#[derive(Debug)]
enum Phase {
    /// Rows come from the source.
    Read,
    /// They come from the groups.
    Groups(std::collections::btree_map::IntoIter<Row, Vec<Accumulator>>),
    /// They come in their order.
    Sorted(std::vec::IntoIter<(Row, Row)>),
}

#[derive(Debug)]
enum Rows {
    Orders(i64),
    Series { next: Option<i64>, to: i64, step: i64 },
    One(bool),
}

impl Rows {
    fn next(&mut self) -> Option<Row> {
        match self {
            Self::Orders(next) => {
                let number = *next;
                *next += 1;
                (number < orders::ROWS).then(|| orders::row(number))
            }
            Self::Series { next, to, step } => {
                let number = next.filter(|number| if *step > 0 { number <= to } else { number >= to })?;
                *next = number.checked_add(*step);
                Some(vec![Value::Int(number)])
            }
            Self::One(given) => (!mem::replace(given, true)).then(Vec::new),
        }
    }
}

impl Execution {
    /// Begins a query; the parameters have the plan's types.
    ///
    /// # Errors
    /// A limit or a bound of `generate_series` makes no sense.
    pub(crate) fn new(plan: Arc<Plan>, identity: Arc<Identity>, parameters: Vec<Value>) -> Result<Self, SqlError> {
        let now = Timestamp::now();
        let mut context = Context::new(&identity, now, &parameters);
        let mut count = |expr: Option<&super::plan::Expr>, name: &str| match expr {
            None => Ok(None),
            Some(expr) => match expr.evaluate(&[], &mut context)? {
                Value::Int(number) => u64::try_from(number)
                    .map(Some)
                    .map_err(|_| SqlError::new("2201W", format!("{name} must not be negative"))),
                // Null is no limit.
                _ => Ok(None),
            },
        };
        let left = count(plan.limit.as_ref(), "LIMIT")?.unwrap_or(u64::MAX);
        let skip = count(plan.offset.as_ref(), "OFFSET")?.unwrap_or(0);
        let source = match &plan.source {
            Source::Nothing => Rows::One(false),
            Source::Orders => Rows::Orders(0),
            Source::Series { from, to, step } => {
                let mut bound = |expr: &super::plan::Expr| match expr.evaluate(&[], &mut context)? {
                    Value::Int(number) => Ok(Some(number)),
                    _ => Ok(None),
                };
                match (bound(from)?, bound(to)?, bound(step)?) {
                    (_, _, Some(0)) => return Err(SqlError::new(code::INVALID_VALUE, "step size cannot equal zero")),
                    (Some(from), Some(to), Some(step)) => Rows::Series { next: Some(from), to, step },
                    _ => Rows::One(true),
                }
            }
        };
        Ok(Self {
            source,
            phase: Phase::Read,
            groups: BTreeMap::new(),
            seen: BTreeSet::new(),
            held: parameters.iter().map(Value::size).sum(),
            may_hold: MOST_HELD,
            pause: Duration::ZERO,
            unsorted: Vec::new(),
            skip,
            left,
            now,
            plan,
            identity,
            parameters,
        })
    }

    /// Bytes that it holds.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Leaves it what others of its connection do not hold already.
    pub(crate) fn share(&mut self, others: usize) {
        self.may_hold = MOST_HELD.saturating_sub(others);
    }

    /// A little further.
    ///
    /// # Errors
    /// What an expression came to; nothing is to follow.
    pub(crate) fn step(&mut self) -> Result<Step, SqlError> {
        if self.left == 0 {
            return Ok(Step::End);
        }
        match &mut self.phase {
            Phase::Read => match self.source.next() {
                Some(row) => self.read(&row),
                None => Ok(self.exhausted()),
            },
            Phase::Groups(groups) => match groups.next() {
                Some((mut row, accumulators)) => {
                    for accumulator in accumulators {
                        row.push(accumulator.result()?);
                    }
                    self.output(&row)
                }
                None => Ok(self.sort()),
            },
            Phase::Sorted(rows) => Ok(match rows.next() {
                Some((_, row)) => self.give(row),
                None => Step::End,
            }),
        }
    }

    fn read(&mut self, row: &[Value]) -> Result<Step, SqlError> {
        let plan = Arc::clone(&self.plan);
        if let Some(filter) = &plan.filter {
            let mut context = self.context();
            let holds = filter.holds(row, &mut context)?;
            let pause = context.pause;
            self.pause += pause;
            if !holds {
                return Ok(Step::Busy);
            }
        }
        match &plan.grouping {
            Some(grouping) => self.group(grouping, row),
            None => self.output(row),
        }
    }

    fn context(&self) -> Context<'_> {
        Context::new(&self.identity, self.now, &self.parameters)
    }

    fn group(&mut self, grouping: &Grouping, row: &[Value]) -> Result<Step, SqlError> {
        let mut context = self.context();
        let keys = grouping.keys.iter().map(|key| key.evaluate(row, &mut context)).collect::<Result<Row, _>>()?;
        let values = grouping.aggregates.iter().map(|aggregate| {
            aggregate.argument.as_ref().map(|argument| argument.evaluate(row, &mut context)).transpose()
        });
        let values: Vec<_> = values.collect::<Result<_, _>>()?;
        let pause = context.pause;
        self.pause += pause;
        if !self.groups.contains_key(&keys) {
            self.hold(&keys)?;
            self.hold_bytes(grouping.aggregates.len() * mem::size_of::<Accumulator>())?;
        }
        let new = || grouping.aggregates.iter().map(Accumulator::new).collect();
        let accumulators = self.groups.entry(keys).or_insert_with(new);
        let mut grown = 0;
        for (accumulator, value) in accumulators.iter_mut().zip(values) {
            grown += accumulator.add(value)?;
        }
        self.hold_bytes(grown)?;
        Ok(Step::Busy)
    }

    fn exhausted(&mut self) -> Step {
        let plan = Arc::clone(&self.plan);
        let Some(grouping) = &plan.grouping else { return self.sort() };
        let mut groups = mem::take(&mut self.groups);
        if grouping.keys.is_empty() {
            // No rows are one group, too.
            groups.entry(Vec::new()).or_insert_with(|| grouping.aggregates.iter().map(Accumulator::new).collect());
        }
        self.phase = Phase::Groups(groups.into_iter());
        Step::Busy
    }

    fn output(&mut self, row: &[Value]) -> Result<Step, SqlError> {
        let plan = Arc::clone(&self.plan);
        let mut context = self.context();
        let output =
            plan.outputs.iter().map(|output| output.expr.evaluate(row, &mut context)).collect::<Result<Row, _>>()?;
        let keys = plan.order.iter().map(|key| key.expr.evaluate(row, &mut context)).collect::<Result<Row, _>>()?;
        let pause = context.pause;
        self.pause += pause;
        if plan.distinct {
            if self.seen.contains(&output) {
                return Ok(Step::Busy);
            }
            self.hold(&output)?;
            self.seen.insert(output.clone());
        }
        if plan.order.is_empty() {
            return Ok(self.give(output));
        }
        self.hold(&keys)?;
        self.hold(&output)?;
        self.unsorted.push((keys, output));
        Ok(Step::Busy)
    }

    fn sort(&mut self) -> Step {
        let mut rows = mem::take(&mut self.unsorted);
        let plan = Arc::clone(&self.plan);
        rows.sort_by(|(a, _), (b, _)| compare(&plan.order, a, b));
        self.phase = Phase::Sorted(rows.into_iter());
        Step::Busy
    }

    fn give(&mut self, row: Row) -> Step {
        if self.skip > 0 {
            self.skip -= 1;
            return Step::Busy;
        }
        self.left -= 1;
        Step::Row(row, mem::take(&mut self.pause))
    }

    fn hold(&mut self, row: &[Value]) -> Result<(), SqlError> {
        self.hold_bytes(mem::size_of::<Row>() + row.iter().map(Value::size).sum::<usize>())
    }

    fn hold_bytes(&mut self, bytes: usize) -> Result<(), SqlError> {
        self.held += bytes;
        if self.held > self.may_hold {
            let full = format!("the demo's database holds {} MiB for a connection", MOST_HELD / 1024 / 1024);
            return Err(SqlError::new(code::TOO_LARGE, full)
                .with_hint("leave out order by, group by or distinct: then rows are sent as they come"));
        }
        Ok(())
    }
}

fn compare(order: &[OrderKey], a: &[Value], b: &[Value]) -> Ordering {
    let keys = order.iter().zip(a.iter().zip(b));
    keys.map(|(key, (a, b))| match (*a == Value::Null, *b == Value::Null) {
        (true, true) => Ordering::Equal,
        (true, false) if key.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if key.nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if key.descending => b.cmp(a),
        (false, false) => a.cmp(b),
    })
    .find(|order| order.is_ne())
    .unwrap_or(Ordering::Equal)
}
