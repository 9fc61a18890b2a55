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
        // What came of it is in the log, and on the status board.
        self.end_or(async || drop(daemon.reload().await)).await
    }

    async fn end_or(&mut self, reload: impl AsyncFn()) -> Exit {
        loop {
            if let Some(exit) = self.end_or_hangup().await {
                return exit;
            }
            tracing::info!("asked for `reload`: SIGHUP");
            // A file system that hangs must not keep it from ending. Another SIGHUP is heeded after this.
            tokio::select! {
                exit = Self::asked_to_end(&mut self.interrupt, &mut self.terminate) => return exit,
                () = reload() => {}
            }
        }
    }

    /// None is SIGHUP that does not end it.
    async fn end_or_hangup(&mut self) -> Option<Exit> {
        tokio::select! {
            exit = Self::asked_to_end(&mut self.interrupt, &mut self.terminate) => Some(exit),
            _ = self.hangup.recv() => self.hangup_ends.then_some(Exit::Terminated),
        }
    }

    async fn asked_to_end(interrupt: &mut Signal, terminate: &mut Signal) -> Exit {
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};
    use std::future::pending;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_reload_that_hangs_does_not_keep_a_daemon_from_ending() {
        let mut signals = Signals { hangup_ends: false, ..Signals::listen().unwrap() };
        let (asked, mut reloads) = mpsc::unbounded_channel();
        kill_process(getpid(), Number::HUP).unwrap();
        let hangs = async || {
            asked.send(()).unwrap();
            pending::<()>().await;
        };
        let ends = signals.end_or(hangs);
        let terminate = async {
            reloads.recv().await.unwrap();
            kill_process(getpid(), Number::TERM).unwrap();
        };
        assert_eq!(tokio::join!(ends, terminate).0, Exit::Terminated);
    }
}
