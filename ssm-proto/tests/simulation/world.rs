//! One session, its applications, its network and what befalls them.

use std::fmt;
use std::time::{Duration, Instant};

use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, Read, Resend, SessionState, Side, StreamId};

use crate::oracle::Oracle;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const SIDES: [Side; 2] = [Side::Client, Side::Agent];

/// What an agent takes of a target that does not read; far less than the real one's 4 MiB, so that it is reached often.
const BUCKET: usize = 16 << 10;
/// Faults and traffic come for so long.
const BUSY: Duration = Duration::from_mins(10);

/// What has happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) virtual_time: Duration,
    bytes: usize,
    client_cuts: usize,
    agent_cuts: usize,
    black_holes: usize,
    stalled_readers: usize,
    dead_agents: usize,
    suspicions: usize,
    recoveries: usize,
    given_up: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.virtual_time += other.virtual_time;
        self.bytes += other.bytes;
        self.client_cuts += other.client_cuts;
        self.agent_cuts += other.agent_cuts;
        self.black_holes += other.black_holes;
        self.stalled_readers += other.stalled_readers;
        self.dead_agents += other.dead_agents;
        self.suspicions += other.suspicions;
        self.recoveries += other.recoveries;
        self.given_up += other.given_up;
    }

    pub(crate) fn counts(&self) -> [(&'static str, usize); 8] {
        [
            ("cuts of the client's websocket", self.client_cuts),
            ("cuts of the agent's websocket", self.agent_cuts),
            ("black holes", self.black_holes),
            ("stalled readers", self.stalled_readers),
            ("dead agents", self.dead_agents),
            ("suspicions", self.suspicions),
            ("recoveries", self.recoveries),
            ("sessions given up", self.given_up),
        ]
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} h of virtual time, {} bytes exact", self.virtual_time.as_secs() / 3600, self.bytes)?;
        self.counts().into_iter().try_for_each(|(what, count)| write!(f, ", {count} {what}"))
    }
}

/// One direction of one stream.
#[derive(Debug, Default)]
struct Direction {
    /// All that the writer has to say, how much of it the machine took and how much arrived.
    text: Vec<u8>,
    written: usize,
    read: usize,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    /// By writer, as in [`SIDES`].
    directions: [Direction; 2],
    /// The client's application has written all it had and closed; what it wrote must arrive, and then the end.
    is_closed: bool,
    is_over: bool,
}

/// The applications at both ends: they write what there is to write and check what they read.
#[derive(Debug, Default)]
struct Applications {
    streams: Vec<Stream>,
    /// By reader.
    reads: [bool; 2],
    /// When the client's machine last took or received stream data.
    last_traffic: Option<Instant>,
    messages_in: u64,
    bytes: usize,
}

impl Applications {
    fn look(&mut self, pair: &mut Pair) {
        while pair.agent.accept_stream().is_some() {}
        let messages_in = pair.client.stats().messages_in;
        if std::mem::replace(&mut self.messages_in, messages_in) != messages_in {
            self.last_traffic = Some(pair.now);
        }
        self.streams.retain(|stream| !stream.is_over);
        for stream in &mut self.streams {
            for (index, writer) in SIDES.into_iter().enumerate() {
                let direction = &mut stream.directions[index];
                let now = pair.now;
                let rest = &direction.text[direction.written..];
                // The agent has only what it has accepted: `Unknown` before.
                if !rest.is_empty()
                    && !stream.is_closed
                    && let Ok(taken @ 1..) = pair.side(writer).write(stream.id, rest, now)
                {
                    direction.written += taken;
                    self.last_traffic = Some(now);
                }
                if self.reads[1 - index] && (!stream.is_closed || writer == Side::Client) {
                    let mut data = Vec::new();
                    // An error is the end of a session that was given up, or the agent has not accepted the stream yet.
                    let end = pair.read_available(SIDES[1 - index], stream.id, &mut data);
                    let expected = &direction.text[direction.read..direction.written];
                    assert!(expected.starts_with(&data), "stream {}: bytes differ at {}", stream.id, direction.read);
                    direction.read += data.len();
                    self.bytes += data.len();
                    if end == Some(Ok(Read::Eof)) {
                        assert!(stream.is_closed, "stream {} ended by nobody", stream.id);
                        assert_eq!(direction.read, direction.text.len(), "stream {} ended early", stream.id);
                        pair.agent.close_stream(stream.id, now);
                        stream.is_over = true;
                    }
                }
            }
        }
    }

