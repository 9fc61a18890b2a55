//! The official agent's session worker is killed. The agent reports it only a minute later.

use tunnels_tests::{Direction, OfficialAgent, TestRemote, expect_replacement, official_agent_dir, patient_user};

fn is_killed(direction: Direction) {
    let Some(programs) = official_agent_dir() else { return };
    let remote = TestRemote::start();
    let agent = OfficialAgent::start(&programs);
    let user = patient_user(agent.sim(), agent.node(), &remote);
    expect_replacement(&user, agent.sim(), direction, || {
        assert_eq!(agent.kill_session_workers(), 1, "one worker for one session");
    });
}

#[test]
fn a_session_whose_worker_is_killed_during_a_download_is_replaced() {
    is_killed(Direction::Download);
}

#[test]
fn a_session_whose_worker_is_killed_during_an_upload_is_replaced() {
    is_killed(Direction::Upload);
}
