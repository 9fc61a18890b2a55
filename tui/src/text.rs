//! Text in columns of a terminal: how wide it is, and how it is cut and wrapped.
//!
//! Pure. Wide characters count twice, as terminals draw them. Escape codes do not occur here: styles are
//! put on afterwards.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns that the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text on one line and without anything that a terminal would obey: what comes from AWS or from a
/// file must not move the cursor.
pub fn clean(text: &str) -> String {
    let is_blank = |c: char| c.is_control() || c.is_whitespace();
    text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Fills up with blanks to `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{:missing$}", "")
}

/// Takes the end off so that the text takes at most `columns`.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    format!("{}…", head(text, columns.saturating_sub(1)))
}

/// The same for a text that goes on after its end, and has to say so.
pub(crate) fn cut_always(text: &str, columns: usize) -> String {
    let kept = head(text, columns.saturating_sub(1));
    if columns == 0 { String::new() } else { format!("{kept}…") }
}

/// Takes the beginning off so that the text takes at most `columns`.
pub(crate) fn cut_start(text: &str, columns: usize) -> String {
    let wide = width(text);
    if wide <= columns {
        return text.to_owned();
    }
    let mut left = wide;
    let rest = text.char_indices().find(|(_, c)| {
        let fits = left < columns.max(1);
        left -= c.width().unwrap_or(0);
        fits
    });
    format!("…{}", rest.map_or("", |(at, _)| &text[at..]))
}

/// Takes the middle out of `host:port`: the beginning of a host tells which it is, and the port is whole.
pub(crate) fn cut_host(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let port = text.rfind(':').map_or("", |at| &text[at..]);
    match columns.checked_sub(1 + width(port)) {
        Some(left) => format!("{}…{port}", head(text, left)),
        None => cut(text, columns),
    }
}

/// The longest beginning that takes at most `columns`.
fn head(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

/// Breaks at blanks so that no line takes more than `columns`; a word that is too long keeps its line to
/// itself, whole, because it may be what is to be pasted.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Breaks anywhere, so that no line takes more than `columns` (at least 2: a wide character needs as many): for what is to
/// be read whole, and not to be pasted.
pub(crate) fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while width(rest) > columns.max(2) {
        let line = fold_first(rest, columns.max(2));
        lines.push(line.to_owned());
        rest = &rest[line.len()..];
    }
    lines.push(rest.to_owned());
    lines
}

/// As much of the text as a line of so many columns takes.
pub(crate) fn fold_first(text: &str, columns: usize) -> &str {
    if width(text) <= columns { text } else { head(text, columns) }
}

/// A line in as many as it needs; what is indented is a command, and its lines end as a shell wants it that goes on.
pub(crate) fn wrap_pasted(line: &str, columns: usize) -> Vec<String> {
    const INDENT: &str = "  ";
    const GOES_ON: &str = " \\";
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let Some(command) = line.strip_prefix(INDENT) else { return wrap(line, columns) };
    let mut lines = wrap(command, columns.saturating_sub(width(INDENT) + width(GOES_ON)));
    let last = lines.len().saturating_sub(1);
    for (number, line) in lines.iter_mut().enumerate() {
        *line = format!("{INDENT}{line}{}", if number < last { GOES_ON } else { "" });
    }
    lines
}

/// Names in a row, at most `most` of them: `a, b and 3 more`.
pub fn names<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown = if names.len() > most { &names[..most.max(1)] } else { names };
    let listed = shown.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.len() - shown.len() {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(width("注文-db"), 7);
        assert_eq!(pad("注文", 6), "注文  ");
        assert_eq!(cut("注文データベース", 8), "注文デ…");
        assert_eq!(cut("注文", 4), "注文");
    }

    #[test]
    fn a_host_is_cut_in_the_middle_and_keeps_its_port() {
        let host = "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432";
        assert_eq!(cut_host(host, 60), host);
        assert_eq!(cut_host(host, 20), "orders.cluster…:5432");
        assert_eq!(cut_host(host, 6), "…:5432");
        assert_eq!(cut_host(host, 4), "ord…");
    }

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        assert_eq!(clean("a\u{1b}[31m b\r\n\tc\u{7} "), "a [31m b c");
    }

    #[test]
    fn wraps_at_blanks_and_leaves_long_words_whole() {
        assert_eq!(wrap("run the command now", 10), ["run the", "command", "now"]);
        assert_eq!(wrap("a https://example.com/long b", 10), ["a", "https://example.com/long", "b"]);
        assert_eq!(wrap("as it is", usize::MAX), ["as it is"]);
        assert_eq!(wrap("", 10), [""; 0]);
    }

    #[test]
    fn what_is_read_whole_breaks_anywhere() {
        assert_eq!(fold("/etc/tunnels.toml:3", 8), ["/etc/tun", "nels.tom", "l:3"]);
        assert_eq!(fold("注文データ", 5), ["注文", "デー", "タ"]);
        assert_eq!(fold("abc", 0), ["ab", "c"], "at least something a line");
        assert_eq!(fold("", 8), [""]);
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(names(&["a", "b"], 3), "a, b");
        assert_eq!(names(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(names(&["a", "b", "c", "d", "e"], 3), "a, b, c and 2 more");
    }

    #[test]
    fn what_is_to_be_pasted_is_wrapped_and_not_cut() {
        let command = "  psql \"host=127.0.0.1 port=15432 user=demo dbname=demo\" -c \"select 1\"";
        assert_eq!(wrap_pasted(command, 80), [command]);
        let lines = wrap_pasted(command, 40);
        assert_eq!(
            lines,
            ["  psql \"host=127.0.0.1 port=15432 \\", "  user=demo dbname=demo\" -c \"select 1\""],
            "{lines:#?}"
        );
        assert_eq!(wrap_pasted("In another terminal:", 12), ["In another", "terminal:"]);
        assert_eq!(wrap_pasted("", 12), [""]);
    }
}
