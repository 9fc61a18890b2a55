//! What processes cost: CPU seconds, memory and descriptors, as the kernel counts them.

use std::fs;
use std::time::Instant;

use rustix::param::clock_ticks_per_second;
use tunnels_tests::{open_files, resident_bytes};

/// Bytes of the GiB that costs are stated for.
pub(crate) const GIB: f64 = (1u64 << 30) as f64;

/// Some processes whose CPU time since the start is asked for.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    /// What each had used before.
    before: Vec<(u32, f64)>,
}

impl CpuMeter {
    pub(crate) fn start(pids: impl IntoIterator<Item = u32>) -> Self {
        Self { before: pids.into_iter().filter_map(|pid| Some((pid, cpu_seconds(pid)?))).collect() }
    }

    /// CPU seconds, of user and system, all threads, of those that still run: the others' are known to nobody any more.
    /// Counted in ticks of the kernel, mostly of 10 ms.
    pub(crate) fn seconds(&self) -> f64 {
        self.before.iter().filter_map(|(pid, before)| Some(cpu_seconds(*pid)? - before)).sum()
    }
}

fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|field| field.parse::<u64>().ok());
    let ticks = times.next()?? + times.next()??;
    Some(ticks as f64 / clock_ticks_per_second() as f64)
}

/// How many of the machine's cores are at work, whoever for. Processes of a lower priority only take what is left, and do not
/// count.
#[derive(Debug)]
pub(crate) struct CoresMeter {
    started: Instant,
    before: f64,
}

impl CoresMeter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), before: machine_seconds().unwrap_or_default() }
    }

    /// On average since the start.
    pub(crate) fn busy(&self) -> f64 {
        (machine_seconds().unwrap_or_default() - self.before) / self.started.elapsed().as_secs_f64()
    }
}

/// All cores there are.
pub(crate) fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

fn machine_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, …
    let [user, _, system, _, _, irq, softirq, ..] = fields[..] else { return None };
    Some((user + system + irq + softirq) as f64 / clock_ticks_per_second() as f64)
}

/// Resident memory of some processes together, in MB. Pages that they share count for each.
pub(crate) fn resident_mb(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| resident_bytes(*pid)).sum::<u64>() as f64 / 1e6
}

/// Open descriptors of one process.
pub(crate) fn descriptors(pid: u32) -> f64 {
    open_files(pid) as f64
}
