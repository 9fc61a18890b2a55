//! Whole files for other programs, with an entry for each tunnel that the program can use.

mod datagrip;
mod dbeaver;
mod dotenv;
mod mysql;
mod pg_service;
mod pgpass;
mod redis;
mod ssh_config;

use crate::{Endpoint, Engine, Impossible, Options, hosts};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// libpq's connection service file.
    PgService,
    /// libpq's password file, with a word to put the password in place of.
    Pgpass,
    /// An option file of MySQL's and MariaDB's clients.
    Mysql,
    /// redis-cli's command lines.
    Redis,
    /// DBeaver's data sources.
    Dbeaver,
    /// DataGrip's data sources, as its clipboard holds them.
    Datagrip,
    /// OpenSSH's client configuration.
    SshConfig,
    /// Variables, as `.env` files have them.
    Env,
    /// A block for the hosts file.
    Hosts,
}

/// A file's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// All of it; empty if no tunnel is for this program.
    pub text: String,
    /// For people, a sentence each.
    pub notes: Vec<String>,
    /// The names of tunnels that lead to something that the program is not for.
    pub left_out: Vec<String>,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::PgService,
        Self::Pgpass,
        Self::Mysql,
        Self::Redis,
        Self::Dbeaver,
        Self::Datagrip,
        Self::SshConfig,
        Self::Env,
        Self::Hosts,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PgService => "pg_service",
            Self::Pgpass => "pgpass",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::Dbeaver => "dbeaver",
            Self::Datagrip => "datagrip",
            Self::SshConfig => "ssh-config",
            Self::Env => "env",
            Self::Hosts => "hosts",
        }
    }

    /// What it is, and where it goes.
    pub fn help(self) -> &'static str {
        match self {
            Self::PgService => "~/.pg_service.conf, for `psql service=NAME` and everything with libpq",
            Self::Pgpass => "~/.pgpass, with PASSWORD where yours belong",
            Self::Mysql => "~/.my.cnf, for `mysql --defaults-group-suffix=_NAME`",
            Self::Redis => "command lines of redis-cli",
            Self::Dbeaver => "data-sources-tunnels.json in the .dbeaver folder of a DBeaver project",
            Self::Datagrip => "data sources to paste into DataGrip's Database Explorer",
            Self::SshConfig => "~/.ssh/config, for tunnels to port 22",
            Self::Env => "a .env file",
            Self::Hosts => "the block that `tunnels hosts apply` writes into /etc/hosts",
        }
    }

    /// By its word.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    fn is_for(self, endpoint: &Endpoint) -> bool {
        match self {
            Self::PgService | Self::Pgpass => endpoint.engine == Engine::Postgres,
            Self::Mysql => endpoint.engine == Engine::Mysql,
            Self::Redis => endpoint.engine == Engine::Redis,
            Self::Dbeaver | Self::Datagrip => matches!(endpoint.engine, Engine::Postgres | Engine::Mysql),
            Self::SshConfig => endpoint.engine == Engine::Other && endpoint.remote.port == 22,
            Self::Env => true,
            Self::Hosts => endpoint.remote.name().is_some(),
        }
    }
}

/// Writes a file for these tunnels, in their order.
///
/// # Errors
/// If the program cannot be led to any tunnel that is for it, or not as securely as asked for; a value that the file's form
/// cannot hold.
pub fn export(format: Format, endpoints: &[Endpoint], options: &Options) -> Result<Exported, Impossible> {
    let (meant, others): (Vec<&Endpoint>, Vec<&Endpoint>) =
        endpoints.iter().partition(|endpoint| format.is_for(endpoint));
    let left_out = others.into_iter().map(|endpoint| endpoint.name.clone()).collect();
    let mut out = Exported { left_out, ..Exported::default() };
    let meant = possible(format, meant, options, &mut out)?;
    if !meant.is_empty() {
        write(format, &meant, options, &mut out)?;
    }
    out.notes.dedup();
    Ok(out)
}

/// Those that the program can be led to: one that it cannot does not keep the others back, unless it is the only one.
fn possible<'a>(
    format: Format,
    meant: Vec<&'a Endpoint>,
    options: &Options,
    out: &mut Exported,
) -> Result<Vec<&'a Endpoint>, Impossible> {
    let mut first = None;
    let mut possible = Vec::new();
    for endpoint in meant {
        match write(format, &[endpoint], options, &mut Exported::default()) {
            Ok(()) => possible.push(endpoint),
            Err(error) => {
                out.notes.push(format!("{} is left out: {}; {}", endpoint.name, error.message, error.next));
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if possible.is_empty() => Err(error),
        _ => Ok(possible),
    }
}

fn write(format: Format, meant: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    match format {
        Format::PgService => pg_service::write(meant, options, out)?,
        Format::Pgpass => pgpass::write(meant, options, out)?,
        Format::Mysql => mysql::write(meant, options, out)?,
        Format::Redis => redis::write(meant, options, out),
        Format::Dbeaver => dbeaver::write(meant, options, out)?,
        Format::Datagrip => datagrip::write(meant, options, out)?,
        Format::SshConfig => ssh_config::write(meant, options, out)?,
        Format::Env => dotenv::write(meant, options, out)?,
        Format::Hosts => {
            let (lines, notes) = hosts::lines(meant);
            out.text = hosts::block(&lines);
            out.notes.extend(notes);
        }
    }
    Ok(())
}

/// A value for a file whose lines are its only structure.
fn one_line<'a>(what: &str, value: &'a str) -> Result<&'a str, Impossible> {
    let fits = !value.contains(char::is_control) && value.trim() == value;
    fits.then_some(value).ok_or_else(|| {
        Impossible::new(
            format!("the {what} `{}` cannot be written into this file", value.escape_debug()),
            "it knows no quotes: control characters, and spaces at either end, cannot be part of a value",
        )
    })
}

/// The 64-bit FNV-1a hash, for identifiers that stay what they are.
fn fnv(seed: u64, text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
