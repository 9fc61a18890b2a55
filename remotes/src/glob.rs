//! Patterns as `KEYS` and `LIKE` have them, matched without recursion and in no more steps than the caller has.

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<T> {
    /// Any number of items.
    Many,
    /// Exactly one item, whichever it is.
    One,
    /// This item.
    Is(T),
    /// One of these, or, if `not`, one that is none of these.
    Within {
        /// Closed ranges.
        ranges: Vec<(T, T)>,
        /// Turns the meaning around.
        not: bool,
    },
}

impl<T: PartialOrd> Token<T> {
    /// What it takes to compare it with an item.
    fn cost(&self) -> usize {
        match self {
            Self::Within { ranges, .. } => 1 + ranges.len(),
            _ => 1,
        }
    }

    fn takes(&self, item: &T) -> bool {
        match self {
            Self::Many => false,
            Self::One => true,
            Self::Is(wanted) => wanted == item,
            Self::Within { ranges, not } => ranges.iter().any(|(from, to)| from <= item && item <= to) != *not,
        }
    }
}

/// The steps did not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Whether the whole of `text` fits `pattern`. Takes what it needs from `steps`, which may serve many texts: about
/// one for each item, and at worst the product of both lengths.
///
/// # Errors
/// [`TooLong`]: there are no steps left.
pub(crate) fn matches<T: PartialOrd>(pattern: &[Token<T>], text: &[T], steps: &mut usize) -> Result<bool, TooLong> {
    let (mut at, mut token) = (0, 0);
    // Where the last `Many` stands, and how far it reaches by now.
    let mut many: Option<(usize, usize)> = None;
    while at < text.len() {
        let cost = pattern.get(token).map_or(1, Token::cost);
        *steps = steps.checked_sub(cost).ok_or(TooLong)?;
        match pattern.get(token) {
            // Whatever follows fits.
            Some(Token::Many) if token + 1 == pattern.len() => return Ok(true),
            Some(Token::Many) => {
                many = Some((token, at));
                token += 1;
            }
            Some(one) if one.takes(&text[at]) => {
                at += 1;
                token += 1;
            }
            _ => {
                let Some((star, reached)) = many else { return Ok(false) };
                many = Some((star, reached + 1));
                at = reached + 1;
                token = star + 1;
            }
        }
    }
    let rest = &pattern[token..];
    *steps = steps.checked_sub(1 + rest.len()).ok_or(TooLong)?;
    Ok(rest.iter().all(|token| matches!(token, Token::Many)))
}

/// Reads a pattern of `KEYS`: `*`, `?`, `[abc]`, `[a-z]`, `[^a]` and `\` before any of these.
pub(crate) fn keys_pattern(pattern: &[u8]) -> Vec<Token<u8>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        at += 1;
        tokens.push(match byte {
            b'*' => Token::Many,
            b'?' => Token::One,
            b'\\' if at < pattern.len() => {
                at += 1;
                Token::Is(pattern[at - 1])
            }
            b'[' => {
                let (token, read) = set(&pattern[at..]);
                at += read;
                token
            }
            byte => Token::Is(byte),
        });
    }
    tokens
}

/// What stands behind `[`, and how long it is; without an end it reaches to the end, as with Redis.
fn set(text: &[u8]) -> (Token<u8>, usize) {
    let not = text.first() == Some(&b'^');
    let mut at = usize::from(not);
    let mut ranges = Vec::new();
    while let Some(&byte) = text.get(at) {
        match (byte, text.get(at + 1), text.get(at + 2)) {
            (b']', _, _) => return (Token::Within { ranges, not }, at + 1),
            (from, Some(b'-'), Some(&to)) if to != b']' => {
                ranges.push((from.min(to), from.max(to)));
                at += 3;
            }
            (one, _, _) => {
                ranges.push((one, one));
                at += 1;
            }
        }
    }
    (Token::Within { ranges, not }, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pattern: &str, text: &str) -> bool {
        matches(&keys_pattern(pattern.as_bytes()), text.as_bytes(), &mut 1000).unwrap()
    }

    #[test]
    fn patterns_of_keys() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("session:*", "session:1001", true),
            ("session:*", "sessions", false),
            ("*:10?1", "session:1001", true),
            ("h[ae]llo", "hello", true),
            ("h[^a]llo", "hallo", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("[", "x", false),
            ("a[b", "ab", true),
            ("**a**b", "xxaxxb", true),
            ("", "x", false),
        ] {
            assert_eq!(keys(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_more_steps_than_there_are() {
        let pattern = keys_pattern(format!("*{}b", "a".repeat(200)).as_bytes());
        let text = "a".repeat(5_000);
        let mut steps = pattern.len() * text.len();
        assert_eq!(matches(&pattern, text.as_bytes(), &mut steps), Ok(false));
        let mut steps = 10_000;
        assert_eq!(matches(&pattern, text.as_bytes(), &mut steps), Err(TooLong));
        let mut steps = 3;
        assert_eq!(matches(&keys_pattern(b"aa*"), text.as_bytes(), &mut steps), Ok(true));
        assert_eq!(matches(&keys_pattern(b"*"), text.as_bytes(), &mut steps), Err(TooLong));
    }
}
