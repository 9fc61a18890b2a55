//! All tunnels in one word: what the icon shows.
//!
//! Pure. The worst of what is wanted decides, and what somebody can mend with one login counts for more than what
//! is looked into at leisure.

use tunnels_api::{TargetState, TunnelState, TunnelStatus};

/// The state of everything together, from the least to what matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Overall {
    /// Nobody answers on the daemon's socket.
    NoDaemon,
    /// No tunnel is up.
    Down,
    /// All that is wanted carries, or will with the first connection.
    Ready,
    /// Something is being opened or resumed, as it is now and then.
    Busy,
    /// A tunnel has failed, its remote does not answer, or trying again has not helped yet.
    Trouble,
    /// A tunnel waits for a login.
    NeedsLogin,
}

impl Overall {
    pub(crate) const ALL: [Self; 6] =
        [Self::NoDaemon, Self::Down, Self::Ready, Self::Busy, Self::Trouble, Self::NeedsLogin];

    /// What these tunnels are together, as the daemon said last, if it `is_heard`.
    pub(crate) fn of(is_heard: bool, tunnels: &[TunnelStatus]) -> Self {
        if !is_heard {
            return Self::NoDaemon;
        }
        tunnels.iter().map(Self::of_one).max().unwrap_or(Self::Down)
    }

    fn of_one(tunnel: &TunnelStatus) -> Self {
        match tunnel.state {
            TunnelState::NeedsLogin => Self::NeedsLogin,
            // What is not wanted had failed before, and is not being tried.
            TunnelState::Failed if tunnel.wanted == TargetState::Down => Self::Down,
            TunnelState::Failed | TunnelState::Degraded => Self::Trouble,
            TunnelState::Connecting if tunnel.cause.is_some() => Self::Trouble,
            TunnelState::Connecting | TunnelState::Reconnecting => Self::Busy,
            TunnelState::Ready | TunnelState::Listening => Self::Ready,
            TunnelState::Down | TunnelState::Unknown => Self::Down,
        }
    }

    /// Whether somebody has to do something.
    pub(crate) fn wants_attention(self) -> bool {
        matches!(self, Self::Trouble | Self::NeedsLogin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{because, status};
    use tunnels_api::CauseKind;

    fn of(tunnels: &[TunnelStatus]) -> Overall {
        Overall::of(true, tunnels)
    }

    #[test]
    fn the_worst_of_what_is_wanted_decides() {
        use TunnelState::{Connecting, Degraded, Down, Failed, Listening, NeedsLogin, Ready, Reconnecting};
        let alone = |state| of(&[status("a", state)]);
        let table = [
            (Down, Overall::Down),
            (Listening, Overall::Ready),
            (Ready, Overall::Ready),
            (Connecting, Overall::Busy),
            (Reconnecting, Overall::Busy),
            (Degraded, Overall::Trouble),
            (Failed, Overall::Trouble),
            (NeedsLogin, Overall::NeedsLogin),
        ];
        for (state, overall) in table {
            assert_eq!(alone(state), overall, "{state}");
            assert_eq!(of(&[status("a", state), status("b", Down)]), overall, "{state} beside one that is down");
        }
        assert_eq!(of(&[status("a", Ready), status("b", Failed), status("c", NeedsLogin)]), Overall::NeedsLogin);
    }

    #[test]
    fn a_cause_is_what_makes_opening_a_trouble() {
        let offline = because(status("a", TunnelState::Connecting), CauseKind::TargetOffline, "offline");
        assert_eq!(of(&[offline]), Overall::Trouble);
        // Every lost websocket has one.
        let recycled = because(status("a", TunnelState::Reconnecting), CauseKind::ServiceRecycle, "closed");
        assert_eq!(of(&[recycled]), Overall::Busy);
    }

    #[test]
    fn what_is_not_wanted_is_no_trouble() {
        let failed = TunnelStatus { wanted: TargetState::Down, ..status("a", TunnelState::Failed) };
        assert_eq!(of(&[failed]), Overall::Down);
        assert_eq!(of(&[]), Overall::Down);
        assert_eq!(Overall::of(false, &[status("a", TunnelState::Ready)]), Overall::NoDaemon);
    }
}
