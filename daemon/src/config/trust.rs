//! Who may write a file: whoever can could make this user's daemon listen and connect as they like.
//!
//! The rule is that of OpenSSH as Debian and Fedora build it: nobody but the owner, and the owner's private group,
//! which a umask of 002 lets write and which has no other member.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// In such a folder nobody can replace what is another's.
const STICKY: u32 = 0o1000;

/// Why a file is not read, and how to mend that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untrusted {
    pub(super) message: String,
    pub(super) help: String,
}

/// Looks at the file and at the folders in which it and, behind links, its content stand.
pub(super) fn check(path: &Path) -> Result<(), Untrusted> {
    check_with(path, &|path| std::fs::read_to_string(path).unwrap_or_default())
}

fn check_with(path: &Path, read: &dyn Fn(&str) -> String) -> Result<(), Untrusted> {
    let folder = |path: &Path| path.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
    let target = path.canonicalize().ok();
    let mut places: Vec<PathBuf> = vec![path.to_owned()];
    places.extend(folder(path));
    places.extend(target.as_deref().and_then(folder));
    for place in places {
        // What cannot be looked at cannot be read either, which is said elsewhere.
        let Ok(meta) = place.metadata() else { continue };
        if meta.is_dir() && meta.mode() & STICKY != 0 {
            continue;
        }
        let (who, mend) = if meta.mode() & OTHERS_WRITE != 0 {
            ("every user of this machine", "o-w")
        } else if meta.mode() & GROUP_WRITES != 0 && !is_private_group(&meta, read) {
            ("other users of its group", "g-w")
        } else {
            continue;
        };
        let shown = place.display();
        return Err(Untrusted {
            message: format!("{shown} can be written by {who}"),
            help: format!("run `chmod {mend} {shown}`"),
        });
    }
    Ok(())
}

/// Whether the group has the owner's name and no other member.
fn is_private_group(meta: &Metadata, read: &dyn Fn(&str) -> String) -> bool {
    let (users, groups) = (read("/etc/passwd"), read("/etc/group"));
    // name:password:number:…
    let line = |text: &str, number: u32| -> Option<Vec<String>> {
        let mut lines = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| fields.get(2).is_some_and(|field| field.parse() == Ok(number)))
    };
    match (line(&users, meta.uid()), line(&groups, meta.gid())) {
        (Some(user), Some(group)) => {
            let members = group.get(3).map(String::as_str).unwrap_or_default();
            user[0] == group[0] && members.split(',').all(|member| member.is_empty() || member == user[0])
        }
        // A directory service has them: private groups have the number of their user.
        _ => meta.uid() == meta.gid(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn others_that_may_write() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        let file = folder.join("config.toml");
        create_dir(&folder).unwrap();
        write(&file, "").unwrap();
        let meta = file.metadata().unwrap();
        let (uid, gid) = (meta.uid(), meta.gid());
        let users = format!("root:x:90000:0::/:/bin/sh\nme:x:{uid}:{gid}::/:/bin/sh\n");
        let private = |path: &str| if path == "/etc/passwd" { users.clone() } else { format!("me:x:{gid}:me\n") };
        let shared = |path: &str| if path == "/etc/passwd" { users.clone() } else { format!("me:x:{gid}:me,you\n") };
        for (file_mode, folder_mode, in_private, in_shared) in [
            (0o600, 0o700, None, None),
            (0o644, 0o755, None, None),
            (0o664, 0o775, None, Some("chmod g-w")),
            (0o666, 0o755, Some("chmod o-w"), Some("chmod o-w")),
            (0o644, 0o777, Some("chmod o-w"), Some("chmod o-w")),
            (0o644, 0o1777, None, None),
        ] {
            set_permissions(&file, Permissions::from_mode(file_mode)).unwrap();
            set_permissions(&folder, Permissions::from_mode(folder_mode)).unwrap();
            for (groups, expected) in [(&private as &dyn Fn(&str) -> String, in_private), (&shared, in_shared)] {
                let found = check_with(&file, groups).err().map(|untrusted| untrusted.help);
                let fits = match (&found, expected) {
                    (None, None) => true,
                    (Some(help), Some(part)) => help.contains(part),
                    _ => false,
                };
                assert!(fits, "{file_mode:o} in {folder_mode:o}: {found:?}, not {expected:?}");
            }
        }
        set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        symlink(&file, root.path().join("link.toml")).unwrap();
        let untrusted = check(&root.path().join("link.toml")).unwrap_err();
        assert!(untrusted.message.contains("/folder can be written by every user"), "{untrusted:?}");
    }
}
