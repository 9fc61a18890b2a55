//! The configuration's mistakes and warnings, as findings. Pure: it was read before.

use crate::case::Subject;
use tunnels_api::{Check, Finding};
use tunnels_daemon::config::ConfigError;

/// More than anybody reads at once.
const MOST: usize = 20;

pub(crate) fn judge(subject: &Subject) -> Vec<Finding> {
    match subject {
        Subject::Missing { text, next } => {
            vec![next.iter().cloned().fold(Finding::fail(Check::Configuration, text.clone()), Finding::with_next)]
        }
        Subject::Invalid(errors) => {
            let mut findings: Vec<Finding> = errors
                .iter()
                .take(MOST)
                .map(|error| mistake(Finding::fail(Check::Configuration, text(error)), error))
                .collect();
            if let Some(last) = findings.last_mut().filter(|_| errors.iter().count() > MOST) {
                last.text = format!("{}; and {} more", last.text, errors.iter().count() - MOST);
            }
            findings
        }
        Subject::Tunnels { resolved, .. } => {
            let warnings = resolved.warnings.iter().take(MOST);
            let mut findings: Vec<Finding> =
                warnings.map(|warning| mistake(Finding::warn(Check::Configuration, text(warning)), warning)).collect();
            if findings.is_empty() {
                let config = &resolved.config;
                let count = config.tunnels.len();
                let text = format!("{count} tunnel{} in {}", if count == 1 { "" } else { "s" }, config.path.display());
                findings.push(Finding::ok(Check::Configuration, text));
            }
            findings
        }
    }
}

fn text(error: &ConfigError) -> String {
    match error.location() {
        Some(place) => format!("{place}: {}", error.message()),
        None => error.message().to_owned(),
    }
}

fn mistake(finding: Finding, error: &ConfigError) -> Finding {
    finding.with_next(error.hint().unwrap_or("`tunnels config check` shows the place"))
}
