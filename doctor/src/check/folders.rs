//! Whether the folders of socket and state are this user's alone: a daemon refuses others.

use tunnels_api::{ApiError, Check, Finding, Places};
use tunnels_daemon::check_folder;

pub(crate) fn examine(places: &Places) -> Vec<Finding> {
    let mut folders = vec![(&places.runtime_dir, "socket"), (&places.state_dir, "state")];
    folders.dedup_by_key(|(folder, _)| *folder);
    let problems: Vec<Finding> = folders
        .iter()
        .filter_map(|(folder, _)| {
            let error = ApiError::from(&check_folder(folder).err()?);
            let finding = Finding::fail(Check::Folders, error.message);
            Some(error.hint.into_iter().fold(finding, Finding::with_next))
        })
        .chain(
            places.socket().err().map(|error| Finding::fail(Check::Folders, error.to_string()).with_next(error.hint())),
        )
        .collect();
    if !problems.is_empty() {
        return problems;
    }
    let shown: Vec<String> = folders.iter().map(|(folder, what)| format!("{what} in {}", folder.display())).collect();
    vec![Finding::ok(Check::Folders, "the daemon's folders are yours alone").with_evidence(shown.join(", "))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use tunnels_api::Verdict;

    #[tokio::test]
    async fn a_folder_that_others_write_to_is_mended_by_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { runtime_dir: folder.path().join("run"), state_dir: folder.path().join("state") };
        assert_eq!(examine(&places)[0].verdict, Verdict::Ok, "what does not exist yet will be made");
        std::fs::create_dir(&places.runtime_dir).unwrap();
        std::fs::set_permissions(&places.runtime_dir, Permissions::from_mode(0o777)).unwrap();
        let finding = examine(&places).remove(0);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(finding.next.unwrap(), format!("chmod 700 {}", places.runtime_dir.display()));
    }
}
