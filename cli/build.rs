//! Puts the commit into the binary, for `tunnels version`.
//!
//! Packagers without a git folder set `TUNNELS_COMMIT`. Whatever goes wrong, the build does not: the
//! commit is then `unknown`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=TUNNELS_COMMIT");
    // Only a repository of our own counts: a source archive may lie inside somebody else's.
    let git = Path::new("../.git");
    if git.exists() {
        // The log changes with each commit and each checkout.
        for file in ["../.git/HEAD", "../.git/logs/HEAD"] {
            if Path::new(file).exists() {
                println!("cargo::rerun-if-changed={file}");
            }
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let commit = std::env::var("TUNNELS_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
        .or_else(|| git.exists().then(head).flatten())
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=TUNNELS_COMMIT={commit}");
}

fn head() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
