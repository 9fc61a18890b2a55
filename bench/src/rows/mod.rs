//! The rows of the table, a file each: what is measured, how, and against which goal.

mod capped;
mod commands;
mod connect;
mod cost;
mod dashboard;
mod download;
mod idle;
mod interactive;
mod pgbench;
mod pool;
mod recovery;
mod round_trip;
mod thousand;
mod upload;

use crate::report::Row;
use crate::setting::Setting;

/// A row that can be asked for.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Setting, &mut Row),
}

/// All of them, in the table's order.
pub(crate) const ROWS: &[Entry] = &[
    upload::ENTRY,
    download::ENTRY,
    pool::ENTRY,
    cost::ENTRY,
    round_trip::ENTRY,
    interactive::ENTRY,
    pgbench::ENTRY,
    connect::ENTRY,
    capped::ENTRY,
    recovery::ENTRY,
    idle::ENTRY,
    dashboard::ENTRY,
    commands::ENTRY,
    thousand::ENTRY,
];
