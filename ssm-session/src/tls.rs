//! [`Tls`]: how `wss` connections are secured – rustls with ring and the system's trust store.
//!
//! The trust store is read when the first `wss` connection is made, once, off the async threads: a program that only talks to
//! the simulator needs none. This is the only module that names the crypto provider.

use std::{fmt, sync::Arc};

use tokio::sync::OnceCell;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::error::TlsSetupError;

/// A TLS client configuration, loaded when first needed; clones share it.
#[derive(Clone, Default)]
pub struct Tls(Arc<OnceCell<Arc<ClientConfig>>>);

impl Tls {
    /// Trusts what the operating system trusts, or the file that `SSL_CERT_FILE` names.
    pub fn native() -> Self {
        Self::default()
    }

    /// Uses a configuration made elsewhere, such as one with a test's own root.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(OnceCell::new_with(Some(config))))
    }

    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, TlsSetupError> {
        let load = || async {
            match tokio::task::spawn_blocking(load_native).await {
                Ok(loaded) => loaded,
                Err(panic) => Err(TlsSetupError::Config(Arc::new(panic))),
            }
        };
        self.0.get_or_try_init(load).await.cloned()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("loaded", &self.0.initialized()).finish()
    }
}

fn load_native() -> Result<Arc<ClientConfig>, TlsSetupError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "part of the system's trust store cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "trust store loaded");
    if added == 0 {
        return Err(TlsSetupError::NoRoots);
    }
    client_config(roots)
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::Config(Arc::new(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
