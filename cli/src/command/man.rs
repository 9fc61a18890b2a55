//! `tunnels man`: the manual, made from what `--help` says.

use crate::exit::Exit;
use crate::{help, output};
use clap::{Args, Command};
use clap_mangen::Man as Page;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};

const EXAMPLES: &str = "\
Examples:
  tunnels man | man -l -                                read it
  tunnels man config edit | man -l -                    the page of one command
  tunnels man --out ~/.local/share/man/man1             so that `man tunnels-up` finds it";

/// Print the manual, or write a page for each command
///
/// The page of `tunnels` or of one command, in the format of man.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Man {
    /// The command that the page is about [default: tunnels itself]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write a page for each command into this folder, which is made if need be
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> Result<Exit, ApiError> {
        let mut tree = help::command().disable_help_subcommand(true);
        // Gives each command its whole name.
        tree.build();
        if let Some(folder) = &self.out {
            let count = write_all(&tree, folder).map_err(|error| {
                ApiError::new(ErrorCode::Failed, format!("cannot write manual pages to {}: {error}", folder.display()))
            })?;
            output::print(&format!("{count} pages in {}\n", folder.display()))?;
            return Ok(Exit::Done);
        }
        let mut command = &tree;
        for name in &self.command {
            command = command.find_subcommand(name).ok_or_else(|| {
                let text = format!("there is no command `{}`", self.command.join(" "));
                ApiError::new(ErrorCode::Usage, text).with_hint("`tunnels --help` lists them")
            })?;
        }
        let page = page(command).map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()))?;
        output::print(&page)?;
        Ok(Exit::Done)
    }
}

/// A page for a command and for each below it; says how many.
fn write_all(command: &Command, folder: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let name = Page::new(command.clone()).get_filename();
    std::fs::write(folder.join(name), page(command)?)?;
    let mut count = 1;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        count += write_all(sub, folder)?;
    }
    Ok(count)
}

fn page(command: &Command) -> io::Result<String> {
    let man = Page::new(command.clone());
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut out)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    let mut page = String::from_utf8_lossy(&out).into_owned();
    page.push_str(&sections(command.get_after_long_help().map(ToString::to_string).unwrap_or_default().as_str()));
    if command.get_name() != "tunnels" {
        page.push_str(".SH \"SEE ALSO\"\n\\fBtunnels\\fR(1)\n");
    }
    Ok(page)
}

/// What stands below `--help`, each of its headings (`Examples:`) a section with the lines below as they are.
fn sections(text: &str) -> String {
    let mut out = String::new();
    let mut is_open = false;
    let mut is_paragraph = false;
    for line in text.lines() {
        if let Some(heading) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            if is_open {
                out.push_str(".fi\n");
            }
            let _ = write!(out, ".SH \"{}\"\n.nf\n", escaped(&heading.to_uppercase()));
            is_open = true;
        } else if is_open && !line.is_empty() {
            let _ = writeln!(out, "{}", escaped(line.strip_prefix("  ").unwrap_or(line)));
        } else if line.is_empty() {
            is_paragraph = false;
        } else {
            out.push_str(if is_paragraph { "" } else { ".PP\n" });
            let _ = writeln!(out, "{}", escaped(line));
            is_paragraph = true;
        }
    }
    if is_open {
        out.push_str(".fi\n");
    }
    out
}

/// A line that means itself to roff.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = help::command().disable_help_subcommand(true);
        tree.build();
        let count = write_all(&tree, folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), count);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        for (name, parts) in [
            ("tunnels.1", [".TH tunnels", "tunnels\\-up(1)", ".SH \"EXIT CODES\"", ".SH \"ENVIRONMENT\""]),
            ("tunnels-up.1", ["\\-\\-wait", ".SH \"EXAMPLES\"", ".SH \"EXIT CODES\"", ".SH \"SEE ALSO\""]),
            ("tunnels-config-edit.1", [".TH tunnels-config-edit", "EDITOR", ".SH \"EXAMPLES\"", "\\-\\-config"]),
        ] {
            let page = read(name);
            for part in parts {
                assert!(page.contains(part), "{name} has no {part}:\n{page}");
            }
            assert!(!page.contains("EXTRA"), "{name}");
        }
    }

    #[test]
    fn lines_mean_themselves() {
        assert_eq!(sections("Examples:\n  a -b\n\n.c\\"), ".SH \"EXAMPLES\"\n.nf\na \\-b\n\\&.c\\e\n.fi\n");
        assert_eq!(sections("A sentence\nof two.\n\nAnother."), ".PP\nA sentence\nof two.\n.PP\nAnother.\n");
    }
}
