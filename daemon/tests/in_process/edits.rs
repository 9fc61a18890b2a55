//! Edits of the configuration while tunnels carry: what they touch, and what does not notice.

use crate::harness::{PATIENCE, World, connect, echo, echoes, free_port, simulator};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tunnels_api::{DaemonEvent, ErrorCode, TargetState, TunnelState};

/// Tunnels by name, each with its lines.
#[derive(Clone, Default)]
pub(crate) struct File(Vec<(String, String)>);

impl File {
    pub(crate) fn with(mut self, name: &str, local: SocketAddr, remote: SocketAddr, keys: &str) -> Self {
        let node = ssm_sim::DEFAULT_NODE;
        let lines = format!("local = \"{local}\"\nremote = \"{remote}\"\ntarget = \"{node}\"\n{keys}\n");
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), lines));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (name, lines)| {
            let _ = write!(text, "[tunnels.{name}]\n{lines}\n");
            text
        })
    }
}

/// A daemon whose tunnels are all ready.
pub(crate) async fn world(file: &File, drain: Duration) -> World {
    let unused = free_port().await;
    let folder = tempfile::tempdir().unwrap();
    let world = World::run(simulator().await, folder, unused, unused, &file.text(), drain);
    world.daemon.up(Vec::new(), None).await.unwrap();
    for (name, _) in &file.0 {
        ready(&world, name).await;
    }
    world
}

pub(crate) async fn ready(world: &World, name: &str) {
    world.wait(name, |status| status.name == name && status.state == TunnelState::Ready).await;
}

/// Waits until the daemon has dealt with the edit.
pub(crate) async fn edit(world: &World, file: &File) {
    let mut news = world.daemon.subscribe().events;
    world.edit(&file.text());
    let done = async {
        while !matches!(news.recv().await.unwrap(), DaemonEvent::ConfigReloaded | DaemonEvent::ConfigRejected { .. }) {}
    };
    timeout(PATIENCE, done).await.expect("the edit is seen");
}

async fn an_echo() -> SocketAddr {
    echo("127.0.0.1:0".parse().unwrap()).await
}

#[tokio::test]
async fn ten_tunnels_of_which_one_is_added_removed_and_changed() {
    let remote = an_echo().await;
    let mut file = File::default();
    let mut locals = Vec::new();
    for n in 0..10 {
        let local = free_port().await;
        locals.push(local);
        file = file.with(&format!("t{n}"), local, remote, "");
    }
    let world = world(&file, Duration::ZERO).await;
    let mut apps = Vec::new();
    for local in &locals {
        let mut app = connect(*local).await;
        echoes(&mut app, b"before").await;
        apps.push(app);
    }
    assert_eq!(world.calls("StartSession"), 10);

    let new = free_port().await;
    edit(&world, &file.clone().with("new", new, remote, "")).await;
    ready(&world, "new").await;
    echoes(&mut connect(new).await, b"new").await;
    assert_eq!(world.calls("StartSession"), 11);

    edit(&world, &file).await;
    assert!(world.daemon.tunnel("new").is_none());

    // The last of ten gets another remote.
    let file = file.with("t9", locals[9], an_echo().await, "");
    edit(&world, &file).await;
    let gone = apps.pop().unwrap();
    reset(gone).await;
    ready(&world, "t9").await;
    assert_eq!(world.calls("StartSession"), 12);
    echoes(&mut connect(locals[9]).await, b"after").await;

    // None of this was noticed by the others.
    for app in &mut apps {
        echoes(app, b"after").await;
    }
    assert_eq!(world.open_sessions(), 10);
    assert_eq!(world.calls("ResumeSession"), 0);
}

async fn reset(mut app: TcpStream) {
    let read = timeout(PATIENCE, app.read(&mut [0])).await.expect("it ends");
    assert!(read.is_err(), "a reset, not an end of file");
}

