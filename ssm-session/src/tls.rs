//! [`Tls`]: how `wss` connections are secured – rustls with ring and the system's trust store.
//!
//! The trust store is read when the first `wss` connection is made, once, off the async threads: a program that only talks to
//! the simulator needs none. This is the only module that names the crypto provider.

use std::{fmt, sync::Arc};

use tokio::sync::OnceCell;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::error::TlsSetupError;

/// A TLS client configuration, loaded when first needed; clones share it.
#[derive(Clone, Default)]
pub struct Tls {
    config: Arc<OnceCell<Arc<ClientConfig>>>,
    /// Further roots, in PEM.
    further: Option<Arc<[u8]>>,
}

impl Tls {
    /// Trusts what the operating system trusts, or the file that `SSL_CERT_FILE` names.
    pub fn native() -> Self {
        Self::default()
    }

    /// Uses a configuration made elsewhere, such as one with a test's own root.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self { config: Arc::new(OnceCell::new_with(Some(config))), further: None }
    }

    /// Trusts the certificates of a PEM file (its content) besides what the operating system trusts.
    pub fn native_and(pem: impl Into<Arc<[u8]>>) -> Self {
        Self { config: Arc::default(), further: Some(pem.into()) }
    }

    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, TlsSetupError> {
        let load = || async {
            let further = self.further.clone();
            match tokio::task::spawn_blocking(move || load(further.as_deref())).await {
                Ok(loaded) => loaded,
                Err(panic) => Err(TlsSetupError::Config(Arc::new(panic))),
            }
        };
        self.config.get_or_try_init(load).await.cloned()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("loaded", &self.config.initialized()).finish_non_exhaustive()
    }
}

fn load(further: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "part of the system's trust store cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    for certificate in CertificateDer::pem_slice_iter(further.unwrap_or_default()) {
        let bad = |error: Arc<dyn std::error::Error + Send + Sync>| TlsSetupError::Certificates(error);
        roots.add(certificate.map_err(|error| bad(Arc::new(error)))?).map_err(|error| bad(Arc::new(error)))?;
    }
    tracing::debug!(added, ignored, "trust store loaded");
    if roots.is_empty() {
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
