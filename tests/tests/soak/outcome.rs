//! What came of each fault, and of the whole run: a table for people and the verdict.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::faults::Weather;
use crate::load::{Count, Finished};
use crate::resources::{Curve, Curves};
use crate::scene::Group;

const MIB: f64 = 1024.0 * 1024.0;

/// What one fault has cost.
pub(crate) struct Outcome {
    pub(crate) fault: &'static str,
    pub(crate) group: Group,
    /// Connections that were open through the tunnels of its group.
    pub(crate) open: u64,
    /// Of those and of what came meanwhile.
    pub(crate) lost: u64,
    /// Of each connection that is listened to.
    pub(crate) first_bytes: Vec<Duration>,
    /// Until all tunnels were ready and everybody was heard.
    pub(crate) well_after: Duration,
}

/// Everything.
pub(crate) struct Report {
    seed: u64,
    time: Duration,
    outcomes: Vec<Outcome>,
    weather: BTreeMap<&'static str, usize>,
    end: Option<End>,
}

struct End {
    lasting: Sum,
    mortal: Sum,
    pgbench: String,
    pgbench_succeeded: bool,
    curves: Curves,
}

struct Sum {
    opened: u64,
    lost: u64,
    wrong: u64,
    bytes: u64,
    words: Vec<String>,
}

impl Sum {
    fn of(count: &Count) -> Self {
        let read = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        Self {
            opened: read(&count.opened),
            lost: read(&count.lost),
            wrong: read(&count.wrong),
            bytes: read(&count.bytes),
            words: count.words.lock().expect("no holder panics").clone(),
        }
    }
}

impl Report {
    pub(crate) fn new(seed: u64, time: Duration) -> Self {
        Self { seed, time, outcomes: Vec::new(), weather: BTreeMap::new(), end: None }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    pub(crate) fn weather(&mut self, weather: &Weather) {
        for name in &weather.names {
            *self.weather.entry(name).or_default() += 1;
        }
    }

    pub(crate) fn finish(&mut self, load: &Finished, curves: Curves) {
        let (lasting, mortal) = (Sum::of(&load.lasting), Sum::of(&load.mortal));
        let pgbench = load.pgbench.clone();
        self.end = Some(End { lasting, mortal, pgbench, pgbench_succeeded: load.pgbench_succeeded, curves });
    }

    /// Panics if anything was lost that could have lived, or if a byte was wrong.
    #[track_caller]
    pub(crate) fn judge(&self) {
        let End { lasting, mortal, pgbench, pgbench_succeeded, .. } = self.end.as_ref().expect("the run is over");
        assert_eq!((lasting.lost, lasting.wrong), (0, 0), "connections that could have lived: {:#?}", lasting.words);
        assert_eq!(mortal.wrong, 0, "bytes that are not those that were sent: {:#?}", mortal.words);
        assert!(*pgbench_succeeded && pgbench.contains("number of failed transactions: 0"), "{pgbench}");
        assert!(lasting.bytes > 0 && mortal.bytes > 0, "there was a load");
    }

    fn of(&self, fault: &str) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |outcome| outcome.fault == fault)
    }
}

/// The value that so many hundredths of all do not exceed.
fn percentile(sorted: &[Duration], hundredths: usize) -> Option<Duration> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((sorted.len() * hundredths).div_ceil(100).saturating_sub(1).min(last)).copied()
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times
}

/// `0.041 s`
fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.3} s", time.as_secs_f64()))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} s, seed {}, {} faults\n", self.time.as_secs(), self.seed, self.outcomes.len())?;
        writeln!(
            f,
            "| fault | times | connections open | lost | first byte: median | p99 | worst | all well: worst |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for group in [Group::Lasting, Group::Mortal] {
            let mut names: Vec<&str> =
                self.outcomes.iter().filter(|one| one.group == group).map(|one| one.fault).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                self.row(f, name, &self.of(name).collect::<Vec<_>>())?;
            }
            let all: Vec<&Outcome> = self.outcomes.iter().filter(|one| one.group == group).collect();
            let title = match group {
                Group::Lasting => "**all that leave sessions alive**",
                Group::Mortal => "**all that end sessions**",
            };
            self.row(f, title, &all)?;
        }
        let weather: Vec<String> = self.weather.iter().map(|(name, count)| format!("{name} {count}×")).collect();
        writeln!(f, "\nAll the while: {}.\n", if weather.is_empty() { "fair".to_owned() } else { weather.join(", ") })?;
        self.end.as_ref().map_or(Ok(()), |end| end.fmt(f))
    }
}

impl Report {
    #[expect(clippy::unused_self, reason = "a part of its display")]
    fn row(&self, f: &mut fmt::Formatter<'_>, name: &str, outcomes: &[&Outcome]) -> fmt::Result {
        let (open, lost) = outcomes.iter().fold((0, 0), |sum, one| (sum.0 + one.open, sum.1 + one.lost));
        let first = sorted(outcomes.iter().flat_map(|one| one.first_bytes.iter().copied()));
        let is_mortal = outcomes.iter().any(|one| one.group == Group::Mortal);
        // Who listens does so through tunnels that the fault is not about.
        let [median, p99, worst] = [50, 99, 100].map(|part| seconds(percentile(&first, part).filter(|_| !is_mortal)));
        let well = seconds(outcomes.iter().map(|one| one.well_after).max());
        writeln!(f, "| {name} | {} | {open} | {lost} | {median} | {p99} | {worst} | {well} |", outcomes.len())
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, sum) in [("that could live", &self.lasting), ("whose sessions were ended", &self.mortal)] {
            writeln!(
                f,
                "Connections {name}: {} opened, {} lost, {} wrong; {:.1} MiB verified.",
                sum.opened,
                sum.lost,
                sum.wrong,
                sum.bytes as f64 / MIB
            )?;
        }
        for line in self.pgbench.lines().filter(|line| line.contains("number of") || line.starts_with("tps")) {
            writeln!(f, "pgbench: {}.", line.trim())?;
        }
        let line = |name: &str, Curve { first, last, most, slope }: Curve, unit: f64, word: &str| {
            let [first, last, most, slope] = [first, last, most, slope].map(|value| value / unit);
            format!(
                "{name}: {first:.1} {word} when warm, {last:.1} at the end, {most:.1} at most; {slope:+.2} an hour."
            )
        };
        writeln!(f, "{}", line("Resident memory", self.curves.memory(), MIB, "MiB"))?;
        writeln!(f, "{}", line("Descriptors", self.curves.files(), 1.0, "open"))
    }
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
    let at = |part| percentile(&times, part).unwrap().as_millis();
    assert_eq!((at(50), at(99), at(100)), (100, 198, 200));
    assert_eq!(percentile(&times[..1], 50), Some(Duration::from_millis(1)));
    assert_eq!(percentile(&[], 50), None);
}
