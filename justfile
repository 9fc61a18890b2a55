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

# Licences, sources and duplicate versions; works offline.
deny:
    cargo deny check bans licenses sources

# How long a connection stands still when a websocket is cut: median and p99, both sides, 0 and 50 ms.
bench-recovery:
    cargo build --release --package tunnels
    cargo run --release --package tunnels-tests --example recovery

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
