//! One accepted connection: held until a session carries, then joined with a stream of the best one.
//!
//! Runs as a task of its own per connection, owned by the tunnel's task, and ends when that drops it. It
//! never opens a session itself: it says that one is wanted and waits at the gate.

use super::lifecycle::Admission;
use super::local_peer::PeerWatch;
use super::local_stream::LocalStream;
use super::pool::{Candidate, Choice, SessionId, choose};
use super::relay::{self, Counts, Ended};
use super::seats::{Seat, Seats, Stir};
use super::task::or_never;
use crate::status::Gauges;
use ssm_session::{MuxStream, Session, SessionStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Span;

/// So many connections of a tunnel may wait at a time, each for as long as `hold` says. A pool of a hundred
/// that comes back after a sleep fits more than twice; a program that connects in a loop while nothing
/// carries must not use up the daemon's descriptors, which are 1 024 in most shells, for all tunnels.
const HELD_MOST: usize = 256;

/// A connection that would have to wait behind others' bulk waits so long for a session that may be opened. That is what a round
/// trip beside one download waits in the official agent, each time (docs/protocol.md §10.1): it loses nothing by it.
const ELBOW_ROOM: Duration = Duration::from_millis(250);

/// What connections may do now; written by the tunnel's task only.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) admission: Admission,
    /// The sessions to choose from with [`Admission::Pass`], the tunnel's first one first.
    pub(super) carriers: Arc<[Carrier]>,
    /// There may soon be one more.
    pub(super) is_growing: bool,
    /// The remote is known to answer, so a first answer is no news.
    pub(super) ready: bool,
    /// How long a connection may wait here.
    pub(super) hold: Duration,
}

impl Gate {
    pub(super) fn closed(hold: Duration) -> Self {
        Self { admission: Admission::Refuse, carriers: Arc::default(), is_growing: false, ready: false, hold }
    }
}

/// A session that takes new connections.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pub(super) id: SessionId,
    pub(super) session: Session,
    pub(super) status: watch::Receiver<SessionStatus>,
    pub(super) seats: Arc<Seats>,
}

impl Carrier {
    /// As it is now.
    pub(super) fn look(&self) -> Candidate {
        let (carries, is_over) = match &*self.status.borrow() {
            SessionStatus::Established => (true, false),
            SessionStatus::Closed(_) => (false, true),
            _ => (false, false),
        };
        Candidate { occupancy: self.seats.occupancy(), carries, is_over }
    }

    /// Takes a seat where `seen` connections were, and opens a stream.
    async fn enter(&self, seen: usize, shared: &Shared) -> Entered {
        // Nothing: somebody else came or went since it was chosen.
        let Some(seat) = self.seats.enter(seen, &shared.stir) else { return Entered::Elsewhere };
        match self.session.open_stream().await {
            Ok(stream) => Entered::Yes(Box::new(Admitted { stream, seat, session: self.id.clone() })),
            Err(error) => {
                tracing::debug!(parent: &shared.span, %error, "no stream to be had");
                // One that ended just now is not chosen again.
                if self.look().is_over { Entered::Elsewhere } else { Entered::No }
            }
        }
    }
}

/// What came of choosing a session.
enum Entered {
    Yes(Box<Admitted>),
    /// What it was chosen by is not so any more.
    Elsewhere,
    /// It takes no streams.
    No,
}

/// A stream, and the seat in its session.
pub(super) struct Admitted {
    stream: MuxStream,
    seat: Seat,
    session: SessionId,
}

#[cfg(test)]
impl Admitted {
    pub(super) fn into_parts(self) -> (MuxStream, Seat, SessionId) {
        (self.stream, self.seat, self.session)
    }
}

/// What a connection tells the tunnel's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// It needs a session, and none is being opened.
    SessionWanted,
    /// The first byte from the remote has come.
    Answered,
    /// The agent of this session could not connect it to the remote.
    Refused(SessionId),
    /// It would have to wait behind others in every session.
    Crowded,
    /// The number of connections has changed. Which it is now is to be read from the gauges: news of two
    /// connections may overtake each other.
    StreamsChanged,
}

