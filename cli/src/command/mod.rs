//! The commands, one file each: its options as a struct, and `run`.

pub(crate) mod add;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod dashboard;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod hosts;
pub(crate) mod import;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod restart;
pub(crate) mod service;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod tray;
pub(crate) mod up;
pub(crate) mod url;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod why;

use crate::exit::Exit;
use crate::signals::Signals;
use std::time::Duration;
use tunnels_api::{ApiError, ErrorCode, Selector, TunnelStatus};

/// What the end of a command waits for calls that block: looking up a name, reading from a file system that hangs.
const BLOCKED: Duration = Duration::from_secs(1);

/// Runs a command's future on one thread: nothing here needs more, and it starts fastest.
fn block_on<T>(future: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    run(&mut tokio::runtime::Builder::new_current_thread(), future)
}

/// Runs the future of a command that carries traffic.
fn block_on_all_cores<T>(future: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    // More workers than this only move cache lines around: the work is copying bytes.
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    run(tokio::runtime::Builder::new_multi_thread().worker_threads(workers), future)
}

fn run<T>(
    builder: &mut tokio::runtime::Builder,
    future: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let runtime = runtime(builder)?;
    let outcome = runtime.block_on(future);
    // Dropping it would wait for them however long they take.
    runtime.shutdown_timeout(BLOCKED);
    outcome
}

fn runtime(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, ApiError> {
    builder
        .enable_all()
        .build()
        .map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot start the asynchronous runtime: {error}")))
}

/// Waits for ctrl-C or a request to end; says which.
async fn interrupted() -> Exit {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        // Without a handler they end the process anyway.
        Err(_) => std::future::pending().await,
    }
}

/// The names that `select` picks of the tunnels there are; none selected picks all.
pub(crate) fn pick(select: &[String], tunnels: &[TunnelStatus]) -> Result<Vec<String>, ApiError> {
    let known: Vec<(&str, &[String])> =
        tunnels.iter().map(|tunnel| (tunnel.name.as_str(), tunnel.groups.as_slice())).collect();
    Ok(pick_from(select, &known, "tunnels ls")?.into_iter().map(str::to_owned).collect())
}

/// Picks of names with their groups; `lister` is the command that shows what there is.
pub(crate) fn pick_from<'a>(
    select: &[String],
    known: &[(&'a str, &[String])],
    lister: &str,
) -> Result<Vec<&'a str>, ApiError> {
    Selector::pick(select, known).map_err(|error| {
        let hint = match &error.similar {
            Some(similar) => format!("did you mean `{similar}`? `{lister}` shows the names"),
            None => format!("`{lister}` shows the names"),
        };
        ApiError::new(ErrorCode::NoSuchTunnel, error.to_string()).with_hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_hangs_does_not_hold_a_command() {
        for run in [block_on, block_on_all_cores] {
            let (held, hangs) = std::sync::mpsc::channel::<()>();
            let (begun, begins) = tokio::sync::oneshot::channel();
            let outcome = run(Box::pin(async {
                tokio::task::spawn_blocking(move || {
                    let _ = begun.send(());
                    hangs.recv()
                });
                begins.await.map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()))
            }));
            outcome.unwrap();
            drop(held);
        }
    }
}
