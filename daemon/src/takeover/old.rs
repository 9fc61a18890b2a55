//! The daemon that gives: offers all it has, and goes on with it unless the other one serves.

use super::channel::{Receiver, Sender, channel};
use super::heir::Heir;
use super::{Asked, FromNew, FromOld, Offer, PATIENCE};
use crate::doors::Doors;
use crate::ipc::Post;
use crate::state::{StateFile, Used};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What a daemon has that another one can take.
#[derive(Debug)]
pub(crate) struct Belongings {
    pub(crate) post: Post,
    pub(crate) state: StateFile,
    pub(crate) doors: Doors,
    pub(crate) version: String,
}

/// Offers everything, and returns when the other daemon serves with it. Otherwise, or when `shutdown` comes first, this daemon has
/// everything as before.
///
/// # Errors
/// Why the other one has not come to serve.
pub(crate) async fn hand_over(
    asked: Asked,
    belongings: &Belongings,
    reasons: BTreeMap<String, String>,
    shutdown: &CancellationToken,
) -> io::Result<Heir> {
    let Belongings { post, state, doors, .. } = belongings;
    let (sender, mut receiver) = channel(asked.stream, asked.read);
    // Until the other has it in writing that everything is its own, nothing has happened.
    let offered = shutdown.run_until_cancelled(offer(&sender, &mut receiver, belongings, reasons)).await;
    let offered = offered.unwrap_or_else(|| Err(io::Error::other("this daemon is to end")));
    let served = match offered {
        Ok(agreed) => {
            state.hold();
            // No limit: whoever has "yours" is the daemon, or its end is seen here.
            sender.send(&FromOld::Yours, &[]).await.and(expect(&mut receiver, FromNew::Serving).await).map(|()| agreed)
        }
        Err(error) => Err(error),
    };
    match served {
        Ok((left, drain)) => {
            doors.hand_over();
            post.leave();
            Ok(Heir::new(sender, receiver, state.hand_over(&left), drain))
        }
        Err(error) => {
            state.take_back();
            post.open();
            Err(error)
        }
    }
}

/// Returns what was offered that nobody uses, and how long the connections may go on, when the other one has taken everything in.
async fn offer(
    sender: &Sender,
    receiver: &mut Receiver,
    Belongings { post, state, doors, version }: &Belongings,
    reasons: BTreeMap<String, String>,
) -> io::Result<(Used, Duration)> {
    in_time(expect(receiver, FromNew::Begin)).await?;
    post.close();
    let sockets = doors.files()?;
    let ([socket, lock], state_lock) = (post.files()?, state.lock_file()?);
    let estate = state.estate();
    let left = estate.left.clone();
    let offer = Offer {
        pid: std::process::id(),
        version: version.clone(),
        state_dir: state.folder().to_owned(),
        stays: post.stays(),
        estate,
        reasons,
        sockets: sockets.len(),
    };
    let files = [socket.as_fd(), lock.as_fd(), state_lock.as_fd()];
    in_time(async {
        sender.send(&FromOld::Offer(Box::new(offer)), &files).await?;
        for socket in &sockets {
            sender.send(&FromOld::Socket, &[socket.as_fd()]).await?;
        }
        match receiver.next().await? {
            Some(FromNew::Take { drain_ms }) => Ok((left, Duration::from_millis(drain_ms))),
            other => Err(unexpected(other.as_ref())),
        }
    })
    .await
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(ErrorKind::TimedOut, format!("nothing came for {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, step).await.unwrap_or_else(|_| Err(late()))
}

async fn expect(receiver: &mut Receiver, expected: FromNew) -> io::Result<()> {
    match receiver.next().await? {
        Some(message) if message == expected => Ok(()),
        other => Err(unexpected(other.as_ref())),
    }
}

fn unexpected(message: Option<&FromNew>) -> io::Error {
    match message {
        Some(message) => io::Error::new(ErrorKind::InvalidData, format!("{message:?} came at the wrong moment")),
        None => io::Error::new(ErrorKind::UnexpectedEof, "it has ended"),
    }
}
