//! The loop: joins the daemon's news, clicks, answers and the clock; shows what has changed.
//!
//! It decides nothing, and nothing in it waits for the daemon or for another program.

use crate::action::Action;
use crate::bus::Bus;
use crate::item::{Event, PanelItem};
use crate::notice::{Expiry, Notice};
use crate::perform::Performer;
use crate::policy::Policy;
use crate::scene::{Link, Scene};
use crate::settings::Settings;
use ksni::{Handle, TrayMethods as _};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tunnels_api::{ApiError, Client, ClientError, DaemonEvent, ErrorCode, Timestamp, Tunnels};
use tunnels_tui::conn::{Connection, News};
use tunnels_tui::dashboard::StartDaemon;
use tunnels_tui::model::Model;

/// News of so long are shown together: a lost websocket that is there again by then is not shown at all.
const GATHER: Duration = Duration::from_millis(200);
/// How long the panel may take to let go of the icon.
const FAREWELL: Duration = Duration::from_secs(1);
/// Clicks that wait to be taken in.
const CLICKS: usize = 16;
/// Things that are being done at the same time, terminals that are open included.
const MOST_TASKS: usize = 64;

/// What the tray runs with.
pub struct Options {
    /// The daemon.
    pub client: Client,
    /// How a daemon is started, if it may be from here.
    pub start: Option<StartDaemon>,
    /// The words that open the dashboard on a terminal.
    pub dashboard: Vec<OsString>,
    /// Whether there are to be notifications; as was chosen last if none.
    pub notifications: Option<bool>,
    /// Where what is chosen in the menu is kept.
    pub state_dir: PathBuf,
    /// Says something to whoever has started it.
    pub say: fn(&str),
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Shows the tray until its user quits it.
///
/// # Errors
/// No session bus, or one that ended; a tray that is there already for the same daemon. Without a panel that shows tray
/// icons it waits for one, and says so.
pub async fn run(options: Options) -> Result<(), ApiError> {
    let bus = Bus::connect().await?;
    bus.claim(options.client.socket()).await?;
    let mut connection = Connection::new(options.client.clone());
    let chosen = Settings::load(&options.state_dir).notifications;
    let mut scene = Scene {
        tunnels: Model::new(&[]),
        link: Link::Up,
        can_start: options.start.is_some(),
        notifies: options.notifications.unwrap_or(chosen),
    };
    // So that the first icon is the right one.
    let first = connection.next().await;
    let expiry = apply(&mut scene, first);
    let (events, happens) = mpsc::channel(CLICKS);
    let item = PanelItem { view: scene.view(Timestamp::now()), events };
    let handle = item.assume_sni_available(true).spawn().await.map_err(|error| not_shown(&error))?;
    let performer = Performer {
        client: options.client,
        speaker: bus.speaker(),
        start: options.start,
        dashboard: options.dashboard,
    };
    let mut tray = Tray {
        scene,
        policy: Policy::default(),
        handle,
        performer,
        tasks: JoinSet::new(),
        state_dir: options.state_dir,
        say: options.say,
        refresh_at: Some(Instant::now()),
        is_asking: false,
        is_drawing: false,
        is_stale: false,
        is_mute: false,
    };
    tray.warn(expiry);
    tray.run(bus, connection, happens).await
}

struct Tray {
    scene: Scene,
    policy: Policy,
    handle: Handle<PanelItem>,
    performer: Performer,
    tasks: JoinSet<Outcome>,
    state_dir: PathBuf,
    say: fn(&str),
    /// When what has changed is to be shown and told.
    refresh_at: Option<Instant>,
    /// The daemon is being asked for all tunnels.
    is_asking: bool,
    /// A view is being given to the panel, which may take its time.
    is_drawing: bool,
    /// Something has changed meanwhile.
    is_stale: bool,
    /// Nobody shows notifications, and that was said.
    is_mute: bool,
}

/// What came of something that was done beside the loop.
enum Outcome {
    /// A click was answered.
    Answered(Option<Notice>),
    /// A notification was shown, or not.
    Notified(Result<(), zbus::Error>),
    Listed(Result<Tunnels, ClientError>),
    Stored(std::io::Result<()>),
    Drawn,
}

impl Tray {
    async fn run(
        mut self,
        mut bus: Bus,
        mut connection: Connection,
        mut happens: mpsc::Receiver<Event>,
    ) -> Result<(), ApiError> {
        loop {
            // All arms are cancel-safe.
            tokio::select! {
                news = connection.next() => {
                    let expiry = apply(&mut self.scene, news);
                    self.warn(expiry);
                    self.changed();
                }
                Some(event) = happens.recv() => match event {
                    Event::Clicked(Action::Quit) => {
                        // A panel that hangs does not keep us.
                        let _ = timeout(FAREWELL, self.handle.shutdown()).await;
                        return Ok(());
                    }
                    Event::Clicked(Action::Notify(notifies)) => self.choose(notifies),
                    Event::Clicked(action) => self.perform(action),
                    Event::Watched(is_watched) => (self.say)(if is_watched { WATCHED } else { UNWATCHED }),
                },
                Some(outcome) = self.tasks.join_next() => {
                    let Ok(outcome) = outcome else {
                        // One that has panicked has nothing to say, and may be one that is waited for.
                        (self.is_asking, self.is_drawing) = (false, false);
                        continue;
                    };
                    self.take(outcome);
                }
                () = at(self.refresh_at) => self.refresh(),
                () = at(self.policy.due()) => {
                    for notice in self.policy.take(Instant::now(), Timestamp::now()) {
                        if self.scene.notifies {
                            self.notify(notice);
                        }
                    }
                }
                () = bus.gone() => {
                    return Err(ApiError::new(ErrorCode::Failed, "the desktop session's bus has ended")
                        .with_hint("start the tray again in the next session"));
                }
            }
        }
    }

