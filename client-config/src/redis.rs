//! What redis-cli is told of TLS.
//!
//! redis-cli sends the name that it is given (`--sni`) and checks that a trusted authority signed the certificate, but not
//! whose it is (hiredis does so from `verify_name` on, pull request 1355, which redis-cli does not set).

use crate::mysql::reachable_host;
use crate::{Endpoint, Options, Security};

/// Its options behind `-h` and `-p`.
pub(crate) fn tls_words(endpoint: &Endpoint, options: &Options) -> Vec<String> {
    let mut words = Vec::new();
    match options.security(endpoint) {
        Security::Unsaid | Security::Off => return words,
        Security::Encrypted => words.extend(["--tls".to_owned(), "--insecure".to_owned()]),
        Security::Verified => words.push("--tls".to_owned()),
    }
    if let Some(name) = endpoint.remote.name() {
        words.extend(["--sni".to_owned(), name.to_owned()]);
    }
    if let Some(ca) = options.ca.clone().filter(|_| options.security(endpoint) == Security::Verified) {
        words.extend(["--cacert".to_owned(), ca]);
    }
    words
}

/// Whether Redis is spoken over TLS.
pub(crate) fn is_tls(endpoint: &Endpoint, options: &Options) -> bool {
    matches!(options.security(endpoint), Security::Encrypted | Security::Verified)
}

/// The host of a URL: the name where it leads here, which every client can check, else the address.
pub(crate) fn url_host(endpoint: &Endpoint) -> Option<String> {
    reachable_host(endpoint)
}

/// What the user of a URL has to know.
pub(crate) fn url_note(endpoint: &Endpoint, options: &Options) -> Option<String> {
    let name = endpoint.remote.name()?;
    let is_checked = options.security(endpoint) == Security::Verified;
    (is_checked && !endpoint.is_named_here() && endpoint.address().is_some()).then(|| {
        format!(
            "the certificate is made out to {name}: give redis-cli `--sni {name}` beside the URL, and other clients that name as \
             server name, or let the name lead here: `tunnels hosts apply`"
        )
    })
}
