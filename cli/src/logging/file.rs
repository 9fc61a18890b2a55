//! The daemon's log file: appended to, and put aside when it has grown large, with a few older ones kept.
//!
//! Nothing that happens to it stops the daemon: on a full disk lines are lost and counted, and a file or
//! folder that was taken away is made again. Of the libraries, tracing-appender (0.2) rotates by time only,
//! and file-rotate (0.8) panics when its folder cannot be made and keeps writing to a file that was removed.

use super::queue::Output;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use tunnels_api::LogLine;

/// A file that would grow beyond this is put aside.
const LARGEST: u64 = 10 << 20;
/// So many older ones are kept: `daemon.log.1` is the newest of them.
const OLDER: usize = 3;

/// Where the daemon logs to.
pub(crate) fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("daemon.log")
}

/// The file and the older ones that may be there, the newest first.
pub(crate) fn family(path: &Path) -> Vec<PathBuf> {
    (0..=OLDER).map(|age| aged(path, age)).collect()
}

fn aged(path: &Path, age: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if age > 0 {
        name.push(format!(".{age}"));
    }
    name.into()
}

/// Opens the file to append to it, as a new one that nobody else can read if need be, and its folder too. Not
/// in a folder that others can write to: there the name may lead to any file of ours.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let found = fs::metadata(folder)?;
        if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write to its folder"));
        }
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// A log file that lines are written to.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    largest: u64,
    /// Whether standard error follows the file, for what is said past the log.
    takes_stderr: bool,
    open: Option<Open>,
    /// Lines that could not be written, and why.
    lost: Option<(u64, String)>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and inode: whether the name still means this file.
    id: (u64, u64),
    size: u64,
}

impl LogFile {
    /// A log at this path.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, largest: LARGEST, takes_stderr: false, open: None, lost: None }
    }

    /// A log at this path, and standard error is made to lead there, too: for a process that has nobody who looks at it.
    pub(crate) fn taking_stderr(path: PathBuf) -> Self {
        Self { takes_stderr: true, ..Self::new(path) }
    }

    /// Opens it before its first line.
    ///
    /// # Errors
    /// What the system says; it is tried again with each line.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.reopen()
    }

    fn write_text(&mut self, text: &str) {
        match self.try_write(text) {
            Ok(()) => self.lost = None,
            Err(error) => {
                let lost = self.lost.take().map_or(0, |(lost, _)| lost);
                self.lost = Some((lost + 1, error.to_string()));
                // Whatever was written of it: the next line begins in a file of a known size.
                self.open = None;
            }
        }
    }

    fn try_write(&mut self, text: &str) -> io::Result<()> {
        let text = match &self.lost {
            // What went before may have been cut off in the middle of a line.
            Some((lost, why)) => format!("\n    ({lost} lines could not be written here: {why})\n{text}"),
            None => text.to_owned(),
        };
        self.settle(text.len() as u64)?;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.file.write_all(text.as_bytes())?;
        open.size += text.len() as u64;
        Ok(())
    }

    /// Sees that the file is there and has room for so many bytes.
    fn settle(&mut self, length: u64) -> io::Result<()> {
        let id = fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        if self.open.as_ref().is_none_or(|open| Some(open.id) != id) {
            self.reopen()?;
        }
        if let Some(open) = &mut self.open
            && open.size > 0
            && open.size + length > self.largest
        {
            if put_aside(&self.path).is_ok() {
                self.reopen()?;
            } else {
                // Where no other name can be had: rather without the old lines than without a bound.
                open.file.set_len(0)?;
                open.size = 0;
            }
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        let file = open(&self.path)?;
        let found = file.metadata()?;
        if self.takes_stderr {
            rustix::stdio::dup2_stderr(&file)?;
        }
        self.open = Some(Open { id: (found.dev(), found.ino()), size: found.len(), file });
        Ok(())
    }
}

impl Output for LogFile {
    fn write(&mut self, line: &LogLine) {
        self.write_text(&format!("{line}\n"));
    }
}

fn put_aside(path: &Path) -> io::Result<()> {
    for age in (1..OLDER).rev() {
        match fs::rename(aged(path, age), aged(path, age + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, aged(path, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    fn log(largest: u64) -> (TempDir, PathBuf, LogFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = path_in(&folder.path().join("state"));
        let writer = LogFile { largest, ..LogFile::new(path.clone()) };
        (folder, path, writer)
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn it_is_private_and_appended_to() {
        let (_folder, path, mut writer) = log(LARGEST);
        writer.write_text("first\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        writer.open = None;
        writer.write_text("second\n");
        assert_eq!(read(&path), "first\nsecond\n");
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let (_folder, path, mut writer) = log(LARGEST);
        let folder = path.parent().unwrap();
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
        writer.write_text("x\n");
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_would_grow_too_large_is_put_aside_and_only_so_many_are_kept() {
        let (_folder, path, mut writer) = log(20);
        for number in 0..50 {
            writer.write_text(&format!("line {number:04}\n"));
        }
        // Two lines of ten bytes fit into each.
        assert_eq!(family(&path).len(), OLDER + 1);
        let texts: Vec<String> = family(&path).iter().map(|path| read(path)).collect();
        assert_eq!(texts[0], "line 0048\nline 0049\n");
        assert_eq!(texts[OLDER], "line 0042\nline 0043\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), OLDER + 1);
        writer.write_text(&format!("{}\n", "x".repeat(100)));
        assert_eq!(read(&path).len(), 101, "one line that is larger than a file is written all the same");
    }

    #[test]
    fn a_file_or_folder_that_was_taken_away_is_made_again() {
        let (_folder, path, mut writer) = log(LARGEST);
        writer.write_text("first\n");
        fs::remove_file(&path).unwrap();
        writer.write_text("second\n");
        assert_eq!(read(&path), "second\n");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        writer.write_text("third\n");
        assert_eq!(read(&path), "third\n");
        // As logrotate does it.
        fs::rename(&path, path.with_extension("old")).unwrap();
        writer.write_text("fourth\n");
        assert_eq!(read(&path), "fourth\n");
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told_of() {
        let (folder, path, mut writer) = log(LARGEST);
        fs::write(folder.path().join("state"), "not a folder").unwrap();
        writer.write_text("lost\n");
        writer.write_text("lost\n");
        fs::remove_file(folder.path().join("state")).unwrap();
        writer.write_text("kept\n");
        writer.write_text("kept\n");
        let text = read(&path);
        assert!(text.contains("(2 lines could not be written here: "), "{text}");
        assert!(text.ends_with(")\nkept\nkept\n"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let (_folder, path, mut writer) = log(LARGEST);
        fs::create_dir(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        writer.write_text("lost\n");
        assert_eq!(writer.lost.as_ref().map(|(lost, _)| *lost), Some(1));
        fs::remove_file(&path).unwrap();
        writer.write_text("kept\n");
        assert!(read(&path).contains("(1 lines could not be written here: No space left"), "{}", read(&path));
    }

    #[test]
    fn where_no_other_name_can_be_had_the_file_is_emptied() {
        let (_folder, path, mut writer) = log(20);
        writer.write_text("0123456789\n");
        // A folder in the way that a file cannot replace.
        fs::create_dir(aged(&path, 1)).unwrap();
        fs::write(aged(&path, 1).join("x"), "").unwrap();
        fs::create_dir(aged(&path, 2)).unwrap();
        fs::write(aged(&path, 2).join("x"), "").unwrap();
        writer.write_text("abcdefghij\n");
        assert_eq!(read(&path), "abcdefghij\n");
    }
}
