//! A tunnel as the supervisor sees it: commands in, its entry on the board out.

use super::*;
use crate::aws::AwsError;
use crate::aws::fake::FakeAws;
use std::path::Path;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tunnels_api::{CauseKind, Timestamp, TunnelState, TunnelStatus};

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    handle: TunnelHandle,
    aws: FakeAws,
    board: StatusBoard,
    doors: Doors,
    port: u16,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(keys: &str) -> Self {
        Self::remembering(keys, TargetState::Down).await
    }

    async fn remembering(keys: &str, wanted: TargetState) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let text = format!("[tunnels.a]\nremote = 1\nlocal = {port}\ntarget = \"i-01234567\"\n{keys}\n");
        let config = crate::config::parse(Path::new("c"), &text).unwrap().tunnels.remove(0);
        let folder = tempfile::tempdir().unwrap();
        let (aws, board) = (FakeAws::default(), StatusBoard::new(Timestamp::UNIX_EPOCH));
        let doors = Doors::default();
        let state = StateFile::open(folder.path(), Path::new("/s")).unwrap();
        state.want("a", wanted);
        let around = Surroundings {
            aws: Arc::new(aws.clone()),
            board: board.clone(),
            state,
            turns: Turns::default(),
            doors: doors.clone(),
            nudges: Nudges::new(),
            allowances: Allowances::default(),
            drain: Duration::from_secs(5),
            hurry: CancellationToken::new(),
        };
        Self { handle: TunnelHandle::spawn(config, around), aws, board, doors, port, _folder: folder }
    }

    async fn wait(&self, is: impl Fn(&TunnelStatus) -> bool) -> TunnelStatus {
        let mut news = self.board.subscribe();
        let found = async {
            loop {
                let now = self.board.tunnel("a").unwrap();
                if is(&now) {
                    return now;
                }
                drop(news.events.recv().await);
            }
        };
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{:?}", self.board.tunnel("a")))
    }
}

#[tokio::test]
async fn a_tunnel_is_on_the_board_at_once_with_what_was_remembered_of_it() {
    for wanted in [TargetState::Up, TargetState::Down] {
        let world = World::remembering("", wanted).await;
        // Before its task has run, and while its command is on the way.
        for _ in 0..10 {
            let shown = world.board.tunnel("a").unwrap();
            assert_eq!((shown.state, shown.wanted), (TunnelState::Down, wanted));
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_bind_that_was_overtaken_is_not_taken_for_another_program() {
    for _ in 0..20 {
        let mut world = World::new("open = \"on-demand\"").await;
        // All three are performed before the first bind has ended.
        world.handle.up(None).unwrap();
        world.handle.down().unwrap();
        world.handle.up(None).unwrap();
        let settled = world.wait(|status| !matches!(status.state, TunnelState::Down | TunnelState::Connecting)).await;
        assert_eq!(settled.state, TunnelState::Listening, "{settled:?}");
        TcpStream::connect(("127.0.0.1", world.port)).await.expect("it listens");
    }
}

#[tokio::test]
async fn an_address_that_the_daemon_before_this_one_has_for_a_moment_more_is_waited_for() {
    let (soon, never) = (Duration::from_millis(200), PATIENCE);
    for (handed_over, let_go_after, expected) in
        [(true, soon, TunnelState::Listening), (true, never, TunnelState::Failed), (false, never, TunnelState::Failed)]
    {
        let mut world = World::new("open = \"on-demand\"").await;
        let held = TcpListener::bind(("127.0.0.1", world.port)).await.unwrap();
        if handed_over {
            world.doors.own([].iter());
        }
        world.handle.up(None).unwrap();
        let let_go = tokio::spawn(async move {
            tokio::time::sleep(let_go_after).await;
            drop(held);
        });
        let settled = world.wait(|status| !matches!(status.state, TunnelState::Down | TunnelState::Connecting)).await;
        let_go.abort();
        assert_eq!(settled.state, expected, "{settled:?}");
    }
}

#[tokio::test]
async fn an_attempt_that_panics_is_tried_again() {
    let mut world = World::new("").await;
    world.aws.script(|script| {
        script.panics = 1;
        script.starts = [Err(AwsError::AccessDenied("no".into()))].into();
    });
    world.handle.up(None).unwrap();
    let broken = world.wait(|status| status.retry_at.is_some()).await;
    assert_eq!(broken.state, TunnelState::Connecting);
    assert!(broken.cause.unwrap().text.contains("internal error"));
    world.handle.up(None).unwrap();
    let next = world.wait(|status| status.state == TunnelState::Failed).await;
    assert_eq!(next.cause.unwrap().kind, CauseKind::AccessDenied);
}

#[tokio::test]
async fn a_command_too_many_is_refused_and_stop_is_never_lost() {
    let mut world = World::new("open = \"on-demand\"").await;
    // The task has not run yet: its queue fills up.
    for _ in 0..COMMAND_QUEUE {
        world.handle.down().unwrap();
    }
    assert_eq!(world.handle.up(None), Err(Busy));
    assert_eq!(world.handle.wanted(), TargetState::Down);
    timeout(PATIENCE, world.handle.stop(Duration::ZERO)).await.expect("it stops");
}
