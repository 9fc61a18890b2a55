//! [`Session`]: the handle by which everybody but the driver uses a session.
//!
//! Owns nothing but a share of the lock. It opens and accepts streams, hands in transports, and reports; data goes through
//! [`MuxStream`].

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ring::rand::{SecureRandom as _, SystemRandom};
use ssm_proto::{
    AgentProperties, CloseReason, Config, Load, OpenError, PortSession, SessionState, Stats, TokenValue, WallClock,
};
use tokio::sync::watch;

use crate::{
    driver::Driver,
    error::{SessionError, TransportLoss},
    shared::{Shared, State, now},
    stream::MuxStream,
    transport::Transport,
};

/// How long [`Session::terminate`] waits for the other side: the official agent answers within milliseconds, and the API call
/// that accompanies it does the same work.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(1);

/// Time for an answer to [`Session::check`]: longer than any path that a database is used over, shorter than anybody waits.
const CHECK_DEADLINE: Duration = Duration::from_secs(3);

/// An SSM session. Clones are handles to the same one.
#[derive(Clone)]
pub struct Session(Arc<Handle>);

/// Where a session stands.
#[derive(Clone, Debug)]
pub enum SessionStatus {
    /// Not established yet, whether a transport is attached or not.
    Opening,
    /// Data flows.
    Established,
    /// The transport was lost: attach another. Before the session was established this may come as well.
    Detached {
        /// What became of the transport.
        reason: TransportLoss,
    },
    /// Another transport is attached, but nothing was heard on it yet.
    Resuming,
    /// The transport is open, but something sent on it has been unacknowledged for
    /// [`Config::suspect_after`](ssm_proto::Config::suspect_after) and nothing was heard: the other side may be gone. Comes once
    /// for each transport, also where a target that does not read may be the reason. Any sign of life makes it `Established`
    /// again; without one, and without such a reason, [`Config::patience`](ssm_proto::Config::patience) ends the session.
    Suspect,
    /// Over for good.
    Closed(CloseReason),
}

/// Who the other side is, as it said in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    /// Four components, such as `3.3.987.0`.
    pub version: String,
    /// A message for the user; mostly empty.
    pub customer_message: String,
}

/// Counts the handles and streams of a session: when the last is dropped, the driver ends.
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        Shared::wake_driver(state);
    }
}

