//! The API's socket as a service manager hands it over when it starts the daemon (sd_listen_fds(3)).

use std::os::unix::net::UnixListener;

/// The socket, if this process was given one. To be called before there are other threads: it takes the variables away that
/// say so, which are not for the programs that we start.
pub(crate) fn socket() -> Option<UnixListener> {
    let listener = listenfd::ListenFd::from_env().take_unix_listener(0).ok().flatten()?;
    // Nor is the socket. It is ours by its number alone, so this cannot fail.
    let _ = rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::CLOEXEC);
    Some(listener)
}
