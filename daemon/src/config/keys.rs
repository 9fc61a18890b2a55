//! One file's tables into keys with values: which keys there are, and what each may hold.
//!
//! Every mistake is collected by the reader. Which keys belong together, and other files, are `load.rs`'s
//! matter.

use super::diagnostic::{ConfigError, Place, SourceFile};
use super::model::{KeepAlive, LocalAddr, Probe, Remote};
use super::reader::{Reader, Value, integer};
use super::value::{self, LOCAL_FORMS, REMOTE_FORMS, TARGET_FORMS};
use crate::aws::{Candidate, Endpoints, check_endpoint};
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeTable;

const TOP_KEYS: &[&str] = &["include", "defaults", "tunnels"];
const ENDPOINT_KEYS: &[&str] = &["ssm", "ssmmessages", "kms", "sts"];
const ENDPOINT_FORMS: &str = "`https://host`, or a host name alone; `http` towards this machine only";
const TUNNEL_KEYS: &[&str] = &[
    "remote",
    "local",
    "target",
    "profile",
    "region",
    "endpoints",
    "groups",
    "auto",
    "open",
    "park_after",
    "keep_alive",
    "hold",
    "max_sessions",
    "probe",
    "document",
    "reason",
    "protected",
];

/// What is written in one file, before defaults and other files are taken into account.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) include: Vec<(String, Place)>,
    pub(super) defaults: Keys,
    pub(super) tunnels: Vec<Entry>,
}

/// One `[tunnels.NAME]` as written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) keys: Keys,
}

/// The keys of a tunnel or of `[defaults]` that are written.
#[derive(Debug, Default, Clone)]
pub(super) struct Keys {
    pub(super) remote: Option<Remote>,
    pub(super) local: Option<(LocalAddr, Place)>,
    pub(super) target: Option<Vec<Candidate>>,
    pub(super) profile: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoints: Endpoints,
    pub(super) groups: Option<Vec<String>>,
    pub(super) auto: Option<bool>,
    pub(super) on_demand: Option<bool>,
    /// The inner `None` is `"never"`.
    #[expect(clippy::option_option, reason = "not written, and written as `never`, are two things")]
    pub(super) park_after: Option<Option<Duration>>,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) hold: Option<Duration>,
    pub(super) max_sessions: Option<u8>,
    /// The inner `None` is `"auto"`.
    #[expect(clippy::option_option, reason = "not written, and written as `auto`, are two things")]
    pub(super) probe: Option<Option<Probe>>,
    pub(super) document: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) protected: Option<bool>,
    /// A key was there but wrong: already reported, so its absence is no second mistake.
    pub(super) wrong: Vec<&'static str>,
}

/// Reads a file's text; mistakes go into `errors`.
pub(super) fn read(
    file: &Arc<SourceFile>,
    env: &dyn Fn(&str) -> Option<String>,
    errors: &mut Vec<ConfigError>,
) -> Document {
    let (table, syntax) = DeTable::parse_recoverable(&file.text);
    let mut reader = Reader { file, env, errors };
    for error in &syntax {
        reader.error(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message().trim()), "", None);
    }
    if !syntax.is_empty() {
        // What the parser guessed behind a syntax error would only bring mistakes that are not there.
        return Document::default();
    }
    reader.document(table.get_ref())
}

