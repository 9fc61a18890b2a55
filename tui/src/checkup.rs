//! What `tunnels doctor` found, and how far it has come: text for a terminal or a pipe.
//!
//! Pure but for the lines that change in place while it looks. What is worst stands first: whoever reads the first paragraph
//! knows what to do.

use crate::region::Region;
use crate::style::{BOLD, CYAN, DIM, GREEN, Look, PLAIN, RED, YELLOW};
use crate::text;
use anstyle::Style;
use crossterm::terminal;
use std::fmt::Write as _;
use std::io::Write;
use tunnels_api::{Checkup, Finding, Verdict};

/// Verdicts, and what is set in below them, stand in a column of this width.
const MARGIN: usize = 9;
/// Tunnels that a heading names before it only counts.
const MOST_NAMES: usize = 4;
/// Lines of what is being looked at.
const MOST_LINES: usize = 5;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Renders it. Ends with a newline.
pub fn render(checkup: &Checkup, look: Look) -> String {
    let mut out = String::new();
    let mut is_after_paragraph = false;
    for group in groups(&checkup.findings) {
        let is_line = group.first.verdict == Verdict::Ok;
        // Paragraphs stand apart; what is fine is a list.
        if !out.is_empty() && (is_after_paragraph || !is_line) {
            out.push('\n');
        }
        group.write(&mut out, look);
        is_after_paragraph = !is_line;
    }
    out.push('\n');
    for line in text::wrap(&summary(&checkup.findings), look.columns()) {
        let _ = writeln!(out, "{}", look.paint(BOLD, &line));
    }
    out
}

/// Findings that are read as one: what was skipped for the same reason.
struct Group<'a> {
    first: &'a Finding,
    /// Checks with the tunnels that they are of.
    subjects: Vec<String>,
}

fn groups(findings: &[Finding]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in findings {
        let is_same = |group: &&mut Group<'_>| {
            finding.verdict == Verdict::Skipped
                && group.first.verdict == Verdict::Skipped
                && (&group.first.text, &group.first.evidence, &group.first.next)
                    == (&finding.text, &finding.evidence, &finding.next)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.subjects.push(subject(finding)),
            None => groups.push(Group { first: finding, subjects: vec![subject(finding)] }),
        }
    }
    groups
}

/// `target of orders-db`
fn subject(finding: &Finding) -> String {
    let names: Vec<String> = finding.tunnel.iter().chain(&finding.tunnels).map(|name| text::clean(name)).collect();
    match names.as_slice() {
        [] => finding.check.to_string(),
        names => format!("{} of {}", finding.check, text::names(names, MOST_NAMES)),
    }
}

impl Group<'_> {
    fn write(&self, out: &mut String, look: Look) {
        let Finding { verdict, .. } = *self.first;
        let word = look.paint(style_of(verdict), verdict.as_str());
        let gap = " ".repeat(MARGIN - verdict.as_str().len());
        let subjects = self.subjects.join(", ");
        if matches!(verdict, Verdict::Ok) {
            let said = wrapped(&format!("{subjects}: {}", self.first.text), look);
            lines(out, &format!("{word}{gap}"), &said, PLAIN, look);
            return;
        }
        lines(out, &format!("{word}{gap}"), &wrapped(&subjects, look), BOLD, look);
        let margin = " ".repeat(MARGIN);
        lines(out, &margin, &wrapped(&self.first.text, look), PLAIN, look);
        if let Some(evidence) = &self.first.evidence {
            lines(out, &margin, &wrapped(&format!("seen: {evidence}"), look), DIM, look);
        }
        if let Some(next) = &self.first.next {
            let (first, example) = next.split_once('\n').unwrap_or((next, ""));
            lines(out, &margin, &wrapped(&format!("next: {first}"), look), CYAN, look);
            // An example keeps its lines.
            let example: Vec<String> = example.lines().map(printable).collect();
            lines(out, &margin, &example, PLAIN, look);
        }
        if let Some(policy) = &self.first.policy {
            // Whole and unwrapped, because it is to be pasted.
            for line in serde_json::to_string_pretty(policy).unwrap_or_default().lines() {
                let _ = writeln!(out, "{margin}  {line}");
            }
        }
    }
}

/// A line as it is, but for what a terminal would obey.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}

fn wrapped(said: &str, look: Look) -> Vec<String> {
    text::wrap(&text::clean(said), look.columns().saturating_sub(MARGIN).max(20))
}

fn lines(out: &mut String, first_margin: &str, said: &[String], style: Style, look: Look) {
    let mut margin = first_margin.to_owned();
    for line in said {
        let line = format!("{margin}{}", look.paint(style, line));
        let _ = writeln!(out, "{}", line.trim_end());
        margin = " ".repeat(MARGIN);
    }
}

fn style_of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Fail => RED.bold(),
        Verdict::Warn => YELLOW.bold(),
        Verdict::Skipped => DIM,
        Verdict::Ok => GREEN,
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let parts: Vec<String> = [
        counted(count(Verdict::Fail), "problem", "problems"),
        counted(count(Verdict::Warn), "warning", "warnings"),
        counted(count(Verdict::Skipped), "check skipped", "checks skipped"),
        counted(count(Verdict::Ok), "check fine", "checks fine"),
    ]
    .into_iter()
    .flatten()
    .collect();
    parts.join(", ")
}

/// What is being looked at, in place on a terminal; nothing elsewhere.
#[derive(Debug)]
pub struct Looking<W: Write> {
    out: W,
    region: Region,
    look: Look,
    frames: usize,
}

impl<W: Write> Looking<W> {
    /// Nothing is drawn yet.
    pub fn new(out: W, color: bool) -> Self {
        Self { out, region: Region::default(), look: Look { color, width: None }, frames: 0 }
    }

    /// Draws how many checks are done and what runs. Nothing that goes wrong with telling stops a command.
    pub fn draw(&mut self, done: usize, running: &[String]) {
        let width = terminal::size().map_or(80, |(width, _)| width);
        let look = Look { width: Some(width), ..self.look };
        let frame = frame(done, running, self.frames, look);
        self.frames += 1;
        let _ = self.region.draw(&mut self.out, &frame, usize::from(width));
    }
}

impl<W: Write> Drop for Looking<W> {
    fn drop(&mut self) {
        let width = terminal::size().map_or(80, |(width, _)| width);
        let _ = self.region.clear(&mut self.out, usize::from(width));
    }
}

fn frame(done: usize, running: &[String], frames: usize, look: Look) -> Vec<String> {
    let spinner = look.paint(YELLOW, SPINNER[frames % SPINNER.len()]);
    let mut lines = vec![format!("{spinner} {done} done, {} under way", running.len())];
    let shown = running.iter().take(MOST_LINES).map(|what| {
        let what = text::cut(&text::clean(what), look.columns().saturating_sub(3));
        format!("  {}", look.paint(DIM, &what))
    });
    lines.extend(shown);
    lines
}

#[cfg(test)]
mod tests;
