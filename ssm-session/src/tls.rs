//! [`Tls`]: how `wss` connections are secured – rustls with ring and the system's trust store.
//!
//! The trust store is read when the first `wss` connection is made, once, off the async threads: a program that only talks to
//! the simulator needs none. This is the only module that names the crypto provider.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::OnceCell;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::error::{BundleProblem, TlsSetupError};

/// The bundles of all public authorities have 250 kB.
const MAX_BUNDLE: u64 = 16 << 20;

/// A TLS client configuration, loaded when first needed; clones share it.
#[derive(Clone, Default)]
pub struct Tls {
    config: Arc<OnceCell<Arc<ClientConfig>>>,
    further: Option<Arc<Bundle>>,
}

/// A file of further roots, in PEM.
#[derive(Debug)]
struct Bundle {
    /// What names the file.
    origin: String,
    path: PathBuf,
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

    /// Trusts the certificates of a PEM file besides what the operating system trusts. `origin` is what names the file, such as
    /// a variable, for messages. A file that cannot be used is an error of each connection, until it can.
    pub fn native_and(origin: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let bundle = Bundle { origin: origin.into(), path: path.into() };
        Self { config: Arc::default(), further: Some(Arc::new(bundle)) }
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

fn load(further: Option<&Bundle>) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    if let Some(bundle) = further {
        bundle.add_to(&mut roots)?;
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "part of the system's trust store cannot be read");
    }
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "trust store loaded");
    if roots.is_empty() {
        return Err(TlsSetupError::NoRoots { errors: found.errors.iter().map(ToString::to_string).collect() });
    }
    client_config(roots)
}

impl Bundle {
    fn add_to(&self, roots: &mut RootCertStore) -> Result<(), TlsSetupError> {
        let unusable =
            |problem| TlsSetupError::Bundle { origin: self.origin.clone(), path: self.path.clone(), problem };
        let pem = read(&self.path).map_err(|error| unusable(BundleProblem::Unreadable(Arc::new(error))))?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            count += 1;
            let bad = |error: Arc<dyn std::error::Error + Send + Sync>| {
                unusable(BundleProblem::Certificate { number: count, source: error })
            };
            roots.add(certificate.map_err(|error| bad(Arc::new(error)))?).map_err(|error| bad(Arc::new(error)))?;
        }
        if count == 0 { Err(unusable(BundleProblem::Empty)) } else { Ok(()) }
    }
}

/// The content of a bundle: bounded, in case it is something else altogether.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(MAX_BUNDLE + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > MAX_BUNDLE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any bundle of certificates"));
    }
    Ok(pem)
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::Config(Arc::new(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
