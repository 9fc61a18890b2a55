//! Replaces the hosts file as a whole: never half written, with the mode and owner that it had, and a copy of what was there.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Beside the file itself.
const BACKUP_SUFFIX: &str = ".tunnels-backup";
/// Lists that block advertisements have a few MB.
const MAX_BYTES: u64 = 64 << 20;
/// Whatever it was before: others write to no file that decides where names lead.
const NOT_FOR_OTHERS: u32 = 0o002;

/// A file as it was found.
#[derive(Debug)]
pub(crate) struct HostsFile {
    path: PathBuf,
    metadata: Metadata,
    bytes: Vec<u8>,
}

/// A new content that is ready to take the old one's place.
#[derive(Debug)]
pub(crate) struct Replacement {
    old: HostsFile,
    new: NamedTempFile,
}

impl HostsFile {
    /// Reads it, where links lead.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let metadata = fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"));
        }
        if metadata.len() > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "this is too large for a hosts file"));
        }
        Ok(Self { bytes: fs::read(&path)?, path, metadata })
    }

    /// What it says.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `bytes` beside it. Nothing has changed until [`Replacement::commit`]; but who is not allowed to learns of it
    /// here.
    pub(crate) fn replace_with(self, bytes: &[u8]) -> io::Result<Replacement> {
        let new = self.beside(bytes)?;
        Ok(Replacement { old: self, new })
    }

    /// A file in the same folder, with this one's mode and owner.
    fn beside(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(".hosts-").tempfile_in(self.folder())?;
        file.write_all(bytes)?;
        // The owner first: a change of owner may take bits of the mode away.
        let ours = file.as_file().metadata()?;
        if (ours.uid(), ours.gid()) != (self.metadata.uid(), self.metadata.gid()) {
            fchown(file.as_file(), Some(self.metadata.uid()), Some(self.metadata.gid()))?;
        }
        let mode = self.metadata.permissions().mode() & 0o7777 & !NOT_FOR_OTHERS;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

impl Replacement {
    /// Keeps a copy of the old file and puts the new one in its place; returns where the copy is.
    pub(crate) fn commit(self) -> io::Result<PathBuf> {
        let Self { old, new } = self;
        if fs::read(&old.path)? != old.bytes {
            return Err(io::Error::other("it was changed meanwhile; nothing was replaced"));
        }
        let mut backup = old.path.clone().into_os_string();
        backup.push(BACKUP_SUFFIX);
        let backup = PathBuf::from(backup);
        old.beside(&old.bytes)?.persist(&backup).map_err(|error| error.error)?;
        new.persist(&old.path).map_err(|error| error.error)?;
        // So that the name leads to it after a loss of power, too.
        File::open(old.folder()).and_then(|folder| folder.sync_all())?;
        Ok(backup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn it_is_replaced_as_a_whole_and_the_old_one_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();

        let file = HostsFile::read(&link).unwrap();
        assert_eq!((file.bytes(), file.path()), (b"old".as_slice(), path.canonicalize().unwrap().as_path()));
        let replacement = file.replace_with(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old", "not yet");
        let backup = replacement.commit().unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&backup).unwrap()), (b"new".to_vec(), b"old".to_vec()));
        assert_eq!((mode(&path), mode(&backup)), (0o644, 0o644), "never writable by others");
        assert!(link.is_symlink(), "the link still leads there");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "and nothing else is left behind");
    }

    #[test]
    fn who_changes_it_meanwhile_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "old").unwrap();
        let replacement = HostsFile::read(&path).unwrap().replace_with(b"new").unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(replacement.commit().unwrap_err().to_string().contains("changed meanwhile"));
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(HostsFile::read(folder.path()).is_err(), "a folder is no file");
    }
}
