//! A session in this process, without daemon, local port or life cycle: what an agent takes and how soon it answers when
//! nothing of `tunnels` but the protocol is in between.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ssm_proto::{Config, TokenValue};
use ssm_session::{Connect, MuxStream, Network, Session, SigningCredentials, StreamUrl, connect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};
use tunnels_tests::{TestRemote, echo_request, silent_request};

use crate::ping::Series;
use crate::stage::Aws;

const BUFFER: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// The first round trips dial the remote and fill caches.
const WARM_UP: usize = 20;

/// An established session to a remote.
#[derive(Debug)]
pub(crate) struct BareSession {
    session: Session,
    runtime: Runtime,
}

impl BareSession {
    /// Asks AWS's side for a session to `remote` and connects.
    pub(crate) fn open(aws: &Aws, remote: SocketAddr, config: Config) -> Self {
        let request = json!({
            "Target": aws.node(),
            "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
            "Parameters": {
                "host": [remote.ip().to_string()],
                "portNumber": [remote.port().to_string()],
                "localPortNumber": ["0"],
            },
        });
        let answer = aws.sim().api("StartSession", &request);
        assert_eq!(answer.status, 200, "StartSession: {}", answer.body);
        let answer = answer.json();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let session = runtime.block_on(establish(&answer, config));
        Self { session, runtime }
    }

    /// Bytes per second that arrive at the remote while one stream is written to as fast as it takes it.
    pub(crate) fn upload(&self, remote: &TestRemote, warm_up: Duration, time: Duration) -> f64 {
        self.runtime.block_on(async {
            let mut stream = self.stream(&silent_request()).await.expect("a stream");
            let sending = tokio::spawn(async move {
                let buffer = vec![7; BUFFER];
                while stream.write_all(&buffer).await.is_ok() {}
            });
            tokio::time::sleep(warm_up).await;
            let (before, started) = (remote.received(), Instant::now());
            tokio::time::sleep(time).await;
            let rate = (remote.received() - before) as f64 / started.elapsed().as_secs_f64();
            sending.abort();
            rate
        })
    }

    /// Round trips of one byte, one after the other.
    pub(crate) fn round_trips(&self, count: usize) -> io::Result<Series> {
        self.runtime.block_on(async {
            let mut stream = self.stream(&echo_request()).await?;
            let mut times = Vec::with_capacity(count);
            for _ in 0..WARM_UP + count {
                let sent = Instant::now();
                stream.write_u8(1).await?;
                stream.read_u8().await?;
                times.push(sent.elapsed());
            }
            Ok(Series(times.split_off(WARM_UP)))
        })
    }

    async fn stream(&self, request: &[u8]) -> io::Result<MuxStream> {
        let mut stream = self.session.open_stream().await.map_err(io::Error::other)?;
        stream.write_all(request).await?;
        Ok(stream)
    }
}

impl Drop for BareSession {
    fn drop(&mut self) {
        self.runtime.block_on(self.session.terminate());
    }
}

async fn establish(answer: &Value, config: Config) -> Session {
    let text = |name: &str| answer[name].as_str().expect("StartSession answers with texts");
    let url = StreamUrl::parse(text("StreamUrl")).expect("a stream URL");
    let keys =
        SigningCredentials::new("AKIDEXAMPLE0000000000", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00", None::<String>);
    let request = Connect {
        url: &url,
        signing: Some((keys, "us-east-1".to_owned())),
        network: Network::default(),
        timeout: CONNECT_TIMEOUT,
    };
    let transport = connect(request).await.expect("the simulator's gateway answers");
    let session = Session::client(config);
    session.attach(transport, TokenValue::new(text("TokenValue")));
    session.established().await.expect("the agent answers");
    session
}
