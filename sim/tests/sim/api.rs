//! The SSM JSON API: shapes, errors, filters, pages.

use http::Method;
use serde_json::{Value, json};
use ssm_sim::{DEFAULT_NODE, Node, SimConfig};

use crate::support::{api, fast, request, start, start_with};

const TO_REMOTE_HOST: &str = "AWS-StartPortForwardingSessionToRemoteHost";

fn to_remote_host(target: &str) -> Value {
    json!({"Target": target, "DocumentName": TO_REMOTE_HOST,
           "Parameters": {"host": ["db.internal"], "portNumber": ["5432"]}, "Reason": "a test"})
}

#[tokio::test]
async fn a_session_is_started_listed_resumed_and_terminated() {
    let sim = start().await;
    let started = api(&sim, "StartSession", to_remote_host(DEFAULT_NODE)).await;
    assert_eq!(started.status, 200);
    assert_eq!(started.headers["content-type"], "application/x-amz-json-1.1");
    assert!(started.headers.contains_key("x-amzn-requestid"));
    let grant = started.json();
    let id = grant["SessionId"].as_str().unwrap();
    let url = grant["StreamUrl"].as_str().unwrap();
    let expected = format!("ws://{}/v1/data-channel/{id}?role=publish_subscribe&cell-number=", sim.address());
    assert!(url.starts_with(&expected), "{url}");
    assert!(["+", "/", "="].iter().all(|raw| url[expected.len()..].contains(raw)), "{url}");

    let resumed = api(&sim, "ResumeSession", json!({"SessionId": id})).await.json();
    assert_eq!(resumed["SessionId"], id);
    assert_ne!(resumed["TokenValue"], grant["TokenValue"]);
    assert_ne!(resumed["StreamUrl"], grant["StreamUrl"], "another cell-number");

    let active = api(&sim, "DescribeSessions", json!({"State": "Active"})).await.json();
    let session = &active["Sessions"][0];
    assert_eq!(session["SessionId"], id);
    assert_eq!(session["Target"], DEFAULT_NODE);
    assert_eq!(session["DocumentName"], TO_REMOTE_HOST);
    assert_eq!(session["Reason"], "a test");
    assert!(session["StartDate"].is_f64());

    let ended = api(&sim, "TerminateSession", json!({"SessionId": id})).await;
    assert_eq!(ended.json(), json!({"SessionId": id}));
    let again = api(&sim, "TerminateSession", json!({"SessionId": id})).await;
    assert_eq!(again.status, 200, "TerminateSession is idempotent");
    assert_eq!(api(&sim, "ResumeSession", json!({"SessionId": id})).await.error(), "DoesNotExistException");
    let history = api(&sim, "DescribeSessions", json!({"State": "History"})).await.json();
    assert_eq!(history["Sessions"][0]["Status"], "Terminated");
    let none = api(&sim, "DescribeSessions", json!({"State": "Active"})).await.json();
    assert_eq!(none["Sessions"], json!([]));
}

#[tokio::test]
async fn errors_have_their_exact_names() {
    let sim = start().await;
    let cases = [
        ("StartSession", to_remote_host("i-00000000000000000"), "TargetNotConnected"),
        ("StartSession", to_remote_host("bastion"), "ValidationException"),
        ("StartSession", json!({"DocumentName": TO_REMOTE_HOST}), "ValidationException"),
        ("StartSession", json!({"Target": DEFAULT_NODE, "DocumentName": "Nope"}), "InvalidDocument"),
        ("StartSession", json!({"Target": DEFAULT_NODE}), "InvalidDocument"),
        ("StartSession", json!({"Target": DEFAULT_NODE, "DocumentName": TO_REMOTE_HOST}), "InvalidParameters"),
        ("ResumeSession", json!({"SessionId": "demo-nope"}), "DoesNotExistException"),
        ("DescribeSessions", json!({"State": "Past"}), "ValidationException"),
        ("DescribeInstanceInformation", json!({"MaxResults": 1}), "ValidationException"),
        ("DescribeInstanceInformation", json!({"NextToken": "x"}), "InvalidNextToken"),
        ("DescribeInstanceInformation", json!({"Filters": [{"Key": "Colour", "Values": ["red"]}]}), "InvalidFilterKey"),
        ("GetMoreSessions", json!({}), "UnknownOperationException"),
    ];
    for (operation, body, name) in cases {
        let answer = api(&sim, operation, body.clone()).await;
        assert_eq!(answer.error(), name, "{operation} {body}");
        assert_eq!(answer.status, 400, "{operation} {body}");
        assert_eq!(answer.headers["x-amzn-errortype"], name);
        assert!(answer.json()["message"].is_string());
    }
    let broken = request(&sim, Method::POST, "/", &[("x-amz-target", "AmazonSSM.StartSession")], "{").await;
    assert_eq!(broken.error(), "SerializationException");
}

