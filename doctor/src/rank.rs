//! Findings in the order in which they are to be read: what is worst first, a cause before what follows from it, and what
//! several tunnels share said once. Pure.

use tunnels_api::{Check, Finding, Verdict};

/// A finding with what ranking has to know of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) finding: Finding,
    /// The tunnels that it is about; none for what is about the machine.
    pub(crate) tunnels: Vec<String>,
    pub(crate) nature: Nature,
}

/// What kind of trouble a failed call had, where that tells whose consequence it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// The network, or what stands in it.
    Network,
    /// AWS does not take the signature.
    Signature,
    /// Its own.
    Own,
}

impl Entry {
    pub(crate) fn new(finding: Finding, tunnels: &[String]) -> Self {
        Self { finding, tunnels: tunnels.to_vec(), nature: Nature::Own }
    }

    pub(crate) fn with_nature(self, nature: Nature) -> Self {
        Self { nature, ..self }
    }

    fn concerns(&self, other: &Self) -> bool {
        self.tunnels.is_empty() || other.tunnels.iter().all(|tunnel| self.tunnels.contains(tunnel))
    }
}

/// Whether a failed check fails because another has. Both are of the same tunnels.
fn follows(effect: &Entry, cause: &Entry) -> bool {
    use Check::{Clock, Configuration, Credentials, MessagesEndpoint, Region, SsmEndpoint};
    match (cause.finding.check, effect.finding.check) {
        // The same thing stands in both ways, or there is no such place.
        (Region, SsmEndpoint | MessagesEndpoint) | (SsmEndpoint, MessagesEndpoint) => true,
        (Region | SsmEndpoint, Credentials) => effect.nature == Nature::Network,
        // AWS says it of a signature, too, in words of its own.
        (Clock, Credentials | Clock) => effect.nature == Nature::Signature && cause.nature == Nature::Own,
        (Configuration, other) => other > Configuration,
        _ => false,
    }
}

/// Marks as skipped what only follows from something else.
pub(crate) fn consequences(entries: &mut [Entry]) {
    let causes: Vec<Entry> = entries.iter().filter(|entry| entry.finding.verdict == Verdict::Fail).cloned().collect();
    for entry in entries.iter_mut().filter(|entry| entry.finding.verdict == Verdict::Fail) {
        let Some(cause) = causes.iter().find(|cause| cause.concerns(entry) && follows(entry, cause)) else { continue };
        let said = std::mem::replace(&mut entry.finding.text, because(&cause.finding));
        let more = entry.finding.evidence.take().map(|more| format!(" ({more})")).unwrap_or_default();
        entry.finding = Finding {
            verdict: Verdict::Skipped,
            evidence: Some(format!("{said}{more}")),
            next: None,
            policy: None,
            ..entry.finding.clone()
        };
    }
}

/// What stands for a check that another one made useless.
pub(crate) fn because(cause: &Finding) -> String {
    format!("because of {}: {}", cause.check, cause.text)
}

/// Everything in order; `picked` is the number of tunnels that were examined.
pub(crate) fn ranked(mut entries: Vec<Entry>, picked: usize) -> Vec<Finding> {
    consequences(&mut entries);
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        match merged.iter_mut().find(|known| is_same(&known.finding, &entry.finding)) {
            Some(known) => {
                let new = entry.tunnels.into_iter().filter(|name| !known.tunnels.contains(name));
                known.tunnels.extend(new.collect::<Vec<_>>());
            }
            None => merged.push(entry),
        }
    }
    // A stable sort: of equal ones the order of the configuration stays.
    merged.sort_by_key(|entry| (entry.finding.verdict, entry.finding.check, std::cmp::Reverse(entry.tunnels.len())));
    merged.into_iter().map(|entry| named(entry, picked)).collect()
}

/// Whether two say the same; what one rests on will do for both.
fn is_same(one: &Finding, other: &Finding) -> bool {
    let said = |finding: &Finding| (finding.check, finding.verdict, finding.text.clone(), finding.next.clone());
    said(one) == said(other) && one.policy == other.policy
}

