//! Temporary credentials that the simulator has handed out, by STS or the SSO portal: how long they last, and what
//! signs with them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ssm_session::SigningCredentials;

use crate::dice::Dice;

/// More than a test asks for; the oldest are forgotten then, and unknown to a strict simulator.
const CAPACITY: usize = 1000;

/// One set of credentials. Holds a secret: no `Debug`.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: String,
    pub(crate) expires: Timestamp,
}

/// All that were handed out, oldest first.
#[derive(Default)]
pub(crate) struct Issuer {
    issued: Mutex<VecDeque<Issued>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

impl Issuer {
    /// New credentials that last for so long.
    pub(crate) fn issue(&self, dice: &Dice, life: Duration) -> Issued {
        let number = dice.uuid().simple().to_string().to_uppercase();
        let issued = Issued {
            access_key: format!("ASIA{}", &number[..16]),
            secret_key: dice.token().expose().to_owned(),
            session_token: dice.token().expose().to_owned(),
            expires: Timestamp::now().checked_add(life).unwrap_or(Timestamp::MAX),
        };
        let mut all = self.lock();
        if all.len() == CAPACITY {
            all.pop_front();
        }
        all.push_back(issued.clone());
        issued
    }

    /// Whether this key was handed out, and lasts no more.
    pub(crate) fn has_expired(&self, access_key: &str) -> bool {
        self.lock().iter().any(|issued| issued.access_key == access_key && issued.expires <= Timestamp::now())
    }

    /// What this key signs with.
    pub(crate) fn signing(&self, access_key: &str) -> Option<SigningCredentials> {
        let all = self.lock();
        let Issued { access_key, secret_key, session_token, .. } =
            all.iter().find(|issued| issued.access_key == access_key)?;
        Some(SigningCredentials::new(access_key, secret_key, Some(session_token)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_known_and_expires() {
        let (issuer, dice) = (Issuer::default(), Dice::new(1));
        let lasting = issuer.issue(&dice, Duration::from_mins(1));
        let over = issuer.issue(&dice, Duration::ZERO);
        assert_ne!(lasting.access_key, over.access_key);
        assert!(!issuer.has_expired(&lasting.access_key) && issuer.has_expired(&over.access_key));
        assert!(!issuer.has_expired("AKIDEXAMPLE"), "keys of others do not expire");
        assert_eq!(issuer.signing(&lasting.access_key).unwrap().access_key(), lasting.access_key);
        assert!(issuer.signing("AKIDEXAMPLE").is_none());
    }
}
