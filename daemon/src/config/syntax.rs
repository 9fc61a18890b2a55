//! What is not TOML in a text, statement by statement, and what remains of it.
//!
//! The parser's own recovery guesses, and a guess brings mistakes that are not there. So each broken statement is
//! reported once and taken out, and the rest is parsed again, at the same places. What only the broken statement
//! could have said is listed, so that nobody complains that it is missing.

mod explain;
mod repair;

use super::diagnostic::{ConfigError, quote};
use super::place::{Place, SourceFile};
use super::statement::{self, Statement};
use explain::explain;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, Error};

/// A file with more is no TOML at all.
const MAX_BROKEN: usize = 50;

/// A text without its broken statements.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// What is left, with spaces where something was taken out; it parses without errors but keys written twice.
    pub(super) text: String,
    /// Tables in which something was taken out, headers included.
    pub(super) broken: Vec<Range<usize>>,
    /// Bodies of tables whose header is broken, each in a text of its own.
    pub(super) orphans: Vec<Orphan>,
    /// `[defaults]` may have said more.
    pub(super) broken_defaults: bool,
}

/// The keys under a header that cannot be read.
#[derive(Debug)]
pub(super) struct Orphan {
    /// The keys, at their places.
    pub(super) text: String,
    pub(super) is_defaults: bool,
}

/// Reports what is broken in a text that does not parse; `errors` are the parser's own.
pub(super) fn recover(file: &Arc<SourceFile>, errors: &[Error], found: &mut Vec<ConfigError>) -> Rest {
    let before = found.len();
    if let Some(other_format) = explain::other_format(file) {
        found.push(other_format);
        return Rest { broken_defaults: true, ..Rest::default() };
    }
    let statements = statement::split(&file.text);
    let broken: Vec<&Statement> = statements.iter().filter(|statement| is_broken(&file.text, statement)).collect();
    for statement in broken.iter().take(MAX_BROKEN) {
        found.push(explain(file, statement));
    }
    if broken.len() > MAX_BROKEN {
        let message = format!("{} statements of this file are no TOML", broken.len());
        found.push(ConfigError::new(message, Some(Place::new(file, broken[MAX_BROKEN].span.clone()))));
        return Rest { broken_defaults: true, ..Rest::default() };
    }
    let mut rest = without(&file.text, &statements, &broken);
    let (_, left) = DeTable::parse_recoverable(&rest.text);
    let mut unexpected = false;
    for error in &left {
        match written_twice(file, &rest.text, &statements, error) {
            Some(twice) => found.push(twice),
            None => unexpected = true,
        }
    }
    if unexpected || found.len() == before {
        // The statements were cut in the wrong places: the parser's own words, and nothing else.
        found.truncate(before);
        for error in errors.iter().take(MAX_BROKEN) {
            let place = Place::new(file, error.span().unwrap_or(0..0));
            found.push(ConfigError::new(format!("this is not TOML: {}", error.message().trim()), Some(place)));
        }
        rest = Rest { broken_defaults: true, ..Rest::default() };
    }
    rest
}

fn is_broken(text: &str, statement: &Statement) -> bool {
    !DeTable::parse_recoverable(&text[statement.span.clone()]).1.is_empty()
}

fn without(text: &str, statements: &[Statement], broken: &[&Statement]) -> Rest {
    let mut rest = Rest { text: text.to_owned(), ..Rest::default() };
    let headers = statements.iter().filter(|statement| statement.is_header);
    let starts: Vec<usize> = std::iter::once(0).chain(headers.clone().map(|header| header.span.start)).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let headers = std::iter::once(None).chain(headers.map(Some));
    for ((&start, end), header) in starts.iter().zip(ends).zip(headers) {
        let within: Vec<_> = broken.iter().filter(|statement| (start..end).contains(&statement.span.start)).collect();
        if within.is_empty() {
            continue;
        }
        rest.broken.push(start..end);
        let title = header.map_or("", |header| &text[header.span.clone()]);
        let is_defaults = title.contains("default");
        rest.broken_defaults |= is_defaults;
        for statement in &within {
            blank(&mut rest.text, statement.span.clone());
        }
        if let Some(header) = header.filter(|header| within.iter().any(|broken| **broken == *header)) {
            // A tunnel's own subtable has other keys than a tunnel.
            let is_tunnel = title.starts_with("[tunnels.") && title.matches('.').count() == 1;
            if is_tunnel || is_defaults {
                let mut body = rest.text.clone();
                blank(&mut body, 0..header.span.end);
                blank(&mut body, end..text.len());
                rest.orphans.push(Orphan { text: body, is_defaults });
            }
            rest.broken_defaults |= !is_tunnel;
            blank(&mut rest.text, start..end);
        }
    }
    rest
}

/// Replaces what is in the range by spaces, so that everything else keeps its place.
fn blank(text: &mut String, range: Range<usize>) {
    let spaces: String = text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(range, &spaces);
}

/// A key or a table that is there a second time, with both places.
fn written_twice(file: &Arc<SourceFile>, rest: &str, statements: &[Statement], error: &Error) -> Option<ConfigError> {
    if !error.message().starts_with("duplicate key") {
        return None;
    }
    let span = error.span()?;
    let paths = paths(rest, statements);
    let (at, path) = paths.iter().enumerate().find(|(_, path)| path.iter().any(|(_, place)| *place == span))?;
    let depth = path.iter().position(|(_, place)| *place == span)?;
    let same = |other: &&Path| {
        other.len() > depth && other.iter().zip(&path[..=depth]).all(|((other, _), (name, _))| other == name)
    };
    let earlier = || paths[..at].iter().filter(same);
    let first = earlier().find(|other| other.len() == depth + 1).or_else(|| earlier().next())?;
    let names: Vec<&str> = path[..=depth].iter().map(|(name, _)| name.as_str()).collect();
    let (message, help) = match names.as_slice() {
        ["tunnels", name] => {
            (format!("{} is defined twice", quote(name)), "give one of them another name, or remove it")
        }
        ["defaults"] => ("[defaults] is written twice".to_owned(), "put the keys of both into one"),
        _ => (format!("{} is written twice", quote(names.last()?)), "keep one of them"),
    };
    let twice = ConfigError::new(message, Some(Place::new(file, span)));
    Some(twice.label("here again").other(Place::new(file, first[depth].1.clone()), "first here").help(help))
}

/// The names that lead to what a statement sets, each with its place.
type Path = Vec<(String, Range<usize>)>;

/// The path of each statement; empty where it was taken out.
fn paths(text: &str, statements: &[Statement]) -> Vec<Path> {
    let mut table = Path::new();
    let path = |statement: &Statement| {
        let code = &text[statement.span.clone()];
        if statement.is_header {
            table = names(code, statement.span.start);
            return table.clone();
        }
        let key = code.split('=').next().unwrap_or_default();
        // Read as a header, one byte further on.
        let own = names(&format!("[{key}]"), statement.span.start).into_iter();
        table.iter().cloned().chain(own.map(|(name, place)| (name, place.start - 1..place.end - 1))).collect()
    };
    statements.iter().map(path).collect()
}

/// The names in a table's header that stands at `base`.
fn names(header: &str, base: usize) -> Path {
    let mut names = Path::new();
    let (root, _) = DeTable::parse_recoverable(header);
    let mut table = root.into_inner();
    while let Some((key, value)) = table.into_iter().next() {
        let span = key.span();
        names.push((key.into_inner().into_owned(), base + span.start..base + span.end));
        table = match value.into_inner() {
            toml::de::DeValue::Table(table) => table,
            _ => break,
        };
    }
    names
}
