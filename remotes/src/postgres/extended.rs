//! The extended protocol: prepared statements, parameters, portals that give rows in parts.

use super::error::{SqlError, code};
use super::result::{Failure, Formats, columns, description, next_row, row};
use super::session::{Session, no_statement};
use super::simple::send_all;
use super::sql::ast::Statement;
use super::sql::bind::bind;
use super::sql::execution::Execution;
use super::sql::plan::Plan;
use super::sql::statement::statements;
use super::sql::value::{Type, Value};
use bytes::Bytes;
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::data::{FORMAT_CODE_BINARY, NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::EmptyQueryResponse;
use std::sync::Arc;

/// Prepared statements, and portals, of one connection: more than a pool of a driver keeps.
const MOST_PREPARED: usize = 256;
const MOST_PORTALS: usize = 64;
/// Text of all prepared statements of one connection, in bytes: what is made of it takes many times as much.
const MOST_TEXT: usize = 1024 * 1024;

/// A statement that was parsed.
#[derive(Debug)]
pub(super) struct Prepared {
    /// None: the text was empty.
    statement: Option<Statement>,
    /// Of a query.
    plan: Option<Arc<Plan>>,
    /// Bytes of its text.
    length: usize,
}

/// A statement with its parameters, and how far it has come.
#[derive(Debug)]
pub(super) struct Portal {
    prepared: Arc<Prepared>,
    formats: Formats,
    execution: Option<Execution>,
}

impl Portal {
    /// Bytes of its rows and parameters.
    pub(super) fn held(&self) -> Option<usize> {
        self.execution.as_ref().map(Execution::held)
    }
}

impl Session {
    pub(super) async fn parse(&mut self, parse: Parse) -> Result<(), Failure> {
        let name = parse.name.unwrap_or_default();
        let mut parsed = statements(&parse.query)?;
        if parsed.len() > 1 {
            let wrong = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new(code::SYNTAX, wrong).into());
        }
        let statement = parsed.pop().map(|parsed| parsed.statement);
        if let Some(statement) = &statement {
            self.check_transaction(statement)?;
        }
        let announced = parse.type_oids.iter().map(|oid| {
            Type::from_oid(*oid).ok_or_else(|| SqlError::unsupported(&format!("parameters of the type with oid {oid}")))
        });
        let announced: Vec<Type> = announced.collect::<Result<_, _>>()?;
        let plan = match &statement {
            Some(Statement::Select(select)) => Some(Arc::new(bind(select, &announced)?)),
            Some(Statement::CopyOut(..)) => {
                return Err(SqlError::unsupported("COPY in a prepared statement")
                    .with_hint("send it as a simple query, as psql does")
                    .into());
            }
            _ => None,
        };
        if !name.is_empty() && self.prepared.contains_key(&name) {
            return Err(SqlError::new("42P05", format!("prepared statement \"{name}\" already exists")).into());
        }
        if self.prepared.len() >= MOST_PREPARED {
            let full = format!("a connection may have {MOST_PREPARED} prepared statements");
            return Err(SqlError::new(code::TOO_LARGE, full).with_hint("deallocate all").into());
        }
        let length = parse.query.len();
        if self.prepared.values().map(|prepared| prepared.length).sum::<usize>() + length > MOST_TEXT {
            let full = format!("the prepared statements of a connection may have {MOST_TEXT} bytes of text");
            return Err(SqlError::new(code::TOO_LARGE, full).with_hint("deallocate all").into());
        }
        self.prepared.insert(name, Arc::new(Prepared { statement, plan, length }));
        Ok(self.wire.send(Message::ParseComplete(ParseComplete::new())).await?)
    }

    pub(super) async fn bind(&mut self, message: Bind) -> Result<(), Failure> {
        let statement = message.statement_name.unwrap_or_default();
        let prepared = self.prepared.get(&statement).cloned().ok_or_else(|| no_statement(&statement))?;
        if let Some(statement) = &prepared.statement {
            self.check_transaction(statement)?;
        }
        let types = prepared.plan.as_ref().map_or(&[][..], |plan| &plan.parameters);
        if message.parameters.len() != types.len() {
            let wrong = format!(
                "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                message.parameters.len(),
                types.len()
            );
            return Err(SqlError::new(code::PROTOCOL, wrong).into());
        }
        let parameter_formats = Formats::new(message.parameter_format_codes, types.len())?;
        let mut parameters = Vec::with_capacity(types.len());
        for (index, (bytes, ty)) in message.parameters.iter().zip(types).enumerate() {
            parameters.push(parameter(bytes.as_ref(), *ty, parameter_formats.of(index))?);
        }
        let count = match (&prepared.plan, &prepared.statement) {
            (Some(plan), _) => plan.outputs.len(),
            (None, Some(statement)) => self.shown(statement)?.0.len(),
            (None, None) => 0,
        };
        // A driver may send formats for results that there are none of.
        let codes = if count == 0 { Vec::new() } else { message.result_column_format_codes };
        let formats = Formats::new(codes, count)?;
        let execution = match &prepared.plan {
            Some(plan) => Some(Execution::new(Arc::clone(plan), Arc::clone(&self.identity), parameters)?),
            None => None,
        };
        let name = message.portal_name.unwrap_or_default();
        if !self.portals.contains_key(&name) && self.portals.len() >= MOST_PORTALS {
            return Err(SqlError::new(code::TOO_LARGE, format!("a connection may have {MOST_PORTALS} portals")).into());
        }
        self.portals.insert(name, Portal { prepared, formats, execution });
        Ok(self.wire.send(Message::BindComplete(BindComplete::new())).await?)
    }

    pub(super) async fn describe(&mut self, describe: Describe) -> Result<(), Failure> {
        let name = describe.name.unwrap_or_default();
        let (prepared, formats) = match describe.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                let prepared = self.prepared.get(&name).cloned().ok_or_else(|| no_statement(&name))?;
                let parameters = prepared.plan.iter().flat_map(|plan| &plan.parameters).map(|ty| ty.oid()).collect();
                let parameters = ParameterDescription::new(parameters);
                self.wire.send(Message::ParameterDescription(parameters)).await?;
                (prepared, Formats::default())
            }
            TARGET_TYPE_BYTE_PORTAL => {
                let portal = self.portals.get(&name).ok_or_else(|| no_portal(&name))?;
                (Arc::clone(&portal.prepared), portal.formats.clone())
            }
            other => {
                return Err(SqlError::new(code::PROTOCOL, format!("invalid DESCRIBE message subtype {other}")).into());
            }
        };
        let message = match (&prepared.plan, &prepared.statement) {
            (Some(plan), _) => description(&columns(&plan.outputs), &formats),
            (None, Some(statement @ (Statement::Show(_) | Statement::ShowAll))) => {
                description(&self.shown(statement)?.0, &formats)
            }
            _ => Message::NoData(NoData::new()),
        };
        Ok(self.wire.send(message).await?)
    }

    pub(super) async fn execute(&mut self, execute: Execute) -> Result<(), Failure> {
        let name = execute.name.unwrap_or_default();
        // Taken out while it runs: after an error it is gone, as it should be.
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let others = self.held();
        let Some(statement) = &portal.prepared.statement else {
            return Ok(self.wire.send(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await?);
        };
        self.check_transaction(statement)?;
        if let (Some(plan), Some(execution)) = (&portal.prepared.plan, &mut portal.execution) {
            execution.share(others);
            let limit = usize::try_from(execute.max_rows).ok().filter(|most| *most > 0);
            let columns = columns(&plan.outputs);
            let cancel = self.registered.query();
            let mut count = 0;
            let finished = loop {
                if limit == Some(count) {
                    break false;
                }
                let Some(values) = next_row(execution, &cancel, &mut self.wire).await? else { break true };
                self.wire.send(row(&values, &columns, &portal.formats)).await?;
                count += 1;
            };
            if finished {
                self.complete(format!("SELECT {count}")).await?;
            } else {
                self.wire.send(Message::PortalSuspended(PortalSuspended::new())).await?;
            }
        } else if matches!(statement, Statement::Show(_) | Statement::ShowAll) {
            let (columns, rows) = self.shown(statement)?;
            send_all(&mut self.wire, &rows, &columns, &portal.formats).await?;
            self.complete("SHOW".to_owned()).await?;
        } else {
            let tag = self.command(statement).await?;
            self.complete(tag.to_owned()).await?;
        }
        self.portals.insert(name, portal);
        Ok(())
    }

    pub(super) async fn close(&mut self, close: Close) -> Result<(), Failure> {
        let name = close.name.unwrap_or_default();
        if close.target_type == TARGET_TYPE_BYTE_PORTAL {
            self.portals.remove(&name);
        } else {
            self.prepared.remove(&name);
        }
        Ok(self.wire.send(Message::CloseComplete(CloseComplete::new())).await?)
    }
}

fn parameter(bytes: Option<&Bytes>, ty: Type, format: i16) -> Result<Value, SqlError> {
    let Some(bytes) = bytes else { return Ok(Value::Null) };
    if format == FORMAT_CODE_BINARY {
        return Value::from_binary(bytes, ty);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\" in a parameter"))?;
    Value::parse(text, ty)
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new(code::NO_PORTAL, format!("portal \"{name}\" does not exist"))
}
