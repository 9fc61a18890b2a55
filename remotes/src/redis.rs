//! The demo's cache: the Redis protocol over an in-memory store that all connections share.
//!
//! `request` reads commands, `reply` writes answers in the connection's protocol version, `store` keeps the
//! data, `command` says what each command does.

mod command;
mod reply;
mod request;
mod store;

use crate::acceptor;
use bytes::BytesMut;
use command::{Next, Session};
use reply::Reply;
use std::io;
use std::sync::{Arc, Mutex};
use store::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Answers of a pipeline are sent when they are so many bytes: then a client that does not read stops us.
const FLUSH: usize = 64 * 1024;

/// What all connections share. The lock is held for one command, and never over an await.
type Shared = Arc<Mutex<Store>>;

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener) {
    let store: Shared = Arc::new(Mutex::new(Store::with_sessions()));
    let ids = std::sync::atomic::AtomicI64::new(1);
    acceptor::accept(listener, move |stream| {
        let id = ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let session = Session::new(id, Arc::clone(&store));
        async move {
            if let Err(error) = talk(stream, session).await {
                tracing::debug!(%error, "connection ended");
            }
        }
    })
    .await;
}

async fn talk(mut stream: TcpStream, mut session: Session) -> io::Result<()> {
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        let end = loop {
            match request::take(&mut input) {
                Ok(None) => break false,
                Ok(Some(words)) => {
                    let (reply, next) = session.run(&words);
                    reply.write(&mut output, session.protocol());
                    if next == Next::Close {
                        break true;
                    }
                }
                Err(problem) => {
                    // There is no telling where the next command would begin.
                    Reply::Error(format!("ERR Protocol error: {problem}")).write(&mut output, session.protocol());
                    break true;
                }
            }
            if output.len() >= FLUSH {
                stream.write_all_buf(&mut output).await?;
                tokio::task::consume_budget().await;
            }
        };
        stream.write_all_buf(&mut output).await?;
        if end {
            return stream.shutdown().await;
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}
