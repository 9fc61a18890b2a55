//! A certificate authority of a test's own, and servers' certificates that it signs.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// An authority that only those trust who are told to.
#[derive(Debug)]
pub struct TestAuthority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// A server's certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl TestAuthority {
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.distinguished_name.push(DnType::CommonName, "tunnels test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let folder = TempDir::with_prefix("tunnels-ca-").expect("a temporary folder");
        let certificate = authority.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("our own folder");
        Self { issuer: Issuer::new(authority, key), folder }
    }

    /// The file with its certificate (PEM).
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a server of this name, and of no other.
    #[track_caller]
    pub fn issue(&self, name: &str) -> Identity {
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        leaf.distinguished_name.push(DnType::CommonName, name);
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    /// Writes `cert.pem` and `key.pem`.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("cert.pem"), &self.certificate).expect("our own folder");
        fs::write(folder.join("key.pem"), &self.key).expect("our own folder");
    }
}
