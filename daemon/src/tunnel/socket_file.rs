//! The file of a local Unix socket: taken over from a crash or another daemon, removed at the end, and nothing else touched.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The file we bound. Dropping it removes the file, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Binds. A socket that nobody answers on is left over from a crash and is taken over; any other kind
    /// of file stays.
    pub(super) async fn bind(path: &Path) -> io::Result<(UnixListener, Self)> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                // Connecting is refused by a plain file as well: the kind of file decides first.
                if !path.symlink_metadata()?.file_type().is_socket() {
                    let text = format!("{} exists and is not a socket; it was not touched", path.display());
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
                }
                match UnixStream::connect(path).await {
                    Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {}
                    _ => return Err(error),
                }
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        let file = Self::adopt(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok((listener, file))
    }

    /// The file of a socket that is bound already.
    pub(super) fn adopt(path: &Path) -> io::Result<Self> {
        let bound = path.symlink_metadata()?;
        Ok(Self { path: path.to_owned(), device: bound.dev(), inode: bound.ino() })
    }

    /// Leaves the file where it is: the socket is somebody else's by now.
    pub(super) fn leave(mut self) {
        // No file has this number.
        self.inode = 0;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |found: std::fs::Metadata| (found.dev(), found.ino()) == (self.device, self.inode);
        if self.path.symlink_metadata().is_ok_and(is_ours) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn a_socket_that_a_crash_left_is_taken_over_and_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pg.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, file) = SocketFile::bind(&path).await.unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).await.expect("somebody listens");
        drop(file);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn whatever_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "precious").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for taken in [&path, &link] {
            let error = SocketFile::bind(taken).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(
                error.to_string(),
                format!("{} exists and is not a socket; it was not touched", taken.display())
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[tokio::test]
    async fn a_socket_that_is_listened_on_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pg.sock");
        let _other = UnixListener::bind(&path).unwrap();
        assert_eq!(SocketFile::bind(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).await.expect("it still does");
    }

    #[tokio::test]
    async fn what_is_left_to_another_stays_and_is_removed_by_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pg.sock");
        let (_listener, file) = SocketFile::bind(&path).await.unwrap();
        let adopted = SocketFile::adopt(&path).unwrap();
        file.leave();
        assert!(path.exists());
        drop(adopted);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_has_taken_its_place_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pg.sock");
        let (_listener, file) = SocketFile::bind(&path).await.unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
    }
}
