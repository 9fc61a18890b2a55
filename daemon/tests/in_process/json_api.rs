//! The daemon's AWS traits over bare HTTP: what the simulator needs, without the SDK.

use serde_json::{Value, json};
use ssm_session::{Network, SigningCredentials};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tunnels_daemon::aws::{
    AwsConnector, AwsError, AwsScope, BoxFuture, Instance, SessionGrant, SessionSeen, SsmApi, StartSession, TagFilter,
    TokenValue,
};

/// Makes clients of one simulator, whatever the scope.
#[derive(Debug, Clone)]
pub(crate) struct JsonConnector {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
}

impl AwsConnector for JsonConnector {
    fn connect<'a>(&'a self, _: &'a AwsScope) -> BoxFuture<'a, Result<Arc<dyn SsmApi>, AwsError>> {
        let api: Arc<dyn SsmApi> = Arc::new(self.clone());
        Box::pin(async move { Ok(api) })
    }
}

impl JsonConnector {
    async fn call(&self, operation: &str, body: Value) -> Result<Value, AwsError> {
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: AmazonSSM.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let exchange = async {
            let mut stream = TcpStream::connect(&self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = exchange.await.map_err(|error| AwsError::Unreachable(error.to_string()))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if status == 200 {
            return Ok(body);
        }
        let name = body["__type"].as_str().and_then(|name| name.rsplit('#').next());
        Err(AwsError::from_answer(name, Some(status), body["message"].as_str().unwrap_or(head)))
    }
}

fn grant(answer: &Value) -> SessionGrant {
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    SessionGrant {
        session_id: text("SessionId"),
        stream_url: text("StreamUrl"),
        token: TokenValue::new(text("TokenValue")),
    }
}

impl SsmApi for JsonConnector {
    fn start_session(&self, request: StartSession) -> BoxFuture<'_, Result<SessionGrant, AwsError>> {
        Box::pin(async move {
            let body = json!({
                "Target": request.target,
                "DocumentName": request.document,
                "Parameters": request.parameters,
                "Reason": request.reason,
            });
            Ok(grant(&self.call("StartSession", body).await?))
        })
    }

    fn resume_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SessionGrant>, AwsError>> {
        Box::pin(async move { Ok(Some(grant(&self.call("ResumeSession", json!({ "SessionId": id })).await?))) })
    }

    fn terminate_session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(async move { self.call("TerminateSession", json!({ "SessionId": id })).await.map(drop) })
    }

    fn active_sessions<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Vec<SessionSeen>, AwsError>> {
        Box::pin(async move {
            let body = json!({ "State": "Active", "Filters": [{ "key": "Target", "value": target }] });
            let answer = self.call("DescribeSessions", body).await?;
            let list = answer["Sessions"].as_array().cloned().unwrap_or_default();
            let session = |session: &Value| SessionSeen {
                id: session["SessionId"].as_str().unwrap_or_default().to_owned(),
                reason: session["Reason"].as_str().map(str::to_owned),
            };
            Ok(list.iter().map(session).collect())
        })
    }

    fn session_limit<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Duration>, AwsError>> {
        Box::pin(async move {
            let body = json!({ "State": "Active", "Filters": [{ "key": "SessionId", "value": id }] });
            let answer = self.call("DescribeSessions", body).await?;
            let minutes =
                answer["Sessions"][0]["MaxSessionDuration"].as_str().and_then(|text| text.parse::<f64>().ok());
            Ok(minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)))
        })
    }

    fn describe_instances<'a>(&'a self, tag: &'a TagFilter) -> BoxFuture<'a, Result<Vec<Instance>, AwsError>> {
        Box::pin(async move {
            let body = json!({ "Filters": [{ "Key": format!("tag:{}", tag.key), "Values": [tag.value] }] });
            let answer = self.call("DescribeInstanceInformation", body).await?;
            let list = answer["InstanceInformationList"].as_array().cloned().unwrap_or_default();
            let node = |node: &Value| Instance {
                id: node["InstanceId"].as_str().unwrap_or_default().to_owned(),
                online: node["PingStatus"] == "Online",
            };
            Ok(list.iter().map(node).collect())
        })
    }

    fn connection_status<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<bool, AwsError>> {
        Box::pin(async move {
            let answer = self.call("GetConnectionStatus", json!({ "Target": target })).await?;
            Ok(answer["Status"] == "connected")
        })
    }

    fn credentials(&self) -> BoxFuture<'_, Result<SigningCredentials, AwsError>> {
        Box::pin(async { Ok(SigningCredentials::new("TEST", "test", None::<String>)) })
    }

    fn region(&self) -> String {
        "us-east-1".into()
    }

    fn endpoint(&self) -> Option<String> {
        Some(format!("http://{}", self.address))
    }

    fn network(&self) -> Network {
        Network::default()
    }
}
