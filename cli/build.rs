//! Puts the commit and its date into the binary, for `tunnels version`.
//!
//! The date is the source's, not that of the day on which somebody compiles it: the same source makes the same program.
//! Packagers without a git folder set `TUNNELS_COMMIT` and `SOURCE_DATE_EPOCH`
//! (<https://reproducible-builds.org/specs/source-date-epoch/>). Whatever goes wrong, the build does not: what is not known is
//! then `unknown`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=TUNNELS_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
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
    let told = |variable: &str, ask: &[&str]| {
        let set = std::env::var(variable).ok().filter(|value| !value.is_empty());
        set.or_else(|| git.exists().then(|| git_says(ask)).flatten()).unwrap_or_else(|| "unknown".to_owned())
    };
    println!("cargo::rustc-env=TUNNELS_COMMIT={}", told("TUNNELS_COMMIT", &["rev-parse", "--short=12", "HEAD"]));
    // In seconds since 1970.
    let date = told("SOURCE_DATE_EPOCH", &["show", "--no-patch", "--format=%ct", "HEAD"]);
    println!("cargo::rustc-env=TUNNELS_SOURCE_DATE={date}");
}

fn git_says(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
