//! Who may write a file: whoever can could make this user's daemon listen and connect as they like.
//!
//! The rule is that of OpenSSH as Debian and Fedora build it: file and folder are this user's or root's, and nobody
//! else may write them but the owner's private group, which a umask of 002 lets write and which has no other member.

use std::fs::{Metadata, read_link};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// In such a folder nobody but its owner can replace what is another's.
const STICKY: u32 = 0o1000;
/// As the kernel has it: more links than this are a loop.
const MAX_LINKS: usize = 40;
const ROOT: u32 = 0;
/// Stands for everybody whom a container's user namespace does not have (`/proc/sys/kernel/overflowuid`).
const NOBODY: u32 = 65534;

/// Why a file is not read, and how to mend that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untrusted {
    pub(super) message: String,
    pub(super) help: String,
}

/// Looks at the file and at the folders in which it and, behind links, its content stand.
pub(super) fn check(path: &Path) -> Result<(), Untrusted> {
    let me = rustix::process::geteuid().as_raw();
    check_with(path, me, &|path| std::fs::read_to_string(path).unwrap_or_default())
}

fn check_with(path: &Path, me: u32, read: &dyn Fn(&str) -> String) -> Result<(), Untrusted> {
    let mut at = path.to_owned();
    for _ in 0..=MAX_LINKS {
        // What cannot be looked at cannot be read either, which is said elsewhere.
        if let Some(folder) = folder(&at)
            && let Ok(meta) = folder.metadata()
        {
            check_place(&folder, &meta, me, read)?;
        }
        let Ok(meta) = at.symlink_metadata() else { return Ok(()) };
        if !meta.is_symlink() {
            check_place(&at, &meta, me, read)?;
            break;
        }
        // Everybody may write a link, says its mode; its owner alone does.
        check_owner(&at, meta.uid(), &[me, ROOT], me, read)?;
        let Ok(target) = read_link(&at) else { return Ok(()) };
        at = folder(&at).unwrap_or_default().join(target);
    }
    Ok(())
}

fn folder(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

fn check_place(place: &Path, meta: &Metadata, me: u32, read: &dyn Fn(&str) -> String) -> Result<(), Untrusted> {
    if meta.is_dir() && meta.mode() & STICKY != 0 {
        // In a container `/tmp` may be the real root's, who is nobody there.
        return check_owner(place, meta.uid(), &[me, ROOT, NOBODY], me, read);
    }
    check_owner(place, meta.uid(), &[me, ROOT], me, read)?;
    let (who, mend) = if meta.mode() & OTHERS_WRITE != 0 {
        ("every user of this machine", "o-w")
    } else if meta.mode() & GROUP_WRITES != 0 && !is_private_group(meta, read) {
        ("other users of its group", "g-w")
    } else {
        return Ok(());
    };
    let shown = place.display();
    Err(Untrusted { message: format!("{shown} can be written by {who}"), help: format!("run `chmod {mend} {shown}`") })
}

/// Who owns something can write it, whatever its mode says now.
fn check_owner(
    place: &Path,
    owner: u32,
    trusted: &[u32],
    me: u32,
    read: &dyn Fn(&str) -> String,
) -> Result<(), Untrusted> {
    if trusted.contains(&owner) {
        return Ok(());
    }
    let shown = place.display();
    if owner == NOBODY {
        return Err(Untrusted {
            message: format!("{shown} belongs to nobody (user {NOBODY}), so to whom is not known"),
            help: "in a container, map its owner to the container's user (`podman run --userns=keep-id`), or copy the \
                   file into the container; elsewhere, make it your own with `chown`"
                .to_owned(),
        });
    }
    let users = read("/etc/passwd");
    let name = |number| entry(&users, number).map_or_else(|| number.to_string(), |fields| fields[0].to_owned());
    let (owner, me) = (name(owner), name(me));
    Err(Untrusted {
        message: format!("{shown} belongs to {owner}, who can write it"),
        help: format!("run `sudo chown -h {me} {shown}` if it is yours; only files and folders of {me} and root count"),
    })
}

/// The fields of the user or group with this number: name:password:number:…
fn entry(text: &str, number: u32) -> Option<Vec<&str>> {
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.get(2).is_some_and(|field| field.parse() == Ok(number)))
}

/// Whether the group has the owner's name and no other member.
fn is_private_group(meta: &Metadata, read: &dyn Fn(&str) -> String) -> bool {
    let (users, groups) = (read("/etc/passwd"), read("/etc/group"));
    match (entry(&users, meta.uid()), entry(&groups, meta.gid())) {
        (Some(user), Some(group)) => {
            let members = group.get(3).copied().unwrap_or_default();
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
                let found = check_with(&file, uid, groups).err().map(|untrusted| untrusted.help);
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

    #[test]
    fn only_files_and_folders_of_this_user_and_of_root_count() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let read = |_: &str| "ada:x:4711:4711::/:/bin/sh\n".to_owned();
        create_dir(at("folder")).unwrap();
        write(at("folder/config.toml"), "").unwrap();
        symlink("folder/config.toml", at("inner.toml")).unwrap();
        symlink("inner.toml", at("link.toml")).unwrap();
        let me = at("folder").metadata().unwrap().uid();
        check_with(&at("link.toml"), me, &read).unwrap();
        // Somebody else reads what is ours.
        let others = check_with(&at("link.toml"), me + 1, &read);
        assert_eq!(others.is_ok(), me == ROOT, "{others:?}");
        if me != ROOT {
            return;
        }
        for name in ["folder", "folder/config.toml", "inner.toml", "link.toml"] {
            std::os::unix::fs::lchown(at(name), Some(4711), None).unwrap();
            let Untrusted { message, help } = check_with(&at("link.toml"), me, &read).unwrap_err();
            assert!(message.ends_with(" belongs to ada, who can write it"), "{name}: {message}");
            assert!(help.contains("chown") && message.contains(name), "{name}: {message}: {help}");
            std::os::unix::fs::lchown(at(name), Some(me), None).unwrap();
        }
        check_with(&at("link.toml"), me, &read).unwrap();
    }

    #[test]
    fn a_sticky_folder_makes_the_owner_of_the_file_no_other() {
        let owner = |owner, trusted: &[u32]| check_owner(Path::new("/x"), owner, trusted, 1000, &|_| String::new());
        for (number, expected) in [(1000, None), (ROOT, None), (1001, Some("1001")), (NOBODY, Some("nobody"))] {
            let found = owner(number, &[1000, ROOT]).err().map(|untrusted| untrusted.message);
            assert_eq!(found.is_some(), expected.is_some(), "{number}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{number}");
        }
        let root = tempfile::tempdir().unwrap();
        set_permissions(root.path(), Permissions::from_mode(0o1777)).unwrap();
        let file = root.path().join("config.toml");
        write(&file, "").unwrap();
        let me = file.metadata().unwrap().uid();
        check_with(&file, me, &|_| String::new()).unwrap();
        if me == ROOT {
            std::os::unix::fs::chown(&file, Some(4711), None).unwrap();
            check_with(&file, me, &|_| String::new()).unwrap_err();
        }
    }
}
