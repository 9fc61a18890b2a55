//! What a click asks for.

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Bring these tunnels up. Never empty: none would mean all.
    Up(Vec<String>),
    /// Take these tunnels down. Never empty.
    Down(Vec<String>),
    /// Close this tunnel's sessions and open new ones.
    Restart(String),
    /// Put this text into the clipboard.
    Copy(String),
    /// Run this command of the AWS CLI.
    LogIn(String),
    /// Open the dashboard in a terminal.
    Dashboard,
    StartDaemon,
    /// Whether there are to be notifications.
    Notify(bool),
    Quit,
}
