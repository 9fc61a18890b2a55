//! Where in its life a tunnel is, and what that means for users and for connections.

use super::event::Admission;
use tunnels_api::TunnelState;

/// Where in its life a tunnel is; finer than the [`TunnelState`] that users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Down,
    Binding,
    PortTaken,
    Listening,
    Starting,
    StartWait,
    StartLogin,
    Probing,
    Ready,
    Degraded,
    Resuming,
    ResumeWait,
    ResumeLogin,
    Failed,
}

impl Phase {
    /// What views show.
    pub(super) fn state(self) -> TunnelState {
        match self {
            Self::Down => TunnelState::Down,
            Self::Listening => TunnelState::Listening,
            Self::Binding | Self::Starting | Self::StartWait | Self::Probing => TunnelState::Connecting,
            Self::Ready => TunnelState::Ready,
            Self::Degraded => TunnelState::Degraded,
            Self::Resuming | Self::ResumeWait => TunnelState::Reconnecting,
            Self::StartLogin | Self::ResumeLogin => TunnelState::NeedsLogin,
            Self::PortTaken | Self::Failed => TunnelState::Failed,
        }
    }

    /// What becomes of a connection that is accepted now.
    pub(super) fn admission(self) -> Admission {
        match self {
            Self::Down | Self::PortTaken | Self::Failed => Admission::Refuse,
            Self::Listening => Admission::Wake,
            // One that another daemon has left in the socket is here before it is known that there is a socket.
            Self::Binding
            | Self::Starting
            | Self::StartWait
            | Self::StartLogin
            | Self::Resuming
            | Self::ResumeWait
            | Self::ResumeLogin => Admission::Hold,
            // Once the session is open a connection is the better probe: it is not made to wait for ours.
            Self::Probing | Self::Ready | Self::Degraded => Admission::Pass,
        }
    }

    /// Sessions that exist, and how many of them are being resumed.
    pub(super) fn sessions(self) -> (u32, u32) {
        match self {
            Self::Probing | Self::Ready | Self::Degraded => (1, 0),
            Self::Resuming | Self::ResumeWait | Self::ResumeLogin => (1, 1),
            _ => (0, 0),
        }
    }

    /// There is a session, or one is being opened or waited for.
    pub(super) fn wants_session(self) -> bool {
        self.has_session() || matches!(self, Self::Starting | Self::StartWait | Self::StartLogin)
    }

    pub(super) fn has_session(self) -> bool {
        matches!(
            self,
            Self::Probing | Self::Ready | Self::Degraded | Self::Resuming | Self::ResumeWait | Self::ResumeLogin
        )
    }
}
