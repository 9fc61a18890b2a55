//! One-time tokens: each opens one data channel.

use ssm_proto::TokenValue;

/// Unspent tokens kept per side; a client that only ever resumes and never connects makes no more.
const LIMIT: usize = 8;

/// The unspent tokens of one side of a session.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    unspent: Vec<TokenValue>,
}

impl Tokens {
    pub(crate) fn grant(&mut self, token: TokenValue) {
        if self.unspent.len() == LIMIT {
            self.unspent.remove(0);
        }
        self.unspent.push(token);
    }

    /// Takes the token out; false: it was never granted, or is spent.
    pub(crate) fn spend(&mut self, token: &str) -> bool {
        let found = self.unspent.iter().position(|granted| granted.expose() == token);
        found.map(|index| self.unspent.remove(index)).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.unspent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_once() {
        let mut tokens = Tokens::default();
        tokens.grant(TokenValue::new("one".to_owned()));
        tokens.grant(TokenValue::new("two".to_owned()));
        assert!(tokens.spend("two"));
        assert!(!tokens.spend("two"));
        assert!(!tokens.spend("three"));
        assert!(tokens.spend("one"));
    }

    #[test]
    fn unspent_tokens_are_bounded() {
        let mut tokens = Tokens::default();
        for number in 0..=LIMIT {
            tokens.grant(TokenValue::new(number.to_string()));
        }
        assert!(!tokens.spend("0"));
        assert!(tokens.spend("1"));
    }
}
