//! Which process has a socket: from inodes to the processes that have them open, in one walk through `/proc`.
//!
//! Other users' processes cannot be looked into, unless by root. Only command names are shown, never arguments:
//! these may hold secrets. Blocks for as long as the machine has processes.

use std::collections::BTreeMap;
use tunnels_api::Process;

/// The processes that have these sockets open, by inode.
pub(super) fn holding(inodes: &[u64]) -> BTreeMap<u64, Process> {
    let mut found = BTreeMap::new();
    if inodes.is_empty() {
        return found;
    }
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let sockets = files.filter_map(|file| inode(std::fs::read_link(file.path()).ok()?.to_str()?));
        for inode in sockets.filter(|inode| inodes.contains(inode)) {
            if let Some(process) = named(pid) {
                found.insert(inode, process);
            }
        }
        if found.len() == inodes.len() {
            break;
        }
    }
    found
}

/// A process by its id, if it still is there.
pub(super) fn named(pid: u32) -> Option<Process> {
    let command = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Process { command: command.trim().to_owned(), pid })
}

/// `socket:[4711]`
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
