//! [`connect`]: from a stream URL to a transport – a connection, and on it the signed websocket upgrade.
//!
//! One attempt, no retries and no AWS calls: those are the caller's. What it sends is a bare GET with no subprotocol, no
//! extension and no query parameter of its own (`docs/protocol.md` §2.1–2.3).
//!
//! The websocket library writes whole requests, signatures included, to the `log` crate at trace level. Nothing listens there:
//! a program must not bridge `log` into its own logs.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Error as WsError, handshake::client::generate_key},
};

use crate::{
    dial::Deadline,
    error::{ConnectError, ConnectPhase, SignError},
    network::{Destination, Network, Stream},
    signing::{SigningCredentials, sign_upgrade},
    stream_url::StreamUrl,
    transport::Transport,
    websocket::{KeepAlive, WebSocket, websocket_config},
};

/// What is kept of a refused upgrade's body: enough for an error document, short enough for a log line.
const ERROR_BODY_LIMIT: usize = 512;

/// One websocket to open.
#[derive(Clone, Debug)]
pub struct Connect<'a> {
    /// Where to; used byte for byte.
    pub url: &'a StreamUrl,
    /// Credentials and region to sign with. A presigned URL is never signed again; `None` opens unsigned.
    pub signing: Option<(SigningCredentials, String)>,
    /// Proxies and trust, for `wss`; not touched for `ws`.
    pub network: Network,
    /// Time for all steps together.
    pub timeout: Duration,
}

/// Opens the websocket, pinging as [`KeepAlive::default`] says. The open message is not sent: that is
/// [`Session::attach`](crate::Session::attach)'s.
///
/// Cancel-safe: dropping the future closes whatever was open.
///
/// # Errors
/// [`ConnectError`], by the step that failed.
pub async fn connect(request: Connect<'_>) -> Result<Transport, ConnectError> {
    connect_with(request, KeepAlive::default()).await
}

/// The same as [`connect`], pinging as told.
///
/// # Errors
/// [`ConnectError`], by the step that failed.
pub async fn connect_with(request: Connect<'_>, keep_alive: KeepAlive) -> Result<Transport, ConnectError> {
    let deadline = Deadline::after(request.timeout);
    let url = request.url;
    let to = Destination { host: url.host(), port: url.port(), tls: url.is_tls() };
    let stream = request.network.open_until(to, deadline).await?;
    let upgrade = upgrade_request(&request)?;
    deadline.bound(ConnectPhase::Upgrade, Box::pin(upgrade_to_websocket(stream, upgrade, keep_alive))).await
}

fn upgrade_request(request: &Connect<'_>) -> Result<Request<()>, ConnectError> {
    let url = request.url;
    let mut upgrade = Request::get(url.as_str())
        .header("Host", url.authority())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", HeaderValue::from_static("13"))
        .header("Sec-WebSocket-Key", generate_key())
        .body(())
        .map_err(|_| SignError::Header)?;
    if let Some((credentials, region)) = &request.signing
        && !url.is_presigned()
    {
        upgrade.headers_mut().extend(sign_upgrade(url, credentials, region, SystemTime::now())?);
    }
    Ok(upgrade)
}

async fn upgrade_to_websocket(
    stream: Stream,
    upgrade: Request<()>,
    keep_alive: KeepAlive,
) -> Result<Transport, ConnectError> {
    match client_async_with_config(upgrade, stream, Some(websocket_config())).await {
        Ok((inner, _response)) => Ok(Box::pin(WebSocket::new(inner, Some(keep_alive)))),
        Err(WsError::Http(response)) => Err(ConnectError::Http {
            status: response.status().as_u16(),
            error_type: response
                .headers()
                .get("x-amzn-errortype")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: printable(response.body().as_deref().unwrap_or_default()),
        }),
        Err(error) => Err(ConnectError::Upgrade(Box::new(error))),
    }
}

/// The start of an error body on one line; a proxy may have answered with anything.
fn printable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(ERROR_BODY_LIMIT)]);
    let cleaned: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_error_body_is_one_short_printable_line() {
        assert_eq!(printable(b"<html>\r\n\x1b[31mno\xff</html>\n"), "<html> [31mno\u{fffd}</html>");
        assert_eq!(printable(&[b'x'; 2000]).len(), ERROR_BODY_LIMIT);
    }

    #[test]
    fn a_presigned_url_is_not_signed_again() {
        let signed = |url: &str| {
            let url = StreamUrl::parse(url).unwrap();
            let signing = Some((SigningCredentials::new("AKID", "secret", None::<String>), "eu-west-1".to_owned()));
            let request = Connect { url: &url, signing, network: Network::default(), timeout: Duration::from_secs(1) };
            upgrade_request(&request).unwrap().headers().contains_key("authorization")
        };
        assert!(signed("ws://127.0.0.1:1/x?cell-number=a+b"));
        assert!(!signed("ws://127.0.0.1:1/x?X-Amz-Signature=00"));
    }
}
