//! The table of streams: ids, fair output, the shared receive budget and who is told what.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::{Command, FrameDecoder, FrameError, HEADER_LEN, Header, Item};
use super::stream::{Local, Read, Stream};
use super::turns::Turns;
use crate::config::Config;
use crate::error::{OpenError, StreamError};
use crate::event::{Event, StreamId};
use crate::session::Side;

/// First id a client opens; then every second one (`docs/protocol.md` §6.2).
const FIRST_CLIENT_STREAM: u32 = 3;

/// Largest payload of a frame.
const MAX_FRAME: usize = u16::MAX as usize;

/// Streams whose FIN was sent are kept until the other side's FIN, so that a "could not connect" flag finds its stream.
/// An agent that never answers FIN must not make them pile up.
const MAX_ABANDONED: usize = 4096;

/// Bytes that applications wrote at one end and read at the other: no headers, no padding, no resends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// Many streams in one byte pipe.
#[derive(Debug)]
pub(crate) struct Mux {
    side: Side,
    max_streams: usize,
    send_limit: usize,
    receive_budget: usize,
    streams: BTreeMap<StreamId, Stream>,
    abandoned: usize,
    next_id: Option<u32>,
    turns: Turns,
    nop_pending: bool,
    accept: VecDeque<StreamId>,
    /// Received bytes that no application has read, over all streams.
    unread: usize,
    /// Written bytes that were not sent, over all streams.
    unsent: usize,
    /// Stream bytes sent and received since the beginning.
    carried: Carried,
    decoder: FrameDecoder,
    /// "Could not connect" flags whose stream's FIN has not come yet (§6.5).
    refusals: usize,
    events: VecDeque<Event>,
}

impl Mux {
    pub(crate) fn new(side: Side, config: &Config) -> Self {
        Self {
            side,
            max_streams: config.max_streams,
            send_limit: config.stream_send_buffer,
            receive_budget: config.receive_budget,
            streams: BTreeMap::new(),
            abandoned: 0,
            next_id: (side == Side::Client).then_some(FIRST_CLIENT_STREAM),
            turns: Turns::default(),
            nop_pending: false,
            accept: VecDeque::new(),
            unread: 0,
            unsent: 0,
            carried: Carried::default(),
            decoder: FrameDecoder::default(),
            refusals: 0,
            events: VecDeque::new(),
        }
    }

    // ---- application ----

    pub(crate) fn open(&mut self) -> Result<StreamId, OpenError> {
        if self.len() >= self.max_streams {
            return Err(OpenError::TooManyStreams(self.max_streams));
        }
        let id = self.next_id.ok_or(OpenError::IdsExhausted)?;
        self.next_id = id.checked_add(2);
        let id = StreamId(id);
        self.streams.insert(id, Stream::new(true));
        self.queue_output(id);
        Ok(id)
    }

    pub(crate) fn accept(&mut self) -> Option<StreamId> {
        self.accept.pop_front()
    }

    pub(crate) fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, StreamError> {
        let limit = self.send_limit;
        let stream = self.live(id)?;
        if stream.refused {
            return Err(StreamError::Refused);
        }
        if stream.remote_fin || stream.local != Local::Open {
            return Err(StreamError::Closed);
        }
        let taken = stream.write(data, limit);
        stream.wants_writable = taken < data.len();
        self.unsent += taken;
        self.queue_output(id);
        Ok(taken)
    }

    pub(crate) fn read(&mut self, id: StreamId, buf: &mut impl BufMut) -> Result<Read, StreamError> {
        let stream = self.live(id)?;
        let n = stream.read(buf);
        if n > 0 {
            self.unread -= n;
            return Ok(Read::Data(n));
        }
        if stream.unread() > 0 {
            return Ok(Read::Pending); // the caller's buffer has no room
        }
        if stream.refused {
            return Err(StreamError::Refused);
        }
        if stream.remote_fin {
            return Ok(Read::Eof);
        }
        stream.wants_readable = true;
        Ok(Read::Pending)
    }

    /// Half-close: see [`Local::HalfClosed`].
    pub(crate) fn shutdown(&mut self, id: StreamId) {
        if let Ok(stream) = self.live(id)
            && stream.local == Local::Open
        {
            stream.local = if stream.remote_fin { Local::Closing } else { Local::HalfClosed };
            self.queue_output(id);
        }
    }

