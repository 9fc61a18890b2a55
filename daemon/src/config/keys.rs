//! The keys of a tunnel as a file has them: each read into what it means. Which there are is in `keys/table.rs`.

mod table;

pub(super) use table::{ENDPOINT_KEYS, Fallback, KEYS, Kind, Row, TUNNEL_KEYS, example};

use super::diagnostic::quote;
use super::model::{KeepAlive, LocalAddr, Probe, Remote};
use super::place::Place;
use super::reader::{Reader, Value};
use super::value::{self, DURATION_FORMS, LOCAL_FORMS, REMOTE_FORMS, TARGET_FORMS};
use crate::aws::{Candidate, Endpoints, check_endpoint};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use table::{ENDPOINT_FORMS, KEEP_ALIVE, MAX_SESSIONS, OPEN, PAYLOAD, PAYLOAD_FORMS, PROBE, SESSIONS_FORMS};
use toml::de::DeTable;

/// What people write for them who come from other programs.
const ALIASES: &[(&str, &str)] = &[
    ("host", "remote"),
    ("remote_host", "remote"),
    ("remote_port", "remote"),
    ("address", "remote"),
    ("endpoint", "remote"),
    ("port", "local"),
    ("local_port", "local"),
    ("listen", "local"),
    ("bind", "local"),
    ("instance", "target"),
    ("instance_id", "target"),
    ("bastion", "target"),
    ("aws_profile", "profile"),
    ("aws_region", "region"),
    ("tags", "groups"),
    ("labels", "groups"),
    ("autostart", "auto"),
    ("idle_timeout", "park_after"),
    ("timeout", "hold"),
    ("document_name", "document"),
];

/// The keys of a tunnel or of `[defaults]` that are written.
#[derive(Debug, Default, Clone)]
pub(super) struct Keys {
    pub(super) remote: Option<Remote>,
    pub(super) local: Option<Local>,
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
    pub(super) patience: Option<Duration>,
    pub(super) ping_interval: Option<Duration>,
    pub(super) ping_timeout: Option<Duration>,
    pub(super) max_sessions: Option<u8>,
    pub(super) payload: Option<usize>,
    /// The inner `None` is `"auto"`.
    #[expect(clippy::option_option, reason = "not written, and written as `auto`, are two things")]
    pub(super) probe: Option<Option<Probe>>,
    pub(super) document: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) protected: Option<bool>,
    /// Where each value stands; endpoints as `endpoints.ssm`.
    pub(super) written: BTreeMap<&'static str, Written>,
    /// A key was there but wrong: already reported, so its absence is no second mistake.
    pub(super) wrong: Vec<&'static str>,
    /// Part of the table could not be read at all, so nothing is missing for certain.
    pub(super) incomplete: bool,
}

/// `local`, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Local {
    At(LocalAddr),
    /// `"auto"`: which it is depends on what the others have.
    Own,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) place: Place,
    pub(super) in_defaults: bool,
}

