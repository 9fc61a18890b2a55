//! The commands, one file each: its options as a struct, and `run`.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod down;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod restart;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod up;
pub(crate) mod version;
pub(crate) mod wait;

use crate::exit::Exit;
use crate::signals::Signals;
use tunnels_api::{ApiError, ErrorCode, Selector, TunnelStatus};

/// Runs a command's future on one thread: nothing here needs more, and it starts fastest.
fn block_on<T>(future: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    runtime(&mut tokio::runtime::Builder::new_current_thread())?.block_on(future)
}

/// Runs the future of a command that carries traffic.
fn block_on_all_cores<T>(future: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    // More workers than this only move cache lines around: the work is copying bytes.
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    runtime(builder.worker_threads(workers))?.block_on(future)
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
fn pick_from<'a>(select: &[String], known: &[(&'a str, &[String])], lister: &str) -> Result<Vec<&'a str>, ApiError> {
    Selector::pick(select, known).map_err(|error| {
        let hint = match &error.similar {
            Some(similar) => format!("did you mean `{similar}`? `{lister}` shows the names"),
            None => format!("`{lister}` shows the names"),
        };
        ApiError::new(ErrorCode::NoSuchTunnel, error.to_string()).with_hint(hint)
    })
}
