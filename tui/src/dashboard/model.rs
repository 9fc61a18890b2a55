//! Everything that is on the screen, and nothing else.
//!
//! Written by `update` only, read by `view`. What the daemon said last stays when it cannot be heard any more.

use super::geometry::Size;
use super::rows::{self, Row, Wanted};
use super::theme::Theme;
use crate::model::Model as Tunnels;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;
use tunnels_api::{
    Connections, DaemonVersion, History, Logs, Sessions, Settings, Span, Timestamp, Traffic, TunnelStatus,
};

/// So many rates stand in the sparkline of a row.
pub(super) const SPARK: usize = 10;

#[derive(Debug)]
pub(super) struct Model {
    pub(super) tunnels: Tunnels,
    pub(super) link: Link,
    pub(super) daemon: Option<DaemonVersion>,
    /// The rates of the last seconds, both ways together.
    pub(super) recent: BTreeMap<String, VecDeque<u64>>,
    pub(super) list: List,
    /// What is looked at instead of the list.
    pub(super) detail: Option<Detail>,
    /// What lies over both.
    pub(super) over: Option<Over>,
    /// A filter is being written.
    pub(super) is_filtering: bool,
    pub(super) notice: Option<Notice>,
    /// What the demo has to say, and whether it is shown.
    pub(super) guide: Vec<String>,
    pub(super) shows_guide: bool,
    pub(super) size: Size,
    pub(super) theme: Theme,
    pub(super) zone: TimeZone,
    /// Figures are being asked for.
    pub(super) is_refreshing: bool,
    /// There is a way to start a daemon from here.
    pub(super) can_start: bool,
}

/// Whether the daemon is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// Not asked yet.
    Opening,
    Up,
    /// Since when not, and why.
    Lost {
        since: Timestamp,
        why: String,
    },
}

/// The list of tunnels.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) wanted: Wanted,
    pub(super) rows: Vec<Row>,
    /// The row that is selected, by its tunnel's name: rows move.
    pub(super) selected: Option<String>,
    /// Where that row stands.
    at: usize,
    /// The first row on the screen.
    pub(super) offset: usize,
    /// Tunnels have changed since the rows were made.
    pub(super) is_stale: bool,
    pub(super) marked: BTreeSet<String>,
}

/// One tunnel.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) name: String,
    pub(super) tab: Tab,
    pub(super) span: Span,
    /// Lines above the first on the screen; none follows the end.
    pub(super) scroll: Option<usize>,
    pub(super) seen: Seen,
    /// Something is being asked for.
    pub(super) is_loading: bool,
    /// Why the last question had no answer.
    pub(super) trouble: Option<String>,
}

/// What is known of the tunnel beside its status.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: Option<Connections>,
    pub(super) sessions: Option<Sessions>,
    pub(super) traffic: Option<Traffic>,
    pub(super) history: Option<History>,
    pub(super) logs: Option<Logs>,
    pub(super) settings: Option<Settings>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Connections,
    Throughput,
    Latency,
    Why,
    Logs,
    Config,
}

impl Tab {
    pub(super) const ALL: [Self; 7] =
        [Self::Overview, Self::Connections, Self::Throughput, Self::Latency, Self::Why, Self::Logs, Self::Config];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Connections => "Connections",
            Self::Throughput => "Throughput",
            Self::Latency => "Latency",
            Self::Why => "Why",
            Self::Logs => "Logs",
            Self::Config => "Config",
        }
    }

    /// The one so many further on, around the end.
    pub(super) fn step(self, by: isize) -> Self {
        let at = (self as usize).checked_add_signed(by).unwrap_or(Self::ALL.len() - 1);
        Self::ALL[at % Self::ALL.len()]
    }

    /// The newest stands at the end of it, where the eye is.
    pub(super) fn follows_end(self) -> bool {
        matches!(self, Self::Why | Self::Logs)
    }
}

/// What lies over everything else.
#[derive(Debug)]
pub(super) enum Over {
    Help {
        scroll: usize,
    },
    /// Something to read and close.
    Report {
        title: String,
        text: String,
        scroll: usize,
    },
    /// A question, and what is done if the answer is yes.
    Question {
        text: String,
        command: super::effect::Command,
    },
}

/// A line that goes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) is_trouble: bool,
    pub(super) at: Timestamp,
}

impl Model {
    pub(super) fn new(theme: Theme, zone: TimeZone, size: Size) -> Self {
        Self {
            tunnels: Tunnels::new(&[]),
            link: Link::Opening,
            daemon: None,
            recent: BTreeMap::new(),
            list: List::default(),
            detail: None,
            over: None,
            is_filtering: false,
            notice: None,
            guide: Vec::new(),
            shows_guide: false,
            size,
            theme,
            zone,
            is_refreshing: false,
            can_start: false,
        }
    }

