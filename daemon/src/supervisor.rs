//! Name → tunnel: applies what users want to the tunnels they mean.
//!
//! Owns the handles. It awaits nothing: a tunnel's own trouble never reaches another.

use crate::config::{Config, ConfigChange, TunnelConfig, diff};
use crate::tunnel::{Busy, Surroundings, TunnelHandle};
use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tunnels_api::{ApiError, ErrorCode, Reloaded, Selector, TargetState, Timestamp};

#[derive(Debug)]
pub(crate) struct Supervisor {
    config: Config,
    /// In the order of the configuration.
    tunnels: Vec<TunnelHandle>,
    /// Tunnels that have left the configuration and let their connections come to an end.
    leaving: JoinSet<()>,
    around: Surroundings,
}

impl Supervisor {
    /// Starts a task for every tunnel; those that were wanted when the last daemon ended come up.
    /// With what users gave as reasons, where another daemon has handed that over.
    pub(crate) fn new(config: Config, around: Surroundings, reasons: &BTreeMap<String, String>) -> Self {
        around.state.keep_wanted(|name| config.tunnels.iter().any(|tunnel| tunnel.name == name));
        let mut supervisor = Self { tunnels: Vec::new(), leaving: JoinSet::new(), around, config };
        for tunnel in supervisor.config.tunnels.clone() {
            let wanted = supervisor.around.state.wanted(&tunnel.name).unwrap_or(TargetState::Down);
            let reason = reasons.get(&tunnel.name).map(String::as_str);
            supervisor.add(tunnel, wanted, reason);
        }
        supervisor
    }

    /// What another daemon has handed over is ours from here on, and what of it no tunnel wants is closed.
    pub(crate) fn own_doors(&self) {
        let is_wanted = |tunnel: &&TunnelConfig| self.around.state.wanted(&tunnel.name) == Some(TargetState::Up);
        self.around.doors.own(self.config.tunnels.iter().filter(is_wanted).map(|tunnel| &tunnel.local));
    }

    /// What users gave as reasons of tunnels that are up.
    pub(crate) fn reasons(&self) -> BTreeMap<String, String> {
        let given = |handle: &TunnelHandle| Some((handle.config().name.clone(), handle.reason()?.to_owned()));
        self.tunnels.iter().filter_map(given).collect()
    }

    /// Applies an edit by its differences; tunnels that it does not touch do not notice. What is answered is
    /// true once the future is ready: each tunnel takes its own change over. That of an earlier edit counts: who
    /// asks for what the watcher has just seen finds no difference any more.
    pub(crate) fn apply(
        &mut self,
        next: Config,
        read: Timestamp,
    ) -> (Reloaded, impl Future<Output = ()> + Send + use<>) {
        while self.leaving.try_join_next().is_some() {}
        let mut done = Reloaded::default();
        for change in diff(&self.config, &next) {
            match change {
                ConfigChange::Add(tunnel) => {
                    done.added.push(tunnel.name.clone());
                    // What was wanted of one that left and is back still holds. `protected` means: not without
                    // being asked.
                    let by_itself = if tunnel.auto && !tunnel.protected { TargetState::Up } else { TargetState::Down };
                    let wanted = self.around.state.wanted(&tunnel.name).unwrap_or(by_itself);
                    if wanted == TargetState::Up {
                        self.around.state.want(&tunnel.name, wanted);
                    }
                    self.add(tunnel, wanted, None);
                }
                ConfigChange::Remove(name) => {
                    self.remove(&name);
                    done.removed.push(name);
                }
                ConfigChange::Update(tunnel, impact) => {
                    let Some(handle) = self.tunnels.iter().find(|handle| handle.config().name == tunnel.name) else {
                        continue;
                    };
                    done.changed.push(tunnel.name.clone());
                    if impact.restarts() && handle.wanted() == TargetState::Up {
                        done.restarted.push(tunnel.name.clone());
                    }
                    handle.reconfigure(tunnel);
                }
            }
        }
        self.config = next;
        let order: Vec<&str> = self.config.tunnels.iter().map(|tunnel| tunnel.name.as_str()).collect();
        self.tunnels.sort_by_key(|handle| order.iter().position(|name| *name == handle.config().name));
        self.around.board.config_loaded(&order, read);
        (done, join_all(self.tunnels.iter().map(TunnelHandle::up_to_date)).map(drop))
    }

