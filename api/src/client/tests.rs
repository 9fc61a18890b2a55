use super::*;
use crate::log::LogLevel;

#[test]
fn names_are_percent_encoded() {
    assert_eq!(tunnel_path("orders-db", ""), "/v1/tunnels/orders-db");
    assert_eq!(tunnel_path("a b/ü", "/restart"), "/v1/tunnels/a%20b%2F%C3%BC/restart");
    let query = LogQuery { tunnel: Some("a&b".into()), level: Some(LogLevel::Warn), lines: Some(5), follow: true };
    assert_eq!(logs_path(&query, false), "/v1/logs?follow=false&tunnel=a%26b&level=warn&lines=5");
    assert_eq!(logs_path(&LogQuery::default(), true), "/v1/logs?follow=true");
}

/// Answers so many requests, one a connection, that a daemon has handed over, and the next that it is accepted; returns
/// what was asked.
async fn handing_over(listener: tokio::net::UnixListener, refusals: usize) -> Vec<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let refusal = r#"{"error":{"code":"handed-over","message":"another daemon has taken over"}}"#;
    let mut asked = Vec::new();
    for (status, body) in vec![("503 Later", refusal); refusals].into_iter().chain([("200 OK", r#"{"tunnels":["a"]}"#)])
    {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0, "the request ended early");
        }
        asked.push(String::from_utf8(request).unwrap());
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }
    asked
}

#[tokio::test(flavor = "current_thread")]
async fn a_command_that_came_too_late_for_a_daemon_is_sent_to_the_next_one() {
    for refusals in [0, 1, MOST_DAEMONS - 1, MOST_DAEMONS] {
        let socket = std::env::temp_dir().join(format!("tunnels-api-{}-{refusals}.sock", std::process::id()));
        let served = tokio::spawn(handing_over(tokio::net::UnixListener::bind(&socket).unwrap(), refusals));
        let client = Client::new(&socket);
        let down = client.down(&["a".to_owned()]).await;
        if refusals == MOST_DAEMONS {
            assert_eq!(ApiError::from(down.unwrap_err()).code, ErrorCode::HandedOver);
            served.abort();
        } else {
            assert_eq!(down.unwrap().tunnels, ["a"]);
            let asked = served.await.unwrap();
            assert_eq!(asked.len(), refusals + 1);
            assert!(asked.iter().all(|request| *request == asked[0]), "{asked:?}");
        }
        std::fs::remove_file(&socket).unwrap();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_socket_reads_as_unreachable_with_a_next_step() {
    let error = Client::new("/nonexistent/daemon.sock").version().await.unwrap_err();
    assert!(error.is_unreachable());
    let error = ApiError::from(error);
    assert_eq!(error.code, ErrorCode::DaemonUnreachable);
    assert_eq!(error.message, "no daemon answers on /nonexistent/daemon.sock");
    assert!(error.hint.unwrap().contains("tunnels up"));
}
