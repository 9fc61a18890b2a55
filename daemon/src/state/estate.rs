//! What passes from one daemon to the next that takes over while it runs, and how the old one's sessions stay known until
//! it has ended.
//!
//! The new daemon has the file. The old one still has connections, and so sessions: whatever changes about these it tells the
//! new one, which keeps them in the file, and ends those that are left when the old one is gone, however that came about.

use super::record::{Content, SessionRecord, StartRecord};
use super::{Memory, Sink, StateFile, read};
use crate::claim::{ClaimError, Lock, private_folder};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::sync::watch;
use tunnels_api::TargetState;

/// What the new daemon begins with.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Estate {
    pub(crate) wanted: BTreeMap<String, TargetState>,
    /// Nobody uses them, and they are the new daemon's to end.
    pub(crate) left: Used,
    /// The old daemon's, for as long as it lives.
    pub(crate) used: Used,
}

/// Sessions, and calls that may make one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) sessions: BTreeMap<String, SessionRecord>,
    pub(crate) starts: BTreeMap<String, StartRecord>,
}

impl StateFile {
    /// For a daemon that is given the folder by another.
    pub(crate) fn inherit(folder: &Path, lock: Lock, estate: Estate) -> Result<Self, ClaimError> {
        private_folder(folder)?;
        let Estate { wanted, left, used } = estate;
        let content = Content { wanted, sessions: left.sessions, starts: left.starts };
        let state = Self::new(folder.join("state.json"), lock, content);
        state.lock().predecessor = used;
        Ok(state)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.0.path.parent().unwrap_or(&self.0.path)
    }

    /// The right to the folder, for another daemon.
    pub(crate) fn lock_file(&self) -> io::Result<OwnedFd> {
        let gone = || io::Error::other("another daemon has the state folder");
        self.folder_lock().as_ref().ok_or_else(gone)?.to_file()
    }

    /// The folder is ours from here on: says so to whoever comes in vain.
    pub(crate) fn own(&self, socket: &Path) {
        let note = socket.display().to_string();
        if let Some(Err(error)) = self.folder_lock().as_ref().map(|lock| lock.sign(&note)) {
            tracing::debug!(%error, "the lock of the state names the daemon before this one");
        }
    }

    /// What another daemon would have to know now.
    pub(crate) fn estate(&self) -> Estate {
        let memory = self.lock();
        let left = memory.pick(|is_left| is_left);
        Estate { wanted: memory.content.wanted.clone(), left, used: memory.used() }
    }

    /// Writes no more for now: another daemon may be about to.
    pub(crate) fn hold(&self) {
        self.write();
        let mut memory = self.lock();
        memory.sink = Sink::Held(memory.known());
    }

    /// The other daemon has not come to anything: writes again. What that one has noted is nobody's.
    pub(crate) fn take_back(&self) {
        let mut memory = self.lock();
        let Sink::Held(own) = std::mem::replace(&mut memory.sink, Sink::File) else { return };
        drop(memory);
        let noted = read(&self.0.path).unwrap_or_else(|error| {
            tracing::warn!(%error, "what the other daemon has noted cannot be read");
            Content::default()
        });
        // What is in the file from before is ours, and may have ended, or be in use, by now.
        self.change(|memory| {
            for (id, record) in noted.sessions {
                if !own.sessions.contains_key(&id) {
                    memory.leftovers.insert(id.clone());
                    memory.content.sessions.insert(id, record);
                }
            }
            for (reason, start) in noted.starts {
                if !own.starts.contains_key(&reason) {
                    memory.unseen.insert(reason.clone());
                    memory.content.starts.insert(reason, start);
                }
            }
        });
        self.0.unanswered.notify_one();
    }

    /// Another daemon has the file, and what it was offered that nobody uses, from here on. It is to be told of all the rest,
    /// whenever that changes: also of what nobody uses by then, since this daemon does not end that any more.
    pub(crate) fn hand_over(&self, offered: &Used) -> watch::Receiver<Used> {
        // It must not seem to be in use when that one has ended and this one still has connections.
        *self.folder_lock() = None;
        self.change(|memory| {
            for id in offered.sessions.keys() {
                memory.content.sessions.remove(id);
                memory.leftovers.remove(id);
            }
            for reason in offered.starts.keys() {
                memory.forget_start(reason);
            }
            let (heir, changes) = watch::channel(memory.known());
            memory.sink = Sink::Heir(heir);
            changes
        })
    }