    fn close(&mut self, pair: &mut Pair, id: StreamId) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) else { return };
        let upward = &stream.directions[0];
        if !stream.is_closed && upward.written == upward.text.len() {
            pair.client.close_stream(stream.id, pair.now);
            stream.is_closed = true;
        }
    }

    fn are_content(&self) -> bool {
        self.streams.iter().all(|stream| {
            let all_read = stream.directions.iter().all(|direction| direction.read == direction.text.len());
            if stream.is_closed { stream.is_over } else { all_read }
        })
    }
}

/// What will be mended, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    Websocket(Side),
    Path,
    Reader(usize),
}

#[derive(Debug)]
pub(crate) struct World {
    pair: Pair,
    rng: fastrand::Rng,
    path: LinkConfig,
    applications: Applications,
    oracle: Oracle,
    connected: [bool; 2],
    agent_is_dead: bool,
    /// Whether a suspicion makes the client take another websocket.
    resumes_suspects: bool,
    mends: Vec<(Instant, Mend)>,
    sent_up: usize,
    tally: Tally,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let small = Config { receive_budget: BUCKET, stream_send_buffer: 8 << 10, ..Config::default() };
        let client = Config {
            max_payload: *rng.choice(&[128, 1024, 4096]).expect("not empty"),
            max_in_flight_bytes: 2 * BUCKET,
            // Small enough to refuse what comes too far ahead, or as in life.
            reorder_messages: *rng.choice(&[4, 32, small.reorder_messages]).expect("not empty"),
            stall_explains: BUCKET,
            ..small.clone()
        };
        let habits = if rng.bool() { Config::official_agent() } else { Config::fast_agent() };
        let agent = Config {
            receive_budget: BUCKET,
            max_in_flight_bytes: if habits.resend == Resend::AllUnacknowledged { 2 * BUCKET } else { 100 << 20 },
            max_payload: habits.max_payload.min(4096),
            reorder_messages: *rng.choice(&[4, 32, 100_000]).expect("not empty"),
            ..habits
        };
        let is_bad = rng.bool();
        let path = LinkConfig {
            delay: MS * rng.u32(0..100),
            jitter: MS * rng.u32(0..10),
            // From dice of its own, so that seeds kept from before mean what they meant.
            rate: *fastrand::Rng::with_seed(!seed).choice(&[None, Some(20_000), Some(600_000)]).expect("not empty"),
            loss: if is_bad { rng.f64() * 0.03 } else { 0.0 },
            duplicate: if is_bad { rng.f64() * 0.05 } else { 0.0 },
            reorder: if is_bad { rng.f64() * 0.05 } else { 0.0 },
        };
        let (suspect_after, patience) = (client.suspect_after, client.patience);
        let mut pair = Pair::new(client, agent, path, seed);
        pair.establish();
        pair.client_events.clear();
        Self {
            oracle: Oracle::new(&pair, suspect_after, patience),
            applications: Applications { reads: [true; 2], ..Applications::default() },
            connected: [true; 2],
            agent_is_dead: false,
            resumes_suspects: rng.bool(),
            mends: Vec::new(),
            sent_up: 0,
            tally: Tally::default(),
            pair,
            rng,
            path,
        }
    }

    /// A busy time, then either the agent's death, or all is mended and everything has to arrive.
    pub(crate) fn live(mut self) -> Tally {
        let end = self.pair.now + BUSY;
        while self.pair.now < end && !self.oracle.given_up {
            let pause = MS * self.rng.u32(1..20_000);
            self.pass(pause);
            if !self.oracle.given_up {
                self.something_happens();
            }
        }
        if !self.oracle.given_up {
            self.mend_all();
            if self.rng.u32(0..4) == 0 { self.agent_dies() } else { self.all_arrives() }
        }
        self.tally.given_up += usize::from(self.oracle.given_up);
        self.tally.suspicions = self.oracle.suspicions;
        self.tally.recoveries = self.oracle.recoveries;
        self.tally.virtual_time = self.pair.elapsed();
        self.tally.bytes = self.applications.bytes;
        self.tally
    }

    fn something_happens(&mut self) {
        let for_a_while = |rng: &mut fastrand::Rng, most: u32| MS * rng.u32(0..most * 1000);
        match self.rng.u32(0..100) {
            0..10 if self.applications.streams.len() < 4 => {
                let id = self.pair.client.open_stream(self.pair.now).expect("below the limit");
                self.applications.streams.push(Stream {
                    id,
                    directions: Default::default(),
                    is_closed: false,
                    is_over: false,
                });
            }
            10..14 => {
                // Much of what was just written is not sent yet: the end goes behind it.
                if let Some(id) = self.write(Side::Client) {
                    self.applications.look(&mut self.pair);
                    self.applications.close(&mut self.pair, id);
                }
            }
            0..60 => {
                let writer = *self.rng.choice(&SIDES).expect("not empty");
                self.write(writer);
            }
            60..72 => {
                let back = for_a_while(&mut self.rng, 20);
                self.tally.client_cuts += usize::from(self.cut(Side::Client, back));
            }
            72..80 => {
                // It takes up to two minutes to find a dead websocket of its own (docs/protocol.md §2.5).
                let back = for_a_while(&mut self.rng, 60);
                self.tally.agent_cuts += usize::from(self.cut(Side::Agent, back));
            }
            80..92 => {
                let gone = LinkConfig { loss: 1.0, ..self.path };
                let directions = self.rng.u32(1..4);
                if directions & 1 != 0 {
                    self.pair.up.configure(gone);
                }
                if directions & 2 != 0 {
                    self.pair.down.configure(gone);
                }
                let until = self.pair.now + for_a_while(&mut self.rng, 40);
                self.mends.push((until, Mend::Path));
                self.tally.black_holes += 1;
            }
            _ => {
                let reader = self.rng.usize(0..2);
                self.applications.reads[reader] = false;
                let until = self.pair.now + for_a_while(&mut self.rng, 200);
                self.mends.push((until, Mend::Reader(reader)));
                self.tally.stalled_readers += 1;
            }
        }
    }

    /// An application has more to say on one of the streams that are open.
    fn write(&mut self, writer: Side) -> Option<StreamId> {
        let open = self.applications.streams.iter_mut().filter(|stream| !stream.is_closed);
        let stream = self.rng.choice(open.collect::<Vec<_>>())?;
        let len = self.rng.usize(1..3000);
        let upward = writer == Side::Client;
        stream.directions[usize::from(!upward)].text.extend((0..len).map(|_| self.rng.u8(..)));
        self.sent_up += if upward { len } else { 0 };
        if self.sent_up >= BUCKET {
            self.oracle.excuse_silence();
        }
        Some(stream.id)
    }

    /// Lets time pass, with what it mends.
    fn pass(&mut self, duration: Duration) {
        let end = self.pair.now + duration;
        while self.pair.now < end && !self.oracle.given_up {
            let next = self.mends.iter().map(|(at, _)| *at).min().filter(|at| *at < end).unwrap_or(end);
            let was_suspected = self.oracle.is_suspected();
            let (applications, oracle) = (&mut self.applications, &mut self.oracle);
            let mut is_news = |pair: &mut Pair| {
                applications.look(pair);
                oracle.look(pair);
                oracle.given_up || (oracle.is_suspected() && !was_suspected)
            };
            let span = next.saturating_duration_since(self.pair.now);
            if !self.pair.run_until(span, &mut is_news) {
                let rest = next.saturating_duration_since(self.pair.now);
                self.pair.run_for(rest);
                is_news(&mut self.pair);
            }
            if self.resumes_suspects && self.oracle.is_suspected() && !was_suspected && !self.oracle.given_up {
                self.cut(Side::Client, Duration::ZERO);
            }
            let now = self.pair.now;
            let due: Vec<_> = self.mends.extract_if(.., |(at, _)| *at <= now).map(|(_, mend)| mend).collect();
            for mend in due {
                self.mend(mend);
            }
        }
    }

    /// Takes a websocket away until later, if it is there.
    fn cut(&mut self, side: Side, back_after: Duration) -> bool {
        let index = usize::from(side == Side::Agent);
        if !std::mem::replace(&mut self.connected[index], false) {
            return false;
        }
        self.pair.cut(side);
        if side == Side::Client {
            self.oracle.lost_websocket();
        }
        self.mends.push((self.pair.now + back_after, Mend::Websocket(side)));
        true
    }

    fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Websocket(side) => {
                self.connected[usize::from(side == Side::Agent)] = true;
                if side == Side::Agent && self.agent_is_dead {
                    return;
                }
                if side == Side::Client {
                    self.oracle.new_websocket();
                }
                self.pair.reconnect(side);
            }
            Mend::Path => {
                self.pair.up.configure(self.path);
                self.pair.down.configure(self.path);
            }
            Mend::Reader(reader) => self.applications.reads[reader] = true,
        }
    }

    fn mend_all(&mut self) {
        for (_, mend) in std::mem::take(&mut self.mends) {
            self.mend(mend);
        }
    }

    /// Nothing is in the way any more: every byte arrives, and the session is above suspicion.
    fn all_arrives(&mut self) {
        let end = self.pair.now + Duration::from_hours(1);
        while !(self.applications.are_content() && self.pair.client.stats().messages_in_flight == 0) {
            assert!(!self.oracle.given_up, "given up in the best of worlds");
            assert!(
                self.pair.now < end,
                "bytes are missing: client {:?}, agent {:?}",
                self.pair.client,
                self.pair.agent
            );
            self.pass(SECOND);
            self.mend_all();
        }
        assert_eq!(self.pair.client.state(), SessionState::Established);
        assert!(!self.oracle.is_suspected(), "everything is acknowledged");
        // One question at most is left to ask.
        self.pass(60 * SECOND);
        let sent = self.pair.client.stats().messages_out;
        self.pass(3600 * SECOND);
        assert_eq!(self.pair.client.stats().messages_out, sent, "traffic on an idle session");
    }

    /// The agent's worker is killed at some moment; only silence tells.
    fn agent_dies(&mut self) {
        self.tally.dead_agents += 1;
        self.agent_is_dead = true;
        self.cut(Side::Agent, Duration::ZERO);
        let open = self.pair.client.stats().streams > 0;
        let in_flight = self.pair.client.stats().messages_in_flight > 0;
        if !open && !in_flight {
            return; // nobody is there to care, and so nothing is asked
        }
        let recent = self.applications.last_traffic.is_some_and(|at| self.pair.now - at < 4 * SECOND);
        let (start, suspicions) = (self.pair.now, self.oracle.suspicions);
        while (in_flight || recent) && self.oracle.suspicions == suspicions && !self.oracle.is_suspected() {
            self.pass(100 * MS);
            assert!(self.pair.now - start <= 10 * SECOND, "not suspected within 10 s: {:?}", self.pair.client);
        }
        if in_flight || recent {
            self.pass(200 * SECOND);
            assert!(self.oracle.given_up || self.sent_up >= BUCKET, "not given up: {:?}", self.pair.client);
        }
    }
}
