//! One connection after its start: which message is whose, transactions, errors.
//!
//! After an error in the extended protocol everything up to `Sync` is passed over; a failed transaction takes
//! nothing but its end.

use super::cancel::Registered;
use super::error::{SqlError, code};
use super::extended::{Portal, Prepared};
use super::result::Failure;
use super::settings::Settings;
use super::sql::ast::Statement;
use super::sql::evaluate::Identity;
use super::startup::Client;
use super::wire::{Read, Wire};
use pgwire::messages::response::{CommandComplete, ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::ParameterStatus;
use pgwire::messages::{PgWireBackendMessage as Message, PgWireFrontendMessage as Asked};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) identity: Arc<Identity>,
    pub(super) registered: Registered,
    pub(super) settings: Settings,
    pub(super) transaction: TransactionStatus,
    pub(super) prepared: HashMap<String, Arc<Prepared>>,
    pub(super) portals: HashMap<String, Portal>,
    /// An error has been told: what comes up to `Sync` is passed over.
    skipping: bool,
}

impl Session {
    pub(super) fn new(wire: Wire, client: Client) -> Self {
        Self {
            wire,
            identity: client.identity,
            registered: client.registered,
            settings: client.settings,
            transaction: TransactionStatus::Idle,
            prepared: HashMap::new(),
            portals: HashMap::new(),
            skipping: false,
        }
    }

    /// Answers until the client goes.
    pub(super) async fn run(mut self) -> io::Result<()> {
        loop {
            match self.wire.message().await? {
                Read::End | Read::Message(Asked::Terminate(_)) => return Ok(()),
                Read::Message(message) => self.answer(message).await?,
                Read::Malformed(error) => {
                    self.wire.send(Message::ErrorResponse(error.response("FATAL"))).await?;
                    return self.wire.close().await;
                }
            }
            if self.wire.has_input() {
                // A client that never lets us wait must not keep others from it.
                tokio::task::consume_budget().await;
            }
        }
    }

    async fn answer(&mut self, message: Asked) -> io::Result<()> {
        if let Asked::Sync(_) = message {
            self.skipping = false;
            if self.transaction == TransactionStatus::Idle {
                self.portals.clear();
            }
            return self.ready().await;
        }
        if self.skipping {
            return Ok(());
        }
        if let Asked::Query(query) = message {
            self.portals.remove("");
            let outcome = self.simple(&query.query).await;
            self.outcome(outcome).await?;
            return self.ready().await;
        }
        let outcome = match message {
            Asked::Parse(parse) => self.parse(parse).await,
            Asked::Bind(bind) => self.bind(bind).await,
            Asked::Describe(describe) => self.describe(describe).await,
            Asked::Execute(execute) => self.execute(execute).await,
            Asked::Close(close) => self.close(close).await,
            Asked::Flush(_) => self.wire.flush().await.map_err(Failure::Io),
            // Left over from a copy that was refused.
            _ => Ok(()),
        };
        self.skipping = matches!(outcome, Err(Failure::Sql(_)));
        self.outcome(outcome).await
    }

    /// Tells an error, and lets it fail the transaction.
    async fn outcome(&mut self, outcome: Result<(), Failure>) -> io::Result<()> {
        match outcome {
            Ok(()) => Ok(()),
            Err(Failure::Io(error)) => Err(error),
            Err(Failure::Sql(error)) => {
                if self.transaction == TransactionStatus::Transaction {
                    self.transaction = TransactionStatus::Error;
                }
                self.wire.send(Message::ErrorResponse(error.response("ERROR"))).await
            }
        }
    }

    async fn ready(&mut self) -> io::Result<()> {
        self.wire.send(Message::ReadyForQuery(ReadyForQuery::new(self.transaction))).await?;
        self.wire.flush().await
    }

    /// Bytes that the open portals hold.
    pub(super) fn held(&self) -> usize {
        self.portals.values().filter_map(Portal::held).sum()
    }

    /// Refuses everything in a failed transaction but what ends it.
    pub(super) fn check_transaction(&self, statement: &Statement) -> Result<(), SqlError> {
        let ends = matches!(statement, Statement::Commit | Statement::Rollback);
        if self.transaction == TransactionStatus::Error && !ends {
            let aborted = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(SqlError::new(code::ABORTED, aborted).with_hint("rollback"));
        }
        Ok(())
    }

    /// Carries out what gives no rows; says with which words it was done.
    pub(super) async fn command(&mut self, statement: &Statement) -> Result<&'static str, Failure> {
        Ok(match statement {
            Statement::Begin => {
                self.transaction = TransactionStatus::Transaction;
                "BEGIN"
            }
            Statement::Commit | Statement::Rollback => {
                let failed = self.transaction == TransactionStatus::Error;
                self.transaction = TransactionStatus::Idle;
                if *statement == Statement::Commit && !failed { "COMMIT" } else { "ROLLBACK" }
            }
            Statement::Set(name, value) => {
                let changed = self.settings.set(name, value.clone())?;
                if let Some((name, value)) = changed {
                    let status = ParameterStatus::new(name.to_owned(), value.replace('\0', "\u{fffd}"));
                    self.wire.send(Message::ParameterStatus(status)).await?;
                }
                if value.is_some() { "SET" } else { "RESET" }
            }
            Statement::ResetAll => {
                self.settings.reset();
                "RESET"
            }
            Statement::Deallocate(name) => {
                match name {
                    None => self.prepared.clear(),
                    Some(name) => drop(self.prepared.remove(name).ok_or_else(|| no_statement(name))?),
                }
                "DEALLOCATE"
            }
            Statement::Discard => {
                self.settings.reset();
                self.prepared.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Statement::Select(_) | Statement::CopyOut(..) | Statement::Show(_) | Statement::ShowAll => "",
        })
    }

    pub(super) async fn complete(&mut self, tag: String) -> Result<(), Failure> {
        Ok(self.wire.send(Message::CommandComplete(CommandComplete::new(tag))).await?)
    }
}

pub(super) fn no_statement(name: &str) -> SqlError {
    SqlError::new(code::NO_STATEMENT, format!("prepared statement \"{name}\" does not exist"))
}
