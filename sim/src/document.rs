//! Session documents: from a StartSession's parameters to what the agent is told to reach.
//!
//! Knows the port documents of docs/protocol.md §1.6 and the account's own ones. It checks and
//! resolves; the agent gets properties without placeholders, all of them strings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ssm_api::ApiError;

const TO_PORT: &str = "AWS-StartPortForwardingSession";
const TO_REMOTE_HOST: &str = "AWS-StartPortForwardingSessionToRemoteHost";
const SSH: &str = "AWS-StartSSHSession";

/// StartSession's `Parameters`: every value is a list, even a single one.
pub(crate) type Parameters = BTreeMap<String, Vec<String>>;

/// A port session document with its parameters filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortDocument {
    pub(crate) name: String,
    /// The host behind the node; `None`: the node itself.
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    /// What the agent gets, verbatim.
    pub(crate) properties: Value,
}

impl PortDocument {
    /// Fills in the document `name`; `own` names the account's own documents.
    pub(crate) fn resolve(name: &str, parameters: &Parameters, own: &[String]) -> Result<Self, ApiError> {
        let (allowed, default_port): (&[&str], u16) = match name {
            TO_PORT => (&["portNumber", "localPortNumber"], 80),
            TO_REMOTE_HOST => (&["portNumber", "localPortNumber", "host"], 80),
            SSH => (&["portNumber"], 22),
            _ if own.iter().any(|known| known == name) => (&["portNumber", "localPortNumber", "host"], 80),
            _ => return Err(ApiError::unknown_document(name)),
        };
        if let Some(unknown) = parameters.keys().find(|key| !allowed.contains(&key.as_str())) {
            return Err(ApiError::invalid_parameters(format!(
                "Parameter \"{unknown}\" is not defined in document {name}."
            )));
        }
        let port = match single(parameters, "portNumber")? {
            None => default_port,
            Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                ApiError::invalid_parameters(format!(
                    "Parameter \"portNumber\" has value \"{text}\" not in 1 to 65535."
                ))
            })?,
        };
        let local_port = single(parameters, "localPortNumber")?.unwrap_or("0");
        let host = single(parameters, "host")?.filter(|host| !host.is_empty()).map(str::to_owned);
        if name == TO_REMOTE_HOST && host.is_none() {
            return Err(ApiError::invalid_parameters("Parameter \"host\" is required.".to_owned()));
        }
        let mut properties = json!({ "portNumber": port.to_string() });
        if name != SSH {
            properties["type"] = json!("LocalPortForwarding");
            properties["localPortNumber"] = json!(local_port);
        }
        if let Some(host) = &host {
            properties["host"] = json!(host);
        }
        Ok(Self { name: name.to_owned(), host, port, properties })
    }

    /// Whether the session multiplexes, which is all that the built-in agent can do.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.properties.get("type").is_some()
    }
}

fn single<'a>(parameters: &'a Parameters, key: &str) -> Result<Option<&'a str>, ApiError> {
    match parameters.get(key).map(Vec::as_slice) {
        None => Ok(None),
        Some([value]) => Ok(Some(value)),
        Some(_) => Err(ApiError::invalid_parameters(format!("Parameter \"{key}\" takes exactly one value."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect()
    }

    #[test]
    fn all_properties_are_strings() {
        let given = parameters(&[("host", "db.internal"), ("portNumber", "5432")]);
        let document = PortDocument::resolve(TO_REMOTE_HOST, &given, &[]).unwrap();
        assert_eq!(document.port, 5432);
        assert_eq!(
            document.properties,
            json!({"portNumber": "5432", "host": "db.internal", "type": "LocalPortForwarding",
                   "localPortNumber": "0"})
        );
    }

    #[test]
    fn an_ssh_document_has_no_type() {
        let document = PortDocument::resolve(SSH, &Parameters::new(), &[]).unwrap();
        assert_eq!(document.properties, json!({"portNumber": "22"}));
        assert!(!document.is_multiplexed());
    }

    #[test]
    fn documents_and_parameters_are_checked() {
        let name = |result: Result<PortDocument, ApiError>| result.unwrap_err().name();
        let none = Parameters::new();
        assert_eq!(name(PortDocument::resolve("Nope", &none, &[])), "InvalidDocument");
        assert!(PortDocument::resolve("Nope", &none, &["Nope".to_owned()]).is_ok());
        assert_eq!(name(PortDocument::resolve(TO_REMOTE_HOST, &none, &[])), "InvalidParameters");
        for bad in ["0", "65536", "http"] {
            let given = parameters(&[("portNumber", bad)]);
            assert_eq!(name(PortDocument::resolve(TO_PORT, &given, &[])), "InvalidParameters");
        }
        let unknown = parameters(&[("host", "x")]);
        assert_eq!(name(PortDocument::resolve(TO_PORT, &unknown, &[])), "InvalidParameters");
    }
}