#[tokio::test]
async fn an_invalid_edit_changes_nothing_and_is_told_until_it_is_mended() {
    let (local, remote) = (free_port().await, an_echo().await);
    let file = File::default().with("a", local, remote, "");
    let world = world(&file, Duration::ZERO).await;
    let mut app = connect(local).await;
    echoes(&mut app, b"before").await;

    let wrong = file.clone().with("b", local, remote, "holt = \"5s\"");
    edit(&world, &wrong).await;
    let report = world.daemon.config_error().expect("a report");
    assert!(report.contains("holt") && report.contains("hold") && report.contains("same local address"), "{report}");
    assert_eq!(world.daemon.version().config_error.as_deref(), Some(report.as_str()));
    assert_eq!(world.daemon.tunnels().len(), 1);
    echoes(&mut app, b"after").await;
    // Whoever asks for it gets the report as well.
    let error = world.daemon.reload().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigInvalid);
    assert!(error.message.contains(&report), "{}", error.message);

    edit(&world, &file).await;
    assert_eq!(world.daemon.config_error(), None);
    echoes(&mut app, b"at last").await;
    assert_eq!(world.calls("StartSession"), 1);
}

#[tokio::test]
async fn keys_that_do_not_matter_to_a_session_change_in_place() {
    let (local, remote) = (free_port().await, an_echo().await);
    let file = File::default().with("a", local, remote, "");
    let world = world(&file, Duration::ZERO).await;
    let mut app = connect(local).await;
    echoes(&mut app, b"before").await;
    let keys =
        "groups = [\"db\"]\nauto = false\nprotected = true\nkeep_alive = \"always\"\nhold = \"1s\"\nprobe = \"none\"";
    edit(&world, &file.with("a", local, remote, keys)).await;
    let status = world.wait("groups", |status| status.groups == ["db"]).await;
    assert_eq!((status.auto, status.protected, status.state), (false, true, TunnelState::Ready));
    echoes(&mut app, b"after").await;
    assert_eq!(world.calls("StartSession"), 1);
}

#[tokio::test]
async fn connections_of_a_changed_tunnel_have_some_time_and_new_ones_go_the_new_way() {
    let (local, old, new) = (free_port().await, an_echo().await, free_port().await);
    let file = File::default().with("a", local, old, "");
    let world = world(&file, PATIENCE * 10).await;
    let mut before = connect(local).await;
    echoes(&mut before, b"before").await;

    // At the new remote nobody answers, so whoever gets an answer has the old session.
    edit(&world, &file.clone().with("a", local, new, "")).await;
    world.wait("degraded", |status| status.state == TunnelState::Degraded).await;
    assert_eq!(world.open_sessions(), 2);
    echoes(&mut before, b"still").await;
    reset(connect(local).await).await;
    drop(before);
    while world.open_sessions() > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // Another port: who is connected stays so, and the old port is free.
    let moved = free_port().await;
    edit(&world, &file.clone().with("a", local, old, "")).await;
    ready(&world, "a").await;
    let mut before = connect(local).await;
    echoes(&mut before, b"before").await;
    edit(&world, &file.with("a", moved, old, "")).await;
    world.wait("moved", |status| status.local == moved.to_string() && status.state == TunnelState::Ready).await;
    echoes(&mut connect(moved).await, b"new").await;
    echoes(&mut before, b"still").await;
    assert!(TcpStream::connect(local).await.is_err(), "nobody listens there");
    world.daemon.down(Vec::new()).await.unwrap();
    // The end of the daemon waits for nobody that an edit has retired.
    let (sim, _folder) = world.stop().await;
    assert!(sim.sessions().sessions.iter().all(|session| session.ended.is_some()));
}

#[tokio::test]
async fn tunnels_that_swap_names_or_ports_in_one_edit_do_not_stand_in_each_other_s_way() {
    let (one, two, remote) = (free_port().await, free_port().await, an_echo().await);
    let file = File::default().with("a", one, remote, "").with("b", two, remote, "");
    let world = world(&file, Duration::ZERO).await;
    let mut failed = world.daemon.subscribe().events;

    edit(&world, &File::default().with("a", two, remote, "").with("b", one, remote, "")).await;
    world.wait("a", |s| s.name == "a" && s.local == two.to_string() && s.state == TunnelState::Ready).await;
    world.wait("b", |s| s.name == "b" && s.local == one.to_string() && s.state == TunnelState::Ready).await;
    // Renamed: the new one binds what the old one has only just left.
    edit(&world, &File::default().with("c", one, remote, "").with("d", two, remote, "")).await;
    ready(&world, "c").await;
    ready(&world, "d").await;
    echoes(&mut connect(one).await, b"c").await;
    while let Ok(event) = failed.try_recv() {
        if let DaemonEvent::TunnelChanged { tunnel } = event {
            assert_ne!(tunnel.state, TunnelState::Failed, "{tunnel:?}");
        }
    }
}

