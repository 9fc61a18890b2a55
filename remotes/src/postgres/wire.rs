//! The connection as messages in and out. Owns the socket and both buffers, and keeps them small.

use super::error::SqlError;
use super::frame::{self, Opening};
use bytes::BytesMut;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Answers are sent when they are so many bytes: a client that does not read stops us.
const FULL: usize = 32 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
}

/// What became of reading.
pub(super) enum Read<T> {
    Message(T),
    /// It cannot be understood; nothing that follows can.
    Malformed(SqlError),
    End,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new() }
    }

    /// The next of the messages before the session.
    pub(super) async fn opening(&mut self) -> io::Result<Read<Opening>> {
        self.read(frame::take_opening).await
    }

    /// The next message. Before it waits for one, it sends what there is to send.
    pub(super) async fn message(&mut self) -> io::Result<Read<PgWireFrontendMessage>> {
        self.read(frame::take).await
    }

    async fn read<T>(&mut self, take: impl Fn(&mut BytesMut) -> Result<Option<T>, SqlError>) -> io::Result<Read<T>> {
        loop {
            match take(&mut self.input) {
                Ok(Some(message)) => return Ok(Read::Message(message)),
                Ok(None) => {}
                Err(error) => return Ok(Read::Malformed(error)),
            }
            self.flush().await?;
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(Read::End);
            }
        }
    }

    /// Whether more has come in than what was taken.
    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Puts a message behind the others, and sends them if they are many.
    pub(super) async fn send(&mut self, message: PgWireBackendMessage) -> io::Result<()> {
        message.encode(&mut self.output).map_err(io::Error::other)?;
        if self.output.len() >= FULL { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.output).await
    }

    /// Sends what there is, and closes.
    pub(super) async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}
