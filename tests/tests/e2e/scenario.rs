//! `tunnels sim --scenario`: the committed example, played from its beginning to its end.

use std::path::Path;
use std::time::Duration;

use tunnels_tests::{Direction, SimOptions, TestDaemon, TestRemote, TestSim, Transfer, finish, tunnels_program};

const MIB: u64 = 1024 * 1024;
/// The last act of the example, and some time to come back from it.
const THE_END: Duration = Duration::from_secs(28);

#[test]
fn connections_live_through_the_whole_bad_morning() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios/bad-morning.toml");
    // At the official agent's pace transfers of this size are under way all the time.
    let options = SimOptions {
        real_pace: true,
        arguments: vec!["--scenario".to_owned(), example.display().to_string()],
        ..SimOptions::default()
    };
    let remote = TestRemote::start();
    let sim = TestSim::start_with(&options);
    tunnels_tests::wait_until("the plan to be told", THE_END, || {
        sim.process().output().contains("cut Agent Blackhole for 2 s").then_some(())
    });
    let user = TestDaemon::new(&sim).tunnel_of_one("files", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let events = user.events();

    let download = Transfer::start(Direction::Download, user.port("files"), 8 * MIB, 81);
    let upload = Transfer::start(Direction::Upload, user.port("files"), 8 * MIB, 82);
    download.finish();
    upload.finish();
    events.wait_for_sequence("files", &["ready", "reconnecting", "ready", "reconnecting", "ready"]);
    tunnels_tests::wait_until("the end of the scenario", THE_END, || {
        sim.process().output().contains("the scenario is over").then_some(())
    });
    user.wait_for("files", "ready");
    assert_eq!(sim.sessions().len(), 1, "one session has lived through everything: {:?}", sim.sessions());
}

#[test]
fn a_scenario_that_makes_no_sense_is_refused_with_its_place() {
    let folder = tempfile::TempDir::with_prefix("tunnels-scenario-").unwrap();
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "[[step]]\nat = 1\nfaults = { latency = 1 }\n").unwrap();
    let mut command = std::process::Command::new(tunnels_program());
    command.args(["sim", "--listen", "0", "--scenario"]).arg(&file);
    let refused = finish(&mut command).expect_code(2);
    for part in ["wrong.toml", "step 1, at 1s", "latency"] {
        assert!(refused.stderr.contains(part), "{part} is missing in {}", refused.stderr);
    }
}
