//! What counts as a change, look by look; and that the thread, the events and the end of it work.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

/// Only a failing test waits so long.
const BOUND: Duration = Duration::from_mins(1);

/// A folder whose own path has no links (`/tmp` may be one).
struct Sandbox {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { root: folder.path().canonicalize().unwrap(), _folder: folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn patrol(&self, names: &[&str]) -> Patrol {
        Patrol::new("the tests", Arc::default()).begin(self.files(names))
    }

    fn watcher(&self, names: &[&str]) -> Watcher {
        Watcher::new("the tests", &self.files(names)).unwrap()
    }

    fn files(&self, names: &[&str]) -> Vec<Watched> {
        names.iter().map(|name| Watched::File(self.path(name))).collect()
    }
}

/// Whether two looks report a change, and the first one alone never.
fn reports(patrol: &mut Patrol) -> bool {
    assert!(!patrol.look(), "reported before it rests");
    let reported = patrol.look();
    assert!(!patrol.look(), "reported twice");
    reported
}

async fn changed(watcher: &mut Watcher) {
    tokio::time::timeout(BOUND, watcher.changed()).await.expect("the change is noticed");
}

#[test]
fn every_way_of_saving_is_one_change() {
    let at = Sandbox::new();
    at.write("config.toml", "");
    let mut patrol = at.patrol(&["config.toml", "team.toml"]);
    assert!(!reports(&mut patrol), "nothing has happened");

    at.write("config.toml", "in place");
    assert!(reports(&mut patrol), "written");

    at.write(".config.toml.swp", "beside it, then moved over it");
    fs::rename(at.path(".config.toml.swp"), at.path("config.toml")).unwrap();
    assert!(reports(&mut patrol), "renamed over");

    fs::rename(at.path("config.toml"), at.path("config.toml~")).unwrap();
    assert!(reports(&mut patrol), "moved away");
    at.write("config.toml", "and anew");
    assert!(reports(&mut patrol), "created");

    fs::remove_file(at.path("config.toml")).unwrap();
    at.write("config.toml", "deleted and recreated");
    assert!(reports(&mut patrol), "recreated");

    at.write("team.toml", "an include that was missing");
    assert!(reports(&mut patrol), "appeared");

    fs::set_permissions(at.path("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(reports(&mut patrol), "a mode");
}

#[test]
fn a_burst_is_one_change_when_it_is_over() {
    let at = Sandbox::new();
    let mut patrol = at.patrol(&["config.toml", "team.toml"]);
    for round in 1..10 {
        at.write(if round % 2 == 0 { "config.toml" } else { "team.toml" }, &"x".repeat(round));
        assert!(!patrol.look(), "round {round}");
    }
    assert!(patrol.look());
    assert!(!patrol.look());
}

#[test]
fn a_file_that_never_rests_is_reported_all_the_same() {
    let at = Sandbox::new();
    let mut patrol = at.patrol(&["config.toml"]);
    let mut size = 0;
    let mut restless = || {
        size += 1;
        at.write("config.toml", &"x".repeat(size));
        patrol.look()
    };
    for _ in 0..3 {
        let looks = (1..=2 * MAX_RESTLESS).find(|_| restless());
        assert_eq!(looks, Some(MAX_RESTLESS + 1));
    }
}

#[test]
fn what_is_undone_before_it_rests_is_no_change() {
    let at = Sandbox::new();
    let mut patrol = at.patrol(&["config.toml"]);
    at.write("config.toml", "");
    assert!(!patrol.look());
    fs::remove_file(at.path("config.toml")).unwrap();
    assert!(!reports(&mut patrol));
}

#[test]
fn other_files_of_the_folder_are_none_of_our_business() {
    let at = Sandbox::new();
    at.write("config.toml", "");
    let mut patrol = at.patrol(&["config.toml", "team/team.toml", "."]);
    at.write("notes.txt", "");
    at.write(".config.toml.swp", "");
    fs::create_dir(at.path("team")).unwrap();
    at.write("team/other.toml", "");
    assert!(!reports(&mut patrol));
}

#[test]
fn a_link_changes_with_what_it_leads_to_and_where() {
    let at = Sandbox::new();
    for folder in ["home", "v1", "v2"] {
        fs::create_dir(at.path(folder)).unwrap();
    }
    at.write("v1/config.toml", "");
    at.write("v2/config.toml", "");
    symlink("../current/config.toml", at.path("home/config.toml")).unwrap();
    symlink("v1", at.path("current")).unwrap();
    let mut patrol = at.patrol(&["home/config.toml"]);

    at.write("v1/config.toml", "its target");
    assert!(reports(&mut patrol), "the target is written");
    at.write("v2/config.toml", "not its target");
    assert!(!reports(&mut patrol), "not the target");
    fs::remove_file(at.path("current")).unwrap();
    symlink("v2", at.path("current")).unwrap();
    assert!(reports(&mut patrol), "a link on the way leads elsewhere");
}

#[tokio::test]
async fn events_end_the_wait_wherever_the_file_appears() {
    let at = Sandbox::new();
    let mut patrol = at.patrol(&["a/b/config.toml"]);
    let rings = |patrol: &mut Patrol, what: &str| {
        let mut calls = patrol.shared.wait(BOUND, true);
        assert!(std::mem::take(&mut calls.event), "no event: {what}");
        drop(calls);
        // Whatever came of it, the watches follow.
        patrol.look()
    };
    patrol.look();
    assert_eq!(patrol.blind, None, "this machine has file events");
    // As often as somebody tidies up.
    for _ in 0..3 {
        fs::create_dir_all(at.path("a/b")).unwrap();
        rings(&mut patrol, "the folders appear");
        at.write("a/b/config.toml", "1");
        rings(&mut patrol, "the file appears");
        fs::remove_dir_all(at.path("a")).unwrap();
        rings(&mut patrol, "everything is removed");
    }
}

#[tokio::test]
async fn changes_are_reported_to_whoever_waits() {
    let at = Sandbox::new();
    let mut watcher = at.watcher(&["config.toml"]);
    at.write("config.toml", "1");
    changed(&mut watcher).await;

    // A change that comes while nobody waits is kept.
    at.write("config.toml", "22");
    tokio::select! {
        biased;
        () = std::future::ready(()) => {}
        () = watcher.changed() => {}
    }
    changed(&mut watcher).await;

    fs::rename(at.path("config.toml"), at.path("old.toml")).unwrap();
    changed(&mut watcher).await;
    fs::create_dir(at.path("team")).unwrap();
    at.write("team/new.toml", "written before it is followed, after the last change");
    watcher.follow(&at.files(&["config.toml", "team/new.toml"]));
    changed(&mut watcher).await;
    at.write("team/new.toml", "333");
    changed(&mut watcher).await;
    fs::remove_dir_all(at.path("team")).unwrap();
    changed(&mut watcher).await;
}

#[tokio::test]
async fn a_file_that_appears_in_a_folder_is_reported_even_if_the_folder_is_new() {
    let at = Sandbox::new();
    let mut watcher = Watcher::new("the tests", &[Watched::Folder(at.path("sso/cache"))]).unwrap();
    fs::create_dir_all(at.path("sso/cache")).unwrap();
    changed(&mut watcher).await;
    at.write("sso/cache/token.json", "1");
    changed(&mut watcher).await;
    at.write("sso/cache/token.json", "22");
    changed(&mut watcher).await;
}

#[test]
fn following_keeps_what_was_seen_and_what_was_not_reported_yet() {
    let at = Sandbox::new();
    at.write("config.toml", "");
    at.write("team.toml", "");
    let mut patrol = at.patrol(&["config.toml", "team.toml"]);
    at.write("config.toml", "changed");
    assert!(!patrol.look());
    patrol.follow(Follow { watched: at.files(&["config.toml"]), since: SystemTime::UNIX_EPOCH });
    assert!(patrol.look(), "the change is still to be reported");
    at.write("team.toml", "followed no more");
    assert!(!reports(&mut patrol));
}

#[test]
fn a_first_look_that_comes_late_takes_what_was_written_meanwhile_for_a_change() {
    let at = Sandbox::new();
    at.write("old.toml", "");
    at.write("new.toml", "");
    let yesterday = SystemTime::now() - Duration::from_hours(24);
    for (begin, since, expected) in [
        (Begin::Late, yesterday, true),
        (Begin::Late, SystemTime::now() + Duration::from_hours(24), false),
        (Begin::Awaited, yesterday, false),
    ] {
        let shared = Shared { since: Mutex::new(since), ..Shared::default() };
        lock(&shared.calls).begin = begin;
        let mut patrol = Patrol::new("the tests", Arc::new(shared)).begin(at.files(&["old.toml", "new.toml"]));
        assert_eq!(reports(&mut patrol), expected, "{begin:?}");
    }
}

#[test]
fn an_owner_does_not_wait_for_a_look_that_hangs() {
    let shared = Shared::default();
    shared.await_begin(Duration::ZERO);
    assert_eq!(lock(&shared.calls).begin, Begin::Late);
}

#[tokio::test]
async fn the_end_of_a_watcher_ends_its_thread() {
    let at = Sandbox::new();
    let watcher = at.watcher(&["config.toml"]);
    let shared = Arc::downgrade(&watcher.shared);
    drop(watcher);
    let started = std::time::Instant::now();
    while shared.strong_count() > 0 {
        assert!(started.elapsed() < BOUND, "the thread is still there");
        tokio::task::yield_now().await;
    }
}
