//! A TOML text cut into its statements: a table's header, or a key with its value.
//!
//! Only for texts that are not TOML, so that one broken statement does not hide what is wrong with the others.
//! Where a bracket or quote is never closed, the next line that can only begin a statement ends it.

use std::ops::Range;

/// One statement, from its first to its last character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) span: Range<usize>,
    pub(super) is_header: bool,
}

/// All statements of a text, in order; comments and empty lines are none.
pub(super) fn split(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let line = line_at(text, at);
        let code = line.trim_start();
        let start = at + (line.len() - code.len());
        if code.trim_end().is_empty() || code.starts_with('#') {
            at += line.len() + 1;
            continue;
        }
        let is_header = code.starts_with('[');
        let end = if is_header { at + line.len() } else { end_of_pair(text, start) };
        let span = start..start + text[start..end].trim_end().len();
        statements.push(Statement { span, is_header });
        at = end + 1;
    }
    statements
}

/// From `at` to the end of its line.
fn line_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find('\n').unwrap_or(rest.len())]
}

/// Where the statement that begins at `start` ends: at a line's end.
fn end_of_pair(text: &str, start: usize) -> usize {
    let mut open: Vec<u8> = Vec::new();
    // The last character that is neither space nor comment.
    let mut last = b' ';
    let mut at = start;
    let bytes = text.as_bytes();
    while at < text.len() {
        match bytes[at] {
            b'\n' => {
                let next = at + 1;
                if open.is_empty() || begins_statement(line_at(text, next), open.last() == Some(&b'{'), last) {
                    return at;
                }
            }
            b'#' => {
                at += line_at(text, at).len();
                continue;
            }
            quote @ (b'"' | b'\'') => {
                last = quote;
                at = end_of_string(text, at, quote);
                continue;
            }
            bracket @ (b'[' | b'{') => open.push(bracket),
            b']' | b'}' => drop(open.pop()),
            _ => {}
        }
        if !bytes[at].is_ascii_whitespace() {
            last = bytes[at];
        }
        at += 1;
    }
    text.len()
}

/// Behind the string that begins at `start`; one that is not closed ends with its line, or before the next statement.
fn end_of_string(text: &str, start: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let is_long = bytes[start..].starts_with(&[quote; 3]);
    let mut at = if is_long { start + 3 } else { start + 1 };
    let is_closed = is_long && bytes[at..].windows(3).any(|three| three == [quote; 3]);
    while at < text.len() {
        match bytes[at] {
            b'\n' if !is_long => return at,
            b'\n' if !is_closed && begins_statement(line_at(text, at + 1), false, b' ') => return at,
            b'\\' if quote == b'"' && bytes.get(at + 1).is_some_and(|byte| *byte != b'\n') => at += 1,
            byte if byte == quote => {
                if !is_long {
                    return at + 1;
                }
                if bytes[at..].starts_with(&[quote; 3]) {
                    // Up to two more quotes belong to the text.
                    let quotes = bytes[at..].iter().take_while(|byte| **byte == quote).count();
                    return at + quotes.min(5);
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Whether a line within brackets can only be the next statement: the brackets were not closed, then.
fn begins_statement(line: &str, in_table: bool, last: u8) -> bool {
    let line = line.trim();
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(header) = line.strip_prefix('[') {
        let header = header.split('#').next().unwrap_or_default().trim_end().trim_start_matches('[');
        let Some(name) = header.strip_suffix(']') else { return false };
        let fits = |c: char| is_word(c) || matches!(c, '"' | '\'' | ' ');
        return name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.trim_end_matches(']').chars().all(fits);
    }
    let word = line.find(|c| !is_word(c)).unwrap_or(line.len());
    let is_pair = word > 0 && line[word..].trim_start().starts_with('=');
    // An inline table goes on with a key, but only behind a comma.
    is_pair && !(in_table && matches!(last, b',' | b'{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|statement| &text[statement.span]).collect()
    }

    #[test]
    fn what_is_sound_is_cut_where_it_ends() {
        let text = "# c\n\n[a] # x\nb = 1\n  c = [ # [\n  \"]\",\n  { t = \"x\" },\n]\n\
            d = { a = 1,\n b = 2 }\ne = \"\"\"\nf = 1\n\"\"\"\nf = 'x\\'\r\n";
        assert_eq!(
            statements(text),
            [
                "[a] # x",
                "b = 1",
                "c = [ # [\n  \"]\",\n  { t = \"x\" },\n]",
                "d = { a = 1,\n b = 2 }",
                "e = \"\"\"\nf = 1\n\"\"\"",
                "f = 'x\\'",
            ]
        );
    }

    #[test]
    fn what_is_not_closed_ends_before_the_next_statement() {
        for (text, expected) in [
            ("a = [1,\nb = 2", ["a = [1,", "b = 2"]),
            ("a = [\"x\"\n[t.\"u\"] # c", ["a = [\"x\"", "[t.\"u\"] # c"]),
            ("a = { t = 1\nb = 2", ["a = { t = 1", "b = 2"]),
            ("a = \"x\nb = 2", ["a = \"x", "b = 2"]),
            ("a = \"\"\"x\nb = 2", ["a = \"\"\"x", "b = 2"]),
            ("[a\nb = 2", ["[a", "b = 2"]),
            ("a\nb = 2", ["a", "b = 2"]),
        ] {
            assert_eq!(statements(text), expected);
        }
        let one = "a = [\n  \"x,\n  \"y\",\n]";
        assert_eq!(statements(one), [one]);
    }
}
