//! A file as it was when a change of it began, and its replacement: whole, with the same mode, and only if nobody else
//! has changed it meanwhile.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// Of a file that is new: it names accounts and hosts.
const NEW_FILE: u32 = 0o600;
const NEW_FOLDER: u32 = 0o700;

/// What was there.
#[derive(Debug)]
pub struct Original {
    /// Behind all links.
    path: PathBuf,
    /// None if there was no file.
    text: Option<String>,
}

/// Why a file was not replaced; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Somebody else changed, made or removed it.
    #[error("{0} was changed by somebody else meanwhile")]
    Changed(PathBuf),
    /// It cannot be read or written.
    #[error("cannot replace {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Original {
    /// Reads a file that may not exist yet. Links are followed: what they lead to is replaced, not they.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                std::path::absolute(path)?
            }
            Err(error) => return Err(error),
        };
        let text = content(&path)?;
        Ok(Self { path, text })
    }

    /// The file, behind all links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stood in it; nothing in one that did not exist.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Whether there was a file.
    pub fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// Whether it is still as it was.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_current(&self) -> io::Result<bool> {
        Ok(content(&self.path)? == self.text)
    }

    /// A copy with this text for somebody to edit, which is removed when dropped: beside the file, where relative paths
    /// in it mean the same, and for its owner alone.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn copy(&self, text: &str) -> io::Result<TempPath> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let mut copy =
            tempfile::Builder::new().prefix(&format!(".{stem}-edit-")).suffix(".toml").tempfile_in(self.folder()?)?;
        copy.write_all(text.as_bytes())?;
        copy.flush()?;
        Ok(copy.into_temp_path())
    }

    /// The folder in which it stands, made if there is none.
    fn folder(&self) -> io::Result<&Path> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new().recursive(true).mode(NEW_FOLDER).create(folder)?;
        Ok(folder)
    }

    /// Puts `text` in its place, with its mode and owner; a new file is for its owner alone.
    ///
    /// # Errors
    /// If it was changed meanwhile, or cannot be written; nothing is changed then.
    pub fn replace(&self, text: &str) -> Result<(), ReplaceError> {
        self.try_replace(text).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ReplaceError::Changed(self.path.clone()),
            _ => ReplaceError::Io { path: self.path.clone(), error },
        })
    }

    fn try_replace(&self, text: &str) -> io::Result<()> {
        let folder = self.folder()?;
        // Beside it, since only within a file system a rename is one step.
        let mut file = NamedTempFile::with_prefix_in(".config-", folder)?;
        match self.path.metadata() {
            Ok(meta) => {
                file.as_file().set_permissions(Permissions::from_mode(meta.mode() & 0o7777))?;
                let own = file.as_file().metadata()?;
                if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
                    fchown(file.as_file(), Some(meta.uid()), Some(meta.gid()))?;
                }
            }
            Err(_) => file.as_file().set_permissions(Permissions::from_mode(NEW_FILE))?,
        }
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        if !self.is_current()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.exists() {
            file.persist(&self.path).map_err(|error| error.error)?;
        } else {
            file.persist_noclobber(&self.path).map_err(|error| error.error)?;
        }
        // So that the new name is there after a power failure as well; the file itself is.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn content(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn mode_and_links_are_kept() {
        let folder = folder();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("link.toml"));
        fs::write(&real, "a").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let original = Original::read(&link).unwrap();
        assert_eq!((original.text(), original.path()), ("a", real.as_path()));
        original.replace("b").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "b");
        assert_eq!(real.metadata().unwrap().mode() & 0o7777, 0o640);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn a_copy_to_edit_is_its_owners_alone_and_goes() {
        let folder = folder();
        let original = Original::read(&folder.path().join("new/config.toml")).unwrap();
        let copy = original.copy("text").unwrap();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "text");
        assert_eq!(copy.metadata().unwrap().mode() & 0o777, 0o600);
        let name = copy.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(".config-edit-") && copy.extension().is_some_and(|end| end == "toml"), "{name}");
        drop(copy);
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 0);
    }

    #[test]
    fn a_new_file_is_its_owners_alone() {
        let folder = folder();
        let path = folder.path().join("new/config.toml");
        let original = Original::read(&path).unwrap();
        assert!(!original.exists() && original.text().is_empty());
        original.replace("a").unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn what_somebody_else_changed_is_not_lost() {
        let folder = folder();
        let path = folder.path().join("config.toml");
        let none = Original::read(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(none.replace("ours"), Err(ReplaceError::Changed(_))));
        let original = Original::read(&path).unwrap();
        assert!(original.is_current().unwrap());
        for change in [Some("other"), None] {
            match change {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            assert!(!original.is_current().unwrap());
            let error = original.replace("ours").unwrap_err();
            assert!(error.to_string().contains("by somebody else"), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn a_link_to_nothing_is_not_made_a_file() {
        let folder = folder();
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(folder.path().join("gone"), &link).unwrap();
        assert_eq!(Original::read(&link).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
