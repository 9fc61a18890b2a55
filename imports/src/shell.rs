//! Shell text taken apart into commands and words, as a shell does before it runs anything.
//!
//! bash first: quotes, escapes, comments, continuations, variables and `$(…)` are told apart, none is evaluated. Line
//! ends of cmd (`^`) and PowerShell (`` ` ``) are continuations, too, since people keep such lines.

/// Part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `$NAME`, `${NAME}`, or `${NAME:-DEFAULT}`.
    Variable {
        name: String,
        default: Option<String>,
    },
    /// `$(…)` or `` `…` ``: what stands in it.
    Output(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) parts: Vec<Part>,
    /// From 1.
    pub(crate) line: usize,
}

impl Word {
    /// The word if nothing in it has to be found out.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// A command with its arguments; never empty.
    Command(Vec<Word>),
    /// `NAME() {` begins.
    Function(String),
    /// `{`, also that of a function.
    Open,
    /// `}`.
    End,
    /// `&&`: what follows may not be run.
    And,
    /// `||`: what follows is run instead.
    Or,
    /// A line's end, `;` or `&`.
    List,
    /// `;;`: another case follows, or none.
    Case,
}

/// All commands of a text whose first line has this number.
pub(crate) fn statements(text: &str, first_line: usize) -> Vec<Statement> {
    let mut lexer = Lexer {
        rest: text.chars().collect::<Vec<_>>().into_iter().peekable(),
        line: first_line,
        out: Vec::new(),
        words: Vec::new(),
        word: None,
        skip_word: false,
    };
    lexer.run();
    lexer.out
}

struct Lexer {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
    line: usize,
    out: Vec<Statement>,
    words: Vec<Word>,
    word: Option<Word>,
    /// The next word is the file of a redirection.
    skip_word: bool,
}

impl Lexer {
    fn run(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\n' => self.end_list(),
                c if c.is_whitespace() => self.end_word(),
                '#' if self.word.is_none() => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                '\\' if self.continues() => {}
                '^' | '`' if self.word.is_none() && self.continues() => {}
                '\\' => {
                    if let Some(c) = self.next() {
                        self.push(c);
                    }
                }
                '\'' => self.single_quoted(),
                '"' => self.double_quoted(),
                '$' => self.dollar(),
                '`' => {
                    let inner = self.until_backtick();
                    self.push_part(Part::Output(inner));
                }
                '(' if self.word.is_some() && self.rest.peek() == Some(&')') => {
                    self.next();
                    self.function();
                }
                ';' if self.rest.next_if(|c| matches!(c, ';' | '&')).is_some() => self.operator(Statement::Case),
                '&' if self.rest.next_if_eq(&'&').is_some() => self.operator(Statement::And),
                '|' if self.rest.next_if_eq(&'|').is_some() => self.operator(Statement::Or),
                ';' | '&' => self.end_list(),
                '|' | '(' | ')' => self.end_command(),
                '<' | '>' => self.redirection(),
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    /// Passes over the rest of the line if there is nothing but its end.
    fn continues(&mut self) -> bool {
        if self.rest.peek() == Some(&'\r') {
            let mut ahead = self.rest.clone();
            ahead.next();
            if ahead.peek() != Some(&'\n') {
                return false;
            }
            self.next();
        }
        let is_end = self.rest.peek() == Some(&'\n');
        if is_end {
            self.next();
        }
        is_end
    }

    fn word(&mut self) -> &mut Word {
        let line = self.line;
        self.word.get_or_insert_with(|| Word { parts: Vec::new(), line })
    }

    fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    fn push_str(&mut self, text: &str) {
        let parts = &mut self.word().parts;
        match parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => parts.push(Part::Text(text.to_owned())),
        }
    }

    fn push_part(&mut self, part: Part) {
        self.word().parts.push(part);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if std::mem::take(&mut self.skip_word) {
            return;
        }
        self.words.push(word);
    }

    fn end_command(&mut self) {
        self.end_word();
        self.skip_word = false;
        let mut words = std::mem::take(&mut self.words);
        // `function NAME {` in bash and zsh; a lone brace opens or closes a group.
        if let [function, name, ..] = words.as_slice()
            && function.literal() == Some("function")
            && let Some(name) = name.literal()
        {
            self.out.push(Statement::Function(name.to_owned()));
            words.drain(..2);
        }
        while let Some(word) = words.first().and_then(Word::literal) {
            match word {
                "then" | "do" => drop(words.remove(0)),
                "else" => {
                    let word = words.remove(0);
                    self.out.push(Statement::Command(vec![word]));
                }
                "{" => {
                    words.remove(0);
                    self.out.push(Statement::Open);
                }
                _ => break,
            }
        }
        if words.first().is_some_and(|word| word.literal() == Some("}")) {
            self.out.push(Statement::End);
            return;
        }
        if !words.is_empty() {
            self.out.push(Statement::Command(words));
        }
    }

