//! Expressions, by precedence climbing: `or`, `and`, `not`, comparison, `||`, sum, product, sign, cast.

use super::ast::{Kind, Node};
use super::lexer::Token;
use super::parser::{DEEPEST, Parser, too_deep};
use crate::postgres::error::{SqlError, code};

/// Items of one `in (…)`, or arguments of one call.
const MOST_ITEMS: usize = 1000;

/// What binds how strongly; higher is stronger.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const CONCAT: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Node, SqlError> {
        self.binary(OR)
    }

    /// An expression whose operators bind at least so strongly.
    fn binary(&mut self, least: u8) -> Result<Node, SqlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_deep().at(self.place()));
        }
        let mut left = if self.is_word("not") { self.negation()? } else { self.signed()? };
        while let Some((strength, operator)) = self.operator()?.filter(|(strength, _)| *strength >= least) {
            let at = self.place();
            if operator.is_empty() {
                left = self.predicate(left)?;
            } else {
                self.next();
                let right = self.binary(strength + 1)?;
                let depths = [left.depth, right.depth];
                left = self.node(Kind::Binary(operator, Box::new(left), Box::new(right)), at, &depths)?;
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that comes next, if one does; those that are words and take more than one operand have no
    /// name here.
    fn operator(&self) -> Result<Option<(u8, &'static str)>, SqlError> {
        Ok(Some(match self.peek() {
            Token::Word(word) => match word.as_str() {
                "or" => (OR, "or"),
                "and" => (AND, "and"),
                "is" | "in" | "like" | "ilike" | "between" | "not" => (COMPARISON, ""),
                _ => return Ok(None),
            },
            Token::Symbol(symbol @ ("=" | "<>" | "<" | "<=" | ">" | ">=")) => (COMPARISON, symbol),
            Token::Symbol("||") => (CONCAT, "||"),
            Token::Symbol(symbol @ ("+" | "-")) => (SUM, symbol),
            Token::Symbol(symbol @ ("*" | "/" | "%")) => (PRODUCT, symbol),
            Token::Symbol("~" | "!~") => return Err(SqlError::unsupported("regular expressions").at(self.place())),
            _ => return Ok(None),
        }))
    }

    fn negation(&mut self) -> Result<Node, SqlError> {
        let at = self.place();
        self.expect_word("not")?;
        let of = self.binary(NOT)?;
        let depth = of.depth;
        self.node(Kind::Not(Box::new(of)), at, &[depth])
    }

    /// `is null`, `in`, `like`, `between`, each with or without `not`.
    fn predicate(&mut self, left: Node) -> Result<Node, SqlError> {
        let at = self.place();
        if self.eat_word("is") {
            let not = self.eat_word("not");
            self.expect_word("null")?;
            let depth = left.depth;
            return self.node(Kind::IsNull(Box::new(left), not), at, &[depth]);
        }
        let not = self.eat_word("not");
        let found = if self.eat_word("in") {
            self.expect_symbol("(")?;
            if self.is_word("select") {
                return Err(SqlError::unsupported("subqueries").at(self.place()));
            }
            let items = self.items()?;
            self.expect_symbol(")")?;
            let deepest = items.iter().map(|item| item.depth).max().unwrap_or(0).max(left.depth);
            self.node(Kind::In(Box::new(left), items), at, &[deepest])?
        } else if self.is_word("like") || self.is_word("ilike") {
            let any_case = self.next() == Token::Word("ilike".to_owned());
            let pattern = self.binary(CONCAT)?;
            let depths = [left.depth, pattern.depth];
            self.node(Kind::Like { text: Box::new(left), pattern: Box::new(pattern), any_case }, at, &depths)?
        } else {
            self.expect_word("between")?;
            let from = self.binary(CONCAT)?;
            self.expect_word("and")?;
            let to = self.binary(CONCAT)?;
            let depths = [left.depth, from.depth, to.depth];
            self.node(Kind::Between(Box::new([left, from, to])), at, &depths)?
        };
        // As with PostgreSQL, these do not follow each other without parentheses.
        if ["in", "like", "ilike", "between", "not"].iter().any(|word| self.is_word(word)) {
            return Err(self.unexpected());
        }
        let depth = found.depth;
        if not { self.node(Kind::Not(Box::new(found)), at, &[depth]) } else { Ok(found) }
    }

    fn items(&mut self) -> Result<Vec<Node>, SqlError> {
        let at = self.place();
        let items = self.list(Self::expression)?;
        if items.len() > MOST_ITEMS {
            return Err(SqlError::new(code::TOO_COMPLEX, format!("a list may have {MOST_ITEMS} items")).at(at));
        }
        Ok(items)
    }

    fn signed(&mut self) -> Result<Node, SqlError> {
        let at = self.place();
        if self.eat_symbol("+") {
            return self.binary(PRODUCT + 1);
        }
        if self.eat_symbol("-") {
            let of = self.binary(PRODUCT + 1)?;
            let depth = of.depth;
            return self.node(Kind::Negate(Box::new(of)), at, &[depth]);
        }
        let mut node = self.primary()?;
        while self.is_symbol("::") {
            let at = self.place();
            self.next();
            let ty = self.type_name()?;
            let depth = node.depth;
            node = self.node(Kind::Cast(Box::new(node), ty), at, &[depth])?;
        }
        if self.is_symbol("[") {
            return Err(SqlError::unsupported("arrays").at(self.place()));
        }
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, SqlError> {
        let at = self.place();
        let kind = match self.peek().clone() {
            Token::Number(digits) => Kind::Number(digits),
            Token::Text(text) => Kind::Text(text),
            Token::Parameter(number) => Kind::Parameter(number),
            Token::Symbol("(") => {
                self.next();
                if self.is_word("select") {
                    return Err(SqlError::unsupported("subqueries").at(at));
                }
                let node = self.expression()?;
                self.expect_symbol(")")?;
                return Ok(node);
            }
            Token::Word(word) => return self.word(&word, at),
            Token::Quoted(_) => return self.column(at),
            _ => return Err(self.unexpected()),
        };
        self.next();
        self.node(kind, at, &[])
    }

    /// A constant, a cast, a call or a column.
    fn word(&mut self, word: &str, at: usize) -> Result<Node, SqlError> {
        let kind = match word {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            // These are called without parentheses.
            "current_timestamp" | "current_date" | "current_user" | "session_user" | "user" | "current_role"
            | "current_catalog" => Kind::Call { name: word.to_owned(), arguments: Vec::new() },
            "case" => return Err(SqlError::unsupported("CASE").at(at)),
            "exists" | "any" | "some" => return Err(SqlError::unsupported("subqueries").at(at)),
            "array" | "row" => return Err(SqlError::unsupported("arrays and rows").at(at)),
            "interval" if matches!(self.ahead(1), Token::Text(_)) => {
                return Err(SqlError::unsupported("intervals").at(at));
            }
            "cast" => return self.cast(at),
            // `date '2026-11-21'`
            ty if matches!(self.ahead(1), Token::Text(_)) && super::value::Type::from_name(ty).is_some() => {
                self.next();
                let text = self.primary()?;
                return self.node(Kind::Cast(Box::new(text), ty.to_owned()), at, &[1]);
            }
            _ if matches!(self.ahead(1), Token::Symbol("(")) => return self.call(at),
            _ => return self.column(at),
        };
        self.next();
        self.node(kind, at, &[])
    }

    fn cast(&mut self, at: usize) -> Result<Node, SqlError> {
        self.next();
        self.expect_symbol("(")?;
        let of = self.expression()?;
        self.expect_word("as")?;
        let ty = self.type_name()?;
        self.expect_symbol(")")?;
        let depth = of.depth;
        self.node(Kind::Cast(Box::new(of), ty), at, &[depth])
    }

    /// One word, or one of the types that take several.
    fn type_name(&mut self) -> Result<String, SqlError> {
        let at = self.place();
        let mut name = self.name()?;
        match name.as_str() {
            "timestamp" | "time" if self.eat_word("with") => {
                self.expect_word("time")?;
                self.expect_word("zone")?;
                name.push_str("tz");
            }
            "double" if self.eat_word("precision") => name.push_str(" precision"),
            "character" if self.eat_word("varying") => "varchar".clone_into(&mut name),
            _ => {}
        }
        if self.is_symbol("(") {
            return Err(SqlError::unsupported("types with a length").at(at));
        }
        if self.is_symbol("[") {
            return Err(SqlError::unsupported("arrays").at(at));
        }
        Ok(name)
    }

    fn call(&mut self, at: usize) -> Result<Node, SqlError> {
        let Token::Word(name) = self.next() else { return Err(self.unexpected()) };
        self.expect_symbol("(")?;
        if name == "count" && self.eat_symbol("*") {
            self.expect_symbol(")")?;
            return self.node(Kind::CountAll, at, &[]);
        }
        if self.is_word("distinct") {
            return Err(SqlError::unsupported("DISTINCT inside an aggregate").at(self.place()));
        }
        let arguments = if self.is_symbol(")") { Vec::new() } else { self.items()? };
        self.expect_symbol(")")?;
        for word in ["over", "filter", "within"] {
            if self.is_word(word) {
                return Err(SqlError::unsupported(&word.to_uppercase()).at(self.place()));
            }
        }
        let deepest = arguments.iter().map(|argument| argument.depth).max().unwrap_or(0);
        self.node(Kind::Call { name, arguments }, at, &[deepest])
    }

    fn column(&mut self, at: usize) -> Result<Node, SqlError> {
        let mut name = self.name()?;
        let mut table = None;
        if self.eat_symbol(".") {
            table = Some(std::mem::replace(&mut name, self.name()?));
        }
        self.node(Kind::Column { table, name }, at, &[])
    }
}
