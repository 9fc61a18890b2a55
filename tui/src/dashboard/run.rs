//! The loop: joins keys, the daemon's news, answers and the clock; draws what has changed; does what is wanted.
//!
//! It decides nothing. Nothing in it waits for the daemon or for another program.

use super::effect::{Effect, Message, Program};
use super::geometry::Size;
use super::model::Model;
use super::perform::{Performer, run_program};
use super::terminal::Screen;
use super::theme::Theme;
use super::update::update;
use super::view::view;
use crate::conn::Connection;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tunnels_api::{ApiError, Client, Timestamp};

/// At most 30 frames a second: nobody reads faster.
const FRAME: Duration = Duration::from_millis(33);
/// As often as the daemon computes its rates.
const TICK: Duration = Duration::from_secs(1);
/// Answers that wait to be taken in; whoever has one more waits.
const ANSWERS: usize = 64;

/// Starts a daemon where none runs.
#[derive(Clone)]
pub struct StartDaemon(pub Arc<dyn Fn() -> BoxFuture<'static, Result<(), ApiError>> + Send + Sync>);

impl fmt::Debug for StartDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartDaemon")
    }
}

/// What the dashboard runs with.
#[derive(Debug)]
pub struct Options {
    /// The daemon.
    pub client: Client,
    /// Whether colours are wanted.
    pub color: bool,
    /// Lines to be shown below the list until they are not wanted any more.
    pub guide: Vec<String>,
    /// How a daemon is started, if it may be from here.
    pub start: Option<StartDaemon>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its user has left.
    Quit,
    /// SIGINT, from outside: in the terminal ctrl-C is a key.
    Interrupted,
    /// SIGTERM, or the terminal is gone.
    Terminated,
}

/// Shows the dashboard until its user leaves, or a signal ends it.
///
/// # Errors
/// What the terminal says when it cannot be used.
pub async fn run(options: Options) -> io::Result<Ended> {
    let theme = Theme::of(options.color, |name| std::env::var(name).ok());
    let mut model = Model::new(theme, TimeZone::system(), size());
    model.shows_guide = !options.guide.is_empty();
    model.guide = options.guide;
    model.can_start = options.start.is_some();
    let (answers, answered) = mpsc::channel(ANSWERS);
    let dashboard = Dashboard {
        model,
        screen: Screen::enter()?,
        performer: Performer::new(options.client.clone(), answers, options.start),
        running: None,
        input: Some(EventStream::new()),
    };
    dashboard.run(Connection::new(options.client), answered).await
}

struct Dashboard {
    model: Model,
    screen: Screen,
    performer: Performer,
    /// A program that has the terminal, and how it ends.
    running: Option<BoxFuture<'static, (Program, Result<(), String>)>>,
    /// None while somebody else reads the keys.
    input: Option<EventStream>,
}

impl Dashboard {
    async fn run(mut self, mut connection: Connection, mut answered: mpsc::Receiver<Message>) -> io::Result<Ended> {
        let (mut interrupt, mut terminate, mut hangup) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // When what has changed is to be on the screen.
        let mut due = Some(Instant::now());
        let mut drawn = Instant::now();
        loop {
            let has_terminal = self.running.is_none();
            let message = tokio::select! {
                // All arms are cancel-safe: streams, channels, signals and timers lose nothing, `Connection::next`
                // says so, and a program under way stays so.
                event = next_event(&mut self.input) => match event {
                    Some(event) => match understood(event?) {
                        Some(message) => message,
                        None => continue,
                    },
                    // Nobody will press a key any more.
                    None => return Ok(Ended::Terminated),
                },
                news = connection.next() => Message::News(news),
                Some(answer) = answered.recv() => answer,
                ended = or_never(self.running.as_mut()) => self.take_terminal(ended)?,
                _ = ticks.tick() => Message::Tick,
                () = tokio::time::sleep_until(due.unwrap_or(drawn)), if due.is_some() && has_terminal => {
                    drawn = Instant::now();
                    self.model.settle();
                    let (model, now) = (&self.model, Timestamp::now());
                    self.screen.draw(|frame| view(model, frame, now))?;
                    // What lies behind the next tick is seen then.
                    due = model.next_expiry(now).filter(|left| *left < TICK).map(|left| drawn + left);
                    continue;
                }
                // Ctrl-C is meant for whoever has the terminal.
                _ = interrupt.recv() => {
                    if has_terminal { return Ok(Ended::Interrupted) }
                    continue;
                }
                _ = terminate.recv() => return Ok(Ended::Terminated),
                _ = hangup.recv() => return Ok(Ended::Terminated),
            };
            for effect in update(&mut self.model, message, Timestamp::now()) {
                if effect == Effect::Quit {
                    return Ok(Ended::Quit);
                }
                self.perform(effect)?;
            }
            let frame = drawn + FRAME;
            due = Some(due.map_or(frame, |due| due.min(frame)));
        }
    }

    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Redraw => self.screen.forget(),
            Effect::Copy(text) => {
                self.screen.copy(&text)?;
                self.performer.perform(Effect::Copy(text));
                Ok(())
            }
            Effect::Run(program) => {
                // First, so that nobody reads its keys.
                self.input = None;
                self.screen.suspend();
                self.running = Some(Box::pin(async move {
                    let result = run_program(&program).await;
                    (program, result)
                }));
                Ok(())
            }
            effect => {
                self.performer.perform(effect);
                Ok(())
            }
        }
    }

    /// A program has ended: the terminal is ours again, and may have another size.
    fn take_terminal(&mut self, (program, result): (Program, Result<(), String>)) -> io::Result<Message> {
        self.running = None;
        self.screen.resume()?;
        self.input = Some(EventStream::new());
        update(&mut self.model, Message::Resized(size()), Timestamp::now());
        Ok(Message::Ran { program, result })
    }
}

/// What of the terminal's events is of interest.
fn understood(event: Event) -> Option<Message> {
    match event {
        Event::Key(event) => Some(Message::Key(event)),
        Event::Mouse(event) => Some(Message::Mouse(event)),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(width, height) => Some(Message::Resized(Size { width, height })),
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn size() -> Size {
    let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
    Size { width, height }
}

async fn next_event(input: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}

async fn or_never<T>(future: Option<&mut BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
