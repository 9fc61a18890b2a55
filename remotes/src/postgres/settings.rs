//! What `SHOW` and `SET` know. Settings are kept and told; the database behaves the same whatever they are, so
//! those that would have to change something can only have the value they have.

use super::error::{SqlError, code};
use std::collections::BTreeMap;

/// What `version()` says. Older than any psql in use, so that none warns.
pub(super) const VERSION_TEXT: &str = "PostgreSQL 14.0 (tunnels demo: a small database in memory, not the real server)";

/// The longest value.
const LONGEST: usize = 256;

/// Whether a setting may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Free,
    /// It begins with one of these, in whatever case.
    Only(&'static [&'static str]),
    ReadOnly,
}

/// A setting: name as clients write it, value, rule, and whether clients are told at the start and of changes.
type Known = (&'static str, &'static str, Rule, bool);

const KNOWN: [Known; 25] = [
    ("application_name", "", Rule::Free, true),
    ("bytea_output", "hex", Rule::Free, false),
    ("client_encoding", "UTF8", Rule::Only(&["utf8", "utf-8", "unicode"]), true),
    ("client_min_messages", "notice", Rule::Free, false),
    ("DateStyle", "ISO, MDY", Rule::Only(&["iso"]), true),
    ("default_transaction_isolation", "read committed", Rule::Free, false),
    ("default_transaction_read_only", "on", Rule::ReadOnly, false),
    ("extra_float_digits", "1", Rule::Free, false),
    ("idle_in_transaction_session_timeout", "0", Rule::Free, false),
    ("integer_datetimes", "on", Rule::ReadOnly, true),
    ("IntervalStyle", "postgres", Rule::Free, true),
    ("is_superuser", "off", Rule::ReadOnly, true),
    ("lock_timeout", "0", Rule::Free, false),
    ("max_identifier_length", "63", Rule::ReadOnly, false),
    ("row_security", "on", Rule::Free, false),
    ("search_path", "public", Rule::Free, false),
    ("server_encoding", "UTF8", Rule::ReadOnly, true),
    ("server_version", "14.0 (tunnels demo)", Rule::ReadOnly, true),
    ("server_version_num", "140000", Rule::ReadOnly, false),
    ("standard_conforming_strings", "on", Rule::Only(&["on", "true"]), true),
    ("statement_timeout", "0", Rule::Only(&["0"]), false),
    ("synchronous_commit", "on", Rule::Free, false),
    ("TimeZone", "UTC", Rule::Only(&["utc", "gmt", "etc/utc", "zulu"]), true),
    ("transaction_isolation", "read committed", Rule::Free, false),
    ("transaction_read_only", "on", Rule::ReadOnly, false),
];

/// One connection's settings.
#[derive(Debug, Default)]
pub(super) struct Settings {
    changed: BTreeMap<&'static str, String>,
}

impl Settings {
    /// The name as it is shown, and the value.
    pub(super) fn show(&self, name: &str) -> Result<(&'static str, String), SqlError> {
        let known = find(name)?;
        Ok((known.0, self.value(known)))
    }

    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        KNOWN.iter().map(|known| (known.0, self.value(known))).collect()
    }

    /// What clients are told without asking.
    pub(super) fn reported(&self) -> Vec<(&'static str, String)> {
        KNOWN.iter().filter(|known| known.3).map(|known| (known.0, self.value(known))).collect()
    }

    fn value(&self, known: &Known) -> String {
        self.changed.get(known.0).cloned().unwrap_or_else(|| known.1.to_owned())
    }

    /// Changes a setting, or gives it back its default. The client is to be told what comes back.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: Option<String>,
    ) -> Result<Option<(&'static str, String)>, SqlError> {
        let known = find(name)?;
        let (name, _, rule, reported) = *known;
        match value {
            None => drop(self.changed.remove(name)),
            Some(value) => {
                let refused = |why: &str| {
                    let wrong = format!("invalid value for parameter \"{name}\": \"{value}\"");
                    Err(SqlError::new(code::INVALID_VALUE, wrong).with_hint(why.to_owned()))
                };
                match rule {
                    Rule::ReadOnly => {
                        let wrong = format!("parameter \"{name}\" cannot be changed");
                        return Err(SqlError::new("55P02", wrong));
                    }
                    Rule::Only(allowed) if !allowed.iter().any(|start| value.to_lowercase().starts_with(start)) => {
                        return refused(&format!("the demo's database knows {} only", known.1));
                    }
                    // Kept as it is: the value says the same in other words.
                    Rule::Only(_) => {}
                    Rule::Free if value.len() > LONGEST => return refused("it is too long"),
                    Rule::Free => drop(self.changed.insert(name, value)),
                }
            }
        }
        Ok(reported.then(|| (name, self.value(known))))
    }

    pub(super) fn reset(&mut self) {
        self.changed.clear();
    }
}

fn find(name: &str) -> Result<&'static Known, SqlError> {
    let found = KNOWN.iter().find(|known| known.0.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        SqlError::new(code::NO_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
            .with_hint("show all lists those that the demo's database knows")
    })
}
