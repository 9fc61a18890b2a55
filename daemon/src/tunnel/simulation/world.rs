//! One seed's run: a tunnel, applications, faults for some hours of virtual time, and what must hold.

use super::application::{Applications, Tally, Use};
use super::path::{Change, Leg};
use super::pick;
use super::sky::{End, Sky};
use crate::config::LocalAddr;
use crate::doors::Doors;
use crate::leftovers;
use crate::state::StateFile;
use crate::status::StatusBoard;
use crate::tunnel::nudge::Nudge;
use crate::tunnel::task::{Edits, TunnelTask};
use crate::tunnel::{Allowances, Nudges, Surroundings, TunnelCommand, Turns};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tunnels_api::{Timestamp, TunnelState, TunnelStatus};

/// When all faults are over, a tunnel carries again within this: the longest pause between tries is 30 s, and a
/// session that turns out to be dead costs some seconds more.
const RECOVERY: Duration = Duration::from_mins(1);
/// A user whose connection does not get an answer for so long tries another.
const NEXT: Duration = Duration::from_secs(5);
/// Connections that are frozen then have come to an end within this: a session's patience, and the above.
const CONNECTIONS: Duration = Duration::from_mins(20);
/// Sessions are terminated within this once nobody wants them: those whose end AWS did not hear of are tried again
/// each minute.
const ENDING: Duration = Duration::from_secs(90);
/// Commands are obeyed at once, by virtual time.
pub(super) const OBEYED: Duration = Duration::from_millis(1);
const MOST_CONNECTIONS: u64 = 10;
/// Sessions that nobody uses end within this: after 30 s, and the call that ends them.
const UNUSED: Duration = Duration::from_secs(40);

/// What a run has seen.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) tally: Tally,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) calls: BTreeMap<&'static str, u64>,
    /// From the end of all faults to the first answer.
    pub(super) recovery: Duration,
    /// What must never happen.
    pub(super) wrong: Vec<String>,
}

#[derive(Debug)]
struct World {
    sky: Sky,
    applications: Applications,
    nudges: Nudges,
    state: StateFile,
    board: StatusBoard,
    commands: mpsc::Sender<TunnelCommand>,
    port: u16,
    max_sessions: usize,
    /// Whether the user wants the tunnel up.
    wanted: Arc<Mutex<bool>>,
    random: fastrand::Rng,
    report: Report,
}

/// A fault, and how it is brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CutClient,
    CutAgent,
    DarkClient,
    DarkAgent,
    SlowPath,
    OddFrames,
    NoNetwork,
    NoGateway,
    NoLogin,
    Throttled,
    NoResume,
    NoRemote,
    TargetOffline,
    EndedByService,
    IdlePolicy,
    WorkerKilled,
    LongestLife,
    OtherNetwork,
    Slept,
    DownAndUp,
    Restart,
}

const FAULTS: [Fault; 21] = [
    Fault::CutClient,
    Fault::CutAgent,
    Fault::DarkClient,
    Fault::DarkAgent,
    Fault::SlowPath,
    Fault::OddFrames,
    Fault::NoNetwork,
    Fault::NoGateway,
    Fault::NoLogin,
    Fault::Throttled,
    Fault::NoResume,
    Fault::NoRemote,
    Fault::TargetOffline,
    Fault::EndedByService,
    Fault::IdlePolicy,
    Fault::WorkerKilled,
    Fault::LongestLife,
    Fault::OtherNetwork,
    Fault::Slept,
    Fault::DownAndUp,
    Fault::Restart,
];

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::CutClient => "client's websocket cut",
            Self::CutAgent => "agent's websocket cut",
            Self::DarkClient => "client's path dark",
            Self::DarkAgent => "agent's path dark",
            Self::SlowPath => "path slow",
            Self::OddFrames => "frames lost, doubled, overtaken",
            Self::NoNetwork => "no network",
            Self::NoGateway => "gateway refuses",
            Self::NoLogin => "credentials expired",
            Self::Throttled => "throttled",
            Self::NoResume => "resume refused",
            Self::NoRemote => "remote refuses",
            Self::TargetOffline => "target offline",
            Self::EndedByService => "session ended",
            Self::IdlePolicy => "idle policy",
            Self::WorkerKilled => "agent's worker killed",
            Self::LongestLife => "maximum duration",
            Self::OtherNetwork => "network changed",
            Self::Slept => "machine slept",
            Self::DownAndUp => "down and up",
            Self::Restart => "restart",
        }
    }
}