/// What all connections of a tunnel share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) gate: watch::Receiver<Gate>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) gauges: Arc<Gauges>,
    /// Wakes the tunnel's task when something moves again.
    pub(super) stir: Arc<Stir>,
    /// The tunnel's, for what is logged of a connection: their tasks are not in it, which would cost each
    /// turn of theirs.
    pub(super) span: Span,
    held: Arc<Semaphore>,
}

/// Why a connection was not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The tunnel does not carry, and nothing is done about it.
    Shut,
    /// There was no session in time.
    TimeUp,
    /// Too many wait already.
    Crowded,
    /// The application has given up waiting.
    Gone,
}

impl Shared {
    pub(super) fn new(gate: watch::Receiver<Gate>, news: mpsc::Sender<News>, gauges: Arc<Gauges>) -> Self {
        Self { gate, news, gauges, stir: Arc::default(), span: Span::none(), held: Arc::new(Semaphore::new(HELD_MOST)) }
    }

    pub(super) async fn tell(&self, news: News) {
        // Nobody listens only when the tunnel is on its way out.
        let _ = self.news.send(news).await;
    }
}

/// Serves one connection to its end.
pub(super) async fn forward(local: LocalStream, mut shared: Shared) {
    let mut ticket = shared.gauges.connections().enter(local.peer());
    shared.tell(News::StreamsChanged).await;
    let hold = shared.gate.borrow().hold;
    let admission = tokio::select! {
        // Both are cancel-safe: one waits at the gate, where a stream that is not taken closes, the other looks.
        admission = timeout(hold, admitted(&mut shared)) => admission.unwrap_or(Err(Refused::TimeUp)),
        () = gone(&local) => Err(Refused::Gone),
    };
    let ended = match admission {
        Ok(Admitted { stream, seat, session }) => {
            ticket.carried();
            let news = shared.news.clone();
            let gate = shared.gate.clone();
            let on_answer = move || {
                if !gate.borrow().ready {
                    // A full queue has news enough; the next connection tells again.
                    let _ = news.try_send(News::Answered);
                }
            };
            let meters = [shared.gauges.meter(), ticket.meter()];
            let ended = relay::relay(local, stream, Counts { meters, flow: seat.flow() }, on_answer).await;
            Some((ended, session))
        }
        Err(refused) => {
            tracing::debug!(parent: &shared.span, ?refused, ?hold, "connection reset");
            if refused == Refused::Gone {
                ticket.over();
            }
            drop(local);
            None
        }
    };
    tracing::trace!(parent: &shared.span, ?ended, "connection over");
    match ended {
        Some((Ended::Refused, session)) => {
            ticket.turned_away();
            shared.tell(News::Refused(session)).await;
        }
        Some((Ended::ByLocal | Ended::ByRemote, _)) => ticket.over(),
        Some((Ended::SessionLost, _)) | None => {}
    }
    drop(ticket);
    shared.tell(News::StreamsChanged).await;
}

/// Waits at the gate.
pub(super) async fn admitted(shared: &mut Shared) -> Result<Admitted, Refused> {
    let held = Arc::clone(&shared.held);
    let mut place = None;
    // Until when it waits for a session with room.
    let mut patience: Option<Instant> = None;
    loop {
        let gate = shared.gate.borrow_and_update().clone();
        let mut look_again = None;
        match gate.admission {
            Admission::Refuse => return Err(Refused::Shut),
            Admission::Wake => shared.news.send(News::SessionWanted).await.map_err(|_| Refused::Shut)?,
            Admission::Hold => {}
            Admission::Pass => {
                let candidates: Vec<Candidate> = gate.carriers.iter().map(Carrier::look).collect();
                let choice = choose(&candidates);
                if matches!(choice, Choice::Busy(_)) {
                    if patience.is_none() {
                        shared.tell(News::Crowded).await;
                    }
                    let until = *patience.get_or_insert_with(|| Instant::now() + ELBOW_ROOM);
                    // Where too many wait already, a busy session is better than being turned away.
                    if gate.is_growing && until > Instant::now() && place.is_none() {
                        place = held.try_acquire().ok();
                    }
                    look_again = Some(until).filter(|at| gate.is_growing && place.is_some() && *at > Instant::now());
                }
                if let Choice::Take(chosen) | Choice::Busy(chosen) = choice
                    && look_again.is_none()
                {
                    match gate.carriers[chosen].enter(candidates[chosen].occupancy.streams, shared).await {
                        Entered::Yes(admitted) => return Ok(*admitted),
                        Entered::Elsewhere => continue,
                        Entered::No => {}
                    }
                }
            }
        }
        if place.is_none() {
            place = Some(held.try_acquire().map_err(|_| Refused::Crowded)?);
        }
        tokio::select! {
            // Cancel-safe: a watch and a timer.
            changed = shared.gate.changed() => changed.map_err(|_| Refused::Shut)?,
            () = or_never(look_again.map(sleep_until)) => {}
        }
    }
}