    /// The application lets go: FIN goes out behind what it wrote, or in place of it if `discard_unsent`.
    pub(crate) fn close(&mut self, id: StreamId, discard_unsent: bool) {
        let Ok(stream) = self.live(id) else { return };
        stream.abandoned = true;
        // After the remote's FIN nobody is there to read what is left.
        let discarded = if discard_unsent || stream.remote_fin { stream.discard_unsent() } else { 0 };
        if stream.local != Local::FinSent {
            stream.local = Local::Closing;
        }
        let unread = stream.discard_unread();
        self.unsent -= discarded;
        self.unread -= unread;
        self.abandoned += 1;
        self.queue_output(id);
        self.forget_if_over(id);
        self.bound_abandoned();
    }

    /// Queues a keep-alive frame.
    pub(crate) fn queue_nop(&mut self) {
        self.nop_pending = true;
    }

    /// Wakes every stream because the session is over; reads and writes now tell why.
    pub(crate) fn wake_all(&mut self) {
        for (&id, stream) in &mut self.streams {
            if !stream.abandoned {
                Self::tell_readable(&mut self.events, id, stream);
                Self::tell_writable(&mut self.events, id, stream);
            }
        }
    }

    // ---- network ----

    /// `caught_up`: nothing of ours is on its way.
    pub(crate) fn handle_bytes(&mut self, mut input: Bytes, caught_up: bool) -> Result<(), FrameError> {
        while let Some(item) = self.decoder.decode(&mut input)? {
            match item {
                Item::Syn(id) => self.handle_syn(id),
                Item::Fin(id) => self.handle_fin(id),
                Item::Data(id, data) => self.handle_data(id, data, caught_up),
                Item::Nop => {}
            }
        }
        Ok(())
    }

    /// The agent could not connect some stream: the next FIN on one that had no data tells which (§6.5).
    pub(crate) fn handle_connect_error(&mut self) {
        // More flags than streams cannot be meant seriously.
        self.refusals = (self.refusals + 1).min(self.streams.len());
    }

    fn handle_syn(&mut self, id: StreamId) {
        match self.side {
            // An agent never opens streams (§6.2): answered with FIN and ignored.
            Side::Client => {
                if !self.streams.contains_key(&id) {
                    self.insert_rejected(id);
                }
            }
            Side::Agent => {
                if self.streams.get(&id).is_some_and(|stream| !stream.abandoned) {
                    return; // §6.2: a SYN for a live stream is ignored
                }
                if self.len() >= self.max_streams {
                    self.insert_rejected(id);
                    return;
                }
                self.insert(id, Stream::new(false));
                self.accept.push_back(id);
                self.events.push_back(Event::StreamOpened(id));
            }
        }
    }

    fn insert_rejected(&mut self, id: StreamId) {
        if self.abandoned >= MAX_ABANDONED {
            return; // nobody reads our FINs either: a flood gets no answer and no memory
        }
        let mut stream = Stream::new(false);
        stream.abandoned = true;
        stream.local = Local::Closing;
        self.insert(id, stream);
        self.abandoned += 1;
        self.queue_output(id);
        self.bound_abandoned();
    }

    /// Puts a stream in, in place of one that was abandoned, if any.
    fn insert(&mut self, id: StreamId, mut stream: Stream) {
        if let Some(mut old) = self.streams.remove(&id) {
            self.abandoned -= 1;
            self.unsent -= old.discard_unsent();
            stream.in_turns = old.in_turns;
        }
        self.streams.insert(id, stream);
    }

    fn handle_data(&mut self, id: StreamId, data: Bytes, caught_up: bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        self.carried.received += data.len() as u64;
        stream.had_data = true;
        if caught_up && stream.unsent() == 0 {
            stream.unanswered = 0;
        }
        if stream.abandoned || stream.remote_fin {
            return;
        }
        self.unread += data.len();
        stream.receive(data);
        Self::tell_readable(&mut self.events, id, stream);
    }

    fn handle_fin(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.remote_fin {
            return;
        }
        stream.remote_fin = true;
        if self.refusals > 0 && !stream.had_data {
            self.refusals -= 1;
            stream.refused = true;
        }
        // The withheld FIN has nothing left to protect.
        if stream.local == Local::HalfClosed {
            stream.local = Local::Closing;
        }
        if !stream.abandoned {
            Self::tell_readable(&mut self.events, id, stream);
            Self::tell_writable(&mut self.events, id, stream);
        }
        // §6.6: the agent forgot the stream with its FIN; on the agent's side this is the client's full close, behind
        // which the target's last bytes have no reader.
        self.unsent -= stream.discard_unsent();
        self.queue_output(id);
        self.forget_if_over(id);
    }

    // ---- output ----

    pub(crate) fn has_output(&mut self) -> bool {
        self.nop_pending || self.has_stream_output()
    }