impl Reader<'_> {
    /// Reads a tunnel, or `[defaults]`.
    pub(super) fn keys(&mut self, table: &DeTable<'_>, in_defaults: bool) -> Keys {
        let mut keys = Keys::default();
        for (key, value) in table {
            let Some(&name) = TUNNEL_KEYS.iter().find(|known| **known == key.get_ref().as_ref()) else {
                let looks_like_tunnel = value.get_ref().as_table().is_some_and(|table| table.contains_key("remote"));
                if looks_like_tunnel && !in_defaults {
                    // `[tunnels.a.b]` is a table `b` within `a`.
                    let message = format!("there is no key {} in a tunnel", quote(key.get_ref()));
                    let help = "a name with a dot needs quotes: `[tunnels.\"NAME.NAME\"]`";
                    self.error(key.span(), message, "read as part of another tunnel", help);
                    keys.incomplete = true;
                } else {
                    keys.wrong.extend(self.unknown(key, TUNNEL_KEYS, ALIASES));
                }
                continue;
            };
            if in_defaults && matches!(name, "remote" | "local") {
                let message = format!("`{name}` cannot stand in [defaults]");
                self.error(key.span(), message, "", "every tunnel has its own: write it below `[tunnels.NAME]`");
                continue;
            }
            let before = self.errors.len();
            self.key(name, value, &mut keys, in_defaults);
            if self.errors.len() > before {
                keys.wrong.push(name);
            }
            keys.written.insert(name, Written { place: self.place(value.span()), in_defaults });
        }
        keys
    }

    fn key(&mut self, name: &'static str, value: &Value<'_>, keys: &mut Keys, in_defaults: bool) {
        match name {
            "remote" => keys.remote = self.remote(value),
            "local" => keys.local = self.local(value),
            "target" => keys.target = self.targets(value),
            "profile" => keys.profile = self.aws_name(name, value, value::profile),
            "region" => keys.region = self.aws_name(name, value, value::region),
            "endpoints" => self.endpoints(value, keys, in_defaults),
            "groups" => keys.groups = self.groups(value),
            "auto" => keys.auto = self.boolean(name, value),
            "open" => keys.on_demand = self.choice(name, value, OPEN),
            "park_after" => {
                keys.park_after = match value.get_ref().as_str() {
                    Some("never") => Some(None),
                    _ => self.duration(name, value, &value::PARK_AFTER, ", or `\"never\"`").map(Some),
                }
            }
            "keep_alive" => keys.keep_alive = self.choice(name, value, KEEP_ALIVE),
            "hold" => keys.hold = self.duration(name, value, &value::HOLD, ""),
            "patience" => keys.patience = self.duration(name, value, &value::PATIENCE, ""),
            "ping_interval" => keys.ping_interval = self.duration(name, value, &value::PING, ""),
            "ping_timeout" => keys.ping_timeout = self.duration(name, value, &value::PING, ""),
            "max_sessions" => keys.max_sessions = self.within(name, value, &MAX_SESSIONS, SESSIONS_FORMS),
            "payload" => keys.payload = self.within(name, value, &PAYLOAD, PAYLOAD_FORMS),
            "probe" => keys.probe = self.choice(name, value, PROBE),
            "document" => keys.document = self.aws_name(name, value, value::document),
            "reason" => keys.reason = self.aws_name(name, value, value::reason),
            "protected" => keys.protected = self.boolean(name, value),
            other => unreachable!("TUNNEL_KEYS holds `{other}`, which has no arm here"),
        }
    }

    fn remote(&mut self, value: &Value<'_>) -> Option<Remote> {
        if let Some(text) = value.get_ref().as_str() {
            let text = self.expand(value, text)?;
            return self.check(value.span(), "remote", value::remote(&text));
        }
        let number = self.number("remote", value, REMOTE_FORMS)?;
        self.check(value.span(), "remote", value::remote_port(number))
    }

    fn local(&mut self, value: &Value<'_>) -> Option<Local> {
        if let Some(text) = value.get_ref().as_str() {
            if text == "auto" {
                return Some(Local::Own);
            }
            // The home directory may stand behind `unix:`.
            let expanded = match text.strip_prefix("unix:") {
                Some(path) => format!("unix:{}", self.expand(value, path)?),
                None => self.expand(value, text)?,
            };
            return self.check(value.span(), "local", value::local(&expanded)).map(Local::At);
        }
        let number = self.number("local", value, LOCAL_FORMS)?;
        self.check(value.span(), "local", value::local_port(number).map(LocalAddr::Loopback)).map(Local::At)
    }

    fn targets(&mut self, value: &Value<'_>) -> Option<Vec<Candidate>> {
        let Some(list) = value.get_ref().as_array() else {
            return self.target(value).map(|target| vec![target]);
        };
        if list.is_empty() {
            self.error(value.span(), "`target` is empty".into(), "", &format!("accepted: {TARGET_FORMS}"));
            return None;
        }
        // Every entry is looked at, so that every wrong one is reported.
        let targets: Vec<_> = list.iter().map(|entry| self.target(entry)).collect();
        targets.into_iter().collect()
    }

    fn target(&mut self, value: &Value<'_>) -> Option<Candidate> {
        let Some(table) = value.get_ref().as_table() else {
            let Some(text) = value.get_ref().as_str() else {
                return self.mistyped("target", value, TARGET_FORMS, None);
            };
            let text = self.expand(value, text)?;
            return self.check(value.span(), "target", value::target(&text));
        };
        let mut found = None;
        for (key, value) in table {
            if key.get_ref() != "tag" {
                self.unknown(key, &["tag"], &[("name", "tag"), ("key", "tag"), ("filter", "tag")]);
                return None;
            }
            if let Some(pair) = value.get_ref().as_table().and_then(|table| table.iter().next()) {
                // `{ tag = { Name = "bastion" } }` says it all, too, but there is one way to write it.
                let write = pair.1.get_ref().as_str().map(|text| format!("\"{}={text}\"", pair.0.get_ref()));
                return self.mistyped("tag", value, "`{ tag = \"Key=Value\" }`", write);
            }
            let text = self.text("tag", value)?;
            found = Some(self.check(value.span(), "tag", value::tag(&text))?);
        }
        if found.is_none() {
            self.error(value.span(), "`target` has no `tag`".into(), "", &format!("accepted: {TARGET_FORMS}"));
        }
        found.map(Candidate::Tag)
    }

    fn aws_name(
        &mut self,
        name: &str,
        value: &Value<'_>,
        check: fn(&str) -> Result<(), value::BadValue>,
    ) -> Option<String> {
        let text = self.text(name, value)?;
        self.check(value.span(), name, check(&text)).map(|()| text)
    }

    fn endpoints(&mut self, value: &Value<'_>, keys: &mut Keys, in_defaults: bool) {
        let accepted = "a table: `{ ssm = \"https://…\", ssmmessages = \"https://…\" }`";
        let Some(table) = self.table("endpoints", value, accepted) else { return };
        for (key, value) in table {
            let (name, endpoint) = match key.get_ref().as_ref() {
                "ssm" => ("endpoints.ssm", &mut keys.endpoints.ssm),
                "ssmmessages" => ("endpoints.ssmmessages", &mut keys.endpoints.ssmmessages),
                "kms" => ("endpoints.kms", &mut keys.endpoints.kms),
                "sts" => ("endpoints.sts", &mut keys.endpoints.sts),
                _ => {
                    self.unknown(key, ENDPOINT_KEYS, &[("messages", "ssmmessages")]);
                    continue;
                }
            };
            keys.written.insert(name, Written { place: self.place(value.span()), in_defaults });
            *endpoint = self.text(name, value).and_then(|text| {
                // A bare host is what the AWS console shows for a VPC endpoint.
                let url = if text.contains("://") { text } else { format!("https://{text}") };
                match check_endpoint(&url) {
                    Ok(()) => Some(url),
                    Err(wrong) => {
                        self.error(value.span(), wrong.to_string(), "", &format!("accepted: {ENDPOINT_FORMS}"));
                        None
                    }
                }
            });
        }
    }

    fn groups(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        let groups = self.strings("groups", value)?;
        for (group, place) in &groups {
            self.check(place.span(), "groups", value::group(group));
        }
        Some(groups.into_iter().map(|(group, _)| group).collect())
    }

    fn duration(
        &mut self,
        name: &str,
        value: &Value<'_>,
        limits: &RangeInclusive<Duration>,
        or: &str,
    ) -> Option<Duration> {
        let Some(text) = value.get_ref().as_str() else {
            let number = self.written(value).filter(|_| value.get_ref().as_integer().is_some());
            let write = number.map(|number| format!("\"{number}s\"` or `\"{number}m\""));
            return self.mistyped(name, value, &format!("{DURATION_FORMS}{or}"), write);
        };
        let text = self.expand(value, text)?;
        let duration = value::duration(&text).and_then(|duration| value::limited(duration, limits));
        self.check(value.span(), name, duration)
    }

    /// A number within what its key takes.
    fn within<T: TryFrom<i64>>(
        &mut self,
        name: &str,
        value: &Value<'_>,
        limits: &RangeInclusive<i64>,
        accepted: &str,
    ) -> Option<T> {
        let number = self.number(name, value, accepted)?;
        let fitting = limits.contains(&number).then(|| T::try_from(number).ok()).flatten();
        if fitting.is_none() {
            let message = format!("`{name}` cannot be {number}");
            self.error(value.span(), message, "", &format!("accepted: {accepted}"));
        }
        fitting
    }
}