    /// What the daemon before this one still uses.
    pub(crate) fn predecessor_uses(&self, used: Used) {
        self.change(|memory| memory.predecessor = used);
    }

    /// The daemon before this one is gone: what it still used is nobody's.
    pub(crate) fn predecessor_ended(&self) {
        self.change(|memory| {
            let Used { sessions, starts } = std::mem::take(&mut memory.predecessor);
            memory.leftovers.extend(sessions.keys().cloned());
            memory.content.sessions.extend(sessions);
            memory.unseen.extend(starts.keys().cloned());
            memory.content.starts.extend(starts);
        });
        self.0.unanswered.notify_one();
    }
}

impl Memory {
    /// What somebody uses: this daemon, or the one before it.
    fn used(&self) -> Used {
        let mut used = self.pick(|is_left| !is_left);
        used.sessions.extend(self.predecessor.sessions.clone());
        used.starts.extend(self.predecessor.starts.clone());
        used
    }

    /// Everything that may exist, whether somebody uses it or not.
    pub(super) fn known(&self) -> Used {
        let Content { sessions, starts, .. } = self.all().into_owned();
        Used { sessions, starts }
    }

    /// Of this daemon's own.
    fn pick(&self, which: impl Fn(bool) -> bool) -> Used {
        let sessions = self.content.sessions.iter().filter(|(id, _)| which(self.leftovers.contains(*id)));
        let starts = self.content.starts.iter().filter(|(reason, _)| which(self.unseen.contains(*reason)));
        let copied = |(name, record): (&String, &StartRecord)| (name.clone(), record.clone());
        Used {
            sessions: sessions.map(|(id, record)| (id.clone(), record.clone())).collect(),
            starts: starts.map(copied).collect(),
        }
    }

    /// All that belongs into the file.
    pub(super) fn all(&self) -> Cow<'_, Content> {
        if self.predecessor == Used::default() {
            return Cow::Borrowed(&self.content);
        }
        let mut all = self.content.clone();
        all.sessions.extend(self.predecessor.sessions.clone());
        all.starts.extend(self.predecessor.starts.clone());
        Cow::Owned(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::Timestamp;

    fn record() -> SessionRecord {
        SessionRecord { tunnel: "a".into(), profile: None, region: None, ssm_endpoint: None, sts_endpoint: None }
    }

    fn start() -> StartRecord {
        StartRecord { session: record(), target: "i-1".into(), at: Timestamp::UNIX_EPOCH }
    }

    fn ids(state: &StateFile) -> Vec<String> {
        state.leftovers().into_iter().map(|(id, _)| id).collect()
    }

    /// A daemon that uses `used` and could not end `left`, and the one that takes over.
    fn two(folder: &Path) -> (StateFile, StateFile) {
        let old = StateFile::open(folder, Path::new("/s")).unwrap();
        old.want("a", TargetState::Up);
        old.session_opened("used", record());
        old.session_opened("left", record());
        drop(old.leaving("left"));
        old.write();
        let lock = Lock::inherit(old.lock_file().unwrap());
        let new = StateFile::inherit(folder, lock, old.estate()).unwrap();
        (old, new)
    }

    fn on_disk(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("state.json")).unwrap()
    }