pub(super) fn run(seed: u64, hours: u64) -> Report {
    // All jitter of the code under test comes from this.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (world, task, _state) = World::new(seed);
        world.live(task, Duration::from_hours(hours)).await
    })
}

impl World {
    fn new(seed: u64) -> (Self, TunnelTask, tempfile::TempDir) {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let sky = Sky::new(random.u64(..));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let open = if random.u8(..4) == 0 { "on-demand" } else { "eager" };
        let max_sessions = random.usize(1..=8);
        let text = format!(
            "[tunnels.a]\nremote = \"db.internal:7\"\nlocal = \"127.0.0.1:{port}\"\nopen = \"{open}\"\nprobe = \"tcp\"\n\
             target = [\"i-0123456789abcdef0\", \"i-0123456789abcdef1\"]\npark_after = \"{}m\"\n\
             max_sessions = {max_sessions}\n",
            random.u8(2..60),
        );
        let config = Arc::new(crate::config::parse(Path::new("c"), &text).unwrap().tunnels.remove(0));
        assert!(matches!(config.local, LocalAddr::Ip(_)));
        let folder = tempfile::tempdir().unwrap();
        let (nudges, board) = (Nudges::new(), StatusBoard::new(Timestamp::UNIX_EPOCH));
        let state = StateFile::open(folder.path(), Path::new("/s")).unwrap();
        let around = Surroundings {
            aws: Arc::new(sky.clone()),
            board: board.clone(),
            state: state.clone(),
            turns: Turns::default(),
            doors: Doors::default(),
            nudges: nudges.clone(),
            allowances: Allowances::default(),
            drain: Duration::from_secs(5),
            hurry: CancellationToken::new(),
        };
        let (commands, queue) = mpsc::channel(16);
        let (in_force, _) = watch::channel(Arc::clone(&config));
        let (_, edits) = watch::channel(config);
        let task = TunnelTask::new(Edits { edits, in_force }, around, queue);
        let applications = Applications { sky: sky.clone(), shared: task.shared(), tally: Arc::default() };
        let wanted = Arc::new(Mutex::new(false));
        let report = Report::default();
        let world =
            Self { sky, applications, nudges, state, board, commands, port, max_sessions, wanted, random, report };
        (world, task, folder)
    }

    async fn live(mut self, task: TunnelTask, length: Duration) -> Report {
        let task = tokio::spawn(task.run());
        self.up().await;
        let traffic = tokio::spawn(traffic(self.applications.clone(), self.random.fork()));
        let cleaning = tokio::spawn(leftovers::keep_ended(Arc::new(self.sky.clone()), self.state.clone()));
        let watching = tokio::spawn(watch_port(self.applications.clone(), Arc::clone(&self.wanted), self.port));
        let counting = tokio::spawn(watch_pool(self.applications.clone(), self.max_sessions));
        let end = Instant::now() + length;
        while Instant::now() < end {
            sleep(pick(&mut self.random, Duration::from_secs(5)..Duration::from_mins(12))).await;
            let fault = FAULTS[self.random.usize(..FAULTS.len())];
            *self.report.faults.entry(fault.name()).or_default() += 1;
            self.bring_about(fault).await;
        }
        self.clear_up().await;
        traffic.abort();
        self.wait("every connection has come to its end", CONNECTIONS, |world| {
            world.applications.tally(|tally| tally.open == 0)
        })
        .await;
        watching.abort();
        counting.abort();
        self.wait("unused sessions end", UNUSED, |world| world.sky.open_sessions().len() <= 1).await;
        self.down().await;
        self.wait_until_none_is_left().await;
        self.commands.send(TunnelCommand::Stop(Duration::ZERO)).await.unwrap();
        cleaning.abort();
        if timeout(ENDING, task).await.is_err() {
            self.report.wrong.push("the tunnel's task does not end".into());
        }
        self.report.calls = self.sky.calls();
        self.report.tally = self.applications.tally(|tally| tally.clone());
        self.report.wrong.append(&mut self.report.tally.wrong);
        self.report
    }

