//! What is wrong with a configuration, where, and what would be accepted.
//!
//! Owns how a mistake reads. Finding mistakes is the reader's work.

use super::place::Place;
use annotate_snippets::{Annotation, AnnotationKind, Level, Message, Renderer, Snippet};
use std::fmt::{self, Write as _};
use std::path::PathBuf;

/// More than anybody reads at once; the others are counted.
const MAX_SHOWN: usize = 100;
/// Longer texts are cut where a message repeats them.
const MAX_QUOTE: usize = 60;

/// One mistake, or something that is only worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong, in a sentence.
    pub(crate) message: String,
    /// Where; a file that cannot be read at all has no place.
    pub(crate) place: Option<Place>,
    /// What stands beside the underlined text.
    pub(crate) label: String,
    /// A second place that the mistake is about.
    pub(crate) other: Option<(Place, String)>,
    /// What would be accepted, or how to mend it.
    pub(crate) help: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>, place: Option<Place>) -> Self {
        Self { message: message.into(), place, label: String::new(), other: None, help: None }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn other(mut self, place: Place, label: impl Into<String>) -> Self {
        self.other = Some((place, label.into()));
        self
    }

    /// What is wrong, in a sentence, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be accepted, or how to mend it.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// File, line and column, both from 1, the column in characters; none where it has no place in a file.
    pub fn position(&self) -> Option<(&std::path::Path, usize, usize)> {
        self.place.as_ref().map(|place| {
            let (line, column) = place.line_column();
            (place.file.path.as_path(), line, column)
        })
    }

    /// `file:line:column` of the mistake, where it has a place in a file.
    pub fn location(&self) -> Option<String> {
        self.position().map(|(path, line, column)| format!("{}:{line}:{column}", path.display()))
    }

    /// The mistake with the offending text underlined, as compilers show it.
    fn render(&self, level: &Level<'static>, renderer: &Renderer) -> String {
        let mut group = level.clone().primary_title(clean(&self.message)).elements([] as [Message<'_>; 0]);
        if let Some(place) = &self.place {
            match &self.other {
                // One excerpt with both places, where they are of one file.
                Some((other, there)) if other.file == place.file => {
                    let both = place.join(other);
                    let mark = mark(&both, other, AnnotationKind::Context, there);
                    group = group.element(excerpt(&both, place, AnnotationKind::Primary, &self.label).annotation(mark));
                }
                other => {
                    group = group.element(excerpt(place, place, AnnotationKind::Primary, &self.label));
                    if let Some((place, label)) = other {
                        group = group.element(excerpt(place, place, AnnotationKind::Context, label));
                    }
                }
            }
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(clean(help)));
        }
        renderer.render(&[group]).trim_end().to_owned()
    }
}

/// The lines of `around`, with `place` in them underlined.
fn excerpt(around: &Place, place: &Place, kind: AnnotationKind, label: &str) -> Snippet<'static, Annotation<'static>> {
    let (text, line, _) = around.lines();
    let mark = mark(around, place, kind, label);
    Snippet::source(without_passwords(text)).line_start(line).path(path(place)).annotation(mark)
}

/// With stars for what stands where a connection string has its password: reports go to logs. No byte moves.
fn without_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/' | '@');
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        out.push_str(before);
        out.push(':');
        let end = after.find(ends).unwrap_or(after.len());
        let is_password = end > 0 && after[end..].starts_with('@');
        rest = if is_password {
            out.extend(std::iter::repeat_n('*', end));
            &after[end..]
        } else {
            after
        };
    }
    out + rest
}

/// Underlines `place` in the lines of `around`.
fn mark(around: &Place, place: &Place, kind: AnnotationKind, label: &str) -> Annotation<'static> {
    let (_, _, base) = around.lines();
    let span = place.span();
    kind.span(span.start - base..span.end - base).label(Some(clean(label)).filter(|label| !label.is_empty()))
}

fn path(place: &Place) -> String {
    clean(&place.file.path.to_string_lossy())
}

/// Without what would act on a terminal: the files are others', too.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A text of the file as part of a message: not longer than anybody reads.
pub(crate) fn quote(text: &str) -> String {
    let text = clean(text).replace('\n', "↵");
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// All mistakes of a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) files: Vec<PathBuf>,
}

impl ConfigErrors {
    /// Each mistake, in the order of the files.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }

    /// Every file that was looked at, those that cannot be read or do not exist among them: a change of any may
    /// mend the configuration.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The whole report; `color` for a terminal.
    pub fn render(&self, color: bool) -> String {
        let mut report = render_all(&self.errors, &Level::ERROR, color);
        let _ = write!(report, "{}; nothing was changed", self.summary());
        report
    }

    /// How many mistakes there are, in a sentence.
    pub fn summary(&self) -> String {
        let count = self.errors.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        format!("the configuration has {count} {noun}")
    }
}

/// Warnings as a report, an empty line behind each.
pub fn render_warnings(warnings: &[ConfigError], color: bool) -> String {
    render_all(warnings, &Level::WARNING, color)
}

fn render_all(errors: &[ConfigError], level: &Level<'static>, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut report = String::new();
    for error in errors.iter().take(MAX_SHOWN) {
        report.push_str(&error.render(level, &renderer));
        report.push_str("\n\n");
    }
    if let Some(more) = errors.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let _ = write!(report, "… and {more} more like these\n\n");
    }
    report
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}
