//! A shell script: what its variables hold, what its functions and aliases are called, and where it starts sessions.

use crate::shell::{Part, Statement, Word, statements};
use crate::start_session::{self, Value};
use crate::{ReadFile, Report};
use std::collections::BTreeMap;

/// Aliases within aliases end.
const MAX_DEPTH: usize = 4;

/// What is known where a command stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Variables that the script sets itself, as they are when it has come here.
    variables: BTreeMap<String, Value>,
    /// The function or alias that it stands in.
    pub(crate) name: Option<String>,
}

pub(crate) fn read(text: &str, files: ReadFile<'_>) -> Report {
    let mut report = Report::default();
    run(text, 1, &mut Scope::default(), files, 0, &mut report);
    report
}

/// Goes through the commands of a text whose first line has this number.
pub(crate) fn run(
    text: &str,
    first_line: usize,
    scope: &mut Scope,
    files: ReadFile<'_>,
    depth: usize,
    report: &mut Report,
) {
    let outer = scope.name.clone();
    for statement in statements(text, first_line) {
        match statement {
            Statement::Function(name) => scope.name = outer.clone().or(Some(name)),
            Statement::End => scope.name.clone_from(&outer),
            Statement::Command(words) => command(&words, scope, files, depth, report),
        }
    }
    scope.name = outer;
}

fn command(words: &[Word], scope: &mut Scope, files: ReadFile<'_>, depth: usize, report: &mut Report) {
    let first = words.first().and_then(Word::literal).unwrap_or_default();
    if matches!(first, "alias") && depth < MAX_DEPTH {
        for word in &words[1..] {
            let Some((name, text)) = word.literal().and_then(|text| text.split_once('=')) else { continue };
            let mut inner = Scope { name: Some(name.to_owned()), ..scope.clone() };
            run(text, word.line, &mut inner, files, depth + 1, report);
        }
        return;
    }
    let is_declaration = matches!(first, "export" | "local" | "readonly" | "declare" | "typeset");
    let assigned = if is_declaration { &words[1..] } else { words };
    let assignments: Vec<_> = assigned.iter().map_while(|word| Some((assignment(word)?, word.line))).collect();
    if is_declaration || assignments.len() == words.len() {
        for ((name, value), _) in assignments {
            let value = scope.value(&value);
            scope.variables.insert(name, value);
        }
        return;
    }
    // What stands before a command holds for it alone.
    let mut own = scope.clone();
    let count = assignments.len();
    for ((name, value), _) in assignments {
        let value = scope.value(&value);
        own.variables.insert(name, value);
    }
    start_session::read(&words[count..], &own, files, report);
}

/// `NAME=VALUE`.
fn assignment(word: &Word) -> Option<(String, Vec<Part>)> {
    let Some(Part::Text(text)) = word.parts.first() else { return None };
    let (name, value) = text.split_once('=')?;
    let is_name = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let rest = word.parts[1..].iter().cloned();
    is_name.then(|| (name.to_owned(), std::iter::once(Part::Text(value.to_owned())).chain(rest).collect()))
}

impl Scope {
    /// Nothing is known but what the commands belong to.
    pub(crate) fn named(name: String) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// What a word comes to, as far as the script itself says.
    pub(crate) fn value(&self, parts: &[Part]) -> Value {
        let said = |part: &Part| !matches!(part, Part::Text(text) if text.is_empty());
        let said: Vec<&Part> = parts.iter().filter(|part| said(part)).collect();
        if let [one] = said.as_slice() {
            return self.part(one);
        }
        let mut whole = String::new();
        for part in said {
            match self.part(part) {
                Value::Text(text) => whole.push_str(&text),
                Value::Output(command) => return Value::Unknown(format!("the output of `{command}`")),
                unknown @ Value::Unknown(_) => return unknown,
            }
        }
        Value::Text(whole)
    }

    fn part(&self, part: &Part) -> Value {
        match part {
            Part::Text(text) => Value::Text(text.clone()),
            Part::Output(command) => Value::Output(command.split_whitespace().collect::<Vec<_>>().join(" ")),
            Part::Variable { name, default } => match (self.variables.get(name), default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) if !default.contains('$') => Value::Text(default.clone()),
                _ => Value::Unknown(format!("${name}")),
            },
        }
    }

    /// A variable's value, if the script sets it to a text.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }
}
