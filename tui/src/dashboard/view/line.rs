//! Puts lines together that fit: what is cut, and what stands at the right.

use crate::text;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// A piece of text in a style.
pub(super) fn span(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// Columns that pieces take.
pub(super) fn width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| text::width(&span.content)).sum()
}

/// Cuts pieces so that they take at most `columns`.
pub(super) fn cut(spans: Vec<Span<'static>>, columns: usize) -> Vec<Span<'static>> {
    let mut left = columns;
    let mut kept = Vec::with_capacity(spans.len());
    let whole = width(&spans) <= columns;
    for piece in spans {
        let wide = text::width(&piece.content);
        if wide < left || (whole && wide <= left) {
            left -= wide;
            kept.push(piece);
        } else {
            // The last one that has room also says that something is missing.
            if left > 0 {
                kept.push(Span::styled(text::cut_always(&piece.content, left), piece.style));
            }
            break;
        }
    }
    kept
}

/// A line in as many as it needs, those after the first indented by `margin`: for what is to be read whole.
pub(super) fn fold(line: Line<'static>, columns: usize, margin: usize) -> Vec<Line<'static>> {
    /// A narrower column is worse to read than no margin.
    const LEAST: usize = 16;
    if width(&line.spans) <= columns {
        return vec![line];
    }
    let margin = if columns >= margin + LEAST { margin } else { 0 };
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut left = columns;
    for piece in line.spans {
        let first = text::fold_first(&piece.content, left);
        let rest = piece.content[first.len()..].to_owned();
        if let (Some(line), false) = (lines.last_mut(), first.is_empty()) {
            left -= text::width(first);
            line.push(Span::styled(first.to_owned(), piece.style));
        }
        if rest.is_empty() {
            continue;
        }
        for part in text::fold(&rest, columns - margin) {
            left = (columns - margin).saturating_sub(text::width(&part));
            lines.push(vec![Span::raw(" ".repeat(margin)), Span::styled(part, piece.style)]);
        }
    }
    lines.into_iter().map(Line::from).collect()
}

/// What is to the left and what to the right; where both do not fit, the right is left out.
pub(super) fn both_ends(left: Vec<Span<'static>>, right: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    let (wide, other) = (width(&left), width(&right));
    if wide + 2 + other > columns {
        return Line::from(cut(left, columns));
    }
    let gap = columns - wide - other;
    let mut spans = left;
    spans.push(Span::raw(" ".repeat(gap)));
    spans.extend(right);
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    fn pieces(texts: &[&str]) -> Vec<Span<'static>> {
        texts.iter().map(|&text| span(text, Style::new())).collect()
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        let cut = |columns| text_of(&Line::from(cut(pieces(&["abc", "def"]), columns)));
        assert_eq!(
            (cut(6).as_str(), cut(5).as_str(), cut(3).as_str(), cut(1).as_str(), cut(0).as_str()),
            ("abcdef", "abcd…", "ab…", "…", "")
        );
    }

    #[test]
    fn a_line_goes_on_below_itself() {
        let folded = |columns, margin| -> Vec<String> {
            let line = Line::from(pieces(&["  remote  ", "orders.example:5432", " (db)"]));
            fold(line, columns, margin).iter().map(text_of).collect()
        };
        assert_eq!(folded(40, 10), ["  remote  orders.example:5432 (db)"]);
        assert_eq!(folded(26, 10), ["  remote  orders.example:5", "          432 (db)"]);
        assert_eq!(folded(20, 10), ["  remote  orders.exa", "mple:5432 (db)"], "no room for a margin");
    }

    #[test]
    fn the_right_end_is_left_out_first() {
        let both = |columns| text_of(&both_ends(pieces(&["left"]), pieces(&["right"]), columns));
        assert_eq!(both(13), "left    right");
        assert_eq!(both(10), "left");
        assert_eq!(both(3), "le…");
    }
}
