//! How results and errors reach the terminal, a pipe or a script.
//!
//! Results go to standard output, everything else to standard error. A reader that hangs up early
//! (`tunnels ls | head -1`) is not an error.

use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tunnels_api::{ApiError, ErrorBody, ErrorCode};
use tunnels_tui::progress::Progress;
use tunnels_tui::style::Look;

/// Prints a result.
pub(crate) fn print(text: &str) -> Result<(), ApiError> {
    let mut out = io::stdout().lock();
    finish(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a result as one JSON value.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), ApiError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| ApiError::new(ErrorCode::Failed, error.to_string()))?;
    print(&(text + "\n"))
}

/// What became of writing a result.
pub(crate) fn finish(written: io::Result<()>) -> Result<(), ApiError> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ApiError::new(ErrorCode::Failed, format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Waits until nobody reads standard output any more: what is written only now and then would otherwise
/// notice late, and `… | grep -m1 ready` wait for nothing. For ever where the system cannot tell.
pub(crate) async fn hung_up() {
    // Unchecked, because the check would make the pipe non-blocking for all who share it. It is never written
    // to here, and what cannot be watched, as a file, is refused.
    let out = io::stdout().as_fd().try_clone_to_owned().and_then(pipe::Sender::from_owned_fd_unchecked);
    if let Ok(out) = out
        && out.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Says something beside the result; never stops a command.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says what is worth knowing beside a result, a line each.
pub(crate) fn say_notes<S: AsRef<str>>(notes: impl IntoIterator<Item = S>) {
    for note in notes {
        say(&format!("note: {}", note.as_ref()));
    }
}

/// Prints the error that ends the program: what happened, why, what to do next.
pub(crate) fn print_error(error: &ApiError, json: bool) {
    if json {
        let message = anstream::adapter::strip_str(&error.message).to_string();
        let body = ErrorBody { error: ApiError { message, ..error.clone() } };
        if let Ok(text) = serde_json::to_string(&body) {
            say(&text);
        }
        return;
    }
    // The report of a configuration's mistakes says so itself, once for each.
    if error.code == ErrorCode::ConfigInvalid && error.message.contains('\n') {
        say(&error.message);
    } else {
        say(&format!("\x1b[1;31merror\x1b[0m: {}", error.message));
    }
    if let Some(hint) = &error.hint {
        say(&format!("  \x1b[1mnext\x1b[0m: {hint}"));
    }
}

/// How a view on standard output is to look.
pub(crate) fn look() -> Look {
    let out = io::stdout();
    Look {
        color: anstream::AutoStream::choice(&out) != anstream::ColorChoice::Never,
        width: out.is_terminal().then(tunnels_tui::live::terminal_width).flatten(),
    }
}

/// How log lines are to look on a stream.
pub(crate) fn log_look(stream: &impl anstream::stream::RawStream) -> tunnels_tui::log::Look {
    tunnels_tui::log::Look {
        color: anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
        zone: jiff::tz::TimeZone::system(),
    }
}

/// Progress on standard error: in place where somebody looks at it.
pub(crate) fn progress() -> Progress<io::Stderr> {
    let err = io::stderr();
    if is_watched() { Progress::in_place(err, colors_errors()) } else { Progress::lines(err) }
}

/// Whether what changes in place can be drawn on standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal() && moves_its_cursor()
}

/// Whether colours are wanted on standard error.
pub(crate) fn colors_errors() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Whether standard output is a terminal that can be drawn on.
pub(crate) fn is_screen() -> bool {
    io::stdout().is_terminal() && moves_its_cursor()
}

/// Whether somebody sits at that terminal, too, and can press keys.
pub(crate) fn is_attended_screen() -> bool {
    is_screen() && io::stdin().is_terminal()
}

/// `TERM=dumb` is what editors and recorders of sessions say that show escape codes as they are.
fn moves_its_cursor() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}
