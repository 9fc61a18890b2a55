//! What is remembered, of what, and who else may have it.

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use tunnels_api::ApiError;
use tunnels_api::Timestamp;

const SOCKET: &str = "/run/a/daemon.sock";

fn open(folder: &Path) -> Result<StateFile, ClaimError> {
    StateFile::open(folder, Path::new(SOCKET))
}

fn record() -> SessionRecord {
    SessionRecord {
        tunnel: "a".into(),
        profile: None,
        region: Some("eu-west-1".into()),
        ssm_endpoint: Some("http://127.0.0.1:1".into()),
        sts_endpoint: None,
    }
}

fn ids(state: &StateFile) -> Vec<String> {
    state.leftovers().into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn remembers_over_a_restart_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("state");
    let state = open(&folder).unwrap();
    state.want("a", TargetState::Up);
    state.session_opened("s-1", record());
    state.session_opened("s-2", record());
    state.session_ended("s-1");
    state.write();
    drop(state);

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("state.json")), 0o600);
    let state = open(&folder).unwrap();
    assert_eq!(state.wanted("a"), Some(TargetState::Up));
    assert_eq!(state.wanted("b"), None);
    assert_eq!(state.leftovers(), [("s-2".to_owned(), record())]);
    let scope = record().scope();
    assert_eq!(scope.region.as_deref(), Some("eu-west-1"));
    assert_eq!(scope.endpoints.ssm.as_deref(), Some("http://127.0.0.1:1"));
}

#[tokio::test]
async fn only_what_nobody_uses_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path()).unwrap();
    state.session_opened("s-1", record());
    state.session_opened("s-2", record());
    assert!(ids(&state).is_empty(), "both are in use");
    state.leaving("s-1").stays();
    drop(state.leaving("s-2"));
    assert_eq!(ids(&state), ["s-2"]);
    let leaving = state.leaving("s-1");
    state.session_ended("s-1");
    state.session_ended("s-2");
    drop(leaving);
    assert!(ids(&state).is_empty());
}

#[tokio::test]
async fn a_damaged_file_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("state.json"), "{").unwrap();
    assert!(ids(&open(folder.path()).unwrap()).is_empty());
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_where_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path()).unwrap();
    let error = StateFile::open(folder.path(), Path::new("/other/daemon.sock")).unwrap_err();
    let (pid, shown) = (std::process::id(), folder.path().display());
    assert_eq!(
        error.to_string(),
        format!("a daemon of yours (pid {pid}) already uses {shown}, and listens on {SOCKET}")
    );
    let hint = ApiError::from(&error).hint.unwrap();
    assert_eq!(hint, "set XDG_RUNTIME_DIR as there, or TUNNELS_RUNTIME_DIR=/run/a");
}

#[tokio::test]
async fn what_others_can_have_written_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let chmod = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let state = open(folder.path()).unwrap();
    state.session_opened("s-1", record());
    state.write();
    drop(state);
    chmod(folder.path(), 0o777);
    assert!(matches!(open(folder.path()), Err(ClaimError::Unsafe { .. })));
    chmod(folder.path(), 0o700);
    chmod(&folder.path().join("state.json"), 0o666);
    assert!(ids(&open(folder.path()).unwrap()).is_empty());
    chmod(&folder.path().join("state.json"), 0o600);
    assert_eq!(ids(&open(folder.path()).unwrap()), ["s-1"]);
}

fn start(at: i64) -> StartRecord {
    StartRecord { session: record(), target: "i-1".into(), at: Timestamp::from_second(at).unwrap() }
}

fn unseen(state: &StateFile) -> Vec<String> {
    state.unseen_starts().into_iter().map(|(reason, _)| reason).collect()
}

#[tokio::test]
async fn a_start_is_on_disk_before_it_is_made_and_leaves_a_session_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path()).unwrap();
    let on_disk = || std::fs::read_to_string(folder.path().join("state.json")).unwrap();
    let opened = state.starting("opened".into(), start(1)).await;
    let refused = state.starting("refused".into(), start(2)).await;
    assert!(on_disk().contains("opened") && on_disk().contains("refused"), "{}", on_disk());
    opened.opened("s-1", record());
    refused.refused();
    drop(state.starting("unanswered".into(), start(3)).await);
    assert_eq!(unseen(&state), ["unanswered"]);
    state.write();
    let killed = state.starting("killed".into(), start(4)).await;
    std::mem::forget(killed);
    drop(state);

    // What was under way when the daemon was killed has no answer, either.
    let bytes = on_disk();
    let again = tempfile::tempdir().unwrap();
    std::fs::write(again.path().join("state.json"), bytes).unwrap();
    let state = open(again.path()).unwrap();
    assert_eq!(
        (unseen(&state), ids(&state)),
        (vec!["killed".to_owned(), "unanswered".to_owned()], vec!["s-1".to_owned()])
    );
    assert_eq!(state.unseen_starts()[0].1, start(4));
    state.start_settled("killed");
    state.start_settled("unanswered");
    assert!(unseen(&state).is_empty());
}

#[tokio::test]
async fn starts_that_get_no_answer_do_not_pile_up_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path()).unwrap();
    for number in 0..MOST_STARTS {
        state.change(|memory| {
            memory.unseen.insert(number.to_string());
            memory.content.starts.insert(number.to_string(), start(i64::try_from(number).unwrap()))
        });
    }
    drop(state.starting("last".into(), start(i64::from(u32::MAX))).await);
    let left = unseen(&state);
    assert_eq!(left.len(), MOST_STARTS);
    assert!(left.contains(&"last".to_owned()) && !left.contains(&"0".to_owned()));
}

#[tokio::test]
async fn those_who_wait_for_the_disk_share_its_writes() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path()).unwrap();
    let all = (0..100).map(|number| state.starting(number.to_string(), start(number)));
    let starting = futures_util::future::join_all(all).await;
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("state.json")).unwrap()).unwrap();
    assert_eq!(written["starts"].as_object().unwrap().len(), starting.len());
}
