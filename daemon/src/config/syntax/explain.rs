//! What is wrong with a statement that is not TOML, in words for somebody who has never written any.
//!
//! Values are `repair.rs`'s matter.

use super::super::diagnostic::{ConfigError, quote};
use super::super::keys::example;
use super::super::place::{Place, SourceFile};
use super::super::statement::Statement;
use super::repair::{Repair, repair, sound};
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeTable;

/// A file that is something else as a whole.
pub(super) fn other_format(file: &Arc<SourceFile>) -> Option<ConfigError> {
    let mut offset = 0;
    let mut first: Option<(Range<usize>, &str)> = None;
    let (mut yaml, mut pairs) = (0, 0);
    for line in file.text.split('\n') {
        let code = line.trim();
        let span = offset..offset + line.trim_end().len();
        offset += line.len() + 1;
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            let conflict = ConfigError::new("a merge conflict is not resolved", Some(Place::new(file, span)));
            return Some(conflict.help("keep one side, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`"));
        }
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        let word = code.trim_start_matches("- ").find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
        let is_yaml = word.is_some_and(|end| end > 0 && code.trim_start_matches("- ")[end..].starts_with(':'));
        yaml += usize::from(is_yaml || code == "---");
        pairs += usize::from(code.contains('=') || code.starts_with('['));
        first.get_or_insert((span, code));
    }
    let (span, code) = first?;
    let language = if code.starts_with('{') {
        "JSON"
    } else if yaml > 1 && pairs == 0 {
        "YAML"
    } else {
        return None;
    };
    let message = format!("this looks like {language}; the configuration is TOML");
    let help = "a tunnel reads\n\n[tunnels.orders-db]\nremote = \"orders.example.com:5432\"\nlocal = 15432\n\
                target = \"i-0123456789abcdef0\"";
    Some(ConfigError::new(message, Some(Place::new(file, span))).help(help))
}

/// What is wrong with a broken statement.
pub(super) fn explain(file: &Arc<SourceFile>, statement: &Statement) -> ConfigError {
    let code = &file.text[statement.span.clone()];
    let found = if statement.is_header { header(code) } else { pair(code) };
    let found = found.unwrap_or_else(|| in_the_parsers_words(code));
    let base = statement.span.start;
    let place = Place::new(file, base + found.span.start..base + found.span.end);
    let error = ConfigError::new(found.message, Some(place)).label(found.label);
    match found.write {
        Some(write) => error.help(format!("write `{write}`")),
        None => error,
    }
}

/// A mistake within a statement.
struct Found {
    message: String,
    span: Range<usize>,
    label: &'static str,
    /// What to write instead.
    write: Option<String>,
}

fn in_the_parsers_words(code: &str) -> Found {
    let (_, errors) = DeTable::parse_recoverable(code);
    let error = errors.first();
    let message = error.map_or_else(String::new, |error| format!(": {}", error.message().trim()));
    let span = error.and_then(toml::de::Error::span).unwrap_or(0..code.len());
    Found { message: format!("this is not TOML{message}"), span, label: "", write: None }
}

pub(super) fn is_toml(code: &str) -> bool {
    DeTable::parse_recoverable(code).1.is_empty()
}

fn header(code: &str) -> Option<Found> {
    let line = code.split(" #").next().unwrap_or(code).trim_end();
    let close = if line.starts_with("[[") { "]]" } else { "]" };
    let inner = line.trim_start_matches('[');
    let (name, behind) = inner.split_once(']').map_or((inner, None), |(name, behind)| (name, Some(behind)));
    let table = name.strip_prefix("tunnels.").map(str::trim);
    let name_at = line.len() - inner.len();
    if let Some(tunnel) = table.filter(|tunnel| !is_toml(&format!("[{tunnel}]"))) {
        let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let better = tunnel.trim_matches(|c| fit(c) != c).chars().map(fit).collect::<String>();
        let at = name_at + (name.len() - tunnel.len());
        return Some(Found {
            message: format!("{} cannot be the name of a tunnel", quote(tunnel)),
            span: at..at + tunnel.len(),
            label: "names have letters, digits, `-` and `_`",
            write: Some(format!("[tunnels.{better}]")).filter(|_| !better.is_empty()),
        });
    }
    let written = format!("{}{}{close}", &line[..name_at], name.trim());
    let write = Some(written).filter(|written| is_toml(written));
    match behind.map(|behind| behind.strip_prefix(']').filter(|_| close == "]]").unwrap_or(behind)) {
        None => Some(Found {
            message: "the header of this table is not closed".to_owned(),
            span: line.len()..line.len(),
            label: "`]` is missing",
            write,
        }),
        Some(behind) if write.is_some() && !behind.trim().is_empty() => Some(Found {
            message: "there is something behind the header of this table".to_owned(),
            span: line.len() - behind.trim_start().len()..line.len(),
            label: "keys begin on the next line",
            write,
        }),
        Some(_) => None,
    }
}

fn pair(code: &str) -> Option<Found> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let key = &code[..code.find(|c| !is_word(c)).unwrap_or(code.len())];
    if let Some(mark) = ["//", "--", ";", "/*", "%"].into_iter().find(|mark| code.starts_with(mark)) {
        return Some(Found {
            message: format!("`{mark}` does not begin a comment"),
            span: 0..mark.len(),
            label: "comments begin with `#`",
            write: Some(format!("# {}", code[mark.len()..].lines().next().unwrap_or_default().trim())),
        });
    }
    if key.is_empty() {
        return None;
    }
    let rest = code[key.len()..].trim_start();
    let at = code.len() - rest.len();
    let Some(value) = rest.strip_prefix('=') else {
        let (value, span, label) = match rest.strip_prefix([':', ' ']) {
            Some(value) => (value, at..at + 1, "`=` belongs here"),
            None => (rest, key.len()..key.len(), "`=` is missing"),
        };
        let value = value.trim_start_matches('=').trim();
        let value = Some(value).filter(|value| !value.is_empty()).and_then(|value| sound(key, value));
        return Some(Found {
            message: format!("there is no `=` between `{key}` and its value"),
            span,
            label,
            write: value.or_else(|| example(key).map(str::to_owned)).map(|value| format!("{key} = {value}")),
        });
    };
    let value = value.trim();
    let at = code.len() - value.len();
    if value.is_empty() || value.starts_with('#') {
        return Some(Found {
            message: format!("`{key}` has no value"),
            span: 0..code.trim_end().len().min(at.max(key.len())),
            label: "",
            write: example(key).map(|example| format!("{key} = {example}")),
        });
    }
    let Repair { written, message, span, label } = repair(key, value)?;
    // Several lines are no line to write.
    let write = Some(format!("{key} = {written}")).filter(|write| !write.contains('\n'));
    Some(Found { message, span: at + span.start..at + span.end, label, write })
}
