//! The daemon's control task: one select over commands, the signal to stop and the clock; and its two ends, to stop and to hand
//! over to another daemon.
//!
//! It never awaits AWS or a tunnel while it runs, so no command waits for another; only while another daemon takes over, which is a
//! matter of milliseconds, do all of them wait. Everything it starts has ended when it returns.

use super::Daemon;
use crate::clock;
use crate::config_source::Loaded;
use crate::disturbance;
use crate::expiry;
use crate::handle::{DaemonCommand, ReloadReply, Reply};
use crate::leftovers;
use crate::logins::Logins;
use crate::state::StateFile;
use crate::status::StatusBoard;
use crate::supervisor::Supervisor;
use crate::takeover::{Belongings, Heir, Predecessor, hand_over};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join, ready};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tunnels_api::{ApiError, DaemonEvent, ErrorCode, Reloaded};

/// How often byte counters are turned into rates, and the service manager hears that the loop turns.
const SAMPLE: Duration = Duration::from_secs(1);
/// What ending sessions may take beyond the time that connections have: a call to AWS each.
const BEYOND_DRAIN: Duration = Duration::from_secs(15);

/// How the control task's work ends.
enum End {
    /// With how long open connections may go on, and whoever asked for it.
    Stop(Duration, Option<oneshot::Sender<()>>),
    /// Another daemon serves in our place.
    HandedOver(Heir),
}

impl Daemon {
    /// Serves until `shutdown`, the command to stop, or until another daemon has taken over and the connections that stayed here
    /// have ended; then everything has ended.
    ///
    /// # Errors
    /// The socket could not be served.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<()> {
        let Self { handle, mut commands, instance, config, mut source, around, mut predecessor, reasons, mut manager } =
            self;
        let (drain, hurry) = (around.drain, around.hurry.clone());
        let board = around.board.clone();
        let state = around.state.clone();
        let post = instance.post();
        let belongings = Belongings {
            post: post.clone(),
            state: state.clone(),
            doors: around.doors.clone(),
            version: handle.version().version,
        };
        let successor = handle.successor();
        let serving_ends = CancellationToken::new();
        let watching = disturbance::watch(around.nudges.clone());
        let cleaning = leftovers::keep_ended(Arc::clone(&around.aws), state.clone());
        // Whoever asked for the configuration to be read, and is told what came of it.
        let mut asked: Vec<ReloadReply> = Vec::new();
        // Before anybody asks for credentials.
        let logins = Logins::watch(Arc::clone(&around.aws), around.nudges.clone());
        let expiring = expiry::keep_watched(Arc::clone(&around.aws), board.clone(), around.nudges.clone());
        // Before anybody is served: the first to ask is to see every tunnel.
        let mut supervisor = Supervisor::new(config, around, &reasons);
        // All of these end with this future, however it ends.
        let server = AbortOnDropHandle::new(tokio::spawn(instance.serve(handle, serving_ends.clone())));
        let writer = {
            let state = state.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { state.keep_written().await }))
        };
        let cleaner = AbortOnDropHandle::new(tokio::spawn(cleaning));
        let _watcher = AbortOnDropHandle::new(tokio::spawn(watching));
        let _expiring = AbortOnDropHandle::new(tokio::spawn(expiring));
        let _logins = AbortOnDropHandle::new(tokio::spawn(logins.keep_told()));
        if let Some(predecessor) = &mut predecessor {
            // From here on the other one lets go: what is bound and locked is ours.
            predecessor.leave_to_us(state.clone()).await;
            supervisor.own_doors();
            post.own(predecessor.stays);
            state.own(post.socket());
            tracing::info!(
                "took over from the daemon before this one ({}, pid {})",
                predecessor.version,
                predecessor.pid
            );
        }
        manager.ready();

        let mut sample = interval(SAMPLE);
        sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                // Cancel-safe, all four: a channel, a token, an interval and a source that says so.
                command = commands.recv() => match command {
                    Some(DaemonCommand::Up(select, reason, reply)) => {
                        answer(&state, reply, supervisor.up(&select, reason.as_deref()));
                    }
                    Some(DaemonCommand::Down(select, reply)) => answer(&state, reply, supervisor.down(&select)),
                    Some(DaemonCommand::Restart(select, reply)) => answer(&state, reply, supervisor.restart(&select)),
                    Some(DaemonCommand::Reload(reply)) => {
                        asked.push(reply);
                        source.reload();
                    }
                    Some(DaemonCommand::HandOver(asked)) => {
                        tracing::info!("another daemon asks to take over");
                        match hand_over(asked, &belongings, supervisor.reasons(), &shutdown).await {
                            Ok(heir) => break End::HandedOver(heir),
                            Err(error) => tracing::warn!("it has not taken over, and this daemon goes on: {error}"),
                        }
                    }
                    Some(DaemonCommand::Stop(wanted, reply)) => break End::Stop(wanted.unwrap_or(drain), Some(reply)),
                    None => break End::Stop(drain, None),
                },
                loaded = source.next() => {
                    let (outcome, in_force) = apply(loaded, &mut supervisor, &board);
                    let asked = std::mem::take(&mut asked);
                    // A tunnel takes its change over within a moment; this task waits for none.
                    tokio::spawn(async move {
                        in_force.await;
                        for reply in asked {
                            // Whoever asked may be gone.
                            drop(reply.send(outcome.clone()));
                        }
                    });
                }
                () = shutdown.cancelled() => break End::Stop(drain, None),
                _ = sample.tick() => {
                    board.sample(clock::now());
                    manager.turned(|| board.tunnels());
                }
            }
        };
        let serve_no_more = async || {
            board.announce(DaemonEvent::Stopping);
            serving_ends.cancel();
            server.await.map_err(io::Error::other)?
        };
        match end {
            End::Stop(drain, stopped) => {
                tracing::info!("stopping; open connections may go on for {drain:?}");
                manager.stopping();
                if let Some(reply) = stopped {
                    // Whoever asked may be gone.
                    let _ = reply.send(());
                }
                // Commands that still come are refused, those that wait are answered with "stopping".
                drop((commands, asked));
                let longest = drain.saturating_add(BEYOND_DRAIN);
                let before = async {
                    if let Some(predecessor) = predecessor {
                        predecessor.hasten().by(drain).await;
                        predecessor.ended(longest).await;
                    }
                };
                manager.until_stopped(longest, join(supervisor.stop(drain), before)).await;
                cleaner.abort();
                writer.abort();
                state.write();
                serve_no_more().await
            }
            End::HandedOver(heir) => {
                let limit = heir.drain();
                tracing::info!("another daemon serves; connections that are open here may go on for {limit:?}");
                // Sessions that nobody uses are the other one's by now.
                cleaner.abort();
                // So are commands: those that have waited, and those that were accepted here and still come.
                successor.serves();
                drop((commands, asked));
                // First: whoever still asks here is not to be shown tunnels that go down.
                let served = serve_no_more().await;
                // Socket and lock would seem to be in use when the other one has ended.
                drop((post, belongings));
                let (ask, asked) = watch::channel(None);
                let ended = CancellationToken::new();
                let telling = AbortOnDropHandle::new(tokio::spawn(heir.keep_told(ask, ended.clone())));
                come_to_an_end(supervisor, predecessor, limit, asked, &hurry, async {
                    shutdown.cancelled().await;
                    drain
                })
                .await;
                writer.abort();
                state.write();
                ended.cancel();
                // It logs what goes wrong; nothing else would be done about a panic.
                drop(telling.await);
                served
            }
        }
    }
}

