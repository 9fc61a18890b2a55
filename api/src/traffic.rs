//! What went through a tunnel lately: the answer of `GET /v1/tunnels/{name}/traffic`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far back the figures go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// A minute, by the second.
    #[default]
    #[serde(rename = "1m")]
    Minute,
    /// A quarter of an hour, in steps of 5 seconds.
    #[serde(rename = "15m")]
    Quarter,
    /// An hour, in steps of 15 seconds.
    #[serde(rename = "60m")]
    Hour,
}

impl Span {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Quarter, Self::Hour];

    /// The word used in queries and in views.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Quarter => "15m",
            Self::Hour => "60m",
        }
    }

    /// Seconds that one sample stands for.
    pub fn step_s(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::Quarter => 5,
            Self::Hour => 15,
        }
    }

    /// Samples that it has when it is full.
    pub fn samples(self) -> usize {
        match self {
            Self::Minute => 60,
            Self::Quarter => 180,
            Self::Hour => 240,
        }
    }
}

/// The query of `GET /v1/tunnels/{name}/traffic`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrafficQuery {
    /// How far back.
    pub span: Span,
}

/// Rates and round trips of one tunnel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Its name.
    pub tunnel: String,
    /// Seconds that one sample stands for.
    pub step_s: u32,
    /// When the last sample ended.
    pub until: Timestamp,
    /// The oldest first; fewer than the span has if the tunnel was not up for so long since the daemon started.
    pub samples: Vec<Sample>,
}

/// The mean of some seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Bytes per second towards the user.
    pub rate_in: u64,
    /// Bytes per second towards the remote.
    pub rate_out: u64,
    /// Round trip to the agent in milliseconds, where there was a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
}
