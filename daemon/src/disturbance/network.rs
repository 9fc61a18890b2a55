//! Whether the network is still the same: the kernel announces more than matters, so addresses and routes decide.
//!
//! A router that renews its advertisement, or a container that starts, is announced as well and changes nothing for us.

use super::netlink::Announcements;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// A new network comes as a dozen announcements; after so long most of them are in.
const SETTLE: Duration = Duration::from_millis(300);

/// The network as it was last seen.
#[derive(Debug)]
pub(super) struct NetworkWatch {
    announcements: Announcements,
    last: Option<Fingerprint>,
}

impl NetworkWatch {
    /// # Errors
    /// The kernel cannot be listened to.
    pub(super) async fn open() -> io::Result<Self> {
        // In this order: a change between the two is announced.
        let announcements = Announcements::open()?;
        Ok(Self { announcements, last: Fingerprint::read().await })
    }

    /// Waits until addresses or routes are other ones.
    ///
    /// # Errors
    /// The kernel cannot be listened to any more.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        loop {
            self.announcements.next().await?;
            sleep(SETTLE).await;
            let now = Fingerprint::read().await;
            // Unreadable is no sign that nothing has changed.
            if now.is_none() || now != self.last {
                self.last = now;
                return Ok(());
            }
        }
    }
}

/// Stands for all addresses and routes of the machine that lead further than its own links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint(u64);

impl Fingerprint {
    /// `None` if some of it cannot be read. A machine may lack IPv6, though.
    async fn read() -> Option<Self> {
        // Of this thread: threads may live in different network namespaces.
        let table = async |name: &str| tokio::fs::read_to_string(format!("/proc/thread-self/net/{name}")).await;
        let routes = table("route").await.ok()?;
        // IPv4 addresses have no table of their own; they are among the local routes.
        let local = table("fib_trie").await.ok()?;
        let addresses = table("if_inet6").await.unwrap_or_default();
        let routes_v6 = table("ipv6_route").await.unwrap_or_default();
        Some(Self::of(&routes, &local, &addresses, &routes_v6))
    }

    fn of(routes: &str, local: &str, addresses_v6: &str, routes_v6: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (routes, local).hash(&mut hasher);
        addresses_v6.lines().filter_map(global_address).for_each(|address| address.hash(&mut hasher));
        routes_v6.lines().filter_map(far_route).for_each(|route| route.hash(&mut hasher));
        Self(hasher.finish())
    }
}

/// Address and interface of a line of `if_inet6` (address, index, prefix, scope, flags, name), unless it is of this link or
/// machine only.
fn global_address(line: &str) -> Option<[&str; 2]> {
    match *line.split_ascii_whitespace().collect::<Vec<_>>() {
        [address, _index, _prefix, "00", _flags, name] => Some([address, name]),
        _ => None,
    }
}

/// Destination, prefix, gateway and interface of a line of `ipv6_route` (destination, prefix, source, prefix, gateway, metric,
/// references, uses, flags, name) – not its counters –, unless it is of this link or machine only.
fn far_route(line: &str) -> Option<[&str; 4]> {
    match *line.split_ascii_whitespace().collect::<Vec<_>>() {
        [to, prefix, _, _, gateway, _, _, _, _, name] if !to.starts_with("fe8") && !to.starts_with("ff") => {
            Some([to, prefix, gateway, name])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
