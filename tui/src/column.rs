//! The columns of the list: what each is called, what it says of a tunnel, and how wide that usually is.
//!
//! Pure. Which of them are shown is `layout`'s.

use crate::{text, units, words};
use tunnels_api::{Timestamp, TunnelStatus};

/// The columns, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Name,
    State,
    Local,
    Remote,
    Target,
    Sessions,
    Streams,
    In,
    Out,
    RoundTrip,
    Since,
}

impl Column {
    pub(crate) const ALL: [Self; 11] = [
        Self::Name,
        Self::State,
        Self::Local,
        Self::Remote,
        Self::Target,
        Self::Sessions,
        Self::Streams,
        Self::In,
        Self::Out,
        Self::RoundTrip,
        Self::Since,
    ];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::State => "STATE",
            Self::Local => "LOCAL",
            Self::Remote => "REMOTE",
            Self::Target => "TARGET",
            Self::Sessions => "SESSIONS",
            Self::Streams => "STREAMS",
            Self::In => "IN",
            Self::Out => "OUT",
            Self::RoundTrip => "RTT",
            Self::Since => "SINCE",
        }
    }

    /// Figures stand to the right.
    pub(crate) fn is_figure(self) -> bool {
        self as usize >= Self::Sessions as usize
    }

    /// The widest figure that is usual. A column of a terminal has at least this width, so that a list that
    /// is kept up to date does not jump with each figure.
    pub(crate) fn usual(self) -> usize {
        match self {
            Self::In | Self::Out => "999 kB/s".len(),
            Self::RoundTrip => "0.99 ms".len(),
            Self::Since => "23h 59m".len(),
            _ => 0,
        }
    }

    /// What it says of a tunnel, whole and without style.
    pub(crate) fn text(self, tunnel: &TunnelStatus, now: Timestamp) -> String {
        let count = |n: u32| if n == 0 { "-".to_owned() } else { n.to_string() };
        match self {
            Self::Name => text::clean(&tunnel.name),
            Self::State => words::whole_state(tunnel, now),
            Self::Local => text::clean(&tunnel.local),
            Self::Remote => text::clean(&tunnel.remote),
            Self::Target => tunnel.target.as_deref().map_or_else(|| "-".to_owned(), text::clean),
            Self::Sessions => count(tunnel.sessions),
            Self::Streams => count(tunnel.streams),
            Self::In => units::rate(tunnel.rate_in),
            Self::Out => units::rate(tunnel.rate_out),
            Self::RoundTrip => units::round_trip(tunnel.rtt_ms),
            Self::Since => units::ago(tunnel.since, now),
        }
    }
}
