//! Serves one data socket of a session: what it sends goes into the lane to the other side, what
//! the other side's lane delivers goes out.
//!
//! One task per socket runs both directions; neither waits for the other. Messages are relayed
//! unmodified and in order. The task ends when the socket is lost, replaced or cut, or the session
//! is over; then the seat is given back.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use ssm_proto::WsFrame;
use ssm_proto::channel::open::Role;
use ssm_proto::message::{MessageHead, MessageType};
use ssm_session::{MAX_MESSAGE_SIZE, TransportError};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::faults::{Reach, TooLarge};
use crate::lane::Taken;
use crate::messages;
use crate::service::Service;
use crate::session::{End, Seat, Session, SocketCommand};
use crate::socket::DataSocket;

/// Most frames read before they are passed on.
const READ_BATCH: usize = 256;
/// How long what is on its way to the client may take to arrive before `channel_closed`.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// RFC 6455 §7.4.1: a message is too big to process.
const MESSAGE_TOO_BIG: u16 = 1009;

type Reading = SplitStream<DataSocket>;
type Writing = SplitSink<DataSocket, WsFrame>;

/// Why a socket's task ends.
enum Departure {
    Lost(TransportError),
    /// By a message that is too large for the gateway.
    TooLarge,
    Replaced,
    Bye,
    Reset,
    HalfOpen(Option<Duration>),
    SessionEnded(End),
    Shutdown,
}

/// Until when nothing passes.
#[derive(Clone, Copy)]
enum Silence {
    /// A black hole, of this length if it has one.
    For(Option<Duration>),
    /// The way to the gateway swallows everything.
    OfTheGateway,
}

/// Relays for `socket` in its `seat` until one of them is gone.
pub(crate) async fn serve(service: &Arc<Service>, session: &Arc<Session>, mut seat: Seat, socket: DataSocket) {
    let (role, epoch) = (seat.role, seat.epoch);
    tracing::debug!(session = session.id, ?role, epoch, "data channel open");
    let relay = Relay { service, session, role, epoch };
    let (mut writing, mut reading) = socket.split();
    let mut sending = VecDeque::new();
    let departure = relay.run(&mut seat.commands, &mut reading, &mut writing, &mut sending).await;
    let away = service.faults.get().away;
    let Ok(socket) = writing.reunite(reading) else {
        unreachable!("both halves come from one split");
    };
    match departure {
        Departure::Lost(why) => {
            tracing::debug!(session = session.id, ?role, %why, "data channel lost");
            session.leave(role, epoch, away);
        }
        Departure::TooLarge => {
            session.leave(role, epoch, away);
            socket.close(MESSAGE_TOO_BIG, "Message too big").await;
        }
        Departure::Replaced => {
            session.leave(role, epoch, away);
            socket.close(1000, "Replaced").await;
        }
        Departure::Bye => {
            session.leave(role, epoch, away);
            socket.bye().await;
        }
        Departure::Reset => {
            session.leave(role, epoch, away);
            socket.reset();
        }
        Departure::HalfOpen(time) => {
            session.leave(role, epoch, away);
            relay.hold_open(time).await;
            socket.reset();
        }
        Departure::SessionEnded(end) => relay.say_goodbye(socket, sending, &end).await,
        Departure::Shutdown => socket.bye().await,
    }
    session.leave(role, epoch, away);
}

struct Relay<'a> {
    service: &'a Arc<Service>,
    session: &'a Arc<Session>,
    role: Role,
    epoch: u64,
}

