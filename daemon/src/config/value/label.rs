//! Names of tunnels and groups: what the command line picks them by.

use super::super::diagnostic::quote;
use super::{BadValue, bad, rather};

/// Longer ones fit into no table.
const MAX_NAME: usize = 64;

pub(crate) fn tunnel_name(name: &str) -> Result<(), BadValue> {
    const FORMS: &str = "letters, digits, `-`, `_` and `.`; `@` and `*` select tunnels on the command line";
    let message = format!("{} cannot be the name of a tunnel", quote(name));
    if name.is_empty() || !name.chars().all(is_letter) {
        return bad(message, FORMS);
    }
    if name.starts_with('-') {
        return bad(format!("{message}: it would be an option on the command line"), FORMS);
    }
    if name.bytes().all(|byte| byte == b'.') {
        return bad(message, FORMS);
    }
    if name.len() > MAX_NAME {
        return bad(message, &format!("at most {MAX_NAME} letters"));
    }
    Ok(())
}

pub(crate) fn group(name: &str) -> Result<(), BadValue> {
    const FORMS: &str = "letters, digits, `-`, `_` and `.`";
    if let Some(bare) = name.strip_prefix('@').filter(|bare| group(bare).is_ok()) {
        return rather("a group is written without `@` here", format!("\"{bare}\""));
    }
    let parts: Vec<&str> = name.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > 1 && parts.iter().all(|part| part.chars().all(is_letter)) {
        let list: Vec<String> = parts.iter().map(|part| format!("\"{part}\"")).collect();
        return rather(format!("{} cannot be the name of a group", quote(name)), list.join(", "));
    }
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_letter) {
        return bad(format!("{} cannot be the name of a group", quote(name)), FORMS);
    }
    Ok(())
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["orders-db", "a.b_c", "1"] {
            assert_eq!(tunnel_name(name), Ok(()));
        }
        for name in ["", "@a", "a b", "a*", "-x", "..", "ä", &"x".repeat(65)] {
            assert!(tunnel_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn groups() {
        assert_eq!(group("db"), Ok(()));
        for (name, expected) in [
            ("@db", "write `\"db\"`"),
            ("db, prod", "write `\"db\", \"prod\"`"),
            ("db*", "accepted: letters"),
            ("@", "accepted: letters"),
            ("", "accepted: letters"),
        ] {
            let bad = group(name).unwrap_err();
            assert!(bad.help.contains(expected), "{name}: {bad:?}");
        }
    }
}
