//! Whole statements. What is no query is refused by its first word, with the reason that fits.

use super::ast::{CopyFormat, From, Item, Select, Statement};
use super::lexer::Token;
use super::parser::Parser;
use crate::postgres::error::{SqlError, code};

/// Statements that would change something.
const WRITING: [&str; 22] = [
    "alter", "analyze", "call", "cluster", "comment", "create", "delete", "do", "drop", "grant", "import", "insert",
    "lock", "merge", "reassign", "refresh", "reindex", "revoke", "security", "truncate", "update", "vacuum",
];

/// Statements that PostgreSQL has.
const OTHERS: [&str; 17] = [
    "checkpoint",
    "close",
    "declare",
    "execute",
    "explain",
    "fetch",
    "listen",
    "load",
    "move",
    "notify",
    "prepare",
    "release",
    "savepoint",
    "table",
    "unlisten",
    "values",
    "with",
];

/// Functions whose names look as if they were about the catalog.
const HARMLESS: [&str; 3] = ["pg_sleep", "pg_backend_pid", "pg_typeof"];

/// A statement, and how many characters of the text stand before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    pub(crate) at: usize,
}

/// Reads all statements of a text; there may be none.
///
/// # Errors
/// Any of them is wrong: then none of them is to run.
pub(crate) fn statements(text: &str) -> Result<Vec<Parsed>, SqlError> {
    let mut parser = Parser::new(text)?;
    let mut statements = Vec::new();
    loop {
        while parser.eat_symbol(";") {}
        if *parser.peek() == Token::End {
            return Ok(statements);
        }
        let at = parser.place();
        parser.refuse_catalogs()?;
        statements.push(Parsed { statement: parser.statement()?, at });
        if *parser.peek() != Token::End && !parser.is_symbol(";") {
            return Err(parser.unexpected());
        }
    }
}

