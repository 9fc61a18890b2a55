//! [`Transport`]: what a session runs over – whole frames in, whole frames out.
//!
//! Two things implement it here: [`WebSocket`](crate::WebSocket) and the ends of [`memory_pair`](crate::memory_pair). Fault
//! injectors wrap one in another. A transport knows nothing of sessions; when it ends, a session goes on over the next one.

use std::{pin::Pin, time::Duration};

use futures_util::{Sink, Stream};
use ssm_proto::WsFrame;

use crate::error::TransportError;

/// A two-way pipe of frames.
///
/// The stream side ends with an error that says why, or with `None` if it knows no more than that it ended. While it is not
/// polled it takes nothing off the network: that is how a slow reader becomes TCP back-pressure. The sink side takes a frame
/// only after `poll_ready`, and promises delivery to the network only after `poll_flush`.
pub trait Duplex: Stream<Item = Result<WsFrame, TransportError>> + Sink<WsFrame, Error = TransportError> {
    /// Asks the network at once whether the other side can be reached: the stream side ends if nothing at all has arrived after
    /// `deadline`. To be polled afterwards. A transport that cannot lose its path without noticing does nothing.
    fn check(self: Pin<&mut Self>, deadline: Duration) {
        let _ = deadline;
    }
}

/// A boxed [`Duplex`]: what [`Session::attach`](crate::Session::attach) takes.
pub type Transport = Pin<Box<dyn Duplex + Send>>;
