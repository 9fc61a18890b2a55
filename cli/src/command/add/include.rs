//! `tunnels add --include FILE`: shows what a file names, and takes it in if that is meant.

use super::{Book, failed};
use crate::exit::Exit;
use crate::{ask, output};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, ErrorCode};
use tunnels_config_file::with_include;
use tunnels_daemon::config::{Origin, Resolved, literal};

pub(super) fn run(book: &Book, file: &Path, yes: bool, dry_run: bool) -> Result<Exit, ApiError> {
    let file = file
        .canonicalize()
        .map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot read {}: {error}", file.display())))?;
    let known: Vec<PathBuf> =
        book.config().map(|config| config.files.iter().map(|file| real(file)).collect()).unwrap_or_default();
    if known.contains(&file) {
        output::print(&format!("{} is part of the configuration already\n", file.display()))?;
        return Ok(Exit::Done);
    }
    let shown = from_home(&file, std::env::var_os("HOME").as_deref().map(Path::new));
    let text = with_include(book.original.text(), &entry(&shown)).map_err(|error| failed(&error))?;
    let resolved = book.checked(&text)?;
    output::print(&named(&resolved, &known, &file, &shown))?;
    if dry_run {
        output::say("nothing was changed");
        return Ok(Exit::Done);
    }
    if !yes {
        if !ask::is_attended() {
            return Err(ApiError::new(ErrorCode::Usage, "there is no terminal to ask on; nothing was changed")
                .with_hint("add --yes if it is meant"));
        }
        if !ask::agrees(&format!("Take {shown} in?"))? {
            return Err(ApiError::new(ErrorCode::Failed, "nothing was changed"));
        }
    }
    book.write(&text, &resolved)?;
    output::say(&format!("{shown} is now part of {}", resolved.config.path.display()));
    output::say("  \x1b[1mnext\x1b[0m: tunnels up");
    Ok(Exit::Done)
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A path that means the same in a home folder that has moved.
fn from_home(file: &Path, home: Option<&Path>) -> String {
    let below = home.and_then(|home| file.strip_prefix(real(home)).ok());
    below.map_or_else(|| file.display().to_string(), |below| format!("~/{}", below.display()))
}

/// As the configuration has it: nothing but the home folder is put in its place.
fn entry(shown: &str) -> String {
    shown.strip_prefix('~').map_or_else(|| literal(shown), |below| format!("~{}", literal(below)))
}

/// What the files that are not `known` name: each tunnel with all that they say of it.
fn named(resolved: &Resolved, known: &[PathBuf], file: &Path, shown: &str) -> String {
    let is_new = |path: &Path| !known.contains(&real(path)) && real(path) != real(&resolved.config.path);
    let mut tunnels = String::new();
    let mut count = 0;
    for (at, tunnel) in resolved.config.tunnels.iter().enumerate() {
        let settings = resolved.settings(at, &|_| None);
        let said = settings.iter().filter(|setting| match &setting.origin {
            Origin::File { path, .. } => is_new(path),
            _ => false,
        });
        let said: Vec<_> = said.collect();
        // What only inherits from a file belongs to another.
        if !said.iter().any(|setting| setting.key == "remote") {
            continue;
        }
        count += 1;
        let _ = writeln!(tunnels, "\n  {}: {} → {}", plain(&tunnel.name), tunnel.local, tunnel.remote);
        for setting in said.iter().filter(|setting| !matches!(setting.key, "remote" | "local")) {
            let _ = writeln!(tunnels, "    {} = {}", setting.key, plain(&setting.value.to_string()));
        }
        if tunnel.local.is_exposed() {
            let _ = writeln!(tunnels, "    it can be used from other machines, with your AWS rights");
        }
        if tunnel.scope.endpoints.ssm.is_some() || tunnel.scope.endpoints.ssmmessages.is_some() {
            let _ = writeln!(tunnels, "    its calls, signed with your credentials, go to the endpoints above");
        }
    }
    let others: Vec<_> = resolved.config.files.iter().filter(|other| is_new(other) && real(other) != *file).collect();
    let mut text = format!("{shown} names {count} tunnel{}", if count == 1 { "" } else { "s" });
    if !others.is_empty() {
        let list: Vec<String> = others.iter().map(|file| file.display().to_string()).collect();
        let _ = write!(text, ", with what it includes ({})", list.join(", "));
    }
    format!("{text}\n{tunnels}\n")
}

/// Without what would act on a terminal: the file is somebody else's.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_the_home_folder_are_named_from_there() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        assert_eq!(from_home(&home.join("src/tunnels.toml"), Some(&home)), "~/src/tunnels.toml");
        assert_eq!(from_home(Path::new("/opt/tunnels.toml"), Some(&home)), "/opt/tunnels.toml");
        assert_eq!(from_home(Path::new("/opt/tunnels.toml"), None), "/opt/tunnels.toml");
        let odd = from_home(&home.join("~/${A}.toml"), Some(&home));
        assert_eq!((odd.as_str(), entry(&odd).as_str()), ("~/~/${A}.toml", "~/~/$${A}.toml"));
        assert_eq!(entry("/opt/${A}.toml"), "/opt/$${A}.toml");
    }
}
