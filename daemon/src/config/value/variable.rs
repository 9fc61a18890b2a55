//! `~` and `${VAR}` in strings; a `$` before either takes it as it stands.

/// Why a text cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// The environment has no such variable.
    Variable(String),
    /// What stands between `${` and `}` is no name.
    NoName(String),
    /// `}` is missing.
    Open,
}

/// Replaces a leading `~` and every `${VAR}`.
pub(crate) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Unset> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if has_home(text) {
        if !text.starts_with('$') {
            out.push_str(&env("HOME").ok_or_else(|| Unset::Variable("HOME".to_owned()))?);
        }
        rest = &rest[1..];
    }
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let (name, tail) = after.split_once('}').ok_or(Unset::Open)?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Unset::NoName(name.to_owned()));
        }
        out.push_str(&env(name).ok_or_else(|| Unset::Variable(name.to_owned()))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// How a text is written that is to be taken as it stands: the opposite of what reading a string does.
pub fn literal(text: &str) -> String {
    let home = if has_home(text) { "$" } else { "" };
    format!("{home}{}", text.replace("${", "$${"))
}

/// Whether it begins with `~`, or with one that is taken as it stands.
fn has_home(text: &str) -> bool {
    let rest = text.trim_start_matches('$');
    rest == "~" || rest.starts_with("~/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_and_variables() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/u".to_owned()),
            "TEAM" => Some("orders".to_owned()),
            _ => None,
        };
        assert_eq!(expand("~/x/${TEAM}.toml", &env).unwrap(), "/home/u/x/orders.toml");
        assert_eq!(expand("a~b$c", &env).unwrap(), "a~b$c");
        assert_eq!(expand("${NOPE}", &env), Err(Unset::Variable("NOPE".into())));
        assert_eq!(expand("${open", &env), Err(Unset::Open));
        assert_eq!(expand("${TEAM:-x}", &env), Err(Unset::NoName("TEAM:-x".into())));
    }

    #[test]
    fn what_is_to_be_taken_as_it_stands_is_written_with_one_more_dollar() {
        let nothing = |_: &str| None;
        for (text, written) in [
            ("${TEAM}", "$${TEAM}"),
            ("a ${5} $${b} ${", "a $${5} $$${b} $${"),
            ("~", "$~"),
            ("~/x/${", "$~/x/$${"),
            ("$~/x", "$$~/x"),
            ("a~b$c ~/ $ $$ {", "a~b$c ~/ $ $$ {"),
            ("~x", "~x"),
            ("$x~/", "$x~/"),
            ("", ""),
        ] {
            assert_eq!(literal(text), written);
            assert_eq!(expand(written, &nothing), Ok(text.to_owned()));
        }
    }
}
