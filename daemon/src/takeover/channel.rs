//! Messages with file descriptors over a connected Unix socket: each a length, as much JSON, and the descriptors that
//! belong to it.
//!
//! Knows nothing of what is said. The descriptors travel with the first byte of their message (`SCM_RIGHTS`, unix(7)), so that
//! whoever has read a message has its descriptors as well.

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Descriptors with one message; the system's own limit is 253.
pub(super) const MOST_FILES: usize = 4;
/// The largest message: the sessions of a thousand tunnels fit many times.
const LARGEST: usize = 16 << 20;
/// What is read at once.
const READ: usize = 16 << 10;
/// The length before each message.
const HEAD: usize = size_of::<u32>();

/// The two directions of a connection, of which these bytes have been read already.
pub(super) fn channel(stream: UnixStream, read: Vec<u8>) -> (Sender, Receiver) {
    let stream = Arc::new(stream);
    let receiver = Receiver { stream: Arc::clone(&stream), bytes: read, files: VecDeque::new() };
    (Sender { stream }, receiver)
}

#[derive(Debug, Clone)]
pub(super) struct Sender {
    stream: Arc<UnixStream>,
}

impl Sender {
    /// Sends one message. Not cancel-safe: half a message may have gone.
    pub(super) async fn send(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let length = u32::try_from(text.len()).ok().filter(|length| *length as usize <= LARGEST);
        let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the message is too large"))?;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(text);
        let mut sent = 0;
        while sent < bytes.len() {
            // They go once, with the first bytes that are taken.
            let files = if sent == 0 { files } else { &[] };
            let rest = &bytes[sent..];
            sent += self.stream.async_io(Interest::WRITABLE, || send_some(&self.stream, rest, files)).await?;
        }
        Ok(())
    }
}

fn send_some(stream: &UnixStream, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FILES))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "too many files with one message"));
    }
    retried(|| sendmsg(stream, &[IoSlice::new(bytes)], &mut ancillary, no_signal()))
}

/// Where a write to a connection that is gone would end the process, it fails instead; the runtime ignores the signal elsewhere.
fn no_signal() -> SendFlags {
    #[cfg(target_os = "linux")]
    return SendFlags::NOSIGNAL;
    #[cfg(not(target_os = "linux"))]
    SendFlags::empty()
}

#[derive(Debug)]
pub(super) struct Receiver {
    stream: Arc<UnixStream>,
    bytes: Vec<u8>,
    files: VecDeque<OwnedFd>,
}

impl Receiver {
    /// The next message; none at the end. Its descriptors are to be taken with [`Self::file`]. Cancel-safe: what has
    /// been read is kept.
    ///
    /// # Errors
    /// What the system says, an end in the middle of a message, and what is not understood.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(head) = self.bytes.first_chunk::<HEAD>() {
                let length = u32::from_ne_bytes(*head) as usize;
                if length > LARGEST {
                    return Err(io::Error::new(ErrorKind::InvalidData, "a message that is too large"));
                }
                if let Some(text) = self.bytes.get(HEAD..HEAD + length) {
                    let message = serde_json::from_slice(text)?;
                    self.bytes.drain(..HEAD + length);
                    return Ok(Some(message));
                }
            }
            let Self { stream, bytes, files } = self;
            if stream.async_io(Interest::READABLE, || receive_some(stream, bytes, files)).await? == 0 {
                return if self.bytes.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// The next of the descriptors that came, in the order in which they were sent.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn file(&mut self) -> io::Result<OwnedFd> {
        let missing = || io::Error::new(ErrorKind::InvalidData, "a message came without the files that it is about");
        self.files.pop_front().ok_or_else(missing)
    }
}

fn receive_some(stream: &UnixStream, bytes: &mut Vec<u8>, files: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut read = [0; READ];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        retried(|| recvmsg(stream, &mut [IoSliceMut::new(&mut read)], &mut ancillary, closed_in_children()))?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            for file in came {
                #[cfg(not(target_os = "linux"))]
                rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::CLOEXEC)?;
                files.push_back(file);
            }
        }
    }
    bytes.extend_from_slice(&read[..received.bytes]);
    Ok(received.bytes)
}

fn closed_in_children() -> RecvFlags {
    #[cfg(target_os = "linux")]
    return RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    RecvFlags::empty()
}

fn retried<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::AsFd as _;
    use tokio::io::AsyncWriteExt as _;

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn text(file: OwnedFd) -> String {
        let (mut file, mut text) = (File::from(file), String::new());
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn each_message_comes_with_its_files_in_order_however_large_it_is() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let ((sender, _), (_, mut receiver)) = (channel(ours, Vec::new()), channel(theirs, Vec::new()));
        // More than the socket takes at once.
        let large = "x".repeat(1 << 20);
        let sending = async move {
            let files: Vec<File> = (0..6).map(|number| file(&number.to_string())).collect();
            sender.send(&"one", &[files[0].as_fd()]).await.unwrap();
            sender.send(&large, &[]).await.unwrap();
            sender.send(&"three", &[files[1].as_fd(), files[2].as_fd(), files[3].as_fd()]).await.unwrap();
            sender.send(&"four", &[files[4].as_fd()]).await.unwrap();
            sender.send(&"five", &[files[5].as_fd()]).await.unwrap();
        };
        let receiving = async {
            let mut seen = Vec::new();
            for files in [1, 0, 3, 1, 1] {
                let message: String = receiver.next().await.unwrap().unwrap();
                let files: Vec<String> = (0..files).map(|_| text(receiver.file().unwrap())).collect();
                seen.push((message.len(), files.concat()));
            }
            assert!(receiver.next::<String>().await.unwrap().is_none(), "that was all");
            assert!(receiver.file().is_err());
            seen
        };
        let ((), seen) = tokio::join!(sending, receiving);
        let expected = [(3, "0"), (1 << 20, ""), (5, "123"), (4, "4"), (4, "5")];
        assert_eq!(seen, expected.map(|(length, files)| (length, files.to_owned())));
    }

    #[tokio::test]
    async fn an_end_in_the_middle_and_what_makes_no_sense_are_errors() {
        for bytes in [&[9, 0, 0, 0, b'"'][..], &u32::MAX.to_ne_bytes(), &[2, 0, 0, 0, b'{', b'{']] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            ours.write_all(bytes).await.unwrap();
            drop(ours);
            let (_, mut receiver) = channel(theirs, Vec::new());
            receiver.next::<String>().await.unwrap_err();
        }
    }
}
