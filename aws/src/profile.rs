//! What `~/.aws` says of a profile: whether it is there, and which command brings its credentials back.
//! Reads; runs nothing.

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};

/// The profiles of the user, one of them in force.
#[derive(Debug)]
pub(crate) struct Profiles(Option<ProfileSet>);

impl Profiles {
    /// Reads them; `named` is in force, else the one of the environment.
    pub(crate) async fn load(named: Option<&str>) -> Self {
        #[expect(clippy::default_trait_access, reason = "the name this crate has for the type is deprecated")]
        let files = Default::default();
        let selected = named.map(|name| name.to_owned().into());
        // Files that cannot be read are for the credentials' provider to complain of.
        Self(aws_config::profile::load(&Fs::real(), &Env::real(), &files, selected).await.ok())
    }

    /// Whether the files could be read and have no such profile.
    pub(crate) fn lack(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|profiles| profiles.get_profile(name).is_none())
    }

    /// The command to show, if the profile is one that people log in to.
    pub(crate) fn login_command(&self) -> Option<String> {
        let profiles = self.0.as_ref()?;
        let verb = verb(|key| profiles.get(key).is_some())?;
        Some(match profiles.selected_profile() {
            "default" => verb.to_owned(),
            name => format!("{verb} --profile {name}"),
        })
    }
}

fn verb(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    if has("sso_session") || has("sso_start_url") {
        Some("aws sso login")
    } else if has("login_session") {
        Some("aws login")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_profiles_with_a_login_have_a_command() {
        assert_eq!(verb(|key| key == "sso_session"), Some("aws sso login"));
        assert_eq!(verb(|key| key == "sso_start_url"), Some("aws sso login"));
        assert_eq!(verb(|key| key == "login_session"), Some("aws login"));
        assert_eq!(verb(|key| key == "aws_access_key_id"), None);
    }

    #[tokio::test]
    async fn a_profile_that_nobody_wrote_is_lacking() {
        assert!(Profiles::load(Some("no such profile anywhere")).await.lack("no such profile anywhere"));
    }
}
