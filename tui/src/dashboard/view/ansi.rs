//! Lines that other views have painted for a terminal, as this library's.
//!
//! Only the styles that `style` paints with; anything else that begins like one is dropped, as nothing here may be
//! obeyed by a terminal.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Each line of the text.
pub(super) fn lines(text: &str) -> Vec<Line<'static>> {
    text.lines().map(line).collect()
}

fn line(text: &str) -> Line<'static> {
    let mut style = Style::new();
    let mut parts = text.split('\x1b');
    let mut spans: Vec<Span<'static>> =
        parts.next().filter(|first| !first.is_empty()).map(|first| Span::raw(first.to_owned())).into_iter().collect();
    for part in parts {
        let coded = part.strip_prefix('[').and_then(|part| part.split_once('m'));
        let Some((codes, rest)) = coded else { continue };
        style = codes.split(';').fold(style, apply);
        if !rest.is_empty() {
            spans.push(Span::styled(rest.to_owned(), style));
        }
    }
    Line::from(spans)
}

fn apply(style: Style, code: &str) -> Style {
    match code {
        "" | "0" => Style::new(),
        "1" => style.add_modifier(Modifier::BOLD),
        "2" => style.add_modifier(Modifier::DIM),
        "31" => style.fg(Color::Red),
        "32" => style.fg(Color::Green),
        "33" => style.fg(Color::Yellow),
        "36" => style.fg(Color::Cyan),
        _ => style,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::theme;
    use crate::style::{self, Look};

    #[test]
    fn every_style_of_the_other_views_is_understood() {
        let look = Look { color: true, width: None };
        for style in [
            style::PLAIN,
            style::BOLD,
            style::DIM,
            style::RED,
            style::GREEN,
            style::YELLOW,
            style::CYAN,
            style::RED.bold(),
        ] {
            let painted = format!("a {} c\n", look.paint(style, "b"));
            let lines = lines(&painted);
            assert_eq!(lines.len(), 1);
            let spans = &lines[0].spans;
            let texts: Vec<&str> = spans.iter().map(|span| span.content.as_ref()).collect();
            assert_eq!(texts.concat(), "a b c");
            let b = spans.iter().find(|span| span.content.contains('b')).unwrap();
            assert_eq!(b.style, theme::of(style), "{style:?}");
            assert_eq!(spans.last().unwrap().style, Style::new());
        }
    }

    #[test]
    fn other_codes_are_dropped() {
        let lines = lines("a\x1b[2Jb\x1b]0;title\x07");
        let text: String = lines[0].spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(text, "a");
    }
}
