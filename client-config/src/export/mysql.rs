//! An option file of MySQL's and MariaDB's clients ("6.2.2.2 Using Option Files", MySQL's manual), a group for each tunnel.

use super::{Exported, one_line};
use crate::mysql::{Mysql, ssl_mode};
use crate::{Endpoint, Impossible, Options, Security, name_note};
use std::fmt::Write as _;

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    for (at, endpoint) in endpoints.iter().enumerate() {
        if at > 0 {
            out.text.push('\n');
        }
        let security = options.security(endpoint);
        let _ = writeln!(out.text, "[client_{}]", endpoint.name);
        let mut lines: Vec<(&str, String)> = match Mysql::of(endpoint, options)? {
            Mysql::Tcp { host, port } => vec![("host", host), ("port", port.to_string())],
            Mysql::Socket(path) => vec![("socket", path)],
        };
        lines.extend(options.user.clone().map(|user| ("user", user)));
        // MySQL's clients and MariaDB's each know one of these; `loose` makes the other a warning.
        lines.extend(ssl_mode(security).map(|mode| ("loose-ssl-mode", mode.to_owned())));
        lines.extend((security == Security::Verified).then(|| ("loose-ssl-verify-server-cert", "1".to_owned())));
        lines.extend((security == Security::Off).then(|| ("loose-skip-ssl", String::new())));
        lines.extend(options.ca.clone().filter(|_| security == Security::Verified).map(|ca| ("ssl-ca", ca)));
        for (key, value) in lines {
            let line = if value.is_empty() { key.to_owned() } else { format!("{key}={}", quoted(key, &value)?) };
            out.text += &(line + "\n");
        }
        if let Some(database) = &options.database {
            // Not of [client], which mysqldump reads, too.
            let _ = writeln!(out.text, "\n[mysql_{}]\ndatabase={}", endpoint.name, quoted("database", database)?);
        }
        if security == Security::Verified {
            out.notes.extend(name_note(endpoint, "MySQL"));
        }
    }
    Ok(())
}

/// `#` would begin a comment, a backslash an escape; within quotes only the latter does.
fn quoted(what: &str, value: &str) -> Result<String, Impossible> {
    let value = one_line(what, value)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if value.chars().all(is_plain) {
        return Ok(value.to_owned());
    }
    if value.contains('"') && value.contains('\'') {
        return Err(Impossible::new(
            format!("the {what} `{value}` cannot be written into an option file of MySQL"),
            "it cannot hold quotes of both kinds in one value",
        ));
    }
    let quote = if value.contains('"') { '\'' } else { '"' };
    Ok(format!("{quote}{}{quote}", value.replace('\\', r"\\")))
}
