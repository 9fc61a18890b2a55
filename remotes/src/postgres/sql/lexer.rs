//! Text into tokens, each with its place.

use crate::postgres::error::{SqlError, code};

/// One token; words are in lower case unless they were quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// A name in double quotes: never a keyword.
    Quoted(String),
    Number(String),
    Text(String),
    Parameter(u16),
    Symbol(&'static str),
    End,
}

/// A token and the number of characters before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: usize,
    /// Behind its last character.
    pub(crate) end: usize,
}

/// Longer ones first.
const SYMBOLS: [&str; 23] = [
    "::", "||", "<>", "!=", "<=", ">=", "!~", "(", ")", ",", ";", ".", "+", "-", "*", "/", "%", "=", "<", ">", "[",
    "]", "~",
];

/// Takes a text apart; the last token is [`Token::End`].
///
/// # Errors
/// A string or comment without an end, or a character that has no meaning.
pub(crate) fn tokens(text: &str) -> Result<Vec<Placed>, SqlError> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space()?;
        let at = lexer.at;
        let token = lexer.token().map_err(|error| error.at(at))?;
        let end = token == Token::End;
        tokens.push(Placed { token, at, end: lexer.at });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(&fits) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn skip_space(&mut self) -> Result<(), SqlError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if self.starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// They nest, as in PostgreSQL.
    fn skip_comment(&mut self) -> Result<(), SqlError> {
        let (start, mut depth) = (self.at, 0_usize);
        loop {
            if self.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if self.peek(0).is_some() {
                self.at += 1;
            } else {
                return Err(SqlError::new(code::SYNTAX, "unterminated /* comment").at(start));
            }
        }
    }

    fn token(&mut self) -> Result<Token, SqlError> {
        let Some(first) = self.peek(0) else { return Ok(Token::End) };
        let second = self.peek(1);
        match first {
            '\'' => self.quoted('\'').map(Token::Text),
            '"' => self.quoted('"').map(Token::Quoted),
            'e' | 'E' if second == Some('\'') => {
                self.at += 1;
                self.escaped().map(Token::Text)
            }
            '$' if second.is_some_and(|c| c.is_ascii_digit()) => {
                self.at += 1;
                let digits = self.take_while(|c| c.is_ascii_digit());
                let number = digits.parse().ok().filter(|number| *number > 0);
                number
                    .map(Token::Parameter)
                    .ok_or_else(|| SqlError::new(code::NO_PARAMETER, format!("there is no parameter ${digits}")))
            }
            '$' => Err(SqlError::unsupported("dollar-quoted strings")),
            '0'..='9' => Ok(self.number()),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => Ok(self.number()),
            c if c.is_alphabetic() || c == '_' => {
                let word = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
                Ok(Token::Word(word.to_lowercase()))
            }
            _ => match SYMBOLS.iter().find(|symbol| self.starts_with(symbol)) {
                Some(symbol) => {
                    self.at += symbol.len();
                    Ok(Token::Symbol(if *symbol == "!=" { "<>" } else { symbol }))
                }
                None => Err(SqlError::new(code::SYNTAX, format!("syntax error at or near \"{first}\""))),
            },
        }
    }

    fn number(&mut self) -> Token {
        let mut digits = self.take_while(|c| c.is_ascii_digit());
        if self.peek(0) == Some('.') {
            self.at += 1;
            digits.push('.');
            digits.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        Token::Number(digits)
    }

    /// The quote doubled stands for itself.
    fn quoted(&mut self, quote: char) -> Result<String, SqlError> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let c = self.peek(0).ok_or_else(|| unterminated(quote))?;
            self.at += 1;
            if c == quote {
                if self.peek(0) != Some(quote) {
                    return Ok(text);
                }
                self.at += 1;
            }
            text.push(c);
        }
    }

    fn escaped(&mut self) -> Result<String, SqlError> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let c = self.peek(0).ok_or_else(|| unterminated('\''))?;
            self.at += 1;
            match (c, self.peek(0)) {
                ('\'', Some('\'')) => self.at += 1,
                ('\'', _) => return Ok(text),
                ('\\', Some(next)) => {
                    self.at += 1;
                    text.push(match next {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                    continue;
                }
                _ => {}
            }
            text.push(c);
        }
    }
}

fn unterminated(quote: char) -> SqlError {
    let what = if quote == '"' { "identifier" } else { "string" };
    SqlError::new(code::SYNTAX, format!("unterminated quoted {what}"))
}
