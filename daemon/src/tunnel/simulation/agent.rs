//! The SSM agent of a simulated session: an echo server behind the real protocol, with the official agent's habits
//! when its websocket is lost (docs/protocol.md §7.4).

use super::path::Leg;
use super::sky::{End, Sky};
use ssm_proto::{AgentProperties, Config, TokenValue};
use ssm_session::{MuxStream, Session, SessionStatus};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

/// What the echo server says first: by it a connection knows its session.
pub(super) const BANNER: usize = 16;
const ATTEMPTS: u32 = 6;

pub(super) async fn run(sky: Sky, id: String, target: String) {
    // Starting the worker.
    sleep(sky.between(Duration::from_millis(50)..Duration::from_millis(400))).await;
    let config = if sky.random(fastrand::Rng::bool) { Config::official_agent() } else { Config::fast_agent() };
    let properties = AgentProperties {
        agent_version: "3.3.987.0".into(),
        instance_id: target,
        session_id: id.clone(),
        session_type: "Port".into(),
        properties: serde_json::json!({ "type": "LocalPortForwarding", "portNumber": "7", "localPortNumber": "7" }),
    };
    let session = Session::agent(config, properties);
    session.attach(sky.leg(&id, Leg::Agent), TokenValue::new("token"));
    tokio::select! {
        () = keep_connected(&sky, &id, &session) => {}
        () = serve(&sky, &id, &session) => {}
        () = session.terminate_requested() => {
            session.close();
            sleep(Duration::from_secs(1)).await;
            sky.end(&id, End::Asked, "");
        }
    }
}

async fn keep_connected(sky: &Sky, id: &str, session: &Session) {
    let mut status = session.status();
    loop {
        let now = status.borrow_and_update().clone();
        match now {
            SessionStatus::Closed(_) => return,
            SessionStatus::Detached { .. } => {
                let mut pause = sky.between(Duration::from_millis(100)..Duration::from_millis(200));
                let mut tries = 0..ATTEMPTS;
                while tries.next().is_some() && sky.weather().offline.contains(&target(sky, id)) {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                if tries.is_empty() && sky.weather().offline.contains(&target(sky, id)) {
                    // It gives up, and stays deaf.
                    sky.look(id, |session| session.deaf = true);
                    std::future::pending::<()>().await;
                }
                session.attach(sky.leg(id, Leg::Agent), TokenValue::new("token"));
            }
            _ => {}
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

fn target(sky: &Sky, id: &str) -> String {
    sky.look(id, |session| session.target.clone()).unwrap_or_default()
}

async fn serve(sky: &Sky, id: &str, session: &Session) {
    while let Some(stream) = session.accept_stream().await {
        if sky.weather().no_remote {
            stream.refuse();
        } else {
            tokio::spawn(echo(stream, format!("{id:BANNER$}")));
        }
    }
}

async fn echo(mut stream: MuxStream, banner: String) {
    if stream.write_all(banner.as_bytes()).await.is_err() {
        return;
    }
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
