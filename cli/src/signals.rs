//! The signals that end a command which would go on, and those that a daemon heeds: SIGHUP makes it read its
//! configuration again – or ends it as well, where it means that the terminal is gone.

use crate::exit::Exit;
use std::io::{self, IsTerminal as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_daemon::DaemonHandle;

/// Listens from the moment it is made.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    hangup_ends: bool,
}

impl Signals {
    /// Listens to all of them.
    pub(crate) fn listen() -> Result<Self, ApiError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot listen for signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            hangup_ends: io::stdin().is_terminal() || io::stderr().is_terminal(),
        })
    }

    /// Waits for the next: for a command that is over when its terminal is, whatever else runs in it.
    pub(crate) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hangup.recv() => Exit::Terminated,
        }
    }

    /// Waits for the next that ends a daemon; what SIGHUP asks of it is done meanwhile.
    pub(crate) async fn end(&mut self, daemon: &DaemonHandle) -> Exit {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Exit::Interrupted,
                _ = self.terminate.recv() => return Exit::Terminated,
                _ = self.hangup.recv() => {
                    if self.hangup_ends {
                        return Exit::Terminated;
                    }
                    tracing::info!("asked for `reload`: SIGHUP");
                    // What came of it is in the log, and on the status board.
                    let _ = daemon.reload().await;
                }
            }
        }
    }
}
