//! What was written, before anybody knows what the names in it mean.

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    Select(Box<Select>),
    /// `COPY … TO STDOUT`.
    CopyOut(Box<Select>, CopyFormat),
    Show(String),
    ShowAll,
    /// No value: back to the default.
    Set(String, Option<String>),
    ResetAll,
    Begin,
    Commit,
    Rollback,
    /// `DEALLOCATE`; no name means all.
    Deallocate(Option<String>),
    /// `DISCARD ALL`.
    Discard,
}

/// How `COPY` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Text,
    Csv { header: bool },
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) from: Option<From>,
    pub(crate) filter: Option<Node>,
    pub(crate) group: Vec<Node>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<Node>,
    pub(crate) offset: Option<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// `*`
    All(usize),
    One(Node, Option<String>),
}

/// Where rows come from, with the name that they have in the query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum From {
    Table { name: String, alias: Option<String>, at: usize },
    Function { name: String, arguments: Vec<Node>, alias: Option<String>, at: usize },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) by: Node,
    pub(crate) descending: bool,
    /// Where nothing is said, nulls come last, or first if descending.
    pub(crate) nulls_first: bool,
}

/// An expression and its place. Two are equal if they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) at: usize,
    /// Of the tree below; bounded by the parser, since it is walked recursively.
    pub(crate) depth: usize,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Parameter(u16),
    Column {
        table: Option<String>,
        name: String,
    },
    Call {
        name: String,
        arguments: Vec<Node>,
    },
    /// `count(*)`
    CountAll,
    Not(Box<Node>),
    Negate(Box<Node>),
    /// An operator between two.
    Binary(&'static str, Box<Node>, Box<Node>),
    IsNull(Box<Node>, bool),
    In(Box<Node>, Vec<Node>),
    Like {
        text: Box<Node>,
        pattern: Box<Node>,
        any_case: bool,
    },
    /// A value, and the first and the last that it may be.
    Between(Box<[Node; 3]>),
    Cast(Box<Node>, String),
}

impl Node {
    /// Whether it or anything below it fits.
    pub(crate) fn any(&self, fits: &impl Fn(&Kind) -> bool) -> bool {
        fits(&self.kind)
            || match &self.kind {
                Kind::Null
                | Kind::Bool(_)
                | Kind::Number(_)
                | Kind::Text(_)
                | Kind::Parameter(_)
                | Kind::Column { .. }
                | Kind::CountAll => false,
                Kind::Call { arguments, .. } => arguments.iter().any(|node| node.any(fits)),
                Kind::Not(of) | Kind::Negate(of) | Kind::IsNull(of, _) | Kind::Cast(of, _) => of.any(fits),
                Kind::Binary(_, left, right) => left.any(fits) || right.any(fits),
                Kind::In(of, items) => of.any(fits) || items.iter().any(|node| node.any(fits)),
                Kind::Between(nodes) => nodes.iter().any(|node| node.any(fits)),
                Kind::Like { text, pattern, .. } => text.any(fits) || pattern.any(fits),
            }
    }
}
