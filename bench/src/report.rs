//! What was measured: samples by figure, goals with their verdicts, and their two forms, tables and JSON.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde::Serialize;
use tunnels_tests::{finish, tunnels_program};

use crate::setting::Setting;
use crate::stats::{median, range};

/// The program that this is about.
pub(crate) const TUNNELS: &str = "tunnels";
/// The official plugin.
pub(crate) const PLUGIN: &str = "plugin";
/// The remote without anything in between.
pub(crate) const DIRECT: &str = "direct";
/// A session in this process, without a daemon.
pub(crate) const BARE: &str = "bare session";

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    date: String,
    program: String,
    machine: String,
    runs: usize,
    agent: &'static str,
    plugin: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// Everything measured for one row.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    name: &'static str,
    about: &'static str,
    seconds: f64,
    figures: Vec<Figure>,
    goals: Vec<Goal>,
    notes: Vec<String>,
    failure: Option<String>,
}

/// The samples of one thing, one for each run.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    who: String,
    unit: &'static str,
    median: Option<f64>,
    samples: Vec<f64>,
}

/// A promise and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) promise: String,
    pub(crate) found: String,
    /// `None`: what it is compared with was not measured.
    pub(crate) is_met: Option<bool>,
}

impl Report {
    pub(crate) fn new(setting: &Setting) -> Self {
        let version = finish(std::process::Command::new(tunnels_program()).arg("--version"));
        let presence = |is_there: bool, instead| if is_there { "official" } else { instead };
        Self {
            date: jiff::Zoned::now().strftime("%Y-%m-%d").to_string(),
            program: version.stdout.trim().to_owned(),
            machine: machine(),
            runs: setting.runs,
            agent: presence(setting.agent.is_some(), "built-in, at the official one's pace (SSM_AGENT_DIR is not set)"),
            plugin: presence(setting.plugin.is_some(), "skipped (SSM_PLUGIN_BIN is not set)"),
            rows: Vec::new(),
        }
    }

    pub(crate) fn heading(&self) -> String {
        format!(
            "# {}, {}\n\n{}. Agent: {}. Plugin: {}. {} runs, alternating; MB = 10⁶ bytes.\n",
            self.program, self.date, self.machine, self.agent, self.plugin, self.runs
        )
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|e| format!("{{\"error\": \"{e}\"}}"))
    }

    /// Every goal in one table.
    pub(crate) fn verdicts(&self) -> String {
        let mut text = String::from("## goals\n\n| row | goal | found | met |\n|---|---|---|---|\n");
        for row in &self.rows {
            for goal in &row.goals {
                let _ = writeln!(text, "| {} | {} | {} | {} |", row.name, goal.promise, goal.found, met(goal.is_met));
            }
        }
        text
    }
}

impl Row {
    pub(crate) fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about, seconds: 0.0, figures: Vec::new(), goals: Vec::new(), notes: Vec::new(), failure: None }
    }

    /// Adds a sample.
    pub(crate) fn add(&mut self, what: &str, who: &str, unit: &'static str, value: f64) {
        let known = self.figures.iter_mut().position(|figure| figure.what == what && figure.who == who);
        let at = known.unwrap_or_else(|| {
            let figure = Figure { what: what.to_owned(), who: who.to_owned(), unit, median: None, samples: Vec::new() };
            self.figures.push(figure);
            self.figures.len() - 1
        });
        let figure = &mut self.figures[at];
        figure.samples.push(value);
        figure.median = median(&figure.samples);
    }

    /// Adds a time in milliseconds.
    pub(crate) fn add_time(&mut self, what: &str, who: &str, time: Duration) {
        self.add(what, who, "ms", time.as_secs_f64() * 1000.0);
    }

    /// The median of a figure; `None` if it was not measured.
    pub(crate) fn median(&self, what: &str, who: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.what == what && figure.who == who)?.median
    }

    /// How many times `of` one median is the other, `who`'s.
    pub(crate) fn ratio(&self, what: &str, who: &str, of: &str) -> Option<f64> {
        Some(self.median(what, who)? / self.median(what, of)?)
    }

    pub(crate) fn judge(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
    }

    /// The row could not be measured to its end.
    pub(crate) fn fail(&mut self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        self.failure = Some(text.to_owned());
    }

    pub(crate) fn is_measured(&self) -> bool {
        self.failure.is_none()
    }

    /// The row as Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("## {}: {}\n\n", self.name, self.about);
        text.push_str("| what | who | median | range | × plugin |\n|---|---|---|---|---|\n");
        for figure in &self.figures {
            let ratio = (figure.who != PLUGIN).then(|| self.ratio(&figure.what, &figure.who, PLUGIN)).flatten();
            let (low, high) = range(&figure.samples).unwrap_or_default();
            let _ = writeln!(
                text,
                "| {} | {} | {} {} | {} – {} | {} |",
                figure.what,
                figure.who,
                figure.median.map(short).unwrap_or_default(),
                figure.unit,
                short(low),
                short(high),
                ratio.map(short).unwrap_or_default()
            );
        }
        text.push('\n');
        for goal in &self.goals {
            let _ = writeln!(text, "* goal: {} – {}: {}", goal.promise, goal.found, met(goal.is_met));
        }
        for note in &self.notes {
            let _ = writeln!(text, "* {note}");
        }
        if let Some(failure) = &self.failure {
            let _ = writeln!(text, "* **not measured to its end**: {failure}");
        }
        text
    }
}

fn met(is_met: Option<bool>) -> &'static str {
    match is_met {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "not judged",
    }
}

/// A number with three digits that count.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// What kind of machine this is: cores and memory, no names.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let gib = kib.map_or(0.0, |kib: f64| kib / 1024.0 / 1024.0);
    let system = if cfg!(target_os = "linux") { "Linux" } else { std::env::consts::OS };
    format!("{system} {}, {cores} cores, {gib:.0} GiB", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_gathers_its_samples_and_is_compared_with_the_plugins() {
        let mut row = Row::new("upload", "");
        for (ours, theirs) in [(30.0, 1.0), (10.0, 0.5), (20.0, 2.0)] {
            row.add("rate", TUNNELS, "MB/s", ours);
            row.add("rate", PLUGIN, "MB/s", theirs);
        }
        assert_eq!(row.ratio("rate", TUNNELS, PLUGIN), Some(20.0));
        assert_eq!(row.ratio("rate", TUNNELS, DIRECT), None);
        assert!(row.table().contains("| rate | tunnels | 20.0 MB/s | 10.0 – 30.0 | 20.0 |"), "{}", row.table());
    }

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 0.0123, 1.234, 45.67, 456.7, 1234.5].map(short).to_vec();
        assert_eq!(shown, ["0", "0.012", "1.23", "45.7", "457", "1234"]);
    }
}
