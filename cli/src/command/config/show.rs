//! `tunnels config show`: the configuration as it is in force, value by value, each with where it comes from.
//!
//! What it prints for people is itself a configuration: the origins are comments.

use crate::completion;
use crate::exit::Exit;
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;
use tunnels_api::ApiError;
use tunnels_daemon::config::{self, Origin, Resolved, Setting};

/// Longer values push their own comment away and nobody else's.
const MAX_ALIGNED: usize = 48;

const EXAMPLES: &str = "\
Examples:
  tunnels config show orders-db
  tunnels config show @db --json | jq '.tunnels[].settings.profile'";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Show {
    /// Only these tunnels: names, @groups or globs
    #[arg(value_name = "SEL", add = ArgValueCompleter::new(completion::selectors))]
    select: Vec<String>,
    /// Print one JSON value
    #[arg(long)]
    pub(super) json: bool,
}

impl Show {
    pub(super) fn run(self, path: &Path) -> Result<Exit, ApiError> {
        super::must_exist(path)?;
        let resolved = config::resolve(path).map_err(|errors| super::invalid(&errors))?;
        let tunnels = &resolved.config.tunnels;
        let known: Vec<(&str, &[String])> =
            tunnels.iter().map(|tunnel| (tunnel.name.as_str(), tunnel.groups.as_slice())).collect();
        let picked = super::super::pick_from(&self.select, &known, "tunnels config show")?;
        let env = |name: &str| std::env::var(name).ok();
        let shown: Vec<(&str, Vec<Setting>)> = known
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| picked.contains(name))
            .map(|(at, (name, _))| (*name, resolved.settings(at, &env)))
            .collect();
        if self.json {
            output::print_json(&as_json(&resolved, &shown))?;
        } else {
            output::print(&as_toml(&resolved, &shown, output::look().color))?;
        }
        Ok(Exit::Done)
    }
}

/// The shape that the README documents.
fn as_json(resolved: &Resolved, tunnels: &[(&str, Vec<Setting>)]) -> Value {
    let setting = |setting: &Setting| {
        let mut shown = json!({ "value": setting.value });
        match &setting.origin {
            Origin::File { path, line, defaults } => {
                shown["from"] = json!(if *defaults { "defaults" } else { "tunnel" });
                shown["file"] = json!(path);
                shown["line"] = json!(line);
            }
            Origin::Environment(name) => {
                shown["from"] = json!("environment");
                shown["variable"] = json!(name);
            }
            Origin::BuiltIn => shown["from"] = json!("built-in"),
            Origin::Unset => shown["from"] = json!("unset"),
        }
        (setting.key.to_owned(), shown)
    };
    let tunnel = |(name, settings): &(&str, Vec<Setting>)| {
        let settings: Map<String, Value> = settings.iter().map(setting).collect();
        json!({ "name": name, "settings": settings })
    };
    json!({
        "files": resolved.config.files,
        "tunnels": tunnels.iter().map(tunnel).collect::<Vec<_>>(),
    })
}

/// TOML with the origins as comments.
fn as_toml(resolved: &Resolved, tunnels: &[(&str, Vec<Setting>)], color: bool) -> String {
    let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let comment = |text: &str| paint("2", &format!("# {}", text.replace(char::is_control, "?")));
    let mut out = String::new();
    for (at, file) in resolved.config.files.iter().enumerate() {
        let included = if at == 0 { "" } else { ", included" };
        let _ = writeln!(out, "{}", comment(&format!("{}{included}", file.display())));
    }
    let from_shell = |setting: &Setting| matches!(setting.origin, Origin::Environment(_));
    if tunnels.iter().any(|(_, settings)| settings.iter().any(from_shell)) {
        let _ = writeln!(
            out,
            "{}",
            comment("AWS_* are those of this shell; the daemon has those of the shell that started it")
        );
    }
    for (name, settings) in tunnels {
        let _ = writeln!(out, "\n{}", paint("1", &format!("[tunnels.{}]", key(name))));
        let width = |setting: &Setting| setting.key.len() + 3 + literal(&setting.value).chars().count();
        let widest = settings.iter().map(width).filter(|width| *width <= MAX_ALIGNED).max().unwrap_or(0);
        for setting in settings {
            if setting.value.is_null() {
                continue;
            }
            let origin = words(&setting.origin, &resolved.config.path);
            let gap = " ".repeat(widest.saturating_sub(width(setting)) + 2);
            let (name, value) = (paint("36", setting.key), literal(&setting.value));
            let _ = writeln!(out, "{name} = {value}{gap}{}", comment(&origin));
        }
        let unset: Vec<&str> = settings.iter().filter(|one| one.value.is_null()).map(|one| one.key).collect();
        for (key, instead) in [("profile", "AWS's default credentials"), ("region", "that of the AWS profile")] {
            if unset.contains(&key) {
                let _ = writeln!(out, "{}", comment(&format!("{key} is not set: {instead}")));
            }
        }
        let rest: Vec<&str> = unset.into_iter().filter(|key| !matches!(*key, "profile" | "region")).collect();
        if !rest.is_empty() {
            let _ = writeln!(out, "{}", comment(&format!("not set: {}", rest.join(", "))));
        }
    }
    out
}