    /// When everything works again, so does the tunnel, by itself.
    async fn clear_up(&mut self) {
        self.sky.set_weather(|weather| *weather = super::sky::Weather::default());
        for id in self.sky.open_sessions() {
            self.sky.change_path(&id, Change::Delay(Duration::from_millis(40)));
        }
        let cleared = Instant::now();
        let (applications, mut random) = (self.applications.clone(), self.random.fork());
        let answered = timeout(RECOVERY, async {
            loop {
                // One that got a session whose agent is dead is frozen with it; the next one is not.
                let one = tokio::spawn(applications.clone().run(random.fork(), Use::Questions(1)));
                if timeout(NEXT, one).await.is_ok_and(|run| run.unwrap()) {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        });
        if answered.await.is_err() {
            self.wrong("no connection carries although all faults are over");
        }
        self.report.recovery = cleared.elapsed();
    }

    async fn wait(&mut self, what: &str, patience: Duration, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + patience;
        while !is(self) {
            if Instant::now() >= deadline {
                return self.wrong(&format!("not so after {patience:?}: {what}"));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn wait_until_none_is_left(&mut self) {
        self.wait("every session is terminated", ENDING, |world| world.sky.open_sessions().is_empty()).await;
    }

    fn wrong(&mut self, what: &str) {
        let (status, weather) = (self.status(), self.sky.weather());
        self.report.wrong.push(format!("{what}; {weather:?}; open {:?}; {status:?}", self.sky.open_sessions()));
    }

    fn status(&self) -> TunnelStatus {
        self.board.subscribe().snapshot.remove(0)
    }

    async fn up(&self) {
        self.commands.send(TunnelCommand::Up(None)).await.unwrap();
        let _ = timeout(Duration::from_secs(5), async {
            while matches!(self.status().state, TunnelState::Down) {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        *self.wanted.lock().unwrap() = true;
    }

    async fn down(&self) {
        *self.wanted.lock().unwrap() = false;
        self.end_connections(TunnelCommand::Down).await;
        while self.status().state != TunnelState::Down {
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn restart(&self) {
        self.end_connections(TunnelCommand::Restart).await;
    }

    /// Whatever is open now, or comes before the task has obeyed, is the user's to lose.
    async fn end_connections(&self, command: TunnelCommand) {
        self.applications.tally(|tally| tally.ended_by_user += 1);
        self.commands.send(command).await.unwrap();
        sleep(OBEYED).await;
        self.applications.tally(|tally| tally.ended_by_user += 1);
    }

    /// For a while.
    async fn weather(&mut self, change: impl FnOnce(&mut super::sky::Weather)) {
        self.sky.set_weather(change);
        sleep(pick(&mut self.random, Duration::from_secs(1)..Duration::from_mins(8))).await;
    }

    async fn bring_about(&mut self, fault: Fault) {
        let open = self.sky.open_sessions();
        let one = if open.is_empty() { None } else { Some(open[self.random.usize(..open.len())].clone()) };
        match (fault, one) {
            (Fault::CutClient, Some(id)) => self.sky.change_path(&id, Change::Cut(Leg::Client)),
            (Fault::CutAgent, Some(id)) => self.sky.change_path(&id, Change::Cut(Leg::Agent)),
            // Each side finds that out by its pings, and the agent takes longer (docs/protocol.md §2.5).
            (Fault::DarkClient, Some(id)) => self.darken(&id, Leg::Client, Duration::from_secs(30)),
            (Fault::DarkAgent, Some(id)) => self.darken(&id, Leg::Agent, Duration::from_secs(100)),
            (Fault::SlowPath, Some(id)) => {
                let delay = pick(&mut self.random, Duration::from_millis(100)..Duration::from_secs(3));
                self.sky.change_path(&id, Change::Delay(delay));
            }
            (Fault::OddFrames, _) => {
                self.weather(|weather| weather.odd_frame = Some(10)).await;
                self.sky.set_weather(|weather| weather.odd_frame = None);
            }
            (Fault::NoNetwork, _) => {
                for id in open {
                    self.darken(&id, Leg::Client, Duration::from_secs(30));
                }
                self.weather(|weather| weather.no_network = true).await;
                self.sky.set_weather(|weather| weather.no_network = false);
            }
            (Fault::NoGateway, _) => {
                for id in open {
                    self.sky.change_path(&id, Change::Cut(Leg::Client));
                }
                self.weather(|weather| weather.no_gateway = true).await;
                self.sky.set_weather(|weather| weather.no_gateway = false);
            }
            (Fault::NoLogin, one) => {
                self.sky.set_weather(|weather| weather.no_login = true);
                self.cut(one);
                self.weather(|weather| weather.no_login = true).await;
                self.sky.set_weather(|weather| weather.no_login = false);
                if self.random.bool() {
                    self.nudges.send(Nudge::Login);
                }
            }
            (Fault::Throttled, one) => {
                self.cut(one);
                self.weather(|weather| weather.throttled = true).await;
                self.sky.set_weather(|weather| weather.throttled = false);
            }
            (Fault::NoResume, one) => {
                self.cut(one);
                self.weather(|weather| weather.no_resume = true).await;
                self.sky.set_weather(|weather| weather.no_resume = false);
            }
            (Fault::NoRemote, _) => {
                self.weather(|weather| weather.no_remote = true).await;
                self.sky.set_weather(|weather| weather.no_remote = false);
            }
            (Fault::TargetOffline, _) => {
                let target = format!("i-0123456789abcdef{}", self.random.u8(..2));
                self.weather(|weather| {
                    weather.offline.insert(target);
                })
                .await;
                self.sky.set_weather(|weather| weather.offline.clear());
            }
            (Fault::EndedByService, Some(id)) => self.sky.end(&id, End::Service, "Session was terminated"),
            (Fault::IdlePolicy, Some(id)) => {
                self.sky.end(&id, End::Service, "Your session timed out due to inactivity.");
            }
            (Fault::WorkerKilled, Some(id)) => self.sky.kill_worker(&id),
            (Fault::LongestLife, _) => {
                let longest = pick(&mut self.random, Duration::from_mins(1)..Duration::from_hours(1));
                self.sky.set_weather(|weather| weather.longest = Some(longest));
            }
            (Fault::OtherNetwork, _) => self.nudges.send(Nudge::Network),
            (Fault::Slept, _) => {
                for id in open {
                    self.sky.change_path(&id, Change::Cut(Leg::Client));
                }
                self.nudges.send(Nudge::Woke);
            }
            (Fault::DownAndUp, _) => {
                // In the middle of opening a session, now and then.
                if self.random.bool() {
                    self.restart().await;
                    sleep(pick(&mut self.random, Duration::ZERO..Duration::from_millis(600))).await;
                }
                self.down().await;
                self.wait_until_none_is_left().await;
                sleep(pick(&mut self.random, Duration::from_millis(1)..Duration::from_mins(1))).await;
                self.up().await;
            }
            (Fault::Restart, _) => self.restart().await,
            // There is no session that anything could happen to.
            (_, None) => {}
        }
    }

    fn cut(&self, id: Option<String>) {
        if let Some(id) = id {
            self.sky.change_path(&id, Change::Cut(Leg::Client));
        }
    }

    fn darken(&mut self, id: &str, leg: Leg, at_most: Duration) {
        self.sky.change_path(id, Change::Darken(leg));
        let noticed = pick(&mut self.random, Duration::from_secs(5)..at_most);
        let (sky, id) = (self.sky.clone(), id.to_owned());
        tokio::spawn(async move {
            sleep(noticed).await;
            sky.change_path(&id, Change::Cut(leg));
        });
    }
}

async fn traffic(applications: Applications, mut random: fastrand::Rng) {
    loop {
        sleep(pick(&mut random, Duration::from_secs(1)..Duration::from_mins(4))).await;
        // One by one, or several at once, as programs with pools of their own do.
        let several = if random.u8(..4) == 0 { random.u8(2..8) } else { 1 };
        let bulk = random.u8(..6) == 0;
        for _ in 0..several {
            if applications.tally(|tally| tally.open) < MOST_CONNECTIONS {
                let what = if bulk { Use::Bulk(random.u32(4..20)) } else { Use::Questions(random.u32(1..20)) };
                tokio::spawn(applications.clone().run(random.fork(), what));
            }
        }
    }
}

/// Never do more sessions take connections than there may be.
async fn watch_pool(applications: Applications, max_sessions: usize) {
    let mut gate = applications.shared.gate.clone();
    while gate.changed().await.is_ok() {
        let carriers = gate.borrow_and_update().carriers.len();
        applications.tally(|tally| {
            tally.most_sessions = tally.most_sessions.max(carriers as u64);
            if carriers > max_sessions {
                tally.wrong.push(format!("{carriers} sessions take connections, of {max_sessions}"));
            }
        });
    }
}

/// The port is ours for as long as the tunnel is wanted, whatever else happens.
async fn watch_port(applications: Applications, wanted: Arc<Mutex<bool>>, port: u16) {
    loop {
        sleep(Duration::from_secs(37)).await;
        if *wanted.lock().unwrap() {
            // As a stranger would, without the option that lets a port in its last minute be bound.
            match std::net::TcpListener::bind(("127.0.0.1", port)) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                other => applications.tally(|tally| tally.wrong.push(format!("the port was free: {other:?}"))),
            }
        }
    }
}