impl Relay<'_> {
    async fn run(
        &self,
        commands: &mut mpsc::Receiver<SocketCommand>,
        reading: &mut Reading,
        writing: &mut Writing,
        sending: &mut VecDeque<Bytes>,
    ) -> Departure {
        // Outside the futures below: a black hole drops those, and nothing may be lost by it.
        let mut received = VecDeque::new();
        loop {
            let command = tokio::select! {
                end = self.session.ended() => return Departure::SessionEnded(end),
                () = self.service.shutdown.cancelled() => return Departure::Shutdown,
                command = commands.recv() => command,
                reach = self.out_of_reach() => match reach {
                    Reach::Closed => return Departure::Reset,
                    _ => match self.silence(Silence::OfTheGateway, commands).await {
                        Some(departure) => return departure,
                        None => continue,
                    },
                },
                departure = self.receive(reading, &mut received) => return departure,
                departure = self.send(writing, sending) => return departure,
            };
            let departure = match told(command.as_ref()) {
                Told::Leave(departure) => Some(departure),
                Told::Say(frame) => {
                    sending.push_back(frame);
                    None
                }
                Told::BeSilent(silence) => self.silence(silence, commands).await,
            };
            if let Some(departure) = departure {
                return departure;
            }
        }
    }

    /// Resolves when a client cannot reach the gateway any more, with how.
    async fn out_of_reach(&self) -> Reach {
        if self.role == Role::Agent {
            // It has a network of its own: `offline` is about that.
            return pending().await;
        }
        self.service.faults.until_not(Reach::Up, |faults| faults.gateway).await;
        self.service.faults.look(|faults| faults.gateway)
    }

    /// Neither reads nor writes until it is over; then `None`.
    async fn silence(&self, mut silence: Silence, commands: &mut mpsc::Receiver<SocketCommand>) -> Option<Departure> {
        let given_up = self.given_up();
        tokio::pin!(given_up);
        loop {
            let over = async {
                match silence {
                    Silence::For(time) => nothing_for(time).await,
                    Silence::OfTheGateway => {
                        self.service.faults.until_not(Reach::Silent, |faults| faults.gateway).await;
                    }
                }
            };
            tokio::select! {
                () = over => return None,
                () = &mut given_up => return Some(Departure::Lost(TransportError::Aborted)),
                () = self.service.shutdown.cancelled() => return Some(Departure::Reset),
                // Not even the end of the session comes through; if nothing ever will, there is no use in waiting.
                _ = self.session.ended(), if matches!(silence, Silence::For(None)) => return Some(Departure::Reset),
                command = commands.recv() => match told(command.as_ref()) {
                    Told::Leave(departure) => return Some(departure),
                    Told::BeSilent(other) => silence = other,
                    // It is swallowed like everything else.
                    Told::Say(_) => {}
                },
            }
        }
    }

    /// Resolves when the built-in agent, whose pings would be unanswered now, gives its channel up. Everybody else
    /// closes their own end.
    async fn given_up(&self) {
        if self.role == Role::Agent && self.service.has_builtin_agent() {
            sleep(self.service.faults.get().agent_patience()).await;
        } else {
            pending::<()>().await;
        }
    }

    /// What comes on this channel comes from a process that is dead.
    fn is_killed(&self) -> bool {
        self.role == Role::Agent && self.session.worker_killed.is_cancelled()
    }

    /// Holds on to a connection that the gateway has forgotten.
    async fn hold_open(&self, time: Option<Duration>) {
        tokio::select! {
            () = nothing_for(time) => {}
            () = self.given_up() => {}
            () = self.service.shutdown.cancelled() => {}
            _ = self.session.ended(), if time.is_none() => {}
        }
    }

    /// Socket to lane.
    async fn receive(&self, reading: &mut Reading, received: &mut VecDeque<Bytes>) -> Departure {
        let lane = self.session.lane_from(self.role);
        loop {
            let faults = self.service.faults.get();
            lane.push(received, &faults).await;
            let departure = self.read_batch(reading, received).await;
            if self.is_killed() {
                // Our agent closes its streams as it goes; a process that is killed says nothing.
                received.clear();
            }
            if let Some(departure) = departure {
                // What came before the end is still worth delivering, if there is room.
                let faults = self.service.faults.get();
                let _ = timeout(Duration::ZERO, lane.push(received, &faults)).await;
                return departure;
            }
        }
    }

    /// Reads what is there, at least one message that is to be relayed.
    async fn read_batch(&self, reading: &mut Reading, into: &mut VecDeque<Bytes>) -> Option<Departure> {
        poll_fn(|cx| {
            for _ in 0..READ_BATCH {
                match reading.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(WsFrame::Binary(frame)))) => {
                        let passes = self.passes(&frame);
                        match self.service.faults.look(|faults| faults.refuses(frame.len())) {
                            None if passes => into.push_back(frame),
                            None | Some(TooLarge::Drop) => {}
                            Some(TooLarge::Close) => return Poll::Ready(Some(Departure::TooLarge)),
                        }
                    }
                    // After the open message both sides use binary frames only.
                    Poll::Ready(Some(Ok(WsFrame::Text(_)))) => {}
                    Poll::Ready(Some(Err(lost))) => return Poll::Ready(Some(Departure::Lost(lost))),
                    Poll::Ready(None) => return Poll::Ready(Some(Departure::Lost(TransportError::Aborted))),
                    Poll::Pending if into.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(None)
        })
        .await
    }

    /// Counts a message; false: it is not for the other side.
    fn passes(&self, frame: &Bytes) -> bool {
        // What is no message at all is relayed too: the gateway need not understand it.
        let Some(head) = MessageHead::peek(frame) else {
            return true;
        };
        let counters = &self.session.counters;
        match self.role {
            Role::Client => counters.up.count(&head, frame.len()),
            Role::Agent => counters.down.count(&head, frame.len()),
        }
        match head.message_type {
            // docs/protocol.md §5.1: meant for the gateway.
            MessageType::AgentSessionState => false,
            MessageType::InputStreamData => {
                if self.role == Role::Client {
                    self.session.touch();
                }
                true
            }
            _ => true,
        }
    }

    /// Lane to socket: everything that is due, then one flush.
    async fn send(&self, writing: &mut Writing, sending: &mut VecDeque<Bytes>) -> Departure {
        loop {
            if let Err(lost) = write_batch(writing, sending).await {
                return Departure::Lost(lost);
            }
            match self.session.lane_to(self.role).take(self.epoch, sending).await {
                Taken::Some => {}
                Taken::Replaced => return Departure::Replaced,
                // The end of the session is dealt with in `run`.
                Taken::Finished => pending().await,
            }
        }
    }

    /// The session is over: what is on its way still arrives, then `channel_closed`.
    async fn say_goodbye(&self, mut socket: DataSocket, mut sending: VecDeque<Bytes>, end: &End) {
        let last = match self.role {
            Role::Client => messages::channel_closed_to_client(self.service, self.session, &end.output),
            Role::Agent => messages::channel_closed_to_agent(self.service, self.session),
        };
        let told = timeout(LAST_WORDS, async {
            if self.role == Role::Client {
                let lane = self.session.lane_to(self.role);
                lane.finish();
                write_batch(&mut socket, &mut sending).await?;
                while lane.take(self.epoch, &mut sending).await == Taken::Some {
                    write_batch(&mut socket, &mut sending).await?;
                }
            }
            socket.send(WsFrame::Binary(last)).await
        })
        .await;
        match told {
            Ok(Ok(())) => socket.close(1000, "").await,
            _ => socket.reset(),
        }
    }
}

