//! `tunnels` on a terminal: the dashboard. Starts the daemon if none runs; tunnels go on when it is left.

use super::block_on;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use futures_util::FutureExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use tunnels_api::{ApiError, ErrorCode};
use tunnels_tui::dashboard::{self, Ended, Options, StartDaemon};

/// Shows it until its user leaves.
pub(crate) fn run(config: Option<PathBuf>) -> Result<Exit, ApiError> {
    block_on(async {
        let link = Link::new(config)?;
        let client = link.started().await?.clone();
        let color = output::look().color;
        let start = Some(starter(link));
        exit(dashboard::run(Options { client, color, guide: Vec::new(), start }).await)
    })
}

/// The exit code of a dashboard that has ended.
pub(super) fn exit(ended: std::io::Result<Ended>) -> Result<Exit, ApiError> {
    match ended {
        Ok(Ended::Quit) => Ok(Exit::Done),
        Ok(Ended::Interrupted) => Ok(Exit::Interrupted),
        Ok(Ended::Terminated) => Ok(Exit::Terminated),
        Err(error) => Err(ApiError::new(ErrorCode::Failed, format!("the terminal cannot be used: {error}"))
            .with_hint("`tunnels ls` needs none")),
    }
}

/// Starts the daemon that this command would have started.
pub(super) fn starter(link: Link) -> StartDaemon {
    let link = Arc::new(link);
    StartDaemon(Arc::new(move || {
        let link = Arc::clone(&link);
        async move { link.start().await }.boxed()
    }))
}
