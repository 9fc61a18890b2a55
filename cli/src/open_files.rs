//! How many files this process may open: every connection, session and port is one.
//!
//! Systems start programs with a low limit and let each raise its own up to a hard one; so do we.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The daemon's own: log, state, locks, socket and whoever is connected to it, the runtime.
const OWN: u64 = 64;
/// Of a tunnel without connections: its port twice (IPv4 and IPv6), a websocket for its session, and calls
/// to AWS.
const PER_TUNNEL: u64 = 4;
/// The connections that each tunnel should have room for: a pool of an application or two.
const CONNECTIONS: u64 = 32;

/// Raises the limit as far as it may be raised, and says how many files may be open from now on: none if
/// there is no limit.
pub(crate) fn raise_limit() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current == before.maximum {
        return before.current;
    }
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => {
            tracing::debug!(before = ?before.current, now = ?before.maximum, "the limit of open files is raised");
            before.maximum
        }
        // macOS takes no more than kern.maxfilesperproc, whatever the hard limit says.
        Err(error) => {
            tracing::debug!(stays = ?before.current, %error, "the limit of open files cannot be raised");
            before.current
        }
    }
}

/// What to say if so many tunnels have little room under this limit.
pub(crate) fn warning(limit: Option<u64>, tunnels: usize) -> Option<String> {
    let limit = limit?;
    let tunnels = u64::try_from(tunnels).unwrap_or(u64::MAX);
    let taken = OWN.saturating_add(tunnels.saturating_mul(PER_TUNNEL));
    let wanted = taken.saturating_add(tunnels.saturating_mul(CONNECTIONS));
    if limit >= wanted {
        return None;
    }
    Some(format!(
        "this process may open {limit} files, which leaves room for about {} connections in all {tunnels} tunnels \
         together; further ones wait until one ends. Raise the hard limit (`ulimit -Hn`) to {wanted} or more",
        limit.saturating_sub(taken)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_may_be() {
        let limit = raise_limit();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, limit);
        if cfg!(target_os = "linux") {
            assert_eq!(now.current, now.maximum);
        }
    }

    #[test]
    fn too_little_room_is_told_in_connections() {
        assert_eq!(warning(None, 1000), None);
        assert_eq!(warning(Some(1024), 10), None);
        assert_eq!(warning(Some(1024), 0), None);
        let text = warning(Some(256), 10).unwrap();
        assert!(text.contains("256 files") && text.contains("about 152 connections in all 10 tunnels"), "{text}");
        assert!(warning(Some(10), 10).unwrap().contains("about 0 connections"));
    }
}
