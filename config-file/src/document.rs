//! The text of a configuration with something added to it. Nothing that was there changes: no comment, no order, no
//! line end.

use crate::tunnel::NewTunnel;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// Nothing can be added to what is not TOML, or is of another shape than a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be added to this file: {0}")]
pub struct NotToml(String);

/// With these tunnels behind the ones that there are.
///
/// # Errors
/// If the text is no configuration, or has a tunnel of the same name.
pub fn with_tunnels(text: &str, tunnels: &[NewTunnel]) -> Result<String, NotToml> {
    let Text { body, restore } = Text::of(text);
    let mut document: DocumentMut = body.parse().map_err(|error| not_toml(&error))?;
    // A file of comments alone: they stay above.
    let is_empty = document.is_empty();
    let parent = document.entry("tunnels").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    for tunnel in tunnels {
        if parent.get(&tunnel.name).is_some() {
            return Err(NotToml(format!("it has a tunnel `{}`", tunnel.name)));
        }
        match parent {
            Item::Table(table) => {
                table.insert(&tunnel.name, Item::Table(tunnel.table()));
            }
            Item::Value(Value::InlineTable(table)) => {
                let mut own = tunnel.table().into_inline_table();
                own.fmt();
                table.insert(&tunnel.name, Value::InlineTable(own));
            }
            _ => return Err(NotToml("`tunnels` is no table".to_owned())),
        }
    }
    if is_empty {
        let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing("");
        let added = document.to_string();
        let added = if trailing.trim().is_empty() { added.trim_start_matches('\n') } else { &added };
        return Ok(restore.text(&format!("{}{added}", ended(&trailing))));
    }
    Ok(restore.text(&document.to_string()))
}

/// With this file among those that it includes; written as it is given, so it may begin with `~/`.
///
/// # Errors
/// If the text is no configuration.
pub fn with_include(text: &str, file: &str) -> Result<String, NotToml> {
    let Text { body, restore } = Text::of(text);
    let mut document: DocumentMut = body.parse().map_err(|error| not_toml(&error))?;
    let Some(include) = document.get_mut("include") else {
        let at = first_free_line(&body);
        let line = format!("include = {}\n", Array::from_iter([file]));
        // A table that follows at once would look like part of it.
        let gap = if body[at..].trim_start().starts_with('[') && !body[at..].starts_with('\n') { "\n" } else { "" };
        return Ok(restore.text(&format!("{}{line}{gap}{}", ended(&body[..at]), &body[at..])));
    };
    let Some(array) = include.as_array_mut() else { return Err(NotToml("`include` is no list".to_owned())) };
    push(array, file);
    Ok(restore.text(&document.to_string()))
}

fn not_toml(error: &toml_edit::TomlError) -> NotToml {
    NotToml(error.message().to_owned())
}

/// Adds to a list in the way in which it is written.
fn push(array: &mut Array, file: &str) {
    let prefix = |value: &Value| value.decor().prefix().and_then(|raw| raw.as_str()).unwrap_or_default().to_owned();
    let is_spread = array.iter().last().is_some_and(|last| prefix(last).contains('\n'));
    if !is_spread {
        array.push(file);
        return;
    }
    let indent = array.iter().last().map(prefix).unwrap_or_default();
    let indent = indent.rsplit('\n').next().unwrap_or_default().to_owned();
    // What stands behind the last entry is said of it, and stays with it.
    let behind = if array.trailing_comma() {
        array.trailing().as_str().unwrap_or_default().to_owned()
    } else {
        let last = array.len().saturating_sub(1);
        let suffix = array.get_mut(last).map(|last| {
            let suffix = last.decor().suffix().and_then(|raw| raw.as_str()).unwrap_or_default().to_owned();
            last.decor_mut().set_suffix("");
            suffix
        });
        suffix.unwrap_or_default() + array.trailing().as_str().unwrap_or_default()
    };
    let mut entry = Value::from(file);
    entry.decor_mut().set_prefix(format!("{}\n{indent}", behind.trim_end()));
    array.push_formatted(entry);
    array.set_trailing_comma(true);
    array.set_trailing("\n");
}

/// Behind the comments with which the file begins, if an empty line sets them apart from what follows.
fn first_free_line(text: &str) -> usize {
    let (mut at, mut free) = (0, 0);
    for line in text.split_inclusive('\n') {
        let code = line.trim();
        if !code.is_empty() && !code.starts_with('#') {
            return free;
        }
        at += line.len();
        // Editors look for the schema in the first line.
        if code.is_empty() || code.starts_with("#:schema") {
            free = at;
        }
    }
    text.len()
}

/// With its last line ended.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// A text without what the editing library would not keep.
struct Text {
    body: String,
    restore: Restore,
}

struct Restore {
    mark: bool,
    crlf: bool,
}

impl Text {
    fn of(text: &str) -> Self {
        let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
        let restore = Restore { mark: bare.len() < text.len(), crlf: bare.contains("\r\n") };
        Self { body: bare.replace("\r\n", "\n"), restore }
    }
}

impl Restore {
    fn text(&self, body: &str) -> String {
        let body = if self.crlf { body.replace('\n', "\r\n") } else { body.to_owned() };
        if self.mark { format!("\u{feff}{body}") } else { body }
    }
}

#[cfg(test)]
mod tests;
