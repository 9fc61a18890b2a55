//! Pages of docs/ that are made from the code, compared with what they are made from. For tests.

use std::path::Path;

/// Fails unless docs/`name` is this text; with `UPDATE_DOCS` set it is written instead, and the diff is to be read.
pub(super) fn published(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "docs/{name} is not what the code says, from line {} on: UPDATE_DOCS=1 cargo test -p tunnels-daemon published",
        line.unwrap_or_else(|| found.lines().count().min(expected.lines().count())) + 1
    );
}