    fn add(&mut self, tunnel: TunnelConfig, wanted: TargetState, reason: Option<&str>) {
        let mut handle = TunnelHandle::spawn(tunnel, self.around.clone());
        if wanted == TargetState::Up {
            // Its queue is empty: it has just been made.
            let _ = handle.up(reason);
        }
        self.tunnels.push(handle);
    }

    fn remove(&mut self, name: &str) {
        let Some(at) = self.tunnels.iter().position(|handle| handle.config().name == name) else { return };
        let handle = self.tunnels.remove(at);
        self.around.board.remove(name);
        self.leaving.spawn(handle.stop(self.around.drain));
    }

    /// Wants tunnels up; none named means all with `auto`. A reason is recorded with their sessions.
    pub(crate) fn up(&mut self, select: &[String], reason: Option<&str>) -> Result<Vec<String>, ApiError> {
        let bare = select.is_empty();
        // Whoever asks means now, whatever AWS has said to others a moment ago.
        self.around.aws.credentials_may_be_others();
        self.each(select, |handle| !bare || handle.config().auto, |handle| handle.up(reason))
    }

    /// Wants tunnels down; none named means all.
    pub(crate) fn down(&mut self, select: &[String]) -> Result<Vec<String>, ApiError> {
        self.each(select, |_| true, TunnelHandle::down)
    }

    /// Takes tunnels down and up; none named means all that are wanted up.
    pub(crate) fn restart(&mut self, select: &[String]) -> Result<Vec<String>, ApiError> {
        let bare = select.is_empty();
        self.around.aws.credentials_may_be_others();
        self.each(select, |handle| !bare || handle.wanted() == TargetState::Up, TunnelHandle::restart)
    }

    /// Ends all tunnels side by side; returns when their sessions are terminated.
    pub(crate) async fn stop(self, drain: Duration) {
        let Self { tunnels, leaving, around, .. } = self;
        let mut ended = pin!(join(join_all(tunnels.into_iter().map(|handle| handle.stop(drain))), leaving.join_all()));
        if timeout(drain, &mut ended).await.is_err() {
            // What an edit has retired has no more time than the rest.
            around.hurry.cancel();
            ended.await;
        }
    }

    fn each(
        &mut self,
        select: &[String],
        included: impl Fn(&TunnelHandle) -> bool,
        act: impl Fn(&mut TunnelHandle) -> Result<(), Busy>,
    ) -> Result<Vec<String>, ApiError> {
        let known: Vec<(&str, &[String])> =
            self.config.tunnels.iter().map(|tunnel| (tunnel.name.as_str(), tunnel.groups.as_slice())).collect();
        let picked: Vec<String> = Selector::pick(select, &known)
            .map_err(|error| {
                let hint = error.similar.as_ref().map_or_else(
                    || "`tunnels ls` shows all there are".to_owned(),
                    |similar| format!("did you mean `{similar}`?"),
                );
                ApiError::new(ErrorCode::NoSuchTunnel, error.to_string()).with_hint(hint)
            })?
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut names = Vec::with_capacity(picked.len());
        let mut busy = Vec::new();
        for handle in &mut self.tunnels {
            if picked.contains(&handle.config().name) && included(handle) {
                let taken = act(handle);
                let name = &handle.config().name;
                match taken {
                    Ok(()) => {
                        self.around.state.want(name, handle.wanted());
                        names.push(name.clone());
                    }
                    Err(Busy) => busy.push(format!("`{name}`")),
                }
            }
        }
        if busy.is_empty() { Ok(names) } else { Err(takes_none(&busy)) }
    }
}

