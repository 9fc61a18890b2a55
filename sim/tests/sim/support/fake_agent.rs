//! An agent from outside: speaks the gateway's REST calls and channels over TLS, nothing more.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::json;
use ssm_proto::WsFrame;
use ssm_proto::message::ClientMessage;
use ssm_session::{Connect, Network, StreamUrl, Tls, Transport, connect};
use ssm_sim::{AgentKind, DEFAULT_NODE, SimConfig, SimHandle};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Answer, DEADLINE, api, request_over, start_with};

/// A simulator for an external agent, and the agent.
pub(crate) struct FakeAgent {
    pub(crate) sim: SimHandle,
    tls: Arc<ClientConfig>,
    control: Transport,
    _folder: TempDir,
}

impl FakeAgent {
    /// Starts both and opens the control channel.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::with_prefix("ssm-sim-").unwrap();
        let ca_out = folder.path().join("ca.pem");
        let agent = AgentKind::External { listen: ([127, 0, 0, 1], 0).into(), ca_out: Some(ca_out.clone()) };
        let sim = start_with(SimConfig { agent, ..super::fast() }).await;
        let tls = trust(&ca_out);
        let path = format!("/v1/control-channel/{DEFAULT_NODE}");
        let token = token(&create(&sim, &tls, &path).await);
        let mut control = open(&sim, &tls, &format!("{path}?role=subscribe&stream=input")).await;
        let opening = json!({"Cookie": null, "MessageSchemaVersion": "1.0", "RequestId": "r", "TokenValue": token,
                             "AgentVersion": "3.3.987.0", "PlatformType": "linux"});
        control.send(WsFrame::Text(opening.to_string())).await.unwrap();
        let agent = Self { sim, tls, control, _folder: folder };
        timeout(DEADLINE, agent.online()).await.expect("online in time");
        agent
    }

    async fn online(&self) {
        let status = || api(&self.sim, "GetConnectionStatus", json!({"Target": DEFAULT_NODE}));
        while status().await.json()["Status"] != "connected" {}
    }

    /// The next message of the control channel.
    pub(crate) async fn told(&mut self) -> ClientMessage {
        message(&mut self.control).await
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) {
        self.control.send(WsFrame::Binary(message.encode())).await.unwrap();
    }

    /// `CreateDataChannel`.
    pub(crate) async fn create_data_channel(&self, session: &str) -> Answer {
        create(&self.sim, &self.tls, &format!("/v1/data-channel/{session}")).await
    }

    /// Opens a data channel as a session worker does.
    pub(crate) async fn open_data_channel(&self, session: &str) -> Transport {
        let token = token(&self.create_data_channel(session).await);
        let path = format!("/v1/data-channel/{session}?role=publish_subscribe");
        let mut data = open(&self.sim, &self.tls, &path).await;
        let opening = json!({"MessageSchemaVersion": "1.0", "RequestId": "r", "TokenValue": token, "ClientId": "",
                             "ClientInstanceId": DEFAULT_NODE});
        data.send(WsFrame::Text(opening.to_string())).await.unwrap();
        data
    }
}

/// The next binary message of any channel.
pub(crate) async fn message(channel: &mut Transport) -> ClientMessage {
    match timeout(DEADLINE, channel.next()).await.expect("a message in time") {
        Some(Ok(WsFrame::Binary(frame))) => ClientMessage::decode(&frame).unwrap(),
        other => panic!("no message: {other:?}"),
    }
}

fn trust(ca: &PathBuf) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

async fn create(sim: &SimHandle, tls: &Arc<ClientConfig>, path: &str) -> Answer {
    let tcp = TcpStream::connect(sim.agent_address().unwrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.unwrap();
    let body = json!({"MessageSchemaVersion": "1.0", "RequestId": "r", "ClientId": ""}).to_string();
    request_over(stream, Method::POST, path, &[("content-type", "application/json")], &body).await
}

async fn open(sim: &SimHandle, tls: &Arc<ClientConfig>, path: &str) -> Transport {
    let url = StreamUrl::parse(&format!("wss://{}{path}", sim.agent_address().unwrap())).unwrap();
    let network = Network { tls: Tls::from_config(Arc::clone(tls)), ..Network::default() };
    connect(Connect { url: &url, signing: None, network, timeout: DEADLINE }).await.unwrap()
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text);
    let (_, rest) = answer.text.split_once("<TokenValue>").unwrap();
    rest.split_once("</TokenValue>").unwrap().0.to_owned()
}
