//! Log lines of the commands that run for long: to standard error, never to standard output.

use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Starts logging; `TUNNELS_LOG` says what, else `default`.
pub(crate) fn init(default: &str) {
    let filter = EnvFilter::try_from_env("TUNNELS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let color =
        io::stderr().is_terminal() && anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    // An error says that logging has been started already, which is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(color).try_init();
}
