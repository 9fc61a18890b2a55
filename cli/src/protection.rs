//! Tunnels with `protected`: none is brought up by accident.
//!
//! Asks whoever sits at the terminal; a script has to say that it is meant. A guard of the command line,
//! not of the daemon: what speaks to its socket knows what it does.

use crate::command::pick;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use tunnels_api::{ApiError, ErrorCode, TargetState, TunnelStatus};

/// The tunnels that bringing `select` up has to be confirmed for: protected ones that are not wanted up
/// already.
pub(crate) fn guarded(select: &[String], tunnels: &[TunnelStatus]) -> Result<Vec<String>, ApiError> {
    let picked = pick(select, tunnels)?;
    let is_meant = |tunnel: &&TunnelStatus| picked.contains(&tunnel.name) && (tunnel.auto || !select.is_empty());
    let is_guarded = |tunnel: &&TunnelStatus| tunnel.protected && tunnel.wanted == TargetState::Down;
    Ok(tunnels.iter().filter(is_meant).filter(is_guarded).map(|tunnel| tunnel.name.clone()).collect())
}

/// Asks, if there is something to ask and somebody to answer.
pub(crate) fn confirm(names: &[String]) -> Result<(), ApiError> {
    if names.is_empty() {
        return Ok(());
    }
    let what = format!("{} {} protected", names.join(", "), if names.len() == 1 { "is" } else { "are" });
    agree(&what, "bring up all the same?", "add --yes if it is meant, or --reason TEXT with `up`")
}

/// Asks whether to go on with `what`; an error if nobody can be asked, with what to do then, or if the answer is no.
pub(crate) fn agree(what: &str, question: &str, unattended: &str) -> Result<(), ApiError> {
    let is_attended = io::stdin().is_terminal() && io::stderr().is_terminal();
    decide(what, question, unattended, is_attended, |question| {
        let mut err = anstream::stderr();
        write!(err, "{question} [y/N] ").and_then(|()| err.flush())?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer)
    })
}

fn decide(
    what: &str,
    question: &str,
    unattended: &str,
    is_attended: bool,
    ask: impl FnOnce(&str) -> io::Result<String>,
) -> Result<(), ApiError> {
    if !is_attended {
        return Err(ApiError::new(ErrorCode::Usage, format!("{what}, and there is no terminal to ask on"))
            .with_hint(unattended));
    }
    let answer = ask(&format!("{what}: {question}"))
        .map_err(|error| ApiError::new(ErrorCode::Failed, format!("cannot ask: {error}")))?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Failed, format!("{what}; nothing was changed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(name: &str, wanted: &str, auto: bool, protected: bool) -> TunnelStatus {
        serde_json::from_value(serde_json::json!({
            "name": name, "state": "down", "wanted": wanted, "local": "127.0.0.1:1", "remote": ":1",
            "auto": auto, "protected": protected,
            "sessions": 0, "streams": 0, "bytes_in": 0, "bytes_out": 0, "rate_in": 0, "rate_out": 0,
            "since": "2026-11-21T06:00:00Z",
        }))
        .expect("a status")
    }

    #[test]
    fn only_protected_tunnels_that_come_up_now_are_asked_about() {
        let tunnels = [
            tunnel("dev", "down", true, false),
            tunnel("prod", "down", true, true),
            tunnel("prod-manual", "down", false, true),
            tunnel("prod-up", "up", true, true),
        ];
        let guarded = |select: &[&str]| {
            let select: Vec<String> = select.iter().map(|&name| name.to_owned()).collect();
            guarded(&select, &tunnels).unwrap()
        };
        assert_eq!(guarded(&[]), ["prod"]);
        assert_eq!(guarded(&["*"]), ["prod", "prod-manual"]);
        assert_eq!(guarded(&["dev"]), [""; 0]);
        assert_eq!(guarded(&["prod-up"]), [""; 0]);
    }

    #[test]
    fn who_is_not_there_cannot_be_asked() {
        let error = decide("prod is protected", "?", "--yes", false, |_| panic!("nobody is there")).unwrap_err();
        assert_eq!(error.code, ErrorCode::Usage);
        assert!(error.message.starts_with("prod is protected"), "{}", error.message);
        assert!(error.hint.unwrap().contains("--yes"));
        confirm(&[]).unwrap();
    }

    #[test]
    fn only_a_yes_is_one() {
        let say = |answer: &str| decide("prod is protected", "?", "--yes", true, |_| Ok(answer.to_owned()));
        say("y\n").unwrap();
        say("YES\n").unwrap();
        for no in ["", "\n", "n\n", "yeah\n"] {
            assert!(say(no).unwrap_err().message.contains("nothing was changed"), "{no}");
        }
    }
}
