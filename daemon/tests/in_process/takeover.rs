//! One daemon takes over from another in the same process; and whatever a new one does that fails on the way costs nothing.

use crate::harness::{PATIENCE, World, echoes};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tunnels_api::{Client, ErrorCode, TargetState, TunnelState};
use tunnels_daemon::{Daemon, Options, StartError};

/// One message as daemons write it.
async fn say(stream: &mut UnixStream, message: &str) {
    let mut bytes = u32::try_from(message.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(message.as_bytes());
    // The other side may have hung up: that is seen by what comes.
    let _ = stream.write_all(&bytes).await;
}

/// The next message; the files that come with it are lost.
async fn hear(stream: &mut UnixStream) -> String {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.unwrap();
    let mut text = vec![0; u32::from_ne_bytes(length) as usize];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_new_daemon_that_breaks_off_anywhere_leaves_everything_as_it_was() {
    let world = World::ready("").await;
    let client = Client::new(world.daemon.version().socket);
    let mut open = world.connect().await;
    let begin = r#""begin""#;
    let take = r#"{"take":{"drain_ms":1000}}"#;
    let scripts: [&[&str]; 7] = [
        &[],
        &["nonsense"],
        &[take],
        &[begin],
        &[begin, "nonsense"],
        &[begin, take],
        &[begin, take, r#"{"end":{"drain_ms":0}}"#],
    ];
    for script in scripts {
        let mut stream = client.takeover(1).await.unwrap();
        for message in script {
            say(&mut stream, message).await;
        }
        match script {
            [b, t, ..] if (*b, *t) == (begin, take) => {
                assert!(hear(&mut stream).await.starts_with(r#"{"offer":{"#));
                // Two sockets where the machine has IPv6: here the address is one.
                assert_eq!(hear(&mut stream).await, r#""socket""#);
                assert_eq!(hear(&mut stream).await, r#""yours""#);
            }
            _ => {}
        }
        drop(stream);
        // Commands that came meanwhile have waited.
        let up = client.up(&tunnels_api::SelectRequest::default()).await;
        assert_eq!(up.unwrap().tunnels, ["a"], "after {script:?}");
        echoes(&mut open, b"still").await;
        echoes(&mut world.connect().await, b"as before").await;
    }
    assert_eq!(world.calls("StartSession"), 1, "one session all the while");
    let error = client.takeover(99).await.unwrap_err();
    assert!(error.to_string().contains("version 1 of the protocol, and was asked for 99"), "{error}");
    world.stop().await;
}

#[tokio::test]
async fn what_is_handed_over_is_all_there_is_and_the_old_one_ends_with_its_last_connection() {
    let world = World::ready("").await;
    world.daemon.up(vec!["a".into()], Some("INC-4711".into())).await.unwrap();
    let mut open = world.connect().await;
    echoes(&mut open, b"through the old one").await;
    let daemon = Daemon::take_over(world.next(), Duration::from_mins(5)).await.unwrap();
    let (handle, shutdown) = (daemon.handle(), CancellationToken::new());
    let running = tokio::spawn(daemon.run(shutdown.clone()));
    let ready = timeout(PATIENCE, async {
        // Until it runs it shows no tunnel.
        while handle.tunnel("a").is_none_or(|tunnel| tunnel.state != TunnelState::Ready) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    ready.await.unwrap();
    assert_eq!(handle.tunnel("a").unwrap().wanted, TargetState::Up);
    echoes(&mut world.connect().await, b"through the new one").await;
    assert_eq!(handle.tunnel("a").unwrap().bytes_in, 19, "and not through the old one");
    echoes(&mut open, b"through the old one").await;
    // A reason that was given counts for the sessions that the new one opens.
    assert_eq!(world.reasons().last().map(String::as_str), Some("INC-4711"));
    assert_eq!(world.open_sessions(), 2);
    // The old one takes no commands: they are the new one's.
    assert_eq!(world.daemon.up(Vec::new(), None).await.unwrap_err().code, ErrorCode::HandedOver);
    drop(open);
    let (sim, _folder) = world.ended().await;
    let session_ended = async {
        while sim
            .sessions()
            .sessions
            .iter()
            .filter(|session| session.state != ssm_sim::SessionState::Terminated)
            .count()
            > 1
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, session_ended).await.unwrap();
    shutdown.cancel();
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn commands_that_wait_while_another_daemon_takes_over_are_to_be_sent_to_that() {
    let world = World::ready("").await;
    let mut stream = Client::new(world.daemon.version().socket).takeover(1).await.unwrap();
    for message in [r#""begin""#, r#"{"take":{"drain_ms":0}}"#] {
        say(&mut stream, message).await;
    }
    while hear(&mut stream).await != r#""yours""# {}
    // Each is in the queue once it has been polled.
    let (up, reload, stop) = (world.daemon.up(Vec::new(), None), world.daemon.reload(), world.daemon.stop(None));
    let serving = async {
        tokio::task::yield_now().await;
        say(&mut stream, r#""serving""#).await;
    };
    let (up, reload, stop, ()) = tokio::join!(up, reload, stop, serving);
    let codes = [up.unwrap_err().code, reload.unwrap_err().code, stop.unwrap_err().code];
    assert_eq!(codes, [ErrorCode::HandedOver; 3]);
    assert_eq!(
        world.daemon.down(Vec::new()).await.unwrap_err().code,
        ErrorCode::HandedOver,
        "and those that come later"
    );
    drop(stream);
    world.ended().await;
}

#[tokio::test]
async fn other_folders_are_not_taken_over() {
    let world = World::ready("").await;
    let next = Options { state_dir: world.state_file().with_file_name("elsewhere"), ..world.next() };
    let StartError::Takeover(error) = Daemon::take_over(next, Duration::ZERO).await.unwrap_err() else {
        panic!("refused")
    };
    assert!(error.message.contains("nothing was changed"), "{error}");
    echoes(&mut world.connect().await, b"as before").await;
    world.stop().await;
    // Where none runs, it starts.
    let world = World::new("").await;
    let next = world.next();
    let local = world.local;
    let (_sim, _folder) = world.stop().await;
    let daemon = Daemon::take_over(next, Duration::ZERO).await.unwrap();
    drop(daemon);
    assert_eq!(tokio::net::TcpStream::connect(local).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
