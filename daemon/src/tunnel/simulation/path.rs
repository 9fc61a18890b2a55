//! One session's data channel through the simulated gateway: two legs, and what gets lost between them.
//!
//! Frames for a side that is away are lost, as they may be with the real one (docs/protocol.md §9.8).

use super::sky::Sky;
use futures_util::future::pending;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use ssm_proto::WsFrame;
use ssm_proto::message::control::ChannelClosed;
use ssm_proto::message::{ClientMessage, Flags, MessageId, MessageType};
use ssm_session::Transport;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::bytes::Bytes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    Client,
    Agent,
}

/// What happens to a data channel.
pub(super) enum Change {
    /// A side has come, in place of where it was before.
    Attach(Leg, Transport),
    /// The leg is cut, and its side notices.
    Cut(Leg),
    /// Whatever is sent on the leg vanishes from now on, until it is another one.
    Darken(Leg),
    /// Frames take so long from now on.
    Delay(Duration),
    /// The session is over; the client is told in these words.
    Close(String),
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach(leg, _) => write!(f, "Attach({leg:?})"),
            Self::Cut(leg) => write!(f, "Cut({leg:?})"),
            Self::Darken(leg) => write!(f, "Darken({leg:?})"),
            Self::Delay(delay) => write!(f, "Delay({delay:?})"),
            Self::Close(output) => write!(f, "Close({output})"),
        }
    }
}

/// One side of it.
#[derive(Default)]
struct Side {
    transport: Option<Transport>,
    dark: bool,
    /// On the way to it.
    queue: VecDeque<(Instant, WsFrame)>,
}

impl Side {
    async fn frame(&mut self) -> Option<WsFrame> {
        match &mut self.transport {
            Some(transport) => transport.next().await.and_then(Result::ok),
            None => pending().await,
        }
    }

    fn detach(&mut self) {
        *self = Self::default();
    }

    /// Delivers what is due.
    fn deliver(&mut self, now: Instant) {
        while self.queue.front().is_some_and(|(due, _)| *due <= now) {
            let frame = self.queue.pop_front().map(|(_, frame)| frame);
            if let (Some(transport), Some(frame), false) = (&mut self.transport, frame, self.dark)
                && transport.send(frame).now_or_never().is_none_or(|sent| sent.is_err())
            {
                // Full or gone: either way it is no channel any more.
                self.detach();
            }
        }
    }
}

pub(super) async fn run(sky: Sky, id: String, mut changes: mpsc::UnboundedReceiver<Change>) {
    let (mut client, mut agent) = (Side::default(), Side::default());
    let mut delay = sky.between(Duration::from_millis(1)..Duration::from_millis(80));
    loop {
        let due = [&client, &agent].into_iter().filter_map(|side| side.queue.front().map(|(due, _)| *due)).min();
        tokio::select! {
            biased;
            change = changes.recv() => match change {
                None => return,
                Some(Change::Attach(leg, transport)) => {
                    let side = match leg { Leg::Client => &mut client, Leg::Agent => &mut agent };
                    *side = Side { transport: Some(transport), ..Side::default() };
                }
                Some(Change::Cut(leg)) => match leg { Leg::Client => &mut client, Leg::Agent => &mut agent }.detach(),
                Some(Change::Darken(leg)) => {
                    match leg { Leg::Client => &mut client, Leg::Agent => &mut agent }.dark = true;
                }
                Some(Change::Delay(longer)) => delay = longer,
                Some(Change::Close(output)) => {
                    if let Some(mut transport) = client.transport.take().filter(|_| !client.dark) {
                        drop(transport.send(closed(&id, output)).now_or_never());
                    }
                    return;
                }
            },
            frame = client.frame() => match frame {
                Some(frame) => relay(&sky, &mut client.dark, &mut agent, frame, delay),
                None => client.detach(),
            },
            frame = agent.frame() => match frame {
                Some(frame) => relay(&sky, &mut agent.dark, &mut client, frame, delay),
                None => agent.detach(),
            },
            () = async { match due { Some(due) => sleep_until(due).await, None => pending().await } } => {
                client.deliver(Instant::now());
                agent.deliver(Instant::now());
            }
        }
    }
}

fn relay(sky: &Sky, from_dark: &mut bool, to: &mut Side, frame: WsFrame, delay: Duration) {
    // The open message is the gateway's own; what is sent to nobody is lost.
    if *from_dark || to.transport.is_none() || matches!(frame, WsFrame::Text(_)) {
        return;
    }
    let last = to.queue.back().map(|(due, _)| *due);
    let due = (Instant::now() + delay).max(last.unwrap_or_else(Instant::now));
    let odd = sky.weather().odd_frame.is_some_and(|one_in| sky.random(|random| random.u32(..one_in)) == 0);
    match odd.then(|| sky.random(|random| random.u8(..3))) {
        Some(0) => {}
        Some(1) => to.queue.extend([(due, frame.clone()), (due, frame)]),
        Some(_) => {
            let place = to.queue.len().saturating_sub(1);
            to.queue.insert(place, (last.unwrap_or(due), frame));
        }
        None => to.queue.push_back((due, frame)),
    }
}

fn closed(id: &str, output: String) -> WsFrame {
    let payload = ChannelClosed {
        message_id: "00000000-0000-0000-0000-000000000000".into(),
        created_date: String::new(),
        destination_id: String::new(),
        session_id: id.to_owned(),
        message_type: MessageType::ChannelClosed.as_str().to_owned(),
        schema_version: 1,
        output: Some(output),
    };
    let payload = Bytes::from(serde_json::to_vec(&payload).unwrap());
    let message_id = MessageId::from_uuid_bytes([7; 16]);
    WsFrame::Binary(
        ClientMessage::unsequenced(MessageType::ChannelClosed, Flags::NONE, message_id, 0, payload).encode(),
    )
}
