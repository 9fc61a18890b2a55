//! A file's text, or why it cannot be had.

use super::trust::{self, Untrusted};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Far more than any configuration has, and little enough to be read at once.
const MAX_SIZE: u64 = 1 << 20;

/// Why a file cannot be read, and how to mend that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

fn unreadable(message: String, help: impl Into<Option<String>>) -> Unreadable {
    Unreadable { message, help: help.into() }
}

/// Reads a file that nobody else may write, of bounded size, in UTF-8.
pub(super) fn read(path: &Path) -> Result<String, Unreadable> {
    let shown = path.display();
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => unreadable(format!("{shown} does not exist"), None),
        io::ErrorKind::PermissionDenied => {
            let help =
                format!("run `ls -ld {shown}`: you must own it, or be allowed to read it and to enter its folder");
            unreadable(format!("{shown} cannot be read: permission denied"), help)
        }
        _ => unreadable(format!("{shown} cannot be read: {error}"), None),
    };
    let meta = path.metadata().map_err(|error| failed(&error))?;
    if meta.is_dir() {
        let inside =
            ["tunnels.toml", "config.toml"].map(|name| path.join(name)).into_iter().find(|file| file.is_file());
        let inside = inside.unwrap_or_else(|| path.join("tunnels.toml"));
        return Err(unreadable(format!("{shown} is a folder"), format!("name a file, such as {}", inside.display())));
    }
    // Opening a pipe could wait for ever, and it could be read only once.
    if !meta.is_file() {
        return Err(unreadable(format!("{shown} is no regular file"), "name a file that stays".to_owned()));
    }
    trust::check(path).map_err(|Untrusted { message, help }| unreadable(message, help))?;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_SIZE {
        let message = format!("{shown} is larger than {} KiB", MAX_SIZE >> 10);
        return Err(unreadable(message, "name a file of tunnels; many files can be joined by `include`".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, &error.into_bytes()))
}

fn not_utf8(path: &Path, bytes: &[u8]) -> Unreadable {
    let shown = path.display();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return unreadable(format!("{shown} is UTF-16"), "save it as UTF-8".to_owned());
    }
    let sound = bytes.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
    let line = sound.matches('\n').count() + 1;
    let column = sound.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let help = "save it as UTF-8; other encodings write letters such as `ä` differently".to_owned();
    unreadable(format!("{shown}:{line}:{column}: this is not UTF-8"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_why() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let write = |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).unwrap();
        write("latin1", b"a = 1\n# \xe4\n");
        write("utf16", b"\xff\xfea\0");
        write("large", &vec![b' '; usize::try_from(MAX_SIZE).unwrap() + 1]);
        write("fits", &vec![b' '; usize::try_from(MAX_SIZE).unwrap()]);
        std::fs::create_dir(at("folder")).unwrap();
        std::fs::write(at("folder/tunnels.toml"), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (name, expected) in [
            ("missing", "missing does not exist: None"),
            ("folder", "folder/tunnels.toml"),
            ("socket", "is no regular file"),
            ("latin1", "latin1:2:3: this is not UTF-8"),
            ("utf16", "utf16 is UTF-16"),
            ("large", "is larger than 1024 KiB"),
        ] {
            let Unreadable { message, help } = read(&at(name)).unwrap_err();
            let words = format!("{message}: {help:?}");
            assert!(words.contains(expected), "{name}: {words}");
        }
        assert!(read(&at("fits")).is_ok());
    }
}
