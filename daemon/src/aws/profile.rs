//! Which profile a scope's credentials come from, in the order of the SDK's chain.

use super::AwsScope;

impl AwsScope {
    /// The profile whose credentials are used: the configured one; else the environment's, unless keys in the
    /// environment come before it; none for those, and for what needs no name.
    pub(crate) fn profile_in_force(&self) -> Option<String> {
        in_force(self.profile.as_deref(), |name| std::env::var(name).ok())
    }
}

fn in_force(configured: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.trim().is_empty());
    // aws-config (1.13), `EnvironmentVariableCredentialsProvider`: what is blank is not set, the session token is
    // optional, and the secret has an old name.
    let has_keys = || is_set("AWS_ACCESS_KEY_ID") && (is_set("AWS_SECRET_ACCESS_KEY") || is_set("SECRET_ACCESS_KEY"));
    match configured {
        Some(profile) => Some(profile.to_owned()),
        None if has_keys() => None,
        None => variable("AWS_PROFILE").filter(|profile| !profile.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_before_the_profile_of_the_environment_and_after_a_configured_one() {
        const PROFILE: (&str, &str) = ("AWS_PROFILE", "dev");
        const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIA");
        const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "secret");
        for (variables, expected) in [
            (&[] as &[(&str, &str)], None),
            (&[PROFILE], Some("dev")),
            (&[PROFILE, ID, SECRET], None),
            (&[PROFILE, ID, ("SECRET_ACCESS_KEY", "secret")], None),
            (&[PROFILE, ID], Some("dev")),
            (&[PROFILE, SECRET], Some("dev")),
            (&[PROFILE, ID, ("AWS_SECRET_ACCESS_KEY", " ")], Some("dev")),
            (&[("AWS_PROFILE", "")], None),
        ] {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(in_force(None, variable).as_deref(), expected, "{variables:?}");
            assert_eq!(in_force(Some("prod"), variable).as_deref(), Some("prod"), "{variables:?}");
        }
    }
}
