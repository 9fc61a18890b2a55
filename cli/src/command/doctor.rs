//! `tunnels doctor`: why tunnels do not work, the true cause first.

use super::config as configuration;
use super::version;
use super::{block_on_all_cores, interrupted, pick_from};
use crate::completion;
use crate::exit::Exit;
use crate::link::{self, differing_variables};
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tunnels_api::{ApiError, Check, Checkup, Client, Verdict, aws_environment};
use tunnels_aws::SdkConnector;
use tunnels_daemon::config::{self, Resolved, TunnelConfig};
use tunnels_doctor::{Case, DaemonSeen, Progress, Subject, examine};
use tunnels_tui::checkup::{self, Looking};

/// A daemon that answers later than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);
const FRAME: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
It checks the configuration, folders and daemon, the region, the way to AWS (DNS, proxy, TLS), the clock, credentials,
the local address, the target and its agent, and permissions. Then it opens a session for each tunnel, asks the remote
through it, and ends the session: this shows in CloudTrail, with the configured reason. Tunnels that the running daemon
has ready need none; protected ones are left out unless --yes is given; --no-session opens none at all.

It exits with 0 when nothing fails, 3 when the configuration is invalid, 6 when usable credentials are all that is
missing, else 1.

Examples:
  tunnels doctor                    examine all tunnels
  tunnels doctor orders-db          only this one
  tunnels doctor @prod --yes        also what is protected
  tunnels doctor --json | jq -r '.findings[0].text'";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// Names, @groups or globs; all tunnels if none is given
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::selectors))]
    select: Vec<String>,
    /// Open no session: neither permissions nor remotes are checked then
    #[arg(long)]
    no_session: bool,
    /// Open sessions on protected tunnels, too
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print one JSON value: {"findings": […]}, the worst first
    #[arg(long)]
    pub(crate) json: bool,
}

impl Doctor {
    pub(crate) fn run(self, named: Option<&Path>) -> Result<Exit, ApiError> {
        block_on_all_cores(async {
            let path = configuration::find(named)?;
            let case = Case {
                subject: self.subject(&path)?,
                places: link::places()?,
                daemon: daemon(&path).await,
                sessions: !self.no_session,
                protected: self.yes,
            };
            let checkup = match self.examine(&case).await {
                Ok(checkup) => checkup,
                Err(interrupted) => return Ok(interrupted),
            };
            if self.json {
                output::print_json(&checkup)?;
            } else {
                output::print(&checkup::render(&checkup, output::look()))?;
            }
            Ok(exit(&checkup))
        })
    }

    /// What the configuration is, and which of its tunnels are meant.
    fn subject(&self, path: &Path) -> Result<Subject, ApiError> {
        if let Err(missing) = configuration::must_exist(path) {
            return Ok(Subject::Missing { text: missing.message, next: missing.hint });
        }
        match config::resolve(path) {
            Err(errors) => Ok(Subject::Invalid(errors)),
            Ok(resolved) => Ok(Subject::Tunnels { picked: self.pick(&resolved)?, resolved }),
        }
    }

    fn pick(&self, resolved: &Resolved) -> Result<Vec<Arc<TunnelConfig>>, ApiError> {
        let tunnels = &resolved.config.tunnels;
        let known: Vec<(&str, &[String])> =
            tunnels.iter().map(|tunnel| (tunnel.name.as_str(), tunnel.groups.as_slice())).collect();
        let names = pick_from(&self.select, &known, "tunnels config show")?;
        Ok(tunnels.iter().filter(|tunnel| names.contains(&tunnel.name.as_str())).cloned().map(Arc::new).collect())
    }

    /// How it ends if it is interrupted; whatever it had opened is ended by then.
    async fn examine(&self, case: &Case) -> Result<Checkup, Exit> {
        let accounts = SdkConnector::from_env();
        let (progress, cancelled) = (Progress::default(), CancellationToken::new());
        let mut steps = progress.follow();
        let mut looking =
            (!self.json && output::is_watched()).then(|| Looking::new(io::stderr(), output::colors_errors()));
        let mut examination = pin!(examine(case, &accounts, &progress, &cancelled));
        let mut interrupt = pin!(interrupted());
        let mut frames = tokio::time::interval(FRAME);
        let ended = loop {
            tokio::select! {
                checkup = &mut examination => return Ok(checkup),
                exit = &mut interrupt => break exit,
                _ = frames.tick() => if let Some(looking) = &mut looking {
                    let step = steps.borrow_and_update().clone();
                    looking.draw(step.done, &step.running);
                }
            }
        };
        drop(looking);
        output::say("interrupted; sessions that were opened are being ended");
        cancelled.cancel();
        examination.await;
        Err(ended)
    }
}

/// The daemon that runs, if one does, seen from the configuration that is examined.
async fn daemon(path: &Path) -> Option<DaemonSeen> {
    let client = Client::new(link::places().ok()?.socket().ok()?);
    let asked = async { Some((client.version().await.ok()?, client.tunnels().await.ok()?)) };
    let (version, tunnels) = tokio::time::timeout(PATIENCE, asked).await.ok()??;
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let other_config = version.config.clone().filter(|theirs| same(Path::new(theirs)) != same(path));
    Some(DaemonSeen {
        skew: version::difference(&version),
        variables: differing_variables(&version.aws_environment, &aws_environment(std::env::vars_os())),
        other_config,
        tunnels: tunnels.tunnels,
        version,
    })
}

/// What a script learns.
fn exit(checkup: &Checkup) -> Exit {
    let failed = || checkup.findings.iter().filter(|finding| finding.verdict == Verdict::Fail);
    let all = |check| failed().all(|finding| finding.check == check);
    if failed().next().is_none() {
        Exit::Done
    } else if failed().any(|finding| finding.check == Check::Configuration) {
        Exit::Config
    } else if all(Check::Credentials) {
        Exit::NeedsLogin
    } else {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::Finding;

    #[test]
    fn the_exit_code_says_what_kind_of_trouble_it_is() {
        let of = |findings: Vec<Finding>| exit(&Checkup { findings });
        let login = || Finding::fail(Check::Credentials, "not logged in");
        assert_eq!(of(vec![Finding::ok(Check::Clock, "right"), Finding::warn(Check::Daemon, "old")]), Exit::Done);
        assert_eq!(of(vec![login(), Finding::skipped(Check::Target, "because")]), Exit::NeedsLogin);
        assert_eq!(of(vec![login(), Finding::fail(Check::Local, "taken")]), Exit::Failed);
        assert_eq!(of(vec![Finding::fail(Check::Configuration, "wrong")]), Exit::Config);
    }
}
