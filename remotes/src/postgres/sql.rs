//! A small SQL: text in, rows out. Knows nothing of connections and messages.
//!
//! ```text
//!  text ─lexer─► tokens ─parser─► ast ─bind─► plan (names found, types known) ─execution─► rows
//! ```
//!
//! The grammar refuses what it does not know: a clause is never passed over, so no answer is wrong for want of it.
//! Depth, size of values and rows held are bounded.

pub(super) mod aggregate;
pub(super) mod ast;
pub(super) mod bind;
pub(super) mod decimal;
pub(super) mod evaluate;
pub(super) mod execution;
pub(super) mod expression;
pub(super) mod function;
pub(super) mod lexer;
pub(super) mod operator;
pub(super) mod orders;
pub(super) mod parser;
pub(super) mod plan;
pub(super) mod statement;
pub(super) mod value;

#[cfg(test)]
mod tests;
