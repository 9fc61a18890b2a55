//! Port forwards as other programs have them: scripts with `aws ssm start-session`, AWS CLI aliases, `.basti.yaml`.
//!
//! Pure: a text goes in, what it means comes out, with the line of each and with a reason for each that cannot be taken.
//! Names that are free, ports that clash and the configuration itself are not its matter.

mod alias;
mod basti;
mod branch;
mod name;
mod parameters;
mod script;
mod shell;
mod start_session;

pub use name::slug;

use std::path::Path;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Shell commands, with `aws ssm start-session` among them.
    Script,
    /// `~/.aws/cli/alias`.
    Aliases,
    /// `.basti.yaml`, or `.basti.json`.
    Basti,
}

impl Format {
    /// What a file is, by its name and by what stands in it.
    pub fn guess(path: &Path, text: &str) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        if name.starts_with(".basti.") || name.starts_with("basti.") {
            return Self::Basti;
        }
        if name == "alias" {
            return Self::Aliases;
        }
        let lines = || text.lines().map(str::trim_end);
        if lines().any(|line| line == "[toplevel]" || line.starts_with("[command ")) {
            return Self::Aliases;
        }
        if lines().any(|line| line == "connections:" || line == "targets:") {
            return Self::Basti;
        }
        Self::Script
    }
}

/// One port forward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forward {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What it is called there, or after its host; may be taken already.
    pub name: String,
    /// The host behind the target; none is the target itself.
    pub host: Option<String>,
    /// The port there.
    pub port: u16,
    /// Where it listened.
    pub local_port: Option<u16>,
    /// Who carries it; none if the text does not say.
    pub target: Option<Target>,
    /// The AWS profile.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Where the calls go, if not to AWS's own endpoint.
    pub endpoint: Option<String>,
    /// The session document, if it is not one of AWS's for port forwarding.
    pub document: Option<String>,
    /// The reason that AWS records.
    pub reason: Option<String>,
    /// What was understood in another way than it is written, in sentences.
    pub notes: Vec<String>,
}

/// Who carries a forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A managed node's id.
    Id(String),
    /// `Key=Value` of a tag.
    Tag(String),
}

/// Something that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What it is, and why it cannot be taken.
    pub why: String,
    /// What to do instead.
    pub next: Option<String>,
}

/// What a text came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What can be taken, in the order of the text.
    pub forwards: Vec<Forward>,
    /// What cannot, in the order of the text.
    pub refusals: Vec<Refusal>,
}

/// Reads the file that a `file://` names; the path is as it is written.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// What a text means. Nothing that stands in it is run.
pub fn read(format: Format, text: &str, files: ReadFile<'_>) -> Report {
    let mut report = match format {
        Format::Script => script::read(text, files),
        Format::Aliases => alias::read(text, files),
        Format::Basti => basti::read(text),
    };
    report.refusals.sort_by_key(|refusal| refusal.line);
    report
}
