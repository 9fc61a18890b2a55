//! A tunnel's configuration in force: the answer of `GET /v1/tunnels/{name}/config`.

use serde::{Deserialize, Serialize};

/// Every key of one tunnel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Its name.
    pub tunnel: String,
    /// In the order of the documentation.
    pub settings: Vec<Setting>,
}

/// One key, as it is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The key; endpoints as `endpoints.ssm`.
    pub key: String,
    /// The value as it would be written; null where it is not set.
    pub value: serde_json::Value,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: SettingOrigin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum SettingOrigin {
    /// The tunnel's own table.
    Tunnel {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// `[defaults]`.
    Defaults {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the daemon's environment.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The program.
    BuiltIn,
    /// Nobody here; AWS's own configuration may say it.
    Unset,
    /// An origin that this version does not know. Never sent.
    #[serde(other)]
    Unknown,
}
