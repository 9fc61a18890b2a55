//! Values of the kinds that TOML has, with a mistake noted for each that is of another kind.
//!
//! Knows no key; `document.rs` and `keys.rs` do.

use super::diagnostic::{ConfigError, quote};
use super::place::{Place, SourceFile};
use super::suggest::nearest;
use super::value::{self, BadValue, Unset};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;
pub(super) type Key<'i> = Spanned<DeString<'i>>;

/// Reads one file.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    pub(super) fn text(&mut self, what: &str, value: &Value<'_>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            let write = self.written(value).filter(|_| is_scalar(value)).map(|text| format!("\"{text}\""));
            return self.mistyped(what, value, "a string", write);
        };
        let text = self.expand(value, text)?;
        if text.trim().is_empty() {
            self.error(value.span(), format!("`{what}` is empty"), "", "write a value, or take it out");
            return None;
        }
        Some(text)
    }

    pub(super) fn strings(&mut self, what: &str, value: &Value<'_>) -> Option<Vec<(String, Place)>> {
        let Some(list) = value.get_ref().as_array() else {
            let write = value.get_ref().as_str().and_then(|_| self.written(value)).map(|text| format!("[{text}]"));
            return self.mistyped(what, value, "a list of strings", write);
        };
        // Every entry is looked at, so that every wrong one is reported.
        let texts: Vec<_> =
            list.iter().map(|entry| Some((self.text(what, entry)?, self.place(entry.span())))).collect();
        Some(texts.into_iter().flatten().collect())
    }

    pub(super) fn boolean(&mut self, what: &str, value: &Value<'_>) -> Option<bool> {
        if let Some(boolean) = value.get_ref().as_bool() {
            return Some(boolean);
        }
        let word = value.get_ref().as_str().map(str::to_ascii_lowercase);
        let write = match word.as_deref() {
            Some("true" | "yes" | "on") => Some("true"),
            Some("false" | "no" | "off") => Some("false"),
            _ => None,
        };
        self.mistyped(what, value, "`true` or `false`", write.map(str::to_owned))
    }

    /// A number without a fraction.
    pub(super) fn number(&mut self, what: &str, value: &Value<'_>, accepted: &str) -> Option<i64> {
        if let Some(number) = value.get_ref().as_integer() {
            // One that does not fit is out of every range.
            return Some(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX));
        }
        let number = value.get_ref().as_str().and_then(|text| text.trim().parse::<i64>().ok());
        self.mistyped(what, value, accepted, number.map(|number| number.to_string()))
    }

    pub(super) fn choice<T: Copy>(&mut self, what: &str, value: &Value<'_>, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let accepted = words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
        let Some(text) = value.get_ref().as_str() else {
            return self.mistyped(what, value, &accepted, None);
        };
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let near = nearest(text, &words).map(|near| format!("did you mean `\"{near}\"`?")).unwrap_or_default();
            self.error(
                value.span(),
                format!("`{what}` cannot be {}", quote(text)),
                &near,
                &format!("accepted: {accepted}"),
            );
        }
        found.map(|(_, choice)| *choice)
    }

    pub(super) fn table<'v, 'i>(
        &mut self,
        what: &str,
        value: &'v Value<'i>,
        accepted: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.mistyped::<()>(what, value, accepted, None);
        }
        table
    }

    pub(super) fn expand(&mut self, value: &Value<'_>, text: &str) -> Option<String> {
        const FORMS: &str = "accepted: `${NAME}`; the characters themselves are written `$${`";
        let (wrong, help) = match value::expand(text, self.env) {
            Ok(text) => return Some(text),
            Err(Unset::Variable(name)) => (
                format!("the environment has no variable `{name}`"),
                format!("set {name} in the shell that starts the daemon, or write the value itself"),
            ),
            Err(Unset::NoName(name)) => (format!("{} is no name of a variable", quote(&name)), FORMS.to_owned()),
            Err(Unset::Open) => ("`${` is not closed".to_owned(), FORMS.to_owned()),
        };
        self.error(value.span(), wrong, "", &help);
        None
    }

    pub(super) fn check<T>(&mut self, span: Range<usize>, what: &str, result: Result<T, BadValue>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(BadValue { wrong, help }) => {
                let message = if what.is_empty() { wrong } else { format!("`{what}`: {wrong}") };
                self.error(span, message, "", &help);
                None
            }
        }
    }

    /// A value of the wrong kind; `write` is what it was probably meant to be.
    pub(super) fn mistyped<T>(
        &mut self,
        what: &str,
        value: &Value<'_>,
        accepted: &str,
        write: Option<String>,
    ) -> Option<T> {
        let found = match value.get_ref().type_str() {
            "integer" => "a number",
            "float" => "a fraction",
            "boolean" => "a boolean",
            "array" => "a list",
            "table" => "a table",
            "datetime" => "a date",
            _ => "a string",
        };
        let help = write.map_or_else(|| format!("accepted: {accepted}"), |write| format!("write `{write}`"));
        self.error(value.span(), format!("`{what}` cannot be {found}"), "", &help);
        None
    }

    /// A key that does not exist; answers the one that was probably meant.
    pub(super) fn unknown<'k>(
        &mut self,
        key: &Key<'_>,
        known: &[&'k str],
        also: &[(&str, &'k str)],
    ) -> Option<&'k str> {
        let name = key.get_ref().as_ref();
        let alias = also.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&name.replace('-', "_")));
        let near = alias.map(|(_, known)| *known).or_else(|| nearest(name, known));
        let message = format!("there is no key {}", quote(name));
        let list: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
        let (label, help) = match near {
            Some(near) => (format!("did you mean `{near}`?"), String::new()),
            None => (String::new(), format!("accepted: one of {}", list.join(", "))),
        };
        self.error(key.span(), message, &label, &help);
        near
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: String, label: &str, help: &str) {
        let error = ConfigError::new(message, Some(self.place(span))).label(label);
        self.errors.push(if help.is_empty() { error } else { error.help(help) });
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::new(self.file, span)
    }

    /// A value as it stands in the file.
    pub(super) fn written(&self, value: &Value<'_>) -> Option<String> {
        self.file.text.get(value.span()).map(str::to_owned)
    }
}

fn is_scalar(value: &Value<'_>) -> bool {
    !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_))
}
