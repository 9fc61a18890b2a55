//! The recent lines of the log, for `GET /v1/logs`.
//!
//! Every tunnel has room of its own, so that one in trouble does not push out what another has to say, and
//! so has the daemon; and particulars that somebody asked for do not push out what matters. Whoever follows gets new lines by a broadcast; nobody can hold up a writer. It decides
//! nothing about what is heard: that is done by the filter in front of its layer.

use crate::log_layer::{LogLayer, LogSink};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use tunnels_api::{LogLevel, LogLine, LogQuery};

/// Lines of one tunnel that are kept, of what matters and of particulars each: a bad day of its state changes.
const TUNNEL_LINES: usize = 250;
/// Lines that are about no tunnel.
const DAEMON_LINES: usize = 1000;
/// All lines together, about: with many tunnels, each keeps fewer.
const MOST_BYTES: usize = 8 << 20;
/// What a line costs beside its text.
const LINE_BYTES: usize = 200;
/// What stands for the daemon as a whole.
const THE_DAEMON: &str = "";
/// How many lines a reader that follows may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// Keeps recent lines: a cheap handle. One that no layer writes to stays empty.
#[derive(Clone)]
pub struct LogBuffer {
    shared: Arc<Shared>,
}

/// What a reader that follows gets: what there is, and what comes after it, with nothing between lost.
#[derive(Debug)]
pub(crate) struct LogSubscription {
    /// Oldest first.
    pub(crate) lines: Vec<Arc<LogLine>>,
    /// All lines from then on, whichever were asked for.
    pub(crate) news: broadcast::Receiver<Arc<LogLine>>,
}

struct Shared {
    kept: Mutex<Kept>,
    news: broadcast::Sender<Arc<LogLine>>,
}

#[derive(Default)]
struct Kept {
    rings: HashMap<Room, VecDeque<Entry>>,
    next: u64,
    bytes: usize,
}

/// Which lines share a bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Room {
    /// A tunnel's name, or [`THE_DAEMON`], which is none.
    whose: String,
    /// Whether they are beyond what is heard where nobody asks for more.
    detail: bool,
}

impl Room {
    fn of(line: &LogLine) -> Self {
        let whose = line.tunnel.clone().unwrap_or_else(|| THE_DAEMON.to_owned());
        Self { whose, detail: line.level > LogLevel::Info }
    }

    fn both(whose: &str) -> [Self; 2] {
        [false, true].map(|detail| Self { whose: whose.to_owned(), detail })
    }
}

/// A line with its place in the order of all.
struct Entry {
    number: u64,
    line: Arc<LogLine>,
}

impl Default for LogBuffer {
    fn default() -> Self {
        let shared = Shared { kept: Mutex::default(), news: broadcast::Sender::new(BACKLOG) };
        Self { shared: Arc::new(shared) }
    }
}

impl fmt::Debug for LogBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.lock();
        f.debug_struct("LogBuffer").field("tunnels", &kept.rings.len()).field("bytes", &kept.bytes).finish()
    }
}

impl LogBuffer {
    /// The layer that fills it, to be installed behind a filter.
    pub fn layer(&self) -> LogLayer<Self> {
        LogLayer::new(self.clone())
    }

    /// The lines that are asked for and still here, oldest first.
    pub(crate) fn lines(&self, query: &LogQuery) -> Vec<Arc<LogLine>> {
        self.lock().lines(query)
    }

    /// The same, and what comes.
    pub(crate) fn subscribe(&self, query: &LogQuery) -> LogSubscription {
        // Under the lock that a writer holds while it sends: nothing falls between the two.
        let kept = self.lock();
        LogSubscription { news: self.shared.news.subscribe(), lines: kept.lines(query) }
    }

