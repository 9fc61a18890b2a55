//! A configuration file: it is right, or every mistake is reported with a place that exists.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use tunnels_daemon::config;

fuzz_target!(|text: &str| {
    // Whatever it includes is of no interest, and may be any file of this machine.
    if text.contains("include") {
        return;
    }
    match config::parse(Path::new("/nowhere/config.toml"), text) {
        Ok(parsed) => {
            for tunnel in &parsed.tunnels {
                assert!(tunnel.ping_timeout <= tunnel.ping_interval);
                assert!((1..=16).contains(&tunnel.max_sessions) && !tunnel.targets.is_empty());
            }
            assert!(config::diff(&parsed, &parsed).is_empty());
        }
        Err(errors) => {
            assert!(errors.iter().next().is_some(), "refused without a reason");
            assert!(!errors.render(false).contains('\u{1b}'));
            for error in errors.iter() {
                if let Some((_, line, column)) = error.position() {
                    assert!(line >= 1 && column >= 1 && line <= text.lines().count() + 1, "{error:?}");
                }
            }
        }
    }
});
