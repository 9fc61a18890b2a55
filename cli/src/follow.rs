//! Follows tunnels until they are where they should be, or never will be.
//!
//! Subscribe first, then send the command, then wait: so no step is missed. Used by every command
//! that waits, and tells meanwhile how it goes; what a verdict means for the exit code is `Ending`'s.

use crate::exit::Exit;
use crate::output;
use std::collections::BTreeSet;
use std::io::Stderr;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tunnels_api::{
    ApiError, Client, DaemonEvent, ErrorCode, Events, TargetState, Timestamp, TunnelState, TunnelStatus,
};
use tunnels_tui::model::{Change, Model};
use tunnels_tui::progress::{self, Progress};
use tunnels_tui::text;

/// A tunnel that had failed before the command, and says nothing new for so long after it, is taken
/// at its word: the daemon has long handled the command by then.
const STALE: Duration = Duration::from_millis(300);

/// So many names are listed in an error; more are counted.
const MOST_NAMES: usize = 8;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The tunnel carries, or will with the first connection.
    Up,
    /// Exactly this state.
    State(TunnelState),
}

/// What one tunnel's status means for a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Reached,
    Pending,
    NeedsLogin,
    Failed,
}

impl Goal {
    fn judge(self, tunnel: &TunnelStatus) -> Verdict {
        let reached = match self {
            Self::Up => matches!(tunnel.state, TunnelState::Ready | TunnelState::Listening),
            // A daemon that starts shows those that it is about to bring up as down for a moment.
            Self::State(TunnelState::Down) => tunnel.state == TunnelState::Down && tunnel.wanted == TargetState::Down,
            Self::State(state) => tunnel.state == state,
        };
        match tunnel.state {
            _ if reached => Verdict::Reached,
            _ if self == Self::State(TunnelState::Down) => Verdict::Pending,
            TunnelState::NeedsLogin => Verdict::NeedsLogin,
            // What is not wanted up failed before, and is not being tried.
            TunnelState::Failed if tunnel.wanted == TargetState::Up => Verdict::Failed,
            _ => Verdict::Pending,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Up => "ready",
            Self::State(state) => state.as_str(),
        }
    }
}

/// When one tunnel has failed or needs a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtTrouble {
    /// The wait is over: it cannot come to a good end.
    Stop,
    /// See first what becomes of the others.
    GoOn,
}

/// How the wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Reached,
    /// These failed for good.
    Failed(Vec<String>),
    /// These cannot go on without a login.
    NeedsLogin(Vec<String>),
    /// These are not there yet.
    TimedOut(Vec<String>),
}

impl Ending {
    /// The exit code, or the error that says which tunnels did not make it.
    pub(crate) fn into_exit(self, goal: Goal, limit: Duration) -> Result<Exit, ApiError> {
        let (code, names, what) = match self {
            Self::Reached => return Ok(Exit::Done),
            Self::Failed(names) => (ErrorCode::TunnelFailed, names, "failed".to_owned()),
            Self::NeedsLogin(names) => {
                let verb = if names.len() == 1 { "needs" } else { "need" };
                (ErrorCode::NeedsLogin, names, format!("{verb} a login"))
            }
            Self::TimedOut(names) => {
                let verb = if names.len() == 1 { "is" } else { "are" };
                let text = format!("{verb} not {} after {}", goal.word(), tunnels_tui::units::span(limit));
                (ErrorCode::TimedOut, names, text)
            }
        };
        let hint = match (code, names.as_slice()) {
            (_, [name]) => format!("tunnels status {name}"),
            _ => "tunnels ls".to_owned(),
        };
        Err(ApiError::new(code, format!("{} {what}", text::names(&names, MOST_NAMES))).with_hint(hint))
    }
}

/// A subscription that knows what it has seen.
#[derive(Debug)]
pub(crate) struct Follower {
    client: Client,
    events: Events,
    model: Model,
    /// Tunnels about which something was said after the subscription.
    heard: BTreeSet<String>,
    /// Whether a tunnel that was ready at the subscription counts as ready without further news.
    ready_counts: bool,
    progress: Progress<Stderr>,
}

impl Follower {
    /// Subscribes; what there is now counts as old news.
    pub(crate) async fn subscribe(client: &Client) -> Result<Self, ApiError> {
        let mut follower = Self {
            client: client.clone(),
            events: client.events().await?,
            model: Model::new(&[]),
            heard: BTreeSet::new(),
            ready_counts: true,
            progress: output::progress(),
        };
        let snapshot = follower.hear().await?;
        follower.model.apply(snapshot);
        Ok(follower)
    }