fn takes_none(busy: &[String]) -> ApiError {
    let text = format!("{} took no command: too many came at once", busy.join(", "));
    ApiError::new(ErrorCode::Failed, text)
        .with_hint("run it again; if that does not help, `tunnels stop` and start anew")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fake::FakeAws;
    use crate::doors::{Doors, Socket};
    use crate::state::StateFile;
    use crate::status::StatusBoard;
    use crate::tunnel::{Allowances, Nudges, Turns};
    use std::path::Path;
    use std::sync::Arc;
    use tokio::net::UnixListener;
    use tokio_util::sync::CancellationToken;
    use tunnels_api::{TunnelState, TunnelStatus};

    /// A daemon that was handed the sockets `wanted` and `other` of `folder`, and whose configuration has the first only.
    fn heir(folder: &Path) -> (Supervisor, Surroundings) {
        heir_of_used(folder, || ())
    }

    /// The same, of sockets that somebody uses before the daemon begins.
    fn heir_of_used(folder: &Path, used: impl FnOnce()) -> (Supervisor, Surroundings) {
        let (old, doors, path) = (Doors::default(), Doors::default(), |name: &str| folder.join(name));
        let bound = ["wanted", "other"].map(|name| Arc::new(Socket::Unix(UnixListener::bind(path(name)).unwrap())));
        old.opened(&bound);
        for file in old.files().unwrap() {
            doors.inherit(file).unwrap();
        }
        let state = StateFile::open(&path("state"), Path::new("/s")).unwrap();
        state.want("a", TargetState::Up);
        let around = Surroundings {
            aws: Arc::new(FakeAws::default()),
            board: StatusBoard::new(Timestamp::UNIX_EPOCH),
            state,
            turns: Turns::default(),
            doors,
            nudges: Nudges::new(),
            allowances: Allowances::default(),
            drain: Duration::ZERO,
            hurry: CancellationToken::new(),
        };
        let local = path("wanted");
        let text = format!(
            "[tunnels.a]\nremote = 1\nlocal = \"unix:{}\"\ntarget = \"i-01234567\"\nopen = \"on-demand\"\n",
            local.display()
        );
        let config = crate::config::parse(Path::new("c"), &text).unwrap();
        used();
        (Supervisor::new(config, around.clone(), &BTreeMap::new()), around)
    }

    async fn listens(around: &Surroundings) {
        let mut news = around.board.subscribe();
        while around.board.tunnel("a").unwrap().state != TunnelState::Listening {
            timeout(Duration::from_secs(20), news.events.recv()).await.expect("it listens").unwrap();
        }
    }

    #[tokio::test]
    async fn until_a_daemon_serves_the_paths_that_it_was_handed_are_the_other_one_s() {
        let folder = tempfile::tempdir().unwrap();
        let (supervisor, around) = heir(folder.path());
        listens(&around).await;
        // It comes to nothing: the other one goes on, and is to be found.
        supervisor.stop(Duration::ZERO).await;
        assert!(folder.path().join("wanted").exists() && folder.path().join("other").exists());
    }

    /// Two threads: one accepts while the other has not yet heard that the tunnel listens.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_connection_that_the_other_daemon_has_left_waiting_is_not_turned_away() {
        for _ in 0..100 {
            let folder = tempfile::tempdir().unwrap();
            let mut waits = None;
            let (supervisor, around) = heir_of_used(folder.path(), || {
                waits = Some(std::os::unix::net::UnixStream::connect(folder.path().join("wanted")).unwrap());
            });
            let mut news = around.board.subscribe();
            let is_woken = |status: TunnelStatus| {
                !matches!(status.state, TunnelState::Listening | TunnelState::Down) && status.streams == 1
            };
            while !is_woken(around.board.tunnel("a").unwrap()) {
                timeout(Duration::from_secs(20), news.events.recv()).await.expect("the connection wakes it").unwrap();
            }
            supervisor.stop(Duration::ZERO).await;
        }
    }

    #[tokio::test]
    async fn a_daemon_that_serves_removes_paths_that_no_tunnel_wants_and_the_rest_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (supervisor, around) = heir(folder.path());
        listens(&around).await;
        supervisor.own_doors();
        assert!(folder.path().join("wanted").exists() && !folder.path().join("other").exists());
        supervisor.stop(Duration::ZERO).await;
        assert!(!folder.path().join("wanted").exists());
    }
}
