//! The terminal while the dashboard has it: raw mode, the alternate screen, the mouse, pasted text as one piece.
//!
//! Whatever way the program ends – also by a panic, whose message is then readable – the terminal is what it was.

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, queue};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Clicks and the wheel, with columns beyond 223. Not every movement, which would wake us for nothing; crossterm's own
/// command asks for that.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// A screen of 300 × 100 with all its styles in one write.
const BUFFER: usize = 256 * 1024;

/// Whether the terminal is ours, for whoever has to give it back.
static IS_OURS: AtomicBool = AtomicBool::new(false);

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// The terminal, given back when dropped.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: ratatui::Terminal<Backend>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(give_back_on_panic);
        take()?;
        // From here on dropping `screen` gives it back.
        let terminal = ratatui::Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(BUFFER, io::stdout())));
        terminal.map(|terminal| Self { terminal }).inspect_err(|_| give_back())
    }

    /// Draws what has changed; terminals that can show it at once.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(render)?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        self.terminal.backend_mut().flush()
    }

    /// Forgets what is on the screen, so that the next frame is drawn whole.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        // Not `clear`, which asks the terminal where its cursor is and waits for the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Puts a text into the clipboard of the terminal, which may be on another machine (OSC 52).
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text))?;
        self.terminal.backend_mut().flush()
    }

    /// Gives the terminal to another program for a while.
    #[expect(clippy::unused_self, reason = "only who has taken the terminal can give it away")]
    pub(super) fn suspend(&mut self) {
        give_back();
    }

    /// Takes it again.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        take()?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    IS_OURS.store(true, SeqCst);
    let mut out = io::stdout().lock();
    queue!(out, EnterAlternateScreen, EnableBracketedPaste, Print(MOUSE_ON), cursor::Hide)?;
    out.flush()
}

/// Gives it back, once; that it is gone is no reason to complain.
fn give_back() {
    if !IS_OURS.swap(false, SeqCst) {
        return;
    }
    let mut out = io::stdout().lock();
    let _ =
        queue!(out, EndSynchronizedUpdate, Print(MOUSE_OFF), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

fn give_back_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use pty_process::blocking;
    use std::io::Read as _;

    /// Runs in a process of its own, below.
    #[test]
    #[ignore = "panics; the other test runs it on a terminal"]
    fn takes_the_terminal_and_panics() {
        let mut screen = Screen::enter().unwrap();
        screen.draw(|frame| frame.render_widget("drawn", frame.area())).unwrap();
        panic!("the moon fell");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_readable() {
        let (mut pty, pts) = blocking::open().unwrap();
        pty.resize(pty_process::Size::new(24, 80)).unwrap();
        let own = std::env::current_exe().unwrap();
        let test = "dashboard::terminal::tests::takes_the_terminal_and_panics";
        let mut child =
            blocking::Command::new(own).args([test, "--exact", "--ignored", "--nocapture"]).spawn(pts).unwrap();
        let mut written = Vec::new();
        let mut bytes = [0; 4096];
        // Reading is an error once nobody has the terminal any more.
        while let Ok(count @ 1..) = pty.read(&mut bytes) {
            written.extend_from_slice(&bytes[..count]);
        }
        assert!(!child.wait().unwrap().success());
        let written = String::from_utf8_lossy(&written).into_owned();
        let at = |what: &str| written.find(what).unwrap_or_else(|| panic!("no {what:?} in {written:?}"));
        assert!(at("\x1b[?1049h") < at("drawn"), "{written:?}");
        // Everything is back before the message is printed: screen, mouse, cursor.
        for code in ["\x1b[?1049l", "\x1b[?1000l", "\x1b[?2004l", "\x1b[?25h"] {
            assert!(at("drawn") < at(code) && at(code) < at("the moon fell"), "{code:?} in {written:?}");
        }
        // And the lines of the message end as on any terminal: it is not raw any more.
        assert!(written[at("the moon fell")..].contains("the moon fell\r\n"), "{written:?}");
    }
}
