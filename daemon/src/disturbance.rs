//! What happens to the machine below all tunnels: it sleeps and wakes, and its network becomes another one.
//!
//! Tells the tunnels by [`Nudges`]; what they make of it is theirs. A false alarm costs a ping for each data channel.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network;

use crate::clock;
use crate::tunnel::{Nudge, Nudges};
use std::time::{Duration, Instant, SystemTime};
use tokio::time::{MissedTickBehavior, interval};

/// How often the clocks are looked at, and so how late a wake-up is noticed at most.
const LOOK: Duration = Duration::from_secs(1);
/// A look that is so much later than it should be has slept through something. Less may be a busy machine, and no data
/// channel dies of it.
const SLEPT: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub(crate) async fn watch(nudges: Nudges) {
    tokio::join!(watch_clocks(&nudges), watch_network(&nudges));
}

async fn watch_clocks(nudges: &Nudges) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut clocks = Clocks::new(SystemTime::now(), clock::now());
    loop {
        looks.tick().await;
        if let Some(slept) = clocks.look(SystemTime::now(), clock::now()) {
            tracing::info!("this machine has slept for {} s; every data channel is checked", slept.as_secs());
            nudges.send(Nudge::Woke);
        }
    }
}

/// The two clocks as they were at the last look. The monotonic one stands still while a machine sleeps, the wall clock does
/// not; a process or virtual machine that was stopped sees both move on.
#[derive(Debug)]
struct Clocks {
    wall: SystemTime,
    monotonic: Instant,
}

impl Clocks {
    fn new(wall: SystemTime, monotonic: Instant) -> Self {
        Self { wall, monotonic }
    }

    /// How long the machine has slept since the last look. A wall clock that is set forward looks the same; one that is set
    /// back tells nothing.
    fn look(&mut self, wall: SystemTime, monotonic: Instant) -> Option<Duration> {
        let by_wall = wall.duration_since(self.wall).unwrap_or_default();
        let by_monotonic = monotonic.saturating_duration_since(self.monotonic);
        *self = Self { wall, monotonic };
        let slept = by_wall.max(by_monotonic).saturating_sub(LOOK);
        (slept >= SLEPT).then_some(slept)
    }
}

#[cfg(target_os = "linux")]
async fn watch_network(nudges: &Nudges) {
    let mut network = match network::NetworkWatch::open().await {
        Ok(network) => network,
        Err(error) => {
            // A container may forbid it. Pings still find a dead path, only later.
            tracing::info!("changes of the network cannot be watched: {error}");
            return;
        }
    };
    loop {
        match network.changed().await {
            Ok(()) => {
                tracing::info!("this machine's network has changed; every data channel is checked");
                nudges.send(Nudge::Network);
            }
            Err(error) => {
                tracing::warn!("changes of the network are not watched any more: {error}");
                return;
            }
        }
    }
}

/// Elsewhere pings find a dead path.
#[cfg(not(target_os = "linux"))]
async fn watch_network(_: &Nudges) {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn sleep_is_what_one_clock_knows_of_and_the_looks_do_not() {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        for (by_wall, by_monotonic, slept) in [
            (SECOND, SECOND, None),
            // A machine under load.
            (4 * SECOND, 4 * SECOND, None),
            // Suspended, and stopped.
            (3600 * SECOND, SECOND, Some(3599 * SECOND)),
            (61 * SECOND, 61 * SECOND, Some(60 * SECOND)),
            // Hardly slept, and a wall clock that is corrected by a little.
            (6 * SECOND, SECOND, Some(5 * SECOND)),
            (3 * SECOND, SECOND, None),
        ] {
            let mut clocks = Clocks::new(wall, monotonic);
            assert_eq!(clocks.look(wall + by_wall, monotonic + by_monotonic), slept, "{by_wall:?} {by_monotonic:?}");
            let (wall, monotonic) = (wall + by_wall, monotonic + by_monotonic);
            assert_eq!(clocks.look(wall + SECOND, monotonic + SECOND), None, "said once");
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_back_tells_nothing() {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        let mut clocks = Clocks::new(wall, monotonic);
        assert_eq!(clocks.look(wall - 3600 * SECOND, monotonic + SECOND), None);
        assert_eq!(clocks.look(wall - 3599 * SECOND, monotonic + 2 * SECOND), None);
        // Nor does it hide a stop that the other clock has seen.
        assert_eq!(clocks.look(wall - 7200 * SECOND, monotonic + 60 * SECOND), Some(57 * SECOND));
    }
}