    pub(super) fn tunnel(&self, name: &str) -> Option<&TunnelStatus> {
        self.tunnels.tunnels().iter().find(|tunnel| tunnel.name == name)
    }

    /// In how long credentials run out next: nobody tells when their time is over, and it shows.
    pub(super) fn next_expiry(&self, now: Timestamp) -> Option<Duration> {
        let left = |tunnel: &TunnelStatus| {
            let left = tunnel.credentials_expire?.duration_since(now);
            Duration::try_from(left).ok().filter(|left| !left.is_zero())
        };
        self.tunnels.tunnels().iter().filter_map(left).min()
    }

    /// What is selected in the list, or looked at.
    pub(super) fn current(&self) -> Option<&TunnelStatus> {
        let name = match &self.detail {
            Some(detail) => Some(&detail.name),
            None => self.list.selected.as_ref(),
        };
        self.tunnel(name?)
    }

    /// The tunnels of the list, in its order.
    pub(super) fn shown(&self) -> impl Iterator<Item = &TunnelStatus> {
        self.list.rows.iter().filter_map(|row| match row {
            Row::Tunnel(at) => self.tunnels.tunnels().get(*at),
            Row::Heading { .. } => None,
        })
    }

    /// What a command is about: the marked ones, or the current one.
    pub(super) fn meant(&self) -> Vec<&TunnelStatus> {
        if self.detail.is_none() && !self.list.marked.is_empty() {
            let is_marked = |tunnel: &&TunnelStatus| self.list.marked.contains(&tunnel.name);
            return self.tunnels.tunnels().iter().filter(is_marked).collect();
        }
        self.current().into_iter().collect()
    }

    /// The row of the selected tunnel.
    pub(super) fn selected_row(&self) -> Option<usize> {
        self.list.selected.as_ref().map(|_| self.list.at)
    }

    /// Changes the filter. A selection that is filtered away goes to the top: what is looked for comes first.
    pub(super) fn filter(&mut self, edit: impl FnOnce(&mut String)) {
        edit(&mut self.list.wanted.filter);
        self.list.at = 0;
        self.arrange();
    }

    /// Makes the rows anew where tunnels have changed: once before somebody looks, however many have.
    pub(super) fn settle(&mut self) {
        if self.list.is_stale {
            self.arrange();
        }
    }

    /// Makes the rows anew, after tunnels or wishes have changed. The selection stays with its tunnel; where that is
    /// gone it goes to what now stands in its place.
    pub(super) fn arrange(&mut self) {
        self.list.is_stale = false;
        self.list.rows = rows::of(self.tunnels.tunnels(), &self.list.wanted);
        let tunnels = self.tunnels.tunnels();
        if !self.list.marked.is_empty() || self.recent.len() > tunnels.len() {
            let names: HashSet<&str> = tunnels.iter().map(|tunnel| tunnel.name.as_str()).collect();
            self.list.marked.retain(|name| names.contains(name.as_str()));
            self.recent.retain(|name, _| names.contains(name.as_str()));
        }
        let is_selected = |row: &Row| match row {
            Row::Tunnel(at) => Some(&tunnels[*at].name) == self.list.selected.as_ref(),
            Row::Heading { .. } => false,
        };
        self.select_near(self.list.rows.iter().position(is_selected).unwrap_or(self.list.at));
        self.keep_in_sight();
    }

    /// Selects the tunnel in this row, or the nearest one: headings are never selected.
    pub(super) fn select_near(&mut self, row: usize) {
        let is_tunnel = |at: &usize| matches!(self.list.rows[*at], Row::Tunnel(_));
        let rows = self.list.rows.len();
        let row = row.min(rows.saturating_sub(1));
        let nearest = (row..rows).find(is_tunnel).or_else(|| (0..row).rev().find(is_tunnel));
        self.list.at = nearest.unwrap_or(0);
        self.list.selected = nearest.and_then(|at| match self.list.rows[at] {
            Row::Tunnel(at) => Some(self.tunnels.tunnels()[at].name.clone()),
            Row::Heading { .. } => None,
        });
    }

    /// Scrolls so that the selected row is on the screen, with the heading above it where it is the first.
    pub(super) fn keep_in_sight(&mut self) {
        let height = usize::from(self.areas().rows.height);
        let last = self.list.rows.len().saturating_sub(height);
        if let Some(row) = self.selected_row() {
            let top = if row > 0 && matches!(self.list.rows[row - 1], Row::Heading { .. }) { row - 1 } else { row };
            self.list.offset = self.list.offset.min(top).max((row + 1).saturating_sub(height));
        }
        self.list.offset = self.list.offset.min(last);
    }

    pub(super) fn notify(&mut self, text: impl Into<String>, now: Timestamp) {
        self.notice = Some(Notice { text: text.into(), is_trouble: false, at: now });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>, now: Timestamp) {
        self.notice = Some(Notice { text: text.into(), is_trouble: true, at: now });
    }
}
