//! The SDK against a small server: the shape of the calls, and what answers become.

use ssm_session::Network;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tunnels_aws::SdkConnector;
use tunnels_daemon::aws::{AwsConnector as _, AwsError, AwsScope, Endpoints, SsmApi, StartSession, TagFilter};

/// Answers every request with the same status and body, and keeps what it was asked.
struct Server {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn server(status: u16, body: &'static str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, status, body, Arc::clone(&log)));
        }
    });
    Server { endpoint, asked }
}

async fn answer(mut stream: TcpStream, status: u16, body: &str, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, sent)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if sent.len() >= length {
                log.lock().unwrap().push(text);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                drop(stream.write_all(answer.as_bytes()).await);
                return;
            }
        }
        let Ok(bytes @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        request.extend_from_slice(&chunk[..bytes]);
    }
}

fn scope(endpoint: &str) -> AwsScope {
    AwsScope {
        region: Some("eu-west-1".into()),
        endpoints: Endpoints { ssm: Some(endpoint.to_owned()), ..Endpoints::default() },
        ..AwsScope::default()
    }
}

async fn api(endpoint: &str) -> Arc<dyn SsmApi> {
    SdkConnector::new(Network::default()).connect(&scope(endpoint)).await.unwrap()
}

fn start() -> StartSession {
    StartSession {
        target: "i-01234567".into(),
        document: "AWS-StartPortForwardingSessionToRemoteHost".into(),
        parameters: [("portNumber".to_owned(), vec!["5432".to_owned()])].into(),
        reason: Some("test".into()),
    }
}

