//! Files into a checked [`Config`], or everything that is wrong with them.
//!
//! Finds and reads the files, follows includes, fills in defaults and checks what only shows when all is
//! seen: names defined twice, ports that clash. What a single value may be is in `keys.rs`.

use super::diagnostic::{ConfigError, ConfigErrors, Place, SourceFile};
use super::keys::{self, Document, Entry, Keys};
use super::model::{Config, KeepAlive, LocalAddr, Probe, TunnelConfig};
use super::value::expand;
use crate::aws::{AwsScope, Endpoints};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const PARK_AFTER: Duration = Duration::from_mins(15);
const HOLD: Duration = Duration::from_secs(30);
const MAX_SESSIONS: u8 = 4;

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
    let mut loader = Loader::new(&|name| std::env::var(name).ok());
    loader.file(path, None, &Keys::default());
    loader.finish(path)
}

/// Checks a text as if it were the content of `path`; includes are followed.
///
/// # Errors
/// As [`load`].
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigErrors> {
    let mut loader = Loader::new(&|name| std::env::var(name).ok());
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
    errors: Vec<ConfigError>,
    /// By canonical path, so that files which include each other end.
    seen: Vec<PathBuf>,
    files: Vec<PathBuf>,
    tunnels: Vec<TunnelConfig>,
    /// Of those that are not whole as well: a clash shows beside their other mistakes.
    claims: Vec<Claim>,
}

impl<'a> Loader<'a> {
    fn new(env: Env<'a>) -> Self {
        Self { env, errors: Vec::new(), seen: Vec::new(), files: Vec::new(), tunnels: Vec::new(), claims: Vec::new() }
    }

    fn file(&mut self, path: &Path, included_at: Option<Place>, inherited: &Keys) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.seen.contains(&canonical) {
            return;
        }
        self.seen.push(canonical);
        self.files.push(path.to_owned());
        if let Err(why) = trusted(path) {
            self.whole_file(path, included_at, why);
            return;
        }
        match std::fs::read_to_string(path) {
            Ok(text) => self.text(path, text, inherited),
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                let help = (error.kind() == std::io::ErrorKind::NotFound)
                    .then(|| "create it, or name another with --config".to_owned())
                    .filter(|_| included_at.is_none());
                self.whole_file(path, included_at, (message, help));
            }
        }
    }

    fn whole_file(&mut self, _path: &Path, place: Option<Place>, why: (String, Option<String>)) {
        self.errors.push(ConfigError { message: why.0, place, label: String::new(), other: None, help: why.1 });
    }

    fn text(&mut self, path: &Path, text: String, inherited: &Keys) {
        let file = Arc::new(SourceFile { path: path.to_owned(), text });
        let Document { include, defaults, tunnels } = keys::read(&file, self.env, &mut self.errors);
        let defaults = or(defaults, inherited);
        for entry in tunnels {
            self.tunnel(entry, &defaults);
        }
        for (name, place) in include {
            // A team file knows its neighbours, not the folder in which its reader happens to stand.
            let folder = path.parent().unwrap_or(Path::new("."));
            let target = folder.join(expand(&name, self.env).unwrap_or(name));
            self.file(&target, Some(place), &defaults);
        }
    }

    fn tunnel(&mut self, entry: Entry, defaults: &Keys) {
        let Entry { name, place, keys } = entry;
        let wrong = keys.wrong.clone();
        let written = |key| wrong.contains(&key) || defaults.wrong.contains(&key);
        let keys = or(keys, defaults);
        for (key, missing, example) in [
            ("remote", keys.remote.is_none(), "remote = \"host:port\""),
            ("local", keys.local.is_none(), "local = 15432"),
            ("target", keys.target.is_none(), "target = \"i-…\", here or in [defaults]"),
        ] {
            if missing && !written(key) {
                self.errors.push(ConfigError {
                    message: format!("`{name}` has no `{key}`"),
                    place: Some(place.clone()),
                    label: String::new(),
                    other: None,
                    help: Some(format!("add `{example}`")),
                });
            }
        }
        self.claim(Claim { name: name.clone(), place, local: keys.local.clone() });
        let (Some(remote), Some((local, _)), Some(targets)) = (keys.remote, keys.local, keys.target) else {
            return;
        };
        let tunnel = TunnelConfig {
            name,
            probe: keys.probe.flatten().unwrap_or_else(|| Probe::guess(remote.port)),
            remote,
            local,
            targets,
            scope: AwsScope { profile: keys.profile, region: keys.region, endpoints: keys.endpoints },
            groups: keys.groups.unwrap_or_default(),
            auto: keys.auto.unwrap_or(true),
            on_demand: keys.on_demand.unwrap_or(false),
            park_after: keys.park_after.unwrap_or(Some(PARK_AFTER)),
            keep_alive: keys.keep_alive.unwrap_or(KeepAlive::Policy),
            hold: keys.hold.unwrap_or(HOLD),
            max_sessions: keys.max_sessions.unwrap_or(MAX_SESSIONS),
            document: keys.document,
            reason: keys.reason,
            protected: keys.protected.unwrap_or(false),
        };
        self.tunnels.push(tunnel);
    }

    fn claim(&mut self, claim: Claim) {
        for other in &self.claims {
            let (message, here, there) = match (&other.local, &claim.local) {
                _ if other.name == claim.name => {
                    (format!("`{}` is defined twice", claim.name), &claim.place, &other.place)
                }
                (Some((theirs, there)), Some((ours, here))) if theirs.clashes(ours) => {
                    let message = format!("`{}` and `{}` want the same local address", other.name, claim.name);
                    (message, here, there)
                }
                _ => continue,
            };
            self.errors.push(ConfigError {
                message,
                place: Some(here.clone()),
                label: "here again".into(),
                other: Some((there.clone(), "first here".into())),
                help: None,
            });
        }
        self.claims.push(claim);
    }

    fn finish(mut self, path: &Path) -> Result<Config, ConfigErrors> {
        if !self.errors.is_empty() {
            // In the order of reading, files in the order in which they were opened.
            let files = self.files;
            self.errors.sort_by_key(|error| {
                error.place.as_ref().map(|place| {
                    let file = files.iter().position(|file| *file == place.file.path);
                    (file, place.span.start)
                })
            });
            return Err(ConfigErrors { errors: self.errors, files });
        }
        Ok(Config { path: path.to_owned(), files: self.files, tunnels: self.tunnels })
    }
}

