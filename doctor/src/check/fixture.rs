//! Made-up tunnels for the tests of the checks.

use std::fmt::Write as _;
use std::path::Path;
use tunnels_daemon::config::{TunnelConfig, parse};

/// `orders-db` behind `i-0123456789abcdef0`, unless `keys` say something else.
pub(crate) fn tunnel(keys: &str) -> TunnelConfig {
    let given = |key: &str| keys.lines().any(|line| line.trim_start().starts_with(key));
    let mut text = String::from("[tunnels.orders-db]\n");
    for (key, value) in
        [("remote", "\"orders.example:5432\""), ("local", "15432"), ("target", "\"i-0123456789abcdef0\"")]
    {
        if !given(key) {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    parse(Path::new("config.toml"), &(text + keys)).unwrap().tunnels.remove(0)
}
