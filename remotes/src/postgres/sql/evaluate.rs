//! The value of an expression for a row.

use super::operator::{self, Comparison};
use super::plan::Expr;
use super::value::Value;
use crate::glob::{self, Token};
use crate::postgres::error::{SqlError, code};
use jiff::Timestamp;
use std::time::Duration;

/// Steps of one `like`, which nothing else interrupts.
const MOST_STEPS: usize = 16 * 1024 * 1024;

/// Text that the expressions of one row may come to, all together: a short query can ask for much.
const MOST_TEXT: usize = 8 * 1024 * 1024;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) database: String,
    /// What `pg_backend_pid` says, and a request to cancel.
    pub(crate) pid: i32,
}

/// What expressions may know besides the row.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) identity: &'a Identity,
    /// When the statement began.
    pub(crate) now: Timestamp,
    pub(crate) parameters: &'a [Value],
    /// How long the row is to wait: what `pg_sleep` asked for.
    pub(crate) pause: Duration,
    /// Bytes of text so far, for this row.
    text: usize,
}

impl<'a> Context<'a> {
    /// For one row.
    pub(crate) fn new(identity: &'a Identity, now: Timestamp, parameters: &'a [Value]) -> Self {
        Self { identity, now, parameters, pause: Duration::ZERO, text: 0 }
    }

    fn count(&mut self, value: &Value) -> Result<(), SqlError> {
        if let Value::Text(text) = value {
            self.text += text.len();
        }
        if self.text > MOST_TEXT {
            let full = format!("the demo's database makes {} MiB of text for a row", MOST_TEXT / 1024 / 1024);
            return Err(SqlError::new(code::TOO_LARGE, full));
        }
        Ok(())
    }
}

impl Expr {
    pub(crate) fn evaluate(&self, row: &[Value], context: &mut Context<'_>) -> Result<Value, SqlError> {
        let value = self.value(row, context)?;
        context.count(&value)?;
        Ok(value)
    }

    fn value(&self, row: &[Value], context: &mut Context<'_>) -> Result<Value, SqlError> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Parameter(index) => context.parameters.get(*index).cloned().unwrap_or(Value::Null),
            Self::Column(index) => row.get(*index).cloned().unwrap_or(Value::Null),
            Self::Not(of) => match of.evaluate(row, context)? {
                Value::Bool(value) => Value::Bool(!value),
                other => other,
            },
            Self::Negate(of, ty) => operator::negated(of.evaluate(row, context)?, *ty)?,
            Self::And(left, right) => self.logical(left, right, false, row, context)?,
            Self::Or(left, right) => self.logical(left, right, true, row, context)?,
            Self::Compare(comparison, left, right) => {
                comparison.of(&left.evaluate(row, context)?, &right.evaluate(row, context)?)
            }
            Self::Arithmetic(arithmetic, left, right, ty) => {
                arithmetic.of(&left.evaluate(row, context)?, &right.evaluate(row, context)?, *ty)?
            }
            Self::Concat(left, right) => {
                operator::concat(&left.evaluate(row, context)?, &right.evaluate(row, context)?)?
            }
            Self::IsNull(of, not) => Value::Bool((of.evaluate(row, context)? == Value::Null) != *not),
            Self::In(of, items) => within(&of.evaluate(row, context)?, items, row, context)?,
            Self::Between(exprs) => {
                let [value, from, to] = &**exprs;
                let value = value.evaluate(row, context)?;
                let from = Comparison::GreaterOrEqual.of(&value, &from.evaluate(row, context)?);
                let to = Comparison::LessOrEqual.of(&value, &to.evaluate(row, context)?);
                match (&from, &to) {
                    (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
                    (Value::Null, _) => from,
                    _ => to,
                }
            }
            Self::Like { text, pattern, any_case } => {
                like(&text.evaluate(row, context)?, &pattern.evaluate(row, context)?, *any_case)?
            }
            Self::Cast(of, ty) => of.evaluate(row, context)?.cast(*ty)?,
            Self::Call(function, arguments) => {
                let arguments: Result<_, _> =
                    arguments.iter().map(|argument| argument.evaluate(row, context)).collect();
                function.call(arguments?, context)?
            }
        })
    }

    /// Whether a condition holds; null does not.
    pub(crate) fn holds(&self, row: &[Value], context: &mut Context<'_>) -> Result<bool, SqlError> {
        Ok(self.evaluate(row, context)? == Value::Bool(true))
    }

    /// `and` and `or`: `decides` settles it, whatever the other side is.
    #[expect(clippy::unused_self, reason = "belongs beside the arms that call it")]
    fn logical(
        &self,
        left: &Self,
        right: &Self,
        decides: bool,
        row: &[Value],
        context: &mut Context<'_>,
    ) -> Result<Value, SqlError> {
        let left = left.evaluate(row, context)?;
        if left == Value::Bool(decides) {
            return Ok(left);
        }
        let right = right.evaluate(row, context)?;
        Ok(if right == Value::Bool(decides) || left != Value::Null { right } else { Value::Null })
    }
}

/// Null if it is none of these, but one of them is null.
fn within(value: &Value, items: &[Expr], row: &[Value], context: &mut Context<'_>) -> Result<Value, SqlError> {
    let mut found = Value::Bool(false);
    for item in items {
        match Comparison::Equal.of(value, &item.evaluate(row, context)?) {
            Value::Bool(true) => return Ok(Value::Bool(true)),
            Value::Null => found = Value::Null,
            _ => {}
        }
    }
    Ok(found)
}

fn like(text: &Value, pattern: &Value, any_case: bool) -> Result<Value, SqlError> {
    let (Value::Text(text), Value::Text(pattern)) = (text, pattern) else { return Ok(Value::Null) };
    let fold = |text: &str| if any_case { text.to_lowercase() } else { text.to_owned() };
    let text: Vec<char> = fold(text).chars().collect();
    let mut tokens = Vec::new();
    let pattern = fold(pattern);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '%' => Token::Many,
            '_' => Token::One,
            '\\' => Token::Is(chars.next().ok_or_else(|| {
                SqlError::new(code::INVALID_VALUE, "LIKE pattern must not end with escape character")
            })?),
            c => Token::Is(c),
        });
    }
    let mut steps = MOST_STEPS;
    let matches = glob::matches(&tokens, &text, &mut steps).map_err(|glob::TooLong| {
        SqlError::new(code::TOO_COMPLEX, "the pattern of LIKE takes too long to look for in this text")
    })?;
    Ok(Value::Bool(matches))
}
