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

/// The codes of each command beside 0 and 2; signals end those that go on.
const CODES: &[(&str, &[Exit])] = {
    use Exit::{
        Config, Failed, Interrupted, NeedsLogin, NoDaemon, NoProgram, NoSuchTunnel, NotRunnable, TimedOut, TunnelFailed,
    };
    const ASKS: &[Exit] = &[Failed, Config, NoDaemon, NoSuchTunnel];
    const NAMES: &[Exit] = &[Failed, Config, NoSuchTunnel];
    const WAITS: &[Exit] = &[Failed, Config, NoDaemon, NoSuchTunnel, NeedsLogin, TimedOut, TunnelFailed, Interrupted];
    const RUNS: &[Exit] = &[Failed, Interrupted];
    &[
        ("up", WAITS),
        ("down", &[Failed, Config, NoDaemon, NoSuchTunnel, TimedOut]),
        ("restart", WAITS),
        ("ls", &[Failed, Config, NoDaemon, NoSuchTunnel, Interrupted]),
        ("status", ASKS),
        ("why", ASKS),
        ("logs", &[Failed, Config, NoDaemon, NoSuchTunnel, Interrupted]),
        ("wait", WAITS),
        ("doctor", &[Failed, Config, NoSuchTunnel, NeedsLogin, Interrupted]),
        ("daemon", &[Failed, Config, Interrupted]),
        ("stop", &[Failed, Config, NoDaemon, TimedOut]),
        ("service install", &[Failed, Config]),
        ("service uninstall", &[Failed]),
        ("service status", &[Failed]),
        (
            "exec",
            &[
                Failed,
                Config,
                NoDaemon,
                NoSuchTunnel,
                NeedsLogin,
                TimedOut,
                TunnelFailed,
                NotRunnable,
                NoProgram,
                Interrupted,
            ],
        ),
        ("url", NAMES),
        ("env", NAMES),
        ("export", NAMES),
        ("hosts apply", NAMES),
        ("hosts remove", NAMES),
        ("tray", RUNS),
        ("config check", &[Config]),
        ("config path", &[Config]),
        ("config show", &[Config, NoSuchTunnel]),
        ("config schema", &[Failed]),
        ("config edit", &[Failed, Config, Interrupted]),
        ("add", &[Failed, Config]),
        ("import", &[Failed, Config]),
        ("demo", RUNS),
        ("sim", RUNS),
        ("completions", &[Failed]),
        ("man", &[Failed]),
        ("version", &[Failed]),
    ]
};

/// Whether the codes of a command are known.
#[cfg(test)]
pub(crate) fn has_lines_for(path: &str) -> bool {
    CODES.iter().any(|(known, _)| *known == path)
}

/// The end of a command's `--help`.
pub(crate) fn lines_for(path: &str) -> String {
    let own = CODES.iter().find(|(known, _)| *known == path).map_or(&[][..], |(_, codes)| codes);
    let mut codes = vec![Exit::Done, Exit::Usage];
    codes.extend(own);
    codes.sort_unstable_by_key(|code| *code as u8);
    let lines: Vec<String> =
        codes.into_iter().map(|code| format!("  {:<8} {}", code.shown(), code.meaning())).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

impl Exit {
    fn shown(self) -> String {
        match self {
            Self::Interrupted | Self::Terminated => "130, 143".to_owned(),
            code => (code as u8).to_string(),
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "wrong usage",
            Self::Config => "the configuration is missing or invalid, or not that of the running daemon",
            Self::NoDaemon => "the daemon cannot be reached",
            Self::NoSuchTunnel => "no such tunnel",
            Self::NeedsLogin => "a login is needed",
            Self::TimedOut => "timed out",
            Self::TunnelFailed => "a tunnel failed for good",
            Self::NotRunnable => "the program cannot be run",
            Self::NoProgram => "there is no such program",
            Self::Interrupted | Self::Terminated => "ended by a signal",
        }
    }
}

impl From<ErrorCode> for Exit {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Usage => Self::Usage,
            ErrorCode::ConfigInvalid | ErrorCode::ConfigMismatch => Self::Config,
            ErrorCode::DaemonUnreachable | ErrorCode::Stopping | ErrorCode::HandedOver => Self::NoDaemon,
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
            (ErrorCode::HandedOver, 4),
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
