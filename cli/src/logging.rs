//! Log lines of the commands that run for long: to standard error, never to standard output.

use std::io::{self, IsTerminal as _};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// How the targets of our own crates begin.
const OURS: [&str; 2] = ["tunnels", "ssm_"];

/// Starts logging; `TUNNELS_LOG` says what, else `default`.
pub(crate) fn init(default: &str) {
    let filter = EnvFilter::try_from_env("TUNNELS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let color =
        io::stderr().is_terminal() && anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(color);
    // An error says that logging has been started already, which is as good.
    let _ = tracing_subscriber::registry().with(capped(filter)).with(lines).try_init();
}

/// What was asked for, but no more than `info` of crates that are not ours: the SDK and the HTTP libraries
/// write whole answers at `trace`, and with them tokens, stream URLs and credentials.
fn capped(filter: EnvFilter) -> impl Layer<Registry> + Send + Sync {
    let cap =
        Targets::new().with_default(LevelFilter::INFO).with_targets(OURS.map(|target| (target, LevelFilter::TRACE)));
    filter.and_then(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        with_default(tracing_subscriber::registry().with(capped(EnvFilter::new(filter))).with(layer), || {
            tracing::trace!(target: "aws_smithy_runtime::client", "token");
            tracing::debug!(target: "hyper_util", "url");
            let span = tracing::debug_span!(target: "aws_sdk_ssm::operation", "call", secret = "key");
            span.in_scope(|| tracing::info!(target: "aws_config::profile", "loaded"));
            tracing::trace!(target: "tunnels_daemon::tunnel", "ours");
            tracing::debug!(target: "ssm_session", "session");
        });
        let written = lines.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn other_crates_are_never_heard_below_info_whatever_is_asked_for() {
        for filter in [
            "trace",
            "aws_smithy_runtime=trace,hyper_util=trace,aws_sdk_ssm=trace,info",
            "aws_sdk_ssm[call]=trace,trace",
        ] {
            let log = logged(filter);
            for secret in ["token", "url", "secret"] {
                assert!(!log.contains(secret), "{secret} with {filter}:\n{log}");
            }
            assert!(log.contains("loaded"), "{filter}:\n{log}");
        }
    }

    #[test]
    fn our_own_crates_say_what_is_asked_for() {
        let log = logged("trace");
        assert!(log.contains("ours") && log.contains("session"), "{log}");
        assert_eq!(logged("off"), "");
        assert!(!logged("info").contains("session"));
    }
}
