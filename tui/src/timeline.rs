//! What happened to one tunnel, line by line: `tunnels why NAME`.
//!
//! Pure: a history and a time in, text out. The newest stands last, where the eye is on a terminal. Each line
//! says since when the tunnel was what, how long, and why; below it what that meant for connections.

use crate::style::{self, BOLD, DIM, Look, PLAIN, RED};
use crate::{text, units};
use anstyle::Style;
use jiff::Zoned;
use jiff::civil::Date;
use std::time::Duration;
use tunnels_api::{History, StateChange, Timestamp, Toll, TunnelState};

/// `07:00:02`
const TIME: usize = 8;
/// `reconnecting`
const STATE: usize = 12;
/// `23h 59m`
const LASTED: usize = 7;
const GAP: usize = 2;
/// Where the reasons stand, and where they do if that leaves them too little room.
const BESIDE: usize = TIME + GAP + STATE + GAP + LASTED + GAP;
const BELOW: usize = TIME + GAP;
const LEAST_ROOM: usize = 28;

/// Renders it; times are shown in the zone of `now`. Ends with a newline.
pub fn render(history: &History, now: &Zoned, look: Look) -> String {
    let name = look.paint(BOLD, &text::clean(&history.tunnel));
    let Some(last) = history.changes.last() else {
        return format!("{name} has not been up since the daemon started\n");
    };
    let mut lines = vec![format!(
        "{name} is {} for {}",
        look.paint(style::of_state(last.to), last.to.as_str()),
        units::ago(last.at, now.timestamp())
    )];
    lines.push(String::new());
    if history.forgotten > 0 {
        lines.push(look.paint(DIM, &format!("({} earlier changes are not kept)", history.forgotten)));
    }
    let mut day = None;
    for change in &history.changes {
        let at = change.at.to_zoned(now.time_zone().clone());
        lines.extend(new_day(&mut day, at.date(), now.date()).map(|day| look.paint(DIM, &day)));
        row(&mut lines, change, &at, look);
    }
    if let Some(sum) = Disturbances::of(&history.changes, now.timestamp()).words() {
        lines.push(String::new());
        lines.extend(text::wrap(&sum, look.columns()));
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// The day, where it is another than the line before had; the first line's if it is not today.
fn new_day(day: &mut Option<Date>, date: Date, today: Date) -> Option<String> {
    let before = day.replace(date);
    (before != Some(date) && (before.is_some() || date != today)).then(|| date.strftime("%a %d %b %Y").to_string())
}

fn row(lines: &mut Vec<String>, change: &StateChange, at: &Zoned, look: Look) {
    let lasted = change.lasted_ms.map_or_else(|| "now".to_owned(), |ms| units::lasted(Duration::from_millis(ms)));
    let head = format!(
        "{}  {}  {lasted:>LASTED$}",
        look.paint(DIM, &at.strftime("%H:%M:%S").to_string()),
        look.paint(style::of_state(change.to), &text::pad(change.to.as_str(), STATE)),
    );
    let beside = look.columns().saturating_sub(BESIDE) >= LEAST_ROOM;
    let margin = if beside { BESIDE } else { BELOW };
    let room = look.columns().saturating_sub(margin);
    let wrapped =
        |(said, style): (String, Style)| text::wrap(&said, room).into_iter().map(move |line| look.paint(style, &line));
    let mut said: Vec<String> = match look.width {
        Some(_) => reasons(change).into_iter().flat_map(wrapped).collect(),
        // One line each, for whoever searches them.
        None => vec![reasons(change).into_iter().map(|(said, _)| said).collect::<Vec<_>>().join(" · ")],
    };
    lines.push(if beside && !said.is_empty() { format!("{head}  {}", said.remove(0)) } else { head });
    lines.extend(said.into_iter().map(|line| format!("{:margin$}{line}", "")));
}

/// Why, what to do if it is still so, and what it meant for connections.
fn reasons(change: &StateChange) -> Vec<(String, Style)> {
    let mut reasons = vec![(text::clean(&change.cause.text), PLAIN)];
    let is_now = change.lasted_ms.is_none();
    reasons
        .extend(change.cause.next.iter().filter(|_| is_now).map(|next| (format!("next: {}", text::clean(next)), BOLD)));
    // That connections live while nothing is wrong is no news.
    let shown = if is_quiet(change.to) { Toll { lived: 0, ..change.connections } } else { change.connections };
    let style = if shown.lost > 0 { RED } else { DIM };
    reasons.extend(toll(shown).map(|words| (words, style)));
    reasons
}

/// `12 connections lived, 3 lost, 1 turned away`
fn toll(Toll { lived, lost, turned_away }: Toll) -> Option<String> {
    let mut parts: Vec<String> = [(lived, "lived"), (lost, "lost"), (turned_away, "turned away")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, fate)| format!("{count} {fate}"))
        .collect();
    let first = parts.first_mut()?;
    let (count, fate) = first.split_once(' ')?;
    let noun = if count == "1" { "connection" } else { "connections" };
    *first = format!("{count} {noun} {fate}");
    Some(parts.join(", "))
}

/// A state in which nothing is wrong.
fn is_quiet(state: TunnelState) -> bool {
    matches!(state, TunnelState::Ready | TunnelState::Listening | TunnelState::Down)
}

/// The times that a tunnel was not ready after it had been.
#[derive(Debug, Default, PartialEq, Eq)]
struct Disturbances {
    count: usize,
    time: Duration,
    toll: Toll,
}

impl Disturbances {
    fn of(changes: &[StateChange], now: Timestamp) -> Self {
        let mut sum = Self::default();
        let mut disturbed = false;
        for change in changes {
            let was_disturbed = disturbed;
            disturbed = !is_quiet(change.to) && (disturbed || change.from == TunnelState::Ready);
            if disturbed {
                sum.count += usize::from(!was_disturbed);
                let so_far = || now.duration_since(change.at).try_into().unwrap_or_default();
                sum.time += change.lasted_ms.map_or_else(so_far, Duration::from_millis);
            }
            // Who lived through several would be counted as often.
            sum.toll.lost += change.connections.lost;
            sum.toll.turned_away += change.connections.turned_away;
        }
        sum
    }

    fn words(&self) -> Option<String> {
        let times = match self.count {
            0 if self.toll == Toll::default() => return None,
            0 => "never disturbed".to_owned(),
            1 => format!("disturbed once, for {}", units::lasted(self.time)),
            count => format!("disturbed {count} times, {} in all", units::lasted(self.time)),
        };
        Some(match toll(self.toll) {
            Some(toll) => format!("{times}; {toll}"),
            None => format!("{times}; no connection lost"),
        })
    }
}

#[cfg(test)]
mod tests;
