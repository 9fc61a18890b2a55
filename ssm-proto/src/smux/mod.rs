//! Layer 4: many streams over one ordered byte pipe, smux version 1 (`docs/protocol.md` §6.2–6.6).
//!
//! [`frame`] is the wire form, [`repeatable`] what makes a message harmless that the agent takes in twice, [`stream`] one
//! stream's buffers and half states, [`turns`] who sends next, [`mux`] the table of streams. The layer knows bytes and stream
//! ids only: neither messages nor time.

mod frame;
mod mux;
mod repeatable;
mod stream;
mod turns;

pub use frame::{Command, FrameDecoder, FrameError, HEADER_LEN, Header, Item};
pub(crate) use mux::Mux;
pub(crate) use repeatable::{OVERHEAD as REPEATABLE_OVERHEAD, Repeatable};
pub use stream::Read;
