//! All randomness of a simulator, from one seed: ids, tokens, jitter, chances.
//!
//! What belongs to a session comes from a branch of its own, one for each of its directions: a run is
//! repeatable as far as sessions start in the same order and each carries the same messages, whatever
//! turns the tasks take.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ssm_proto::TokenValue;
use uuid::Uuid;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A seeded source of random choices that tasks share.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    rng: Mutex<fastrand::Rng>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, rng: Mutex::new(fastrand::Rng::with_seed(seed)) }
    }

    /// Dice that depend on the seed and on `name` alone, not on what was thrown before.
    pub(crate) fn branch(&self, name: &str) -> Self {
        // FNV-1a: the same on every machine and in every version, unlike the standard library's.
        let hash = name.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self::new(hash)
    }

    fn roll<T>(&self, throw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        throw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A seed for a component with randomness of its own.
    pub(crate) fn seed(&self) -> u64 {
        self.roll(|rng| rng.u64(..))
    }

    /// True with the given probability.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.roll(fastrand::Rng::f64) < probability
    }

    /// 0 up to, not including, `limit`; 0 if there is nothing below it.
    pub(crate) fn below(&self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.roll(|rng| rng.usize(..limit)) }
    }

    /// So many random bytes.
    pub(crate) fn noise(&self, count: usize) -> Vec<u8> {
        self.roll(|rng| (0..count).map(|_| rng.u8(..)).collect())
    }

    /// Anything from nothing to `limit`.
    pub(crate) fn up_to(&self, limit: Duration) -> Duration {
        if limit.is_zero() { limit } else { limit.mul_f64(self.roll(fastrand::Rng::f64)) }
    }

    pub(crate) fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.roll(|rng| rng.u128(..)).to_be_bytes()).into_uuid()
    }

    /// `demo-0123456789abcdef0`: the caller's name and 17 digits (docs/protocol.md §1.2).
    pub(crate) fn session_id(&self) -> String {
        let bits = self.roll(|rng| rng.u128(..)) & ((1 << 68) - 1);
        format!("demo-{bits:017x}")
    }

    /// As long as real tokens look, within the API's 300 characters.
    pub(crate) fn token(&self) -> TokenValue {
        TokenValue::new(format!("{}==", self.letters(170)))
    }

    /// Base64-like and always with raw `+`, `/` and `=`: clients must use the URL byte for byte
    /// (docs/protocol.md §2.1).
    pub(crate) fn cell_number(&self) -> String {
        format!("{}+{}/{}=", self.letters(14), self.letters(13), self.letters(14))
    }

    fn letters(&self, count: usize) -> String {
        self.roll(|rng| (0..count).map(|_| char::from(ALPHABET[rng.usize(..ALPHABET.len())])).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let (one, two) = (Dice::new(7), Dice::new(7));
        assert_eq!(one.session_id(), two.session_id());
        assert_eq!(one.cell_number(), two.cell_number());
        assert_eq!(one.token().expose(), two.token().expose());
    }

    #[test]
    fn a_branch_depends_on_its_name_and_the_seed_alone() {
        let (one, two) = (Dice::new(7), Dice::new(7));
        one.token();
        assert_eq!(one.branch("session 1").session_id(), two.branch("session 1").session_id());
        assert_ne!(one.branch("session 1").session_id(), one.branch("session 2").session_id());
        assert_ne!(one.branch("session 1").session_id(), Dice::new(8).branch("session 1").session_id());
    }

    #[test]
    fn ids_have_the_form_of_the_real_ones() {
        let dice = Dice::new(1);
        let id = dice.session_id();
        assert_eq!(id.len(), "demo-0123456789abcdef0".len());
        assert!(dice.token().expose().len() <= 300);
        let cell = dice.cell_number();
        assert!(cell.contains('+') && cell.contains('/') && cell.ends_with('='));
    }

    #[test]
    fn chances_keep_their_ends() {
        let dice = Dice::new(1);
        assert!(!dice.chance(0.0));
        assert!(dice.chance(1.0));
        assert!(dice.up_to(Duration::from_millis(5)) <= Duration::from_millis(5));
    }
}
