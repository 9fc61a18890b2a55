//! The setting `payload`: large messages where the gateway relays them, small ones where it does not.

use std::ops::Range;

use serde_json::{Value, json};
use tunnels_tests::{Direction, TestDaemon, TestRemote, TestSim, Transfer};

const LENGTH: u64 = 1 << 20;
const LARGE: u64 = 32 << 10;
const WARNING: &str = "payloads of 32768 bytes do not get through: small ones are used for an hour";

struct World {
    user: TestDaemon,
    sim: TestSim,
    _remote: TestRemote,
}

impl World {
    fn new(faults: &Value) -> Self {
        let (remote, sim) = (TestRemote::start(), TestSim::start());
        sim.faults(faults);
        let keys = format!("max_sessions = 1\npayload = {LARGE}");
        let user = TestDaemon::new(&sim).tunnel_with("files", &remote.address().to_string(), &keys);
        user.run(&["up", "--wait"]).expect_success();
        Self { user, sim, _remote: remote }
    }

    /// A gateway whose limit is between the default and what the configuration asks for.
    fn with_limit(too_large: &str) -> Self {
        Self::new(&json!({ "max_message_bytes": 4096, "too_large": too_large, "agent_payload": 1024 }))
    }

    /// Uploads in one connection; how many messages the gateway gets for it says how large they are.
    #[track_caller]
    fn upload_in_messages_of(&self, payload: u64, seed: u64) {
        // A machine that stands still for a moment makes resends of its own.
        let count = || {
            let up = self.sim.sessions().last().expect("a session")["up"].clone();
            up["messages"].as_u64().expect("a count") - up["retransmissions"].as_u64().expect("a count")
        };
        let before = count();
        Transfer::start(Direction::Upload, self.user.port("files"), LENGTH, seed).finish();
        let (messages, least) = (count() - before, LENGTH / payload);
        // Each is as full as the mux's frames and turns allow.
        let expected: Range<u64> = least..2 * least;
        assert!(expected.contains(&messages), "{messages} messages where {expected:?} were expected");
        assert_eq!(self.user.status("files")["state"], "ready");
    }

    /// An edit while the tunnel is up.
    fn edit_payload(&self, from: u64, to: u64) {
        let text = std::fs::read_to_string(self.user.config()).unwrap();
        self.user.overwrite_config(&text.replace(&format!("payload = {from}"), &format!("payload = {to}")));
    }

    fn restart(&self) {
        self.user.run(&["restart", "files"]).expect_success();
        self.user.run(&["wait", "files"]).expect_success();
    }

    /// How often `why` tells of small payloads, after `status` has.
    #[track_caller]
    fn told(&self) -> usize {
        let text = self.user.run(&["status", "files"]).expect_success();
        assert!(text.stdout.contains("  payload     1024 bytes"), "{text:?}");
        self.user.run(&["why", "files"]).expect_success().stdout.matches(WARNING).count()
    }

    fn warnings(&self) -> usize {
        self.user.state_files().iter().map(|text| text.matches(WARNING).count()).sum()
    }
}

#[test]
fn large_messages_carry_an_upload_and_the_session_after_an_edit_has_others() {
    let world = World::new(&json!({}));
    world.upload_in_messages_of(LARGE, 1);

    for (seed, from, to) in [(2, LARGE, 1024), (4, 1024, LARGE)] {
        let sessions = world.sim.calls("StartSession");
        world.edit_payload(from, to);
        world.upload_in_messages_of(from, seed);
        assert_eq!(world.sim.calls("StartSession"), sessions, "it costs no session");
        world.restart();
        world.upload_in_messages_of(to, seed + 1);
    }
    assert_eq!(world.warnings(), 0);
}

#[test]
fn a_gateway_that_loses_large_messages_is_sent_small_ones() {
    let world = World::with_limit("drop");
    world.upload_in_messages_of(1024, 1);
    assert_eq!(world.sim.calls("StartSession"), 1, "it cost no session");
    assert_eq!((world.warnings(), world.told()), (1, 1));

    // The next session does not try again.
    world.restart();
    let session = &world.sim.sessions()[1];
    assert!(session["up"]["bytes"].as_u64() < Some(4096), "{session}");
    assert_eq!((world.warnings(), world.told()), (1, 1));

    // But it tries what somebody asks for who knows of that.
    world.edit_payload(LARGE, 2048);
    world.restart();
    world.upload_in_messages_of(2048, 2);
}

#[test]
fn a_gateway_that_closes_the_websocket_over_large_messages_is_sent_small_ones() {
    let world = World::with_limit("close");
    world.upload_in_messages_of(1024, 1);
    assert_eq!(world.sim.calls("StartSession"), 2, "the first was lost before anybody could use it");
    assert_eq!((world.warnings(), world.told()), (1, 1));
}
