//! The signals that a daemon heeds: two end it, and SIGHUP makes it read its configuration again – or ends it
//! as well, where it means that the terminal is gone.

use crate::exit::Exit;
use std::io::{self, IsTerminal as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
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
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            hangup_ends: io::stdin().is_terminal() || io::stderr().is_terminal(),
        })
    }

    /// Waits for the next that ends the daemon; what the others ask for is done meanwhile.
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
