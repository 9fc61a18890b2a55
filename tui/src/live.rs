//! The table kept up to date: redrawn in place on a terminal, a line for each change elsewhere.
//!
//! States come from the event stream, so that no step is missed; figures are asked for once a second,
//! because the daemon does not send an event for every byte. Owns the terminal's alternate screen
//! while it runs.

use crate::conn::{Connection, News};
use crate::model::{Change, Model};
use crate::table::{self, Look};
use crossterm::{cursor, queue, terminal};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tunnels_api::{Client, Timestamp, Tunnels};

/// As often as the daemon computes its rates.
const REFRESH: Duration = Duration::from_secs(1);

/// Redraws the table until the future is dropped or the output breaks.
///
/// # Errors
/// What the terminal says when it cannot be written to.
pub async fn screen(client: Client, select: &[String], color: bool) -> io::Result<()> {
    let mut connection = Connection::new(client.clone());
    let mut model = Model::new(select);
    let mut screen = Screen::enter()?;
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lost = false;
    loop {
        // Both arms are cancel-safe: a tick, and `Connection::next`, which says so.
        tokio::select! {
            news = connection.next() => match news {
                News::Event(event) => {
                    lost = false;
                    model.apply(event);
                }
                News::Lost(_) => lost = true,
            },
            _ = refresh.tick() => {
                if !lost && let Ok(Tunnels { tunnels, .. }) = client.tunnels().await {
                    model.replace(tunnels);
                }
            }
        }
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let look = Look { color, width: Some(width) };
        let mut text = table::render(model.tunnels(), Timestamp::now(), look);
        if lost {
            text.push_str("\nthe daemon does not answer; trying again\n");
        }
        screen.draw(&text, height)?;
    }
}

/// Writes a line for every change of a state until the future is dropped or the output breaks.
///
/// # Errors
/// What the output says when it cannot be written to.
pub async fn lines(client: Client, select: &[String], out: &mut impl Write) -> io::Result<()> {
    let mut connection = Connection::new(client);
    let mut model = Model::new(select);
    let mut lost = false;
    loop {
        match connection.next().await {
            News::Event(event) => {
                lost = false;
                for change in model.apply(event) {
                    out.write_all(line(&change, Timestamp::now()).as_bytes())?;
                }
            }
            News::Lost(_) if !lost => {
                lost = true;
                writeln!(out, "{:.3}  the daemon does not answer; trying again", Timestamp::now())?;
            }
            News::Lost(_) => {}
        }
        out.flush()?;
    }
}

/// Writes the list as one line of JSON for every event until the future is dropped or the output
/// breaks.
///
/// # Errors
/// What the output says when it cannot be written to.
pub async fn json_lines(client: Client, select: &[String], out: &mut impl Write) -> io::Result<()> {
    let mut connection = Connection::new(client);
    let mut model = Model::new(select);
    loop {
        if let News::Event(event) = connection.next().await
            && !model.apply(event).is_empty()
        {
            let tunnels = Tunnels { tunnels: model.tunnels().to_vec(), config_error: None };
            writeln!(out, "{}", serde_json::to_string(&tunnels)?)?;
            out.flush()?;
        }
    }
}

/// How many columns the terminal has, if there is one.
pub fn terminal_width() -> Option<u16> {
    terminal::size().ok().map(|(width, _)| width)
}

/// A change as one line: time, name, state, cause.
pub fn line(change: &Change, now: Timestamp) -> String {
    let state = change.to.map_or("removed", tunnels_api::TunnelState::as_str);
    let mut line = format!("{now:.3}  {}  {state}", change.name);
    if let Some(cause) = &change.cause {
        let _ = write!(line, "  {}", cause.text);
    }
    line.push('\n');
    line
}

/// The alternate screen; dropping it brings back what was there before.
struct Screen {
    out: io::Stdout,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let mut out = io::stdout();
        // A line that is too long must not push the rows below it down.
        queue!(out, terminal::EnterAlternateScreen, terminal::DisableLineWrap, cursor::Hide)?;
        out.flush()?;
        Ok(Self { out })
    }

    /// Draws over what is there, without clearing first: that would flicker.
    fn draw(&mut self, text: &str, height: u16) -> io::Result<()> {
        queue!(self.out, cursor::MoveTo(0, 0))?;
        for (row, line) in text.lines().take(usize::from(height)).enumerate() {
            if row > 0 {
                write!(self.out, "\r\n")?;
            }
            write!(self.out, "{line}")?;
            queue!(self.out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
        queue!(self.out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        self.out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // On the way out there is nobody left to tell.
        let _ = queue!(self.out, terminal::EnableLineWrap, terminal::LeaveAlternateScreen, cursor::Show);
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::{Cause, CauseKind, TunnelState};

    #[test]
    fn a_change_is_one_line() {
        let now: Timestamp = "2026-11-21T06:03:05.25Z".parse().unwrap();
        let change = Change {
            name: "orders-db".into(),
            from: Some(TunnelState::Ready),
            to: Some(TunnelState::Reconnecting),
            cause: Some(Cause::new(CauseKind::ServiceRecycle, "the service closed the websocket")),
        };
        assert_eq!(
            line(&change, now),
            "2026-11-21T06:03:05.250Z  orders-db  reconnecting  the service closed the websocket\n"
        );
        let removed = Change { to: None, cause: None, ..change };
        assert_eq!(line(&removed, now), "2026-11-21T06:03:05.250Z  orders-db  removed\n");
    }
}
