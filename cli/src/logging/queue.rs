//! A thread for each output of the log, so that nobody who logs waits for it: a terminal that is stopped with
//! ctrl-S, a pipe that nobody reads, a disk that hangs.
//!
//! Owns the bound: what does not fit is lost, counted, and told of where it is missing. How a line is written is the
//! output's matter.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tunnels_api::{LogLevel, LogLine, Timestamp};
use tunnels_daemon::LogSink;

/// Lines that wait for an output: more than come while one is merely slow.
const MOST: usize = 4096;
/// What the end of the process waits for all outputs together.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where lines are written, by a thread that may wait for it.
pub(super) trait Output: Send + 'static {
    /// Writes one line. What fails is the output's matter.
    fn write(&mut self, line: &LogLine);
}

/// Takes lines for an output: a cheap handle, whose thread ends with the process.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    more: Condvar,
    /// There is nothing left to write.
    idle: Condvar,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Lines that came after the last entry, and did not fit.
    lost: u64,
    /// Whether the output is at a line that has left the queue.
    is_writing: bool,
}

enum Entry {
    Line(Arc<LogLine>),
    /// So many are missing here.
    Lost(u64),
}

impl Queue {
    /// Starts the output's thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(super) fn start(mut output: impl Output) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let queue = Self(Arc::clone(&shared));
        std::thread::Builder::new().name("log writer".into()).spawn(move || {
            loop {
                match shared.next() {
                    Entry::Line(line) => output.write(&line),
                    Entry::Lost(lost) => output.write(&missing(lost)),
                }
            }
        })?;
        Ok(queue)
    }

    /// Waits until all is written, not longer than so; returns whether it is.
    fn flush(&self, timeout: Duration) -> bool {
        let busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.entries.is_empty() || waiting.lost > 0;
        let waited = self.0.idle.wait_timeout_while(self.0.lock(), timeout, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl LogSink for Queue {
    fn write(&self, line: &Arc<LogLine>) {
        let mut waiting = self.0.lock();
        if waiting.entries.len() >= MOST {
            waiting.lost += 1;
            return;
        }
        let lost = std::mem::take(&mut waiting.lost);
        if lost > 0 {
            waiting.entries.push_back(Entry::Lost(lost));
        }
        waiting.entries.push_back(Entry::Line(Arc::clone(line)));
        self.0.more.notify_one();
    }
}

impl Shared {
    /// What the thread writes next; the entry before it counts as written.
    fn next(&self) -> Entry {
        let mut waiting = self.lock();
        waiting.is_writing = false;
        loop {
            let lost = |waiting: &mut Waiting| match std::mem::take(&mut waiting.lost) {
                0 => None,
                lost => Some(Entry::Lost(lost)),
            };
            if let Some(entry) = waiting.entries.pop_front().or_else(|| lost(&mut waiting)) {
                waiting.is_writing = true;
                return entry;
            }
            self.idle.notify_all();
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// It covers plain assignments, so a poisoned one holds nothing half done.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(lost: u64) -> LogLine {
    LogLine {
        time: Timestamp::now(),
        level: LogLevel::Warn,
        tunnel: None,
        target: module_path!().to_owned(),
        message: format!("{lost} lines of the log are missing here: they could not be written as fast as they came"),
        fields: BTreeMap::new(),
    }
}

/// At the end of a command, also by a panic, sees that what was logged is written, if that takes no longer than a
/// second.
#[must_use]
#[derive(Default)]
pub(crate) struct LastWords(Vec<Queue>);

impl LastWords {
    pub(super) fn of(queues: impl IntoIterator<Item = Queue>) -> Self {
        Self(queues.into_iter().collect())
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        for queue in &self.0 {
            queue.flush(until.saturating_duration_since(Instant::now()));
        }
    }
}

impl fmt::Debug for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastWords").field("outputs", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

    /// Only a failing test waits so long.
    const BOUND: Duration = Duration::from_mins(1);

    /// Says what it begins to write, and is done with it when somebody takes it.
    struct Stuck {
        begun: Sender<()>,
        done: SyncSender<String>,
    }

    impl Output for Stuck {
        fn write(&mut self, line: &LogLine) {
            let _ = self.begun.send(());
            let _ = self.done.send(line.message.clone());
        }
    }

    fn stuck() -> (Queue, Receiver<()>, Receiver<String>) {
        let ((begun, begins), (done, written)) = (channel(), sync_channel(0));
        (Queue::start(Stuck { begun, done }).unwrap(), begins, written)
    }

    fn line(message: String) -> Arc<LogLine> {
        Arc::new(LogLine { message, ..missing(0) })
    }

    #[test]
    fn nobody_waits_for_an_output_that_hangs_and_what_is_missing_is_said_where_it_is_missing() {
        let (queue, begins, written) = stuck();
        queue.write(&line("first".into()));
        begins.recv_timeout(BOUND).unwrap();
        for number in 0..MOST + 7 {
            queue.write(&line(format!("{number}")));
        }
        assert!(!queue.flush(Duration::ZERO));
        let next = || written.recv_timeout(BOUND).unwrap();
        assert_eq!(next(), "first");
        for number in 0..MOST {
            assert_eq!(next(), number.to_string());
            if number == 2 {
                queue.write(&line("later".into()));
            }
        }
        assert!(next().starts_with("7 lines of the log are missing here"));
        assert_eq!(next(), "later");
        assert!(queue.flush(BOUND));
    }

    #[test]
    fn what_is_missing_is_said_even_if_no_line_follows() {
        let (queue, begins, written) = stuck();
        queue.write(&line("first".into()));
        begins.recv_timeout(BOUND).unwrap();
        for number in 0..=MOST {
            queue.write(&line(format!("{number}")));
        }
        let texts: Vec<String> = (0..MOST + 2).map(|_| written.recv_timeout(BOUND).unwrap()).collect();
        assert!(texts[MOST + 1].starts_with("1 lines of the log"), "{:?}", texts.last());
        assert!(queue.flush(BOUND));
    }

    #[test]
    fn the_end_waits_for_what_can_be_written() {
        struct Slow(Arc<Mutex<Vec<String>>>);
        impl Output for Slow {
            fn write(&mut self, line: &LogLine) {
                self.0.lock().unwrap().push(line.message.clone());
            }
        }
        let kept = Arc::<Mutex<Vec<String>>>::default();
        let queue = Queue::start(Slow(Arc::clone(&kept))).unwrap();
        for number in 0..100 {
            queue.write(&line(number.to_string()));
        }
        drop(LastWords::of([queue]));
        assert_eq!(kept.lock().unwrap().len(), 100);
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let (queue, begins, _written) = stuck();
        queue.write(&line("x".into()));
        begins.recv_timeout(BOUND).unwrap();
        // Returns.
        drop(LastWords::of([queue]));
    }
}
