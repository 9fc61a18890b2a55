//! [`Shared`]: the protocol machine behind a lock, and who is to be woken about what.
//!
//! The lock rules: it is a plain mutex, held for one call into [`PortSession`] or one turn of the driver, never over an await
//! and never while a transport is polled. Wakers are taken under it and woken after it. The status is written under it, so that
//! its order is that of what happened.
//!
//! Wakers are stored where they are looked for: the driver's in `State::driver`, a stream's in `State::streams`. A handle that
//! gave the driver something to do ends with [`Shared::wake_driver`]; the driver stores its waker before it looks for work, so
//! no wake-up can fall between.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use ssm_proto::{CloseReason, Event, PortSession, SessionState, StreamId, TokenValue};
use tokio::sync::{Notify, watch};

use crate::{
    error::{TransportError, TransportLoss},
    session::{AgentIdentity, SessionStatus},
    transport::Transport,
};

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something that a [`Shared::until`] may wait for has changed.
    news: Notify,
    status: watch::Sender<SessionStatus>,
}

pub(crate) struct State {
    pub(crate) proto: PortSession,
    /// Why the session is over, be it by the protocol or by [`Session::close`](crate::Session::close).
    pub(crate) over: Option<CloseReason>,
    /// The last handle and stream are gone.
    pub(crate) abandoned: bool,
    /// The driver stopped reading because the protocol wanted no input: whoever changes that must wake it.
    pub(crate) input_paused: bool,
    /// Counts attached transports: tells the driver that its own is an old one.
    pub(crate) generation: u64,
    /// The driver is to check its transport, with so much time for an answer.
    pub(crate) check: Option<Duration>,
    /// A transport that the driver has not fetched yet.
    pub(crate) attached: Option<Transport>,
    pub(crate) agent: Option<AgentIdentity>,
    pub(crate) terminate_requested: bool,
    streams: HashMap<StreamId, StreamWakers>,
    driver: Option<Waker>,
}

/// The tasks that wait for one stream.
#[derive(Default)]
struct StreamWakers {
    read: Option<Waker>,
    write: Option<Waker>,
}

/// Tokio's clock as the protocol takes it: tests can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Shared {
    pub(crate) fn new(proto: PortSession) -> Self {
        Self {
            state: Mutex::new(State {
                proto,
                over: None,
                abandoned: false,
                input_paused: false,
                generation: 0,
                check: None,
                attached: None,
                agent: None,
                terminate_requested: false,
                streams: HashMap::new(),
                driver: None,
            }),
            news: Notify::new(),
            status: watch::Sender::new(SessionStatus::Opening),
        }
    }

    /// Locks. A panic elsewhere is no reason to panic here too, least of all in a `Drop`.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unlocks, and has the driver look for work.
    pub(crate) fn wake_driver(mut state: MutexGuard<'_, State>) {
        let waker = state.driver.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until `check` finds something; it is asked now and whenever there is news.
    pub(crate) async fn until<T>(&self, mut check: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(found) = check(&mut self.lock()) {
                return found;
            }
            news.await;
        }
    }

    pub(crate) fn status(&self) -> watch::Receiver<SessionStatus> {
        self.status.subscribe()
    }

    /// Connects the protocol to a new transport, which the driver will fetch.
    pub(crate) fn attach(&self, transport: Transport, token: TokenValue) {
        let mut state = self.lock();
        if state.over.is_some() {
            return;
        }
        let resumes = matches!(state.proto.state(), SessionState::Established | SessionState::Detached);
        state.proto.handle_disconnect(now());
        state.proto.handle_connect(token, now());
        state.generation += 1;
        let unfetched = state.attached.replace(transport);
        self.set_status(if resumes { SessionStatus::Resuming } else { SessionStatus::Opening });
        Self::wake_driver(state);
        drop(unfetched);
    }

    /// The driver's transport is lost. That is no news of a session that is over.
    pub(crate) fn detach(&self, state: &mut State, error: TransportError) {
        state.proto.handle_disconnect(now());
        if state.over.is_some() {
            return;
        }
        let reason = TransportLoss::new(error);
        tracing::debug!(%reason, "transport lost");
        self.set_status(SessionStatus::Detached { reason });
    }

    /// Ends the session from this side: at once for everybody here, whatever the other side knows.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut state = self.lock();
        let mut wakers = Vec::new();
        self.end(&mut state, reason, &mut wakers);
        Self::wake_driver(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Turns the protocol's news into wake-ups and status.
    pub(crate) fn drain_events(&self, state: &mut State, wakers: &mut Vec<Waker>) {
        let mut news = false;
        while let Some(event) = state.proto.poll_event() {
            news |= !matches!(event, Event::StreamReadable(_) | Event::StreamWritable(_));
            match event {
                Event::StreamReadable(id) => {
                    wakers.extend(state.streams.get_mut(&id).and_then(|stream| stream.read.take()));
                }
                Event::StreamWritable(id) => {
                    wakers.extend(state.streams.get_mut(&id).and_then(|stream| stream.write.take()));
                }
                Event::AgentIdentified { agent_version, customer_message } => {
                    state.agent = Some(AgentIdentity { version: agent_version, customer_message });
                }
                Event::Established | Event::Resumed => self.set_status(SessionStatus::Established),
                Event::Suspect => self.set_status(SessionStatus::Suspect),
                Event::TerminateRequested => state.terminate_requested = true,
                Event::Closed(reason) => self.end(state, reason, wakers),
                // Streams wait in `accept_stream`; the acknowledged end follows as `Closed`.
                Event::StreamOpened(_) | Event::TerminateAcked => {}
            }
        }
        if news {
            self.news.notify_waiters();
        }
    }

    fn end(&self, state: &mut State, reason: CloseReason, wakers: &mut Vec<Waker>) {
        if state.over.is_some() {
            return;
        }
        tracing::debug!(%reason, "session over");
        state.over = Some(reason.clone());
        for stream in state.streams.values_mut() {
            wakers.extend(stream.read.take());
            wakers.extend(stream.write.take());
        }
        self.set_status(SessionStatus::Closed(reason));
        self.news.notify_waiters();
    }

    fn set_status(&self, status: SessionStatus) {
        self.status.send_replace(status);
    }
}

impl State {
    /// Stores the driver's waker.
    pub(crate) fn register_driver(&mut self, waker: &Waker) {
        match &mut self.driver {
            Some(stored) => stored.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    pub(crate) fn insert_stream(&mut self, id: StreamId) {
        self.streams.insert(id, StreamWakers::default());
    }

    pub(crate) fn remove_stream(&mut self, id: StreamId) {
        self.streams.remove(&id);
    }

    /// Has `waker` woken by the stream's next `StreamReadable`.
    pub(crate) fn await_readable(&mut self, id: StreamId, waker: &Waker) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.read = Some(waker.clone());
        }
    }

    /// Has `waker` woken by the stream's next `StreamWritable`.
    pub(crate) fn await_writable(&mut self, id: StreamId, waker: &Waker) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.write = Some(waker.clone());
        }
    }
}
