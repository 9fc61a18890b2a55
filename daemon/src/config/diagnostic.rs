//! What is wrong with a configuration, where, and what would be accepted.
//!
//! Owns how a mistake reads. Finding mistakes is the reader's work.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file's name and text, shared by all that points into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) span: Range<usize>,
}

impl Place {
    /// Line and column, both from 1, the column in characters.
    pub(crate) fn line_column(&self) -> (usize, usize) {
        let before = self.file.text.get(..self.span.start).unwrap_or(&self.file.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// One mistake.
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
    /// What is wrong, in a sentence, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line:column` of the mistake, where it has a place in a file.
    pub fn location(&self) -> Option<String> {
        self.place.as_ref().map(|place| {
            let (line, column) = place.line_column();
            format!("{}:{line}:{column}", place.file.path.display())
        })
    }

    /// The mistake with the offending text underlined, as compilers show it.
    fn render(&self, renderer: &Renderer) -> String {
        let mut group = Level::ERROR
            .primary_title(self.message.as_str())
            .elements(self.place.iter().map(|place| snippet(place, AnnotationKind::Primary, &self.label)));
        if let Some((place, label)) = &self.other {
            group = group.element(snippet(place, AnnotationKind::Context, label));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

fn snippet<'a>(
    place: &'a Place,
    kind: AnnotationKind,
    label: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let label = Some(label).filter(|label| !label.is_empty());
    Snippet::source(place.file.text.as_str())
        .path(place.file.path.to_string_lossy().into_owned())
        .annotation(kind.span(place.span.clone()).label(label))
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
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut report = String::new();
        for error in &self.errors {
            report.push_str(error.render(&renderer).trim_end());
            report.push_str("\n\n");
        }
        let count = self.errors.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        let _ = write!(report, "the configuration has {count} {noun}; nothing was changed");
        report
    }
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