/// Where a value comes from, in a few words.
fn words(origin: &Origin, main: &Path) -> String {
    match origin {
        Origin::File { path, line, defaults } => {
            // Files beside the main one are known by their names.
            let beside = path.parent().filter(|folder| Some(*folder) == main.parent()).and_then(|_| path.file_name());
            let file = beside.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
            if *defaults { format!("defaults in {file}:{line}") } else { format!("{file}:{line}") }
        }
        Origin::Environment(name) => (*name).to_owned(),
        Origin::BuiltIn => "built-in default".to_owned(),
        Origin::Unset => "not set".to_owned(),
    }
}

/// A key, in quotes where TOML wants them.
fn key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare { name.to_owned() } else { literal(&json!(name)) }
}

/// A value as TOML writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(name, value)| format!("{} = {}", key(name), literal(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        // JSON's strings, numbers and booleans are TOML's; DEL alone has to be escaped there as well.
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"[defaults]
target = { tag = "Name=bastion" }
region = "eu-west-1"

[tunnels.a]
remote = "db.example:5432"
local = 15432
groups = ["db"]
reason = "it's \"monthly\" \\ ü"

[tunnels."b.c"]
remote = 8080
local = "127.0.0.2:8080"
target = ["i-01234567", { tag = "Role=jump" }]
park_after = "never"
endpoints = { ssm = "https://vpce.example" }
"#;

    fn resolved(text: &str) -> (tempfile::TempDir, Resolved) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let resolved = config::resolve(&path).unwrap_or_else(|errors| panic!("{errors}"));
        (folder, resolved)
    }

    fn shown(resolved: &Resolved) -> Vec<(&str, Vec<Setting>)> {
        let names = resolved.config.tunnels.iter().map(|tunnel| tunnel.name.as_str());
        names.enumerate().map(|(at, name)| (name, resolved.settings(at, &|_| None))).collect()
    }

    #[test]
    fn what_is_shown_means_the_same() {
        let (_folder, first) = resolved(TEXT);
        let printed = as_toml(&first, &shown(&first), false);
        let (_folder, second) = resolved(&printed);
        let values = |resolved: &Resolved| -> Vec<Vec<Value>> {
            shown(resolved).into_iter().map(|(_, all)| all.into_iter().map(|one| one.value).collect()).collect()
        };
        assert_eq!(values(&first), values(&second), "{printed}");
    }

    #[test]
    fn each_line_says_where_its_value_comes_from() {
        let (_folder, resolved) = resolved(TEXT);
        let printed = as_toml(&resolved, &shown(&resolved), false);
        let line = |start: &str| printed.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        for (start, value, origin) in [
            ("remote = ", "\"db.example:5432\"", "# config.toml:6"),
            ("target = ", "{ tag = \"Name=bastion\" }", "# defaults in config.toml:2"),
            ("hold = ", "\"30s\"", "# built-in default"),
            ("# profile ", "not set", "default credentials"),
            ("# not set: ", "endpoints.ssm, ", "endpoints.sts"),
        ] {
            assert!(line(start).contains(value) && line(start).ends_with(origin), "{start}: {}", line(start));
        }
        let colored = as_toml(&resolved, &shown(&resolved), true);
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), printed);
    }

    #[test]
    fn json_has_the_documented_fields() {
        let (folder, resolved) = resolved(TEXT);
        let shown = as_json(&resolved, &shown(&resolved));
        let file = folder.path().join("config.toml");
        assert_eq!(shown["files"], json!([file]));
        let settings = &shown["tunnels"][0]["settings"];
        assert_eq!(shown["tunnels"][0]["name"], "a");
        for (key, expected) in [
            ("local", json!({ "value": 15432, "from": "tunnel", "file": file, "line": 7 })),
            ("region", json!({ "value": "eu-west-1", "from": "defaults", "file": file, "line": 3 })),
            ("auto", json!({ "value": true, "from": "built-in" })),
            ("endpoints.ssm", json!({ "value": null, "from": "unset" })),
        ] {
            assert_eq!(settings[key], expected, "{key}");
        }
    }
}
