//! Files into a checked [`Config`], or everything that is wrong with them.
//!
//! Finds and reads the files, follows includes, and checks what only shows when all is seen: keys that are missing,
//! names defined twice, ports that clash. What a single value may be is in `keys.rs`.

use super::diagnostic::{ConfigError, ConfigErrors, quote};
use super::document::{self, Document, Entry};
use super::keys::{Keys, Local, example};
use super::merge::{self, Merged};
use super::model::{Config, LocalAddr};
use super::own_address;
use super::place::{Place, SourceFile};
use super::resolved::Resolved;
use super::source::{self, Unreadable};
use super::value;
use super::warning;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Each is compared with each other one.
const MAX_TUNNELS: usize = 10_000;
/// More files than any team has; each is opened whenever one of them changes.
const MAX_FILES: usize = 100;

/// Where variables come from; a parameter so that tests have their own.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Which file is meant: the one that was named, `TUNNELS_CONFIG`, or the one in the user's configuration
/// folder.
pub fn find(named: Option<&Path>) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let path = named.map(Path::to_owned).or_else(|| set("TUNNELS_CONFIG").map(PathBuf::from)).or_else(|| {
        let folders = etcetera::base_strategy::Xdg::new().ok()?;
        Some(folders.config_dir().join("tunnels/config.toml"))
    })?;
    Some(std::path::absolute(&path).unwrap_or(path))
}

/// Reads a file and all it includes.
///
/// # Errors
/// Everything that is wrong, not only the first thing.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    resolve(path).map(|resolved| resolved.config)
}

/// As [`load`], with where each value comes from, and warnings.
///
/// # Errors
/// As [`load`].
pub fn resolve(path: &Path) -> Result<Resolved, ConfigErrors> {
    let mut loader = Loader::new(&|name| std::env::var(name).ok());
    loader.file(path, None, &Keys::default());
    loader.finish(path)
}

/// As [`resolve`], as if `text` stood in `file` already, which is `path` or one that it includes: judges an edit before
/// it is written.
///
/// # Errors
/// As [`load`].
pub fn resolve_edit(path: &Path, file: &Path, text: String) -> Result<Resolved, ConfigErrors> {
    let mut loader = Loader::new(&|name| std::env::var(name).ok());
    loader.edit = Some((canonical(file), text));
    loader.file(path, None, &Keys::default());
    loader.finish(path)
}

/// Checks a text as if it were the content of `path`; includes are followed.
///
/// # Errors
/// As [`load`].
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigErrors> {
    parse_with(path, text, &|name| std::env::var(name).ok()).map(|resolved| resolved.config)
}

pub(super) fn parse_with(path: &Path, text: &str, env: Env<'_>) -> Result<Resolved, ConfigErrors> {
    let mut loader = Loader::new(env);
    loader.files.push(path.to_owned());
    loader.text(path, text.to_owned(), &Keys::default());
    loader.finish(path)
}

/// What a tunnel wants for itself alone, and where that is written.
struct Claim {
    name: String,
    place: Place,
    local: Option<(LocalAddr, Place)>,
}

struct Loader<'a> {
    env: Env<'a>,
    /// What is to be taken for the content of a file, by its canonical path.
    edit: Option<(PathBuf, String)>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// By canonical path, so that files which include each other end.
    seen: Vec<PathBuf>,
    files: Vec<PathBuf>,
    tunnels: Vec<Entry>,
    /// Of those that are not whole as well: a clash shows beside their other mistakes.
    claims: Vec<Claim>,
}

impl<'a> Loader<'a> {
    fn new(env: Env<'a>) -> Self {
        Self {
            env,
            edit: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            seen: Vec::new(),
            files: Vec::new(),
            tunnels: Vec::new(),
            claims: Vec::new(),
        }
    }

