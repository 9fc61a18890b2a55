//! What a run of the benchmarks has at hand: how many repetitions, and the official programs.

use std::env;
use std::path::PathBuf;

/// Chosen by the caller, for all rows.
#[derive(Debug)]
pub(crate) struct Setting {
    /// How often each figure is measured.
    pub(crate) runs: usize,
    /// The official `session-manager-plugin`.
    pub(crate) plugin: Option<PathBuf>,
    /// The folder of the official agent's programs.
    pub(crate) agent: Option<PathBuf>,
}

impl Setting {
    pub(crate) fn new(runs: usize) -> Self {
        let path = |name| env::var_os(name).map(PathBuf::from);
        Self { runs, plugin: path("SSM_PLUGIN_BIN"), agent: path("SSM_AGENT_DIR") }
    }
}
