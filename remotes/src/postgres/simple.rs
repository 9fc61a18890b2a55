//! The simple protocol: a text with any number of statements, carried out until one fails.

use super::error::{SqlError, code};
use super::result::{Failure, Formats, columns, description, next_row, row};
use super::session::Session;
use super::sql::ast::{Select, Statement};
use super::sql::bind::bind;
use super::sql::execution::Execution;
use super::sql::plan::Plan;
use super::sql::statement::statements;
use super::sql::value::{Type, Value};
use super::{copy, wire::Wire};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::response::EmptyQueryResponse;
use std::sync::Arc;

impl Session {
    pub(super) async fn simple(&mut self, text: &str) -> Result<(), Failure> {
        let all = statements(text)?;
        if all.is_empty() {
            return Ok(self.wire.send(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await?);
        }
        let cancel = self.registered.query();
        for parsed in all {
            self.check_transaction(&parsed.statement)?;
            let formats = Formats::default();
            match &parsed.statement {
                Statement::Select(select) => {
                    let (plan, mut execution) = self.begin(select)?;
                    let columns = columns(&plan.outputs);
                    self.wire.send(description(&columns, &formats)).await?;
                    let mut count = 0_u64;
                    while let Some(values) = next_row(&mut execution, &cancel, &mut self.wire).await? {
                        self.wire.send(row(&values, &columns, &formats)).await?;
                        count += 1;
                    }
                    self.complete(format!("SELECT {count}")).await?;
                }
                Statement::CopyOut(select, format) => {
                    let (plan, execution) = self.begin(select)?;
                    let count = copy::send(&mut self.wire, execution, &plan.outputs, *format, &cancel).await?;
                    self.complete(format!("COPY {count}")).await?;
                }
                Statement::Show(_) | Statement::ShowAll => {
                    let (columns, rows) = self.shown(&parsed.statement)?;
                    self.wire.send(description(&columns, &formats)).await?;
                    send_all(&mut self.wire, &rows, &columns, &formats).await?;
                    self.complete("SHOW".to_owned()).await?;
                }
                other => {
                    let tag = self.command(other).await?;
                    self.complete(tag.to_owned()).await?;
                }
            }
        }
        Ok(())
    }

    fn begin(&self, select: &Select) -> Result<(Arc<Plan>, Execution), SqlError> {
        let plan = Arc::new(bind(select, &[])?);
        if !plan.parameters.is_empty() {
            return Err(SqlError::new(code::NO_PARAMETER, "there is no parameter $1"));
        }
        let mut execution = Execution::new(Arc::clone(&plan), Arc::clone(&self.identity), Vec::new())?;
        execution.share(self.held());
        Ok((plan, execution))
    }

    /// The columns and rows of `SHOW`; none for anything else.
    pub(super) fn shown(&self, statement: &Statement) -> Result<Shown, SqlError> {
        match statement {
            Statement::Show(name) => {
                let (name, value) = self.settings.show(name)?;
                Ok((vec![(name, Type::Text)], vec![vec![Value::text(value)]]))
            }
            Statement::ShowAll => {
                let row = |(name, value): (&str, String)| vec![Value::text(name), Value::text(value)];
                let rows = self.settings.all().into_iter().map(row).collect();
                Ok((vec![("name", Type::Text), ("setting", Type::Text)], rows))
            }
            _ => Ok((Vec::new(), Vec::new())),
        }
    }
}

pub(super) type Shown = (Vec<(&'static str, Type)>, Vec<Vec<Value>>);

pub(super) async fn send_all(
    wire: &mut Wire,
    rows: &[Vec<Value>],
    columns: &[(&str, Type)],
    formats: &Formats,
) -> Result<(), Failure> {
    for values in rows {
        wire.send(row(values, columns, formats)).await?;
    }
    Ok(())
}
