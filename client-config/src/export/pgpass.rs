//! `.pgpass` ("34.16 The Password File", PostgreSQL's documentation): five fields between colons.
//!
//! libpq looks its `host` up in there, not the address that it connects to; for a Unix socket its folder.

use super::{Exported, one_line};
use crate::libpq::Libpq;
use crate::{Endpoint, Impossible, Options};
use std::fmt::Write as _;

/// What its user puts the password in place of.
const PLACEHOLDER: &str = "PASSWORD";

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    for endpoint in endpoints {
        let server = Libpq::of(endpoint, options)?;
        let database = field("database", server.dbname.as_deref())?;
        let user = field("user", server.user.as_deref())?;
        let host = field("host", Some(&server.host))?;
        let _ = writeln!(out.text, "# {}\n{host}:{}:{database}:{user}:{PLACEHOLDER}", endpoint.name, server.port);
    }
    out.notes.push(format!("put your passwords in place of {PLACEHOLDER}; libpq reads the file only with mode 0600"));
    Ok(())
}

/// What is not given matches all.
fn field(what: &str, value: Option<&str>) -> Result<String, Impossible> {
    let Some(value) = value else { return Ok("*".to_owned()) };
    Ok(one_line(what, value)?.replace('\\', r"\\").replace(':', r"\:"))
}
