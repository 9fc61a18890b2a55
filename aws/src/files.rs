//! Where AWS's programs keep profiles, credentials and tokens. Paths only; reads nothing.

use sha1::{Digest as _, Sha1};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use tunnels_daemon::aws::Watched;

/// Everything that a login, or an edit of profiles and keys, may change.
pub(crate) fn watched() -> Vec<Watched> {
    let files = [named("AWS_CONFIG_FILE", "config"), named("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let folders = [sso_cache(), named("AWS_LOGIN_CACHE_DIRECTORY", "login/cache"), cli_cache()];
    let files = files.into_iter().flatten().map(Watched::File);
    files.chain(folders.into_iter().flatten().map(Watched::Folder)).collect()
}

/// The token of an SSO session, which is identified by its name, or in old profiles by its start URL.
pub(crate) fn sso_token(session: &str) -> Option<PathBuf> {
    Some(sso_cache()?.join(hashed(session)))
}

/// What the AWS CLI keeps of a role that it has assumed with these arguments, as JSON.
pub(crate) fn assumed_role(arguments: &str) -> Option<PathBuf> {
    Some(cli_cache()?.join(hashed(arguments)))
}

fn sso_cache() -> Option<PathBuf> {
    below_home("sso/cache")
}

fn cli_cache() -> Option<PathBuf> {
    below_home("cli/cache")
}

fn named(variable: &str, usual: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).filter(|path| !path.is_empty());
    set.map_or_else(|| below_home(usual), |path| Some(expanded(path)))
}

/// `~/` is the home folder in these variables, too.
fn expanded(path: OsString) -> PathBuf {
    let path = PathBuf::from(path);
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

fn below_home(name: &str) -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".aws").join(name))
}

fn hashed(identifier: &str) -> String {
    let mut name = String::with_capacity(45);
    for byte in Sha1::digest(identifier) {
        let _ = write!(name, "{byte:02x}");
    }
    name + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_named_as_the_aws_cli_names_them() {
        // `printf corp | sha1sum`: the cache file of `[sso-session corp]`.
        assert_eq!(hashed("corp"), "ee0bfd2552fbd840c02cc48b6e823320543c450f.json");
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expanded("~/x/config".into()), home.join("x/config"));
        assert_eq!(expanded("/x/~/config".into()), PathBuf::from("/x/~/config"));
    }
}
