//! Every state of a tunnel: how it is reached, what `ls --json` says in it, and the way out of it.

mod connecting;
mod failed;
mod needs_login;
mod open;
mod taken;

use serde_json::Value;
use tunnels_tests::TestDaemon;

/// Brings a tunnel up without waiting for what becomes of it.
fn set_off(user: &TestDaemon, name: &str) {
    // Nothing is ready at once, and a failure may be quicker than the command.
    let code = user.run(&["up", name, "--wait=0s"]).code;
    assert!(matches!(code, Some(0 | 6 | 7 | 8)), "{code:?}");
}

/// The tunnel's cause names these, in its text or in what to do next.
#[track_caller]
fn names(status: &Value, words: &[&str]) {
    let said = |field: &str| status["cause"][field].as_str().unwrap_or_default().to_owned();
    assert!(!said("text").is_empty(), "no text: {status}");
    let all = format!("{} {}", said("text"), said("next"));
    for word in words {
        assert!(all.contains(word), "`{word}` is missing in `{all}`");
    }
}

/// Whether views can count down to the next try.
#[track_caller]
fn is_tried_again(status: &Value, expected: bool) {
    assert_eq!(status["retry_at"].is_string(), expected, "{status}");
}

/// A tunnel that carries says nothing of what was.
#[track_caller]
fn is_well(user: &TestDaemon, name: &str) {
    let status = user.wait_for(name, "ready");
    assert!(status.get("cause").is_none(), "{status}");
    is_tried_again(&status, false);
    assert_eq!((&status["sessions"], &status["sessions_resuming"]), (&1.into(), &0.into()), "{status}");
}
