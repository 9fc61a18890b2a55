//! End to end: the real program against the simulated AWS side, with real TCP on both ends.

mod asleep;
mod black_hole;
mod broken;
mod churn;
mod clients;
mod crash;
mod credentials;
mod cuts;
mod dashboard;
mod dead_worker;
mod doctor;
mod edits;
mod faults;
mod half_close;
mod harness;
mod lifecycle;
mod logins;
mod outages;
mod payload;
mod pool;
mod postgres;
mod proxy;
mod redis;
mod scenario;
mod shutdown;
mod states;
mod takeover;
mod transfers;
#[cfg(feature = "tray")]
mod tray;
