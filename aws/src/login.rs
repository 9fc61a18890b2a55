//! Which command brings a profile's credentials back. Reads the profile; runs nothing.

use aws_types::os_shim_internal::{Env, Fs};

/// The command to show, if the profile is one that people log in to.
pub(crate) async fn command(profile: Option<&str>) -> Option<String> {
    #[expect(clippy::default_trait_access, reason = "the name this crate has for the type is deprecated")]
    let files = Default::default();
    let selected = profile.map(|name| name.to_owned().into());
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &files, selected).await.ok()?;
    let verb = verb(|key| profiles.get(key).is_some())?;
    Some(match profiles.selected_profile() {
        "default" => verb.to_owned(),
        name => format!("{verb} --profile {name}"),
    })
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
}
