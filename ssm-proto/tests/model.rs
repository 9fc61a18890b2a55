//! Random operations over a random network, against the simplest model there is: per stream and direction, the bytes read
//! are the bytes written, in order, once, whatever the path did.

use std::collections::BTreeMap;
use std::time::Duration;

use ssm_proto::testing::{LinkConfig, Pair};
use ssm_proto::{Config, Read, SessionState, Side, StreamId};

const OPERATIONS: usize = 10_000;

/// One direction of one stream.
#[derive(Default)]
struct Direction {
    written: Vec<u8>,
    read: usize,
}

struct Model {
    pair: Pair,
    rng: fastrand::Rng,
    streams: BTreeMap<StreamId, [Direction; 2]>,
    connected: [bool; 2],
    bytes: usize,
    cuts: usize,
}

fn index(side: Side) -> usize {
    usize::from(side == Side::Agent)
}

fn other(side: Side) -> Side {
    if side == Side::Client { Side::Agent } else { Side::Client }
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let agent = if rng.bool() { Config::official_agent() } else { Config::fast_agent() };
        // Small enough to refuse what comes too far ahead, or as in life.
        let reorder_messages = *rng.choice(&[16, Config::default().reorder_messages]).unwrap();
        let client = Config {
            reorder_messages,
            max_payload: *rng.choice(&[64, 1024, 16 << 10]).unwrap(),
            // One side may stay away for long here, which is not what this run is about.
            patience: Duration::from_hours(24),
            ..Config::default()
        };
        let link = LinkConfig {
            delay: Duration::from_millis(rng.u64(0..50)),
            jitter: Duration::from_millis(rng.u64(0..10)),
            rate: None,
            loss: rng.f64() * 0.05,
            duplicate: rng.f64() * 0.1,
            reorder: rng.f64() * 0.1,
        };
        let mut pair = Pair::new(client, agent, link, seed);
        pair.establish();
        Self { pair, rng, streams: BTreeMap::new(), connected: [true; 2], bytes: 0, cuts: 0 }
    }

    fn operate(&mut self) {
        let now = self.pair.now;
        let side = if self.rng.bool() { Side::Client } else { Side::Agent };
        match self.rng.u32(0..100) {
            0..8 if self.streams.len() < 30 => {
                let id = self.pair.client.open_stream(now).unwrap();
                self.streams.insert(id, Default::default());
            }
            0..45 => {
                let Some(id) = self.pick() else { return };
                let data: Vec<u8> = (0..self.rng.usize(1..5000)).map(|_| self.rng.u8(..)).collect();
                // The agent has only what it has accepted: `Unknown` before.
                let Ok(taken) = self.pair.side(side).write(id, &data, now) else { return };
                self.direction(id, side).written.extend_from_slice(&data[..taken]);
                self.bytes += taken;
            }
            45..70 => {
                if let Some(id) = self.pick() {
                    self.read(id, side);
                }
            }
            70..98 => {
                self.pair.step();
                while self.pair.agent.accept_stream().is_some() {}
            }
            98 if self.connected[index(side)] => {
                self.cuts += 1;
                self.connected[index(side)] = false;
                self.pair.cut(side);
            }
            _ => {
                for side in [Side::Client, Side::Agent] {
                    if !std::mem::replace(&mut self.connected[index(side)], true) {
                        self.pair.reconnect(side);
                    }
                }
            }
        }
    }

    fn pick(&mut self) -> Option<StreamId> {
        let ids: Vec<_> = self.streams.keys().copied().collect();
        self.rng.choice(ids)
    }

    fn direction(&mut self, id: StreamId, writer: Side) -> &mut Direction {
        &mut self.streams.get_mut(&id).unwrap()[index(writer)]
    }

    /// Reads some bytes on `side` and checks each against what the other side wrote.
    fn read(&mut self, id: StreamId, side: Side) {
        use bytes::BufMut as _;
        let now = self.pair.now;
        let limit = self.rng.usize(1..8000);
        let mut data = Vec::new();
        if let Ok(Read::Data(n)) = self.pair.side(side).read(id, &mut (&mut data).limit(limit), now) {
            assert_eq!(n, data.len());
            let direction = self.direction(id, other(side));
            let expected = &direction.written[direction.read..];
            assert!(expected.starts_with(&data), "stream {id} towards {side:?} at byte {}", direction.read);
            direction.read += n;
        }
    }

    /// Lets everything arrive and checks that nothing is missing, then that closing leaves nothing behind.
    fn finish(mut self) -> (usize, usize, Duration) {
        for side in [Side::Client, Side::Agent] {
            if !self.connected[index(side)] {
                self.pair.reconnect(side);
            }
        }
        let end = self.pair.now + Duration::from_hours(4);
        loop {
            while self.pair.agent.accept_stream().is_some() {}
            let ids: Vec<_> = self.streams.keys().copied().collect();
            for &id in &ids {
                self.read(id, Side::Client);
                self.read(id, Side::Agent);
            }
            if self.streams.values().flatten().all(|direction| direction.read == direction.written.len()) {
                break;
            }
            assert!(
                self.pair.now < end
                    && (self.pair.step()
                        || self.pair.client.stats().unread_bytes > 0
                        || self.pair.agent.stats().unread_bytes > 0),
                "bytes are missing after {:?}: client {:?}, agent {:?}",
                self.pair.elapsed(),
                self.pair.client.stats(),
                self.pair.agent.stats()
            );
        }
        assert_eq!(self.pair.client.state(), SessionState::Established);
        for &id in self.streams.keys() {
            self.pair.client.close_stream(id, self.pair.now);
            self.pair.agent.close_stream(id, self.pair.now);
        }
        let quiet = self.pair.run_until(Duration::from_hours(1), |pair| {
            [Side::Client, Side::Agent].into_iter().all(|side| {
                let stats = pair.side(side).stats();
                stats.streams == 0 && stats.messages_in_flight == 0 && stats.unread_bytes == 0
            })
        });
        assert!(quiet, "client {:?}, agent {:?}", self.pair.client.stats(), self.pair.agent.stats());
        (self.bytes, self.cuts, self.pair.elapsed())
    }
}

#[test]
fn ten_thousand_random_operations_lose_and_double_nothing() {
    let seeds = match std::env::var("MODEL_SEED") {
        Ok(seed) => vec![seed.parse().expect("MODEL_SEED is a number")],
        Err(_) => (0..4).collect(),
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| {
            let mut model = Model::new(seed);
            for _ in 0..OPERATIONS {
                model.operate();
            }
            model.finish()
        });
        let Ok((bytes, cuts, elapsed)) = outcome else { panic!("failed: run again with MODEL_SEED={seed}") };
        println!("seed {seed}: {bytes} bytes exact, {cuts} cuts, {elapsed:?} of virtual time");
        assert!(bytes > 1_000_000 && cuts > 10, "the run must be worth something");
    }
}
