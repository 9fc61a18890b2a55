//! The beginning of a connection: no TLS, no password, and what a client is told before it may ask.

use super::cancel::{Cancels, Registered};
use super::frame::Opening;
use super::settings::Settings;
use super::sql::evaluate::Identity;
use super::wire::{Read, Wire};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::response::{GssEncResponse, ReadyForQuery, SslResponse, TransactionStatus};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey, Startup,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A client that has not said who it is by then is none.
const PATIENCE: Duration = Duration::from_secs(30);
/// TLS, GSSAPI, and the start itself.
const MOST_OPENINGS: usize = 3;

/// Who is connected.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) identity: Arc<Identity>,
    pub(super) settings: Settings,
    pub(super) registered: Registered,
}

/// Brings a connection to where queries may come; none: it was none that has any.
pub(super) async fn open(wire: &mut Wire, cancels: &Arc<Cancels>) -> io::Result<Option<Client>> {
    let Ok(startup) = tokio::time::timeout(PATIENCE, negotiate(wire, cancels)).await else { return Ok(None) };
    let Some(startup) = startup? else { return Ok(None) };
    welcome(wire, cancels, startup).await.map(Some)
}

async fn negotiate(wire: &mut Wire, cancels: &Cancels) -> io::Result<Option<Startup>> {
    for _ in 0..MOST_OPENINGS {
        match wire.opening().await? {
            Read::Message(Opening::Ssl) => wire.send(Message::SslResponse(SslResponse::Refuse)).await?,
            Read::Message(Opening::Gss) => wire.send(Message::GssEncResponse(GssEncResponse::Refuse)).await?,
            Read::Message(Opening::Start(startup)) => return Ok(Some(startup)),
            Read::Message(Opening::Cancel { pid, secret }) => {
                cancels.cancel(pid, secret);
                return Ok(None);
            }
            Read::Malformed(error) => {
                wire.send(Message::ErrorResponse(error.response("FATAL"))).await?;
                wire.flush().await?;
                return Ok(None);
            }
            Read::End => return Ok(None),
        }
    }
    Ok(None)
}

async fn welcome(wire: &mut Wire, cancels: &Arc<Cancels>, startup: Startup) -> io::Result<Client> {
    let parameter = |name: &str| startup.parameters.get(name).filter(|value| !value.is_empty()).cloned();
    let extensions: Vec<_> = startup.parameters.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if startup.protocol_number_minor > 0 || !extensions.is_empty() {
        let newest = NegotiateProtocolVersion::new(Startup::PROTOCOL_VERSION_3_0, extensions);
        wire.send(Message::NegotiateProtocolVersion(newest)).await?;
    }
    let registered = cancels.register();
    let user = parameter("user").unwrap_or_else(|| "demo".to_owned());
    let database = parameter("database").unwrap_or_else(|| user.clone());
    let identity = Arc::new(Identity { user, database, pid: registered.pid });
    let mut settings = Settings::default();
    for (name, value) in &startup.parameters {
        // What cannot be had is told by what is reported below: a client that minds says so.
        let _ = settings.set(name, Some(value.clone()));
    }

    wire.send(Message::Authentication(Authentication::Ok)).await?;
    for (name, value) in settings.reported() {
        wire.send(Message::ParameterStatus(ParameterStatus::new(name.to_owned(), value))).await?;
    }
    let key = BackendKeyData::new(registered.pid, SecretKey::I32(registered.secret));
    wire.send(Message::BackendKeyData(key)).await?;
    wire.send(Message::ReadyForQuery(ReadyForQuery::new(TransactionStatus::Idle))).await?;
    Ok(Client { identity, settings, registered })
}
