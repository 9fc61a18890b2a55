//! `just bench`: the figures that `tunnels` promises, measured on this machine.
//!
//! Drives the release build of `tunnels` as its users do – configuration, commands, local ports – against the simulated AWS
//! side, and runs the official programs beside it, run by run, where the environment names them. It owns the
//! measuring and the judging; starting and stopping programs is the test harness's. docs/performance.md has a run of it.

mod bare;
mod bulk;
mod cpu;
mod echo_server;
mod judge;
mod ping;
mod report;
mod rows;
mod setting;
mod stage;
mod stats;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::report::{Report, Row};
use crate::rows::ROWS;
use crate::setting::Setting;

/// Measures `tunnels` against its goals.
///
/// `SSM_PLUGIN_BIN` (the official session-manager-plugin) and `SSM_AGENT_DIR` (a folder with the official agent's programs; needs
/// root) run those beside it; without them their figures are skipped, and the built-in agent at the official one's pace serves.
#[derive(Debug, Parser)]
#[command(name = "tunnels-bench")]
struct Arguments {
    /// Rows to measure; all of them without any
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(ROWS.iter().map(|row| row.name)))]
    rows: Vec<String>,
    /// Print one JSON document with every sample instead of tables
    #[arg(long)]
    json: bool,
    /// How often each figure is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Name the rows and what they measure
    #[arg(long)]
    list: bool,
    /// Serve as the far end of very many connections; prints its address
    #[arg(long, hide = true)]
    serve_echo: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.serve_echo {
        return echo_server::serve();
    }
    if arguments.list {
        for row in ROWS {
            println!("{:<14} {}", row.name, row.about);
        }
        return ExitCode::SUCCESS;
    }
    let setting = Setting::new(arguments.runs.into());
    let mut report = Report::new(&setting);
    if !arguments.json {
        println!("{}", report.heading());
    }
    let wanted = |name: &str| arguments.rows.is_empty() || arguments.rows.iter().any(|row| row == name);
    for entry in ROWS.iter().filter(|entry| wanted(entry.name)) {
        eprintln!("{} …", entry.name);
        let started = Instant::now();
        let mut row = Row::new(entry.name, entry.about);
        // One row that cannot be measured here must not cost the others.
        let outcome = catch_unwind(AssertUnwindSafe(|| (entry.run)(&setting, &mut row)));
        if let Err(panic) = outcome {
            row.fail(panic.as_ref());
        }
        row.took(started.elapsed());
        if !arguments.json {
            println!("{}", row.table());
        }
        report.rows.push(row);
    }
    if arguments.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.verdicts());
    }
    if report.rows.iter().all(Row::is_measured) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