impl Session {
    /// Starts a client's session, with this process's clock and randomness. Attach a transport to it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn client(config: Config) -> Self {
        Self::spawn(PortSession::client(config, seed(), wall_clock(), now()))
    }

    /// Starts an agent's session, with this process's clock and randomness.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn agent(config: Config, properties: AgentProperties) -> Self {
        Self::spawn(PortSession::agent(config, properties, seed(), wall_clock(), now()))
    }

    /// Runs a session. Its time is tokio's, converted to `std`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(proto: PortSession) -> Self {
        let shared = Arc::new(Shared::new(proto));
        tokio::spawn(Driver::new(shared.clone()));
        Self(Arc::new(Handle(shared)))
    }

    /// Carries the session on over `transport`, the first one or a later one, in place of any older one; `token` opens it.
    /// After the end of the session the transport is dropped.
    pub fn attach(&self, transport: Transport, token: TokenValue) {
        self.shared().attach(transport, token);
    }

    /// Opens a stream, once the session is established. While it is detached the stream opens at once, and is frozen like all
    /// others. Whether the other side could connect it shows when it is read: there is no word of success.
    ///
    /// # Errors
    /// [`SessionError`]: over, or too many streams.
    pub async fn open_stream(&self) -> Result<MuxStream, SessionError> {
        let opened = self.shared().until(|state| match &state.over {
            Some(reason) => Some(Err(SessionError::Closed(reason.clone()))),
            None => match state.proto.open_stream(now()) {
                Ok(id) => {
                    state.insert_stream(id);
                    Some(Ok(id))
                }
                Err(OpenError::NotEstablished) => None,
                Err(OpenError::SessionClosed(reason)) => Some(Err(SessionError::Closed(reason))),
                Err(error @ (OpenError::TooManyStreams(_) | OpenError::IdsExhausted)) => {
                    Some(Err(SessionError::TooManyStreams(error)))
                }
            },
        });
        let id = opened.await?;
        Shared::wake_driver(self.shared().lock());
        Ok(MuxStream::new(self.0.clone(), id))
    }

    /// Agent: the next stream that the client opened; `None` when the session is over.
    pub async fn accept_stream(&self) -> Option<MuxStream> {
        let accepted = self.shared().until(|state| match state.proto.accept_stream() {
            Some(id) => {
                state.insert_stream(id);
                Some(Some(id))
            }
            None => state.over.is_some().then_some(None),
        });
        accepted.await.map(|id| MuxStream::new(self.0.clone(), id))
    }

    /// Where the session stands, now and from now on. It only ends with the session's last handle.
    pub fn status(&self) -> watch::Receiver<SessionStatus> {
        self.shared().status()
    }

    /// Waits until data may flow for the first time.
    ///
    /// # Errors
    /// [`SessionError::Closed`] if the session ends before that.
    pub async fn established(&self) -> Result<(), SessionError> {
        let established = |state: &mut State| match &state.over {
            Some(reason) => Some(Err(SessionError::Closed(reason.clone()))),
            None => matches!(state.proto.state(), SessionState::Established | SessionState::Detached).then_some(Ok(())),
        };
        self.shared().until(established).await
    }

    /// Waits for the end of the session.
    pub async fn closed(&self) -> CloseReason {
        self.shared().until(|state| state.over.clone()).await
    }

    /// Figures so far.
    pub fn stats(&self) -> Stats {
        self.shared().lock().proto.stats()
    }

    /// How busy the session is: to choose between several. Takes the lock for some loads, nothing more.
    pub fn load(&self) -> Load {
        self.shared().lock().proto.load()
    }

    /// Client: who the agent is, once it has said so.
    pub fn agent_identity(&self) -> Option<AgentIdentity> {
        self.shared().lock().agent.clone()
    }

    /// Sends smux keep-alives every `interval`, which count as activity for an idle policy; `None` stops them as far as the
    /// agent lives without.
    pub fn set_keep_alive(&self, interval: Option<Duration>) {
        let mut state = self.shared().lock();
        state.proto.set_keep_alive(interval, now());
        Shared::wake_driver(state);
    }

    /// Something has happened to this machine or its network: pings over the transport at once, and gives it up after 3 s
    /// without any answer, or the transport's own deadline if that is shorter. Without a transport, or while no input is
    /// wanted, there is nothing to check.
    pub fn check(&self) {
        let mut state = self.shared().lock();
        state.check = Some(CHECK_DEADLINE);
        Shared::wake_driver(state);
    }

    /// Client: asks the agent to end the session, waits up to a second for it to say so, and ends it here. Without a transport
    /// nobody can be asked, and it ends at once. The API's TerminateSession should be called as well.
    pub async fn terminate(&self) {
        let asked = {
            let mut state = self.shared().lock();
            let connected = state.proto.state() == SessionState::Established;
            state.proto.terminate(now());
            Shared::wake_driver(state);
            connected
        };
        if asked {
            // Late or not: it ends.
            let _ = tokio::time::timeout(TERMINATE_PATIENCE, self.closed()).await;
        }
        self.close();
    }

    /// Agent: waits until the client asks to end the session (or it is over). The caller then ends its streams and closes.
    pub async fn terminate_requested(&self) {
        self.shared().until(|state| (state.terminate_requested || state.over.is_some()).then_some(())).await;
    }

    /// Ends the session here and now, as [`CloseReason::Terminated`]; what is already on its way out is sent for up to a
    /// second. The other side is not told: that is [`Session::terminate`]'s.
    pub fn close(&self) {
        self.shared().close(CloseReason::Terminated);
    }

    fn shared(&self) -> &Shared {
        self.0.shared()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("status", &*self.status().borrow()).finish_non_exhaustive()
    }
}

fn wall_clock() -> WallClock {
    // A clock before 1970 dates messages wrongly, which the protocol does not mind.
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallClock::new(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX), now())
}

fn seed() -> u64 {
    let mut seed = [0; 8];
    SystemRandom::new().fill(&mut seed).expect("the operating system has randomness");
    u64::from_le_bytes(seed)
}
