//! The command that a tunnel's login waits for.
//!
//! Pure. The daemon names it, in the credentials' own field or in what there is to do about the cause.

use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

/// Only the AWS CLI is run for a login, whatever a text may say.
const PROGRAM: &str = "aws ";

/// The command that renews the credentials of a tunnel that waits for them, or will soon.
pub fn command(tunnel: &TunnelStatus, now: Timestamp) -> Option<&str> {
    let is_due = tunnel.state == TunnelState::NeedsLogin || tunnel.credentials_expire_soon(now).is_some();
    let next = tunnel.cause.as_ref().filter(|_| tunnel.state == TunnelState::NeedsLogin);
    let named = next.and_then(|cause| cause.next.as_deref()).and_then(quoted);
    named.or(tunnel.credentials_renew.as_deref()).filter(|command| is_due && command.starts_with(PROGRAM))
}

/// What stands in backticks after the word `run`.
fn quoted(next: &str) -> Option<&str> {
    next.split_once("run `")?.1.split_once('`').map(|(command, _)| command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{now, soon, status};
    use tunnels_api::{Cause, CauseKind};

    #[test]
    fn the_cause_names_it_or_else_what_is_known_of_the_credentials() {
        let waiting = |next: &str| TunnelStatus {
            cause: Some(Cause::new(CauseKind::Credentials, "expired").with_next(next)),
            ..status("a", TunnelState::NeedsLogin)
        };
        assert_eq!(command(&waiting("run `aws sso login --profile dev`"), now()), Some("aws sso login --profile dev"));
        assert_eq!(command(&waiting("run `rm -r /`"), now()), None);
        assert_eq!(command(&waiting("ask somebody"), now()), None);
        let renew = Some("aws login".to_owned());
        let soon = TunnelStatus {
            credentials_expire: Some(soon(60)),
            credentials_renew: renew.clone(),
            ..status("a", TunnelState::Ready)
        };
        assert_eq!(command(&soon, now()), Some("aws login"));
        let later = TunnelStatus { credentials_expire: None, credentials_renew: renew, ..soon };
        assert_eq!(command(&later, now()), None, "nothing is due");
    }
}
