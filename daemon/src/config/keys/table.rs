//! The table of keys: one row for each key of a tunnel, with what it may hold, its default and what it means.
//!
//! The one source of what a key is: the reader takes names, words and limits from here, and so do the JSON Schema
//! (`schema.rs`) and the reference in docs/configuration.md (`reference.rs`).

use super::super::model::{KeepAlive, Probe};
use super::super::value::{self, DURATION_FORMS, LOCAL_FORMS, REMOTE_FORMS, TARGET_FORMS};
use std::ops::RangeInclusive;
use std::time::Duration;

/// One key.
#[derive(Debug)]
pub(in crate::config) struct Row {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) kind: Kind,
    pub(in crate::config) default: Fallback,
    /// What it may look like, in TOML.
    pub(in crate::config) example: &'static str,
    /// What it means: whole sentences in Markdown.
    pub(in crate::config) meaning: &'static str,
}

/// What a key may hold.
#[derive(Debug)]
pub(in crate::config) enum Kind {
    Remote,
    Local,
    Target,
    Endpoints,
    /// A text that is checked further; the pattern is what editors check, and may allow more.
    Text {
        accepted: &'static str,
        pattern: &'static str,
    },
    Groups,
    Boolean,
    Choice(fn() -> Vec<&'static str>),
    Duration {
        limits: RangeInclusive<Duration>,
        never: bool,
    },
    Number {
        limits: RangeInclusive<i64>,
        accepted: &'static str,
    },
}

/// What holds where nothing is written.
#[derive(Debug)]
pub(in crate::config) enum Fallback {
    /// Every tunnel says it itself: the key cannot stand in `[defaults]`.
    Own,
    /// It has to be written, for the tunnel or in `[defaults]`.
    Required,
    /// This value, in TOML.
    Value(&'static str),
    /// No value; in words what happens then.
    Unset(&'static str),
}

pub(in crate::config) const OPEN: &[(&str, bool)] = &[("eager", false), ("on-demand", true)];
pub(in crate::config) const KEEP_ALIVE: &[(&str, KeepAlive)] =
    &[("policy", KeepAlive::Policy), ("connected", KeepAlive::Connected), ("always", KeepAlive::Always)];
/// `None` is the guess by the remote's port.
pub(in crate::config) const PROBE: &[(&str, Option<Probe>)] = &[
    ("auto", None),
    ("postgres", Some(Probe::Postgres)),
    ("mysql", Some(Probe::Mysql)),
    ("redis", Some(Probe::Redis)),
    ("tls", Some(Probe::Tls)),
    ("http", Some(Probe::Http)),
    ("tcp", Some(Probe::Tcp)),
    ("none", Some(Probe::None)),
];
pub(in crate::config) const MAX_SESSIONS: RangeInclusive<i64> = 1..=16;
pub(in crate::config) const SESSIONS_FORMS: &str = "a number from 1 to 16";
/// In bytes.
pub(in crate::config) const PAYLOAD: RangeInclusive<i64> = 1024..=32768;
pub(in crate::config) const PAYLOAD_FORMS: &str = "a number of bytes from 1024 to 32768";
pub(in crate::config) const ENDPOINT_KEYS: &[&str] = &["ssm", "ssmmessages", "kms", "sts"];
pub(in crate::config) const ENDPOINT_FORMS: &str =
    "`https://host`, or a host name alone; `http` towards this machine only";

fn words<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(word, _)| *word).collect()
}

/// In the order in which they are shown.
pub(in crate::config) const KEYS: &[Row] = &[
    Row {
        name: "remote",
        kind: Kind::Remote,
        default: Fallback::Own,
        example: "\"orders.example.com:5432\"",
        meaning: "Where the tunnel leads, as the target sees it. With a host the session document is \
                  `AWS-StartPortForwardingSessionToRemoteHost`, with a port alone `AWS-StartPortForwardingSession`.",
    },
    Row {
        name: "local",
        kind: Kind::Local,
        default: Fallback::Own,
        example: "15432",
        meaning: "Where it listens. A port alone binds `127.0.0.1` and, where the machine has it, `::1`. Port 0 is \
                  refused: ports are stable. No two tunnels can have the same address. `\"auto\"` is a loopback address of the tunnel's own, made from its name, with the remote's port.",
    },
    Row {
        name: "target",
        kind: Kind::Target,
        default: Fallback::Required,
        example: "\"i-0123456789abcdef0\"",
        meaning: "The managed node that carries the traffic. Of several candidates the first that is online does, and \
                  the next takes over when it goes.",
    },
    Row {
        name: "profile",
        kind: Kind::Text { accepted: "the name of a profile", pattern: "" },
        default: Fallback::Unset("AWS's default credentials: the `AWS_*` variables, else the profile `default`"),
        example: "\"dev\"",
        meaning: "A named profile of `~/.aws/config`. One that is named here is used before keys in `AWS_*` variables.",
    },
    Row {
        name: "region",
        kind: Kind::Text { accepted: "the code of a region", pattern: "^[a-z]+(-[a-z]+)+-[0-9]+$" },
        default: Fallback::Unset("`AWS_REGION`, else that of the AWS profile"),
        example: "\"eu-west-1\"",
        meaning: "The region of the target.",
    },
    Row {
        name: "endpoints",
        kind: Kind::Endpoints,
        default: Fallback::Unset("AWS's public endpoints, or what `AWS_ENDPOINT_URL*` and the AWS profile say"),
        example: "{ ssm = \"https://vpce-0a1b-ssm.eu-west-1.vpce.amazonaws.com\" }",
        meaning: "VPC endpoints (PrivateLink) for `ssm`, `ssmmessages`, `kms` and `sts`. `ssmmessages` replaces scheme, \
                  host and port of the stream URL, never its path or query. `sts` is where a profile's roles are \
                  assumed. `kms` has no effect yet.",
    },
    Row {
        name: "groups",
        kind: Kind::Groups,
        default: Fallback::Value("[]"),
        example: "[\"db\"]",
        meaning: "Labels, addressed as `@db` on the command line.",
    },
    Row {
        name: "auto",
        kind: Kind::Boolean,
        default: Fallback::Value("true"),
        example: "false",
        meaning: "Whether the tunnel is part of a bare `tunnels up`.",
    },
    Row {
        name: "open",
        kind: Kind::Choice(|| words(OPEN)),
        default: Fallback::Value("\"eager\""),
        example: "\"on-demand\"",
        meaning: "When the session is opened: at `up`, or with the first connection.",
    },
    Row {
        name: "park_after",
        kind: Kind::Duration { limits: value::PARK_AFTER, never: true },
        default: Fallback::Value("\"15m\""),
        example: "\"1h\"",
        meaning: "Without a connection for so long the session is closed and the port kept (state `listening`); the \
                  next connection opens a new session.",
    },
    Row {
        name: "keep_alive",
        kind: Kind::Choice(|| words(KEEP_ALIVE)),
        default: Fallback::Value("\"policy\""),
        example: "\"connected\"",
        meaning: "What keeps a session without traffic from being idle. `policy`: nothing, so that the account's idle \
                  timeout counts as its administrator meant it. `connected`: no-ops do while a connection is open. \
                  `always`: they always do.",
    },
    Row {
        name: "hold",
        kind: Kind::Duration { limits: value::HOLD, never: false },
        default: Fallback::Value("\"30s\""),
        example: "\"1m\"",
        meaning: "How long a new connection waits for a session that is opening or recovering, before it is reset.",
    },
    Row {
        name: "patience",
        kind: Kind::Duration { limits: value::PATIENCE, never: false },
        default: Fallback::Value("\"2m\""),
        example: "\"5m\"",
        meaning: "How long an agent may be silent on an open data channel before its session, and what it carries, is \
                  given up.",
    },
    Row {
        name: "ping_interval",
        kind: Kind::Duration { limits: value::PING, never: false },
        default: Fallback::Value("\"20s\""),
        example: "\"10s\"",
        meaning: "Time between websocket pings: with `ping_timeout` how late a data channel that is dead without a \
                  word is found at the latest.",
    },
    Row {
        name: "ping_timeout",
        kind: Kind::Duration { limits: value::PING, never: false },
        default: Fallback::Value("\"10s\""),
        example: "\"5s\"",
        meaning: "Time for the answer to a ping; at most `ping_interval`.",
    },
    Row {
        name: "max_sessions",
        kind: Kind::Number { limits: MAX_SESSIONS, accepted: SESSIONS_FORMS },
        default: Fallback::Value("4"),
        example: "8",
        meaning: "Further sessions open while those in use are busy, and end when unused for 30 s. Each carries at most \
                  about 0.75 MB/s towards you, and costs the target a process of 20–30 MiB.",
    },
    Row {
        name: "payload",
        kind: Kind::Number { limits: PAYLOAD, accepted: PAYLOAD_FORMS },
        default: Fallback::Value("1024"),
        example: "8192",
        meaning: "Bytes in a message to the agent: more is less work for uploads. Each session tries first whether it \
                  gets through; if not, 1024 is used for an hour, which `tunnels status` says.",
    },
    Row {
        name: "probe",
        kind: Kind::Choice(|| words(PROBE)),
        default: Fallback::Value("\"auto\""),
        example: "\"postgres\"",
        meaning: "What makes the tunnel `ready`: an answer of the remote in this protocol, an authentication error \
                  included. `auto` guesses by the remote's port, else `tcp`. `tcp`: the agent reports no refusal within \
                  300 ms. `none`: the session is open.",
    },
    Row {
        name: "document",
        kind: Kind::Text { accepted: "the name of a session document", pattern: "^[a-zA-Z0-9_.:/-]{3,}$" },
        default: Fallback::Unset("AWS's own, by `remote`"),
        example: "\"ORG-PortForwarding\"",
        meaning: "A port session document of the account's own.",
    },
    Row {
        name: "reason",
        kind: Kind::Text { accepted: "a text of at most 256 characters", pattern: "" },
        default: Fallback::Unset("`tunnels NAME` and a unique number"),
        example: "\"monthly report\"",
        meaning: "Recorded by AWS with each session (CloudTrail).",
    },
    Row {
        name: "protected",
        kind: Kind::Boolean,
        default: Fallback::Value("false"),
        example: "true",
        meaning: "`up` asks first, or wants `--yes` or a `--reason`; the tunnel is red in every view.",
    },
];

/// The names of the keys, in the order in which they are shown.
pub(in crate::config) const TUNNEL_KEYS: &[&str] = &{
    let mut names = [""; KEYS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = KEYS[at].name;
        at += 1;
    }
    names
};

/// What a key may look like, where a file gives it no value.
pub(in crate::config) fn example(key: &str) -> Option<&'static str> {
    let of_tunnels = KEYS.iter().find(|row| row.name == key).map(|row| row.example);
    of_tunnels.or_else(|| (key == "include").then_some("[\"team.toml\"]"))
}

