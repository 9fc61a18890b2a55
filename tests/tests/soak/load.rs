//! What applications do all the while: pgbench, transfers that are checked byte for byte, and connections that are
//! listened to.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tunnels_tests::{Direction, Process, echo_once, open_echo, transfer_once, wait_until};

use crate::faults::Measure;
use crate::scene::{DATABASE, Group, LASTING, Scene};

/// What a pulse sends at a time, and how often: as an application that is used.
const BEAT: usize = size_of::<u64>();
const BEAT_EVERY: Duration = Duration::from_millis(10);
/// What was on its way when a fault struck has arrived after this.
const TAKES_EFFECT: Duration = Duration::from_millis(200);
/// A pulse without a byte for so long does not beat.
const ALIVE: Duration = Duration::from_secs(1);
/// Transfers are of any size up to this.
const LARGEST: u64 = 4 << 20;
/// Between two transfers, at most.
const LONGEST_REST: Duration = Duration::from_millis(300);
const TRANSACTIONS_PER_SECOND: u32 = 100;
const END_DEADLINE: Duration = Duration::from_mins(2);

/// Connections of a group, counted by their end.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) opened: AtomicU64,
    pub(crate) lost: AtomicU64,
    /// Bytes that arrived as they were sent.
    pub(crate) bytes: AtomicU64,
    /// The first few errors, and every one that is not of a connection.
    pub(crate) words: Mutex<Vec<String>>,
    /// Bytes that arrived otherwise than they were sent.
    pub(crate) wrong: AtomicU64,
}

impl Count {
    fn note(&self, what: &str, ended: io::Result<u64>) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        match ended {
            Ok(bytes) => drop(self.bytes.fetch_add(bytes, Ordering::Relaxed)),
            Err(error) => {
                let is_wrong = error.kind() == ErrorKind::InvalidData;
                let of = if is_wrong { &self.wrong } else { &self.lost };
                of.fetch_add(1, Ordering::Relaxed);
                let mut words = self.words.lock().expect("no holder panics");
                if is_wrong || words.len() < 20 {
                    words.push(format!("{what}: {error}"));
                }
            }
        }
    }
}

/// A connection on which a byte comes back every few milliseconds.
#[derive(Debug)]
struct Pulse {
    last: Instant,
    mark: Instant,
    /// The longest time without a byte that was not over at the mark.
    longest: Duration,
    end_mark: Instant,
    first_after: Option<Instant>,
}

impl Pulse {
    fn new(now: Instant) -> Self {
        Self { last: now, mark: now, longest: Duration::ZERO, end_mark: now, first_after: None }
    }

    fn beat(&mut self, now: Instant) {
        self.longest = self.longest.max(now - self.last);
        self.last = now;
        if self.first_after.is_none() && now > self.end_mark {
            self.first_after = Some(now);
        }
    }
}

/// Everything that runs.
pub(crate) struct Load {
    started: Instant,
    stop: Arc<AtomicBool>,
    pulses: Vec<Arc<Mutex<Pulse>>>,
    lasting: Arc<Count>,
    mortal: Arc<Count>,
    threads: Vec<JoinHandle<()>>,
    pgbench: Process,
}

/// What it came to.
pub(crate) struct Finished {
    pub(crate) lasting: Arc<Count>,
    pub(crate) mortal: Arc<Count>,
    /// What pgbench says.
    pub(crate) pgbench: String,
    pub(crate) pgbench_succeeded: bool,
}

/// Starts it for `time`.
pub(crate) fn start(scene: &Scene, time: Duration, seed: u64) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let (lasting, mortal) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let mut threads = Vec::new();
    let mut pulses = Vec::new();
    for name in LASTING {
        let pulse = Arc::new(Mutex::new(Pulse::new(Instant::now())));
        pulses.push(Arc::clone(&pulse));
        let (port, stop, count) = (scene.user.port(name), Arc::clone(&stop), Arc::clone(&lasting));
        threads.push(thread::spawn(move || count.note("pulse", keep_beating(port, &pulse, &stop))));
    }
    for (_, port) in scene.mortal_ports() {
        let (stop, count) = (Arc::clone(&stop), Arc::clone(&mortal));
        threads.push(thread::spawn(move || {
            // One that ends with its session; then the next.
            let pulse = Mutex::new(Pulse::new(Instant::now()));
            while !stop.load(Ordering::Relaxed) {
                count.note("pulse", keep_beating(port, &pulse, &stop));
                thread::sleep(LONGEST_REST);
            }
        }));
    }
    let lasting_ports = LASTING.map(|name| (name, scene.user.port(name)));
    let groups = [(lasting_ports.to_vec(), &lasting), (scene.mortal_ports(), &mortal)];
    for (name, port, count) in groups.iter().flat_map(|(ports, count)| ports.iter().map(move |(n, p)| (*n, *p, *count)))
    {
        let (stop, count) = (Arc::clone(&stop), Arc::clone(count));
        let random = fastrand::Rng::with_seed(seed ^ u64::from(port));
        threads.push(thread::spawn(move || keep_moving(name, port, random, &count, &stop)));
    }
    let (seconds, rate) = (time.as_secs().max(1).to_string(), TRANSACTIONS_PER_SECOND.to_string());
    let arguments = ["-c", "4", "-j", "2", "-N", "-R", &rate, "-T", &seconds];
    let pgbench = scene.postgres.start_pgbench(scene.user.port(DATABASE), &arguments);
    Load { started: Instant::now(), stop, pulses, lasting, mortal, threads, pgbench }
}