    #[tokio::test]
    async fn what_the_old_daemon_uses_is_left_over_only_when_it_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = two(folder.path());
        assert_eq!((new.wanted("a"), ids(&new)), (Some(TargetState::Up), vec!["left".to_owned()]));
        let mut changes = old.hand_over(&old.estate().left);
        assert!(ids(&old).is_empty(), "it is the new one's");
        // The old one opens another, and ends the first.
        old.starting("why".into(), start()).await.opened("late", record());
        old.session_ended("used");
        old.write();
        new.predecessor_uses(changes.borrow_and_update().clone());
        new.write();
        assert!(on_disk(folder.path()).contains("late") && !on_disk(folder.path()).contains("used"));
        assert_eq!(ids(&new), ["left"]);
        new.predecessor_ended();
        assert_eq!(ids(&new), ["late", "left"]);
        // A crash of the new one would have found the same.
        drop((old, new));
        assert_eq!(ids(&StateFile::open(folder.path(), Path::new("/s")).unwrap()), ["late", "left"]);
    }

    #[tokio::test]
    async fn a_daemon_that_was_handed_things_hands_them_on() {
        let folder = tempfile::tempdir().unwrap();
        let (_old, new) = two(folder.path());
        new.session_opened("new", record());
        let estate = new.estate();
        assert_eq!(estate.used.sessions.keys().collect::<Vec<_>>(), ["new", "used"]);
        assert_eq!(estate.left.sessions.keys().collect::<Vec<_>>(), ["left"]);
        let mut changes = new.hand_over(&estate.left);
        new.predecessor_uses(Used::default());
        new.write();
        assert_eq!(changes.borrow_and_update().sessions.keys().collect::<Vec<_>>(), ["new"]);
    }

    /// What the old daemon tells at its end, and then nothing more.
    fn ends(old: &StateFile, changes: &mut watch::Receiver<Used>, new: &StateFile) {
        old.write();
        new.predecessor_uses(changes.borrow_and_update().clone());
        new.predecessor_ended();
    }

    #[tokio::test]
    async fn what_the_old_daemon_could_not_end_is_left_over_when_it_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = two(folder.path());
        let mut changes = old.hand_over(&old.estate().left);
        // AWS did not hear that the one is over, nor did it say whether there is the other.
        drop(old.leaving("used"));
        drop(old.starting("why".into(), start()).await);
        ends(&old, &mut changes, &new);
        assert_eq!(ids(&new), ["left", "used"]);
        assert_eq!(new.unseen_starts().len(), 1);
        new.write();
        assert!(on_disk(folder.path()).contains("used") && on_disk(folder.path()).contains("why"));
    }

    #[tokio::test]
    async fn what_is_left_over_once_it_was_offered_as_used_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = two(folder.path());
        let starting = old.starting("why".into(), start()).await;
        let offered = old.estate();
        drop(old.leaving("used"));
        drop(starting);
        let mut changes = old.hand_over(&offered.left);
        assert_eq!(
            changes.borrow().sessions.keys().collect::<Vec<_>>(),
            ["used"],
            "not what was the new one's already"
        );
        ends(&old, &mut changes, &new);
        assert_eq!(ids(&new), ["left", "used"]);
        assert_eq!(new.unseen_starts().len(), 1);
    }

    #[tokio::test]
    async fn what_the_first_of_three_leaves_reaches_the_third() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = two(folder.path());
        let mut of_first = first.hand_over(&first.estate().left);
        let estate = second.estate();
        let left = estate.left.clone();
        let third = StateFile::inherit(folder.path(), Lock::inherit(second.lock_file().unwrap()), estate).unwrap();
        let mut of_second = second.hand_over(&left);
        // It ends without having ended its session, and then so does the second.
        ends(&first, &mut of_first, &second);
        ends(&second, &mut of_second, &third);
        assert_eq!(ids(&third), ["left", "used"]);
    }

    #[tokio::test]
    async fn what_a_daemon_that_failed_to_take_over_has_begun_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = two(folder.path());
        let own_start = old.starting("own".into(), start()).await;
        old.hold();
        let _starting = new.starting("why".into(), start()).await;
        new.session_opened("begun", record());
        new.write();
        drop(new);
        // A start of its own comes to a session meanwhile: it is in the file still, and nobody's business.
        own_start.opened("own", record());
        // It does not overwrite what it has not read.
        old.write();
        assert!(on_disk(folder.path()).contains("begun"));
        old.take_back();
        assert_eq!(ids(&old), ["begun", "left"]);
        assert_eq!(old.unseen_starts().len(), 1);
        old.write();
        assert!(on_disk(folder.path()).contains("begun") && on_disk(folder.path()).contains("used"));
    }
}
