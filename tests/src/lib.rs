//! Harness of the end-to-end tests: starts the real `tunnels` program, the simulated AWS side, a
//! real PostgreSQL, a real Redis and small TCP servers, all on loopback and in temporary folders.
//!
//! It owns every process and folder it makes and removes them on drop. It knows the program only
//! from outside – arguments, exit codes, JSON, the Unix socket – and uses none of our crates, so that
//! a change of an interface that scripts rely on fails here. It never waits for time to pass: see
//! [`wait_until`].

#![expect(
    clippy::missing_errors_doc,
    clippy::return_self_not_must_use,
    reason = "a harness for one suite: its callers unwrap"
)]

mod agent;
mod authority;
mod daemon;
mod dead_worker;
mod demo;
#[cfg(feature = "tray")]
mod desktop;
mod gap;
mod http;
mod ping_pong;
mod plugin;
mod ports;
mod postgres;
mod process;
mod proxy;
mod redis;
mod remote;
mod seeded;
mod settings;
mod sim;
mod terminal;
mod transfer;
mod wait;

pub use agent::OfficialAgent;
pub use authority::{Identity, TestAuthority};
pub use daemon::{EventLog, TestDaemon};
pub use dead_worker::{expect_replacement, patient_user};
pub use demo::{TestDemo, exchange};
#[cfg(feature = "tray")]
pub use desktop::{MenuEntry, Notification, TestDesktop};
pub use http::HttpAnswer;
pub use ping_pong::PingPong;
pub use plugin::OfficialPlugin;
pub use ports::free_port;
pub use postgres::Postgres;
pub use process::{Finished, Process, finish, open_files, resident_bytes, send_signal, tunnels_program};
pub use proxy::{ProxyAnswer, TestProxy};
pub use redis::Redis;
pub use remote::{ConnectionEnd, TestRemote};
pub use seeded::{SeededBytes, Sha256, seeded_sha256};
pub use settings::{
    official_agent_dir, official_plugin, outage_time, runs_or, soak_seed, soak_time, test_bytes, test_duration,
    test_runs, tunnel_count,
};
pub use sim::{NODE, SimOptions, TestSim};
pub use terminal::Terminal;
pub use transfer::{
    Direction, Outcome, Transfer, answer_after_half_close, echo_once, echo_request, hold_open, open_echo,
    request_download, silent_request, transfer_once,
};
pub use wait::wait_until;
