//! The word that was probably meant.

/// The known word with the fewest slips to `word`, if so few that they explain it.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |word: &str| word.to_ascii_lowercase().replace('-', "_");
    let wanted = plain(word);
    let slips = |known: &str| slips(&wanted, &plain(known));
    let best = known.iter().copied().min_by_key(|known| slips(known))?;
    // A third of the letters, and never the whole word.
    let allowed = wanted.chars().count().max(best.len()) / 3;
    (slips(best) <= allowed.clamp(1, 3) && best.len() > slips(best) + 1).then_some(best)
}

/// Letters to add, remove, change or swap with their neighbour; words are short.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A word of another length is another word: this also bounds the work.
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX / 2;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers() {
        let known = ["remote", "local", "target", "park_after", "probe", "open", "hold", "auto"];
        for (word, expected) in [
            ("remot", Some("remote")),
            ("lcoal", Some("local")),
            ("prbe", Some("probe")),
            ("parkAfter", Some("park_after")),
            ("park-after", Some("park_after")),
            ("Target", Some("target")),
            ("opne", Some("open")),
            ("surprise", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