    /// Whether there is more to send than a NOP.
    pub(crate) fn has_stream_output(&mut self) -> bool {
        self.turns.next(&mut self.streams).is_some()
    }

    /// Bytes that [`Mux::poll_output`] would write for a payload of `max` bytes, or a little more: to allocate for.
    pub(crate) fn output_hint(&self, max: usize) -> usize {
        max.min(self.unsent + (1 + 3 * self.turns.len()) * HEADER_LEN)
    }

    /// Appends whole frames of the waiting streams, turn by turn, up to `max` bytes.
    pub(crate) fn poll_output(&mut self, max: usize, out: &mut BytesMut) {
        let end = out.len() + max;
        let room = |out: &BytesMut| end.saturating_sub(out.len());
        if self.nop_pending && room(out) >= HEADER_LEN {
            self.nop_pending = false;
            put_frame(out, Command::Nop, 0, StreamId(0));
        }
        while room(out) >= HEADER_LEN
            && let Some(id) = self.turns.next(&mut self.streams)
            && let Some(stream) = self.streams.get_mut(&id)
        {
            if stream.syn_pending {
                stream.syn_pending = false;
                put_frame(out, Command::Syn, 0, id);
            }
            let most = self.turns.allowance(stream).min(MAX_FRAME).min(room(out).saturating_sub(HEADER_LEN));
            let data = stream.unsent().min(most);
            if data > 0 {
                put_frame(out, Command::Psh, u16::try_from(data).expect("MAX_FRAME fits a u16"), id);
                stream.take_unsent(data, out);
                self.turns.charge(stream, data);
                self.unsent -= data;
                self.carried.sent += data as u64;
                if stream.wants_writable {
                    Self::tell_writable(&mut self.events, id, stream);
                }
            }
            if stream.local == Local::Closing && stream.unsent() == 0 && room(out) >= HEADER_LEN {
                stream.local = Local::FinSent;
                put_frame(out, Command::Fin, 0, id);
            } else if data == 0 && stream.has_output() {
                return; // no room for its next frame
            }
            self.forget_if_over(id);
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    // ---- look ----

    /// Streams that an application holds.
    pub(crate) fn len(&self) -> usize {
        self.streams.len() - self.abandoned
    }

    /// Whether there is room for more received data. Version 1 has no window per stream: one slow reader ends up stopping
    /// all, as smux means it (§6.2).
    pub(crate) fn has_receive_budget(&self) -> bool {
        self.unread < self.receive_budget
    }

    /// Bytes sent into streams that the other side has not closed, and that nothing which came back says it has read.
    pub(crate) fn unanswered(&self) -> usize {
        self.streams.values().filter(|stream| !stream.remote_fin).map(|stream| stream.unanswered).sum()
    }

    /// Written bytes that were not sent.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    pub(crate) fn carried(&self) -> Carried {
        self.carried
    }

    /// Whether an application that does not read is on the way to stop all others.
    pub(crate) fn is_stalled(&self) -> bool {
        self.unread >= self.receive_budget / 2
    }

    /// Received bytes that no application has read.
    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    fn live(&mut self, id: StreamId) -> Result<&mut Stream, StreamError> {
        self.streams.get_mut(&id).filter(|stream| !stream.abandoned).ok_or(StreamError::Unknown)
    }

    fn queue_output(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            self.turns.join(id, stream);
        }
    }

    fn forget_if_over(&mut self, id: StreamId) {
        if self.streams.get(&id).is_some_and(Stream::is_over) {
            self.streams.remove(&id);
            self.abandoned -= 1;
        }
    }

    fn bound_abandoned(&mut self) {
        if self.abandoned > MAX_ABANDONED
            && let Some(oldest) =
                self.streams.iter().find(|(_, s)| s.abandoned && s.local == Local::FinSent).map(|(&id, _)| id)
        {
            self.streams.remove(&oldest);
            self.abandoned -= 1;
        }
    }

    fn tell_readable(events: &mut VecDeque<Event>, id: StreamId, stream: &mut Stream) {
        if std::mem::take(&mut stream.wants_readable) {
            events.push_back(Event::StreamReadable(id));
        }
    }

    fn tell_writable(events: &mut VecDeque<Event>, id: StreamId, stream: &mut Stream) {
        if std::mem::take(&mut stream.wants_writable) {
            events.push_back(Event::StreamWritable(id));
        }
    }
}

fn put_frame(out: &mut BytesMut, command: Command, length: u16, stream: StreamId) {
    out.put_slice(&Header { command, length, stream }.encode());
}

#[cfg(test)]
mod tests;
