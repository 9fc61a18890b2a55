//! Tokens into statements: the parts that all of them share. Statements are in `statement`, expressions in
//! `expression`.

use super::ast::{From, Item, Node, Order, Select};
use super::lexer::{Placed, Token, tokens};
use crate::postgres::error::{SqlError, code};

/// How deep expressions may nest: they are walked recursively.
pub(super) const DEEPEST: usize = 128;
/// Nodes of all expressions that come in one message: a connection may prepare many.
const MOST_NODES: usize = 4096;

/// Words that end an expression or a name: no alias without `as`, and no column.
const RESERVED: [&str; 38] = [
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cross",
    "desc",
    "distinct",
    "except",
    "fetch",
    "for",
    "from",
    "full",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "offset",
    "on",
    "or",
    "order",
    "right",
    "select",
    "union",
    "using",
    "where",
    "window",
];

/// Reads tokens one after the other.
pub(super) struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    /// Of the expression that is being read.
    pub(super) depth: usize,
    /// Made so far.
    nodes: usize,
}

impl Parser {
    pub(super) fn new(text: &str) -> Result<Self, SqlError> {
        Ok(Self { tokens: tokens(text)?, at: 0, depth: 0, nodes: 0 })
    }

    pub(super) fn peek(&self) -> &Token {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, count: usize) -> &Token {
        // The last one is `End`, and stays.
        self.tokens.get(self.at + count).map_or(&Token::End, |placed| &placed.token)
    }

    /// Where the next token begins.
    pub(super) fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |placed| placed.at)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len());
        token
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found == word)
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), SqlError> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), SqlError> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The next token has no business here.
    pub(super) fn unexpected(&self) -> SqlError {
        let shown = match self.peek() {
            Token::End => return SqlError::new(code::SYNTAX, "syntax error at end of input").at(self.place()),
            Token::Word(text) | Token::Quoted(text) | Token::Number(text) => text.clone(),
            Token::Text(text) => format!("'{text}'"),
            Token::Parameter(number) => format!("${number}"),
            Token::Symbol(symbol) => (*symbol).to_owned(),
        };
        SqlError::new(code::SYNTAX, format!("syntax error at or near \"{shown}\"")).at(self.place())
    }

    fn is_reserved(word: &str) -> bool {
        RESERVED.contains(&word)
    }

    /// A name; keywords only in quotes.
    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        match self.peek().clone() {
            Token::Quoted(name) => {
                self.next();
                Ok(name)
            }
            Token::Word(name) if !Self::is_reserved(&name) => {
                self.next();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `as name`, or a name that is no keyword.
    fn alias(&mut self) -> Result<Option<String>, SqlError> {
        if self.eat_word("as") {
            // Behind `as` any word will do.
            return match self.next() {
                Token::Word(name) | Token::Quoted(name) => Ok(Some(name)),
                _ => {
                    self.at -= 1;
                    Err(self.unexpected())
                }
            };
        }
        match self.peek() {
            Token::Quoted(_) => self.name().map(Some),
            Token::Word(word) if !Self::is_reserved(word) => self.name().map(Some),
            _ => Ok(None),
        }
    }

    /// Items between commas.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, SqlError>) -> Result<Vec<T>, SqlError> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Behind `select`.
    pub(super) fn select(&mut self) -> Result<Select, SqlError> {
        let mut select = Select { distinct: self.eat_word("distinct"), ..Select::default() };
        if !select.distinct {
            self.eat_word("all");
        }
        select.items = self.list(Self::item)?;
        if self.eat_word("from") {
            select.from = Some(self.source()?);
        }
        if self.eat_word("where") {
            select.filter = Some(self.expression()?);
        }
        if self.eat_word("group") {
            self.expect_word("by")?;
            select.group = self.list(Self::expression)?;
        }
        if self.eat_word("order") {
            self.expect_word("by")?;
            select.order = self.list(Self::order)?;
        }
        loop {
            if select.limit.is_none() && self.is_word("limit") {
                self.next();
                select.limit = if self.eat_word("all") { None } else { Some(self.expression()?) };
            } else if select.offset.is_none() && self.is_word("offset") {
                self.next();
                select.offset = Some(self.expression()?);
                let _ = self.eat_word("rows") || self.eat_word("row");
            } else {
                break;
            }
        }
        self.refuse_other_clauses()?;
        Ok(select)
    }

    fn refuse_other_clauses(&self) -> Result<(), SqlError> {
        let Token::Word(word) = self.peek() else { return Ok(()) };
        let others = ["having", "window", "fetch", "for", "union", "intersect", "except"];
        if others.contains(&word.as_str()) {
            return Err(SqlError::unsupported(&word.to_uppercase()).at(self.place()));
        }
        Ok(())
    }

    fn item(&mut self) -> Result<Item, SqlError> {
        let at = self.place();
        if self.eat_symbol("*") {
            return Ok(Item::All(at));
        }
        // `orders.*`
        if matches!(self.ahead(1), Token::Symbol(".")) && matches!(self.ahead(2), Token::Symbol("*")) {
            self.name()?;
            self.at += 2;
            return Ok(Item::All(at));
        }
        let node = self.expression()?;
        Ok(Item::One(node, self.alias()?))
    }

    fn source(&mut self) -> Result<From, SqlError> {
        let at = self.place();
        if self.is_symbol("(") {
            return Err(SqlError::unsupported("subqueries").at(at));
        }
        let mut name = self.name()?;
        if self.eat_symbol(".") {
            let schema = std::mem::replace(&mut name, self.name()?);
            if schema != "public" {
                let missing = format!("relation \"{schema}.{name}\" does not exist");
                return Err(SqlError::new(code::NO_TABLE, missing).with_hint(super::orders::HINT).at(at));
            }
        }
        let from = if self.eat_symbol("(") {
            let arguments = if self.is_symbol(")") { Vec::new() } else { self.list(Self::expression)? };
            self.expect_symbol(")")?;
            From::Function { name, arguments, alias: self.alias()?, at }
        } else {
            From::Table { name, alias: self.alias()?, at }
        };
        let joined = ["join", "inner", "left", "right", "full", "cross", "natural"];
        if self.is_symbol(",") || joined.iter().any(|word| self.is_word(word)) {
            return Err(SqlError::unsupported("joins").at(self.place()));
        }
        Ok(from)
    }

    fn order(&mut self) -> Result<Order, SqlError> {
        let by = self.expression()?;
        let descending = self.eat_word("desc");
        if !descending {
            self.eat_word("asc");
        }
        let mut nulls_first = descending;
        if self.eat_word("nulls") {
            nulls_first = self.eat_word("first");
            if !nulls_first {
                self.expect_word("last")?;
            }
        }
        Ok(Order { by, descending, nulls_first })
    }

    /// Makes a node over others whose depths are given, unless the tree gets too deep or too large.
    pub(super) fn node(&mut self, kind: super::ast::Kind, at: usize, below: &[usize]) -> Result<Node, SqlError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let full = format!("a query may have {MOST_NODES} operators, names and constants");
            return Err(SqlError::new(code::TOO_COMPLEX, full).at(at));
        }
        let depth = 1 + below.iter().max().unwrap_or(&0);
        if depth > DEEPEST { Err(too_deep().at(at)) } else { Ok(Node { kind, at, depth }) }
    }
}

pub(super) fn too_deep() -> SqlError {
    SqlError::new(code::TOO_COMPLEX, format!("an expression may be {DEEPEST} levels deep"))
}