/// On several threads, where what is told to end has not ended when the next thing begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_port_may_change_to_an_address_that_overlaps_with_the_last() {
    let (local, remote) = (free_port().await, an_echo().await);
    let forms = [format!("{}", local.port()), format!("\"{local}\""), format!("\"0.0.0.0:{}\"", local.port())];
    let file = |form: &str| {
        let File(mut tunnels) = File::default().with("a", local, remote, "");
        tunnels[0].1 = tunnels[0].1.replace(&format!("\"{local}\""), form);
        File(tunnels)
    };
    let world = world(&file(&forms[0]), Duration::ZERO).await;
    let mut events = world.daemon.subscribe().events;
    for form in forms.iter().cycle().skip(1).take(6) {
        edit(&world, &file(form)).await;
        // Answered when each tunnel has taken its own change over.
        world.daemon.reload().await.unwrap();
        ready(&world, "a").await;
        echoes(&mut connect(local).await, b"there").await;
    }
    while let Ok(event) = events.try_recv() {
        if let DaemonEvent::TunnelChanged { tunnel } = event {
            assert_ne!(tunnel.state, TunnelState::Failed, "{tunnel:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_the_daemon_has_its_own_time_for_what_an_edit_has_removed() {
    let (local, remote) = (free_port().await, an_echo().await);
    let file = File::default().with("a", local, remote, "");
    let world = world(&file, PATIENCE * 10).await;
    let mut app = connect(local).await;
    echoes(&mut app, b"before").await;
    edit(&world, &file.without("a")).await;
    echoes(&mut app, b"still").await;
    world.daemon.stop(Some(Duration::ZERO)).await.unwrap();
    let (sim, _folder) = world.stop().await;
    assert!(sim.sessions().sessions.iter().all(|session| session.ended.is_some()));
    reset(app).await;
}

#[tokio::test]
async fn what_an_added_tunnel_does_depends_on_what_it_says_and_what_was_wanted() {
    let (remote, a) = (an_echo().await, free_port().await);
    let file = File::default().with("a", a, remote, "");
    let world = world(&file, Duration::ZERO).await;
    let with = file
        .clone()
        .with("off", free_port().await, remote, "auto = false")
        .with("guarded", free_port().await, remote, "protected = true")
        .with("on", free_port().await, remote, "");
    edit(&world, &with).await;
    ready(&world, "on").await;
    let remembered = || std::fs::read_to_string(world.state_file()).unwrap_or_default();
    let written = async {
        while !remembered().replace(' ', "").contains("\"on\":\"up\"") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, written).await.unwrap_or_else(|_| panic!("{}", remembered()));
    for name in ["off", "guarded"] {
        assert_eq!(world.daemon.tunnel(name).unwrap().wanted, TargetState::Down, "{name}");
    }
    // Down stays down, when it is commented out for a while as well.
    world.daemon.down(vec!["on".into()]).await.unwrap();
    world.wait("on", |status| status.name == "on" && status.state == TunnelState::Down).await;
    edit(&world, &with.clone().without("on")).await;
    edit(&world, &with).await;
    assert_eq!(world.daemon.tunnel("on").unwrap().wanted, TargetState::Down);
    // The board has the order of the file.
    let names: Vec<String> = world.daemon.tunnels().into_iter().map(|status| status.name).collect();
    assert_eq!(names, ["a", "off", "guarded", "on"]);
}

#[tokio::test]
async fn a_failed_tunnel_is_tried_again_when_it_is_mended() {
    let (local, remote) = (free_port().await, an_echo().await);
    let file = File::default().with("a", local, remote, "");
    let unused = free_port().await;
    let wrong = file.clone().with("a", local, remote, "document = \"No-Such\"");
    let folder = tempfile::tempdir().unwrap();
    let world = World::run(simulator().await, folder, unused, unused, &wrong.text(), Duration::ZERO);
    world.daemon.up(Vec::new(), None).await.unwrap();
    world.wait_for(TunnelState::Failed).await;
    edit(&world, &file).await;
    world.wait_for(TunnelState::Ready).await;
}
