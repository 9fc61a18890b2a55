use super::*;
use crate::fixture::{because, needs_login, now, status};
use jiff::SignedDuration;
use tunnels_api::CauseKind;

/// A policy, and a clock that only this test moves.
struct Watch {
    policy: Policy,
    start: Instant,
    passed: Duration,
}

impl Watch {
    fn new() -> Self {
        Self { policy: Policy::default(), start: Instant::now(), passed: Duration::ZERO }
    }

    fn at(&self) -> Instant {
        self.start + self.passed
    }

    fn now(&self) -> Timestamp {
        now() + SignedDuration::try_from(self.passed).unwrap()
    }

    /// Shows the tunnels, lets the time pass, and returns the headlines of what is told meanwhile.
    fn see(&mut self, tunnels: &[TunnelStatus], seconds: u64) -> Vec<String> {
        let (at, now) = (self.at(), self.now());
        self.policy.observe(tunnels, at, now);
        let end = self.passed + Duration::from_secs(seconds);
        let mut told = Vec::new();
        while let Some(due) = self.policy.due().map(|due| due.duration_since(self.start)).filter(|due| *due <= end) {
            self.passed = self.passed.max(due);
            let (at, now) = (self.at(), self.now());
            told.extend(self.policy.take(at, now).into_iter().map(|notice| notice.summary));
        }
        self.passed = end;
        told
    }
}

fn ready(name: &str) -> TunnelStatus {
    status(name, TunnelState::Ready)
}

fn failed(name: &str) -> TunnelStatus {
    because(status(name, TunnelState::Failed), CauseKind::AccessDenied, "denied")
}

fn lost(name: &str) -> TunnelStatus {
    status(name, TunnelState::Reconnecting)
}

#[test]
fn what_needs_somebody_is_told_once() {
    let mut watch = Watch::new();
    assert_eq!(watch.see(&[ready("a"), ready("b")], 60), [""; 0]);
    assert_eq!(watch.see(&[needs_login("a", "dev"), ready("b")], 1), [""; 0], "others may follow");
    assert_eq!(watch.see(&[needs_login("a", "dev"), failed("b")], 5), ["a needs a login", "b has failed"]);
    assert_eq!(watch.see(&[needs_login("a", "dev"), failed("b")], 3600), [""; 0], "and not again while it lasts");
}

#[test]
fn what_is_so_when_the_tray_starts_is_told() {
    assert_eq!(Watch::new().see(&[needs_login("a", "dev"), ready("b")], 5), ["a needs a login"]);
}

#[test]
fn many_at_once_are_one() {
    let mut watch = Watch::new();
    let names: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let all = |make: fn(&str) -> TunnelStatus| names.iter().map(|name| make(name)).collect::<Vec<_>>();
    watch.see(&all(ready), 10);
    assert_eq!(watch.see(&all(|name| needs_login(name, "dev")), 3600), ["100 tunnels need a login"]);
    assert_eq!(watch.see(&all(ready), 10), ["100 tunnels work again"]);
}

#[test]
fn what_is_over_before_it_could_be_told_is_not_told() {
    let mut watch = Watch::new();
    watch.see(&[ready("a")], 10);
    assert_eq!(watch.see(&[needs_login("a", "dev")], 1), [""; 0]);
    assert_eq!(watch.see(&[ready("a")], 3600), [""; 0]);
}

#[test]
fn kinds_keep_their_distance_and_tunnels_theirs() {
    let mut watch = Watch::new();
    watch.see(&[ready("a"), ready("b"), ready("c")], 10);
    assert_eq!(watch.see(&[failed("a"), ready("b"), ready("c")], 5), ["a has failed"]);
    // 30 s after the one before, together.
    assert_eq!(watch.see(&[failed("a"), failed("b"), ready("c")], 10), [""; 0]);
    assert_eq!(watch.see(&[failed("a"), failed("b"), failed("c")], 20), ["2 tunnels have failed"]);
    // One that fails again and again is told of once in ten minutes.
    let mut told = 0;
    for _ in 0..60 {
        told += watch.see(&[ready("a"), failed("b"), failed("c")], 10).len();
        told += watch.see(&[failed("a"), failed("b"), failed("c")], 10).len();
    }
    assert_eq!(told, 2, "in twenty minutes");
}

