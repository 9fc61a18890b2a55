//! `pg_service.conf` ("34.17 The Connection Service File", PostgreSQL's documentation): INI without quotes.

use super::{Exported, one_line};
use crate::libpq::Libpq;
use crate::url::socket_note;
use crate::{Endpoint, Impossible, Options};
use std::fmt::Write as _;

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    for (at, endpoint) in endpoints.iter().enumerate() {
        if at > 0 {
            out.text.push('\n');
        }
        let _ = writeln!(out.text, "[{}]", endpoint.name);
        for (key, value) in Libpq::of(endpoint, options)?.pairs() {
            let _ = writeln!(out.text, "{key}={}", one_line(key, &value)?);
        }
        out.notes.extend(socket_note(endpoint, options));
    }
    Ok(())
}
