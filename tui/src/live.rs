//! The list kept up to date: redrawn in place on a terminal, a line for each change elsewhere.
//!
//! States come from the event stream, so that no step is missed; figures are asked for once a second,
//! because the daemon does not send an event for every byte. Owns the terminal's alternate screen
//! while it runs.

use crate::conn::{Connection, News};
use crate::list;
use crate::model::{Change, Model};
use crate::style::{BOLD, Look, RED};
use crate::{region, text, units, words};
use crossterm::{cursor, queue, terminal};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};
use tunnels_api::{Client, DaemonEvent, Timestamp, Tunnels};

/// As often as the daemon computes its rates.
const REFRESH: Duration = Duration::from_secs(1);
/// Nobody reads faster: a hundred tunnels that come up at once are not worth a hundred frames.
const SHORTEST_FRAME: Duration = Duration::from_millis(50);

/// Redraws the list until the future is dropped or the output breaks.
///
/// # Errors
/// What the terminal says when it cannot be written to.
pub async fn screen(client: Client, select: &[String], color: bool) -> io::Result<()> {
    let mut connection = Connection::new(client.clone());
    let mut view = View { model: Model::new(select), lost: None };
    let mut screen = Screen::enter()?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // When what has changed is to be on the screen.
    let mut due = Some(Instant::now());
    loop {
        // All arms are cancel-safe: ticks, signals, and `Connection::next`, which says so.
        tokio::select! {
            news = connection.next() => {
                view.take(news, Timestamp::now());
                due = due.or_else(|| Some(Instant::now() + SHORTEST_FRAME));
            }
            _ = refresh.tick() => {
                if view.lost.is_none() && let Ok(tunnels) = client.tunnels().await {
                    view.model.replace_all(tunnels);
                }
                due = Some(Instant::now());
            }
            _ = resized.recv() => due = Some(Instant::now()),
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                due = None;
                let (width, height) = terminal::size().unwrap_or((80, 24));
                let look = Look { color, width: Some(width) };
                screen.draw(&view.frame(Timestamp::now(), look, usize::from(height)), usize::from(width))?;
            }
        }
    }
}

/// What the screen shows.
struct View {
    model: Model,
    /// Since when the daemon cannot be heard.
    lost: Option<Timestamp>,
}

impl View {
    fn take(&mut self, news: News, now: Timestamp) {
        match news {
            News::Event(event) => {
                self.lost = None;
                self.model.apply(event);
            }
            News::Lost(_) => self.lost = self.lost.or(Some(now)),
        }
    }

    /// A line of what there is, the list, and nothing that would need a line more than there are.
    fn frame(&self, now: Timestamp, look: Look, height: usize) -> Vec<String> {
        let tunnels = self.model.tunnels();
        let count = match tunnels.len() {
            1 => "1 tunnel".to_owned(),
            count => format!("{count} tunnels"),
        };
        let summary = words::summary(tunnels.iter());
        let head = match self.lost {
            Some(since) => {
                let span = units::ago(since, now);
                let said = format!("no daemon for {span}: `tunnels up` starts one; below is what it said last");
                look.paint(RED, &text::cut(&said, look.columns()))
            }
            None if tunnels.is_empty() => look.paint(BOLD, "no tunnels"),
            // Below the list it may not have room.
            None if self.model.config_error().is_some() => {
                let said = format!("the edited configuration is not valid · {count}: {summary}");
                look.paint(RED, &text::cut(&said, look.columns()))
            }
            None => look.paint(BOLD, &text::cut(&format!("{count}: {summary}"), look.columns())),
        };
        let mut lines = vec![head, String::new()];
        if !tunnels.is_empty() {
            let room = height.saturating_sub(lines.len());
            lines.extend(list::frame(tunnels, self.model.config_error(), now, look, room));
        }
        lines.truncate(height);
        lines
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
                if let Some(line) = config_line(&event, Timestamp::now()) {
                    out.write_all(line.as_bytes())?;
                }
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
            let config_error = model.config_error().map(str::to_owned);
            let tunnels = Tunnels { tunnels: model.tunnels().to_vec(), config_error };
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
    let mut line = format!("{now:.3}  {}  {state}", text::clean(&change.name));
    if let Some(cause) = &change.cause {
        let _ = write!(line, "  {}", text::clean(&cause.text));
    }
    line.push('\n');
    line
}

/// News of the configuration as one line, if that is what the event is.
fn config_line(event: &DaemonEvent, now: Timestamp) -> Option<String> {
    let said = match event {
        DaemonEvent::ConfigReloaded => "the edited configuration is in force",
        DaemonEvent::ConfigRejected { .. } | DaemonEvent::Snapshot { config_error: Some(_), .. } => {
            "the edited configuration is not valid, and the one before it stays in force: `tunnels config check`"
        }
        _ => return None,
    };
    Some(format!("{now:.3}  {said}\n"))
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
    fn draw(&mut self, lines: &[String], columns: usize) -> io::Result<()> {
        queue!(self.out, terminal::BeginSynchronizedUpdate, cursor::MoveTo(0, 0))?;
        for (row, line) in lines.iter().enumerate() {
            if row > 0 {
                write!(self.out, "\r\n")?;
            }
            region::overwrite(&mut self.out, line, columns)?;
        }
        queue!(self.out, terminal::Clear(terminal::ClearType::FromCursorDown), terminal::EndSynchronizedUpdate)?;
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
    use crate::fixture::{now, soon};
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

    const LOOK: Look = Look { color: false, width: Some(80) };

    fn view() -> View {
        let mut view = View { model: Model::new(&[]), lost: None };
        let event = DaemonEvent::Snapshot { tunnels: crate::fixture::mixed(), config_error: None };
        view.take(News::Event(event), now());
        view
    }

    #[test]
    fn a_frame_says_what_there_is_and_fits_the_screen() {
        let mut view = view();
        let lines = view.frame(now(), LOOK, 12);
        assert_eq!(lines[0], "7 tunnels: 3 ready, 1 connecting, 1 needs-login, 1 failed, 1 down");
        assert_eq!(lines.len(), 12, "{lines:#?}");
        view.take(News::Event(DaemonEvent::ConfigRejected { report: "error: no".into() }), now());
        assert!(view.frame(now(), LOOK, 12)[0].starts_with("the edited configuration is not valid · 7 tunnels: "));
        view.take(News::Event(DaemonEvent::ConfigReloaded), now());
        assert!(view.frame(now(), LOOK, 12)[0].starts_with("7 tunnels: "));
    }

    #[test]
    fn without_the_daemon_the_last_list_stays_and_is_said_to_be_old() {
        let mut view = view();
        view.take(News::Lost(None), now());
        view.take(News::Lost(None), soon(2));
        let lines = view.frame(soon(5), LOOK, 40);
        assert_eq!(lines[0], "no daemon for 5s: `tunnels up` starts one; below is what it said last");
        assert!(lines.iter().any(|line| line.starts_with("orders-db")), "{lines:#?}");
        let event = DaemonEvent::Snapshot { tunnels: Vec::new(), config_error: None };
        view.take(News::Event(event), soon(6));
        assert_eq!(view.frame(soon(6), LOOK, 40), ["no tunnels", ""]);
    }
}