impl Load {
    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// From here on silences are measured.
    pub(crate) fn mark(&self) -> Instant {
        let now = Instant::now();
        for mut pulse in self.each() {
            pulse.mark = now;
            pulse.longest = Duration::ZERO;
        }
        now
    }

    /// From here on the first byte is waited for.
    pub(crate) fn mark_end(&self) -> Instant {
        let now = Instant::now();
        for mut pulse in self.each() {
            pulse.end_mark = now;
            pulse.first_after = None;
        }
        now
    }

    /// Whether every pulse beats as if nothing had happened.
    pub(crate) fn is_heard(&self) -> bool {
        let beats = |pulse: &Pulse| pulse.last > pulse.end_mark + TAKES_EFFECT && pulse.last.elapsed() < ALIVE;
        self.each().all(|pulse| pulse.first_after.is_some() && beats(&pulse))
    }

    /// How long each pulse was without a byte.
    pub(crate) fn first_bytes(&self, measure: Measure) -> Vec<Duration> {
        let of = |pulse: std::sync::MutexGuard<'_, Pulse>| match measure {
            Measure::FromItsBeginning => pulse.longest,
            Measure::FromItsEnd => pulse.first_after.map_or(Duration::MAX, |first| first - pulse.end_mark),
        };
        self.each().map(of).collect()
    }

    /// Connections of a group that have been lost so far.
    pub(crate) fn lost(&self, group: Group) -> u64 {
        let count = if group == Group::Lasting { &self.lasting } else { &self.mortal };
        count.lost.load(Ordering::Relaxed)
    }

    /// Panics as soon as something is lost that could have lived: the rest of the run would only hide it.
    #[track_caller]
    pub(crate) fn check(&self) {
        let words = self.lasting.words.lock().expect("no holder panics");
        assert!(words.is_empty(), "connections that could have lived: {words:#?}");
    }

    /// Lets every application come to its end.
    pub(crate) fn finish(mut self) -> Finished {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no thread panics");
        }
        let pgbench = &mut self.pgbench;
        let ended = wait_until("pgbench to end", END_DEADLINE, || pgbench.ended());
        Finished {
            lasting: self.lasting,
            mortal: self.mortal,
            pgbench: self.pgbench.output(),
            pgbench_succeeded: ended.success(),
        }
    }

    fn each(&self) -> impl Iterator<Item = std::sync::MutexGuard<'_, Pulse>> {
        self.pulses.iter().map(|pulse| pulse.lock().expect("no holder panics"))
    }
}

/// One connection for the whole run; returns how many bytes came back, each the right one.
fn keep_beating(port: u16, pulse: &Mutex<Pulse>, stop: &Arc<AtomicBool>) -> io::Result<u64> {
    let mut echoed = open_echo(port)?;
    let all = Arc::new(AtomicU64::new(u64::MAX));
    let sending = {
        let (stream, stop, all) = (echoed.try_clone()?, Arc::clone(stop), Arc::clone(&all));
        thread::spawn(move || send_beats(stream, &stop, &all))
    };
    let mut beat = [0; BEAT];
    let mut expected: u64 = 0;
    while expected < all.load(Ordering::SeqCst) {
        echoed.read_exact(&mut beat)?;
        if u64::from_be_bytes(beat) != expected {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("{beat:?} came instead of beat {expected}")));
        }
        expected += 1;
        pulse.lock().expect("no holder panics").beat(Instant::now());
    }
    sending.join().expect("the sending thread does not panic")?;
    Ok(expected * BEAT as u64)
}

/// Sends one beat after the other, and says how many there are before the last.
fn send_beats(mut stream: TcpStream, stop: &AtomicBool, all: &AtomicU64) -> io::Result<()> {
    for number in 0.. {
        let is_last = stop.load(Ordering::Relaxed);
        if is_last {
            all.store(number + 1, Ordering::SeqCst);
        }
        stream.write_all(&u64::to_be_bytes(number))?;
        if is_last {
            break;
        }
        thread::sleep(BEAT_EVERY);
    }
    Ok(())
}

/// One connection after the other, each of some size and kind.
fn keep_moving(name: &str, port: u16, mut random: fastrand::Rng, count: &Count, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let magnitude = random.u32(8..=LARGEST.ilog2());
        let length = random.u64(1..1 << magnitude);
        let seed = random.u64(..);
        let (what, ended) = match random.u8(0..4) {
            0 => ("echo", echo_once(port, length / 4 + 1, seed).map(|()| length / 2)),
            1 => ("upload", transfer_once(Direction::Upload, port, length, seed).map(|()| length)),
            _ => ("download", transfer_once(Direction::Download, port, length, seed).map(|()| length)),
        };
        count.note(&format!("{name}, {what} of {length} bytes"), ended);
        thread::sleep(LONGEST_REST.mul_f64(random.f64()));
    }
}
