//! After the local application's end of file: has it closed only its sending half, or is it gone?
//!
//! On the wire both look the same, and the agent closes the remote's connection fully on our FIN
//! (docs/protocol.md §6.6). So FIN is withheld while the application still holds its socket, and this
//! module is what says so. It only judges; `forward.rs` waits and closes.

use super::local_stream::LocalStream;
use crate::sockets::{self, Owner};
use std::net::SocketAddr;
use std::time::Duration;

/// Silence after which a half-closed connection is given up although its owner is there.
const SILENCE_OWNED: Duration = Duration::from_mins(5);
/// The same where nobody can tell whether there is an owner.
const SILENCE_UNKNOWN: Duration = Duration::from_secs(10);
/// Looks come this soon at first, so that a close which follows a half-close is passed on quickly …
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// … and this seldom later, for as long as minutes.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Watches one half-closed local connection.
#[derive(Debug)]
pub(super) struct PeerWatch {
    /// The application's address and ours; none for a Unix socket.
    addresses: Option<(SocketAddr, SocketAddr)>,
    /// Its socket was in the table before: if it is not any more, it is gone.
    seen: bool,
    next_look: Duration,
}

impl PeerWatch {
    pub(super) fn new(local: &LocalStream) -> Self {
        Self { addresses: local.addresses(), seen: false, next_look: FIRST_LOOK }
    }

    /// How long to wait before the next look.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next_look;
        self.next_look = (pause * 5 / 4).min(LAST_LOOK);
        pause
    }

    /// Whether the connection is to be closed fully, after so long without a byte from the remote.
    pub(super) async fn is_over(&mut self, local: &LocalStream, silence: Duration) -> bool {
        let owner = match self.addresses {
            _ if local.is_dead() => Owner::Gone,
            Some((peer, ours)) => sockets::owner(peer, ours).await,
            None => Owner::Present,
        };
        self.judge(owner, silence)
    }

    fn judge(&mut self, owner: Owner, silence: Duration) -> bool {
        match owner {
            Owner::Present => {
                self.seen = true;
                silence >= SILENCE_OWNED
            }
            Owner::Gone => true,
            // Another network namespace, or not Linux: nobody can tell.
            Owner::Invisible => self.seen || silence >= SILENCE_UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> PeerWatch {
        PeerWatch { addresses: None, seen: false, next_look: FIRST_LOOK }
    }

    #[test]
    fn an_owner_is_waited_for_and_a_missing_one_is_not() {
        let (short, long) = (Duration::from_secs(9), Duration::from_secs(299));
        assert!(!watch().judge(Owner::Present, long));
        assert!(watch().judge(Owner::Present, SILENCE_OWNED));
        assert!(watch().judge(Owner::Gone, Duration::ZERO));
        assert!(!watch().judge(Owner::Invisible, short));
        assert!(watch().judge(Owner::Invisible, SILENCE_UNKNOWN));
        let mut seen = watch();
        assert!(!seen.judge(Owner::Present, Duration::ZERO));
        assert!(seen.judge(Owner::Invisible, Duration::ZERO));
    }

    #[test]
    fn looks_are_frequent_enough_to_pass_a_close_on_within_a_second() {
        let mut watch = watch();
        let pauses: Vec<Duration> = (0..30).map(|_| watch.pause()).collect();
        assert_eq!(pauses[0], FIRST_LOOK);
        assert!(pauses.iter().all(|pause| *pause <= LAST_LOOK));
    }
}
