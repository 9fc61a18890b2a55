//! Opens a TCP connection: name lookup, then the addresses side by side.
//!
//! A broken IPv6 route must not cost a whole connect timeout at each resume, so the next address is tried while the one before
//! is still silent (RFC 8305, in its simplest form). Whether a proxy is what is dialled is decided above.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::Instant};

use crate::error::{ConnectError, ConnectPhase};

/// Head start of one address over the next: RFC 8305's recommendation.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The time allowed for one connect, counted over all its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// Runs one step; past the deadline the step is dropped, and named in the error.
    pub(crate) async fn bound<T>(
        self,
        phase: ConnectPhase,
        step: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        match tokio::time::timeout_at(self.at, step).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout { phase, limit: self.limit, proxy: None }),
        }
    }
}

/// Which addresses a name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Any.
    Anywhere,
    /// Only this machine's own, whatever the resolver makes of the name `localhost`; an address is dialled as it is.
    NamesToLoopback,
}

/// Connects, with TCP_NODELAY set: messages are whole when they are written.
pub(crate) async fn dial(host: &str, port: u16, reach: Reach, deadline: Deadline) -> Result<TcpStream, ConnectError> {
    let addresses = deadline.bound(ConnectPhase::Resolve, resolve(host, port, reach)).await?;
    let failed = |source| ConnectError::Tcp { host: host.to_owned(), port, source };
    deadline
        .bound(ConnectPhase::Tcp, async {
            let socket = connect_first(addresses).await.map_err(failed)?;
            socket.set_nodelay(true).map_err(failed)?;
            Ok(socket)
        })
        .await
}

async fn resolve(host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |source| ConnectError::Dns { host: host.to_owned(), source };
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.map_err(failed)?.collect();
    if reach == Reach::NamesToLoopback {
        addresses.retain(|address| address.ip().is_loopback());
    }
    if addresses.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "no usable address")));
    }
    Ok(interleave(addresses))
}

/// Alternates between the address families, beginning with that of the first address.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [preferred.next(), other.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

async fn connect_first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    loop {
        attempts.extend(waiting.next().map(TcpStream::connect));
        let more = waiting.len() > 0;
        // Both arms are cancel-safe: the attempts live in `attempts`, and a delay cut short only starts the next one sooner.
        tokio::select! {
            Some(result) = attempts.next() => match result {
                Ok(socket) => return Ok(socket),
                Err(error) if attempts.is_empty() && !more => return Err(error),
                Err(_) => {}
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = interleave(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(mixed, parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        assert_eq!(connect_first(vec![refusing, open]).await.unwrap().peer_addr().unwrap(), open);
        let error = connect_first(vec![refusing, refusing]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