    /// All tunnels as they are now.
    pub(crate) fn tunnels(&self) -> &[TunnelStatus] {
        self.model.tunnels()
    }

    /// The report of the last edit of the configuration, if that was rejected.
    pub(crate) fn config_error(&self) -> Option<&str> {
        self.model.config_error()
    }

    /// Takes what is known now for current: for a wait without a command before it.
    pub(crate) fn trust_snapshot(&mut self) {
        self.heard = self.model.tunnels().iter().map(|tunnel| tunnel.name.clone()).collect();
    }

    /// Takes nothing that is known now for current: for a command that ends what was.
    pub(crate) fn distrust_snapshot(&mut self) {
        self.ready_counts = false;
    }

    /// Waits for `names`, telling each change of theirs, for at most `limit`.
    pub(crate) async fn until(
        &mut self,
        names: &[String],
        goal: Goal,
        at_trouble: AtTrouble,
        limit: Duration,
    ) -> Result<Ending, ApiError> {
        let start = Instant::now();
        // A limit beyond what the clock can count is none.
        let deadline = start.checked_add(limit);
        let mut frames = interval_at(start + progress::FRAME, progress::FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stale_counts = start.elapsed() >= STALE;
            if let Some(ending) = self.ending(names, goal, at_trouble, stale_counts) {
                self.progress.clear();
                return Ok(ending);
            }
            let stale_at = (!stale_counts).then(|| start + STALE);
            let wake = [deadline, stale_at].into_iter().flatten().min();
            // All arms are cancel-safe: an event that was read is returned in the same poll.
            tokio::select! {
                event = self.hear() => {
                    let event = event?;
                    self.take(event, names);
                }
                _ = frames.tick() => self.tick(names, start.elapsed()),
                () = sleep_until(wake) => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        self.progress.clear();
                        return Ok(self.out_of_time(names, goal));
                    }
                }
            }
        }
    }

    /// Tells each change of `names` until the future is dropped or the daemon ends.
    pub(crate) async fn tell(&mut self, names: &[String]) -> Result<(), ApiError> {
        loop {
            let event = self.hear().await?;
            for change in self.apply(event, names) {
                output::say(tunnels_tui::live::line(&change, Timestamp::now()).trim_end());
            }
        }
    }

    fn tick(&mut self, names: &[String], waited: Duration) {
        let tunnels: Vec<&TunnelStatus> =
            self.model.tunnels().iter().filter(|tunnel| names.contains(&tunnel.name)).collect();
        self.progress.tick(&tunnels, waited, Timestamp::now());
    }

    fn take(&mut self, event: DaemonEvent, names: &[String]) {
        for change in self.apply(event, names) {
            self.progress.changed(&change);
        }
    }

    /// What an event changed of `names`.
    fn apply(&mut self, event: DaemonEvent, names: &[String]) -> Vec<Change> {
        match &event {
            DaemonEvent::TunnelChanged { tunnel } => {
                self.heard.insert(tunnel.name.clone());
            }
            DaemonEvent::Snapshot { tunnels, .. } => {
                self.heard.extend(tunnels.iter().map(|tunnel| tunnel.name.clone()));
            }
            _ => {}
        }
        let mut changes = self.model.apply(event);
        changes.retain(|change| names.contains(&change.name));
        changes
    }

    /// The next event, of whichever daemon there is: another one may have taken over. Cancel-safe: a subscription that
    /// is dropped halfway is made anew.
    async fn hear(&mut self) -> Result<DaemonEvent, ApiError> {
        loop {
            if let Some(event) = self.events.next().await {
                return Ok(event?);
            }
            self.events = self.client.events().await.map_err(|_| {
                ApiError::new(ErrorCode::DaemonUnreachable, "the daemon ended meanwhile")
                    .with_hint("`tunnels up` starts it again")
            })?;
        }
    }

    /// None while there is something to wait for.
    fn ending(&self, names: &[String], goal: Goal, at_trouble: AtTrouble, stale_counts: bool) -> Option<Ending> {
        let judged = self.judge(names, goal, stale_counts);
        let pending = judged.iter().any(|(_, verdict)| *verdict == Verdict::Pending);
        match trouble(&judged) {
            Some(_) if pending && at_trouble == AtTrouble::GoOn => None,
            None => (!pending).then_some(Ending::Reached),
            trouble => trouble,
        }
    }

    fn out_of_time(&self, names: &[String], goal: Goal) -> Ending {
        let judged = self.judge(names, goal, true);
        trouble(&judged).unwrap_or_else(|| Ending::TimedOut(with(&judged, Verdict::Pending)))
    }

    fn judge<'a>(&self, names: &'a [String], goal: Goal, stale_counts: bool) -> Vec<(&'a str, Verdict)> {
        let judge = |name: &'a String| {
            let tunnel = self.tunnels().iter().find(|tunnel| tunnel.name == *name);
            // One that left the configuration will never get there.
            let verdict = tunnel.map_or(Verdict::Failed, |tunnel| goal.judge(tunnel));
            let settled = stale_counts
                || self.ready_counts && tunnel.is_some_and(|t| t.state == TunnelState::Ready)
                || self.heard.contains(name);
            (name.as_str(), if settled { verdict } else { Verdict::Pending })
        };
        names.iter().map(judge).collect()
    }
}

