//! Questions to whoever sits at the terminal: asked on standard error, answered on standard input.

use crate::output;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use tunnels_api::{ApiError, ErrorCode};

/// Whether there is anybody to ask.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// One line of an answer, without space around; an end of input is an error, since it would be an end to every
/// question that follows.
pub(crate) fn line(question: &str) -> Result<String, ApiError> {
    let mut err = anstream::stderr();
    let mut answer = String::new();
    let read =
        write!(err, "{question} ").and_then(|()| err.flush()).and_then(|()| io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(0) => {
            output::say("");
            Err(ApiError::new(ErrorCode::Failed, "nobody answered; nothing was changed"))
        }
        Ok(_) => Ok(answer.trim().to_owned()),
        Err(error) => Err(ApiError::new(ErrorCode::Failed, format!("cannot ask: {error}"))),
    }
}

/// A value that can be read, asked for until it is; nothing typed is the suggestion.
pub(crate) fn value<T>(
    question: &str,
    suggestion: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, ApiError> {
    let question = suggestion.map_or_else(|| format!("{question}:"), |word| format!("{question} [{word}]:"));
    loop {
        let answer = line(&question)?;
        let answer = if answer.is_empty() { suggestion.unwrap_or_default() } else { &answer };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(wrong) => output::say(&format!("  {wrong}")),
        }
    }
}

/// Whether the answer is yes; anything else is no.
pub(crate) fn agrees(question: &str) -> Result<bool, ApiError> {
    let answer = line(&format!("{question} [y/N]"))?;
    Ok(is_yes(&answer))
}

/// Whether an answer is a yes.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// One of several things to do, by the first letter of each, asked until it is one of them.
pub(crate) fn choice(question: &str, choices: &[&str]) -> Result<char, ApiError> {
    let list: Vec<String> = choices
        .iter()
        .map(|choice| {
            let mut letters = choice.chars();
            let first = letters.next().unwrap_or_default();
            format!("({first}){}", letters.as_str())
        })
        .collect();
    let question = format!("{question} {}?", list.join(", "));
    loop {
        let answer = line(&question)?.to_lowercase();
        let letter = answer.chars().next();
        if let Some(letter) = letter.filter(|letter| choices.iter().any(|choice| choice.starts_with(*letter))) {
            return Ok(letter);
        }
    }
}
