//! What a query can be refused with: SQLSTATE, message, hint, and the place in its text.

use pgwire::messages::response::ErrorResponse;

/// The codes in use, of PostgreSQL's appendix A.
pub(super) mod code {
    pub(crate) const PROTOCOL: &str = "08P01";
    pub(crate) const UNSUPPORTED: &str = "0A000";
    pub(crate) const OUT_OF_RANGE: &str = "22003";
    pub(crate) const DATETIME: &str = "22007";
    pub(crate) const DIVISION_BY_ZERO: &str = "22012";
    pub(crate) const INVALID_VALUE: &str = "22023";
    pub(crate) const INVALID_TEXT: &str = "22P02";
    pub(crate) const INVALID_BINARY: &str = "22P03";
    pub(crate) const READ_ONLY: &str = "25006";
    pub(crate) const ABORTED: &str = "25P02";
    pub(crate) const NO_STATEMENT: &str = "26000";
    pub(crate) const NO_PORTAL: &str = "34000";
    pub(crate) const SYNTAX: &str = "42601";
    pub(crate) const NO_COLUMN: &str = "42703";
    pub(crate) const NO_OBJECT: &str = "42704";
    pub(crate) const AMBIGUOUS: &str = "42725";
    pub(crate) const GROUPING: &str = "42803";
    pub(crate) const TYPE_MISMATCH: &str = "42804";
    pub(crate) const NO_FUNCTION: &str = "42883";
    pub(crate) const NO_TABLE: &str = "42P01";
    pub(crate) const NO_PARAMETER: &str = "42P02";
    pub(crate) const TOO_LARGE: &str = "54000";
    pub(crate) const TOO_COMPLEX: &str = "54001";
    pub(crate) const CANCELED: &str = "57014";
}

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlError {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// Characters before the place in the query.
    pub(super) at: Option<usize>,
}

impl SqlError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, at: None }
    }

    /// For what PostgreSQL can do and this cannot.
    pub(super) fn unsupported(what: &str) -> Self {
        Self::new(code::UNSUPPORTED, format!("the demo's database does not know {what}")).with_hint(
            "it has one table, orders, and simple queries: select status, count(*) from orders group by status",
        )
    }

    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the place, if none is named yet.
    #[must_use]
    pub(super) fn at(mut self, at: usize) -> Self {
        self.at.get_or_insert(at);
        self
    }

    /// As a message; a fatal one ends the connection.
    pub(super) fn response(self, severity: &str) -> ErrorResponse {
        // A NUL would end the text, and the message, too early.
        let clean = |text: String| text.replace('\0', "\u{fffd}");
        let mut fields = vec![
            (b'S', severity.to_owned()),
            (b'V', severity.to_owned()),
            (b'C', self.code.to_owned()),
            (b'M', clean(self.message)),
        ];
        fields.extend(self.hint.map(|hint| (b'H', clean(hint))));
        fields.extend(self.at.map(|at| (b'P', (at + 1).to_string())));
        ErrorResponse::new(fields)
    }
}
