//! `/_sim`: reports, and changes while it runs.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Remote, request, sim_call, start, until};

#[tokio::test]
async fn faults_are_changed_shown_and_cleared() {
    let sim = start().await;
    let all = sim_call(&sim, Method::PUT, "/_sim/faults", &json!({"latency_ms": 5, "throttle": true})).await;
    assert_eq!((&all["latency_ms"], &all["throttle"], &all["drop_acks"]), (&json!(5), &json!(true), &json!(0.0)));
    assert_eq!(sim_call(&sim, Method::GET, "/_sim/faults", &Value::Null).await, all);
    let cleared = sim_call(&sim, Method::DELETE, "/_sim/faults", &Value::Null).await;
    assert_eq!((&cleared["latency_ms"], &cleared["throttle"]), (&json!(0), &json!(false)));
    let wrong = request(&sim, Method::PUT, "/_sim/faults", &[], r#"{"latnecy_ms": 5}"#).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("latnecy_ms"), "{}", wrong.text);
}

#[tokio::test]
async fn a_session_report_says_who_is_connected_and_what_has_passed() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let report = sim_call(&sim, Method::GET, "/_sim/sessions", &Value::Null).await;
    let session = &report["sessions"][0];
    assert_eq!(session["id"], client.id.as_str());
    assert_eq!(session["host"], "127.0.0.1");
    assert_eq!(session["port"], remote.address.port());
    assert_eq!(session["state"], "connected");
    assert_eq!((&session["client_connected"], &session["agent_connected"]), (&json!(true), &json!(true)));
    for counter in ["bytes", "messages", "acks"] {
        assert!(session[counter].as_u64().unwrap() > 0, "{counter} of the handshake");
    }
    // A busy machine may make some.
    assert!(session["retransmissions"].is_u64(), "{session}");
    assert_eq!(session["resumes"], 0);
}

#[tokio::test]
async fn a_session_is_closed_with_a_text() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    let path = format!("/_sim/sessions/{}/close", client.id);
    sim_call(&sim, Method::POST, &path, &json!({"output": "Bye from the operator"})).await;
    let reason = client.session.closed().await;
    assert!(reason.to_string().contains("Bye from the operator"), "{reason}");
    until("the agent to leave", || !sim.sessions().sessions[0].agent_connected).await;
    let session = &sim.sessions().sessions[0];
    assert_eq!(session.output.as_deref(), Some("Bye from the operator"));
    let unknown = request(&sim, Method::POST, "/_sim/sessions/nope/close", &[], "").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_restarted_agent_leaves_a_session_that_looks_alive() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    sim_call(&sim, Method::POST, "/_sim/agent/restart", &Value::Null).await;
    until("the agent to be gone", || !sim.sessions().sessions[0].agent_connected).await;
    let report = sim.sessions();
    assert!(report.sessions[0].client_connected);
    assert_eq!(report.sessions[0].ended, None);
    let fresh = Client::start(&sim, remote.address).await;
    assert_ne!(fresh.id, client.id);
}

#[tokio::test]
async fn shutdown_ends_every_task() {
    let (sim, remote) = (start().await, Remote::start().await);
    let client = Client::start(&sim, remote.address).await;
    tokio::time::timeout(crate::support::DEADLINE, sim.shutdown()).await.expect("every task ends");
    drop(client);
}