    /// Whether there is a line about this tunnel.
    pub(crate) fn knows(&self, tunnel: &str) -> bool {
        let kept = self.lock();
        Room::both(tunnel).iter().any(|room| kept.rings.contains_key(room))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for LogBuffer {
    fn write(&self, line: &Arc<LogLine>) {
        let mut kept = self.lock();
        kept.push(Arc::clone(line));
        // An error only says that nobody follows.
        let _ = self.shared.news.send(Arc::clone(line));
    }
}

impl Kept {
    fn push(&mut self, line: Arc<LogLine>) {
        let most = if line.tunnel.is_some() { TUNNEL_LINES } else { DAEMON_LINES };
        let room = Room::of(&line);
        let number = self.next;
        self.next += 1;
        self.bytes += cost(&line);
        let ring = self.rings.entry(room.clone()).or_default();
        ring.push_back(Entry { number, line });
        if ring.len() > most {
            self.drop_oldest_of(&room);
        }
        while self.bytes > MOST_BYTES {
            let oldest = self.rings.iter().min_by_key(|(_, ring)| ring.front().map(|entry| entry.number));
            let Some(room) = oldest.map(|(room, _)| room.clone()) else { break };
            self.drop_oldest_of(&room);
        }
    }

    fn drop_oldest_of(&mut self, room: &Room) {
        let Some(ring) = self.rings.get_mut(room) else { return };
        if let Some(entry) = ring.pop_front() {
            self.bytes -= cost(&entry.line);
        }
        if ring.is_empty() {
            self.rings.remove(room);
        }
    }

    fn lines(&self, query: &LogQuery) -> Vec<Arc<LogLine>> {
        let mut all: Vec<&Entry> = match &query.tunnel {
            Some(tunnel) => Room::both(tunnel).iter().filter_map(|room| self.rings.get(room)).flatten().collect(),
            None => self.rings.values().flatten().collect(),
        };
        all.sort_unstable_by_key(|entry| entry.number);
        query.pick(all.into_iter().map(|entry| Arc::clone(&entry.line)))
    }
}

/// About the memory that a line takes.
fn cost(line: &LogLine) -> usize {
    let fields: usize = line.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    LINE_BYTES + line.message.len() + fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tunnels_api::Timestamp;

    fn write(buffer: &LogBuffer, tunnel: Option<&str>, message: impl Into<String>) {
        write_at(buffer, LogLevel::Info, tunnel, message);
    }

    fn write_at(buffer: &LogBuffer, level: LogLevel, tunnel: Option<&str>, message: impl Into<String>) {
        buffer.write(&Arc::new(LogLine {
            time: Timestamp::UNIX_EPOCH,
            level,
            tunnel: tunnel.map(str::to_owned),
            target: "t".into(),
            message: message.into(),
            fields: BTreeMap::new(),
        }));
    }

    fn messages(lines: &[Arc<LogLine>]) -> Vec<&str> {
        lines.iter().map(|line| &*line.message).collect()
    }

    fn of(tunnel: &str) -> LogQuery {
        LogQuery { tunnel: Some(tunnel.into()), ..LogQuery::default() }
    }

    #[test]
    fn a_noisy_tunnel_pushes_out_nobody_else_s_lines() {
        let buffer = LogBuffer::default();
        write(&buffer, None, "first");
        write(&buffer, Some("quiet"), "second");
        for number in 0..10 * TUNNEL_LINES {
            write(&buffer, Some("noisy"), number.to_string());
        }
        let all = buffer.lines(&LogQuery::default());
        assert_eq!(messages(&all[..2]), ["first", "second"]);
        assert_eq!(all.len(), TUNNEL_LINES + 2);
        let noisy = buffer.lines(&LogQuery { lines: Some(2), ..of("noisy") });
        assert_eq!(messages(&noisy), [(10 * TUNNEL_LINES - 2).to_string(), (10 * TUNNEL_LINES - 1).to_string()]);
        assert!(buffer.knows("quiet") && !buffer.knows("nobody"));
        assert_eq!(buffer.lines(&of("nobody")).len(), 0);
    }

    #[test]
    fn particulars_push_out_nothing_that_matters() {
        let buffer = LogBuffer::default();
        write(&buffer, Some("a"), "matters");
        for number in 0..10 * TUNNEL_LINES {
            write_at(&buffer, LogLevel::Debug, Some("a"), number.to_string());
        }
        write(&buffer, Some("a"), "last");
        let lines = buffer.lines(&of("a"));
        assert_eq!(lines.len(), TUNNEL_LINES + 2);
        assert_eq!((&*lines[0].message, &*lines[TUNNEL_LINES + 1].message), ("matters", "last"));
    }

    #[test]
    fn all_together_never_take_more_than_their_room() {
        let buffer = LogBuffer::default();
        let text = "x".repeat(MOST_BYTES / 100);
        for number in 0..300 {
            write(&buffer, Some(&number.to_string()), text.clone());
            assert!(buffer.lock().bytes <= MOST_BYTES);
        }
        let kept = buffer.lines(&LogQuery::default());
        assert!(kept.len() > 90 && kept.len() <= 100, "{}", kept.len());
        assert_eq!(kept.last().unwrap().tunnel.as_deref(), Some("299"), "the newest stay");
        assert_eq!(buffer.lock().rings.len(), kept.len(), "nothing is left of those that went");
    }

    #[tokio::test]
    async fn who_follows_misses_nothing_between_what_was_and_what_comes() {
        let buffer = LogBuffer::default();
        write(&buffer, Some("a"), "1");
        let mut following = buffer.subscribe(&of("a"));
        write(&buffer, Some("a"), "2");
        assert_eq!(messages(&following.lines), ["1"]);
        assert_eq!(following.news.recv().await.unwrap().message, "2");
    }
}
