//! Signs the websocket upgrade with Signature Version 4 (`docs/protocol.md` §2.3).
//!
//! The signature comes from AWS's own `aws-sigv4`. Its canonical query is that of the official Go client: read as a form, so
//! that a raw `+` in `cell-number` is a space and is signed as `%20`. Only headers are added; the URL stays as it is.

use std::{fmt, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::{error::SignError, stream_url::StreamUrl};

/// Service name in the scope of a signed upgrade.
pub const SERVICE: &str = "ssmmessages";

/// AWS credentials for one signature. `Debug` hides all but the access key id; overwritten when dropped.
#[derive(Clone)]
pub struct SigningCredentials {
    access_key: String,
    secret_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
}

impl SigningCredentials {
    /// Takes an access key id, its secret and, for temporary credentials, the session token.
    pub fn new(
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
        session_token: Option<impl Into<String>>,
    ) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: Zeroizing::new(secret_key.into()),
            session_token: session_token.map(|token| Zeroizing::new(token.into())),
        }
    }

    /// The access key id: names the credentials, is not a secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    pub(crate) fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }
}

impl fmt::Debug for SigningCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Returns the headers that make a GET of `url` a signed one: `authorization`, `x-amz-date` and, for temporary credentials,
/// `x-amz-security-token`; signed are these (but the first) and `host`.
///
/// # Errors
/// [`SignError`], for credentials that no header can carry.
pub fn sign_upgrade(
    url: &StreamUrl,
    credentials: &SigningCredentials,
    region: &str,
    time: SystemTime,
) -> Result<HeaderMap, SignError> {
    let identity: Identity = Credentials::new(
        credentials.access_key(),
        credentials.secret_key(),
        credentials.session_token().map(str::to_owned),
        None,
        "ssm-session",
    )
    .into();
    let mut settings = SigningSettings::default();
    // As the Go client does: the path is escaped once more, but not rewritten.
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(time)
        .settings(settings)
        .build()
        .map_err(refused)?
        .into();
    // `host` is given rather than derived, so that what is signed is what is sent, an explicit default port included.
    let host = [("host", url.authority())];
    let request =
        SignableRequest::new("GET", url.as_str(), host.into_iter(), SignableBody::empty()).map_err(refused)?;
    let (instructions, _signature) = sign(request, &params).map_err(refused)?.into_parts();
    let mut headers = HeaderMap::new();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| SignError::Header)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| SignError::Header)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> SignError {
    SignError::Refused(Box::new(error))
}
