//! When what somebody got by logging in, or by typing a code, runs out: read from where AWS's programs keep it.
//!
//! Reads files; makes no call and changes nothing.

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Deserialize;
use std::path::Path;
use std::time::SystemTime;
use tokio::io::AsyncReadExt as _;

/// More than such a file holds by far.
const LONGEST: u64 = 1024 * 1024;

/// The part of an SSO token that says how long it lasts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SsoToken {
    expires_at: String,
    refresh_token: Option<String>,
    client_secret: Option<String>,
    registration_expires_at: Option<String>,
}

/// When an SSO token runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenEnd {
    pub(crate) at: SystemTime,
    /// It can be exchanged for a new one without anybody's doing, though that may be refused.
    pub(crate) is_renewed: bool,
}

/// When the SSO token in this file runs out; none if there is no token that can be read.
pub(crate) async fn sso_token_end(file: &Path, now: SystemTime) -> Option<TokenEnd> {
    let token: SsoToken = read(file).await?;
    let registered = token.registration_expires_at.as_deref().and_then(time).is_some_and(|until| until > now);
    let is_renewed = registered && token.refresh_token.is_some() && token.client_secret.is_some();
    Some(TokenEnd { at: time(&token.expires_at)?, is_renewed })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Cached {
    credentials: CachedKeys,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CachedKeys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: String,
}

/// The credentials that the AWS CLI keeps in this file, if they still last.
pub(crate) async fn cached_credentials(file: &Path, now: SystemTime) -> Option<Credentials> {
    let Cached { credentials: keys } = read(file).await?;
    let expiry = time(&keys.expiration).filter(|at| *at > now)?;
    let CachedKeys { access_key_id, secret_access_key, session_token, .. } = keys;
    Some(Credentials::new(access_key_id, secret_access_key, session_token, Some(expiry), "AwsCliCache"))
}

async fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    // A file of another's making; what is cut off is no JSON any more.
    tokio::fs::File::open(file).await.ok()?.take(LONGEST).read_to_end(&mut bytes).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A time as AWS's programs write it; old ones end it with `UTC`.
pub(crate) fn time(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix("UTC").map_or_else(|| text.to_owned(), |start| format!("{start}Z"));
    DateTime::from_str(&text, Format::DateTimeWithOffset).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    const AT: Duration = Duration::from_hours(24);

    #[test]
    fn times_are_read_however_they_are_written() {
        for text in
            ["1970-01-02T00:00:00Z", "1970-01-02T00:00:00UTC", "1970-01-02T01:00:00+01:00", "1970-01-02T00:00:00.000Z"]
        {
            assert_eq!(time(text), Some(UNIX_EPOCH + AT), "{text}");
        }
        assert_eq!(time("tomorrow"), None);
    }

    #[tokio::test]
    async fn a_token_without_what_renews_it_runs_out_for_good() {
        let refresh = r#", "refreshToken": "r", "clientSecret": "c", "registrationExpiresAt": "1970-01-03T00:00:00Z""#;
        for (more, now, is_renewed) in [("", 0, false), (refresh, 0, true), (refresh, 72, false)] {
            let token = file(&format!(r#"{{"accessToken": "t", "expiresAt": "1970-01-02T00:00:00Z"{more}}}"#));
            let end = sso_token_end(token.path(), UNIX_EPOCH + Duration::from_hours(now)).await;
            assert_eq!(end, Some(TokenEnd { at: UNIX_EPOCH + AT, is_renewed }), "{more} {now}");
        }
        assert_eq!(sso_token_end(file("{").path(), UNIX_EPOCH).await, None);
        assert_eq!(sso_token_end(Path::new("/nonexistent"), UNIX_EPOCH).await, None);
    }

    #[tokio::test]
    async fn what_the_aws_cli_keeps_counts_while_it_lasts() {
        let kept = file(
            r#"{"Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t",
                "Expiration": "1970-01-02T00:00:00+00:00"}, "AssumedRoleUser": {}}"#,
        );
        let found = cached_credentials(kept.path(), UNIX_EPOCH).await.unwrap();
        assert_eq!((found.access_key_id(), found.expiry()), ("ASIA", Some(UNIX_EPOCH + AT)));
        assert!(cached_credentials(kept.path(), UNIX_EPOCH + AT).await.is_none());
    }
}