impl Kind {
    /// What is accepted, in the words of the messages.
    pub(in crate::config) fn accepted(&self) -> String {
        match self {
            Self::Remote => REMOTE_FORMS.to_owned(),
            Self::Local => LOCAL_FORMS.to_owned(),
            Self::Target => TARGET_FORMS.to_owned(),
            Self::Endpoints => format!("a table: for each of its keys {ENDPOINT_FORMS}"),
            Self::Text { accepted, .. } | Self::Number { accepted, .. } => (*accepted).to_owned(),
            Self::Groups => "a list of names".to_owned(),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Choice(words) => words().iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
            Self::Duration { limits, never } => {
                let (least, most) = (value::show(*limits.start()), value::show(*limits.end()));
                let never = if *never { ", or `\"never\"`" } else { "" };
                format!("{DURATION_FORMS}, from {least} to {most}{never}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::parse_with;
    use crate::config::model::TunnelConfig;
    use std::path::Path;

    /// A tunnel that says no more than it must, and `line`.
    fn tunnel(line: &str) -> Result<TunnelConfig, String> {
        let must = [("remote", "\"db:5432\""), ("local", "15432"), ("target", "\"i-01234567\"")];
        let key = line.split(" =").next().unwrap_or_default();
        let lines = must.iter().filter(|(name, _)| *name != key).map(|(name, value)| format!("{name} = {value}\n"));
        let text = format!("[tunnels.a]\n{}{line}\n", lines.collect::<String>());
        let parsed = parse_with(Path::new("config.toml"), &text, &|_| None);
        parsed.map(|resolved| resolved.config.tunnels[0].clone()).map_err(|errors| format!("{text}\n{errors}"))
    }

    #[test]
    fn each_example_is_accepted_and_says_something() {
        let bare = tunnel("").unwrap();
        for row in KEYS {
            let with = tunnel(&format!("{} = {}", row.name, row.example)).unwrap_or_else(|error| panic!("{error}"));
            let is_said = with != bare || matches!(row.name, "local" | "target");
            // The guess by this remote's port.
            assert!(is_said || row.name == "probe", "{} = {} changes nothing", row.name, row.example);
        }
    }

    #[test]
    fn each_default_is_what_holds_where_nothing_is_written() {
        let bare = tunnel("").unwrap();
        for row in KEYS {
            if let Fallback::Value(value) = row.default {
                assert_eq!(tunnel(&format!("{} = {value}", row.name)).as_ref(), Ok(&bare), "{} = {value}", row.name);
            }
        }
    }

    #[test]
    fn what_every_tunnel_says_itself_cannot_stand_in_defaults() {
        for row in KEYS {
            let text = format!("[defaults]\n{} = {}\n", row.name, row.example);
            let is_refused = parse_with(Path::new("config.toml"), &text, &|_| None).is_err();
            assert_eq!(is_refused, matches!(row.default, Fallback::Own), "{}", row.name);
        }
    }
}
