//! A `.env` file: `ORDERS_DB_HOST=…` for each tunnel, in the form that dotenv libraries, Docker Compose and shells agree on.
//!
//! Plain where that does, else in single quotes, in which none of them expands anything.

use super::Exported;
use crate::variables::variables;
use crate::{Endpoint, Impossible, Options};
use std::fmt::Write as _;

/// These mean one tunnel; the prefix says which.
const PREFIX: &str = "TUNNEL_";

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    let mut taken: Vec<(String, &str)> = Vec::new();
    for endpoint in endpoints {
        let prefix = prefix(&endpoint.name);
        if let Some((_, other)) = taken.iter().find(|(known, _)| *known == prefix) {
            return Err(Impossible::new(
                format!("the variables of {other} and {} would both begin with {prefix}_", endpoint.name),
                "export them one by one, or give one of them another name",
            ));
        }
        if !out.text.is_empty() {
            out.text.push('\n');
        }
        let _ = writeln!(out.text, "# {}", endpoint.name);
        let (all, notes) = variables(endpoint, options)?;
        for (name, value) in &all.set {
            if let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| *rest != "NAME") {
                let _ = writeln!(out.text, "{prefix}_{rest}={}", quoted(&endpoint.name, value)?);
            }
        }
        out.notes.extend(notes);
        taken.push((prefix, &endpoint.name));
    }
    Ok(())
}

fn prefix(name: &str) -> String {
    let upper: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    // No variable begins with a digit.
    if upper.starts_with(|c: char| c.is_ascii_digit()) { format!("_{upper}") } else { upper }
}

fn quoted(tunnel: &str, value: &str) -> Result<String, Impossible> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if value.chars().all(is_plain) {
        return Ok(value.to_owned());
    }
    if value.contains(['\'', '\n', '\r']) {
        let message =
            format!("a value of {tunnel} has a quote or a line break, which .env files cannot hold alike everywhere");
        return Err(Impossible::new(message, "choose another path for its socket"));
    }
    Ok(format!("'{value}'"))
}
