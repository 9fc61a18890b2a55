//! A hundred edits drawn from a seed, each checked against what it may touch: whoever is connected through a tunnel that
//! an edit is not about does not notice it.

use crate::edits::{File, edit, ready, world};
use crate::harness::{PATIENCE, World, connect, echo, echoes, free_port};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tunnels_api::DaemonEvent;

const EDITS: usize = 100;
const TUNNELS: usize = 8;
/// A pool would open sessions beside the first while bytes go to and fro, and the account of sessions would not be one of edits.
/// And without a probe nobody waits 300 ms for a refusal of each: what follows asks the remote itself.
const KEYS: &str = "max_sessions = 1\nprobe = \"none\"";

/// A tunnel as the file has it, and a connection through it.
struct Held {
    local: SocketAddr,
    remote: SocketAddr,
    keys: String,
    app: TcpStream,
}

/// One edit of a random tunnel.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A new tunnel.
    Add,
    /// A tunnel goes.
    Remove,
    /// Another remote: the session goes.
    Remote,
    /// Another port: the session goes with the old one.
    Local,
    /// A key that does not matter to a session.
    InPlace,
    /// The same tunnels in another order, and a comment.
    Shuffle,
    /// A mistake.
    Invalid,
}

const KINDS: [Kind; 7] =
    [Kind::Add, Kind::Remove, Kind::Remote, Kind::Local, Kind::InPlace, Kind::Shuffle, Kind::Invalid];

struct Play {
    random: fastrand::Rng,
    world: World,
    remotes: [SocketAddr; 2],
    held: BTreeMap<String, Held>,
    order: Vec<String>,
    count: usize,
    sessions: usize,
}

impl Play {
    fn file(&self) -> File {
        let with = |file: File, name: &String| {
            let Held { local, remote, keys, .. } = &self.held[name];
            file.with(name, *local, *remote, keys)
        };
        self.order.iter().fold(File::default(), with)
    }

    fn any(&mut self) -> String {
        self.order[self.random.usize(..self.order.len())].clone()
    }

    async fn add(&mut self) {
        let name = format!("t{}", self.count);
        self.count += 1;
        let (local, remote) = (free_port().await, self.remotes[0]);
        let file = self.file().with(&name, local, remote, KEYS);
        edit(&self.world, &file).await;
        ready(&self.world, &name).await;
        let app = connected(local).await;
        let at = self.random.usize(..=self.order.len());
        self.order.insert(at, name.clone());
        self.held.insert(name, Held { local, remote, keys: KEYS.to_owned(), app });
        self.sessions += 1;
    }

    /// Writes the file with one tunnel changed; its old connection ends, and a new one goes the new way.
    async fn changed(&mut self, name: &str, change: impl FnOnce(&mut Held)) {
        let mut held = self.held.remove(name).expect("one that is held");
        change(&mut held);
        let local = held.local;
        let mut old = std::mem::replace(&mut held.app, stand_in().await);
        self.held.insert(name.to_owned(), held);
        edit(&self.world, &self.file()).await;
        let end = timeout(PATIENCE, old.read(&mut [0])).await.expect("its time is up");
        assert!(end.is_err(), "a reset, not an end of file");
        // Answered when each tunnel has taken its own change over.
        self.world.daemon.reload().await.expect("the file is sound");
        let shown = local.to_string();
        self.world
            .wait(name, |status| {
                status.name == name && status.local == shown && status.state == tunnels_api::TunnelState::Ready
            })
            .await;
        self.held.get_mut(name).expect("one that is held").app = connected(local).await;
        self.sessions += 1;
    }

    async fn play(&mut self, kind: Kind) {
        match kind {
            Kind::Add => self.add().await,
            Kind::Remove => {
                let name = self.any();
                self.order.retain(|known| *known != name);
                let mut gone = self.held.remove(&name).expect("one that is held");
                edit(&self.world, &self.file()).await;
                let end = timeout(PATIENCE, gone.app.read(&mut [0])).await.expect("its time is up");
                assert!(end.is_err(), "a reset, not an end of file");
                assert!(self.world.daemon.tunnel(&name).is_none());
            }
            Kind::Remote => {
                let (name, remotes) = (self.any(), self.remotes);
                self.changed(&name, |held| {
                    held.remote = if held.remote == remotes[0] { remotes[1] } else { remotes[0] }
                })
                .await;
            }
            Kind::Local => {
                let (name, local) = (self.any(), free_port().await);
                self.changed(&name, |held| held.local = local).await;
            }
            Kind::InPlace => {
                let (name, number) = (self.any(), self.random.u32(1..60));
                let keys = format!("{KEYS}\ngroups = [\"g{number}\"]\nhold = \"{number}s\"\nkeep_alive = \"always\"");
                self.held.get_mut(&name).expect("one that is held").keys = keys;
                edit(&self.world, &self.file()).await;
            }
            Kind::Shuffle => {
                self.random.shuffle(&mut self.order);
                let text = format!("# edit {}\n{}", self.random.u32(..), self.file().text());
                let mut news = self.world.daemon.subscribe().events;
                self.world.edit(&text);
                let done = async { while !matches!(news.recv().await.unwrap(), DaemonEvent::ConfigReloaded) {} };
                timeout(PATIENCE, done).await.expect("the edit is seen");
            }
            Kind::Invalid => {
                let name = self.any();
                let keys = format!("holt = \"{}s\"", self.random.u32(..));
                let Held { local, remote, .. } = &self.held[&name];
                // Another mistake than the last: the same one would be told once.
                let wrong = self.file().with(&name, *local, *remote, &keys);
                edit(&self.world, &wrong).await;
                assert!(self.world.daemon.config_error().is_some());
            }
        }
    }
}

/// A connection whose bytes come back.
async fn connected(local: SocketAddr) -> TcpStream {
    let mut app = connect(local).await;
    echoes(&mut app, b"begin").await;
    app
}

/// Some connection, for the moment in which there is no other.
async fn stand_in() -> TcpStream {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
}

/// `EDITS_SEED` makes the same choices again.
#[tokio::test]
async fn untouched_tunnels_keep_their_connections_through_a_hundred_random_edits() {
    let seed = std::env::var("EDITS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("EDITS_SEED={seed}");
    let any = "127.0.0.1:0".parse().unwrap();
    let remotes = [echo(any).await, echo(any).await];
    let mut play = Play {
        random: fastrand::Rng::with_seed(seed),
        world: world(&File::default(), Duration::ZERO).await,
        remotes,
        held: BTreeMap::new(),
        order: Vec::new(),
        count: 0,
        sessions: 0,
    };
    for _ in 0..TUNNELS {
        play.add().await;
    }
    for number in 0..EDITS {
        let kind = match play.order.len() {
            0..=2 => Kind::Add,
            len if len > 2 * TUNNELS => Kind::Remove,
            _ => KINDS[play.random.usize(..KINDS.len())],
        };
        eprintln!("edit {number}: {kind:?}");
        play.play(kind).await;
        // Those of the tunnel that the edit was about were made anew.
        for held in play.held.values_mut() {
            echoes(&mut held.app, b"still").await;
        }
        assert_eq!(play.world.daemon.tunnels().len(), play.order.len());
    }
    assert_eq!(play.world.calls("StartSession"), play.sessions, "nobody's session was made anew without need");
    assert_eq!(play.world.calls("ResumeSession"), 0);
}
