//! One file's tables: includes, defaults and tunnels as they are written.
//!
//! Every mistake is collected. What a tunnel's keys may hold is in `keys.rs`; which keys belong together, and
//! other files, are `load.rs`'s matter.

use super::diagnostic::{ConfigError, quote};
use super::keys::{Keys, TUNNEL_KEYS};
use super::place::{Place, SourceFile};
use super::reader::{Key, Reader, Value};
use super::syntax::{self, Rest};
use super::value;
use std::sync::Arc;
use toml::de::DeTable;

const TOP_KEYS: &[&str] = &["include", "defaults", "tunnels"];
const TOP_ALIASES: &[(&str, &str)] = &[
    ("includes", "include"),
    ("import", "include"),
    ("imports", "include"),
    ("default", "defaults"),
    ("forwards", "tunnels"),
    ("connections", "tunnels"),
];

/// What is written in one file, before defaults and other files are taken into account.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) include: Vec<(String, Place)>,
    pub(super) defaults: Keys,
    /// Where `[defaults]` stands.
    pub(super) defaults_place: Option<Place>,
    pub(super) tunnels: Vec<Entry>,
}

/// One `[tunnels.NAME]` as written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) keys: Keys,
}

/// Reads a file's text; mistakes go into `errors`.
pub(super) fn read(
    file: &Arc<SourceFile>,
    env: &dyn Fn(&str) -> Option<String>,
    errors: &mut Vec<ConfigError>,
) -> Document {
    let (table, broken) = DeTable::parse_recoverable(&file.text);
    if broken.is_empty() {
        return Reader { file, env, errors }.document(table.get_ref());
    }
    let Rest { text, broken, orphans, broken_defaults } = syntax::recover(file, &broken, errors);
    let mut reader = Reader { file, env, errors };
    let (table, _) = DeTable::parse_recoverable(&text);
    let mut document = reader.document(table.get_ref());
    for orphan in orphans {
        let (table, _) = DeTable::parse_recoverable(&orphan.text);
        // Nobody knows whose keys these are; what they hold can be wrong all the same.
        reader.keys(table.get_ref(), orphan.is_defaults);
    }
    document.defaults.incomplete |= broken_defaults;
    for entry in &mut document.tunnels {
        entry.keys.incomplete |= broken.iter().any(|table| table.contains(&entry.place.span().start));
    }
    document
}

impl Reader<'_> {
    fn document(&mut self, table: &DeTable<'_>) -> Document {
        let mut document = Document::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "include" => document.include = self.strings("include", value).unwrap_or_default(),
                "defaults" => {
                    if let Some(table) = self.table("defaults", value, "`[defaults]`, with keys below it") {
                        document.defaults = self.keys(table, true);
                        document.defaults_place = Some(self.place(key.span()));
                    }
                }
                "tunnels" => {
                    if let Some(table) = self.table("tunnels", value, "`[tunnels.NAME]` for each tunnel") {
                        document.tunnels = self.tunnels(table);
                    }
                }
                _ => self.stray(key, value),
            }
        }
        document
    }

    /// A key at the top that does not belong there.
    fn stray(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let name = key.get_ref().as_ref();
        let message = format!("there is no key {} outside of tunnels", quote(name));
        let is_tunnel = |table: &DeTable<'_>| table.contains_key("remote") || table.contains_key("local");
        if TUNNEL_KEYS.contains(&name) {
            let help = "write it below `[tunnels.NAME]`, or for all tunnels below `[defaults]`";
            self.error(key.span(), message, "a key of tunnels", help);
        } else if value.get_ref().as_table().is_some_and(is_tunnel) {
            self.error(key.span(), message, "", &format!("write `[tunnels.{name}]`"));
        } else {
            self.unknown(key, TOP_KEYS, TOP_ALIASES);
        }
    }

    fn tunnels(&mut self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if TUNNEL_KEYS.contains(&name.as_str()) && !value.get_ref().is_table() {
                let help = format!("write `{name} = …` below `[tunnels.NAME]`");
                self.error(key.span(), format!("`{name}` stands outside of any tunnel"), "", &help);
                continue;
            }
            let fits = self.check(key.span(), "", value::tunnel_name(&name)).is_some();
            if let Some(table) = self.table(&name, value, "a table: `[tunnels.NAME]`, with keys below it") {
                let keys = self.keys(table, false);
                if fits {
                    entries.push(Entry { name, place: self.place(key.span()), keys });
                }
            }
        }
        // The parser sorts by name; people expect the order in which they wrote.
        entries.sort_by_key(|entry| entry.place.span().start);
        entries
    }
}