    fn file(&mut self, path: &Path, included_at: Option<Place>, inherited: &Keys) {
        let canonical = canonical(path);
        if self.seen.contains(&canonical) {
            return;
        }
        if self.files.len() == MAX_FILES {
            let message = format!("more than {MAX_FILES} files are included");
            self.errors.push(ConfigError::new(message, included_at).help("join some of them"));
            return;
        }
        let edited = self.edit.take_if(|(file, _)| *file == canonical).map(|(_, text)| Ok(text));
        self.seen.push(canonical);
        self.files.push(path.to_owned());
        match edited.unwrap_or_else(|| source::read(path)) {
            Ok(text) => self.text(path, text, inherited),
            Err(Unreadable { message, help }) => {
                let is_pattern = path.to_string_lossy().contains(['*', '?']);
                let help = match (help, &included_at) {
                    (Some(help), _) => help,
                    (None, Some(_)) if is_pattern => "patterns are not expanded: name each file".to_owned(),
                    (None, Some(_)) => "create it, or take it out of `include`".to_owned(),
                    (None, None) => "create it, or name another with --config".to_owned(),
                };
                self.errors.push(ConfigError::new(message, included_at).help(help));
            }
        }
    }

    fn text(&mut self, path: &Path, text: String, inherited: &Keys) {
        let file = Arc::new(SourceFile::new(path.to_owned(), text));
        let document = document::read(&file, self.env, &mut self.errors);
        let Document { include, defaults, defaults_place, tunnels } = document;
        if let Some(place) = defaults_place.filter(|_| tunnels.is_empty() && include.is_empty()) {
            self.warnings.push(warning::unused_defaults(place));
        }
        let defaults = merge::inherit(defaults, inherited);
        for Entry { name, place, keys } in tunnels {
            if self.claims.len() == MAX_TUNNELS {
                self.errors.push(ConfigError::new(format!("there are more than {MAX_TUNNELS} tunnels"), Some(place)));
                break;
            }
            let keys = merge::inherit(keys, &defaults);
            self.tunnel(Entry { name, place, keys });
        }
        // A team file knows its neighbours, not the folder in which its reader happens to stand.
        let folder = path.parent().unwrap_or(Path::new("."));
        for (name, place) in include {
            self.file(&folder.join(name), Some(place), &defaults);
        }
    }

    fn tunnel(&mut self, entry: Entry) {
        let keys = &entry.keys;
        let missing: Vec<&str> =
            [("remote", keys.remote.is_none()), ("local", keys.local.is_none()), ("target", keys.target.is_none())]
                .into_iter()
                .filter(|(key, is_missing)| *is_missing && !keys.incomplete && !keys.wrong.contains(key))
                .map(|(key, _)| key)
                .collect();
        if !missing.is_empty() {
            let list: Vec<String> = missing.iter().map(|key| format!("no `{key}`")).collect();
            let list = match list.as_slice() {
                [one] => one.clone(),
                [all @ .., last] => format!("{} and {last}", all.join(", ")),
                [] => String::new(),
            };
            let message = format!("{} has {list}", quote(&entry.name));
            let lines = missing.iter().filter_map(|key| Some(format!("`{key} = {}`", example(key)?)));
            let mut help = format!("add {}", lines.collect::<Vec<_>>().join(", "));
            if missing.contains(&"target") {
                help.push_str("; a target for all tunnels can stand in [defaults]");
            }
            self.errors.push(ConfigError::new(message, Some(entry.place.clone())).help(help));
        }
        self.check_pings(keys);
        let local = match &keys.local {
            Some(Local::At(local)) => Some(local.clone()),
            _ => None,
        };
        let local = local.zip(place_of_local(keys));
        self.claim(Claim { name: entry.name.clone(), place: entry.place.clone(), local });
        self.tunnels.push(entry);
    }

