//! A named profile of `~/.aws/config` and `~/.aws/credentials`: whether it exists, where its credentials come from in
//! the end, how people renew them, which certificates it wants trusted. Reads the files; runs nothing.

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};
use std::path::PathBuf;
use tunnels_daemon::aws::AwsError;

/// How much alike two names must be for one to be a slip of the other (Jaro-Winkler: 1 is equal).
const ALIKE: f64 = 0.85;

/// A chain of roles is followed so far: `source_profile` may lead round in circles.
const LONGEST_CHAIN: usize = 16;

/// What is done so that credentials of a profile can be had, if they do not come by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Somebody logs in with this command; the SSO token is known by this name.
    Sso { command: String, token: String },
    /// The same, with `aws login`, which renews itself for as long as it may.
    Login { command: String },
    /// Somebody types a code of this MFA device when this command asks for it. What comes of it is known by the
    /// arguments of the call.
    Code { command: String, device: String, arguments: String },
}

impl Renewal {
    /// The command to run.
    pub(crate) fn command(&self) -> &str {
        match self {
            Self::Sso { command, .. } | Self::Login { command } | Self::Code { command, .. } => command,
        }
    }
}

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

    /// What somebody has to do so that its credentials can be had; none if they come by themselves.
    pub(crate) fn renewal(&self) -> Option<Renewal> {
        let chain = self.chain();
        let get = |name: &str, key: &str| self.set.get_profile(name)?.get(key).filter(|value| !value.is_empty());
        // A code for any role on the way is a code for the whole way.
        if let Some(device) = chain.iter().find_map(|name| get(name, "role_arn").and(get(name, "mfa_serial"))) {
            let arguments = assume_role_arguments(|key| get(self.name(), key));
            let command = for_profile("aws sts get-caller-identity", self.name());
            return Some(Renewal::Code { command, device: device.to_owned(), arguments });
        }
        chain.into_iter().find_map(|name| {
            if let Some(token) = get(name, "sso_session").or_else(|| get(name, "sso_start_url")) {
                let command = for_profile("aws sso login", name);
                return Some(Renewal::Sso { command, token: token.to_owned() });
            }
            get(name, "login_session").map(|_| Renewal::Login { command: for_profile("aws login", name) })
        })
    }

    /// Where its credentials come from, in words; `has_keys`: the environment holds some.
    pub(crate) fn source(&self, has_keys: bool) -> String {
        if !self.is_named && has_keys {
            return "AWS_ACCESS_KEY_ID of the environment".to_owned();
        }
        if !self.exists() {
            return if self.is_named {
                format!("profile `{}`, which does not exist", self.name())
            } else {
                "no profile and no variable: this machine's own role, if it has one".to_owned()
            };
        }
        let by = match self.renewal() {
            Some(Renewal::Sso { .. }) => "SSO login",
            Some(Renewal::Login { .. }) => "aws login",
            Some(Renewal::Code { .. }) => "role with an MFA code",
            None if self.is_by_process() => "credential_process",
            None if self.set.get("role_arn").is_some() => "role",
            None => "keys",
        };
        format!("profile `{}` ({by})", self.name())
    }

    /// The profile and those that it takes its credentials from, in order.
    fn chain(&self) -> Vec<&str> {
        let mut chain = vec![self.name()];
        while chain.len() < LONGEST_CHAIN {
            let last = chain.last().and_then(|name| self.set.get_profile(name));
            match last.and_then(|profile| profile.get("source_profile")) {
                Some(next) if !chain.contains(&next) => chain.push(next),
                _ => break,
            }
        }
        chain
    }

    /// Whether a program gives its credentials, or those of the profile at the end of its chain.
    pub(crate) fn is_by_process(&self) -> bool {
        self.chain()
            .into_iter()
            .any(|name| self.set.get_profile(name).is_some_and(|profile| profile.get("credential_process").is_some()))
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

fn for_profile(command: &str, profile: &str) -> String {
    match profile {
        "default" => command.to_owned(),
        name => format!("{command} --profile {name}"),
    }
}

/// How the AWS CLI tells the roles in its cache apart: the call's arguments as Python writes JSON, with sorted keys.
fn assume_role_arguments<'a>(get: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut arguments = Vec::new();
    for (name, key) in [
        ("DurationSeconds", "duration_seconds"),
        ("ExternalId", "external_id"),
        ("RoleArn", "role_arn"),
        ("RoleSessionName", "role_session_name"),
        ("SerialNumber", "mfa_serial"),
    ] {
        let Some(value) = get(key) else { continue };
        let value = match (name, value.parse::<u32>()) {
            ("DurationSeconds", Ok(seconds)) => seconds.to_string(),
            _ => serde_json::Value::from(value).to_string(),
        };
        arguments.push(format!("\"{name}\": {value}"));
    }
    format!("{{{}}}", arguments.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A profile of files with this text.
    async fn profile(name: &str, config: &str) -> Profile {
        use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, config).build();
        let set = aws_config::profile::load(&Fs::real(), &Env::real(), &files, Some(name.to_owned().into())).await;
        Profile { set: set.unwrap(), is_named: true }
    }

    #[tokio::test]
    async fn only_credentials_that_somebody_has_to_renew_have_a_command() {
        let config = "[profile corp]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = dev\n\
                      [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n\
                      [default]\nsso_start_url = https://old.example/start\n\
                      [profile console]\nlogin_session = arn:aws:iam::1:user/ada\n\
                      [profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n\
                      [profile by-corp]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = corp\n\
                      [profile round]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = round\n";
        for (name, command) in [
            ("corp", Some("aws sso login --profile corp")),
            ("default", Some("aws sso login")),
            ("console", Some("aws login --profile console")),
            ("by-corp", Some("aws sso login --profile corp")),
            ("keys", None),
            ("round", None),
        ] {
            let renewal = profile(name, config).await.renewal();
            assert_eq!(renewal.as_ref().map(Renewal::command), command, "{name}");
        }
        let Some(Renewal::Sso { token, .. }) = profile("corp", config).await.renewal() else { panic!("no SSO") };
        assert_eq!(token, "corp");
    }

    #[tokio::test]
    async fn a_role_with_a_device_needs_a_code_wherever_in_the_chain_it_is() {
        let config = "[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n\
                      [profile ops]\nrole_arn = arn:aws:iam::1:role/ops\nsource_profile = keys\n\
                      mfa_serial = arn:aws:iam::1:mfa/ada\nexternal_id = x\nduration_seconds = 3600\n\
                      [profile deeper]\nrole_arn = arn:aws:iam::1:role/deeper\nsource_profile = ops\n\
                      [profile device-only]\nmfa_serial = arn:aws:iam::1:mfa/ada\nregion = eu-west-1\n";
        let code = async |name| match profile(name, config).await.renewal() {
            Some(Renewal::Code { command, device, arguments }) => (command, device, arguments),
            other => panic!("{name}: {other:?}"),
        };
        let device = "arn:aws:iam::1:mfa/ada".to_owned();
        let (command, named, arguments) = code("ops").await;
        assert_eq!((command.as_str(), &named), ("aws sts get-caller-identity --profile ops", &device));
        assert_eq!(
            arguments,
            r#"{"DurationSeconds": 3600, "ExternalId": "x", "RoleArn": "arn:aws:iam::1:role/ops", "SerialNumber": "arn:aws:iam::1:mfa/ada"}"#
        );
        let (_, named, arguments) = code("deeper").await;
        assert_eq!((arguments.as_str(), named), (r#"{"RoleArn": "arn:aws:iam::1:role/deeper"}"#, device));
        assert_eq!(profile("device-only", config).await.renewal(), None);
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