#[tokio::test]
async fn nodes_are_found_by_tag_and_come_in_pages() {
    let nodes = (0..12)
        .map(|number| {
            let mut node = Node::named(format!("i-{number:017x}"), format!("node-{number}"));
            let stage = if number < 7 { "dev" } else { "prod" };
            node.tags.insert("stage".to_owned(), stage.to_owned());
            node
        })
        .collect();
    let sim = start_with(SimConfig { nodes, ..fast() }).await;
    let by_tag = json!({"Filters": [{"Key": "tag:stage", "Values": ["dev"]}]});
    let found = api(&sim, "DescribeInstanceInformation", by_tag).await.json();
    assert_eq!(found["InstanceInformationList"].as_array().unwrap().len(), 7);
    let first = &found["InstanceInformationList"][0];
    for (field, value) in [
        ("InstanceId", "i-00000000000000000"),
        ("PingStatus", "Online"),
        ("ResourceType", "EC2Instance"),
        ("ComputerName", "node-0"),
    ] {
        assert_eq!(first[field], value);
    }
    let legacy =
        json!({"InstanceInformationFilterList": [{"key": "InstanceIds", "valueSet": ["i-0000000000000000b"]}]});
    let found = api(&sim, "DescribeInstanceInformation", legacy).await.json();
    assert_eq!(found["InstanceInformationList"][0]["ComputerName"], "node-11");

    let mixed =
        json!({"Filters": [{"Key": "tag:stage", "Values": ["dev"]}, {"Key": "PingStatus", "Values": ["Online"]}]});
    assert!(api(&sim, "DescribeInstanceInformation", mixed).await.status.is_client_error());

    let (mut seen, mut token) = (0, Value::Null);
    loop {
        let page = api(&sim, "DescribeInstanceInformation", json!({"MaxResults": 5, "NextToken": token})).await.json();
        seen += page["InstanceInformationList"].as_array().unwrap().len();
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, 12);
}

#[tokio::test]
async fn the_connection_status_is_live() {
    let sim = start().await;
    let status = async |target: &str| {
        let answer = api(&sim, "GetConnectionStatus", json!({"Target": target})).await.json();
        assert_eq!(answer["Target"], target);
        answer["Status"].clone()
    };
    assert_eq!(status(DEFAULT_NODE).await, "connected");
    assert_eq!(status("i-00000000000000000").await, "notconnected");
    sim.set_faults(&json!({"offline": [DEFAULT_NODE]})).unwrap();
    assert_eq!(status(DEFAULT_NODE).await, "notconnected");
    assert_eq!(api(&sim, "StartSession", to_remote_host(DEFAULT_NODE)).await.error(), "TargetNotConnected");
    let listed = api(&sim, "DescribeInstanceInformation", json!({})).await.json();
    assert_eq!(listed["InstanceInformationList"][0]["PingStatus"], "ConnectionLost");
}

#[tokio::test]
async fn calls_are_logged_without_tokens() {
    let sim = start().await;
    let grant = api(&sim, "StartSession", to_remote_host(DEFAULT_NODE)).await.json();
    api(&sim, "StartSession", to_remote_host("i-00000000000000000")).await;
    let report = request(&sim, Method::GET, "/_sim/sessions", &[], "").await;
    assert!(!report.text.contains(grant["TokenValue"].as_str().unwrap()));
    let calls = report.json()["calls"].clone();
    assert_eq!(calls[0]["operation"], "StartSession");
    assert_eq!(calls[0]["session"], grant["SessionId"]);
    assert_eq!(calls[0]["result"], "ok");
    assert_eq!(calls[1]["result"], "TargetNotConnected");
}
