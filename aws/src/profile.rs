//! A named profile of `~/.aws/config` and `~/.aws/credentials`: whether it exists, how people log in to it, which
//! certificates it wants trusted. Reads the files; runs nothing.

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};
use std::path::PathBuf;
use tunnels_daemon::aws::AwsError;

/// How much alike two names must be for one to be a slip of the other (Jaro-Winkler: 1 is equal).
const ALIKE: f64 = 0.85;

/// The files as they are now, and the profile that was picked.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    set: ProfileSet,
    is_named: bool,
}

impl Profile {
    /// Reads the files. `named` is what our own configuration says; else `AWS_PROFILE`, else `default`.
    ///
    /// # Errors
    /// A file that cannot be parsed.
    pub(crate) async fn load(named: Option<&str>) -> Result<Self, AwsError> {
        #[expect(clippy::default_trait_access, reason = "the name this crate has for the type is deprecated")]
        let files = Default::default();
        let selected = named.map(|name| name.to_owned().into());
        let set = aws_config::profile::load(&Fs::real(), &Env::real(), &files, selected)
            .await
            .map_err(|error| AwsError::Config(tunnels_daemon::chain(&error)))?;
        Ok(Self { set, is_named: named.is_some() })
    }

    /// Whether our own configuration names it.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// Whether it is defined.
    pub(crate) fn exists(&self) -> bool {
        self.set.get_profile(self.name()).is_some()
    }

    /// Sees that it is defined, if our own configuration names it.
    ///
    /// # Errors
    /// It is not; with the name that was probably meant.
    pub(crate) fn must_exist(&self) -> Result<(), AwsError> {
        if !self.is_named || self.exists() {
            return Ok(());
        }
        let similar = nearest(self.name(), self.set.profiles()).map(str::to_owned);
        Err(AwsError::NoProfile { name: self.name().to_owned(), similar })
    }

    /// The command that brings its credentials back, if it is one that people log in to.
    pub(crate) fn login(&self) -> Option<String> {
        let verb = verb(|key| self.set.get(key).is_some())?;
        Some(match self.name() {
            "default" => verb.to_owned(),
            name => format!("{verb} --profile {name}"),
        })
    }

    /// The file of certificates that it wants trusted.
    pub(crate) fn ca_bundle(&self) -> Option<PathBuf> {
        let written = self.set.get("ca_bundle").filter(|path| !path.is_empty())?;
        Some(match (written.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(written),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.set.selected_profile()
    }

    pub(crate) fn sections(&self) -> &ProfileSet {
        &self.set
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.map(|other| (strsim::jaro_winkler(name, other), other)).filter(|(alike, _)| *alike >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, other)| other)
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

    #[test]
    fn a_slip_of_a_name_is_recognised() {
        let known = ["default", "prod", "prod-readonly"];
        assert_eq!(nearest("prod-redonly", known.into_iter()), Some("prod-readonly"));
        assert_eq!(nearest("prd", known.into_iter()), Some("prod"));
        assert_eq!(nearest("staging", known.into_iter()), None);
        assert_eq!(nearest("staging", [].into_iter()), None);
    }

    #[tokio::test]
    async fn a_profile_that_nobody_wrote_is_lacking() {
        let name = "no such profile anywhere";
        let lacking = Profile::load(Some(name)).await.unwrap().must_exist();
        assert!(matches!(lacking, Err(AwsError::NoProfile { name: said, .. }) if said == name));
    }
}