/// Lets what is left of a daemon come to its end, and that of the one before it, within `limit`, or when somebody says that it
/// is to be sooner.
async fn come_to_an_end(
    supervisor: Supervisor,
    predecessor: Option<Predecessor>,
    limit: Duration,
    mut asked: watch::Receiver<Option<Duration>>,
    hurry: &CancellationToken,
    told: impl Future<Output = Duration>,
) {
    let before = predecessor.as_ref().map(Predecessor::hasten);
    let before_ended = async {
        if let Some(predecessor) = predecessor {
            predecessor.ended(limit.saturating_add(BEYOND_DRAIN)).await;
        }
    };
    let mut ending = pin!(join(supervisor.stop(limit), before_ended));
    let sooner = async {
        tokio::select! {
            // Cancel-safe, both: a watch and a token.
            Ok(patience) = asked.wait_for(Option::is_some) => (*patience).unwrap_or_default(),
            patience = told => patience,
        }
    };
    let patience = tokio::select! {
        _ = &mut ending => return,
        patience = sooner => patience,
    };
    tracing::info!("asked to end: open connections may go on for {patience:?}");
    if let Some(before) = before {
        before.by(patience).await;
    }
    tokio::select! {
        _ = &mut ending => return,
        () = sleep(patience) => hurry.cancel(),
    }
    ending.await;
}

/// Answers a command once what it has changed survives a crash.
fn answer(state: &StateFile, reply: Reply, result: Result<Vec<String>, ApiError>) {
    let state = state.clone();
    tokio::spawn(async move {
        state.written().await;
        // Whoever asked may be gone.
        drop(reply.send(result));
    });
}

/// Puts a configuration in force, or says why the one before stays.
fn apply(
    loaded: Loaded,
    supervisor: &mut Supervisor,
    board: &StatusBoard,
) -> (Result<Reloaded, ApiError>, BoxFuture<'static, ()>) {
    match loaded.config {
        Ok(resolved) => {
            let (done, in_force) = supervisor.apply(resolved.config.clone(), loaded.at);
            board.set_resolved(resolved);
            tell(&done);
            (Ok(done), in_force.boxed())
        }
        Err(errors) => {
            let report = errors.render(false);
            if board.config_rejected(report.clone()) {
                tracing::warn!("the edited configuration is wrong; the one before stays in force\n{report}");
            }
            let text = format!("the configuration is wrong; the one before stays in force\n{report}");
            (Err(ApiError::new(ErrorCode::ConfigInvalid, text)), ready(()).boxed())
        }
    }
}

/// What an edit has changed, for the log; a file that was only touched is not worth a line.
fn tell(done: &Reloaded) {
    let Reloaded { added, removed, changed, restarted } = done;
    let parts: Vec<String> = [("added", added), ("removed", removed), ("changed", changed), ("restarted", restarted)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
    if !parts.is_empty() {
        tracing::info!("the configuration has changed: {}", parts.join("; "));
    }
}
