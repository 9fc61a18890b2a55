//! What uses a simulated tunnel: connections that send little or much, expect exactly that back, and know whether they
//! may be lost.

use super::agent::BANNER;
use super::pick;
use super::sky::Sky;
use super::world::OBEYED;
use crate::connections::Peer;
use crate::tunnel::forward::{News, Shared, admitted};
use crate::tunnel::seats::Seat;
use ssm_session::MuxStream;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

/// What became of all connections of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) lived: u64,
    /// Lost, and nothing could have saved them.
    pub(super) lost: u64,
    /// They did not get a session in their time.
    pub(super) not_admitted: u64,
    pub(super) bytes: u64,
    /// Sessions that took connections at a time.
    pub(super) most_sessions: u64,
    /// Open now.
    pub(super) open: u64,
    /// Counts the times that a user ended the tunnel, and all connections with it.
    pub(super) ended_by_user: u64,
    /// What must never happen.
    pub(super) wrong: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Applications {
    pub(super) sky: Sky,
    pub(super) shared: Shared,
    pub(super) tally: Arc<Mutex<Tally>>,
}

/// What a connection does with its tunnel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    /// So many questions, with pauses between them.
    Questions(u32),
    /// So many exchanges of much, one after the other.
    Bulk(u32),
}

/// Why a connection ended before it wanted to.
#[derive(Debug)]
enum Fail {
    NotAdmitted,
    /// With its session, if it ever came to know it.
    Lost(Option<String>, io::Error),
    Wrong(String),
}

impl Applications {
    pub(super) fn tally<T>(&self, with: impl FnOnce(&mut Tally) -> T) -> T {
        with(&mut self.tally.lock().unwrap())
    }

    /// One connection, from its beginning to its end; says whether it got all it wanted.
    pub(super) async fn run(mut self, mut random: fastrand::Rng, what: Use) -> bool {
        let ended_by_user = self.tally(|tally| {
            tally.open += 1;
            tally.ended_by_user
        });
        let guard = self.shared.gauges.connections().enter(Peer::default());
        self.shared.tell(News::StreamsChanged).await;
        let outcome = self.converse(&mut random, what).await;
        drop(guard);
        self.shared.tell(News::StreamsChanged).await;
        sleep(2 * OBEYED).await;
        let ended_by_user = self.tally(|tally| tally.ended_by_user != ended_by_user);
        let could_live = |session: &Option<String>| session.as_ref().is_none_or(|id| self.sky.could_live(id));
        self.tally(|tally| {
            tally.open -= 1;
            match &outcome {
                Ok(()) => tally.lived += 1,
                Err(Fail::NotAdmitted) => tally.not_admitted += 1,
                Err(Fail::Lost(Some(session), error)) if could_live(&Some(session.clone())) && !ended_by_user => {
                    tally.wrong.push(format!("a connection of {session} was lost and could have lived: {error}"));
                }
                Err(Fail::Lost(..)) => tally.lost += 1,
                Err(Fail::Wrong(text)) => tally.wrong.push(text.clone()),
            }
        });
        outcome.is_ok()
    }

    async fn converse(&mut self, random: &mut fastrand::Rng, what: Use) -> Result<(), Fail> {
        let hold = self.shared.gate.borrow().hold;
        let admitted = timeout(hold, admitted(&mut self.shared)).await;
        let Ok(Ok(admitted)) = admitted else { return Err(Fail::NotAdmitted) };
        let (mut stream, seat, id) = admitted.into_parts();
        let mut banner = [0; BANNER];
        if let Err(error) = stream.read_exact(&mut banner).await {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                self.shared.tell(News::Refused(id)).await;
            }
            return Err(Fail::Lost(None, error));
        }
        if !self.shared.gate.borrow().ready {
            self.shared.tell(News::Answered).await;
        }
        let session = String::from_utf8_lossy(&banner).into_owned();
        let (exchanges, length, pause) = match what {
            Use::Questions(count) => (count, 1..3000, Duration::from_millis(10)..Duration::from_secs(90)),
            Use::Bulk(count) => (count, 10_000..40_000, Duration::ZERO..Duration::from_millis(10)),
        };
        for exchange in 0..exchanges {
            if exchange > 0 {
                sleep(pick(random, pause.clone())).await;
            }
            let length = random.usize(length.clone());
            self.exchange(&mut stream, &seat, random, &session, length).await?;
        }
        Ok(())
    }

    async fn exchange(
        &self,
        stream: &mut MuxStream,
        seat: &Seat,
        random: &mut fastrand::Rng,
        session: &str,
        length: usize,
    ) -> Result<(), Fail> {
        let lost = |error| Fail::Lost(Some(session.to_owned()), error);
        let sent: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        let mut got = vec![0; length];
        let (mut read, mut write) = tokio::io::split(stream);
        let there_and_back = async {
            tokio::try_join!(
                async {
                    write.write_all(&sent).await?;
                    seat.flow().count(length);
                    Ok(())
                },
                async {
                    let mut done = 0;
                    while done < length {
                        match read.read(&mut got[done..]).await? {
                            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                            count => done += count,
                        }
                        seat.flow().count(1);
                    }
                    Ok(())
                },
            )
        };
        there_and_back.await.map_err(lost)?;
        if got != sent {
            return Err(Fail::Wrong(format!("{length} bytes of {session} came back as others")));
        }
        self.tally(|tally| tally.bytes += 2 * length as u64);
        Ok(())
    }
}
