//! A shell script: what its variables hold, what its functions and aliases are called, and where it starts sessions.

use crate::branch::{Branches, Kind, Variables};
use crate::shell::{Part, Statement, Word, statements};
use crate::start_session::{self, Value};
use crate::{ReadFile, Report};

/// Aliases within aliases end.
const MAX_DEPTH: usize = 4;

/// What is known where a command stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Variables that the script sets itself, as they are when it has come here.
    variables: Variables,
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
    let mut branches = Branches::default();
    let mut line = first_line;
    // The next brace is that of a function.
    let mut is_function = false;
    for statement in statements(text, first_line) {
        match statement {
            Statement::Function(name) => {
                branches.open(Kind::Function, format!("whether `{name}` is called"));
                scope.name = outer.clone().or(Some(name));
                is_function = true;
            }
            Statement::Open if std::mem::take(&mut is_function) => {}
            Statement::Open => branches.open(Kind::Group, String::new()),
            Statement::End => {
                let is_group = branches.is_within_group();
                branches.close(if is_group { Kind::Group } else { Kind::Function }, &mut scope.variables);
                if !is_group {
                    scope.name.clone_from(&outer);
                }
            }
            Statement::And if branches.innermost() == Some(Kind::Chain) => {}
            Statement::Or if branches.innermost() == Some(Kind::Chain) => {
                branches.next(Kind::Chain, &mut scope.variables);
            }
            Statement::And | Statement::Or => {
                let sign = if statement == Statement::And { "&&" } else { "||" };
                branches.open(Kind::Chain, format!("the `{sign}` in line {line}"));
            }
            Statement::List if branches.innermost() == Some(Kind::Chain) => {
                branches.close(Kind::Chain, &mut scope.variables);
            }
            Statement::List => {}
            Statement::Case => branches.next(Kind::Case, &mut scope.variables),
            Statement::Command(words) => {
                line = words.last().map_or(line, |word| word.line);
                if !is_keyword(&words, &mut branches, scope) {
                    command(&words, scope, &mut branches, files, depth, report);
                }
            }
        }
    }
    scope.name = outer;
}

/// Whether it is no more than a keyword; the commands behind one are run.
fn is_keyword(words: &[Word], branches: &mut Branches, scope: &mut Scope) -> bool {
    let Some(first) = words.first() else { return true };
    let keyword = first.literal().unwrap_or_default();
    let what = || format!("the `{keyword}` in line {}", first.line);
    match keyword {
        "if" => branches.open(Kind::If, what()),
        "case" => branches.open(Kind::Case, what()),
        "while" | "until" => branches.open(Kind::Loop, what()),
        "for" | "select" => {
            branches.open(Kind::Loop, what());
            if let Some(name) = words.get(1).and_then(Word::literal) {
                branches.set_unknown(name.to_owned(), &mut scope.variables);
            }
        }
        "elif" | "else" => branches.next(Kind::If, &mut scope.variables),
        "fi" => branches.close(Kind::If, &mut scope.variables),
        "esac" => branches.close(Kind::Case, &mut scope.variables),
        "done" => branches.close(Kind::Loop, &mut scope.variables),
        _ => return false,
    }
    !matches!(keyword, "if" | "elif" | "while" | "until")
}

fn command(
    words: &[Word],
    scope: &mut Scope,
    branches: &mut Branches,
    files: ReadFile<'_>,
    depth: usize,
    report: &mut Report,
) {
    let first = words.first().and_then(Word::literal).unwrap_or_default();
    if matches!(first, "alias") && depth < MAX_DEPTH {
        for word in &words[1..] {
            let Some((name, text)) = word.literal().and_then(|text| text.split_once('=')) else { continue };
            let mut inner = Scope { name: Some(name.to_owned()), ..scope.clone() };
            run(text, word.line, &mut inner, files, depth + 1, report);
        }
        return;
    }
    if let Some(read) = words.iter().position(|word| word.literal() == Some("read"))
        && words[..read].iter().all(|word| assignment(word).is_some() || word.literal().is_some_and(is_prefix))
    {
        for name in words[read + 1..].iter().filter_map(Word::literal).filter(|name| !name.starts_with('-')) {
            branches.set(name.to_owned(), Value::Unknown(format!("${name}, which is read")), &mut scope.variables);
        }
        return;
    }
    if matches!(first, "export" | "local" | "readonly" | "declare" | "typeset") {
        // Options may stand among them.
        assign(words[1..].iter().filter_map(assignment), scope, branches);
        return;
    }
    let assignments: Vec<_> = words.iter().map_while(assignment).collect();
    if assignments.len() == words.len() {
        assign(assignments, scope, branches);
        return;
    }
    // What stands before a command holds for it alone.
    let mut own = scope.clone();
    let count = assignments.len();
    assign(assignments, &mut own, &mut Branches::default());
    start_session::read(&words[count..], &own, files, report);
}

fn is_prefix(word: &str) -> bool {
    matches!(word, "if" | "elif" | "while" | "until" | "!")
}

fn assign(assignments: impl IntoIterator<Item = (String, Vec<Part>)>, scope: &mut Scope, branches: &mut Branches) {
    for (name, value) in assignments {
        let value = scope.value(&value);
        branches.set(name, value, &mut scope.variables);
    }
}

/// `NAME=VALUE`.
fn assignment(word: &Word) -> Option<(String, Vec<Part>)> {
    let Some(Part::Text(text)) = word.parts.first() else { return None };
    let (name, value) = text.split_once('=')?;
    let (name, is_more) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    let is_name = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let before = is_more.then(|| Part::Variable { name: name.to_owned(), default: None });
    let rest = std::iter::once(Part::Text(value.to_owned())).chain(word.parts[1..].iter().cloned());
    is_name.then(|| (name.to_owned(), before.into_iter().chain(rest).collect()))
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
                unknown => return Value::Unknown(unknown.to_string()),
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

    /// What the script sets a variable to, if it does.
    pub(crate) fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name).filter(|value| !matches!(value, Value::Text(text) if text.is_empty()))
    }
}
