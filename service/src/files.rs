//! A file of the service on disk: written whole or not at all, and known from one that somebody else wrote.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// A file, and what belongs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFile {
    /// Where it is.
    pub path: PathBuf,
    /// What this version writes.
    pub content: String,
    /// A package has put the same into the system: it is not written again.
    pub packaged: bool,
}

/// How a file is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// There is none.
    Missing,
    /// As this version writes it.
    Current,
    /// Of another version, another program, or edited.
    Differs,
    /// It is the package's.
    Packaged,
}

impl ServiceFile {
    /// How it is on disk now.
    pub fn state(&self) -> FileState {
        match fs::read_to_string(&self.path) {
            Ok(found) if found == self.content => FileState::Current,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.packaged {
                    FileState::Packaged
                } else {
                    FileState::Missing
                }
            }
            _ => FileState::Differs,
        }
    }

    /// Writes it, in a folder that is made if need be: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&fresh)?;
        file.write_all(self.content.as_bytes())?;
        fs::rename(&fresh, &self.path)
    }

    /// Removes it; says whether there was one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self) -> io::Result<bool> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_it_is_current_edited_it_differs_and_it_goes_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("systemd/user/x.service");
        let file = ServiceFile { path: path.clone(), content: "a".into(), packaged: false };
        assert_eq!(file.state(), FileState::Missing);
        file.write().unwrap();
        file.write().unwrap();
        assert_eq!(file.state(), FileState::Current);
        fs::write(&path, "b").unwrap();
        assert_eq!(file.state(), FileState::Differs);
        assert!(file.remove().unwrap() && !file.remove().unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        let packaged = ServiceFile { packaged: true, ..file };
        assert_eq!(packaged.state(), FileState::Packaged);
    }
}