impl Reader<'_> {
    fn document(&mut self, table: &DeTable<'_>) -> Document {
        let mut document = Document::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "include" => document.include = self.strings("include", value),
                "defaults" => {
                    if let Some(table) = self.table("defaults", value) {
                        document.defaults = self.keys(table, true);
                    }
                }
                "tunnels" => {
                    if let Some(table) = self.table("tunnels", value) {
                        document.tunnels = self.tunnels(table);
                    }
                }
                _ => self.unknown(key, TOP_KEYS),
            }
        }
        document
    }

    fn tunnels(&mut self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || !name.chars().all(fit) {
                self.error(
                    key.span(),
                    format!("`{name}` cannot be the name of a tunnel"),
                    "",
                    Some("letters, digits, `-`, `_` and `.`; `@` and `*` select tunnels on the command line"),
                );
                continue;
            }
            if let Some(table) = self.table("a tunnel", value) {
                entries.push(Entry { name, place: self.place(key.span()), keys: self.keys(table, false) });
            }
        }
        // The parser sorts by name; people expect the order in which they wrote.
        entries.sort_by_key(|entry| entry.place.span.start);
        entries
    }

    fn keys(&mut self, table: &DeTable<'_>, defaults: bool) -> Keys {
        let mut keys = Keys::default();
        for (key, value) in table {
            let Some(&name) = TUNNEL_KEYS.iter().find(|known| **known == key.get_ref().as_ref()) else {
                self.unknown(key, TUNNEL_KEYS);
                continue;
            };
            if defaults && matches!(name, "remote" | "local") {
                self.error(
                    key.span(),
                    format!("`{name}` cannot stand in [defaults]"),
                    "",
                    Some("every tunnel has its own"),
                );
                continue;
            }
            let before = self.errors.len();
            self.key(name, value, &mut keys);
            if self.errors.len() > before {
                keys.wrong.push(name);
            }
        }
        keys
    }

    fn key(&mut self, name: &'static str, value: &Value<'_>, keys: &mut Keys) {
        match name {
            "remote" => keys.remote = self.remote(value),
            "local" => keys.local = self.local(value).map(|local| (local, self.place(value.span()))),
            "target" => keys.target = self.targets(value),
            "profile" => keys.profile = self.text(name, value),
            "region" => keys.region = self.text(name, value),
            "endpoints" => keys.endpoints = self.endpoints(value),
            "groups" => {
                let groups = self.strings(name, value);
                keys.groups = Some(groups.into_iter().map(|(group, _)| group).collect());
            }
            "auto" => keys.auto = self.boolean(name, value),
            "open" => keys.on_demand = self.choice(name, value, &[("eager", false), ("on-demand", true)]),
            "park_after" => keys.park_after = self.park_after(value),
            "keep_alive" => {
                keys.keep_alive = self.choice(
                    name,
                    value,
                    &[
                        ("policy", KeepAlive::Policy),
                        ("connected", KeepAlive::Connected),
                        ("always", KeepAlive::Always),
                    ],
                );
            }
            "hold" => {
                keys.hold = self
                    .text(name, value)
                    .and_then(|text| self.check(value, value::duration(&text), &format!("`{text}`")));
            }
            "max_sessions" => keys.max_sessions = self.max_sessions(value),
            "probe" => {
                keys.probe = self.choice(
                    name,
                    value,
                    &[
                        ("auto", None),
                        ("postgres", Some(Probe::Postgres)),
                        ("mysql", Some(Probe::Mysql)),
                        ("redis", Some(Probe::Redis)),
                        ("tls", Some(Probe::Tls)),
                        ("http", Some(Probe::Http)),
                        ("tcp", Some(Probe::Tcp)),
                        ("none", Some(Probe::None)),
                    ],
                );
            }
            "document" => keys.document = self.text(name, value),
            "reason" => keys.reason = self.text(name, value),
            "protected" => keys.protected = self.boolean(name, value),
            other => unreachable!("TUNNEL_KEYS holds `{other}`, which has no arm here"),
        }
    }

    fn remote(&mut self, value: &Value<'_>) -> Option<Remote> {
        if let Some(number) = integer(value) {
            let port = self.check(value, value::port(number, REMOTE_FORMS), "`remote`")?;
            return Some(Remote { host: None, port });
        }
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped("remote", value, REMOTE_FORMS);
        };
        let text = self.expand(value, text)?;
        self.check(value, value::remote(&text), "`remote`")
    }

    fn local(&mut self, value: &Value<'_>) -> Option<LocalAddr> {
        if let Some(number) = integer(value) {
            let port = self.check(value, value::port_number(number), "`local`")?;
            return Some(LocalAddr::Loopback(port));
        }
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped("local", value, LOCAL_FORMS);
        };
        // The home directory may stand behind `unix:`.
        let expanded = match text.strip_prefix("unix:") {
            Some(path) => format!("unix:{}", self.expand(value, path)?),
            None => self.expand(value, text)?,
        };
        self.check(value, value::local(&expanded), "`local`")
    }

    fn targets(&mut self, value: &Value<'_>) -> Option<Vec<Candidate>> {
        let Some(list) = value.get_ref().as_array() else {
            return self.target(value).map(|target| vec![target]);
        };
        if list.is_empty() {
            self.error(value.span(), "`target` is empty".into(), "", Some(TARGET_FORMS));
            return None;
        }
        // Every entry is looked at, so that every wrong one is reported.
        let targets: Vec<_> = list.iter().map(|entry| self.target(entry)).collect();
        targets.into_iter().collect()
    }

    fn target(&mut self, value: &Value<'_>) -> Option<Candidate> {
        if let Some(table) = value.get_ref().as_table() {
            let mut found = None;
            for (key, value) in table {
                if key.get_ref() == "tag" {
                    let text = self.text("tag", value)?;
                    found = self.check(value, value::tag(&text), &format!("`{text}`"));
                    found.as_ref()?;
                } else {
                    self.unknown(key, &["tag"]);
                    return None;
                }
            }
            if found.is_none() {
                self.error(value.span(), "`target` has no `tag`".into(), "", Some(TARGET_FORMS));
            }
            return found.map(Candidate::Tag);
        }
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped("target", value, TARGET_FORMS);
        };
        let text = self.expand(value, text)?;
        self.check(value, value::target(&text), &format!("`{text}`"))
    }

    fn endpoints(&mut self, value: &Value<'_>) -> Endpoints {
        let mut endpoints = Endpoints::default();
        let Some(table) = self.table("endpoints", value) else {
            return endpoints;
        };
        for (key, value) in table {
            let place = match key.get_ref().as_ref() {
                "ssm" => &mut endpoints.ssm,
                "ssmmessages" => &mut endpoints.ssmmessages,
                "kms" => &mut endpoints.kms,
                "sts" => &mut endpoints.sts,
                _ => {
                    self.unknown(key, ENDPOINT_KEYS);
                    continue;
                }
            };
            *place = self.text("an endpoint", value).and_then(|text| {
                // A bare host is what the AWS console shows for a VPC endpoint.
                let url = if text.contains("://") { text } else { format!("https://{text}") };
                match check_endpoint(&url) {
                    Ok(()) => Some(url),
                    Err(wrong) => {
                        self.error(value.span(), wrong.to_string(), "", Some(ENDPOINT_FORMS));
                        None
                    }
                }
            });
        }
        endpoints
    }

    #[expect(clippy::option_option, reason = "wrong, and `never`, are two things")]
    fn park_after(&mut self, value: &Value<'_>) -> Option<Option<Duration>> {
        let text = self.text("park_after", value)?;
        if text == "never" {
            return Some(None);
        }
        self.check(value, value::duration(&text), &format!("`{text}`")).map(Some)
    }

    fn max_sessions(&mut self, value: &Value<'_>) -> Option<u8> {
        const FORMS: &str = "a number from 1 to 16";
        let Some(number) = integer(value) else {
            return self.mistyped("max_sessions", value, FORMS);
        };
        if let Ok(number @ 1..=16) = u8::try_from(number) {
            return Some(number);
        }
        self.error(value.span(), format!("`max_sessions` cannot be {number}"), "", Some(FORMS));
        None
    }
}
