//! AWS's side on loopback: the SSM JSON API, the message gateway and an agent.
//!
//! Good enough that the official plugin works against it as a client, and that the official agent
//! can take the built-in agent's place. It holds **no protocol code**: what it knows of the wire it
//! knows through `ssm-proto`. It therefore shows how a client behaves under faults, not whether its
//! bytes are right.
//!
//! ```text
//!   client ──HTTP──► ssm_api ──► Service ◄── sim_api ◄──HTTP── tests, demo
//!      │                           │ starts
//!      │                 Session: up and down Lane, tokens, seats
//!      └─websocket─► gateway ─► relay ◄──► relay ◄─ gateway ◄─ agent (in memory) or
//!                                                              external (TLS, control channel)
//! ```
//!
//! A [`Session`](session) ends through its `end`, and only there; everything that serves it watches
//! that. Every queue is bounded: what a slow side does not take stops the other side's socket.

#![warn(missing_docs)]

mod agent;
mod call_log;
mod config;
mod counters;
mod damage;
mod dialer;
mod dice;
mod document;
mod external;
mod faults;
mod gateway;
mod http;
mod issuer;
mod lane;
mod messages;
mod registry;
mod relay;
mod scenario;
mod service;
mod session;
mod sim_api;
mod simulator;
mod socket;
mod ssm_api;
mod sso;
mod strict;
mod sts;
mod tokens;
mod warden;

pub use self::call_log::ApiCall;
pub use self::config::{AgentKind, AgentPace, DEFAULT_AGENT_PORT, DEFAULT_NODE, DEFAULT_PORT, Node, SimConfig};
pub use self::counters::{CountersReport, DirectionReport};
pub use self::external::TlsError;
pub use self::faults::{Away, FaultError, Faults, Reach, Switch, TooLarge};
pub use self::scenario::{From, Scenario, ScenarioError};
pub use self::session::{EndReason, SessionReport, SessionState};
pub use self::sim_api::{Cut, How, SessionsReport, Side};
pub use self::simulator::{SimHandle, Simulator, StartError};
pub use ssm_session::SigningCredentials;