/// Writes all of `sending` in order and flushes once. A frame leaves `sending` only when the socket
/// has taken it, so that dropping the future between frames loses none.
async fn write_batch<S>(socket: &mut S, sending: &mut VecDeque<Bytes>) -> Result<(), TransportError>
where
    S: futures_util::Sink<WsFrame, Error = TransportError> + Unpin,
{
    while let Some(frame) = sending.front() {
        socket.feed(WsFrame::Binary(frame.clone())).await?;
        sending.pop_front();
    }
    socket.flush().await
}

/// What a command makes of a socket.
enum Told {
    Leave(Departure),
    BeSilent(Silence),
    Say(Bytes),
}

fn told(command: Option<&SocketCommand>) -> Told {
    Told::Leave(match command {
        None | Some(SocketCommand::Replaced) => Departure::Replaced,
        Some(SocketCommand::Bye) => Departure::Bye,
        Some(SocketCommand::Reset) => Departure::Reset,
        Some(SocketCommand::HalfOpen(time)) => Departure::HalfOpen(*time),
        Some(SocketCommand::Blackhole(time)) => return Told::BeSilent(Silence::For(*time)),
        Some(SocketCommand::Oversized) => return Told::Say(vec![0; MAX_MESSAGE_SIZE + 1].into()),
    })
}

async fn nothing_for(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}
