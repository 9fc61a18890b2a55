//! `--strict`: what is not signed with the given credentials is refused by name.

use http::Method;
use serde_json::json;
use ssm_session::{Connect, ConnectError, Network, StreamUrl, connect};
use ssm_sim::{SigningCredentials, SimConfig};

use crate::support::{DEADLINE, api, fast, request, start_with};

fn credentials(secret: &str) -> SigningCredentials {
    SigningCredentials::new("AKIDEXAMPLE0000000000", secret, None::<String>)
}

#[tokio::test]
async fn unsigned_and_wrongly_signed_calls_are_refused() {
    let sim = start_with(SimConfig { strict: Some(credentials("right")), ..fast() }).await;
    let unsigned = api(&sim, "DescribeSessions", json!({"State": "Active"})).await;
    assert_eq!(unsigned.error(), "MissingAuthenticationTokenException");
    let scope = "20200101/us-east-1/ssm/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";
    let signed = async |key: &str, date: &str| {
        let authorization = format!("AWS4-HMAC-SHA256 Credential={key}/{scope}");
        let headers = [
            ("x-amz-target", "AmazonSSM.DescribeSessions"),
            ("authorization", authorization.as_str()),
            ("x-amz-date", date),
        ];
        request(&sim, Method::POST, "/", &headers, "{}").await.error()
    };
    assert_eq!(signed("AKIDSTRANGER", "20200101T000000Z").await, "UnrecognizedClientException");
    assert_eq!(signed("AKIDEXAMPLE0000000000", "20200101T000000Z").await, "InvalidSignatureException");
    assert_eq!(signed("AKIDEXAMPLE0000000000", "yesterday").await, "InvalidSignatureException");
}

#[tokio::test]
async fn a_websocket_must_be_signed_for_the_gateway() {
    let sim = start_with(SimConfig { strict: Some(credentials("right")), ..fast() }).await;
    let url = format!("ws://{}/v1/data-channel/demo-nope?role=publish_subscribe&cell-number=a+b/c=", sim.address());
    let url = StreamUrl::parse(&url).unwrap();
    let status = async |signing: Option<(SigningCredentials, String)>| {
        let request = Connect { url: &url, signing, network: Network::default(), timeout: DEADLINE };
        match connect(request).await {
            Err(ConnectError::Http { status, .. }) => status,
            other => panic!("no HTTP status: {:?}", other.map(|_| "accepted")),
        }
    };
    let region = || "us-east-1".to_owned();
    assert_eq!(status(None).await, 403);
    assert_eq!(status(Some((credentials("wrong"), region()))).await, 403);
    assert_eq!(status(Some((credentials("right"), "eu-west-1".to_owned()))).await, 403);
    // The signature is right; only the session does not exist.
    assert_eq!(status(Some((credentials("right"), region()))).await, 404);
}