    /// Gives those with `local = "auto"` their addresses: when all files are read, so that it is known what is taken.
    fn give_own_addresses(&mut self) {
        let loopback = |claim: &Claim| match claim.local.as_ref()?.0 {
            LocalAddr::Ip(addr) => Some(addr.ip()),
            _ => None,
        };
        let mut taken: BTreeSet<Ipv4Addr> = self
            .claims
            .iter()
            .filter_map(loopback)
            .filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None })
            .collect();
        let mut own: Vec<&mut Entry> =
            self.tunnels.iter_mut().filter(|entry| entry.keys.local == Some(Local::Own)).collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in own {
            let Some(remote) = &entry.keys.remote else { continue };
            let ip = own_address::of(&entry.name, |ip| taken.contains(&ip));
            taken.insert(ip);
            let local = LocalAddr::Ip((ip, remote.port).into());
            // Its address is nobody's, but somebody may want its port of all addresses.
            let rival = self.claims.iter().find_map(|claim| {
                let (theirs, place) = claim.local.as_ref()?;
                theirs.clashes(&local).then_some((&claim.name, place))
            });
            if let Some((rival, there)) = rival {
                self.errors.push(same_address(rival, &entry.name, place_of_local(&entry.keys), there));
            }
            entry.keys.local = Some(Local::At(local));
        }
    }

    /// A ping whose answer may take longer than the time to the next one would never be found unanswered.
    fn check_pings(&mut self, keys: &Keys) {
        let Some((timeout, written)) = keys.ping_timeout.zip(keys.written.get("ping_timeout")) else { return };
        let interval = keys.ping_interval.unwrap_or(merge::PING_INTERVAL);
        if timeout <= interval || keys.wrong.contains(&"ping_interval") {
            return;
        }
        let (timeout, interval) = (value::show(timeout), value::show(interval));
        let message = format!("`ping_timeout` ({timeout}) is longer than `ping_interval` ({interval})");
        let error = ConfigError::new(message, Some(written.place.clone())).help(format!("accepted: 1s to {interval}"));
        // In [defaults] it is wrong for every tunnel, and said once.
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn claim(&mut self, claim: Claim) {
        for other in &self.claims {
            match (&other.local, &claim.local) {
                _ if other.name == claim.name => {
                    let message = format!("{} is defined twice", quote(&claim.name));
                    let error = ConfigError::new(message, Some(claim.place.clone())).label("here again");
                    let error = error.help("give one of them another name, or remove it");
                    self.errors.push(error.other(other.place.clone(), "first here"));
                }
                (Some((theirs, there)), Some((ours, here))) if theirs.clashes(ours) => {
                    self.errors.push(same_address(&other.name, &claim.name, Some(here.clone()), there));
                }
                _ if other.name.eq_ignore_ascii_case(&claim.name) => {
                    self.warnings.push(warning::only_case_differs(&claim.place, &other.place));
                }
                _ => {}
            }
        }
        self.claims.push(claim);
    }

    fn finish(mut self, path: &Path) -> Result<Resolved, ConfigErrors> {
        self.give_own_addresses();
        if !self.errors.is_empty() {
            in_order(&mut self.errors, &self.files);
            return Err(ConfigErrors { errors: self.errors, files: self.files });
        }
        let mut warnings = self.warnings;
        let tunnels: Vec<Merged> = self.tunnels.into_iter().filter_map(merge::complete).collect();
        warnings.extend(warning::of(&tunnels));
        in_order(&mut warnings, &self.files);
        let (tunnels, written) = tunnels.into_iter().unzip();
        let config = Config { path: path.to_owned(), files: self.files, tunnels };
        Ok(Resolved { config, warnings, written })
    }
}

fn place_of_local(keys: &Keys) -> Option<Place> {
    keys.written.get("local").map(|written| written.place.clone())
}

fn same_address(first: &str, second: &str, here: Option<Place>, there: &Place) -> ConfigError {
    let message = format!("`{first}` and `{second}` want the same local address");
    let help = "give one of them another port, or another address such as 127.0.0.2";
    ConfigError::new(message, here).label("here again").help(help).other(there.clone(), "first here")
}

/// One that does not exist is known by its name.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// In the order of reading, files in the order in which they were opened.
fn in_order(errors: &mut [ConfigError], files: &[PathBuf]) {
    errors.sort_by_key(|error| {
        error.place.as_ref().map(|place| {
            let file = files.iter().position(|file| *file == place.file.path);
            (file, place.span().start)
        })
    });
}

#[cfg(test)]
mod any_text;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod tests;