    fn operator(&mut self, operator: Statement) {
        self.end_command();
        self.out.push(operator);
    }

    /// A list goes on behind an operator, on the next line if need be.
    fn end_list(&mut self) {
        self.end_command();
        if !matches!(self.out.last(), None | Some(Statement::And | Statement::Or | Statement::List)) {
            self.out.push(Statement::List);
        }
    }

    /// The word before `()` is the name of a function.
    fn function(&mut self) {
        let name = self.word.take().and_then(|word| word.literal().map(str::to_owned)).unwrap_or_default();
        self.end_command();
        self.out.push(Statement::Function(name));
    }

    fn redirection(&mut self) {
        // `2>` is no word.
        let is_descriptor =
            self.word.as_ref().and_then(Word::literal).is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
        if is_descriptor {
            self.word = None;
        }
        self.end_word();
        while self.rest.next_if(|c| matches!(c, '<' | '>' | '&' | '|')).is_some() {}
        self.skip_word = true;
    }

    fn single_quoted(&mut self) {
        // An empty string is a word, too.
        self.push_str("");
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            self.push(c);
        }
    }

    fn double_quoted(&mut self) {
        self.push_str("");
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' if self.continues() => {}
                '\\' => match self.next() {
                    Some(c @ ('$' | '`' | '"' | '\\')) => self.push(c),
                    Some(c) => {
                        self.push('\\');
                        self.push(c);
                    }
                    None => return,
                },
                '$' => self.dollar(),
                '`' => {
                    let inner = self.until_backtick();
                    self.push_part(Part::Output(inner));
                }
                c => self.push(c),
            }
        }
    }

    /// `$'…'`.
    fn ansi_quoted(&mut self) {
        self.push_str("");
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            let c = if c == '\\' {
                match self.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(c) => c,
                    None => return,
                }
            } else {
                c
            };
            self.push(c);
        }
    }

    fn dollar(&mut self) {
        match self.rest.peek().copied() {
            Some('(') => {
                self.next();
                let inner = self.until_closed('(', ')');
                self.push_part(Part::Output(inner));
            }
            Some('{') => {
                self.next();
                let inner = self.until_closed('{', '}');
                // Other operators, such as `%`, make another value: that is no variable that anybody sets.
                let end = inner.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
                let (name, operator) = inner.split_at(end);
                let default = [":-", "-", ":=", "="].iter().find_map(|sign| operator.strip_prefix(sign));
                let name = if default.is_some() { name.to_owned() } else { inner.clone() };
                self.push_part(Part::Variable { name, default: default.map(str::to_owned) });
            }
            Some('\'') => {
                self.next();
                self.ansi_quoted();
            }
            Some(c) if c == '_' || c.is_ascii_alphanumeric() || matches!(c, '@' | '*') => {
                let mut name = String::new();
                let is_name = |c: &char| *c == '_' || c.is_ascii_alphanumeric();
                name.extend(self.next());
                while name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
                    && self.rest.peek().is_some_and(is_name)
                {
                    name.extend(self.next());
                }
                self.push_part(Part::Variable { name, default: None });
            }
            _ => self.push('$'),
        }
    }

    fn until_backtick(&mut self) -> String {
        let mut inner = String::new();
        while let Some(c) = self.next().filter(|c| *c != '`') {
            inner.push(c);
        }
        inner
    }

    /// Up to the bracket that closes the one that is open; quotes hide brackets.
    fn until_closed(&mut self, open: char, close: char) -> String {
        let (mut inner, mut depth, mut quote) = (String::new(), 1, None);
        while let Some(c) = self.next() {
            match quote {
                Some(q) if c == q => quote = None,
                None if matches!(c, '\'' | '"') => quote = Some(c),
                None if c == open => depth += 1,
                None if c == close => depth -= 1,
                Some(_) | None => {}
            }
            if depth == 0 {
                break;
            }
            inner.push(c);
        }
        inner
    }
}

#[cfg(test)]
mod tests;
