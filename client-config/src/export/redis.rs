//! redis-cli has no file of connections: its command lines.

use super::Exported;
use crate::client::client;
use crate::{Endpoint, Options, posix_line};
use std::fmt::Write as _;

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) {
    for endpoint in endpoints {
        if let Some(words) = client(endpoint, options) {
            let _ = writeln!(out.text, "# {}\n{}", endpoint.name, posix_line(&words));
        }
    }
}
