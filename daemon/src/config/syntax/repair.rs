//! A value that is not TOML, and what it was meant to be.
//!
//! It tries what people write most often; the first attempt that makes the statement TOML says what is wrong. So
//! what it proposes always parses.

use super::explain::is_toml;
use std::ops::Range;

/// Places at which a line may be cut in the search for a value that is sound.
const MAX_WORDS: usize = 32;

/// What to write instead of a value, and why.
pub(super) struct Repair {
    pub(super) written: String,
    pub(super) message: String,
    /// In the value.
    pub(super) span: Range<usize>,
    pub(super) label: &'static str,
}

/// The value itself if it is sound, else what it was meant to be.
pub(super) fn sound(key: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let is_sound = is_toml(&format!("{key} = {value}"));
    if is_sound { Some(value.to_owned()) } else { repair(key, value).map(|repair| repair.written) }
}

/// What a value was meant to be that is not TOML.
pub(super) fn repair(key: &str, value: &str) -> Option<Repair> {
    let comment = value.find(" #").filter(|_| !value.contains(['"', '\'']));
    let (text, comment) = comment.map_or((value, ""), |at| (value[..at].trim_end(), &value[at..]));
    let broken = Broken { key, text, comment };
    if let Some((at, next)) = broken.next_key() {
        return Some(Repair {
            written: sound(key, text[..at].trim())?,
            message: format!("`{next}` stands on the line of `{key}`"),
            span: at..text.len(),
            label: "it needs a line of its own",
        });
    }
    broken
        .quotes()
        .or_else(|| broken.boolean())
        .or_else(|| broken.number())
        .or_else(|| broken.brackets())
        .or_else(|| broken.bare_string())
        .or_else(|| broken.more_than_a_value())
}

struct Broken<'a> {
    key: &'a str,
    text: &'a str,
    comment: &'a str,
}

