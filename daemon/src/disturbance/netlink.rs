//! The kernel's announcements of changed links, addresses and routes: a routing netlink socket (rtnetlink(7)).
//!
//! Only that something was announced is of interest here, not what.

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// linux/rtnetlink.h: RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

#[derive(Debug)]
pub(super) struct Announcements(AsyncFd<OwnedFd>);

impl Announcements {
    /// # Errors
    /// The system has no such sockets, or a sandbox forbids them.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is protocol 0, and that is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        #[expect(deprecated, reason = "sound for an OwnedFd, whose descriptor never changes; the successor is unsafe")]
        let socket = AsyncFd::new(socket)?;
        Ok(Self(socket))
    }

    /// Waits for announcements and takes all that have come. Cancel-safe.
    ///
    /// # Errors
    /// The socket is of no use any more.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        // What does not fit is cut off, which does not matter.
        let mut message = [0; 4096];
        loop {
            match recv(ready.get_inner(), &mut message[..], RecvFlags::empty()) {
                // Too many to be kept for us: some are lost, and that is an announcement as well.
                Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
