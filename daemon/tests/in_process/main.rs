//! The daemon in this process, against the simulator, over real sockets on loopback.

mod edits;
mod failover;
mod harness;
mod inspect;
mod json_api;
mod logs;
mod pool;
mod random_edits;
mod sessions;
mod takeover;
mod tunnels;