/// Says which tunnels it is about, if that is not plain.
fn named(entry: Entry, picked: usize) -> Finding {
    let Entry { finding, tunnels, .. } = entry;
    match tunnels.as_slice() {
        [] => finding,
        // What tunnels share is about no single one, even if there is only one.
        all if all.len() == picked && (picked > 1 || finding.check < Check::Local) => finding,
        [one] => finding.of(one),
        _ => Finding { tunnels, ..finding },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(finding: Finding, tunnels: &[&str]) -> Entry {
        Entry::new(finding, &tunnels.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    fn order(entries: Vec<Entry>) -> Vec<(Check, Verdict)> {
        ranked(entries, 9).iter().map(|finding| (finding.check, finding.verdict)).collect()
    }

    /// Cause, effect, the effect's nature, and whether it only follows.
    #[test]
    fn what_follows_from_what() {
        use Check::{Clock, Configuration, Credentials, Local, MessagesEndpoint, Region, Remote, SsmEndpoint, Target};
        for (cause, effect, nature, follows) in [
            (Region, SsmEndpoint, Nature::Network, true),
            (Region, MessagesEndpoint, Nature::Network, true),
            (Region, Credentials, Nature::Network, true),
            (SsmEndpoint, MessagesEndpoint, Nature::Network, true),
            (SsmEndpoint, Credentials, Nature::Network, true),
            (SsmEndpoint, Credentials, Nature::Own, false),
            (Clock, Credentials, Nature::Signature, true),
            (Clock, Credentials, Nature::Own, false),
            (MessagesEndpoint, SsmEndpoint, Nature::Network, false),
            (Credentials, Clock, Nature::Own, false),
            (Local, Target, Nature::Own, false),
            (Target, Remote, Nature::Own, false),
            (Configuration, Local, Nature::Own, true),
        ] {
            let entries = vec![
                entry(Finding::fail(effect, "effect"), &["db"]).with_nature(nature),
                entry(Finding::fail(cause, "cause"), &["db"]),
            ];
            let verdict = if follows { Verdict::Skipped } else { Verdict::Fail };
            let ranked = ranked(entries, 1);
            let found = ranked.iter().find(|finding| finding.check == effect).unwrap();
            assert_eq!(found.verdict, verdict, "{cause} {effect} {nature:?}");
            if follows {
                assert_eq!((ranked[0].check, ranked[0].text.as_str()), (cause, "cause"));
                assert_eq!(found.text, format!("because of {cause}: cause"));
                assert_eq!(found.evidence.as_deref(), Some("effect"), "what it said is kept");
            }
        }
    }

    #[test]
    fn another_tunnel_s_trouble_explains_nothing() {
        let entries = vec![
            entry(Finding::fail(Check::Clock, "slow"), &["a"]),
            entry(Finding::fail(Check::Credentials, "refused"), &["b"]).with_nature(Nature::Signature),
        ];
        assert_eq!(order(entries), [(Check::Clock, Verdict::Fail), (Check::Credentials, Verdict::Fail)]);
    }

    #[test]
    fn worst_first_then_what_others_need_then_what_more_tunnels_have() {
        let entries = vec![
            entry(Finding::ok(Check::Configuration, "sound"), &[]),
            entry(Finding::fail(Check::Remote, "refused"), &["a"]),
            entry(Finding::skipped(Check::Session, "because"), &["b"]),
            entry(Finding::warn(Check::Daemon, "old"), &[]),
            entry(Finding::fail(Check::Target, "offline"), &["c"]),
            entry(Finding::fail(Check::Target, "gone"), &["d", "e"]),
        ];
        let ranked = ranked(entries, 5);
        let texts: Vec<&str> = ranked.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(texts, ["gone", "offline", "refused", "old", "because", "sound"]);
        assert_eq!((&ranked[0].tunnel, &ranked[0].tunnels), (&None, &vec!["d".to_owned(), "e".to_owned()]));
        assert_eq!(ranked[1].tunnel.as_deref(), Some("c"));
    }

    #[test]
    fn what_tunnels_share_is_said_once() {
        let offline = || Finding::fail(Check::Target, "offline");
        let ranked = ranked(vec![entry(offline(), &["a"]), entry(offline(), &["b"])], 2);
        assert_eq!(ranked, [offline()], "of all that were picked nobody has to be named");
    }
}
