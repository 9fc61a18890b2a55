//! The AWS CLI's aliases: `~/.aws/cli/alias`.
//!
//! `NAME = ssm start-session …` stands for `aws ssm start-session …`, below `[command ssm]` also without `ssm`;
//! `NAME = !COMMANDS` is a shell script. Lines that begin with space go on with the value.

use crate::script::{self, Scope};
use crate::{ReadFile, Refusal, Report};

struct Alias {
    name: String,
    /// What stands before each of its command lines.
    command: String,
    text: String,
    line: usize,
}

pub(crate) fn read(text: &str, files: ReadFile<'_>) -> Report {
    let mut report = Report::default();
    for alias in aliases(text, &mut report) {
        let mut scope = Scope::named(alias.name);
        let value = alias.text.trim_start();
        if let Some(script) = value.strip_prefix('!') {
            script::run(script, alias.line, &mut scope, files, 0, &mut report);
        } else {
            // One command, however many lines it has.
            let line = format!("{} {}", alias.command, value.replace('\n', " "));
            script::run(&line, alias.line, &mut scope, files, 0, &mut report);
        }
    }
    report
}

fn aliases(text: &str, report: &mut Report) -> Vec<Alias> {
    let mut aliases: Vec<Alias> = Vec::new();
    let mut command = "aws".to_owned();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let number = at + 1;
        if line.starts_with([' ', '\t']) {
            if let Some(last) = aliases.last_mut() {
                last.text.push('\n');
                last.text.push_str(line.trim_start());
            }
        } else if line.is_empty() || line.starts_with(['#', ';']) {
            // Keeps the lines of a value that goes on behind it.
            if let Some(last) = aliases.last_mut() {
                last.text.push('\n');
            }
        } else if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            command = match section.trim().strip_prefix("command ") {
                Some(words) => format!("aws {}", words.trim()),
                None => "aws".to_owned(),
            };
        } else if let Some((name, value)) = line.split_once('=') {
            let (name, text) = (name.trim().to_owned(), value.trim_start().to_owned());
            aliases.push(Alias { name, command: command.clone(), text, line: number });
        } else {
            let why = "this line of the alias file is neither a section nor `NAME = VALUE`".to_owned();
            report.refusals.push(Refusal { line: number, why, next: None });
        }
    }
    aliases
}