/// What is written, else what is inherited.
fn or(keys: Keys, inherited: &Keys) -> Keys {
    let base = inherited.clone();
    Keys {
        remote: keys.remote,
        local: keys.local,
        target: keys.target.or(base.target),
        profile: keys.profile.or(base.profile),
        region: keys.region.or(base.region),
        endpoints: Endpoints {
            ssm: keys.endpoints.ssm.or(base.endpoints.ssm),
            ssmmessages: keys.endpoints.ssmmessages.or(base.endpoints.ssmmessages),
            kms: keys.endpoints.kms.or(base.endpoints.kms),
            sts: keys.endpoints.sts.or(base.endpoints.sts),
        },
        groups: keys.groups.or(base.groups),
        auto: keys.auto.or(base.auto),
        on_demand: keys.on_demand.or(base.on_demand),
        park_after: keys.park_after.or(base.park_after),
        keep_alive: keys.keep_alive.or(base.keep_alive),
        hold: keys.hold.or(base.hold),
        max_sessions: keys.max_sessions.or(base.max_sessions),
        probe: keys.probe.or(base.probe),
        document: keys.document.or(base.document),
        reason: keys.reason.or(base.reason),
        protected: keys.protected.or(base.protected),
        wrong: [keys.wrong, base.wrong].concat(),
    }
}

/// A file that others may write could make this user's daemon listen and connect as they like.
fn trusted(path: &Path) -> Result<(), (String, Option<String>)> {
    use std::os::unix::fs::PermissionsExt as _;
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    for (path, sticky_is_fine) in [(Some(path), false), (folder, true)] {
        let Some((path, Ok(meta))) = path.map(|path| (path, path.metadata())) else {
            continue;
        };
        let mode = meta.permissions().mode();
        if mode & OTHERS_WRITE != 0 && !(sticky_is_fine && mode & STICKY != 0) {
            let path = path.display();
            return Err((
                format!("{path} can be written by every user of this machine"),
                Some(format!("run `chmod o-w {path}`")),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
