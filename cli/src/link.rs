//! The way from a command to the daemon: which socket, whether it is the right daemon, starting one.
//!
//! A command that names a configuration and finds a daemon with another one changes nothing.

use crate::command::{config as configuration, version};
use crate::{output, services, spawn};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tunnels_api::{ApiError, Client, ClientError, DaemonVersion, ErrorCode, Places, Timestamp, aws_environment};

/// Where the daemon is, and which configuration the user means.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) places: Places,
    pub(crate) client: Client,
    /// The configuration that was named; none means whichever the daemon has.
    config: Option<PathBuf>,
    /// Whether to say that the daemon is of another version.
    notes: bool,
}

impl Link {
    pub(crate) fn new(config: Option<PathBuf>) -> Result<Self, ApiError> {
        let places = places()?;
        let socket = places
            .socket()
            .map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()).with_hint(error.hint()))?;
        // The daemon has another working directory.
        let config = config.map(|path| std::path::absolute(&path).unwrap_or(path));
        Ok(Self { places, client: Client::new(socket), config, notes: true })
    }

    /// Whether it may say something beside what was asked for: not to a program that reads JSON.
    pub(crate) fn with_notes(self, notes: bool) -> Self {
        Self { notes, ..self }
    }

    /// The configuration that was named.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// A client for the daemon that runs, after a look at whether it is the one that is meant.
    pub(crate) async fn running(&self) -> Result<&Client, ApiError> {
        let daemon = self.client.version().await.map_err(|error| self.without_daemon(error))?;
        self.check_config(&daemon)?;
        self.note_skew(&daemon);
        self.catch_up(&daemon, false).await;
        Ok(&self.client)
    }

    /// The same, starting a daemon if none runs; says so if it has other AWS variables than we do.
    pub(crate) async fn started(&self) -> Result<&Client, ApiError> {
        match self.client.version().await {
            Ok(daemon) => {
                self.check_config(&daemon)?;
                self.note_skew(&daemon);
                if self.catch_up(&daemon, true).await.is_some() {
                    output::say(
                        "note: the last edit of the configuration was rejected, and the one before it is in force; `tunnels config check` says what is wrong",
                    );
                }
                let shell = aws_environment(std::env::vars_os());
                if let Some(note) = environment_note(&daemon, &shell) {
                    output::say(&note);
                }
            }
            Err(error) if error.is_unreachable() => {
                self.start().await?;
                let daemon = self.client.version().await?;
                self.check_config(&daemon)?;
                output::say(&format!("started the daemon (pid {})", daemon.pid));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(&self.client)
    }

    /// Starts a daemon where none runs: the service, if it is installed.
    pub(crate) async fn start(&self) -> Result<(), ApiError> {
        if services::started(&self.places) {
            return Ok(());
        }
        spawn::daemon(&self.places, &self.client, self.config.as_deref(), None).await
    }

    /// Makes the daemon read a file that was written after it last did: it watches, but whoever edits and then
    /// asks may be faster. Which files are included only the daemon knows, so `with_includes` makes it read them in
    /// any case. Returns the report on an edit that it rejected.
    async fn catch_up(&self, daemon: &DaemonVersion, with_includes: bool) -> Option<String> {
        if let (Some(config), Some(loaded)) = (&daemon.config, daemon.config_loaded)
            && (with_includes || is_newer(Path::new(config), loaded))
        {
            // What comes of it is in the next answer.
            let _ = self.client.reload().await;
            return self.client.version().await.ok()?.config_error;
        }
        daemon.config_error.clone()
    }

    /// What a command came to; a tunnel that is not known may be in an edit that was rejected.
    pub(crate) async fn explained<T, E: Into<ApiError>>(
        &self,
        command: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let error = match command.await {
            Ok(done) => return Ok(done),
            Err(error) => error.into(),
        };
        if error.code != ErrorCode::NoSuchTunnel {
            return Err(error);
        }
        let rejected = self.client.version().await.is_ok_and(|daemon| daemon.config_error.is_some());
        if rejected {
            return Err(error.with_hint(
                "the last edit of the configuration was rejected: `tunnels config check` says what is wrong",
            ));
        }
        Err(error)
    }

    fn note_skew(&self, daemon: &DaemonVersion) {
        if let Some(note) = version::skew(daemon).filter(|_| self.notes) {
            output::say(&format!("note: {note}"));
        }
    }

    /// Where no daemon runs because there is nothing yet that it could run with, the first step is another.
    fn without_daemon(&self, error: ClientError) -> ApiError {
        let is_unreachable = error.is_unreachable();
        let error = ApiError::from(error);
        match configuration::find(self.config.as_deref()).and_then(|path| configuration::must_exist(&path)) {
            Err(missing) if is_unreachable => match missing.hint {
                Some(hint) => {
                    ApiError::new(error.code, format!("{}, and {}", error.message, missing.message)).with_hint(hint)
                }
                None => error,
            },
            _ => error,
        }
    }

    fn check_config(&self, daemon: &DaemonVersion) -> Result<(), ApiError> {
        let (Some(ours), Some(theirs)) = (&self.config, &daemon.config) else { return Ok(()) };
        let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if same(ours) == same(Path::new(theirs)) {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::ConfigMismatch,
            format!(
                "the running daemon (pid {}) has the configuration {theirs}, and this command names {}; nothing was changed",
                daemon.pid,
                ours.display(),
            ),
        )
        .with_hint(format!(
            "name that one with --config or TUNNELS_CONFIG, or end its daemon first: tunnels --config {theirs} stop"
        )))
    }
}

