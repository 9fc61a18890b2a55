//! What goes into the lifecycle and what comes out of it.

use crate::config::TunnelConfig;
use crate::tunnel::cause::DownCause;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tunnels_api::Cause;

/// The keys of a tunnel's configuration that decide about states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The session opens with the first connection instead of at `up`.
    pub(crate) on_demand: bool,
    /// With no stream for so long the session is closed and the port kept.
    pub(crate) park_after: Option<Duration>,
    /// The remote is a name, and may be found elsewhere later.
    pub(crate) by_name: bool,
}

impl Policy {
    pub(crate) fn of(config: &TunnelConfig) -> Self {
        let is_name = |host: &String| host.parse::<IpAddr>().is_err();
        Self {
            on_demand: config.on_demand,
            park_after: config.park_after,
            by_name: config.remote.host.as_ref().is_some_and(is_name),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The local port is ours.
    Bound,
    /// It is not.
    BindFailed(Cause),
    /// A local connection was accepted and wants a session.
    Connection,
    /// A session is open.
    SessionUp,
    /// Another session that carries, open since then, takes the place of the one there is or was to be.
    TakenOver { since: Instant },
    /// It is not on the target that it would have been on: after [`Self::SessionUp`].
    Elsewhere(Cause),
    /// Opening one failed.
    StartFailed(DownCause),
    /// The session's websocket is gone.
    ChannelLost(DownCause),
    /// Its agent has acknowledged nothing for a while, on a websocket that seems to be open.
    Silent(DownCause),
    /// It has another websocket, on which nothing was heard yet.
    Attached,
    /// The session carries again.
    Resumed,
    /// Resuming it failed, but it may still exist.
    ResumeFailed(DownCause),
    /// The session is gone for good.
    SessionEnded(DownCause),
    /// The remote answers.
    ProbePassed,
    /// It does not.
    ProbeFailed(DownCause),
    /// A forwarded connection got its first byte from the remote.
    RemoteAnswered,
    /// The agent could not connect a stream to the remote.
    RemoteRefused,
    /// So many forwarded connections are open now.
    Streams(u32),
    /// The remote is to be probed in another way.
    ProbeChanged,
    /// So long may sessions live.
    Longest(Duration),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Bind the local port.
    Bind,
    /// Release it, or stop trying to bind it; its connections end.
    Unbind,
    /// Release it; its connections have some time to end.
    RetireListener,
    /// Open a session; it takes the place of one that there is, which keeps its connections.
    StartSession,
    /// Forget the session that is being opened; it ends as soon as it is there.
    ForgetStart,
    /// Resume the session there is.
    ResumeSession,
    /// Terminate the session there is.
    EndSession,
    /// The same, but its connections have some time to end.
    RetireSession,
    /// See whether the remote answers through the session there is.
    Probe,
    /// See at once whether its websocket is alive.
    Check,
}

/// What becomes of a local connection that is accepted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Reset it at once.
    Refuse,
    /// Hold it, and open a session for it.
    Wake,
    /// Hold it until the session carries.
    Hold,
    /// Forward it.
    Pass,
}