impl Broken<'_> {
    /// A repair, if it makes TOML of the statement.
    fn with(&self, written: String, message: &str, span: Range<usize>, label: &'static str) -> Option<Repair> {
        let fits = !written.is_empty() && is_toml(&format!("{} = {written}{}", self.key, self.comment));
        fits.then(|| Repair { written, message: message.to_owned(), span, label })
    }

    fn whole(&self) -> Range<usize> {
        0..self.text.len()
    }

    fn end(&self) -> Range<usize> {
        self.text.len()..self.text.len()
    }

    fn is_one_line_of_words(&self) -> bool {
        !self.text.contains(['\n', '[', '{'])
    }

    /// `1 remote = 2`: where the second key begins, and its name.
    fn next_key(&self) -> Option<(usize, &str)> {
        let (before, _) = self.text.split_once(" =").filter(|_| self.is_one_line_of_words())?;
        let before = before.trim_end();
        let name = before.split_whitespace().next_back()?;
        Some((before.len() - name.len(), name)).filter(|(at, _)| *at > 0)
    }

    fn quotes(&self) -> Option<Repair> {
        let text = self.text;
        let straight = text.replace(['“', '”', '„', '‟', '«', '»', '″'], "\"").replace(['‘', '’', '‚', '′'], "'");
        if straight != text {
            let label = "straight quotes: `\"`";
            return self.with(straight, "these are not the quotes of TOML", self.whole(), label);
        }
        for (quote, missing) in [('"', "`\"` is missing"), ('\'', "`'` is missing")] {
            let found = match (text.starts_with(quote), text.ends_with(quote)) {
                (true, _) => {
                    self.with(format!("{text}{quote}"), "the quote of this string is not closed", self.end(), missing)
                }
                (false, true) => {
                    self.with(format!("{quote}{text}"), "the quote of this string is not opened", 0..0, missing)
                }
                (false, false) => None,
            };
            if found.is_some() {
                return found;
            }
        }
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        let label = "single quotes take it as it is";
        self.with(format!("'{inner}'"), "`\\` begins an escape in this string", self.whole(), label)
    }

    fn boolean(&self) -> Option<Repair> {
        let is_switch = matches!(self.key, "auto" | "protected");
        let boolean = match self.text.to_ascii_lowercase().as_str() {
            "true" => "true",
            "yes" | "on" if is_switch => "true",
            "false" => "false",
            "no" | "off" if is_switch => "false",
            _ => return None,
        };
        self.with(boolean.to_owned(), "this is no boolean", self.whole(), "")
    }

    fn number(&self) -> Option<Repair> {
        let digits = self.text.trim_start_matches('0');
        let is_number = self.text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| self.with(digits.to_owned(), "a number cannot begin with `0`", self.whole(), "")).flatten()
    }

    fn brackets(&self) -> Option<Repair> {
        let text = self.text;
        let comma = || self.with(text.replace("\" \"", "\", \""), "a comma is missing", self.whole(), "");
        if text.starts_with('[') {
            self.with(format!("{text}]"), "this list is not closed", self.end(), "`]` is missing")
                .or_else(|| self.with(format!("{text} }}]"), "this list is not closed", self.end(), "`}]` is missing"))
                .or_else(|| self.with(format!("{text}\"]"), "a quote in this list is not closed", self.whole(), ""))
                .or_else(comma)
        } else if text.starts_with('{') {
            let equals = text.replacen(':', " =", 1);
            self.with(format!("{text} }}"), "this inline table is not closed", self.end(), "`}` is missing")
                .or_else(|| self.with(equals, "a `:` stands where `=` belongs", self.whole(), ""))
                .or_else(comma)
        } else {
            None
        }
    }

    fn bare_string(&self) -> Option<Repair> {
        let is_bare =
            self.is_one_line_of_words() && !self.text.contains(['"', '\'']) && !self.text.ends_with([',', ';']);
        let quoted = || format!("\"{}\"", self.text.replace('\\', "\\\\"));
        is_bare.then(|| self.with(quoted(), "a string needs quotes", self.whole(), "")).flatten()
    }

    /// A value that is sound, or can be made so, with something behind it.
    fn more_than_a_value(&self) -> Option<Repair> {
        const MESSAGE: &str = "there is something behind the value";
        let text = self.text;
        if text.ends_with([',', ';']) {
            let value = text.trim_end_matches([',', ';', ' ']);
            let label = "not needed: each key has its own line";
            return self.with(sound(self.key, value)?, MESSAGE, value.len()..text.len(), label);
        }
        let cuts: Vec<usize> = text.match_indices([' ', ',', ';']).map(|(at, _)| at).take(MAX_WORDS).collect();
        let cut = |at: &usize| self.with(text[..*at].to_owned(), MESSAGE, *at..text.len(), "each key has its own line");
        cuts.iter().rev().find_map(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        for (key, value, written, message) in [
            ("remote", "db:5432", "\"db:5432\"", "needs quotes"),
            ("remote", "db:5432 # the database", "\"db:5432\"", "needs quotes"),
            ("remote", "\"db:5432", "\"db:5432\"", "not closed"),
            ("remote", "'db:5432", "'db:5432'", "not closed"),
            ("remote", "db:5432\"", "\"db:5432\"", "not opened"),
            ("remote", "“db:5432”", "\"db:5432\"", "not the quotes"),
            ("remote", "\"db:5432\",", "\"db:5432\"", "behind"),
            ("remote", "db:5432;", "\"db:5432\"", "behind"),
            ("remote", "\"db:5432\"; local = 1", "\"db:5432\"", "stands on the line"),
            ("remote", "\"db:5432\" // x", "\"db:5432\"", "behind"),
            ("local", "127.0.0.1:80", "\"127.0.0.1:80\"", "needs quotes"),
            ("local", "015432", "15432", "begin with `0`"),
            ("local", "1 remote = 2", "1", "stands on the line"),
            ("hold", "15 minutes", "\"15 minutes\"", "needs quotes"),
            ("auto", "True", "true", "boolean"),
            ("auto", "off", "false", "boolean"),
            ("profile", "on", "\"on\"", "needs quotes"),
            ("reason", "\"C:\\path\"", "'C:\\path'", "escape"),
            ("groups", "[\"a\", \"b\"", "[\"a\", \"b\"]", "not closed"),
            ("groups", "[\"a\" \"b\"]", "[\"a\", \"b\"]", "comma"),
            ("target", "{ tag = \"a=b\"", "{ tag = \"a=b\" }", "not closed"),
            ("target", "{ tag: \"a=b\" }", "{ tag = \"a=b\" }", "`:` stands"),
            ("target", "[{ tag = \"a=b\"", "[{ tag = \"a=b\" }]", "not closed"),
        ] {
            let found = repair(key, value).unwrap_or_else(|| panic!("no repair of {value}"));
            assert_eq!(found.written, written, "{value}");
            assert!(found.message.contains(message), "{value}: {}", found.message);
            assert!(value.get(found.span.clone()).is_some(), "{value}: {:?}", found.span);
        }
        assert!(repair("local", "[1, {]").is_none());
        assert!(repair("local", &",".repeat(100_000)).is_none(), "and no recursion that deep");
    }
}
