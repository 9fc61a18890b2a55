//! A client of `ssm-session` that resumes by itself, as the daemon does but simpler.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use ssm_proto::{Config, TokenValue};
use ssm_session::{Connect, ConnectError, Network, Session, SessionStatus, StreamUrl, Transport, connect};
use ssm_sim::{DEFAULT_NODE, SimHandle};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Answer, DEADLINE, api};

/// Starts a session to a remote host and port.
pub(crate) async fn start_session(sim: &SimHandle, remote: SocketAddr) -> Answer {
    let request = json!({
        "Target": DEFAULT_NODE,
        "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
        "Parameters": {"host": [remote.ip().to_string()], "portNumber": [remote.port().to_string()]},
    });
    api(sim, "StartSession", request).await
}

pub(crate) async fn resume(sim: &SimHandle, id: &str) -> Answer {
    api(sim, "ResumeSession", json!({"SessionId": id})).await
}

/// A session with whatever keeps it connected.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) id: String,
    resuming: JoinHandle<()>,
}

impl Client {
    pub(crate) async fn start(sim: &SimHandle, remote: SocketAddr) -> Self {
        Self::start_with(sim, remote, Config::default()).await
    }

    pub(crate) async fn start_with(sim: &SimHandle, remote: SocketAddr, config: Config) -> Self {
        let grant = start_session(sim, remote).await.json();
        let id = grant["SessionId"].as_str().unwrap().to_owned();
        let session = Session::client(config);
        let (transport, token) = Self::dial(&grant).await.unwrap();
        session.attach(transport, token);
        let resuming = tokio::spawn(keep_connected(sim.address(), session.clone(), id.clone()));
        timeout(DEADLINE, session.established()).await.expect("established in time").expect("established");
        Self { session, id, resuming }
    }

    /// Opens the websocket of a grant.
    pub(crate) async fn dial(grant: &Value) -> Result<(Transport, TokenValue), ConnectError> {
        let url = StreamUrl::parse(grant["StreamUrl"].as_str().unwrap()).unwrap();
        let token = TokenValue::new(grant["TokenValue"].as_str().unwrap().to_owned());
        let request = Connect { url: &url, signing: None, network: Network::default(), timeout: DEADLINE };
        Ok((connect(request).await?, token))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.resuming.abort();
    }
}

async fn keep_connected(address: SocketAddr, session: Session, id: String) {
    let mut status = session.status();
    loop {
        let lost =
            status.wait_for(|status| matches!(status, SessionStatus::Detached { .. } | SessionStatus::Closed(_)));
        match lost.await.map(|status| status.clone()) {
            Ok(SessionStatus::Detached { .. }) => {}
            _ => return,
        }
        if let Some(grant) = try_resume(address, &id).await
            && let Ok((transport, token)) = Client::dial(&grant).await
        {
            session.attach(transport, token);
        }
        // Also after success: the status needs a moment to change.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn try_resume(address: SocketAddr, id: &str) -> Option<Value> {
    let stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let body = json!({ "SessionId": id }).to_string();
    let headers = [("x-amz-target", "AmazonSSM.ResumeSession")];
    let answer = super::request_over(stream, http::Method::POST, "/", &headers, &body).await;
    let grant = answer.status.is_success().then(|| answer.json())?;
    (!grant["TokenValue"].as_str()?.is_empty()).then_some(grant)
}
