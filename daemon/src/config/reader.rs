//! Values of the kinds that TOML has, with a mistake noted for each that is of another kind.
//!
//! Knows no key; `keys.rs` does.

use super::diagnostic::{ConfigError, Place, SourceFile};
use super::value::{self, BadValue};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;
type Key<'i> = Spanned<DeString<'i>>;

/// Reads one file.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    pub(super) fn text(&mut self, what: &str, value: &Value<'_>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped(what, value, "a string");
        };
        if text.trim().is_empty() {
            self.error(value.span(), format!("`{what}` is empty"), "", None);
            return None;
        }
        self.expand(value, text)
    }

    pub(super) fn strings(&mut self, what: &str, value: &Value<'_>) -> Vec<(String, Place)> {
        let Some(list) = value.get_ref().as_array() else {
            self.mistyped::<()>(what, value, "a list of strings");
            return Vec::new();
        };
        list.iter().filter_map(|entry| Some((self.text(what, entry)?, self.place(entry.span())))).collect()
    }

    pub(super) fn boolean(&mut self, what: &str, value: &Value<'_>) -> Option<bool> {
        match value.get_ref().as_bool() {
            Some(boolean) => Some(boolean),
            None => self.mistyped(what, value, "`true` or `false`"),
        }
    }

    pub(super) fn choice<T: Copy>(&mut self, what: &str, value: &Value<'_>, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
        let accepted = words.join(", ");
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped(what, value, &accepted);
        };
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let wrong = format!("`{what}` cannot be `{text}`");
            self.error(value.span(), wrong, "", Some(&accepted));
        }
        found.map(|(_, choice)| *choice)
    }

    pub(super) fn table<'v, 'i>(&mut self, what: &str, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.mistyped::<()>(what, value, "a table");
        }
        table
    }

    pub(super) fn expand(&mut self, value: &Value<'_>, text: &str) -> Option<String> {
        match value::expand(text, self.env) {
            Ok(text) => Some(text),
            Err(name) => {
                let wrong = format!("the environment has no variable `{name}`");
                self.error(value.span(), wrong, "", Some("set it, or write the value itself"));
                None
            }
        }
    }

    pub(super) fn check<T>(&mut self, value: &Value<'_>, result: Result<T, BadValue>, what: &str) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(BadValue { wrong, accepted }) => {
                self.error(value.span(), format!("{what}: {wrong}"), "", Some(accepted));
                None
            }
        }
    }

    pub(super) fn mistyped<T>(&mut self, what: &str, value: &Value<'_>, accepted: &str) -> Option<T> {
        let found = match value.get_ref().type_str() {
            "integer" => "a number",
            "float" => "a fraction",
            "boolean" => "a boolean",
            "array" => "a list",
            "table" => "a table",
            "datetime" => "a date",
            _ => "a string",
        };
        let wrong = format!("`{what}` cannot be {found}");
        self.error(value.span(), wrong, "", Some(accepted));
        None
    }

    pub(super) fn unknown(&mut self, key: &Key<'_>, known: &[&str]) {
        let list: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
        let wrong = format!("there is no key `{}`", key.get_ref());
        let near = nearest(key.get_ref(), known).map(|near| format!("did you mean `{near}`?"));
        let accepted = format!("one of {}", list.join(", "));
        self.error(key.span(), wrong, near.as_deref().unwrap_or_default(), Some(&accepted));
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: String, label: &str, accepted: Option<&str>) {
        self.errors.push(ConfigError {
            message,
            place: Some(self.place(span)),
            label: label.to_owned(),
            other: None,
            help: accepted.map(|accepted| format!("accepted: {accepted}")),
        });
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place { file: Arc::clone(self.file), span }
    }
}

pub(super) fn integer(value: &Value<'_>) -> Option<i64> {
    let number = value.get_ref().as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The known key that shares most of its letters in order, if it is nearly the same word.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .copied()
        .map(|known| (common(key, known), known))
        .filter(|(common, known)| common + 2 >= known.len().max(key.len()) && *common > 1)
        .max_by_key(|(common, _)| *common)
        .map(|(_, known)| known)
}

/// Length of the longest common subsequence; keys are short.
fn common(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row = vec![0; b.len() + 1];
    for ca in a.chars() {
        let mut diagonal = 0;
        for (at, cb) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if ca == *cb { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
