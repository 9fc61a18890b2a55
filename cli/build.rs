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
        // The log changes with each commit and each checkout. In a worktree it is not below `.git`, which is a file
        // there.
        for file in ["HEAD", "logs/HEAD"] {
            let path = git_says(&["rev-parse", "--git-path", file]);
            if let Some(path) = path.filter(|path| Path::new(path).exists()) {
                println!("cargo::rerun-if-changed={path}");
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
    git_says(&["rev-parse", "--short=12", "HEAD"])
}

fn git_says(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
