//! What the caller of the suite may choose, all through the environment (`tests/run` lists it).

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Size of the large transfers: `TUNNELS_TEST_MIB`, by default 64 MiB.
pub fn test_bytes() -> u64 {
    number("TUNNELS_TEST_MIB").unwrap_or(64) * 1024 * 1024
}

/// How long load is kept up: `TUNNELS_TEST_SECONDS`, by default `short`.
pub fn test_duration(short: Duration) -> Duration {
    number("TUNNELS_TEST_SECONDS").map_or(short, Duration::from_secs)
}

/// How many tunnels lose the network together: `TUNNELS_TEST_TUNNELS`, by default 20.
pub fn tunnel_count() -> usize {
    number("TUNNELS_TEST_TUNNELS").map_or(20, |count| usize::try_from(count).expect("a count that fits into memory"))
}

/// For how long they do: `TUNNELS_TEST_OUTAGE_SECONDS`, by default 5 s.
pub fn outage_time() -> Duration {
    Duration::from_secs(number("TUNNELS_TEST_OUTAGE_SECONDS").unwrap_or(5))
}

/// How long the soak goes on: `TUNNELS_SOAK_MINUTES`, by default `short`.
pub fn soak_time(short: Duration) -> Duration {
    number("TUNNELS_SOAK_MINUTES").map_or(short, |minutes| Duration::from_secs(minutes * 60))
}

/// What the soak's random choices come from: `TUNNELS_SOAK_SEED`, by default another one each time.
pub fn soak_seed() -> u64 {
    number("TUNNELS_SOAK_SEED").unwrap_or_else(|| fastrand::u64(0..1_000_000))
}

/// How often a measured experiment is repeated: `TUNNELS_TEST_RUNS`, by default twice.
pub fn test_runs() -> u64 {
    runs_or(2)
}

/// The same where another number is usual.
pub fn runs_or(usual: u64) -> u64 {
    number("TUNNELS_TEST_RUNS").unwrap_or(usual).max(1)
}

/// The official `session-manager-plugin`, or `None` after saying that the test is skipped.
pub fn official_plugin() -> Option<PathBuf> {
    let path = env::var_os("SSM_PLUGIN_BIN").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: SSM_PLUGIN_BIN does not name the official session-manager-plugin");
    }
    path
}

/// The folder with the official agent's programs, or `None` after saying why the test is skipped.
pub fn official_agent_dir() -> Option<PathBuf> {
    let Some(dir) = env::var_os("SSM_AGENT_DIR") else {
        println!("skipped: SSM_AGENT_DIR does not name a folder with the official agent's programs");
        return None;
    };
    if !crate::process::is_root() {
        println!("skipped: the official agent writes to fixed folders, and a mount namespace of its own needs root");
        return None;
    }
    Some(PathBuf::from(dir))
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}")))
}
