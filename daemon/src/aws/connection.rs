//! Failed connections as the daemon's errors: what to show, what to do, whether trying again can help.

use super::{AwsError, Obstacle};
use crate::chain;
use ssm_session::ConnectError;

impl From<&ConnectError> for AwsError {
    fn from(error: &ConnectError) -> Self {
        let by = match error {
            ConnectError::Proxy(_) | ConnectError::Timeout { proxy: Some(_), .. } => Obstacle::Proxy,
            ConnectError::TlsSetup(_) | ConnectError::Certificate { .. } => Obstacle::Certificate,
            _ => return Self::Unreachable(chain(error)),
        };
        Self::Blocked { by, message: chain(error), next: error.advice(), lasting: error.is_lasting() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssm_session::{ConnectPhase, ProxyError};
    use std::io;
    use std::time::Duration;

    #[test]
    fn what_stands_in_the_way_comes_with_a_next_step() {
        let unusable = ProxyError::Unusable { variable: "HTTPS_PROXY", reason: "it names no host".into() };
        let AwsError::Blocked { by: Obstacle::Proxy, message, next, lasting } =
            AwsError::from(&ConnectError::from(unusable))
        else {
            panic!("not blocked");
        };
        assert_eq!(message, "HTTPS_PROXY names no proxy that can be used: it names no host");
        assert!(next.is_some_and(|next| next.contains("HTTPS_PROXY")) && lasting);
    }

    #[test]
    fn what_does_not_answer_is_unreachable() {
        let timeout = ConnectError::Timeout { phase: ConnectPhase::Tcp, limit: Duration::from_secs(5), proxy: None };
        assert_eq!(
            AwsError::from(&timeout),
            AwsError::Unreachable("the TCP connection did not finish within 5s".into())
        );
        let dns = ConnectError::Dns { host: "ssm.example".into(), source: io::Error::other("no such name") };
        assert_eq!(AwsError::from(&dns), AwsError::Unreachable("cannot resolve ssm.example: no such name".into()));
    }
}
