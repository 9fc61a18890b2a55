//! A tunnel that is to be written down, and how that looks.

use std::fmt;
use std::str::FromStr;
use toml_edit::{Array, InlineTable, Item, Table, Value, value};
use tunnels_daemon::config::{BadAddress, LocalAddr, Remote, literal};

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
    pub local: Local,
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

/// Where it listens, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// There.
    At(LocalAddr),
    /// `"auto"`: at an address of its own, which the program makes from its name.
    Own,
}

impl From<LocalAddr> for Local {
    fn from(local: LocalAddr) -> Self {
        Self::At(local)
    }
}

impl FromStr for Local {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if text == "auto" { Ok(Self::Own) } else { text.parse().map(Self::At) }
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(local) => local.fmt(f),
            Self::Own => f.write_str("an address of its own"),
        }
    }
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
            Self::Id(id) => literal(id).into(),
            Self::Tag(tag) => Value::InlineTable(InlineTable::from_iter([("tag", literal(tag))])),
        }
    }
}

impl NewTunnel {
    /// A tunnel that says no more than it must.
    pub fn new(name: impl Into<String>, remote: Remote, local: impl Into<Local>) -> Self {
        Self {
            name: name.into(),
            comment: Vec::new(),
            remote,
            local: local.into(),
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

    /// What it holds is meant as it is: reading it puts no variable in its place.
    fn keys(&self) -> Vec<(&'static str, Item)> {
        let remote = match &self.remote.host {
            Some(_) => value(literal(&self.remote.to_string())),
            None => value(i64::from(self.remote.port)),
        };
        let local = match &self.local {
            Local::At(LocalAddr::Loopback(port)) => value(i64::from(*port)),
            Local::At(LocalAddr::Unix(path)) => value(format!("unix:{}", literal(&path.to_string_lossy()))),
            Local::At(other @ LocalAddr::Ip(_)) => value(other.to_string()),
            Local::Own => value("auto"),
        };
        let targets = match self.targets.as_slice() {
            [] => None,
            [one] => Some(value(one.to_value())),
            many => Some(value(many.iter().map(Target::to_value).collect::<Array>())),
        };
        let endpoints = self.endpoint.as_deref().map(|url| value(InlineTable::from_iter([("ssm", literal(url))])));
        let groups =
            (!self.groups.is_empty()).then(|| value(self.groups.iter().map(|group| literal(group)).collect::<Array>()));
        let text = |text: &Option<String>| text.as_deref().map(|text| value(literal(text)));
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
