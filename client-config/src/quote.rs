//! Words inside other languages: what has a meaning there is taken from them.

use std::fmt::Write as _;

/// For any part of a URL: all but RFC 3986's unreserved characters, by their UTF-8 bytes.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same for the value of a parameter, where `/` and `:` mean nothing and are left to be read.
pub(crate) fn percent_value(text: &str) -> String {
    percent(text).replace("%2F", "/")
}

/// A word of a POSIX shell, as it is where it needs no quotes.
pub(crate) fn posix(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    posix_always(word)
}

/// A word of a POSIX shell in quotes.
pub(crate) fn posix_always(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command line for a POSIX shell.
pub fn posix_line<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| posix(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A string of fish, where a backslash in quotes means something.
pub(crate) fn fish(word: &str) -> String {
    format!("'{}'", word.replace('\\', r"\\").replace('\'', r"\'"))
}

/// A string of PowerShell, which takes typographic quotes for quotes, too.
pub(crate) fn powershell(word: &str) -> String {
    let mut out = "'".to_owned();
    for c in word.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out + "'"
}

/// A string of elvish.
pub(crate) fn elvish(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}

/// A value of libpq's `key=value` form.
pub(crate) fn conninfo(value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '\'' | '\\');
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Text or an attribute's value in XML 1.0; control characters that it cannot hold are left out.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const NASTY: &str = "it's a \"b\" $HOME `id` \\ \\' ! * é\n%&=?";

    #[test]
    fn a_real_shell_reads_back_what_was_quoted() {
        for shell in ["sh", "bash"] {
            let script = format!("printf %s {}", posix(NASTY));
            let output = Command::new(shell).args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), NASTY, "{shell}");
        }
        assert_eq!(posix_line(&["psql", "a b", "", "x=y"]), "psql 'a b' '' 'x=y'");
    }

    #[test]
    fn each_language_has_its_own_quotes() {
        assert_eq!(percent("a b/ü@:'+"), "a%20b%2F%C3%BC%40%3A%27%2B");
        assert_eq!(percent_value("/a b&c"), "/a%20b%26c");
        assert_eq!(fish(r"it's \"), r"'it\'s \\'");
        assert_eq!(powershell("it's ‘x’"), "'it''s ‘‘x’’'");
        assert_eq!(elvish("it's"), "'it''s'");
        assert_eq!(conninfo(r"it's \"), r"'it\'s \\'");
        assert_eq!((conninfo("").as_str(), conninfo("a=b").as_str()), ("''", "a=b"));
        assert_eq!(xml("<a b=\"c\" & d>\u{7}\n"), "&lt;a b=&quot;c&quot; &amp; d&gt;&#10;");
    }
}