/// Waits until the application has let go of its connection. Nothing is read: what it has sent is for the
/// remote, and one that has only closed its sending half still waits for an answer.
async fn gone(local: &LocalStream) {
    let mut peer = PeerWatch::new(local);
    loop {
        sleep(peer.pause()).await;
        if peer.is_over(local, Duration::ZERO).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream, UnixStream};
    use tokio::task::JoinSet;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A gate that holds for longer than any test takes.
    fn holding() -> (watch::Sender<Gate>, mpsc::Receiver<News>, Shared) {
        let (gate, at_gate) = watch::channel(Gate { admission: Admission::Hold, ..Gate::closed(PATIENCE * 10) });
        let (news, told) = mpsc::channel(4 * HELD_MOST);
        (gate, told, Shared::new(at_gate, news, Arc::default()))
    }

    async fn tcp() -> (TcpStream, LocalStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (app, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (app.unwrap(), LocalStream::tcp(accepted.unwrap().0))
    }

    async fn is_given_up(local: LocalStream, shared: Shared) {
        let gauges = Arc::clone(&shared.gauges);
        timeout(PATIENCE, forward(local, shared)).await.expect("it is noticed long before its time is up");
        assert_eq!(gauges.streams(), 0);
    }

    #[tokio::test]
    async fn a_held_connection_whose_application_has_reset_it_is_given_up() {
        let (_gate, _told, shared) = holding();
        let (mut app, local) = tcp().await;
        app.write_all(b"question").await.unwrap();
        socket2::SockRef::from(&app).set_linger(Some(Duration::ZERO)).unwrap();
        drop(app);
        is_given_up(local, shared).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_held_connection_whose_application_has_closed_it_is_given_up() {
        let (_gate, _told, shared) = holding();
        let (mut app, local) = tcp().await;
        app.write_all(b"question").await.unwrap();
        drop(app);
        is_given_up(local, shared.clone()).await;
        let (app, local) = UnixStream::pair().unwrap();
        drop(app);
        is_given_up(LocalStream::unix(local), shared).await;
    }

    #[tokio::test]
    async fn an_application_that_still_waits_is_not_given_up() {
        let (gate, _told, shared) = holding();
        let (mut app, local) = tcp().await;
        app.write_all(b"question").await.unwrap();
        // As `nc -N` does.
        app.shutdown().await.unwrap();
        let started = Instant::now();
        let held = tokio::spawn(forward(local, shared));
        // Long enough for several looks.
        assert!(timeout(Duration::from_millis(500), app.read(&mut [0])).await.is_err(), "it is held");
        gate.send_replace(Gate::closed(PATIENCE));
        assert_eq!(app.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        timeout(PATIENCE, held).await.unwrap().unwrap();
        assert!(started.elapsed() < PATIENCE);
    }

    #[tokio::test]
    async fn so_many_are_held_and_no_more() {
        let (gate, mut told, shared) = holding();
        let mut held = JoinSet::new();
        for _ in 0..HELD_MOST {
            let mut shared = shared.clone();
            held.spawn(async move { admitted(&mut shared).await.map(drop) });
        }
        while shared.held.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(admitted(&mut shared.clone()).await.map(drop), Err(Refused::Crowded));
        // A place that one leaves is the next one's.
        held.abort_all();
        while held.join_next().await.is_some() {}
        let mut next = shared.clone();
        gate.send_replace(Gate { admission: Admission::Wake, ..Gate::closed(PATIENCE) });
        let next = tokio::spawn(async move { admitted(&mut next).await.map(drop) });
        assert_eq!(told.recv().await, Some(News::SessionWanted));
        gate.send_replace(Gate::closed(PATIENCE));
        assert_eq!(next.await.unwrap(), Err(Refused::Shut));
    }
}
