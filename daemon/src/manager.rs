//! What the service manager is told (sd_notify(3)): that the daemon serves, how its tunnels are, and that its main loop turns.
//!
//! A message is one datagram of a few lines, so there is no library for it. Without a manager nothing is sent. Nothing here waits: a
//! message that does not fit now is left out, and the next turn of the loop brings another.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::pin::pin;
use std::time::Duration;
use std::{io, process};
use tokio::time::timeout;
use tunnels_api::{TargetState, TunnelState, TunnelStatus};

/// So many tunnels are named that are not as they should be; more are counted.
const MOST_NAMES: usize = 3;

/// An end that takes longer than the manager gives it is killed, and the sessions with it; so it hears this often that it goes on.
const STILL_STOPPING: Duration = Duration::from_secs(10);
/// And waits so long for the next time.
const MORE_TIME: Duration = Duration::from_secs(30);

/// The way to the service manager, if one has started this process.
#[derive(Debug, Default)]
pub struct ServiceManager {
    way: Option<(UnixDatagram, SocketAddr)>,
    /// It wants to hear from the main loop.
    watches: bool,
    told: String,
}

impl ServiceManager {
    /// As these variables say, usually [`std::env::var_os`]: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` of whatever value, since the main
    /// loop turns more often than a manager asks for. `WATCHDOG_PID` is not looked at: a daemon that takes over as the
    /// service's main process was not started as that.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let Some(socket) = set("NOTIFY_SOCKET") else { return Self::default() };
        match way(&socket) {
            Ok(way) => Self { way: Some(way), watches: set("WATCHDOG_USEC").is_some(), told: String::new() },
            Err(error) => {
                tracing::warn!("the service manager cannot be told anything at {}: {error}", socket.display());
                Self::default()
            }
        }
    }

    /// This process serves, and is the service's main one from here on.
    pub(crate) fn ready(&mut self) {
        self.tell(&format!("MAINPID={}\nREADY=1\n", process::id()));
    }

    /// This process ends.
    pub(crate) fn stopping(&self) {
        self.tell(&format!("STOPPING=1\nSTATUS=ending its sessions\n{}", self.more_time()));
    }

    /// Asks for the time that the end takes, for as long as it may take at most.
    pub(crate) async fn until_stopped<T>(&self, longest: Duration, end: impl Future<Output = T>) -> T {
        let mut end = pin!(end);
        let mut waited = Duration::ZERO;
        while waited < longest {
            if let Ok(ended) = timeout(STILL_STOPPING, &mut end).await {
                return ended;
            }
            self.tell(&self.more_time());
            waited += STILL_STOPPING;
        }
        end.await
    }

    fn more_time(&self) -> String {
        let more = format!("EXTEND_TIMEOUT_USEC={}\n", MORE_TIME.as_micros());
        if self.watches { more + "WATCHDOG=1\n" } else { more }
    }

    /// The main loop has come round, and finds the tunnels like this.
    pub(crate) fn turned(&mut self, tunnels: impl FnOnce() -> Vec<TunnelStatus>) {
        if self.way.is_none() {
            return;
        }
        let mut news = String::new();
        if self.watches {
            news.push_str("WATCHDOG=1\n");
        }
        let status = summary(&tunnels());
        if status != self.told {
            news.push_str("STATUS=");
            news.push_str(&status);
            news.push('\n');
        }
        if !news.is_empty() && self.tell(&news) {
            self.told = status;
        }
    }

    fn tell(&self, news: &str) -> bool {
        let Some((socket, address)) = &self.way else { return false };
        match socket.send_to_addr(news.as_bytes(), address) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the service manager does not hear");
                false
            }
        }
    }
}

fn way(socket: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let datagrams = UnixDatagram::unbound()?;
    datagrams.set_nonblocking(true)?;
    Ok((datagrams, address(socket)?))
}

fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(socket)
}

