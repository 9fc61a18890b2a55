//! What a script does only under a condition: variables that are set there are known there, and nowhere else.

use crate::start_session::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Deeper than any script; each end is looked for among those that have begun.
const MAX_DEPTH: usize = 1000;

pub(crate) type Variables = BTreeMap<String, Value>;

/// What may be done or not, or in one of several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    If,
    Case,
    Loop,
    /// What stands behind `&&` or `||`.
    Chain,
    /// `{ … }`, which is always done.
    Group,
    /// Done when it is called, which is taken to come before what it is called for.
    Function,
}

struct Branch {
    kind: Kind,
    /// How it is said that a value depends on it.
    what: String,
    /// Those that were set since it, or its last alternative, began: as they were before.
    before: BTreeMap<String, Option<Value>>,
    /// Those that its other alternatives set.
    set: BTreeSet<String>,
}

/// The branches within which a command stands, the innermost last.
#[derive(Default)]
pub(crate) struct Branches(Vec<Branch>);

impl Branches {
    pub(crate) fn innermost(&self) -> Option<Kind> {
        self.0.last().map(|branch| branch.kind)
    }

    /// Whether the innermost brace is that of a group, not of a function.
    pub(crate) fn is_within_group(&self) -> bool {
        let brace = self.0.iter().rfind(|branch| matches!(branch.kind, Kind::Group | Kind::Function));
        brace.is_some_and(|branch| branch.kind == Kind::Group)
    }

    pub(crate) fn open(&mut self, kind: Kind, what: String) {
        if self.0.len() == MAX_DEPTH {
            return;
        }
        self.0.push(Branch { kind, what, before: BTreeMap::new(), set: BTreeSet::new() });
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: String, value: Value, variables: &mut Variables) {
        let before = variables.insert(name.clone(), value);
        if let Some(branch) = self.0.last_mut() {
            branch.before.entry(name).or_insert(before);
        }
    }

    /// Sets a variable that depends on the innermost branch.
    pub(crate) fn set_unknown(&mut self, name: String, variables: &mut Variables) {
        let what = self.0.last().map(|branch| branch.what.clone()).unwrap_or_default();
        let value = depends(&name, &what);
        self.set(name, value, variables);
    }

    /// Another alternative begins, to which everything is as it was before the first.
    pub(crate) fn next(&mut self, kind: Kind, variables: &mut Variables) {
        self.close_within(kind, variables);
        let Some(branch) = self.0.last_mut().filter(|branch| branch.kind == kind) else { return };
        for (name, before) in std::mem::take(&mut branch.before) {
            match before {
                Some(value) => variables.insert(name.clone(), value),
                None => variables.remove(&name),
            };
            branch.set.insert(name);
        }
    }

    /// The innermost of this kind ends, and what stands in it.
    pub(crate) fn close(&mut self, kind: Kind, variables: &mut Variables) {
        self.close_within(kind, variables);
        if self.innermost() == Some(kind) {
            self.close_last(variables);
        }
    }

    fn close_within(&mut self, kind: Kind, variables: &mut Variables) {
        if let Some(at) = self.0.iter().rposition(|branch| branch.kind == kind) {
            while self.0.len() > at + 1 {
                self.close_last(variables);
            }
        }
    }

    fn close_last(&mut self, variables: &mut Variables) {
        let Some(Branch { kind, what, mut before, set }) = self.0.pop() else { return };
        for name in set {
            before.entry(name).or_insert_with_key(|name| variables.get(name).cloned());
        }
        for (name, before) in before {
            let now = variables.get(&name);
            let is_known = match kind {
                Kind::Group => true,
                // Functions that set the same variable to different values exclude each other.
                Kind::Function => before.is_none() || before.as_ref() == now,
                Kind::If | Kind::Case | Kind::Loop | Kind::Chain => false,
            };
            if !is_known {
                variables.insert(name.clone(), depends(&name, &what));
            }
            if let Some(outer) = self.0.last_mut() {
                outer.before.entry(name).or_insert(before);
            }
        }
    }
}

fn depends(name: &str, what: &str) -> Value {
    Value::Unknown(format!("${name}, which depends on {what}"))
}
