//! What can go wrong, and the weather in which it does.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::scene::{Group, MORTAL, OTHER_NODE, Scene};

/// One kind of fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) measure: Measure,
    /// Does it, and says how long it goes on.
    pub(crate) strike: fn(&Scene, &mut Rng) -> Duration,
    /// Ends it.
    pub(crate) mend: Option<fn(&Scene)>,
}

/// From when on the first byte is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// From the last byte before it on: nothing stands in the way of a new channel at once.
    FromItsBeginning,
    /// From the moment on when AWS can be reached and answers again.
    FromItsEnd,
}

const AT_ONCE: Duration = Duration::ZERO;
/// Seconds; a connection that is used sends far more often.
const IDLE_TIMEOUT: u64 = 3;

/// Cut, with a channel that leads nowhere from the outset.
const fn cut(name: &'static str, strike: fn(&Scene, &mut Rng) -> Duration) -> Fault {
    Fault { name, group: Group::Lasting, measure: Measure::FromItsBeginning, strike, mend: None }
}

/// Nothing can be done before it is over.
const fn outage(name: &'static str, strike: fn(&Scene, &mut Rng) -> Duration, mend: fn(&Scene)) -> Fault {
    Fault { name, group: Group::Lasting, measure: Measure::FromItsEnd, strike, mend: Some(mend) }
}

/// Sessions end.
const fn end(name: &'static str, strike: fn(&Scene, &mut Rng) -> Duration, mend: Option<fn(&Scene)>) -> Fault {
    Fault { name, group: Group::Mortal, measure: Measure::FromItsEnd, strike, mend }
}

const FAULTS: &[Fault] = &[
    cut("websocket closed by the service", |scene, _| at_once(scene, "client", "bye")),
    cut("websocket reset", |scene, _| at_once(scene, "client", "reset")),
    cut("agent's websocket closed", |scene, _| at_once(scene, "agent", "bye")),
    cut("agent's websocket reset", |scene, _| at_once(scene, "agent", "reset")),
    cut("frame too large", |scene, _| at_once(scene, "client", "oversized")),
    cut("websocket in a black hole", |scene, random| for_a_while(scene, "client", "blackhole", random)),
    cut("agent's websocket in a black hole", |scene, random| for_a_while(scene, "agent", "blackhole", random)),
    cut("websocket half-open", |scene, random| for_a_while(scene, "client", "halfopen", random)),
    cut("agent's websocket half-open", |scene, random| for_a_while(scene, "agent", "halfopen", random)),
    cut("reset, resuming refused", |scene, random| broken(scene, &json!({ "resume_refusals": random.u32(1..8) }))),
    cut("reset, resuming throttled", |scene, random| broken(scene, &json!({ "throttle": random.u32(1..8) }))),
    cut("reset, upgrade refused", |scene, random| broken(scene, &json!({ "upgrade_refusals": random.u32(1..8) }))),
    cut("reset, resuming's answer lost", |scene, _| broken(scene, &json!({ "resume_lost": 1 }))),
    cut("reset, resuming slow", |scene, random| {
        scene.sim.faults(&json!({ "resume_delay_ms": random.u32(100..2000) }));
        at_once(scene, "client", "reset")
    }),
    outage(
        "reset, credentials expired",
        |scene, random| {
            scene.sim.faults(&json!({ "expired_credentials": true }));
            at_once(scene, "client", "reset");
            seconds(random, 1, 6)
        },
        |scene| mended(scene, &["expired_credentials"]),
    ),
    outage(
        "network silent",
        |scene, random| {
            scene.sim.faults(&json!({ "api": "silent", "gateway": "silent" }));
            seconds(random, 1, 12)
        },
        |scene| mended(scene, &["api", "gateway"]),
    ),
    outage(
        "network refuses",
        |scene, random| {
            scene.sim.faults(&json!({ "api": "closed", "gateway": "closed" }));
            seconds(random, 1, 12)
        },
        |scene| mended(scene, &["api", "gateway"]),
    ),
    outage(
        "gateway alone refuses",
        |scene, random| {
            scene.sim.faults(&json!({ "gateway": "closed" }));
            seconds(random, 1, 8)
        },
        |scene| mended(scene, &["gateway"]),
    ),
    Fault {
        name: "websocket closed every 2 s",
        group: Group::Lasting,
        measure: Measure::FromItsBeginning,
        strike: |scene, _| {
            scene.sim.faults(&json!({ "close_every_s": 2 }));
            Duration::from_secs(9)
        },
        mend: Some(|scene| mended(scene, &["close_every_s"])),
    },
    outage(
        "daemon stands still",
        |scene, random| {
            scene.signal_daemon("STOP");
            seconds(random, 1, 5)
        },
        |scene| scene.signal_daemon("CONT"),
    ),
    end("session closed", |scene, _| closed(scene), None),
    end(
        "session closed, starting refused",
        |scene, random| {
            scene.sim.faults(&json!({ "start_refusals": random.u32(1..4) }));
            closed(scene)
        },
        None,
    ),
    end(
        "session closed, starting's answer lost",
        |scene, _| {
            scene.sim.faults(&json!({ "start_lost": 1 }));
            closed(scene)
        },
        None,
    ),
    end(
        "session closed, the next agent never comes",
        |scene, _| {
            scene.sim.faults(&json!({ "absent_agents": 1 }));
            closed(scene)
        },
        None,
    ),
    end(
        "session closed, starting slow",
        |scene, random| {
            scene.sim.faults(&json!({ "start_delay_ms": random.u32(100..2000) }));
            closed(scene)
        },
        None,
    ),
    // In an account of its own: whoever opens a session next is hit, and lasting tunnels open further ones.
    end(
        "session closed, the next ones closed at once",
        |scene, random| {
            let faults = json!({ "close_at_open": random.u32(1..3), "close_output": "maintenance" });
            scene.strict_sim.faults(&faults);
            scene.close_strict_sessions();
            AT_ONCE
        },
        None,
    ),
    end(
        "session closed while its node is offline",
        |scene, random| {
            scene.sim.faults(&json!({ "offline": [OTHER_NODE] }));
            closed(scene);
            seconds(random, 1, 5)
        },
        Some(|scene| mended(scene, &["offline"])),
    ),
    end(
        "agent's workers gone, nobody told",
        |scene, _| {
            for session in scene.mortal_sessions() {
                scene.sim.control("POST", "/_sim/agent/restart", Some(&json!({ "session": session })));
            }
            AT_ONCE
        },
        None,
    ),
    end(
        "idle policy of an account",
        |scene, random| {
            scene.strict_sim.faults(&json!({ "idle_timeout_s": IDLE_TIMEOUT }));
            seconds(random, IDLE_TIMEOUT, 2 * IDLE_TIMEOUT)
        },
        Some(|scene| drop(scene.strict_sim.faults(&json!({ "idle_timeout_s": null })))),
    ),
    end(
        "daemon killed and started",
        |scene, _| {
            scene.victim.kill_and_start();
            AT_ONCE
        },
        None,
    ),
    end(
        "restarted by its user",
        |scene, _| {
            for name in MORTAL {
                scene.user.run(&["restart", name]).expect_success();
            }
            AT_ONCE
        },
        None,
    ),
];

