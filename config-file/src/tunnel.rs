//! A tunnel that is to be written down, and how that looks.

use toml_edit::{Array, InlineTable, Item, Table, Value, value};
use tunnels_daemon::config::{LocalAddr, Remote};

/// What is to be said of a new tunnel; the rest is left to `[defaults]` and the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTunnel {
    /// Its key.
    pub name: String,
    /// Lines above it, without `#`.
    pub comment: Vec<String>,
    /// Where it leads.
    pub remote: Remote,
    /// Where it listens.
    pub local: LocalAddr,
    /// Candidates in order; none leaves it to `[defaults]`.
    pub targets: Vec<Target>,
    /// The AWS profile.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// `endpoints.ssm`.
    pub endpoint: Option<String>,
    /// Labels, without `@`.
    pub groups: Vec<String>,
    /// `open = "on-demand"`.
    pub on_demand: bool,
    /// A session document of the account's own.
    pub document: Option<String>,
    /// What AWS records.
    pub reason: Option<String>,
    /// `up` asks first.
    pub protected: bool,
}

/// Who carries it, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A managed node's id.
    Id(String),
    /// `Key=Value` of a tag.
    Tag(String),
}

impl Target {
    /// As it is given on a command line: `Key=Value` is a tag, everything else an id.
    pub fn from_word(word: &str) -> Self {
        let tag = word.strip_prefix("tag:").unwrap_or(word);
        if tag.contains('=') && !tag.starts_with("ecs:") {
            Self::Tag(tag.to_owned())
        } else {
            Self::Id(word.to_owned())
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Id(id) => id.as_str().into(),
            Self::Tag(tag) => Value::InlineTable(InlineTable::from_iter([("tag", tag.as_str())])),
        }
    }
}

impl NewTunnel {
    /// A tunnel that says no more than it must.
    pub fn new(name: impl Into<String>, remote: Remote, local: LocalAddr) -> Self {
        Self {
            name: name.into(),
            comment: Vec::new(),
            remote,
            local,
            targets: Vec::new(),
            profile: None,
            region: None,
            endpoint: None,
            groups: Vec::new(),
            on_demand: false,
            document: None,
            reason: None,
            protected: false,
        }
    }

    /// Its table, without its header.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        for (key, written) in self.keys() {
            table.insert(key, written);
        }
        let comment: String = self
            .comment
            .iter()
            .flat_map(|line| ["# ".to_owned(), line.replace(['\n', '\r'], " "), "\n".to_owned()])
            .collect();
        table.decor_mut().set_prefix(format!("\n{comment}"));
        table
    }

    fn keys(&self) -> Vec<(&'static str, Item)> {
        let remote = match &self.remote.host {
            Some(_) => value(self.remote.to_string()),
            None => value(i64::from(self.remote.port)),
        };
        let local = match &self.local {
            LocalAddr::Loopback(port) => value(i64::from(*port)),
            other => value(other.to_string()),
        };
        let targets = match self.targets.as_slice() {
            [] => None,
            [one] => Some(value(one.to_value())),
            many => Some(value(many.iter().map(Target::to_value).collect::<Array>())),
        };
        let endpoints = self.endpoint.as_deref().map(|url| value(InlineTable::from_iter([("ssm", url)])));
        let groups =
            (!self.groups.is_empty()).then(|| value(self.groups.iter().map(String::as_str).collect::<Array>()));
        let text = |text: &Option<String>| text.as_deref().map(value);
        [
            ("remote", Some(remote)),
            ("local", Some(local)),
            ("target", targets),
            ("profile", text(&self.profile)),
            ("region", text(&self.region)),
            ("endpoints", endpoints),
            ("groups", groups),
            ("open", self.on_demand.then(|| value("on-demand"))),
            ("document", text(&self.document)),
            ("reason", text(&self.reason)),
            ("protected", self.protected.then(|| value(true))),
        ]
        .into_iter()
        .filter_map(|(key, written)| Some((key, written?)))
        .collect()
    }
}
