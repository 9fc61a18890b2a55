//! Several sessions of one tunnel: who gets which, and what becomes of the others when something happens to one.

use crate::harness::{NAME, PATIENCE, World, echoes, noise};
use ssm_sim::{Cut, How, Side};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tunnels_api::{SessionState, TunnelState};

/// A connection that always has much on its way; its task ends well when it is told to stop.
struct Bulk {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Bulk {
    async fn start(world: &World) -> Self {
        let mut app = world.connect().await;
        // From then on it has a seat.
        echoes(&mut app, b"first").await;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            let bytes = noise(200_000);
            while !stopped.is_cancelled() {
                echoes(&mut app, &bytes).await;
            }
        });
        Self { stop, running }
    }

    fn is_open(&self) -> bool {
        !self.running.is_finished()
    }

    /// All of it came back.
    async fn finish(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.expect("the last echo comes").expect("every echo was right");
    }
}

impl World {
    async fn wait_for_sessions(&self, count: u32) {
        self.wait(&format!("{count} sessions"), |status| status.sessions == count).await;
    }

    /// The sessions and their connections, the oldest first.
    fn seats(&self) -> Vec<(String, u32)> {
        let sessions = self.daemon.sessions(NAME).unwrap();
        sessions.into_iter().map(|session| (session.id, session.connections)).collect()
    }

    fn cut_session(&self, id: &str) {
        let cut = Cut { side: Side::Client, how: How::Reset, session: Some(id.to_owned()), for_s: None };
        assert_eq!(self.sim.cut(&cut), 1, "one channel is cut");
    }
}

/// A tunnel with so many sessions, each busy with a connection of its own.
async fn busy(sessions: u32) -> (World, Vec<Bulk>) {
    let world = World::ready(&format!("max_sessions = {sessions}")).await;
    let mut bulk = Vec::new();
    for open in 1..=sessions {
        world.wait_for_sessions(open).await;
        bulk.push(Bulk::start(&world).await);
    }
    assert!(world.seats().iter().all(|(_, connections)| *connections == 1), "{:?}", world.seats());
    (world, bulk)
}

#[tokio::test]
async fn each_busy_connection_has_a_session_of_its_own_while_there_may_be_more() {
    let (world, mut bulk) = busy(3).await;
    bulk.push(Bulk::start(&world).await);
    let mut seats: Vec<u32> = world.seats().into_iter().map(|(_, connections)| connections).collect();
    seats.sort_unstable();
    assert_eq!(seats, [1, 1, 2]);
    for each in bulk {
        each.finish().await;
    }
    assert_eq!((world.calls("StartSession"), world.status().state), (3, TunnelState::Ready));
    let (sim, _folder) = world.stop().await;
    assert!(sim.sessions().sessions.iter().all(|session| session.ended.is_some()));
}

#[tokio::test]
async fn connections_that_carry_nothing_share_one_session() {
    let world = World::ready("max_sessions = 8").await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut app = world.connect().await;
        echoes(&mut app, b"select 1").await;
        idle.push(app);
    }
    // Longer than it takes to find a session busy for good.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.calls("StartSession"), 1);
    assert_eq!(world.seats()[0].1, 20);
}

/// Waits until a cause in the tunnel's history has these words.
async fn history_tells(world: &World, words: &str) {
    let is_told = || {
        let history = world.daemon.history(NAME).unwrap();
        history.changes.iter().any(|change| change.cause.text.contains(words))
    };
    let told = async {
        while !is_told() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("the history does not tell of: {words}"));
}

