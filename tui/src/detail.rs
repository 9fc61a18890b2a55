//! Everything about one tunnel: `tunnels status NAME`.
//!
//! Pure: a status and a time in, text out. Sections of `label  value` lines; what is not known is left out.

use crate::engine::{self, Engine};
use crate::notes;
use crate::style::{self, BOLD, DIM, Look, PLAIN, RED};
use crate::{text, units, words};
use anstyle::Style;
use jiff::Zoned;
use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

/// Labels stand in a column of this width.
const LABEL: usize = 12;

/// Renders it; times are shown in the zone of `now`. Ends with a newline.
pub fn render(tunnel: &TunnelStatus, now: &Zoned, look: Look) -> String {
    render_beside(None, tunnel, now, look)
}

/// The same where a key brings the tunnel up.
pub(crate) fn render_beside(key: Option<&str>, tunnel: &TunnelStatus, now: &Zoned, look: Look) -> String {
    let mut page = Page { look, text: String::new() };
    page.text.push_str(&look.paint(style::of_name(tunnel), &text::clean(&tunnel.name)));
    page.text.push('\n');
    state(&mut page, tunnel, now, key);
    way(&mut page, tunnel, now);
    traffic(&mut page, tunnel, now);
    page.text
}

struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn section(&mut self) {
        self.text.push('\n');
    }

    /// A label and its value, wrapped beside it.
    fn line(&mut self, label: &str, value: &str) {
        self.styled(label, value, PLAIN);
    }

    fn styled(&mut self, label: &str, value: &str, style: Style) {
        let room = self.look.columns().saturating_sub(2 + LABEL).max(20);
        let mut label = self.look.paint(DIM, &text::pad(label, LABEL));
        for line in text::wrap(&text::clean(value), room) {
            let line = format!("  {label}{}", self.look.paint(style, &line));
            self.text.push_str(line.trim_end());
            self.text.push('\n');
            label = " ".repeat(LABEL);
        }
    }
}

/// What it is, why, and what can be done about it.
fn state(page: &mut Page, tunnel: &TunnelStatus, now: &Zoned, key: Option<&str>) {
    let resuming = match tunnel.sessions_resuming {
        0 => String::new(),
        some if tunnel.state == TunnelState::Ready => format!(" · {some} of {} resuming", tunnel.sessions),
        _ => String::new(),
    };
    let state = format!("{}{resuming}", tunnel.state);
    page.styled("state", &state, style::of_state(tunnel.state));
    page.line("since", &since(tunnel.since, now));
    if tunnel.protected {
        page.styled("protected", "`up` asks before it opens this tunnel", RED);
    }
    if let Some(warning) = notes::exposure(tunnel) {
        page.styled("warning", &warning, RED);
    }
    if let Some(warning) = notes::expiry(tunnel, now.timestamp()) {
        page.styled("warning", &warning, RED);
        if let Some(command) = &tunnel.credentials_renew {
            page.styled("next", &format!("run `{command}`"), BOLD);
        }
    }
    if let Some(cause) = &tunnel.cause {
        page.line("cause", &cause.text);
        if let Some(next) = &cause.next {
            page.styled("next", next, BOLD);
        }
    }
    if let Some(next) = words::next_try(tunnel, now.timestamp()) {
        page.line("next try", next.strip_prefix("retry ").unwrap_or("under way"));
    }
    if tunnel.cause.is_none() && tunnel.state == TunnelState::Down {
        let key = key.map(|key| format!("{key} or ")).unwrap_or_default();
        page.styled("next", &format!("{key}`tunnels up {}` brings it up", tunnel.name), BOLD);
    }
}

/// The day is said where it is not today.
fn since(then: Timestamp, now: &Zoned) -> String {
    let at = then.to_zoned(now.time_zone().clone());
    format!("{}, {} ago", at.strftime(day_format(&at, now)), units::ago(then, now.timestamp()))
}

fn day_format(at: &Zoned, now: &Zoned) -> &'static str {
    if at.date() == now.date() { "%H:%M:%S" } else { "%F %H:%M:%S" }
}

/// From the local address to the remote.
fn way(page: &mut Page, tunnel: &TunnelStatus, now: &Zoned) {
    page.section();
    page.styled("local", &tunnel.local, style::of_local(tunnel));
    if let Some(example) = example(tunnel) {
        page.line("try", &example);
    }
    page.line("remote", &tunnel.remote);
    let known = [("target", &tunnel.target), ("profile", &tunnel.profile), ("region", &tunnel.region)];
    for (label, value) in known {
        if let Some(value) = value {
            page.line(label, value);
        }
    }
    if let Some(at) = tunnel.credentials_expire {
        let at = at.to_zoned(now.time_zone().clone());
        page.line("credentials", &format!("until {}", at.strftime(day_format(&at, now))));
    }
    if !tunnel.groups.is_empty() {
        let groups: Vec<String> = tunnel.groups.iter().map(|group| format!("@{group}")).collect();
        page.line("groups", &groups.join(" "));
    }
    if !tunnel.auto {
        page.line("auto", "no: only `up` with its name or group brings it up");
    }
}

fn traffic(page: &mut Page, tunnel: &TunnelStatus, now: &Zoned) {
    page.section();
    page.line("sessions", &tunnel.sessions.to_string());
    page.line("streams", &tunnel.streams.to_string());
    let traffic = |bytes, rate| match rate {
        0 => units::bytes(bytes),
        rate => format!("{} ({})", units::bytes(bytes), units::rate(rate)),
    };
    page.line("in", &traffic(tunnel.bytes_in, tunnel.rate_in));
    page.line("out", &traffic(tunnel.bytes_out, tunnel.rate_out));
    if let Some(until) = tunnel.small_payloads_until.filter(|at| *at > now.timestamp()) {
        let until = until.to_zoned(now.time_zone().clone());
        let text = "1024 bytes, since larger ones do not get through; tried again after";
        page.line("payload", &format!("{text} {}", until.strftime(day_format(&until, now))));
    }
    if tunnel.rtt_ms.is_some() {
        page.line("round trip", &units::round_trip(tunnel.rtt_ms));
    }
}

/// A command that uses the tunnel, by what answers at its end; with what its user has to fill in.
fn example(tunnel: &TunnelStatus) -> Option<String> {
    match (engine::of(tunnel), engine::address(tunnel)) {
        (Engine::Postgres, Some(address)) => {
            Some(format!("psql \"host={} port={} user=… dbname=…\"", address.ip(), address.port()))
        }
        (Engine::Mysql, Some(address)) => {
            Some(format!("mysql --host={} --port={} --user=… -p", address.ip(), address.port()))
        }
        _ => engine::client(tunnel).map(|words| engine::posix_line(&words)),
    }
}

#[cfg(test)]
mod tests;
