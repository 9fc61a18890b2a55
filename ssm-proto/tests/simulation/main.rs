//! Whole lives of sessions in virtual time: a seed chooses both ends' habits, the path, the traffic and the faults; an oracle
//! that knows what really happened judges every step.
//!
//! `SIMULATION_SEEDS=10000` runs more seeds, `SIMULATION_SEED=n` one of them. A seed that once failed is kept in [`KEPT`].

mod oracle;
mod world;

use std::time::Duration;

use world::{Tally, World};

const SEEDS: u64 = 1000;

/// Seeds that have failed, each with what it found; they run whatever the number.
const KEPT: &[u64] = &[
    346, // excusing a silence put its suspicion off
];

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn sessions_live_through_everything_that_leaves_their_agent_alive() {
    let seeds: Vec<u64> = match number("SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SIMULATION_SEEDS").unwrap_or(SEEDS)).chain(KEPT.iter().copied()).collect(),
    };
    let mut sum = Tally::default();
    for &seed in &seeds {
        let outcome = std::panic::catch_unwind(|| World::new(seed).live());
        let Ok(tally) = outcome else { panic!("failed: run again with SIMULATION_SEED={seed}") };
        sum.add(&tally);
    }
    println!("{} seeds: {sum}", seeds.len());
    if seeds.len() >= 1000 {
        assert!(sum.virtual_time > Duration::from_hours(100), "the run must be worth something: {sum}");
        for (what, count) in sum.counts() {
            assert!(count > 50, "{what} happened only {count} times");
        }
    }
}