#[tokio::test]
async fn a_session_that_ends_costs_its_own_connections_and_nothing_else() {
    for place in [0, 1, 2] {
        let (world, mut bulk) = busy(3).await;
        let (lost, _) = world.seats()[place].clone();
        assert!(world.sim.close_session(&lost, "maintenance"));
        let ended = async {
            while bulk.iter().all(Bulk::is_open) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, ended).await.expect("its connection is reset");
        bulk.retain(Bulk::is_open);
        assert_eq!(bulk.len(), 2);
        echoes(&mut world.connect().await, b"new").await;
        for each in bulk {
            each.finish().await;
        }
        assert_eq!(world.status().state, TunnelState::Ready, "whichever it was");
        history_tells(&world, "maintenance").await;
    }
}

#[tokio::test]
async fn a_lost_channel_freezes_its_own_connections_and_new_ones_go_elsewhere() {
    for place in [0, 1] {
        let (world, bulk) = busy(2).await;
        let (lost, _) = world.seats()[place].clone();
        // It cannot be resumed for a while.
        world.sim.set_faults(&serde_json::json!({ "resume_refusals": 1000 })).unwrap();
        world.cut_session(&lost);
        let frozen = world.wait("one frozen", |status| status.sessions_resuming == 1).await;
        assert_eq!((frozen.state, frozen.sessions), (TunnelState::Ready, 2), "at least one carries");
        let state =
            |id: &str| world.daemon.sessions(NAME).unwrap().into_iter().find(|session| session.id == id).unwrap();
        assert_eq!(state(&lost).state, SessionState::Resuming);
        echoes(&mut world.connect().await, b"new").await;
        assert_eq!(state(&lost).connections, 1, "its own stays");
        world.sim.clear_faults();
        world.wait("all carry", |status| (status.sessions, status.sessions_resuming) == (2, 0)).await;
        for each in bulk {
            each.finish().await;
        }
        assert_eq!(world.calls("StartSession"), 2);
    }
}

#[tokio::test]
async fn a_pool_that_cannot_grow_is_no_trouble_of_the_tunnel_s() {
    let world = World::ready("max_sessions = 4").await;
    world.sim.set_faults(&serde_json::json!({ "throttle": true })).unwrap();
    let bulk = Bulk::start(&world).await;
    history_tells(&world, "no further session").await;
    let status = world.status();
    assert_eq!((status.state, status.cause, status.sessions), (TunnelState::Ready, None, 1));
    echoes(&mut world.connect().await, b"new").await;
    bulk.finish().await;
}

#[tokio::test]
async fn down_ends_every_session() {
    let (world, _bulk) = busy(3).await;
    world.daemon.down(vec![]).await.unwrap();
    world.wait_for(TunnelState::Down).await;
    let ended = async {
        while world.open_sessions() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("all are terminated");
    world.wait_for_sessions(0).await;
}

#[tokio::test]
async fn an_edit_of_max_sessions_touches_no_connection() {
    let (world, bulk) = busy(3).await;
    let text = |most: u8| {
        let (remote, local) = (world.remote, world.local);
        format!(
            "[tunnels.{NAME}]\nremote = \"{remote}\"\nlocal = \"{local}\"\ntarget = \"{}\"\nmax_sessions = {most}\n",
            ssm_sim::DEFAULT_NODE
        )
    };
    world.edit(&text(1));
    // What is too much takes no new connections, and stays for those it has.
    let mut late = Vec::new();
    let shares = async {
        loop {
            let mut app = world.connect().await;
            echoes(&mut app, b"which").await;
            late.push(app);
            let mut seats: Vec<u32> = world.seats().into_iter().map(|(_, connections)| connections).collect();
            seats.sort_unstable();
            if seats[2] >= 8 {
                break;
            }
        }
    };
    timeout(PATIENCE, shares).await.expect("one session gets all that is new");
    for each in bulk {
        each.finish().await;
    }
    for mut app in late {
        app.write_all(b"x").await.unwrap();
        app.read_exact(&mut [0]).await.unwrap();
    }
    world.wait_for_sessions(1).await;
    world.edit(&text(2));
    let bulk = Bulk::start(&world).await;
    world.wait_for_sessions(2).await;
    bulk.finish().await;
}
