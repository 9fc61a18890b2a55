//! `tunnels demo`: the whole thing on one machine, without an AWS account, a file or the network.
//!
//! Runs a simulator, small servers for tunnels to lead to, and a daemon, all in this process and in a temporary
//! folder. `stage` starts and stops them, `ports` chooses where the tunnels listen, `guide` says what to try.
//! What the user's own daemon, configuration and AWS variables are does not matter here.

mod guide;
mod ports;
mod stage;

use super::{block_on_all_cores, dashboard};
use crate::exit::Exit;
use crate::signals::Signals;
use crate::{logging, open_files, output};
use clap::Args;
use guide::Guide;
use stage::{Folder, Stage};
use std::io::{self, Write as _};
use std::time::Duration;
use tokio::time::Instant;
use tunnels_api::{ApiError, Client, ErrorCode, SelectRequest, Timestamp, TunnelState};
use tunnels_tui::conn::{Connection, News};
use tunnels_tui::dashboard::Options;
use tunnels_tui::live;
use tunnels_tui::model::Model;

/// On loopback it takes a second; a machine under load gets more.
const READY_WITHIN: Duration = Duration::from_secs(30);

const EXAMPLES: &str = "\
Examples:
  tunnels demo                 the dashboard, with tunnels to play with
  tunnels demo --no-tui        plain lines";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Demo {
    /// Print plain lines instead of the dashboard
    #[arg(long)]
    no_tui: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<Exit, ApiError> {
        // Whoever looks at the list does not want to see lines in it; `tunnels logs` has them.
        let log = logging::init("off");
        open_files::raise_limit();
        // Removed when everything that could write to it has ended, the runtime included.
        let folder = Folder::make()?;
        let outcome = block_on_all_cores(async {
            let mut signals = Signals::listen()?;
            let mut stage = tokio::select! {
                stage = Stage::start(&folder, log.buffer.clone()) => stage?,
                exit = signals.next() => return Ok(exit),
            };
            let (client, guide, notes) = (stage.client().clone(), stage.guide(), stage.notes().to_vec());
            let has_dashboard = !self.no_tui && output::is_attended_screen();
            let shown = tokio::select! {
                shown = show(has_dashboard, client, guide, notes) => shown,
                ended = stage.ended() => ended.map(|()| Exit::Done),
                () = output::hung_up() => Ok(Exit::Done),
                // The dashboard knows which of them are meant for a program that it has opened.
                exit = signals.next(), if !has_dashboard => Ok(exit),
            };
            // Not what has come before.
            let mut signals = Signals::listen()?;
            tokio::select! {
                () = stage.stop() => shown,
                // Whoever asks twice does not want to wait for open connections.
                exit = signals.next() => Ok(exit),
            }
        });
        let removed = folder.remove();
        outcome.and_then(|exit| removed.map(|()| exit))
    }
}

/// Brings the tunnels up and shows what becomes of them, until nobody looks any more.
async fn show(has_dashboard: bool, client: Client, guide: Guide, notes: Vec<String>) -> Result<Exit, ApiError> {
    if !has_dashboard {
        for note in &notes {
            output::say(note);
        }
        return tell(&client, &guide).await;
    }
    client.up(&SelectRequest::default()).await?;
    // What is said before the dashboard takes the screen would not be seen.
    let guide = notes.into_iter().chain(guide.lines()).collect();
    // Whoever ends it, ends the demo.
    dashboard::exit(
        tunnels_tui::dashboard::run(Options { client, color: output::look().color, guide, start: None }).await,
    )
}

/// A line for each change of a state, and in between, when all are ready, what to try.
async fn tell(client: &Client, guide: &Guide) -> Result<Exit, ApiError> {
    let mut connection = Connection::new(client.clone());
    let mut model = Model::new(&[]);
    let mut asked = false;
    let mut ready_by = Some(Instant::now() + READY_WITHIN);
    loop {
        // Both arms are cancel-safe.
        let news = tokio::select! {
            news = connection.next() => news,
            () = tokio::time::sleep_until(ready_by.unwrap_or_else(Instant::now)), if ready_by.is_some() => {
                return Err(not_ready(&model));
            }
        };
        // That the daemon has ended is seen elsewhere.
        let News::Event(event) = news else { continue };
        let mut text = String::new();
        for change in model.apply(event) {
            // That they begin by being down is no news.
            if change.from.is_some() || change.to != Some(TunnelState::Down) {
                text.push_str(&live::line(&change, Timestamp::now()));
            }
        }
        if !asked {
            // Not before somebody listens: so no step is missed.
            client.up(&SelectRequest::default()).await?;
            asked = true;
        } else if ready_by.is_some() && model.tunnels().iter().all(|tunnel| tunnel.state == TunnelState::Ready) {
            ready_by = None;
            text.push_str(&guide.text());
        }
        if let Err(error) = write(&text) {
            return output::finish(Err(error)).map(|()| Exit::Done);
        }
    }
}

/// A reader that hangs up (`tunnels demo | head`) ends the demo.
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn not_ready(model: &Model) -> ApiError {
    let waiting: Vec<_> = model
        .tunnels()
        .iter()
        .filter(|tunnel| tunnel.state != TunnelState::Ready)
        .map(|tunnel| match &tunnel.cause {
            Some(cause) => format!("{} is {}: {cause}", tunnel.name, tunnel.state),
            None => format!("{} is {}", tunnel.name, tunnel.state),
        })
        .collect();
    let after = tunnels_tui::units::span(READY_WITHIN);
    ApiError::new(ErrorCode::TimedOut, format!("the demo is not ready after {after}: {}", waiting.join("; ")))
        .with_hint("TUNNELS_LOG=debug tunnels demo shows what happens")
}
