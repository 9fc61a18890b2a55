//! What the other side can do, told from its version alone: nothing of it is negotiated (`docs/protocol.md` §5.4, §6.1).

use std::cmp::Ordering;

/// A dotted version such as `3.3.987.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Vec<u64>);

impl Version {
    /// Reads dot-separated numbers; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<_>>>().map(Self)
    }

    /// By components; a missing one counts as 0.
    fn compare(&self, other: &[u64]) -> Ordering {
        let len = self.0.len().max(other.len());
        let component = |parts: &[u64], i: usize| parts.get(i).copied().unwrap_or(0);
        (0..len)
            .map(|i| component(&self.0, i).cmp(&component(other, i)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// An agent's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Several connections in one session.
    pub multiplexing: bool,
    /// The agent closes a session in which its smux hears nothing.
    pub smux_keep_alive: bool,
    /// The agent understands the TerminateSession flag.
    pub terminate_flag: bool,
}

impl Features {
    /// Features of an agent that calls itself `agent_version`. Like the official client: only strictly greater than the
    /// gate counts, and only versions of four components (§5.4).
    pub fn of_agent(agent_version: &str) -> Self {
        let version = Version::parse(agent_version).filter(|version| version.0.len() == 4);
        let above = |gate: [u64; 4]| version.as_ref().is_some_and(|version| version.compare(&gate).is_gt());
        Self {
            multiplexing: above([3, 0, 196, 0]),
            smux_keep_alive: !above([3, 1, 1511, 0]),
            terminate_flag: above([2, 3, 722, 0]),
        }
    }
}

/// Whether an agent multiplexes for a client that calls itself `client_version`: from 1.1.70 (§5.4).
pub fn client_multiplexes(client_version: &str) -> bool {
    Version::parse(client_version).is_some_and(|version| version.compare(&[1, 1, 70]).is_ge())
}

/// Whether an agent switches its smux keep-alive on for such a client: up to 1.2.331.0 (§5.4).
pub fn client_wants_keep_alive(client_version: &str) -> bool {
    Version::parse(client_version).is_none_or(|version| version.compare(&[1, 2, 331, 0]).is_le())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_gates_are_strictly_greater() {
        assert!(!Features::of_agent("3.0.196.0").multiplexing);
        assert!(Features::of_agent("3.0.197.0").multiplexing);
        assert!(Features::of_agent("3.1.1511.0").smux_keep_alive);
        assert!(!Features::of_agent("3.1.1511.1").smux_keep_alive);
        assert!(!Features::of_agent("3.3.987").multiplexing, "three components never count");
        assert!(!Features::of_agent("banana").multiplexing);
        assert!(Features::of_agent("2.3.723.0").terminate_flag);
    }

    /// The live table of `docs/protocol.md` §5.4.
    #[test]
    fn client_gates_are_the_agents() {
        for (version, multiplexes, keep_alive) in [
            ("1.2.331.1", true, false),
            ("1.2.700", true, false),
            ("1.2.700.0", true, false),
            ("1.2.331.0", true, true),
            ("1.2.0.0", true, true),
            ("1.1.70.0", true, true),
            ("", false, true),
            ("0.9", false, true),
        ] {
            assert_eq!(client_multiplexes(version), multiplexes, "{version}");
            assert_eq!(client_wants_keep_alive(version), keep_alive, "{version}");
        }
    }
}
