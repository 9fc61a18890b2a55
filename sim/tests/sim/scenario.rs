//! Scenarios, played by a running simulator.

use std::path::Path;
use std::time::{Duration, Instant};

use ssm_sim::{EndReason, Scenario, SimConfig};
use tokio::time::{sleep, timeout};

use crate::support::{Client, DEADLINE, Remote, fast, start_with, until};

fn played(text: &str) -> SimConfig {
    SimConfig { scenario: Some(Scenario::parse(text).unwrap()), seed: None, ..fast() }
}

#[tokio::test]
async fn a_scenario_begins_with_the_first_session_and_ends_its_faults() {
    let scenario = r#"
        from = "first-session"
        seed = 5
        [faults]
        jitter_ms = 1
        [[step]]
        at = 0.2
        faults = { latency_ms = 40 }
        [[step]]
        at = 0.2
        for = 0.4
        faults = { spike_ms = 9 }
    "#;
    let (sim, remote) = (start_with(played(scenario)).await, Remote::start().await);
    assert_eq!((sim.seed(), sim.plan().len()), (5, 3));
    let spike = sim.faults().spike_ms;
    sleep(Duration::from_millis(300)).await;
    assert_eq!((sim.faults().latency_ms, sim.faults().jitter_ms), (0, 1), "it began without a session");

    let began = Instant::now();
    let _client = Client::start(&sim, remote.address).await;
    until("the slow path", || sim.faults().latency_ms == 40 && sim.faults().jitter_ms == 1).await;
    assert!(began.elapsed() >= Duration::from_millis(200));
    // Whoever comes too late to see it begin sees that it is over.
    if sim.faults().spike_ms != spike {
        until("its end", || sim.faults().spike_ms == spike).await;
        assert!(began.elapsed() >= Duration::from_millis(600));
    }
}

#[tokio::test]
async fn a_scenario_cuts_and_closes() {
    for step in ["cut = { side = \"client\", how = \"reset\" }", "close = \"The end.\""] {
        let scenario = format!("from = \"first-session\"\n[[step]]\nat = 0.2\n{step}");
        let (sim, remote) = (start_with(played(&scenario)).await, Remote::start().await);
        let client = Client::start(&sim, remote.address).await;
        if step.starts_with("cut") {
            until("the cut", || sim.sessions().sessions[0].counters.resumes == 1).await;
        } else {
            let reason = timeout(DEADLINE, client.session.closed()).await.unwrap();
            assert!(reason.to_string().contains("The end."), "{reason}");
            assert_eq!(sim.sessions().sessions[0].end_reason, Some(EndReason::Closed));
        }
    }
}

#[tokio::test]
async fn two_simulators_with_one_seed_plan_the_same() {
    let scenario = "[[step]]\nat = 1\njitter = 10\nevery = 5\ntimes = 9\nclear = true";
    let plan = async |seed| start_with(SimConfig { seed, ..played(scenario) }).await.plan();
    assert_eq!(plan(Some(3)).await, plan(Some(3)).await);
    assert_ne!(plan(Some(3)).await, plan(Some(4)).await);
}

#[test]
fn the_scenarios_of_the_documentation_can_be_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found += 1;
    }
    assert!(found > 0);
}