impl Parser {
    /// What `\d` of psql and the trees of graphical clients ask for, up to the end of the statement. Said
    /// first: such queries are long, and fail at something else otherwise.
    fn refuse_catalogs(&self) -> Result<(), SqlError> {
        let of_statement =
            (0..).map(|ahead| self.ahead(ahead)).take_while(|t| !matches!(t, Token::End | Token::Symbol(";")));
        for token in of_statement {
            let Token::Word(word) = token else { continue };
            let is_catalog = word == "information_schema" || word.starts_with("pg_");
            if is_catalog && !HARMLESS.contains(&word.as_str()) {
                return Err(SqlError::new(
                    code::UNSUPPORTED,
                    format!("the demo's database has no system catalogs, and the query asks for {word}"),
                )
                .with_hint(
                    "so \\d and its kin cannot work here; its one table is orders: select * from orders limit 5",
                ));
            }
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<Statement, SqlError> {
        let at = self.place();
        let Token::Word(word) = self.peek().clone() else { return Err(self.unexpected()) };
        match word.as_str() {
            "select" => {
                self.next();
                Ok(Statement::Select(Box::new(self.select()?)))
            }
            "copy" => self.copy(at),
            "show" => {
                self.next();
                if self.eat_word("all") { Ok(Statement::ShowAll) } else { self.setting().map(Statement::Show) }
            }
            "set" => self.set(),
            "reset" => {
                self.next();
                if self.eat_word("all") { Ok(Statement::ResetAll) } else { Ok(Statement::Set(self.setting()?, None)) }
            }
            "discard" => {
                self.next();
                self.expect_word("all")?;
                Ok(Statement::Discard)
            }
            "deallocate" => {
                self.next();
                self.eat_word("prepare");
                if self.eat_word("all") {
                    Ok(Statement::Deallocate(None))
                } else {
                    self.name().map(|n| Statement::Deallocate(Some(n)))
                }
            }
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" => self.transaction(&word),
            _ if WRITING.contains(&word.as_str()) => Err(read_only(&word).at(at)),
            _ if OTHERS.contains(&word.as_str()) => Err(SqlError::unsupported(&word.to_uppercase()).at(at)),
            _ => Err(self.unexpected()),
        }
    }

    fn transaction(&mut self, word: &str) -> Result<Statement, SqlError> {
        self.next();
        let _ = self.eat_word("transaction") || self.eat_word("work");
        if self.is_word("to") {
            return Err(SqlError::unsupported("savepoints").at(self.place()));
        }
        match word {
            "begin" | "start" => {
                self.transaction_modes()?;
                Ok(Statement::Begin)
            }
            "commit" | "end" => Ok(Statement::Commit),
            _ => Ok(Statement::Rollback),
        }
    }

    /// They change nothing: nobody writes.
    fn transaction_modes(&mut self) -> Result<(), SqlError> {
        const MODES: [&str; 12] = [
            "isolation",
            "level",
            "serializable",
            "repeatable",
            "read",
            "committed",
            "uncommitted",
            "only",
            "write",
            "not",
            "deferrable",
            "characteristics",
        ];
        while MODES.iter().any(|mode| self.is_word(mode)) || self.is_symbol(",") {
            self.next();
        }
        if matches!(self.peek(), Token::End | Token::Symbol(";")) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The name of a setting: several words for some.
    fn setting(&mut self) -> Result<String, SqlError> {
        if self.eat_word("time") {
            self.expect_word("zone")?;
            return Ok("timezone".to_owned());
        }
        if self.eat_word("transaction") {
            self.expect_word("isolation")?;
            self.expect_word("level")?;
            return Ok("transaction_isolation".to_owned());
        }
        match self.next() {
            Token::Word(mut name) | Token::Quoted(mut name) => {
                while self.eat_symbol(".") {
                    name = format!("{name}.{}", self.name()?);
                }
                Ok(name.to_lowercase())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn set(&mut self) -> Result<Statement, SqlError> {
        self.next();
        if self.is_word("transaction") || (self.eat_word("session") && self.eat_word("characteristics")) {
            while !matches!(self.peek(), Token::End | Token::Symbol(";")) {
                self.next();
            }
            return Ok(Statement::Set("transaction_isolation".to_owned(), Some("read committed".to_owned())));
        }
        self.eat_word("local");
        if self.eat_word("names") {
            let encoding = self.setting_value()?;
            return Ok(Statement::Set("client_encoding".to_owned(), Some(encoding)));
        }
        let zone = self.is_word("time");
        let name = self.setting()?;
        if !zone && !self.eat_word("to") {
            self.expect_symbol("=")?;
        }
        if self.eat_word("default") {
            return Ok(Statement::Set(name, None));
        }
        let values = self.list(Self::setting_value)?;
        Ok(Statement::Set(name, Some(values.join(", "))))
    }

    fn setting_value(&mut self) -> Result<String, SqlError> {
        let sign = if self.eat_symbol("-") { "-" } else { "" };
        match self.peek().clone() {
            Token::Word(text) | Token::Quoted(text) | Token::Text(text) | Token::Number(text) => {
                self.next();
                Ok(format!("{sign}{text}"))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn copy(&mut self, at: usize) -> Result<Statement, SqlError> {
        self.next();
        let select = if self.eat_symbol("(") {
            self.expect_word("select")?;
            let select = self.select()?;
            self.expect_symbol(")")?;
            select
        } else {
            let at = self.place();
            let name = self.name()?;
            if self.is_symbol("(") {
                return Err(SqlError::unsupported("COPY of some columns")
                    .with_hint("copy (select …) to stdout")
                    .at(at));
            }
            Select {
                items: vec![Item::All(at)],
                from: Some(From::Table { name, alias: None, at }),
                ..Select::default()
            }
        };
        if self.is_word("from") {
            return Err(read_only("copy from").at(at));
        }
        self.expect_word("to")?;
        if !self.eat_word("stdout") {
            return Err(SqlError::unsupported("COPY to anything but STDOUT")
                .with_hint("in psql: \\copy (select …) to 'file'")
                .at(self.place()));
        }
        Ok(Statement::CopyOut(Box::new(select), self.copy_format()?))
    }

    /// `[with] csv [header]`, or the same in parentheses.
    fn copy_format(&mut self) -> Result<CopyFormat, SqlError> {
        self.eat_word("with");
        let (mut csv, mut header) = (false, false);
        let enclosed = self.eat_symbol("(");
        loop {
            if self.eat_word("format") {
                csv = self.is_word("csv");
                if !csv && !self.is_word("text") {
                    return Err(SqlError::unsupported("that format").with_hint("csv or text").at(self.place()));
                }
                self.next();
            } else if self.eat_word("csv") {
                csv = true;
            } else if self.eat_word("header") {
                header = !self.eat_word("false");
                self.eat_word("true");
            } else if !(enclosed && self.eat_symbol(",")) {
                break;
            }
        }
        if enclosed {
            self.expect_symbol(")")?;
        }
        if !matches!(self.peek(), Token::End | Token::Symbol(";")) {
            return Err(SqlError::unsupported("that option of COPY").with_hint("csv, header").at(self.place()));
        }
        match (csv, header) {
            (true, header) => Ok(CopyFormat::Csv { header }),
            (false, false) => Ok(CopyFormat::Text),
            (false, true) => Err(SqlError::new(code::UNSUPPORTED, "COPY HEADER is for csv here").at(self.place())),
        }
    }
}

fn read_only(word: &str) -> SqlError {
    let verb = word.to_uppercase();
    SqlError::new(code::READ_ONLY, format!("cannot execute {verb}: the demo's database is read-only"))
        .with_hint("try: select * from orders where status = 'shipped' limit 5")
}
