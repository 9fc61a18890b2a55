//! The JSON Schema of the configuration, for editors that complete keys and check values while somebody types.
//!
//! Made from the table of keys (`keys/table.rs`). It accepts whatever the program accepts; what it cannot say – ports
//! that clash, names defined twice, files that are missing – is left to `tunnels config check`. Draft 7, because that
//! is what editors of TOML (taplo, Even Better TOML) know.

use super::keys::{ENDPOINT_KEYS, Fallback, KEYS, Kind, Row, example};
use serde_json::{Map, Value, json};

/// A text with a variable in it may be anything before that is expanded.
const VARIABLE: &str = r"\$\{[A-Za-z0-9_]+\}";
const TUNNEL_NAME: &str = "^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}$";
const GROUP: &str = "^[A-Za-z0-9_.-]{1,64}$";
const HOST_PORT: &str = r"^[^/@\s]*:[0-9]{1,5}$|^[0-9]{1,5}$";
const LISTEN: &str = r"^auto$|^unix:.+$|^[^/@\s]+:[0-9]{1,5}$|^[0-9]{1,5}$";
const NODE: &str = "^(i|mi)-[0-9a-fA-F]{8,17}$|^ecs:[^_]+_[^_]+_.+$";
const TAG: &str = r"^[^=\s]([^=]*[^=\s])?=\S(.*\S)?$";
/// A number with its unit in any of the forms that durations are read in.
const DURATION: &str = "^[+]?[0-9].*[A-Za-z:].*$|^[+]?[pP].+$";

/// The schema, as it is published in docs/config.schema.json.
pub fn schema() -> Value {
    let (mut tunnel, mut defaults) = (Map::new(), Map::new());
    for row in KEYS {
        tunnel.insert(row.name.to_owned(), property(row));
        if !matches!(row.default, Fallback::Own) {
            defaults.insert(
                row.name.to_owned(),
                json!({ "$ref": format!("#/definitions/tunnel/properties/{}", row.name) }),
            );
        }
    }
    let own: Vec<&str> = KEYS.iter().filter(|row| matches!(row.default, Fallback::Own)).map(|row| row.name).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of tunnels",
        "description": "Named AWS Session Manager port forwards. `tunnels config check` finds what a schema cannot.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "include": {
                "description": "Further files, such as a team's: their tunnels are added to these. Relative paths \
                                start at this file's folder.",
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
                "default": [],
                "examples": [literal(example("include").unwrap_or_default())],
            },
            "defaults": {
                "description": "What holds for all tunnels that do not say otherwise.",
                "type": "object",
                "additionalProperties": false,
                "properties": defaults,
            },
            "tunnels": {
                "description": "One table for each tunnel: `[tunnels.NAME]`.",
                "type": "object",
                "propertyNames": { "pattern": TUNNEL_NAME },
                "additionalProperties": { "$ref": "#/definitions/tunnel" },
            },
        },
        "definitions": {
            "tunnel": {
                "type": "object",
                "additionalProperties": false,
                "required": own,
                "properties": tunnel,
            },
            "target": {
                "anyOf": [
                    text(NODE),
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["tag"],
                        "properties": { "tag": text(TAG) },
                    },
                ],
            },
        },
    })
}

fn property(row: &Row) -> Value {
    let mut property = shape(&row.kind);
    let (description, default) = match row.default {
        Fallback::Own | Fallback::Required => (row.meaning.to_owned(), None),
        Fallback::Value(value) => (row.meaning.to_owned(), Some(literal(value))),
        Fallback::Unset(instead) => (format!("{} Without it: {instead}.", row.meaning), None),
    };
    property["description"] = json!(format!("{description}\n\nAccepted: {}.", row.kind.accepted()));
    property["examples"] = json!([literal(row.example)]);
    if let Some(default) = default {
        property["default"] = default;
    }
    property
}

fn shape(kind: &Kind) -> Value {
    let port = json!({ "type": "integer", "minimum": 1, "maximum": u16::MAX });
    match kind {
        Kind::Remote => json!({ "anyOf": [port, text(HOST_PORT)] }),
        Kind::Local => json!({ "anyOf": [port, text(LISTEN)] }),
        Kind::Target => {
            let one = json!({ "$ref": "#/definitions/target" });
            json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
        }
        Kind::Endpoints => {
            let endpoint = json!({ "type": "string", "minLength": 1 });
            let all: Map<String, Value> =
                ENDPOINT_KEYS.iter().map(|key| ((*key).to_owned(), endpoint.clone())).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": all })
        }
        Kind::Text { pattern: "", .. } => json!({ "type": "string", "minLength": 1 }),
        Kind::Text { pattern, .. } => text(pattern),
        Kind::Groups => json!({ "type": "array", "items": text(GROUP) }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words() }),
        Kind::Duration { never: false, .. } => text(DURATION),
        Kind::Duration { never: true, .. } => text(&format!("^never$|{DURATION}")),
        Kind::Number { limits, .. } => {
            json!({ "type": "integer", "minimum": limits.start(), "maximum": limits.end() })
        }
    }
}

/// A string of this form, or with a variable in it.
fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|{VARIABLE}") })
}

/// A value in TOML as JSON.
fn literal(toml: &str) -> Value {
    let table = format!("value = {toml}").parse::<toml::Table>();
    // The table of keys is ours, and its tests read every value in it.
    table.ok().and_then(|table| serde_json::to_value(&table["value"]).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
