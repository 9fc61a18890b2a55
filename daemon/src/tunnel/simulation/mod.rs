//! A tunnel through hours of trouble in virtual time: task, lifecycle, keepers, sessions and both sides of the wire
//! are the real ones; AWS, the network, the agent and the applications are simulated. A seed chooses everything.
//!
//! What must hold, whatever happens:
//! - bytes come back exactly and once;
//! - a connection is lost only if its session was ended by the service, by its agent or by the user;
//! - the port is bound for as long as the tunnel is wanted;
//! - when all faults are over, a connection carries within a minute, by itself;
//! - no session is left behind, no more than `max_sessions` take connections, and those that nobody uses end.
//!
//! `SIMULATION_SEEDS` is the number of seeds (default 100; `tests/run` has a thousand), `SIMULATION_SEED` the one to run alone, `SIMULATION_HOURS` the length of
//! each run (default 1). Seeds that failed once are in `seeds.txt` and run first. No sockets but the tunnel's own listener, to
//! which nobody connects: sockets and paused time do not go together.

mod agent;
mod application;
mod path;
mod sky;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use world::Report;

/// Some time within `range`.
fn pick(random: &mut fastrand::Rng, range: Range<Duration>) -> Duration {
    range.start + range.end.saturating_sub(range.start).mul_f64(random.f64())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Runs all seeds on as many threads as there are cores.
fn run_all(seeds: &[u64], hours: u64) -> Vec<(u64, Report)> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            let mut reports = Vec::new();
            while let Some(seed) = seeds.get(next.fetch_add(1, Relaxed)) {
                reports.push((*seed, world::run(*seed, hours)));
            }
            reports
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn a_tunnel_survives_hours_of_trouble() {
    let hours = number("SIMULATION_HOURS").unwrap_or(1);
    let failed_once = include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let mut seeds: Vec<u64> = failed_once.map(|line| line.trim().parse().unwrap()).collect();
    match number("SIMULATION_SEED") {
        Some(seed) => seeds = vec![seed],
        None => seeds.extend(0..number("SIMULATION_SEEDS").unwrap_or(100)),
    }
    let began = Instant::now();
    let reports = run_all(&seeds, hours);
    print_statistics(&reports, hours, began.elapsed());
    let wrong: Vec<String> = reports
        .iter()
        .filter(|(_, report)| !report.wrong.is_empty())
        .map(|(seed, report)| format!("SIMULATION_SEED={seed}: {}", report.wrong.join("\n    ")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} seeds:\n{}", wrong.len(), seeds.len(), wrong.join("\n"));
}

fn sum_by(numbers: impl Iterator<Item = u64>) -> BTreeMap<u64, u64> {
    numbers.fold(BTreeMap::new(), |mut counts, number| {
        *counts.entry(number).or_default() += 1;
        counts
    })
}

fn print_statistics(reports: &[(u64, Report)], hours: u64, took: Duration) {
    fn sum<'a>(of: impl Iterator<Item = &'a BTreeMap<&'static str, u64>>) -> BTreeMap<&'static str, u64> {
        of.flatten().fold(BTreeMap::new(), |mut sum, (name, count)| {
            *sum.entry(*name).or_default() += count;
            sum
        })
    }
    let runs = reports.len();
    let each = || reports.iter().map(|(_, report)| report);
    let total = |of: fn(&Report) -> u64| each().map(of).sum::<u64>();
    println!("{runs} seeds, {} simulated hours in {:.1} s", runs as u64 * hours, took.as_secs_f64());
    println!(
        "connections: {} lived, {} lost with their sessions, {} not admitted in time; {} bytes verified",
        total(|report| report.tally.lived),
        total(|report| report.tally.lost),
        total(|report| report.tally.not_admitted),
        total(|report| report.tally.bytes),
    );
    let pools = sum_by(each().map(|report| report.tally.most_sessions));
    println!("sessions that took connections at a time, at most: {pools:?}");
    let mut recoveries: Vec<Duration> = each().map(|report| report.recovery).collect();
    recoveries.sort();
    let at = |part: usize| recoveries.get(runs * part / 100).or(recoveries.last()).copied().unwrap_or_default();
    println!("from the last fault to the first answer: median {:?}, p99 {:?}, worst {:?}", at(50), at(99), at(100));
    for (name, count) in sum(each().map(|report| &report.faults)) {
        println!("{count:>8} {name}");
    }
    for (name, count) in sum(each().map(|report| &report.calls)) {
        println!("{count:>8} {name}");
    }
}
