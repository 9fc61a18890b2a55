//! What is to be done in the world, as `update` wants it; and what comes of it, as `update` is told.

use super::geometry::Size;
use super::model::Tab;
use crate::conn::News;
use crossterm::event::{KeyEvent, MouseEvent};
use std::fmt;
use tunnels_api::{
    ApiError, ClientError, Connections, DaemonVersion, History, Logs, Reloaded, Sessions, Settings, Span, Traffic,
    Tunnels,
};

/// Something that has happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each is taken apart at once")]
pub(super) enum Message {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resized(Size),
    /// A second has passed.
    Tick,
    News(News),
    Figures(Result<Tunnels, ClientError>),
    Version(Result<DaemonVersion, ClientError>),
    /// What was asked of one tunnel.
    Looked {
        name: String,
        look: Result<Look, ClientError>,
    },
    /// A command was taken, or not.
    Done {
        command: Command,
        result: Result<usize, ApiError>,
    },
    /// A program that had the terminal has ended; an error says how.
    Ran {
        program: Program,
        result: Result<(), String>,
    },
    Reloaded(Result<Reloaded, ApiError>),
    Started(Result<(), ApiError>),
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    /// Draw every cell anew: something else has written on the screen.
    Redraw,
    /// Ask for all figures.
    Figures,
    /// Ask which daemon this is.
    Version,
    /// Ask for what a tab shows.
    Look {
        name: String,
        tab: Tab,
        span: Span,
    },
    Command(Command),
    /// Into the clipboard of whoever sits at the terminal.
    Copy(String),
    /// Give the terminal to a program until it ends.
    Run(Program),
    /// Have the daemon read its configuration.
    Reload,
    StartDaemon,
}

/// What the daemon is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) verb: Verb,
    /// Never empty: none would mean all.
    pub(super) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Up,
    Down,
    Restart,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Restart => "restart",
        })
    }
}

/// A program that gets the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// A client of a tunnel, with its arguments.
    Client(Vec<String>),
    /// What renews a login.
    Login(Vec<String>),
    /// The user's editor, on this file.
    Editor { file: String },
}

/// What a tab shows.
#[derive(Debug)]
pub(super) enum Look {
    Sessions(Sessions),
    Connections(Connections),
    Traffic(Traffic),
    History(History),
    Logs(Logs),
    Settings(Settings),
}