#[test]
fn only_a_long_trouble_ends_with_a_word() {
    let mut watch = Watch::new();
    watch.see(&[ready("a")], 10);
    watch.see(&[lost("a")], 60);
    assert_eq!(watch.see(&[ready("a")], 60), [""; 0], "a minute is not more than a minute");
    watch.see(&[lost("a")], 40);
    // A new session is opened on the way: that is neither an end nor another beginning.
    watch.see(&[status("a", TunnelState::Connecting)], 30);
    assert_eq!(watch.see(&[status("a", TunnelState::Listening)], 60), ["a works again"]);
}

#[test]
fn a_recovery_that_does_not_last_is_none() {
    let mut watch = Watch::new();
    watch.see(&[lost("a")], 300);
    assert_eq!(watch.see(&[ready("a")], 1), [""; 0]);
    assert_eq!(watch.see(&[lost("a")], 60), [""; 0]);
}

#[test]
fn who_takes_a_tunnel_down_knows_it() {
    let mut watch = Watch::new();
    watch.see(&[lost("a")], 300);
    assert_eq!(watch.see(&[status("a", TunnelState::Down)], 300), [""; 0]);
    assert_eq!(watch.see(&[ready("a")], 60), [""; 0], "what it was before is forgotten");
    let unwanted = TunnelStatus { wanted: TargetState::Down, ..failed("a") };
    assert_eq!(watch.see(&[unwanted], 60), [""; 0]);
    // One that left the configuration while it waited to be told of.
    watch.see(&[failed("a")], 0);
    assert_eq!(watch.see(&[], 60), [""; 0]);
}

#[test]
fn credentials_that_run_out_are_told_of_once_for_each_end() {
    let mut watch = Watch::new();
    let expiring = |minutes: i64| TunnelStatus {
        profile: Some("dev".to_owned()),
        credentials_expire: Some(now() + SignedDuration::from_mins(minutes)),
        ..ready("a")
    };
    assert_eq!(watch.see(&[expiring(40)], 60), [""; 0], "more than half an hour is time enough");
    let at = watch.at();
    let event = Expiry {
        profile: Some("dev".to_owned()),
        at: now() + SignedDuration::from_mins(40),
        renew: None,
        tunnels: vec!["a".to_owned()],
    };
    // The daemon says so, and then every status does.
    let now_then = watch.now();
    watch.policy.expires(event, at, now_then);
    assert_eq!(watch.see(&[expiring(40)], 600), ["The login of profile dev runs out in 38m 58s"]);
    assert_eq!(watch.see(&[expiring(40)], 600), [""; 0]);
    // Somebody has logged in, and eight hours later it ends again.
    watch.see(&[expiring(520)], 8 * 3600);
    assert_eq!(watch.see(&[expiring(520)], 60).len(), 1);
    // That of a daemon that has warned before this tray was there.
    assert_eq!(Watch::new().see(&[expiring(10)], 60), ["The login of profile dev runs out in 9m 58s"]);
    assert_eq!(Watch::new().see(&[expiring(-1)], 60), [""; 0]);
}

#[test]
fn nothing_grows_with_time() {
    let mut watch = Watch::new();
    for round in 0..500 {
        watch.see(&[failed(&format!("t{round}"))], 20);
    }
    assert_eq!(watch.policy.seen.len(), 1);
    assert!(watch.policy.told_of.len() <= 31, "{}", watch.policy.told_of.len());
    assert!(watch.policy.waiting.values().all(|waiting| waiting.len() <= 1));
}
