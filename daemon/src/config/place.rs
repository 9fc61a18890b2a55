//! Where something stands in a file.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file's name and text, shared by all that points into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// Without a byte order mark, so that the first column is that of the first letter.
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        // All of them: the parser passes over one more, and its places are then not ours.
        let bare = text.trim_start_matches('\u{feff}');
        let text = if bare.len() < text.len() { bare.to_owned() } else { text };
        Self { path, text }
    }
}

/// A stretch of a file, inside its text and on character boundaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<SourceFile>,
    span: Range<usize>,
}

impl Place {
    /// A span that a parser gave, moved into the text where it is not.
    pub(crate) fn new(file: &Arc<SourceFile>, span: Range<usize>) -> Self {
        let text = file.text.as_str();
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
        Self { file: Arc::clone(file), span: start..end }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Line and column, both from 1, the column in characters.
    pub(crate) fn line_column(&self) -> (usize, usize) {
        let before = &self.file.text[..self.span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The whole lines that it touches, the number of the first, and where they begin in the file.
    pub(crate) fn lines(&self) -> (&str, usize, usize) {
        let text = self.file.text.as_str();
        let start = text[..self.span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[self.span.end..].find('\n').map_or(text.len(), |newline| self.span.end + newline);
        let end = start.max(text[..end].trim_end_matches('\r').len()).max(self.span.end);
        (&text[start..end], self.line_column().0, start)
    }

    /// The smallest stretch that holds both, of the same file.
    pub(crate) fn join(&self, other: &Self) -> Self {
        let span = self.span.start.min(other.span.start)..self.span.end.max(other.span.end);
        Self { file: Arc::clone(&self.file), span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, span: Range<usize>) -> Place {
        Place::new(&Arc::new(SourceFile::new("f".into(), text.into())), span)
    }

    #[test]
    fn lines_and_columns_count_characters() {
        for (text, needle, expected) in [
            ("abc", "abc", (1, 1)),
            ("a\nbc", "c", (2, 2)),
            ("a\r\nbc\r\n", "c", (2, 2)),
            ("\tx = 1", "x", (1, 2)),
            ("ä = \"ö\" # ü x", "x", (1, 13)),
            ("\u{feff}a = 1", "a", (1, 1)),
            ("\u{feff}\u{feff}a = 1", "a", (1, 1)),
        ] {
            let start = text.trim_start_matches('\u{feff}').find(needle).unwrap();
            assert_eq!(at(text, start..start + 1).line_column(), expected, "{text:?}");
        }
    }

    #[test]
    fn spans_outside_are_moved_inside() {
        assert_eq!(at("ab", 5..9).span(), 2..2);
        assert_eq!(at("aä", 2..2).span(), 1..3);
        assert_eq!(at("", 0..0).line_column(), (1, 1));
    }

    #[test]
    fn the_lines_around() {
        assert_eq!(at("ab\ncd\nef", 4..5).lines(), ("cd", 2, 3));
        assert_eq!(at("ab\ncd\nef", 4..7).lines(), ("cd\nef", 2, 3));
        assert_eq!(at("ab\r\ncd", 1..2).lines(), ("ab", 1, 0));
        assert_eq!(at("ab\n", 3..3).lines(), ("", 2, 3));
    }
}