    fn changed(&mut self) {
        self.refresh_at.get_or_insert_with(|| Instant::now() + GATHER);
    }

    fn refresh(&mut self) {
        self.refresh_at = None;
        // What was said last is no news of tunnels that nobody hears of.
        if self.scene.link == Link::Up {
            self.policy.observe(self.scene.tunnels.tunnels(), Instant::now(), Timestamp::now());
        }
        self.draw();
    }

    /// One view at a time; what comes meanwhile is in the next.
    fn draw(&mut self) {
        if self.is_drawing {
            self.is_stale = true;
            return;
        }
        self.is_drawing = true;
        let (handle, view) = (self.handle.clone(), self.scene.view(Timestamp::now()));
        self.tasks.spawn(async move {
            handle.update(|item| item.view = view).await;
            Outcome::Drawn
        });
    }

    /// Credentials run out; the tunnels have their end, and the command that renews them, when they are asked.
    fn warn(&mut self, expiry: Option<Expiry>) {
        let Some(expiry) = expiry else { return };
        self.policy.expires(expiry, Instant::now(), Timestamp::now());
        // One answer has what runs out of every profile.
        if !self.is_asking {
            self.is_asking = true;
            self.scene.tunnels.asking();
            let client = self.performer.client.clone();
            self.tasks.spawn(async move { Outcome::Listed(client.tunnels().await) });
        }
    }

    fn choose(&mut self, notifies: bool) {
        self.scene.notifies = notifies;
        self.changed();
        let state_dir = self.state_dir.clone();
        self.spawn(async move {
            let store = move || Settings { notifications: notifies }.store(&state_dir);
            Outcome::Stored(tokio::task::spawn_blocking(store).await.unwrap_or_else(|error| Err(error.into())))
        });
    }

    fn perform(&mut self, action: Action) {
        let performer = self.performer.clone();
        self.spawn(async move { Outcome::Answered(performer.perform(action).await) });
    }

    fn notify(&mut self, notice: Notice) {
        let speaker = self.performer.speaker.clone();
        self.spawn(async move { Outcome::Notified(speaker.notify(&notice).await) });
    }

    fn spawn(&mut self, task: impl Future<Output = Outcome> + Send + 'static) {
        if self.tasks.len() < MOST_TASKS {
            self.tasks.spawn(task);
        } else {
            (self.say)("note: too much is being done at the same time: a click or a notification was left out");
        }
    }

    fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Answered(notice) => notice.into_iter().for_each(|notice| self.notify(notice)),
            Outcome::Notified(Err(error)) if !self.is_mute => {
                self.is_mute = true;
                (self.say)(&format!("note: notifications cannot be shown: {error}"));
            }
            Outcome::Notified(shown) => self.is_mute = shown.is_err(),
            Outcome::Listed(listed) => {
                self.is_asking = false;
                // That the daemon is not heard is seen elsewhere.
                if let Ok(tunnels) = listed {
                    self.scene.tunnels.answered(tunnels);
                    self.changed();
                }
            }
            Outcome::Drawn => {
                self.is_drawing = false;
                if std::mem::take(&mut self.is_stale) {
                    self.draw();
                }
            }
            Outcome::Stored(Ok(())) => {}
            Outcome::Stored(Err(error)) => {
                let folder = self.state_dir.display();
                (self.say)(&format!("note: what was chosen is not remembered, {folder} cannot be written: {error}"));
            }
        }
    }
}

const UNWATCHED: &str = "\
note: nothing shows tray icons here (no org.kde.StatusNotifierWatcher on the session bus); waiting for it.
  GNOME needs the extension AppIndicator; KDE, Xfce, Cinnamon, MATE, LXQt and waybar have it";
const WATCHED: &str = "the icon is in the tray";

/// Takes in news; returns what of it runs out.
fn apply(scene: &mut Scene, news: News) -> Option<Expiry> {
    scene.link = Link::Up;
    match news {
        News::Event(DaemonEvent::CredentialsExpire { profile, at, renew, tunnels }) => {
            return Some(Expiry { profile, at, renew, tunnels });
        }
        News::Event(event) => drop(scene.tunnels.apply(event)),
        News::Lost(Some(error)) if !error.is_unreachable() => {
            scene.link = Link::Lost(ApiError::from(error).message);
        }
        News::Lost(_) => scene.link = Link::Lost("no daemon is running".to_owned()),
    }
    None
}

fn not_shown(error: &ksni::Error) -> ApiError {
    ApiError::new(ErrorCode::Failed, format!("the tray icon cannot be shown: {error}"))
        .with_hint("see whether other tray icons work in this session; `tunnels` in a terminal needs none")
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