fn seconds(random: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(random.u64(least * 1000..=most * 1000))
}

fn at_once(scene: &Scene, side: &str, how: &str) -> Duration {
    scene.cut(side, how, None);
    AT_ONCE
}

fn for_a_while(scene: &Scene, side: &str, how: &str, random: &mut Rng) -> Duration {
    scene.cut(side, how, Some(seconds(random, 1, 20)));
    AT_ONCE
}

fn broken(scene: &Scene, faults: &Value) -> Duration {
    scene.sim.faults(faults);
    at_once(scene, "client", "reset")
}

fn closed(scene: &Scene) -> Duration {
    scene.close_mortal_sessions();
    AT_ONCE
}

/// Ends what a fault has left: refusals that nobody met, calls that would be slow for ever.
pub(crate) fn clear(scene: &Scene) {
    mended(scene, &["resume_refusals", "throttle", "upgrade_refusals", "resume_delay_ms", "resume_lost"]);
    scene.strict_sim.faults(&json!({ "close_at_open": null }));
    mended(scene, &["start_refusals", "start_delay_ms", "start_lost", "absent_agents"]);
}

fn mended(scene: &Scene, keys: &[&str]) {
    let defaults: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    scene.sim.faults(&Value::Object(defaults));
}

/// Deals each kind of fault once before one comes again.
#[derive(Default)]
pub(crate) struct Deck(Vec<&'static Fault>);

impl Deck {
    pub(crate) fn draw(&mut self, random: &mut Rng) -> &'static Fault {
        loop {
            if let Some(fault) = self.0.pop() {
                return fault;
            }
            self.0.extend(FAULTS);
            random.shuffle(&mut self.0);
        }
    }
}

/// What is wrong with the path all the while.
pub(crate) struct Weather {
    pub(crate) names: Vec<&'static str>,
}

impl Weather {
    /// Another weather, of which about a third is fair.
    pub(crate) fn turn(scene: &Scene, random: &mut Rng) -> Self {
        let is_fair = random.u8(0..3) == 0;
        let kinds: [(&str, Value); 10] = [
            ("latency_ms", json!(random.u32(1..40))),
            ("jitter_ms", json!(random.u32(1..20))),
            ("rate_bytes_per_s", json!(random.u32(500_000..4_000_000))),
            ("spike", json!(random.f64() * 0.002)),
            ("ack_delay_ms", json!(random.u32(1..200))),
            ("duplicate", json!(random.f64() * 0.01)),
            ("reorder", json!(random.f64() * 0.01)),
            ("drop_acks", json!(random.f64() * 0.02)),
            ("corrupt", json!(random.f64() * 0.002)),
            ("garbage", json!(random.f64() * 0.002)),
        ];
        let mut names = Vec::new();
        let mut patch = Map::new();
        for (name, value) in kinds {
            let is_bad = !is_fair && random.u8(0..3) == 0;
            patch.insert(name.to_owned(), if is_bad { value } else { Value::Null });
            names.extend(is_bad.then_some(name));
        }
        scene.sim.faults(&Value::Object(patch));
        Self { names }
    }
}
