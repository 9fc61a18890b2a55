//! The program on a terminal: a pseudo-terminal, and an emulator that knows what stands on its screen.

use std::fmt::Display;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pty_process::{Size, blocking};

use crate::process::send_signal;
use crate::wait::wait_until;

/// No test waits longer than this for something to stand on the screen.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running program and its terminal; the program is killed when dropped.
pub struct Terminal {
    pty: Arc<blocking::Pty>,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    /// What the program has written, for whoever looks for codes that leave nothing on the screen.
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a command, with its own environment only, on a terminal with so many columns and lines.
    #[track_caller]
    pub fn start(command: &Command, columns: u16, lines: u16) -> Self {
        let (pty, pts) = blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(lines, columns)).expect("a terminal has a size");
        let mut own = blocking::Command::new(command.get_program()).args(command.get_args()).env_clear();
        own = own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        own = own.env("TERM", "xterm-256color");
        if let Some(folder) = command.get_current_dir() {
            own = own.current_dir(folder);
        }
        let child = own.spawn(pts).expect("the program starts");
        let side = |count| NonZeroU16::new(count).expect("a terminal has a size");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(side(lines), side(columns), 0)));
        let (pty, written) = (Arc::new(pty), Arc::new(Mutex::new(Vec::new())));
        // Ends with the program: a terminal that nobody has open any more is an error to read.
        let reader = (Arc::clone(&pty), Arc::clone(&screen), Arc::clone(&written));
        thread::spawn(move || {
            let (pty, screen, written) = reader;
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = (&*pty).read(&mut bytes) {
                lock(&screen).process(&bytes[..count]);
                lock(&written).extend_from_slice(&bytes[..count]);
            }
        });
        Self { pty, child, screen, written }
    }

    /// Presses keys; those without a character are written as a terminal sends them (`\r`, `\x1b`).
    #[track_caller]
    pub fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Clicks where this text begins on the screen, the first time that it stands there.
    #[track_caller]
    pub fn click(&self, text: &str) {
        let screen = self.text();
        let found = screen.lines().enumerate().find_map(|(line, said)| Some((line, said.find(text)?, said)));
        let Some((line, at, said)) = found else { panic!("`{text}` is not on the screen:\n{screen}") };
        // Terminals count from 1. Everything before it that tests click on is one column wide.
        let column = said[..at].chars().count() + 1;
        self.press(&format!("\x1b[<0;{column};{0}M\x1b[<0;{column};{0}m", line + 1));
    }

    /// Turns the wheel of the mouse by one step, downwards or upwards.
    #[track_caller]
    pub fn turn_wheel(&self, down: bool) {
        self.press(if down { "\x1b[<65;5;5M" } else { "\x1b[<64;5;5M" });
    }

    /// Changes the size of the terminal.
    #[track_caller]
    pub fn resize(&self, columns: u16, lines: u16) {
        let side = |count| NonZeroU16::new(count).expect("a terminal has a size");
        lock(&self.screen).screen_mut().set_size(side(lines), side(columns));
        self.pty.resize(Size::new(lines, columns)).expect("a terminal has a size");
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        lock(&self.screen).screen().contents()
    }

    /// The screen with its colours.
    pub fn screen(&self) -> vt100::Screen {
        lock(&self.screen).screen().clone()
    }

    /// Whether a full-screen program has the terminal.
    pub fn is_taken(&self) -> bool {
        lock(&self.screen).screen().alternate_screen()
    }

    /// Waits until the terminal is what it was before a full-screen program took it; the last of what that wrote may
    /// be read a moment after its end.
    #[track_caller]
    pub fn wait_given_back(&self) {
        wait_until("the terminal to be given back", DEADLINE, || {
            (!self.is_taken() && !self.screen().hide_cursor()).then_some(())
        });
    }

    /// Whether the program has ever written this.
    pub fn has_written(&self, code: &str) -> bool {
        lock(&self.written).windows(code.len()).any(|bytes| bytes == code.as_bytes())
    }

    /// How much the program has written so far.
    pub fn bytes_written(&self) -> usize {
        lock(&self.written).len()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub fn wait(&self, what: impl Display, is: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&what, DEADLINE, || {
                last = self.text();
                is(&last).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("never {what} on the screen, which is now\n{last}"))
    }

    /// Waits until this text stands on the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(format!("`{text}`"), |screen| screen.contains(text))
    }

    /// Sends the signal by its short name.
    pub fn signal(&self, signal: &str) {
        send_signal(self.child.id(), signal);
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn wait_end(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the program to end", DEADLINE, || child.try_wait().expect("our own child can be waited for"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
