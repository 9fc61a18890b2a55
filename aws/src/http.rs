//! The HTTP client of all SDK calls: rustls with ring, the system's roots, our own additions to them, and
//! the proxy variables. The SDK's default client would bring a second TLS stack and ignores
//! `AWS_CA_BUNDLE`; one built the usual way ignores the proxy.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::path::PathBuf;
use std::time::Duration;

/// Calls are rare once the tunnels are up: a burst of them must not leave its connections open.
const IDLE: usize = 2;
const IDLE_TIME: Duration = Duration::from_secs(20);

/// Why the HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// `AWS_CA_BUNDLE` names a file that cannot be read.
    #[error("AWS_CA_BUNDLE names {}, which cannot be read: {source}", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// TLS cannot be set up with these certificates.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// The content of the file that `AWS_CA_BUNDLE` names.
pub(crate) fn ca_bundle() -> Result<Option<Vec<u8>>, HttpError> {
    let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    std::fs::read(&path).map(Some).map_err(|source| HttpError::Bundle { path, source })
}

pub(crate) fn client(ca_bundle: Option<&[u8]>) -> Result<SharedHttpClient, HttpError> {
    let mut trust = TrustStore::default().with_native_roots(true);
    if let Some(pem) = ca_bundle {
        trust = trust.with_pem_certificate(pem);
    }
    let tls =
        TlsContext::builder().with_trust_store(trust).build().map_err(|error| HttpError::Tls(error.to_string()))?;
    Ok(Builder::new().pool_max_idle_per_host(IDLE).pool_idle_timeout(IDLE_TIME).build_with_connector_fn(
        move |settings, components| {
            let mut connector: ConnectorBuilder<_> = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(tls.clone())
                .proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.build()
        },
    ))
}
