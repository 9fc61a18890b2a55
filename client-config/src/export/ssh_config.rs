//! `ssh_config(5)`: a host for each tunnel, whose key is known under its own name and not under the local address.

use super::{Exported, one_line};
use crate::{Endpoint, Impossible, Options};
use std::fmt::Write as _;

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    for endpoint in endpoints {
        let name = &endpoint.name;
        let Some(address) = endpoint.address() else {
            // ssh connects to no Unix socket by itself.
            let path = endpoint.socket().map(|path| path.display().to_string()).unwrap_or_default();
            return Err(Impossible::new(
                format!("{name} listens on the Unix socket {path}, to which ssh does not connect"),
                "give the tunnel a port as `local`",
            ));
        };
        if !out.text.is_empty() {
            out.text.push('\n');
        }
        // Two tunnels may share an address; their keys may not be mixed up.
        let alias = endpoint.remote.host.as_deref().unwrap_or(name);
        let _ = writeln!(out.text, "Host {name}\n    HostName {}\n    Port {}", address.ip(), address.port());
        let _ = writeln!(out.text, "    HostKeyAlias {alias}");
        if let Some(user) = &options.user {
            let _ = writeln!(out.text, "    User {}", quoted(user)?);
        }
    }
    Ok(())
}

fn quoted(value: &str) -> Result<String, Impossible> {
    let value = one_line("user", value)?;
    if value.contains('"') {
        let message = format!("the user `{value}` cannot be written into ssh's configuration");
        return Err(Impossible::new(message, "it cannot hold double quotes in a value"));
    }
    Ok(if value.contains([' ', '#', '\'']) { format!("\"{value}\"") } else { value.to_owned() })
}