type Judged<'a> = [(&'a str, Verdict)];

/// What cannot be mended by waiting; what failed for good counts for more.
fn trouble(judged: &Judged<'_>) -> Option<Ending> {
    let (failed, login) = (with(judged, Verdict::Failed), with(judged, Verdict::NeedsLogin));
    if failed.is_empty() {
        (!login.is_empty()).then_some(Ending::NeedsLogin(login))
    } else {
        Some(Ending::Failed(failed))
    }
}

fn with(judged: &Judged<'_>, verdict: Verdict) -> Vec<String> {
    judged.iter().filter(|(_, v)| *v == verdict).map(|(name, _)| (*name).to_owned()).collect()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::Timestamp;

    fn status(state: TunnelState, wanted: TargetState) -> TunnelStatus {
        serde_json::from_value(serde_json::json!({
            "name": "a", "state": state, "wanted": wanted, "local": "127.0.0.1:1", "remote": ":1",
            "sessions": 0, "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0,
            "since": Timestamp::UNIX_EPOCH,
        }))
        .expect("a status")
    }

    #[test]
    fn what_each_state_means_for_up() {
        let verdicts = TunnelState::ALL.map(|state| Goal::Up.judge(&status(state, TargetState::Up)));
        use Verdict::{Failed, NeedsLogin, Pending, Reached};
        assert_eq!(verdicts, [Pending, Reached, Pending, Reached, Pending, Pending, NeedsLogin, Failed]);
    }

    #[test]
    fn waiting_for_down_is_never_in_trouble() {
        let goal = Goal::State(TunnelState::Down);
        for state in TunnelState::ALL {
            let verdict = goal.judge(&status(state, TargetState::Down));
            let expected = if state == TunnelState::Down { Verdict::Reached } else { Verdict::Pending };
            assert_eq!(verdict, expected, "{state}");
        }
        // It has not begun to come up yet.
        assert_eq!(goal.judge(&status(TunnelState::Down, TargetState::Up)), Verdict::Pending);
    }

    #[test]
    fn a_state_that_is_waited_for_is_reached_even_if_it_is_trouble() {
        let goal = Goal::State(TunnelState::NeedsLogin);
        assert_eq!(goal.judge(&status(TunnelState::NeedsLogin, TargetState::Up)), Verdict::Reached);
        assert_eq!(goal.judge(&status(TunnelState::Failed, TargetState::Up)), Verdict::Failed);
    }

    #[test]
    fn failed_counts_for_more_than_needs_login_and_that_for_more_than_late() {
        use Verdict::{Failed, NeedsLogin, Pending, Reached};
        let judged = [("a", NeedsLogin), ("b", Failed), ("c", Pending), ("d", Reached)];
        assert_eq!(trouble(&judged), Some(Ending::Failed(vec!["b".to_owned()])));
        assert_eq!(trouble(&judged[..1]), Some(Ending::NeedsLogin(vec!["a".to_owned()])));
        assert_eq!(trouble(&judged[2..]), None);
    }

    #[test]
    fn endings_say_which_and_have_the_documented_codes() {
        let limit = Duration::from_secs(30);
        let names = || vec!["a".to_owned(), "b".to_owned()];
        let end = |ending: Ending| ending.into_exit(Goal::Up, limit);
        assert_eq!(end(Ending::Reached), Ok(Exit::Done));
        let error = end(Ending::TimedOut(vec!["a".to_owned()])).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::TimedOut, "a is not ready after 30s"));
        assert_eq!(error.hint.as_deref(), Some("tunnels status a"));
        let error = end(Ending::NeedsLogin(names())).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::NeedsLogin, "a, b need a login"));
        let error = end(Ending::Failed(names())).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::TunnelFailed, "a, b failed"));
    }
}
