//! Which calls an attempt makes, in which order, and what its failures mean.

use super::*;
use crate::aws::Instance;
use crate::aws::fake::FakeAws;
use crate::doors::Doors;
use crate::status::StatusBoard;
use crate::tunnel::{Allowances, Nudges, Turns};
use std::path::Path;
use tokio_util::sync::CancellationToken;
use tunnels_api::Timestamp;

fn tunnel(keys: &str) -> Arc<TunnelConfig> {
    let text = format!("[tunnels.a]\nlocal = 1\n{keys}\n");
    Arc::new(crate::config::parse(Path::new("c"), &text).unwrap_or_else(|e| panic!("{e}")).tunnels.remove(0))
}

fn connector(aws: &FakeAws, keys: &str) -> (Arc<Connector>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFile::open(folder.path(), Path::new("/s")).unwrap();
    let around = Surroundings {
        aws: Arc::new(aws.clone()),
        board: StatusBoard::new(Timestamp::UNIX_EPOCH),
        state,
        turns: Turns::default(),
        doors: Doors::default(),
        nudges: Nudges::new(),
        allowances: Allowances::default(),
        drain: Duration::ZERO,
        hurry: CancellationToken::new(),
    };
    (Connector::new(tunnel(keys), &around, Arc::default()), folder)
}

const REMOTE: &str = "remote = \"db:5432\"\ntarget = \"i-01234567\"";

#[test]
fn the_document_fits_the_remote_and_parameters_are_lists() {
    let with_host = request(&tunnel(REMOTE), "i-1".into());
    assert_eq!(with_host.document, "AWS-StartPortForwardingSessionToRemoteHost");
    assert_eq!(with_host.parameters["host"], ["db"]);
    assert_eq!(with_host.parameters["portNumber"], ["5432"]);
    let own_port = request(&tunnel("remote = 80\ntarget = \"i-01234567\"\nreason = \"why\""), "i-1".into());
    assert_eq!(own_port.document, "AWS-StartPortForwardingSession");
    assert_eq!(own_port.parameters.len(), 1);
    assert_eq!(own_port.reason.as_deref(), Some("why"));
    let own_document = request(&tunnel(&format!("{REMOTE}\ndocument = \"Mine\"")), "i-1".into());
    assert_eq!(own_document.document, "Mine");
}

#[tokio::test]
async fn candidates_are_tried_in_order_and_tags_by_sorted_id() {
    let aws = FakeAws::default();
    aws.script(|script| {
        let node = |id: &str, online| Instance { id: id.into(), online };
        script.instances = vec![node("i-b", true), node("i-off", false), node("i-a", true)];
        let offline = || Err(AwsError::TargetNotConnected("x".into()));
        script.starts = [offline(), offline(), offline()].into();
    });
    let keys = "remote = 1\ntarget = [\"i-01234567\", { tag = \"Name=b\" }]";
    let (connector, _folder) = connector(&aws, keys);
    let down = connector.start().await.unwrap_err();
    assert_eq!(down.cause.kind, CauseKind::TargetOffline);
    assert_eq!(
        aws.script(|script| script.calls.clone()),
        ["start i-01234567", "describe Name=b", "start i-a", "start i-b"]
    );
}

#[tokio::test]
async fn a_denied_candidate_is_the_end_of_the_list() {
    let aws = FakeAws::default();
    aws.script(|script| script.starts = [Err(AwsError::AccessDenied("no".into()))].into());
    let (connector, _folder) = connector(&aws, "remote = 1\ntarget = [\"i-01234567\", \"i-11234567\"]");
    assert_eq!(connector.start().await.unwrap_err().retry, Retry::Never);
    assert_eq!(aws.script(|script| script.calls.len()), 1);
}

#[tokio::test]
async fn a_session_whose_channel_does_not_open_is_terminated() {
    let aws = FakeAws::default();
    for (url, kind) in [
        // Nobody listens on port 1; a foreign host never gets the token.
        ("ws://127.0.0.1:1/v1/data-channel/s-1", CauseKind::Network),
        ("wss://evil.example/v1/data-channel/s-1", CauseKind::Protocol),
        ("nonsense", CauseKind::Protocol),
    ] {
        aws.script(|script| {
            script.calls.clear();
            script.starts = [Ok(url.to_owned())].into();
        });
        let (connector, _folder) = connector(&aws, REMOTE);
        let down = connector.start().await.unwrap_err();
        assert_eq!(down.cause.kind, kind, "{url}: {down:?}");
        assert_eq!(aws.script(|script| script.calls.clone()), ["start i-01234567", "terminate s-1"]);
        assert_eq!(connector.state.leftovers(), []);
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_terminated_is_left_over_with_where_it_lives() {
    let aws = FakeAws::default();
    aws.script(|script| {
        script.starts = [Ok("nonsense".to_owned())].into();
        script.terminates = [Err(AwsError::Unreachable("x".into()))].into();
    });
    let (connector, _folder) = connector(&aws, &format!("{REMOTE}\nprofile = \"dev\""));
    connector.start().await.unwrap_err();
    // Neither region nor endpoint is configured: they are the client's.
    let record = SessionRecord {
        tunnel: "a".into(),
        profile: Some("dev".into()),
        region: Some("eu-west-1".into()),
        ssm_endpoint: Some("http://127.0.0.1:1".into()),
        sts_endpoint: None,
    };
    assert_eq!(connector.state.leftovers(), [("s-1".to_owned(), record)]);
}

#[tokio::test]
async fn missing_or_refused_credentials_make_the_next_attempt_read_them_anew() {
    // The second is what a key that was rotated gets.
    for name in ["ExpiredTokenException", "UnrecognizedClientException"] {
        let aws = FakeAws::default();
        aws.script(|script| {
            let refused = AwsError::from_answer(Some(name), Some(400), "x");
            script.starts = [Err(refused), Err(AwsError::Service("x".into()))].into();
        });
        let (connector, _folder) = connector(&aws, REMOTE);
        assert_eq!(connector.start().await.unwrap_err().retry, Retry::Login);
        assert_eq!(connector.start().await.unwrap_err().retry, Retry::Answered);
        assert_eq!(connector.start().await.unwrap_err().retry, Retry::Answered);
        assert_eq!(aws.script(|script| (script.scopes.len(), script.forgotten)), (2, 1), "{name}");
    }
}

#[test]
fn a_resume_that_is_denied_names_the_permission_that_is_missing() {
    let about = About::tunnel(&tunnel(REMOTE));
    let ResumeError::Failed(down) = ResumeError::of(&about, AwsError::AccessDenied("no".into())) else {
        panic!("the session may still exist");
    };
    assert_eq!(down.cause.kind, CauseKind::AccessDenied);
    assert!(down.cause.next.is_some_and(|next| next.contains("ssm:ResumeSession")));
}