fn is_newer(file: &Path, than: Timestamp) -> bool {
    let modified = file.metadata().and_then(|found| found.modified()).ok();
    modified.and_then(|at| Timestamp::try_from(at).ok()).is_some_and(|at| at > than)
}

/// Where socket and state are.
pub(crate) fn places() -> Result<Places, ApiError> {
    Places::from_env().map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()).with_hint(error.hint()))
}

/// What to say when the shell's AWS variables are not the daemon's; it cannot take them over, because
/// its open sessions were made with its own.
fn environment_note(daemon: &DaemonVersion, shell: &BTreeMap<String, String>) -> Option<String> {
    let differing = differing_variables(&daemon.aws_environment, shell);
    let why = if daemon.service.is_some() { "is a service with" } else { "was started from a shell with" };
    (!differing.is_empty()).then(|| {
        format!(
            "note: the daemon {why} other AWS variables, and keeps those:\n  {}\n  {}",
            differing.join("\n  "),
            daemon.way_to_variables()
        )
    })
}

/// How the shell's AWS variables differ from the daemon's, each in words.
pub(crate) fn differing_variables(daemon: &BTreeMap<String, String>, shell: &BTreeMap<String, String>) -> Vec<String> {
    // A daemon in the background has them like that; one in the foreground as they were written.
    let absolute: BTreeMap<&str, PathBuf> = spawn::absolute_files(|name| shell.get(name).map(OsString::from)).collect();
    let is_same = |name: &String| {
        let theirs = daemon.get(name);
        theirs == shell.get(name)
            || theirs.zip(absolute.get(name.as_str())).is_some_and(|(theirs, ours)| Path::new(theirs) == ours)
    };
    daemon
        .keys()
        .chain(shell.keys().filter(|name| !daemon.contains_key(*name)))
        .filter(|name| !is_same(name))
        .map(|name| {
            let value = |vars: &BTreeMap<String, String>| {
                vars.get(name).map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"))
            };
            format!("{name} is {} here and {} in the daemon", value(shell), value(daemon))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn daemon_with(aws_environment: BTreeMap<String, String>, service: Option<&str>) -> DaemonVersion {
        DaemonVersion {
            version: "0.1.0".into(),
            commit: None,
            pid: 7,
            socket: "/r/daemon.sock".into(),
            config: None,
            config_loaded: None,
            config_error: None,
            aws_environment,
            service: service.map(str::to_owned),
        }
    }

    #[test]
    fn a_file_that_was_written_later_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(2)).unwrap();
        let second = |second| Timestamp::from_second(second).unwrap();
        assert!(is_newer(&path, second(1)) && !is_newer(&path, second(2)));
        assert!(!is_newer(&folder.path().join("gone"), second(1)));
    }

    #[test]
    fn only_differing_variables_are_told_with_the_mend() {
        let has = vars(&[("AWS_PROFILE", "dev"), ("AWS_REGION", "eu-west-1")]);
        let daemon = daemon_with(has.clone(), None);
        assert_eq!(environment_note(&daemon, &has), None);
        let shell = vars(&[("AWS_PROFILE", "prod"), ("AWS_REGION", "eu-west-1"), ("AWS_CA_BUNDLE", "/ca")]);
        let note = environment_note(&daemon, &shell).unwrap();
        assert!(note.contains("AWS_PROFILE is `prod` here and `dev` in the daemon"), "{note}");
        assert!(note.contains("AWS_CA_BUNDLE is `/ca` here and not set in the daemon"), "{note}");
        assert!(!note.contains("AWS_REGION"), "{note}");
        assert!(note.contains("tunnels daemon --takeover"), "{note}");
        for (service, place) in [("tunnels.service", "/tunnels/environment"), ("tunnels.daemon", "launchctl setenv")] {
            let note = environment_note(&daemon_with(has.clone(), Some(service)), &shell).unwrap();
            assert!(note.contains("is a service") && note.contains(place), "{note}");
            assert!(!note.contains("this shell's"), "{note}");
        }
    }

    #[test]
    fn a_file_that_the_daemon_was_given_by_its_absolute_path_is_no_difference() {
        let absolute = std::path::absolute("certs/ca.pem").unwrap();
        let has = vars(&[("AWS_CA_BUNDLE", absolute.to_str().unwrap()), ("AWS_CONFIG_FILE", "~/aws")]);
        let daemon = daemon_with(has, None);
        let shell = |path| vars(&[("AWS_CA_BUNDLE", path), ("AWS_CONFIG_FILE", "~/aws")]);
        assert_eq!(environment_note(&daemon, &shell("certs/ca.pem")), None);
        let note = environment_note(&daemon, &shell("other/ca.pem")).unwrap();
        assert!(note.contains("AWS_CA_BUNDLE is `other/ca.pem` here"), "{note}");
    }

    #[test]
    fn another_configuration_is_refused_and_both_are_named() {
        let link = |config: Option<&str>| Link {
            places: Places { runtime_dir: "/r".into(), state_dir: "/s".into() },
            client: Client::new("/r/daemon.sock"),
            config: config.map(PathBuf::from),
            notes: true,
        };
        let daemon = DaemonVersion { config: Some("/home/ada/theirs.toml".into()), ..daemon_with(vars(&[]), None) };
        let error = link(Some("/home/ada/ours.toml")).check_config(&daemon).unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigMismatch);
        for part in ["/home/ada/theirs.toml", "/home/ada/ours.toml", "nothing was changed"] {
            assert!(error.message.contains(part), "{}", error.message);
        }
        link(Some("/home/ada/theirs.toml")).check_config(&daemon).unwrap();
        link(None).check_config(&daemon).unwrap();
    }
}
