//! Checks a Signature Version 4 `Authorization` header, as AWS's front end does: for the simulator's strict mode and for tests.
//!
//! Written from the specification and apart from the signer in [`sign_upgrade`](crate::sign_upgrade), which is AWS's own crate:
//! each shows the other's mistakes. The canonical query is read as a form, as the official Go programs sign it (a raw `+` is a
//! space, `docs/protocol.md` §2.3). It reads no clock: whether `x-amz-date` is recent is the caller's question.

use std::fmt::Write as _;

use ring::{digest, hmac};

use crate::signing::SigningCredentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path and query as on the request line, not decoded.
    pub target: &'a str,
    /// Every header, in the order received; names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Lower-case hexadecimal SHA-256 of the body, by [`sha256_hex`].
    pub body_sha256: &'a str,
}

/// The parts of an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Access key id: look the secret up by it.
    pub access_key: &'a str,
    /// Day of the scope, `YYYYMMDD`.
    pub date: &'a str,
    /// Region of the scope.
    pub region: &'a str,
    /// Service of the scope: `ssm` for the API, `ssmmessages` for the gateway.
    pub service: &'a str,
    /// Names of the signed headers, lower case, joined by `;`.
    pub signed_headers: &'a str,
    signature: &'a str,
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No `Authorization` header.
    #[error("the request is not signed")]
    Unsigned,
    /// The header is not one of Signature Version 4.
    #[error("the Authorization header is malformed")]
    Malformed,
    /// A header that must be there, or must be signed, is not.
    #[error("the header {0} is missing or not signed")]
    MissingHeader(String),
    /// The scope names another service, day or access key.
    #[error("the credential scope is wrong: {0}")]
    Scope(&'static str),
    /// The signature is that of another request or another secret.
    #[error("the signature does not match")]
    Mismatch,
}

impl<'a> Authorization<'a> {
    /// Takes an `Authorization` header apart.
    ///
    /// # Errors
    /// [`VerifyError::Malformed`].
    pub fn parse(header: &'a str) -> Result<Self, VerifyError> {
        let fields = header.strip_prefix(ALGORITHM).ok_or(VerifyError::Malformed)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            match field.trim().split_once('=').ok_or(VerifyError::Malformed)? {
                ("Credential", value) => credential = Some(value),
                ("SignedHeaders", value) => signed_headers = Some(value),
                ("Signature", value) => signature = Some(value),
                _ => return Err(VerifyError::Malformed),
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) = (credential, signed_headers, signature) else {
            return Err(VerifyError::Malformed);
        };
        let scope: Vec<&str> = credential.split('/').collect();
        let &[access_key, date, region, service, "aws4_request"] = scope.as_slice() else {
            return Err(VerifyError::Malformed);
        };
        Ok(Self { access_key, date, region, service, signed_headers, signature })
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// Accepts the request, or says why not: it must be signed by `credentials` for `service`, over at least `host`, `x-amz-date`
/// and, if the credentials have a session token, `x-amz-security-token`.
///
/// # Errors
/// [`VerifyError`]: what a service would refuse it for.
pub fn verify(request: &Request<'_>, credentials: &SigningCredentials, service: &str) -> Result<(), VerifyError> {
    let header = header_values(request, "authorization").next().ok_or(VerifyError::Unsigned)?;
    let authorization = Authorization::parse(header)?;
    if authorization.access_key != credentials.access_key() {
        return Err(VerifyError::Scope("access key"));
    }
    if authorization.service != service {
        return Err(VerifyError::Scope("service"));
    }
    let mut required = vec!["host", "x-amz-date"];
    if let Some(token) = credentials.session_token() {
        required.push("x-amz-security-token");
        if header_values(request, "x-amz-security-token").next() != Some(token) {
            return Err(VerifyError::MissingHeader("x-amz-security-token".to_owned()));
        }
    }
    for name in required {
        if !authorization.signed_headers.split(';').any(|signed| signed == name) {
            return Err(VerifyError::MissingHeader(name.to_owned()));
        }
    }
    let time = header_values(request, "x-amz-date").next().unwrap_or_default();
    if !time.starts_with(authorization.date) {
        return Err(VerifyError::Scope("day"));
    }
    let to_sign = string_to_sign(request, &authorization, time)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, signing_key(credentials, &authorization).as_ref());
    let signature = from_hex(authorization.signature).ok_or(VerifyError::Malformed)?;
    hmac::verify(&key, to_sign.as_bytes(), &signature).map_err(|_| VerifyError::Mismatch)
}

/// Lower-case hexadecimal SHA-256 of `data`.
pub fn sha256_hex(data: &[u8]) -> String {
    to_hex(digest::digest(&digest::SHA256, data).as_ref())
}

fn string_to_sign(request: &Request<'_>, authorization: &Authorization<'_>, time: &str) -> Result<String, VerifyError> {
    let canonical = canonical_request(request, authorization.signed_headers)?;
    Ok(format!("{ALGORITHM}\n{time}\n{}\n{}", authorization.scope(), sha256_hex(canonical.as_bytes())))
}

fn canonical_request(request: &Request<'_>, signed_headers: &str) -> Result<String, VerifyError> {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let mut canonical = format!("{}\n{}\n{}\n", request.method, percent_encode(path, b"/"), canonical_query(query));
    for name in signed_headers.split(';') {
        let values: Vec<String> = header_values(request, name).map(collapse_spaces).collect();
        if values.is_empty() {
            return Err(VerifyError::MissingHeader(name.to_owned()));
        }
        let _ = writeln!(canonical, "{name}:{}", values.join(","));
    }
    let _ = write!(canonical, "\n{signed_headers}\n{}", request.body_sha256);
    Ok(canonical)
}

fn header_values<'a>(request: &Request<'a>, name: &str) -> impl Iterator<Item = &'a str> {
    request.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

fn collapse_spaces(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads the query as a form, writes it sorted and percent-encoded.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_to_canonical(name), form_to_canonical(value))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn form_to_canonical(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3).and_then(from_hex)).flatten();
        match (bytes[at], escaped) {
            (_, Some(byte)) => {
                decoded.extend(byte);
                at += 2;
            }
            (b'+', None) => decoded.push(b' '),
            (byte, None) => decoded.push(byte),
        }
        at += 1;
    }
    percent_encode(decoded, b"")
}

/// Encodes everything but unreserved characters and those in `keep`.
fn percent_encode(text: impl AsRef<[u8]>, keep: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.as_ref().len());
    for &byte in text.as_ref() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn signing_key(credentials: &SigningCredentials, authorization: &Authorization<'_>) -> hmac::Tag {
    let step = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let secret = zeroize::Zeroizing::new(format!("AWS4{}", credentials.secret_key()));
    let day = step(secret.as_bytes(), authorization.date);
    let region = step(day.as_ref(), authorization.region);
    let service = step(region.as_ref(), authorization.service);
    step(service.as_ref(), "aws4_request")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests;
