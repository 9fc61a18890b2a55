//! The daemon that takes: asks the one that runs for everything, and knows of its sessions until it has ended.

use super::channel::{Receiver, Sender, channel};
use super::{FromNew, FromOld, Offer, PATIENCE, PROTOCOL, millis};
use crate::claim::Lock;
use crate::doors::Doors;
use crate::state::{Estate, StateFile};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tunnels_api::{ApiError, Client, ClientError, ErrorCode};

/// Everything that the daemon that runs has offered. That one goes on with it if this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The API's.
    pub(crate) socket: OwnedFd,
    pub(crate) lock: Lock,
    pub(crate) state_lock: Lock,
    pub(crate) state_dir: PathBuf,
    pub(crate) estate: Estate,
    pub(crate) reasons: BTreeMap<String, String>,
    pub(crate) doors: Doors,
    pub(crate) predecessor: Predecessor,
}

/// The daemon that hands over, and what it still says until it ends.
#[derive(Debug)]
pub(crate) struct Predecessor {
    pub(crate) pid: u32,
    pub(crate) version: String,
    /// The API socket's path is the service manager's.
    pub(crate) stays: bool,
    sender: Sender,
    /// Until it serves; then the watching task has it.
    receiver: Option<Receiver>,
    watching: Option<AbortOnDropHandle<()>>,
}

/// Asks the daemon behind `socket` for everything; none if none runs.
///
/// # Errors
/// It does not hand over: it is too old, or it ends.
pub(crate) async fn ask(socket: &Path) -> Result<Option<Taken>, ApiError> {
    let stream = match Client::new(socket).takeover(PROTOCOL).await {
        Ok(stream) => stream,
        Err(error) if error.is_unreachable() => return Ok(None),
        Err(ClientError::Older { .. }) => {
            return Err(ApiError::new(ErrorCode::Failed, "the running daemon is too old to be taken over")
                .with_hint("this once its connections have to end: tunnels stop && tunnels up"));
        }
        Err(error) => return Err(error.into()),
    };
    in_time(take_in(stream)).await.map(Some).map_err(|error| goes_on(&error))
}

async fn take_in(stream: UnixStream) -> io::Result<Taken> {
    let (sender, mut receiver) = channel(stream, Vec::new());
    sender.send(&FromNew::Begin, &[]).await?;
    let offer = match said(&mut receiver).await? {
        FromOld::Offer(offer) => *offer,
        other => return Err(unexpected(&other)),
    };
    let Offer { pid, version, state_dir, stays, estate, reasons, sockets } = offer;
    let socket = receiver.file()?;
    let (lock, state_lock) = (Lock::inherit(receiver.file()?), Lock::inherit(receiver.file()?));
    let doors = Doors::default();
    for _ in 0..sockets {
        match said(&mut receiver).await? {
            FromOld::Socket => doors.inherit(receiver.file()?)?,
            other => return Err(unexpected(&other)),
        }
    }
    let predecessor = Predecessor { pid, version, stays, sender, receiver: Some(receiver), watching: None };
    Ok(Taken { socket, lock, state_lock, state_dir, estate, reasons, doors, predecessor })
}

impl Predecessor {
    /// Takes everything; its connections may go on for `drain`.
    ///
    /// # Errors
    /// It has changed its mind, or ended.
    pub(crate) async fn take(&mut self, drain: Duration) -> Result<(), ApiError> {
        let Some(receiver) = &mut self.receiver else { return Ok(()) };
        let taking = async {
            self.sender.send(&FromNew::Take { drain_ms: millis(drain) }, &[]).await?;
            match said(receiver).await? {
                FromOld::Yours => Ok(()),
                other => Err(unexpected(&other)),
            }
        };
        in_time(taking).await.map_err(|error| goes_on(&error))
    }

    /// Tells it that we serve, so that it can let go, and notes from here on which sessions it has.
    pub(crate) async fn leave_to_us(&mut self, state: StateFile) {
        // An error is its end, which is seen below.
        let _ = self.sender.send(&FromNew::Serving, &[]).await;
        let Some(receiver) = self.receiver.take() else { return };
        let pid = self.pid;
        self.watching = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            watch(receiver, &state).await;
            state.predecessor_ended();
            tracing::info!("the daemon before this one (pid {pid}) has ended");
        })));
    }

    /// The way to make it end sooner.
    pub(crate) fn hasten(&self) -> Hasten {
        Hasten(self.sender.clone())
    }

    /// Waits for its end, for so long at most.
    pub(crate) async fn ended(mut self, longest: Duration) {
        if let Some(watching) = &mut self.watching
            && timeout(longest, watching).await.is_err()
        {
            tracing::warn!("the daemon before this one (pid {}) has not ended yet", self.pid);
        }
    }
}

/// Makes the daemon before this one end sooner than it would.
#[derive(Debug)]
pub(crate) struct Hasten(Sender);

impl Hasten {
    /// Gives its connections so much time from now.
    pub(crate) async fn by(&self, drain: Duration) {
        // An error is its end.
        let _ = self.0.send(&FromNew::End { drain_ms: millis(drain) }, &[]).await;
    }
}

async fn watch(mut receiver: Receiver, state: &StateFile) {
    loop {
        match receiver.next().await {
            Ok(Some(FromOld::Uses(used))) => state.predecessor_uses(used),
            Ok(Some(other)) => tracing::debug!(?other, "not understood"),
            Ok(None) => return,
            Err(error) => return tracing::debug!(%error, "the daemon before this one ended in the middle of a message"),
        }
    }
}

async fn said(receiver: &mut Receiver) -> io::Result<FromOld> {
    let ended = || io::Error::new(ErrorKind::UnexpectedEof, "it has broken off");
    receiver.next().await?.ok_or_else(ended)
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, step).await.unwrap_or_else(|_| Err(late()))
}

fn unexpected(message: &FromOld) -> io::Error {
    let name = match message {
        FromOld::Offer(_) => "an offer",
        FromOld::Socket => "a socket",
        FromOld::Yours => "yours",
        FromOld::Uses(_) => "its sessions",
    };
    io::Error::new(ErrorKind::InvalidData, format!("{name} came at the wrong moment"))
}

fn goes_on(error: &io::Error) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("the running daemon could not be taken over, and goes on: {error}"))
        .with_hint("its log says more: tunnels logs; with an end of its connections: tunnels stop && tunnels up")
}
