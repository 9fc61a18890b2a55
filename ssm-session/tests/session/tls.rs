//! Whom a connection trusts: certificates made for a test, bundles in files, and what is said of bad ones.

use std::{io::Write as _, sync::Arc, time::Duration};

use ssm_session::{BundleProblem, Connect, ConnectError, Network, StreamUrl, Tls, TlsSetupError, connect};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::CertificateDer},
};

use crate::{
    gateway::{TARGET, accept},
    harness::within,
};

/// A server's certificate, signed by nobody else.
pub(crate) struct Certified {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
}

pub(crate) fn certified(name: &str) -> Certified {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    Certified { acceptor: TlsAcceptor::from(Arc::new(server)), certificate, pem: made.cert.pem() }
}

/// A network that trusts these certificates and has no proxy.
pub(crate) fn trusting(certificates: &[&Certified]) -> Network {
    let mut roots = RootCertStore::empty();
    for certified in certificates {
        roots.add(certified.certificate.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Network { tls: Tls::from_config(Arc::new(config)), ..Network::default() }
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn bundled(path: impl Into<std::path::PathBuf>) -> Network {
    Network { tls: Tls::native_and("AWS_CA_BUNDLE", path), ..Network::default() }
}

/// Opens a websocket to a server with this certificate; the path that the server was asked for.
async fn opened(server: &Certified, network: Network) -> Result<String, ConnectError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = StreamUrl::parse(&format!("wss://{}{TARGET}", listener.local_addr().unwrap())).unwrap();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        match server.acceptor.accept(socket).await {
            Ok(stream) => accept(stream).await.1,
            Err(refused) => refused.to_string(),
        }
    };
    let request = Connect { url: &url, signing: None, network, timeout: Duration::from_secs(30) };
    within(Box::pin(async {
        tokio::select! {
            // The server's side may never end when the client does not even begin.
            biased;
            (opened, head) = async { tokio::join!(connect(request.clone()), serve) } => opened.map(|_| head),
        }
    }))
    .await
}

#[tokio::test]
async fn given_roots_and_those_of_a_bundle_are_trusted() {
    let server = certified("127.0.0.1");
    let other = certified("other.example");
    let bundle = file(&format!("comments may stand here\n{}\n{}", other.pem, server.pem));
    for network in [trusting(&[&other, &server]), bundled(bundle.path())] {
        assert!(opened(&server, network).await.unwrap().contains(TARGET));
    }
}

#[tokio::test]
async fn an_unknown_authority_is_named_with_the_way_to_trust_it() {
    let server = certified("127.0.0.1");
    let error = opened(&server, trusting(&[])).await.unwrap_err();
    let ConnectError::Certificate { problem, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*problem, CertificateError::UnknownIssuer);
    assert_eq!(
        error.to_string(),
        "the certificate of 127.0.0.1 is signed by an authority that this machine does not trust"
    );
    assert!(error.advice().unwrap().contains("AWS_CA_BUNDLE"));
    assert!(!error.is_lasting(), "a captive portal goes away");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = certified("other.example");
    let error = opened(&server, trusting(&[&server])).await.unwrap_err();
    assert!(matches!(error, ConnectError::Certificate { .. }), "{error:?}");
    assert_eq!(error.to_string(), "what answers as 127.0.0.1 shows a certificate for another name");
}

#[tokio::test]
async fn a_bundle_that_cannot_be_used_says_why_until_it_can() {
    let server = certified("127.0.0.1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let network = bundled(&path);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, text) in [
        (None, "which cannot be read"),
        (Some(String::new()), "which holds no certificate in PEM"),
        (Some("garbage".to_owned()), "which holds no certificate in PEM"),
        (Some(format!("{}{broken}", server.pem)), "whose certificate number 2 cannot be used"),
    ] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = setup_error(network.clone()).await;
        let expected = format!("AWS_CA_BUNDLE names {}, {text}", path.display());
        assert_eq!(error.to_string(), expected);
    }
    std::fs::write(&path, &server.pem).unwrap();
    assert!(opened(&server, network).await.is_ok());
}

/// What keeps TLS from being set up at all.
async fn setup_error(network: Network) -> TlsSetupError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = StreamUrl::parse(&format!("wss://{}/x", listener.local_addr().unwrap())).unwrap();
    let request = Connect { url: &url, signing: None, network, timeout: Duration::from_secs(30) };
    let error = within(Box::pin(connect(request))).await.map(drop).unwrap_err();
    assert!(error.is_lasting() && error.advice().unwrap().contains("AWS_CA_BUNDLE"), "{error:?}");
    let ConnectError::TlsSetup(error) = error else { panic!("{error:?}") };
    let TlsSetupError::Bundle { problem, .. } = &error else { panic!("{error:?}") };
    let has_source = std::error::Error::source(problem).is_some();
    assert_eq!(has_source, !matches!(problem, BundleProblem::Empty), "{problem:?}");
    error
}