#[tokio::test]
async fn a_session_is_started_as_documented() {
    let server = server(200, r#"{"SessionId":"s-1","StreamUrl":"wss://x/y?cell-number=A+/=","TokenValue":"t"}"#).await;
    let api = api(&server.endpoint).await;
    let grant = api.start_session(start()).await.unwrap();
    assert_eq!((grant.session_id.as_str(), grant.stream_url.as_str()), ("s-1", "wss://x/y?cell-number=A+/="));
    assert_eq!(grant.token.expose(), "t");
    let asked = server.asked.lock().unwrap().join("");
    let lower = asked.to_lowercase();
    assert!(lower.contains("x-amz-target: amazonssm.startsession"), "{asked}");
    assert!(lower.contains("/eu-west-1/ssm/aws4_request"), "{asked}");
    for part in [r#""Target":"i-01234567""#, r#""portNumber":["5432"]"#, r#""Reason":"test""#] {
        assert!(asked.contains(part), "{part} is missing in {asked}");
    }
    assert_eq!(api.region(), "eu-west-1");
    assert_eq!(api.endpoint(), Some(server.endpoint));
}

#[tokio::test]
async fn an_empty_token_means_that_the_session_has_timed_out() {
    for body in [r#"{"SessionId":"s-1"}"#, r#"{"SessionId":"s-1","TokenValue":"","StreamUrl":"wss://x"}"#] {
        let server = server(200, body).await;
        assert!(api(&server.endpoint).await.resume_session("s-1").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn nodes_are_found_by_tag() {
    let server = server(
        200,
        r#"{"InstanceInformationList":[{"InstanceId":"i-b","PingStatus":"Online"},{"InstanceId":"i-a","PingStatus":"ConnectionLost"}]}"#,
    )
    .await;
    let tag = TagFilter { key: "Name".into(), value: "bastion".into() };
    let found = api(&server.endpoint).await.describe_instances(&tag).await.unwrap();
    let found: Vec<_> = found.iter().map(|node| (node.id.as_str(), node.online)).collect();
    assert_eq!(found, [("i-b", true), ("i-a", false)]);
    let asked = server.asked.lock().unwrap().join("");
    assert!(asked.contains(r#""Key":"tag:Name","Values":["bastion"]"#), "{asked}");
}

#[tokio::test]
async fn errors_are_told_apart_by_name_and_else_by_status() {
    for (status, body, expected) in [
        (400, r#"{"__type":"TargetNotConnected","message":"m"}"#, AwsError::TargetNotConnected("m".into())),
        (400, r#"{"__type":"com.amazonaws#AccessDeniedException","Message":"m"}"#, AwsError::AccessDenied("m".into())),
        (400, r#"{"__type":"InvalidDocument","message":"m"}"#, AwsError::InvalidDocument("m".into())),
        (400, r#"{"__type":"ThrottlingException","message":"m"}"#, AwsError::Throttled("m".into())),
        (500, r#"{"__type":"InternalServerError","message":"m"}"#, AwsError::Service("m".into())),
    ] {
        let server = server(status, body).await;
        let error = api(&server.endpoint).await.start_session(start()).await.unwrap_err();
        assert_eq!(error, expected, "{body}");
    }
    let page = server(503, "<html>proxy</html>").await;
    let error = api(&page.endpoint).await.start_session(start()).await.unwrap_err();
    assert!(matches!(&error, AwsError::Service(text) if text.contains("proxy")), "{error:?}");
}

#[tokio::test]
async fn expired_credentials_ask_for_a_login_and_make_the_next_client_a_new_one() {
    let server = server(400, r#"{"__type":"ExpiredTokenException","message":"m"}"#).await;
    let connector = SdkConnector::new(Network::default());
    let scope = scope(&server.endpoint);
    let first = connector.connect(&scope).await.unwrap();
    assert!(Arc::ptr_eq(&first, &connector.connect(&scope).await.unwrap()));
    assert!(first.terminate_session("s-1").await.unwrap_err().needs_login());
    assert!(!Arc::ptr_eq(&first, &connector.connect(&scope).await.unwrap()));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = api(&endpoint).await.start_session(start()).await.unwrap_err();
    assert!(
        matches!(&error, AwsError::Unreachable(text) if text.starts_with("cannot connect to 127.0.0.1:")),
        "{error:?}"
    );
}

#[tokio::test]
async fn calls_do_not_leave_this_machine_unencrypted() {
    let encrypted = || Some("https://ssm.example".to_owned());
    let plain = || Some("http://ssm.example".to_owned());
    for (ssm, ssmmessages) in
        [(plain(), None), (encrypted(), plain()), (Some("http://localhost:80@evil/".into()), None)]
    {
        let endpoints = Endpoints { ssm, ssmmessages, ..Endpoints::default() };
        let scope = AwsScope { region: Some("eu-west-1".into()), endpoints, ..AwsScope::default() };
        let error = SdkConnector::new(Network::default()).connect(&scope).await.unwrap_err();
        assert!(matches!(error, AwsError::Config(_)), "{scope:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_client_whose_key_was_refused_is_not_given_out_again() {
    let server = server(400, r#"{"__type":"UnrecognizedClientException","message":"m"}"#).await;
    let connector = SdkConnector::new(Network::default());
    let scope = scope(&server.endpoint);
    let first = connector.connect(&scope).await.unwrap();
    assert_eq!(first.terminate_session("s-1").await, Err(AwsError::BadSignature("m".into())));
    assert!(!Arc::ptr_eq(&first, &connector.connect(&scope).await.unwrap()));
}

#[tokio::test]
async fn a_forgotten_client_is_made_anew_once() {
    let connector = SdkConnector::new(Network::default());
    let scope = scope("http://127.0.0.1:1");
    let first = connector.connect(&scope).await.unwrap();
    connector.forget(&scope, &first);
    let second = connector.connect(&scope).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    // Another tunnel finds the first to be of no use a moment later: that says nothing about the second.
    connector.forget(&scope, &first);
    assert!(Arc::ptr_eq(&second, &connector.connect(&scope).await.unwrap()));
}

#[tokio::test]
async fn tunnels_that_come_up_together_share_one_client() {
    let connector = SdkConnector::new(Network::default());
    let scope = scope("http://127.0.0.1:1");
    let (a, b) = tokio::join!(connector.connect(&scope), connector.connect(&scope));
    assert!(Arc::ptr_eq(&a.unwrap(), &b.unwrap()));
}
