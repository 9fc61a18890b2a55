//! `tunnels env`: the variables of one tunnel, as a shell sets them.

use super::block_on;
use crate::client_options::{ClientOptions, authority_note, impossible};
use crate::completion;
use crate::endpoints;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap_complete::engine::ArgValueCompleter;
use serde_json::{Map, Value, json};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use tunnels_api::ApiError;
use tunnels_client_config::{Shell, Variables, posix_line, variables};

const EXAMPLES: &str = "\
Examples:
  eval \"$(tunnels env orders-db)\" && psql -U me orders      bash, zsh
  tunnels env orders-db --shell fish | source
  tunnels env orders-db --shell powershell | Out-String | Invoke-Expression
  tunnels env orders-db --json | jq -r .variables.TUNNEL_URL

`tunnels exec --help` lists the variables.";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Env {
    /// The tunnel
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completion::names))]
    name: String,
    /// Whose language to write [default: that of $SHELL]
    #[arg(long, value_name = "SHELL", value_parser = PossibleValuesParser::new(Shell::NAMES).map(|name| shell(&name)))]
    shell: Option<Shell>,
    #[command(flatten)]
    client: ClientOptions,
    /// Print JSON: the variables by name, and which are to be unset
    #[arg(long, conflicts_with = "shell")]
    pub(crate) json: bool,
}

impl Env {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?.with_notes(!self.json);
            let known = endpoints::one(&link, &self.name).await?;
            let options = self.client.here(&known.endpoint)?;
            let (variables, notes) = variables(&known.endpoint, &options).map_err(impossible)?;
            let notes: Vec<String> =
                notes.into_iter().chain(authority_note(&known.endpoint, &options)).chain(known.note()).collect();
            if self.json {
                output::print_json(&as_json(&self.name, &variables, &notes))?;
                return Ok(Exit::Done);
            }
            let shell = self.shell.unwrap_or_else(|| shell(&std::env::var("SHELL").unwrap_or_default()));
            output::print(&shell.commands(&variables))?;
            output::say_notes(&notes);
            if std::io::stdout().is_terminal() {
                let line = posix_line(&["tunnels", "env", &self.name]);
                output::say(&format!("to set them: {}", shell.evaluation(&line)));
            }
            Ok(Exit::Done)
        })
    }
}

fn as_json(name: &str, variables: &Variables, notes: &[String]) -> Value {
    let set: Map<String, Value> =
        variables.set.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({ "tunnel": name, "variables": set, "unset": variables.unset, "notes": notes })
}

/// The shell of that name; one that is not known is taken for a POSIX shell, as most are.
fn shell(name: &str) -> Shell {
    Shell::of(name).unwrap_or(Shell::Posix)
}
