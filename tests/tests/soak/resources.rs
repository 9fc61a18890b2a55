//! What the daemon takes of the machine, over time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tunnels_tests::{open_files, resident_bytes};

/// Looks in a whole run, however long it is.
const LOOKS: u32 = 600;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The first part of a run fills caches and buffers, and says nothing about leaks.
const WARMING_UP: f64 = 0.2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resources {
    /// Resident, in bytes.
    pub(crate) memory: u64,
    /// Open descriptors.
    pub(crate) files: usize,
}

/// Looks at a process again and again.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(Duration, Resources)>>,
}

impl Watch {
    /// Watches this process; the run is to take about `time`.
    pub(crate) fn start(process: u32, time: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let pause = (time / LOOKS).max(SHORTEST_PAUSE);
        let thread = thread::spawn(move || {
            let started = Instant::now();
            let mut looks = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let seen = Resources { memory: resident_bytes(process), files: open_files(process) };
                looks.push((started.elapsed(), seen));
                thread::sleep(pause);
            }
            looks
        });
        Self { stop, thread }
    }

    pub(crate) fn finish(self) -> Curves {
        self.stop.store(true, Ordering::Relaxed);
        Curves { looks: self.thread.join().expect("the watching thread does not panic") }
    }
}

/// What was seen, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    looks: Vec<(Duration, Resources)>,
}

/// A figure over the run after it has warmed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Curve {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) most: f64,
    /// Of the straight line with the least squares, per hour.
    pub(crate) slope: f64,
}

impl Curves {
    pub(crate) fn memory(&self) -> Curve {
        self.curve(|seen| seen.memory as f64)
    }

    pub(crate) fn files(&self) -> Curve {
        self.curve(|seen| seen.files as f64)
    }

    fn curve(&self, figure: fn(&Resources) -> f64) -> Curve {
        let end = self.looks.last().map_or(Duration::ZERO, |(at, _)| *at);
        let warm = self.looks.iter().filter(|(at, _)| *at >= end.mul_f64(WARMING_UP));
        let points: Vec<(f64, f64)> = warm.map(|(at, seen)| (at.as_secs_f64() / 3600.0, figure(seen))).collect();
        let values = || points.iter().map(|(_, value)| *value);
        Curve {
            first: values().next().unwrap_or_default(),
            last: values().next_back().unwrap_or_default(),
            most: values().fold(0.0, f64::max),
            slope: slope(&points),
        }
    }
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / count;
    let (x, y) = (mean(&mut points.iter().map(|p| p.0)), mean(&mut points.iter().map(|p| p.1)));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[test]
fn the_slope_is_that_of_the_best_line() {
    assert!((slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0).abs() < 1e-9);
    assert!((slope(&[(0.0, 1.0), (1.0, 2.0), (2.0, 1.0)])).abs() < 1e-9);
    assert!(slope(&[(1.0, 1.0)]).abs() < 1e-9);
    let look = |second, memory| (Duration::from_secs(second), Resources { memory, files: 7 });
    let curves = Curves { looks: vec![look(0, 1), look(20, 100), look(60, 104), look(100, 100)] };
    let memory = curves.memory();
    assert!((memory.first - 100.0).abs() + (memory.most - 104.0).abs() + (memory.last - 100.0).abs() < 1e-9);
    assert!(memory.slope.abs() < 1e-6, "the start does not count: {memory:?}");
}