/// One line about all tunnels.
fn summary(tunnels: &[TunnelStatus]) -> String {
    let wanted: Vec<&TunnelStatus> = tunnels.iter().filter(|tunnel| tunnel.wanted == TargetState::Up).collect();
    let carries = |tunnel: &&TunnelStatus| matches!(tunnel.state, TunnelState::Ready | TunnelState::Listening);
    let others: Vec<&TunnelStatus> = wanted.iter().copied().filter(|tunnel| !carries(tunnel)).collect();
    let mut text = format!("{} of {} tunnels up, {} ready", wanted.len(), tunnels.len(), wanted.len() - others.len());
    for tunnel in others.iter().take(MOST_NAMES) {
        let _ = write!(text, "; {} {}", tunnel.name, tunnel.state);
    }
    if let more @ 1.. = others.len().saturating_sub(MOST_NAMES) {
        let _ = write!(text, "; {more} more are not");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, state: TunnelState) -> TunnelStatus {
        serde_json::from_value(serde_json::json!({
            "name": name, "state": state, "wanted": "up", "local": "127.0.0.1:1", "remote": "db:1", "groups": [], "sessions": 0,
            "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0, "since": "2026-11-21T06:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn it_is_told_who_serves_and_each_change_once_with_a_sign_of_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let heard = || {
            let mut text = [0; 500];
            let length = manager.recv(&mut text).unwrap();
            String::from_utf8_lossy(&text[..length]).into_owned()
        };
        let mut told = ServiceManager::from_env(|name| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into()),
            "WATCHDOG_USEC" => Some("30000000".into()),
            _ => None,
        });
        told.ready();
        assert_eq!(heard(), format!("MAINPID={}\nREADY=1\n", process::id()));
        let ready = || vec![status("a", TunnelState::Ready)];
        told.turned(ready);
        assert_eq!(heard(), "WATCHDOG=1\nSTATUS=1 of 1 tunnels up, 1 ready\n");
        told.turned(ready);
        assert_eq!(heard(), "WATCHDOG=1\n");
        told.turned(|| vec![status("a", TunnelState::NeedsLogin)]);
        assert_eq!(heard(), "WATCHDOG=1\nSTATUS=1 of 1 tunnels up, 0 ready; a needs-login\n");
        // A manager that is gone is nobody's trouble.
        drop(manager);
        told.stopping();
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_takes_long_asks_for_more_time_for_as_long_as_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let heard = || {
            let mut text = [0; 500];
            let length = manager.recv(&mut text).ok()?;
            Some(String::from_utf8_lossy(&text[..length]).into_owned())
        };
        let told = ServiceManager::from_env(|name| (name == "NOTIFY_SOCKET").then(|| path.clone().into()));
        told.stopping();
        let stopping = "STOPPING=1\nSTATUS=ending its sessions\nEXTEND_TIMEOUT_USEC=30000000\n";
        assert_eq!(heard().as_deref(), Some(stopping));
        // The end, how long it may take, and how often the manager hears of it.
        for (end, longest, times) in [(1, 45, 0), (25, 45, 2), (1000, 45, 5)] {
            told.until_stopped(Duration::from_secs(longest), tokio::time::sleep(Duration::from_secs(end))).await;
            for _ in 0..times {
                assert_eq!(heard().as_deref(), Some("EXTEND_TIMEOUT_USEC=30000000\n"), "{end} s");
            }
            assert_eq!(heard(), None, "{end} s");
        }
    }

    #[test]
    fn without_a_manager_nothing_is_looked_at() {
        ServiceManager::from_env(|_| None).turned(|| panic!("nobody wants to know"));
    }

    #[test]
    fn of_many_broken_tunnels_a_few_are_named() {
        let tunnels: Vec<TunnelStatus> = ["a", "b", "c", "d", "e"].map(|name| status(name, TunnelState::Failed)).into();
        assert_eq!(summary(&tunnels), "5 of 5 tunnels up, 0 ready; a failed; b failed; c failed; 2 more are not");
    }
}
