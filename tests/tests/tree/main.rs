//! What ARCHITECTURE.md and the documents promise about the tree itself, checked on its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom: every edge of ARCHITECTURE.md, for what ships.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("ssm-proto", &[]),
    ("ssm-session", &["ssm-proto"]),
    ("ssm-sim", &["ssm-proto", "ssm-session"]),
    ("tunnels-remotes", &[]),
    ("tunnels-client-config", &[]),
    ("tunnels-service", &[]),
    ("tunnels-api", &[]),
    ("tunnels-daemon", &["ssm-proto", "ssm-session", "tunnels-api"]),
    ("tunnels-config-file", &["tunnels-daemon"]),
    ("tunnels-imports", &[]),
    ("tunnels-doctor", &["ssm-proto", "ssm-session", "tunnels-api", "tunnels-daemon"]),
    ("tunnels-aws", &["tunnels-daemon", "tunnels-doctor", "ssm-session", "ssm-proto"]),
    ("tunnels-tui", &["tunnels-api", "tunnels-client-config"]),
    ("tunnels-tray", &["tunnels-api", "tunnels-tui"]),
    (
        "tunnels",
        &[
            "ssm-session",
            "ssm-sim",
            "tunnels-api",
            "tunnels-aws",
            "tunnels-client-config",
            "tunnels-config-file",
            "tunnels-daemon",
            "tunnels-doctor",
            "tunnels-imports",
            "tunnels-remotes",
            "tunnels-service",
            "tunnels-tray",
            "tunnels-tui",
        ],
    ),
    ("tunnels-tests", &[]),
    ("tunnels-bench", &["ssm-proto", "ssm-session", "tunnels-tests"]),
];

/// What would bring a clock, a runtime or ambient randomness into the pure protocol.
const IMPURE: [&str; 6] = ["tokio", "tokio-util", "futures-util", "rand", "getrandom", "socket2"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// Package name → names of what it depends on when it ships.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let shipped = |package: &Value| {
        let all = package["dependencies"].as_array().expect("a list of dependencies");
        all.iter().filter(|dependency| dependency["kind"] != "dev").map(|one| text(&one["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), shipped(package))).collect()
}

/// Every file below `folder` whose name ends with `extension`, build output apart.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn dependencies_point_downward_only() {
    let dependencies = dependencies();
    let ours: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    for (name, all) in &dependencies {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            panic!("{name} is a new crate: give it its place in ARCHITECTURE.md and here");
        };
        for other in all.iter().filter(|other| ours.contains(&other.as_str())) {
            assert!(allowed.contains(&other.as_str()), "{name} must not know {other}");
        }
    }
}

#[test]
fn the_protocol_is_pure() {
    let dependencies = &dependencies()["ssm-proto"];
    for name in IMPURE {
        assert!(!dependencies.iter().any(|other| other == name), "ssm-proto depends on {name}");
    }
}

#[test]
fn every_module_says_what_it_is() {
    // Tests beside a module are described by that module.
    let own_words = |path: &PathBuf| !path.ends_with("tests.rs") && !path.ends_with("build.rs");
    for path in files(&root(), "rs").into_iter().filter(own_words) {
        let text = fs::read_to_string(&path).expect("a readable file");
        let first = text.lines().find(|line| !line.starts_with("#![") && !line.is_empty());
        let documented = first.is_some_and(|line| line.starts_with("//!"));
        assert!(documented, "{} does not begin with a //! header", path.display());
    }
}

#[test]
fn every_cited_section_of_the_protocol_exists() {
    const CITATION: &str = "docs/protocol.md §";
    let protocol = fs::read_to_string(root().join("docs/protocol.md")).expect("the protocol document");
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        text[..end].trim_end_matches('.').to_owned()
    };
    let sections: Vec<String> = protocol
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
        .map(number)
        .collect();
    for path in files(&root(), "rs") {
        let text = fs::read_to_string(&path).expect("a readable file");
        for cited in text.split(CITATION).skip(1).map(number).filter(|cited| !cited.is_empty()) {
            assert!(sections.contains(&cited), "{} cites §{cited}, which does not exist", path.display());
        }
    }
}

#[test]
fn every_test_that_the_fault_tables_name_exists() {
    let document = fs::read_to_string(root().join("docs/reliability.md")).expect("the document on faults");
    let defined: BTreeSet<String> = files(&root(), "rs")
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("a readable file");
            let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once('(')).map(|(name, _)| name);
            names.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let mut named = 0;
    for row in document.lines().filter(|line| line.starts_with("| ")) {
        let last = row.trim_end_matches(" |").rsplit('|').next().unwrap_or_default();
        for test in last.split('`').skip(1).step_by(2).filter(|text| text.contains('_')) {
            let name = test.rsplit("::").next().unwrap_or(test);
            assert!(defined.contains(name), "docs/reliability.md names the test {test}, which does not exist");
            named += 1;
        }
    }
    assert!(named > 40, "only {named} tests found in the tables: are they still tables?");
}

/// As GitHub makes an anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect();
    kept.replace(' ', "-")
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut followed = 0;
    for path in files(&root(), "md") {
        let text = fs::read_to_string(&path).expect("a readable file");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let folder = path.parent().expect("a file lies in a folder");
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            assert!(target.exists(), "{} links to {link}, which does not exist", path.display());
            if !heading.is_empty() {
                let page = fs::read_to_string(&target).expect("a readable page");
                let headings: Vec<String> = page
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .map(|line| anchor(line.trim_start_matches('#')))
                    .collect();
                assert!(
                    headings.iter().any(|known| known == heading),
                    "{} links to {link}: no such heading",
                    path.display()
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "only {followed} links found");
}
