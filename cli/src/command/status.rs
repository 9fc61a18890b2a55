//! `tunnels status NAME`: one tunnel in detail.

use super::block_on;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;
use tunnels_api::{ApiError, Timestamp, TunnelStatus};
use tunnels_tui::{table, units};

#[derive(Debug, Clone, Args)]
pub(crate) struct Status {
    /// The tunnel
    name: String,
    /// Print JSON: the entry of `ls --json`
    #[arg(long)]
    pub(crate) json: bool,
}

impl Status {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let client = link.running().await?;
            let tunnel = link.explained(client.tunnel(&self.name)).await?;
            if self.json {
                output::print_json(&tunnel)?;
            } else {
                output::print(&describe(&tunnel, Timestamp::now()))?;
            }
            Ok(Exit::Done)
        })
    }
}

/// The tunnel as lines of `label  value`; what is not known is left out.
fn describe(tunnel: &TunnelStatus, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:<11} {value}");
    };
    line("name", &tunnel.name);
    line("state", &format!("{}, since {}", table::state(tunnel, now), units::ago(tunnel.since, now)));
    if let Some(cause) = &tunnel.cause {
        line("cause", &cause.text);
        if let Some(next) = &cause.next {
            line("next", next);
        }
    }
    line("local", &tunnel.local);
    if let Some(warning) = table::warning(tunnel) {
        line("warning", &warning);
    }
    line("remote", &tunnel.remote);
    for (label, value) in [("target", &tunnel.target), ("profile", &tunnel.profile), ("region", &tunnel.region)] {
        if let Some(value) = value {
            line(label, value);
        }
    }
    if !tunnel.groups.is_empty() {
        line("groups", &tunnel.groups.join(", "));
    }
    line("sessions", &tunnel.sessions.to_string());
    line("streams", &tunnel.streams.to_string());
    let traffic = |bytes, rate| match rate {
        0 => units::bytes(bytes),
        rate => format!("{} ({})", units::bytes(bytes), units::rate(rate)),
    };
    line("in", &traffic(tunnel.bytes_in, tunnel.rate_in));
    line("out", &traffic(tunnel.bytes_out, tunnel.rate_out));
    if tunnel.rtt_ms.is_some() {
        line("round trip", &units::round_trip(tunnel.rtt_ms));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_in_trouble() {
        let tunnel: TunnelStatus = serde_json::from_value(serde_json::json!({
            "name": "orders-db", "state": "connecting", "wanted": "up",
            "cause": {"kind": "target-offline", "text": "i-0 is not connected", "next": "start it"},
            "local": "127.0.0.1:15432", "remote": "db:5432", "profile": "dev", "groups": ["db", "eu"],
            "sessions": 0, "streams": 2, "bytes_in": 1200, "bytes_out": 0, "rate_in": 300, "rate_out": 0,
            "since": "2026-11-21T06:00:00Z", "retry_at": "2026-11-21T06:01:04Z",
        }))
        .unwrap();
        let now = "2026-11-21T06:01:00Z".parse().unwrap();
        let expected = "\
name        orders-db
state       connecting · retry in 4s, since 1m
cause       i-0 is not connected
next        start it
local       127.0.0.1:15432
remote      db:5432
profile     dev
groups      db, eu
sessions    0
streams     2
in          1.2 kB (300 B/s)
out         0 B
";
        assert_eq!(describe(&tunnel, now), expected);
    }
}
