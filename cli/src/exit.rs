//! The exit codes, which scripts rely on: documented in `--help` and the README.

use std::process::ExitCode;
use tunnels_api::ErrorCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Config = 3,
    NoDaemon = 4,
    NoSuchTunnel = 5,
    NeedsLogin = 6,
    TimedOut = 7,
    TunnelFailed = 8,
    /// `exec`: the program is there and cannot be run.
    NotRunnable = 126,
    /// `exec`: there is no such program.
    NoProgram = 127,
    Interrupted = 130,
    Terminated = 143,
}

/// The end of `tunnels --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done                       5  no such tunnel
  1  failed                     6  needs login
  2  usage                      7  timed out
  3  configuration invalid, or  8  a tunnel failed for good
     not the running daemon's   130/143  ended by a signal
  4  daemon not reachable

`exec` ends as the program that it runs; 127 if there is none of that name, 126 if it cannot be run.

Environment:
  TUNNELS_CONFIG                configuration file, as --config
  TUNNELS_RUNTIME_DIR           folder of the daemon's socket
  TUNNELS_STATE_DIR             folder of the daemon's state and log
  TUNNELS_LOG                   what the daemon logs: info, debug, tunnels_daemon=trace, …
  AWS_*                         as with every AWS program; the daemon has those of the shell that starts it
  NO_COLOR, CLICOLOR_FORCE      set to anything: no colour; colour in a pipe too";

impl From<ErrorCode> for Exit {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Usage => Self::Usage,
            ErrorCode::ConfigInvalid | ErrorCode::ConfigMismatch => Self::Config,
            ErrorCode::DaemonUnreachable | ErrorCode::Stopping => Self::NoDaemon,
            ErrorCode::NoSuchTunnel => Self::NoSuchTunnel,
            ErrorCode::NeedsLogin => Self::NeedsLogin,
            ErrorCode::TimedOut => Self::TimedOut,
            ErrorCode::TunnelFailed => Self::TunnelFailed,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let table = [
            (ErrorCode::Failed, 1),
            (ErrorCode::AlreadyRunning, 1),
            (ErrorCode::Usage, 2),
            (ErrorCode::ConfigInvalid, 3),
            (ErrorCode::ConfigMismatch, 3),
            (ErrorCode::DaemonUnreachable, 4),
            (ErrorCode::Stopping, 4),
            (ErrorCode::NoSuchTunnel, 5),
            (ErrorCode::NeedsLogin, 6),
            (ErrorCode::TimedOut, 7),
            (ErrorCode::TunnelFailed, 8),
        ];
        for (code, exit) in table {
            assert_eq!(Exit::from(code) as u8, exit, "{code:?}");
        }
    }

    #[test]
    fn each_code_is_in_the_help() {
        for code in 0..=8 {
            assert!(HELP.contains(&format!("  {code}  ")), "{code}");
        }
        assert!(HELP.contains("130/143"));
    }
}
