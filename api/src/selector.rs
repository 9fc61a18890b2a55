//! How tunnels are picked on the command line and in requests: by name, `@group` or glob.
//!
//! Pure: matches one selector against a name and its groups. Turning many selectors into tunnels,
//! and complaining about one that picks nothing, is [`Selector::pick`].

use std::fmt;

/// One way to pick tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this name.
    Name(String),
    /// All with this label.
    Group(String),
    /// All whose name fits a pattern of `*` and `?`.
    Glob(String),
}

/// A selector that picks nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// The selector as it was written.
    pub selector: String,
    /// The configured name nearest to it, if one is near.
    pub similar: Option<String>,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.selector.parse::<Selector>() {
            Ok(Selector::Group(group)) => write!(f, "no tunnel is in the group `{group}`"),
            Ok(Selector::Glob(glob)) => write!(f, "no tunnel's name fits `{glob}`"),
            Ok(Selector::Name(_)) | Err(_) => write!(f, "no tunnel is named `{}`", self.selector),
        }
    }
}

impl std::error::Error for SelectorError {}

impl std::str::FromStr for Selector {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if let Some(group) = text.strip_prefix('@') {
            Self::Group(group.to_owned())
        } else if text.contains(['*', '?']) {
            Self::Glob(text.to_owned())
        } else {
            Self::Name(text.to_owned())
        })
    }
}

impl Selector {
    /// Whether a tunnel of this name and these groups is picked.
    pub fn matches<G: AsRef<str>>(&self, name: &str, groups: &[G]) -> bool {
        match self {
            Self::Name(wanted) => name == wanted,
            Self::Group(wanted) => groups.iter().any(|group| group.as_ref() == wanted),
            Self::Glob(pattern) => glob(pattern, name),
        }
    }

    /// Picks from `tunnels` (name and groups) in their own order; no selector picks all.
    ///
    /// # Errors
    /// The first selector that picks nothing.
    pub fn pick<'a, G: AsRef<str>>(
        selectors: &[String],
        tunnels: &[(&'a str, &[G])],
    ) -> Result<Vec<&'a str>, SelectorError> {
        let parsed: Vec<Self> =
            selectors.iter().map(|text| text.parse().unwrap_or_else(|never| match never {})).collect();
        for (selector, text) in parsed.iter().zip(selectors) {
            if !tunnels.iter().any(|(name, groups)| selector.matches(name, groups)) {
                return Err(SelectorError {
                    selector: text.clone(),
                    similar: similar(text, tunnels.iter().map(|(name, _)| *name)),
                });
            }
        }
        Ok(tunnels
            .iter()
            .filter(|(name, groups)| parsed.is_empty() || parsed.iter().any(|s| s.matches(name, groups)))
            .map(|(name, _)| *name)
            .collect())
    }
}

/// `*` is any run of characters, `?` any one. Linear: only the last `*` is ever tried again.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else {
                    return false;
                };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// The name with the fewest edits to `text`, if few enough that a slip of the fingers explains them.
pub fn similar<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let allowed = (text.chars().count() / 3).clamp(1, 3);
    names
        .map(|name| (edits(text, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNNELS: [(&str, &[&str]); 3] = [("orders-db", &["db", "orders"]), ("billing-db", &["db"]), ("cache", &[])];

    fn pick(selectors: &[&str]) -> Result<Vec<&'static str>, SelectorError> {
        let selectors: Vec<String> = selectors.iter().map(|s| (*s).to_owned()).collect();
        Selector::pick(&selectors, &TUNNELS)
    }

    #[test]
    fn picks_by_name_group_and_glob_in_configured_order() {
        assert_eq!(pick(&[]).unwrap(), ["orders-db", "billing-db", "cache"]);
        assert_eq!(pick(&["cache", "orders-db"]).unwrap(), ["orders-db", "cache"]);
        assert_eq!(pick(&["@db"]).unwrap(), ["orders-db", "billing-db"]);
        assert_eq!(pick(&["*-db"]).unwrap(), ["orders-db", "billing-db"]);
        assert_eq!(pick(&["cach?", "@orders"]).unwrap(), ["orders-db", "cache"]);
    }

    #[test]
    fn one_that_picks_nothing_is_an_error_that_names_the_nearest() {
        let error = pick(&["order-db"]).unwrap_err();
        assert_eq!(error.to_string(), "no tunnel is named `order-db`");
        assert_eq!(error.similar.as_deref(), Some("orders-db"));
        assert_eq!(pick(&["@web"]).unwrap_err().to_string(), "no tunnel is in the group `web`");
        assert_eq!(pick(&["x*"]).unwrap_err().similar, None);
    }

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("??", "ab", true),
            ("??", "abc", false),
            ("*.dev", "orders.dev", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
