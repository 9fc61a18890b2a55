//! Who may ask: only whose temporary credentials have expired is turned away, or (`--strict`) whoever cannot sign with
//! the given credentials, or with some that the simulator has handed out.
//!
//! The signature's form is `ssm-session`'s, which verifies it; this module gathers the request's
//! parts, checks the clock, and names the error that AWS would.

use http::{HeaderMap, Method, Uri, header};
use ssm_session::SigningCredentials;
use ssm_session::sigv4::{self, Authorization, VerifyError};

use crate::issuer::Issuer;
use crate::ssm_api::ApiError;

/// How far the caller's clock may be off: AWS's 5 minutes.
const CLOCK_SKEW_S: i64 = 300;

/// Whose request this is, if it is signed.
pub(crate) fn access_key(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    Authorization::parse(authorization).ok().map(|scope| scope.access_key)
}

/// Checks signatures, if there is anything to check them with.
#[derive(Debug)]
pub(crate) struct Guard {
    credentials: Option<SigningCredentials>,
    issuer: Issuer,
    region: String,
}

impl Guard {
    pub(crate) fn new(credentials: Option<SigningCredentials>, region: String) -> Self {
        Self { credentials, issuer: Issuer::default(), region }
    }

    /// The region that requests have to be signed for.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Accepts the request or says what is wrong with its signature; the service's clock is so many seconds ahead of ours.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        service: &str,
        clock_ahead: i64,
    ) -> Result<(), ApiError> {
        if access_key(headers).is_some_and(|key| self.issuer.has_expired(key)) {
            return Err(ApiError::expired_token());
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(own) = &self.credentials else {
            // Who believes everybody looks at times only if they are what goes wrong.
            let is_looked_at = clock_ahead != 0 && headers.contains_key(header::AUTHORIZATION);
            return if is_looked_at { check_date(text("x-amz-date"), clock_ahead) } else { Ok(()) };
        };
        let authorization = text(header::AUTHORIZATION.as_str()).ok_or_else(ApiError::missing_signature)?;
        let scope = Authorization::parse(authorization).map_err(|error| ApiError::bad_signature(error.to_string()))?;
        let credentials = match self.issuer.signing(scope.access_key) {
            Some(issued) => issued,
            None if scope.access_key == own.access_key() => own.clone(),
            None => return Err(ApiError::unknown_access_key()),
        };
        if scope.region != self.region {
            return Err(ApiError::bad_signature(format!(
                "Credential should be scoped to a valid region, not '{}'.",
                scope.region
            )));
        }
        check_date(text("x-amz-date"), clock_ahead)?;

        let given: Vec<(&str, &str)> =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let body_sha256 = sigv4::sha256_hex(body);
        let request = sigv4::Request {
            method: method.as_str(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()),
            headers: &given,
            body_sha256: &body_sha256,
        };
        sigv4::verify(&request, &credentials, service).map_err(|error| match error {
            VerifyError::Unsigned => ApiError::missing_signature(),
            other => ApiError::bad_signature(format!(
                "The request signature we calculated does not match the signature you provided: {other}."
            )),
        })
    }
}

/// Whether a request was signed just now, by a clock that is so far ahead of ours.
fn check_date(date: Option<&str>, clock_ahead: i64) -> Result<(), ApiError> {
    let malformed = || ApiError::bad_signature("Date in X-Amz-Date is missing or malformed.");
    let parsed = date.and_then(|date| jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date).ok()?.to_datetime().ok());
    let sent = parsed.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok()).ok_or_else(malformed)?.timestamp();
    let now = now(clock_ahead);
    let skew = sent.as_second() - now.as_second();
    if skew.abs() <= CLOCK_SKEW_S {
        return Ok(());
    }
    let shown = |time: jiff::Timestamp| time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let limit = |off: i64| shown(now.saturating_add(jiff::SignedDuration::from_secs(off)).unwrap_or(now));
    // As AWS words it.
    Err(ApiError::bad_signature(if skew < 0 {
        format!(
            "Signature expired: {} is now earlier than {} ({} - 5 min.)",
            shown(sent),
            limit(-CLOCK_SKEW_S),
            shown(now)
        )
    } else {
        format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            shown(sent),
            limit(CLOCK_SKEW_S),
            shown(now)
        )
    }))
}

/// The time by a clock that is so many seconds ahead.
pub(crate) fn now(clock_ahead: i64) -> jiff::Timestamp {
    let now = jiff::Timestamp::now();
    now.saturating_add(jiff::SignedDuration::from_secs(clock_ahead)).unwrap_or(now)
}
