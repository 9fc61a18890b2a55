//! `tunnels export`: a file for another program, with an entry for each tunnel that it can use.

use super::block_on;
use crate::client_options::{ClientOptions, authority_note, impossible};
use crate::completion;
use crate::endpoints;
use crate::exit::Exit;
use crate::link::Link;
use crate::output;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use tunnels_api::{ApiError, ErrorCode};
use tunnels_client_config::{Endpoint, Format, export};
use tunnels_tui::text;

/// So many names are listed; more are counted.
const MOST_NAMES: usize = 8;

const EXAMPLES: &str = "\
Examples:
  tunnels export pg_service >> ~/.pg_service.conf          then: psql service=orders-db
  tunnels export dbeaver > ~/.local/share/DBeaverData/workspace6/General/.dbeaver/data-sources-tunnels.json
  tunnels export datagrip @db | xclip -selection clipboard  then paste into the Database Explorer
  tunnels export env orders-db > .env

docs/clients.md says of each program where its file goes, and how it checks the server's certificate.";

#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Export {
    /// What to write
    #[arg(value_name = "FORMAT", value_parser = formats())]
    format: Format,
    /// Names, @groups or globs; none means all that are for the program
    #[arg(value_name = "SEL", add = ArgValueCompleter::new(completion::selectors))]
    select: Vec<String>,
    #[command(flatten)]
    client: ClientOptions,
}

impl Export {
    pub(crate) fn run(self, config: Option<PathBuf>) -> Result<Exit, ApiError> {
        block_on(async {
            let link = Link::new(config)?;
            let picked = endpoints::picked(&link, &self.select).await?;
            let endpoints: Vec<Endpoint> = picked.into_iter().map(|known| known.endpoint).collect();
            let options = self.client.for_file()?;
            let exported = export(self.format, &endpoints, &options).map_err(impossible)?;
            let libpq = matches!(self.format, Format::PgService)
                .then(|| endpoints.iter().find_map(|endpoint| authority_note(endpoint, &options)))
                .flatten();
            output::say_notes(exported.notes.iter().chain(&libpq));
            if exported.text.is_empty() {
                let text = format!("no tunnel that was picked is for {}", self.format.name());
                let hint = "`tunnels ls` shows where each leads; `probe` in the configuration says what answers there";
                return Err(ApiError::new(ErrorCode::Failed, text).with_hint(hint));
            }
            // Whoever named one expects it.
            if !self.select.is_empty() && !exported.left_out.is_empty() {
                let names = text::names(&exported.left_out, MOST_NAMES);
                output::say_notes([format!("not for {}: {names}", self.format.name())]);
            }
            output::print(&exported.text)?;
            Ok(Exit::Done)
        })
    }
}

fn formats() -> impl clap::builder::TypedValueParser<Value = Format> {
    let value = |format: Format| PossibleValue::new(format.name()).help(format.help());
    // clap has made sure that there is one of that name.
    PossibleValuesParser::new(Format::ALL.map(value)).map(|name| Format::of(&name).unwrap_or(Format::Env))
}
