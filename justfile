# Shortcuts over plain cargo and tests/run.

# What has to be clean before a commit.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Everything, as CI does it.
test *NAMES:
    tests/run {{NAMES}}

# Only the pure protocol: seconds, no sockets.
test-proto:
    cargo test --package ssm-proto --all-features

# Feeds bytes from outside to everything that parses them, each target for so many seconds; needs a nightly toolchain and
# `cargo install cargo-fuzz`. What it finds is kept in fuzz/artifacts.
fuzz SECONDS="600" *TARGETS:
    #!/usr/bin/env bash
    set -euo pipefail
    cd fuzz
    targets="{{TARGETS}}"
    for target in ${targets:-$(cargo +nightly fuzz list)}; do
        mkdir -p "corpus/$target"
        nice -n 19 cargo +nightly fuzz run "$target" "corpus/$target" "seeds/$target" -- \
            -max_total_time={{SECONDS}} -timeout=20 -rss_limit_mb=2048
    done

# Licences, sources and duplicate versions; works offline.
deny:
    cargo deny check bans licenses sources

# The figures that we promise, measured on this machine (`just bench --list` names the rows, `--json`, `--runs N`); beside the
# official programs where SSM_PLUGIN_BIN and SSM_AGENT_DIR name them. docs/performance.md has a run.
bench *ARGUMENTS:
    cargo build --release --package tunnels
    cargo build --release --package tunnels-bench
    TUNNELS_BIN="${TUNNELS_BIN:-$(realpath "${CARGO_TARGET_DIR:-target}/release/tunnels")}" \
        "${CARGO_TARGET_DIR:-target}/release/tunnels-bench" {{ARGUMENTS}}

# Pictures of the dashboard for the README, made from the real program; `--views FOLDER [80x24…]` writes every view as text and
# picture instead, `--live` opens the dashboard over the same tunnels on this terminal.
screenshots *ARGUMENTS:
    cargo build --package tunnels
    cargo run --package tunnels-tests --example screenshots -- {{ARGUMENTS}}

# What single pieces cost: digest, message, a session without sockets.
bench-micro *ARGUMENTS:
    cargo bench --package ssm-proto --features testing --bench message --bench session -- {{ARGUMENTS}}

# The whole thing on this machine, without AWS.
demo *ARGUMENTS:
    cargo run --release -- demo {{ARGUMENTS}}

# The simulated AWS side on its usual port.
sim *ARGUMENTS:
    cargo run --release -- sim {{ARGUMENTS}}

# So many minutes of load while random faults strike, and a table of what came of it.
soak MINUTES="5":
    cargo build --release --package tunnels
    TUNNELS_SOAK_MINUTES={{MINUTES}} cargo test --package tunnels-tests --test soak -- --nocapture

# What is handed out: archive, Debian package (with `cargo install cargo-deb`) and checksums, in target/packages; for another target, as
# x86_64-unknown-linux-musl, with its name.
dist *TARGET:
    packaging/dist {{TARGET}}

# Installs the Debian package in a bare Debian, runs and removes it there; needs root and debootstrap, and some minutes.
dist-check *DEB:
    packaging/check-deb {{DEB}}
