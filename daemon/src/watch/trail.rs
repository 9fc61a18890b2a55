//! The way to one file or folder: every folder in which it, or a link on the way to it, stands.
//!
//! Owns what counts as a change. Reads metadata and lists folders, and opens no file, so that looking never
//! causes the events that make somebody look.

use super::Watched;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As the kernel has it: more links than this are a loop.
const MAX_LINKS: usize = 40;

/// Where a path leads, and what is there.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    /// Without links, the file's own last, or the watched folder. For one that does not exist the last one is the
    /// nearest folder that does.
    pub(super) folders: Vec<Folder>,
    file: Result<File, io::ErrorKind>,
}

/// A folder on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Device and inode: another folder may have taken its place.
    pub(super) id: (u64, u64),
    /// Who may write it decides whether the file is trusted.
    owner_and_mode: (u32, u32),
}

/// What tells one content of a file, or of a folder, from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct File {
    id: (u64, u64),
    owner_and_mode: (u32, u32),
    /// Absent for what is no regular file: a folder that is named by mistake changes with each of its entries.
    content: Option<Content>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Content {
    /// Bytes; of a folder, entries.
    size: u64,
    modified: (i64, i64),
    /// Of a folder, that of the entry which changed last.
    changed: (i64, i64),
    /// Of a folder, all that is said here of its entries: one number, however many there are.
    entries: u64,
}

impl Trail {
    /// Follows an absolute path as far as it goes.
    pub(super) fn of(watched: &Watched) -> Self {
        let path = watched.path();
        let mut folders: Vec<Folder> = Vec::new();
        let mut at = PathBuf::from("/");
        let mut ahead = names(path);
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            let kind = next.symlink_metadata().map(|meta| meta.file_type());
            let is_link = kind.as_ref().is_ok_and(std::fs::FileType::is_symlink);
            let is_end = ahead.is_empty() || !kind.is_ok_and(|kind| kind.is_dir());
            if is_link || is_end {
                folders.extend(Folder::of(&at).filter(|folder| !folders.contains(folder)));
            }
            if is_link && links < MAX_LINKS {
                links += 1;
                let Ok(target) = next.read_link() else { break };
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let mut target = names(&target);
                target.append(&mut ahead);
                ahead = target;
            } else if is_end {
                break;
            } else {
                at = next;
            }
        }
        let mut file = path.metadata().map(|meta| File::of(&meta)).map_err(|error| error.kind());
        if let (Watched::Folder(_), Ok(file)) = (watched, &mut file) {
            file.content = entries(path);
            let inner = path.canonicalize().ok().and_then(|path| Folder::of(&path));
            folders.extend(inner.filter(|folder| !folders.contains(folder)));
        }
        Self { folders, file }
    }

    /// Whether a reader of the file would find the same, with the same right to it.
    pub(super) fn reads_as(&self, other: &Self) -> bool {
        let rights = |trail: &Self| -> Vec<_> { trail.folders.iter().map(|folder| folder.owner_and_mode).collect() };
        // Folders that come and go around a file that is not there change nothing.
        self.file == other.file && (self.file.is_err() || rights(self) == rights(other))
    }

    /// Whether the file, or one in the folder, was written, renamed or changed its mode at that time or later.
    pub(super) fn is_newer_than(&self, time: SystemTime) -> bool {
        let Ok(File { content: Some(Content { changed: (seconds, nanoseconds), .. }), .. }) = &self.file else {
            return false;
        };
        let since_epoch = u64::try_from(*seconds).ok().zip(u32::try_from(*nanoseconds).ok());
        since_epoch.is_some_and(|(seconds, nanoseconds)| UNIX_EPOCH + Duration::new(seconds, nanoseconds) >= time)
    }
}

/// The names in a path, `..` among them, since behind a link it leads elsewhere than it seems.
fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().filter_map(name).collect()
}

impl Folder {
    fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok()?;
        Some(Self { path: path.to_owned(), id: (meta.dev(), meta.ino()), owner_and_mode: (meta.uid(), meta.mode()) })
    }
}

impl File {
    fn of(meta: &Metadata) -> Self {
        let content = meta.is_file().then(|| Content {
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            entries: 0,
        });
        Self { id: (meta.dev(), meta.ino()), owner_and_mode: (meta.uid(), meta.mode()), content }
    }
}

