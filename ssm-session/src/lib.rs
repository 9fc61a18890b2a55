#![warn(missing_docs)]
//! SSM port sessions on tokio: a websocket in, `AsyncRead + AsyncWrite` streams out.
//!
//! ```text
//!   Session, MuxStream        cheap handles: lock, one call into the protocol, wake
//!          │  Shared          the lock, and who waits for what
//!        Driver               the one task: transport ⇄ PortSession ⇄ timer
//!          │  Link            batches of frames, to and from the Transport
//!   WebSocket / memory_pair   ◄── connect(): Network (TCP, proxy, TLS), signed upgrade of a StreamUrl
//! ```
//!
//! The protocol itself is `ssm-proto`; this crate gives it a clock, a socket and wakers, and decides nothing about it. Client
//! and agent use it alike. It makes no AWS calls: who resumes a session calls ResumeSession, [`connect()`]s and
//! [`Session::attach`]es.
//!
//! # What a session promises
//!
//! **It outlives its transports.** When a websocket is lost the session is [`Detached`](SessionStatus::Detached): streams
//! freeze and lose nothing, until the next transport is attached. There is no limit of time or tries here.
//!
//! **Back-pressure, both ways.** A write waits while its stream's buffer is full, which is while the other side does not
//! acknowledge. While received data lies unread beyond the session's budget, nothing more is read from the transport, so that
//! a slow reader becomes TCP back-pressure; the protocol has no window per stream, so it then holds up its neighbours as well.
//! No queue here is unbounded.
//!
//! **Closing.** Dropping or closing a [`MuxStream`] closes it whole: FIN leaves behind what was written. `shutdown` only ends
//! writing, and the answer still arrives: FIN is withheld until the other side's, since an agent that gets FIN stops sending.
//! A session ends by [`Session::terminate`], [`Session::close`], or the other side; its streams then read what had arrived, and
//! fail with `ConnectionReset`. When the last handle and stream are dropped, the driver sends what is ready and ends.
//!
//! **Cancel safety.** Every future here may be dropped at any point, such as in `select!`: no data is lost or written twice, no
//! stream leaks. A cancelled [`Session::terminate`] has still asked the other side.

mod connect;
mod dial;
mod driver;
mod error;
mod http_connect;
mod link;
mod memory;
mod network;
mod partition;
mod proxy;
mod session;
mod shared;
mod signing;
pub mod sigv4;
mod stream;
mod stream_url;
mod tls;
mod transport;
mod websocket;

pub use connect::{Connect, connect, connect_with};
pub use error::{
    BundleProblem, ConnectError, ConnectPhase, ProxyError, SessionError, SignError, TlsSetupError, TransportError,
    TransportLoss,
};
pub use memory::memory_pair;
pub use network::{Destination, Io, Network, Stream};
pub use proxy::{Proxies, ProxyName};
pub use session::{AgentIdentity, Session, SessionStatus};
pub use signing::{SERVICE, SigningCredentials, sign_upgrade};
pub use stream::MuxStream;
pub use stream_url::{StreamUrl, StreamUrlError};
pub use tls::Tls;
pub use transport::{Duplex, Transport};
pub use websocket::{KeepAlive, MAX_MESSAGE_SIZE, WebSocket, derive_accept_key, websocket_config};
