//! What a tunnel does when the agent's process for its session dies behind a gateway that lives.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::TestDaemon;
use crate::remote::TestRemote;
use crate::sim::TestSim;
use crate::transfer::{Direction, Transfer, echo_once};
use crate::wait::wait_until;

/// The keys of a tunnel for [`expect_replacement`].
const PATIENCE: &str = "patience = \"20s\"\nmax_sessions = 1";
const PATIENCE_TIME: Duration = Duration::from_secs(20);
/// From the last byte received, or the next one sent, to the suspicion.
const SUSPECT: Duration = Duration::from_secs(10);
/// What looking at it may add, and a machine that stands still for a moment.
const LOOK: Duration = Duration::from_secs(6);
/// By so much the last acknowledgement, from which patience counts, may have come before the kill.
const BEFORE: Duration = Duration::from_secs(3);
const DEADLINE: Duration = Duration::from_mins(1);
/// Bytes per second until the kill: what an upload has sent by then is far from what would explain its silence as that of
/// a remote that does not read, however late the kill comes.
const SLOW: u64 = 400_000;

/// A transfer runs in a ready tunnel named `files` with [`PATIENCE`] when `kill` ends the agent's process: the session is
/// suspect, new connections are served by another one, and the old connection is reset after the patience, not before.
#[track_caller]
pub fn expect_replacement(user: &TestDaemon, sim: &TestSim, direction: Direction, kill: impl FnOnce()) {
    // More than any pace moves before the end, and paced by the agent one way or the other.
    let length = 1 << 40;
    let before = sim.sessions().len();
    let port = user.port("files");
    // Its news cannot be missed, however soon the next session is there.
    let events = user.events();
    sim.faults(&json!({"rate_bytes_per_s": SLOW}));
    let transfer = Transfer::start(direction, port, length, 91);
    transfer.wait_past(256 * 1024);
    let killed = Instant::now();
    kill();
    sim.faults(&json!({"rate_bytes_per_s": null}));
    wait_until("the session to be suspect", DEADLINE, || {
        events.all().iter().any(|event| event["tunnel"]["cause"]["kind"] == "unresponsive").then_some(())
    });
    let suspected = killed.elapsed();
    echo_once(port, 10_000, 92).expect("a new connection is served");
    let served = killed.elapsed();
    assert!(sim.sessions().len() > before, "by another session: {:?}", sim.sessions());
    assert!(transfer.is_open(), "the old connection is frozen, not reset");
    user.wait_for("files", "ready");
    let error = transfer.outcome().error.expect("the old connection cannot live");
    let reset = killed.elapsed();
    println!("{direction:?}: suspect after {suspected:?}, served after {served:?}, reset after {reset:?}: {error}");
    assert!(error.contains("reset"), "{error}");
    assert!(suspected <= SUSPECT + LOOK, "{suspected:?}");
    assert!(reset + BEFORE >= PATIENCE_TIME, "{reset:?}");
    assert!(reset <= SUSPECT + PATIENCE_TIME + LOOK, "{reset:?}");
    echo_once(port, 10_000, 93).expect("the tunnel goes on");
}

/// A ready tunnel `files` with [`PATIENCE`].
#[track_caller]
pub fn patient_user(sim: &TestSim, target: &str, remote: &TestRemote) -> TestDaemon {
    let user = TestDaemon::with_target(sim, target).tunnel_with("files", &remote.address().to_string(), PATIENCE);
    user.run(&["up", "--wait=60s"]).expect_success();
    user
}