/// The files in a folder. Their order is the file system's, so they are summed up; an entry that is gone before it
/// is looked at was none.
fn entries(folder: &Path) -> Option<Content> {
    let mut found = Content { size: 0, modified: (0, 0), changed: (0, 0), entries: 0 };
    for entry in folder.read_dir().ok()?.flatten() {
        let Ok(meta) = entry.path().metadata() else { continue };
        let file = File::of(&meta);
        let mut hasher = DefaultHasher::new();
        (entry.file_name(), &file).hash(&mut hasher);
        found.size += 1;
        found.entries = found.entries.wrapping_add(hasher.finish());
        found.changed = found.changed.max((meta.ctime(), meta.ctime_nsec()));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn trail(path: &Path) -> Trail {
        Trail::of(&Watched::File(path.to_owned()))
    }

    fn folders(path: &Path) -> Vec<PathBuf> {
        trail(path).folders.into_iter().map(|folder| folder.path).collect()
    }

    /// A folder whose own path has no links (`/tmp` may be one).
    fn sandbox() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    #[test]
    fn a_plain_file_stands_in_its_folder() {
        let (_keep, root) = sandbox();
        fs::write(root.join("f"), "").unwrap();
        assert_eq!(folders(&root.join("f")), [root]);
    }

    #[test]
    fn what_is_missing_leads_to_the_nearest_folder_that_exists() {
        let (_keep, root) = sandbox();
        assert_eq!(folders(&root.join("a/b/f")), std::slice::from_ref(&root));
        fs::write(root.join("a"), "").unwrap();
        assert_eq!(folders(&root.join("a/b/f")), [root]);
    }

    #[test]
    fn each_link_on_the_way_counts() {
        let (_keep, root) = sandbox();
        for folder in ["home", "dotfiles/config", "store"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        symlink("../dotfiles/config", root.join("home/config")).unwrap();
        symlink(root.join("store/v1.toml"), root.join("dotfiles/config/f")).unwrap();
        let expected = ["home", "dotfiles/config", "store"].map(|folder| root.join(folder));
        assert_eq!(folders(&root.join("home/config/f")), expected, "the target does not exist yet");
        fs::write(root.join("store/v1.toml"), "").unwrap();
        assert_eq!(folders(&root.join("home/config/f")), expected);
        assert_eq!(folders(&root.join("home/config/../f")), [root.join("home"), root.join("dotfiles")]);
    }

    #[test]
    fn a_loop_of_links_ends() {
        let (_keep, root) = sandbox();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert_eq!(folders(&root.join("a")), [root]);
    }

    #[test]
    fn modes_and_content_make_a_difference_folders_around_nothing_do_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_keep, root) = sandbox();
        let path = root.join("sub/f");
        let missing = trail(&path);
        fs::create_dir(root.join("sub")).unwrap();
        assert!(missing.reads_as(&trail(&path)));
        fs::write(&path, "1").unwrap();
        let first = trail(&path);
        assert!(!missing.reads_as(&first));
        assert!(first.reads_as(&trail(&path)));
        assert!(first.is_newer_than(UNIX_EPOCH) && !first.is_newer_than(SystemTime::now() + Duration::from_hours(1)));
        fs::write(&path, "22").unwrap();
        assert!(!first.reads_as(&trail(&path)));
        let second = trail(&path);
        fs::set_permissions(root.join("sub"), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!second.reads_as(&trail(&path)));
    }

    #[test]
    fn a_folder_changes_with_the_files_in_it() {
        let (_keep, root) = sandbox();
        let cache = root.join("sso/cache");
        let look = || Trail::of(&Watched::Folder(cache.clone()));
        let missing = look();
        assert_eq!(missing.folders.last().unwrap().path, root);
        fs::create_dir_all(&cache).unwrap();
        let empty = look();
        assert!(!missing.reads_as(&empty));
        assert_eq!(empty.folders.last().unwrap().path, cache, "its own events are wanted");
        fs::write(cache.join("a.json"), "1").unwrap();
        let first = look();
        assert!(!empty.reads_as(&first) && first.reads_as(&look()));
        assert!(first.is_newer_than(UNIX_EPOCH) && !first.is_newer_than(SystemTime::now() + Duration::from_hours(1)));
        fs::write(cache.join("a.json"), "22").unwrap();
        let second = look();
        assert!(!first.reads_as(&second), "a file in it was written");
        fs::write(cache.join("b.json"), "").unwrap();
        fs::remove_file(cache.join("a.json")).unwrap();
        assert!(!second.reads_as(&look()), "another file has taken its place");
    }
}
