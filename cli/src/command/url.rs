//! `tunnels url`: the connection string of one tunnel.

use super::block_on;
use crate::client_options::{ClientOptions, authority_note, impossible};
use crate::completion;
use crate::endpoints;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;
use std::path::PathBuf;
use tunnels_api::ApiError;
use tunnels_client_config::{jdbc, url};

const EXAMPLES: &str = "\
Examples:
  psql \"$(tunnels url orders-db --user me --database orders)\"
  pg_dump \"$(tunnels url orders-db -U me -d orders --ca global-bundle.pem)\"
  redis-cli -u \"$(tunnels url sessions-cache)\" --sni master.sessions.abc.euw1.cache.amazonaws.com
  tunnels url orders-db --jdbc

For PostgreSQL the host is the server's own name and `hostaddr` this machine, so that sslmode=verify-full checks the
server through the tunnel. Of other programs, docs/clients.md says how they do it. No password is ever part of it.";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Url {
    /// The tunnel
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::names))]
    name: String,
    #[command(flatten)]
    client: ClientOptions,
    /// As Java programs take it
    #[arg(long)]
    jdbc: bool,
    /// Print JSON: the string, and what is to be known beside it
    #[arg(long)]
    pub(crate) json: bool,
}

impl Url {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let known = endpoints::one(&link, &self.name).await?;
            let options = self.client.here(&known.endpoint)?;
            let write = if self.jdbc { jdbc } else { url };
            let written = write(&known.endpoint, &options).map_err(impossible)?;
            let libpq = (!self.jdbc).then(|| authority_note(&known.endpoint, &options)).flatten();
            let notes: Vec<String> = written.notes.into_iter().chain(libpq).chain(known.note()).collect();
            if self.json {
                output::print_json(&json!({ "tunnel": self.name, "url": written.text, "notes": notes }))?;
            } else {
                output::say_notes(&notes);
                output::print(&(written.text + "\n"))?;
            }
            Ok(Exit::Done)
        })
    }
}
