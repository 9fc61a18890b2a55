//! The one table of keys: what each does, where, and what the footer and the help say of it.
//!
//! Pure. Dispatch, footer and help read this table and nothing else.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Previous,
    Next,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    NextTab,
    PreviousTab,
    Tab(u8),
    Span,
    BringUp,
    TakeDown,
    Restart,
    Mark,
    MarkAll,
    Filter,
    Sort,
    Reverse,
    Group,
    CopyAddress,
    CopyUrl,
    CopyCommand,
    Client,
    Login,
    Edit,
    Guide,
    StartDaemon,
    Redraw,
    Help,
    Quit,
    Yes,
    No,
    Accept,
    Erase,
    EraseAll,
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The list of tunnels.
    List,
    /// One tunnel.
    Detail,
    /// Help, and reports that are read and closed.
    Page,
    /// A question.
    Question,
    /// The line in which a filter is written.
    Line,
}

impl Place {
    #[cfg(test)]
    pub(super) const ALL: [Self; 5] = [Self::List, Self::Detail, Self::Page, Self::Question, Self::Line];
}

/// A key as it is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Press {
    code: KeyCode,
    ctrl: bool,
}

const fn key(c: char) -> Press {
    Press { code: KeyCode::Char(c), ctrl: false }
}

const fn ctrl(c: char) -> Press {
    Press { code: KeyCode::Char(c), ctrl: true }
}

const fn code(code: KeyCode) -> Press {
    Press { code, ctrl: false }
}

impl Press {
    fn is(self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        // Shift is in the character itself, and in BackTab.
        self.code == event.code && self.ctrl == ctrl && !alt
    }
}

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("^")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::Enter => f.write_str("enter"),
            KeyCode::Esc => f.write_str("esc"),
            KeyCode::Tab => f.write_str("tab"),
            KeyCode::BackTab => f.write_str("⇧tab"),
            KeyCode::PageUp => f.write_str("pgup"),
            KeyCode::PageDown => f.write_str("pgdn"),
            KeyCode::Home => f.write_str("home"),
            KeyCode::End => f.write_str("end"),
            KeyCode::Backspace => f.write_str("⌫"),
            other => write!(f, "{other}"),
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) keys: &'static [Press],
    pub(super) places: &'static [Place],
    pub(super) action: Action,
    /// A word for the footer; none where the help is enough.
    pub(super) hint: Option<&'static str>,
    pub(super) help: &'static str,
}

impl Binding {
    /// `↑/k`
    pub(super) fn label(&self) -> String {
        self.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join("/")
    }

    pub(super) fn is_for(&self, place: Place) -> bool {
        self.places.contains(&place)
    }
}

const LIST: &[Place] = &[Place::List];
const DETAIL: &[Place] = &[Place::Detail];
const TUNNELS: &[Place] = &[Place::List, Place::Detail];
const SCROLLED: &[Place] = &[Place::List, Place::Detail, Place::Page];

const fn row(
    keys: &'static [Press],
    places: &'static [Place],
    action: Action,
    hint: Option<&'static str>,
    help: &'static str,
) -> Binding {
    Binding { keys, places, action, hint, help }
}

/// The table. The footer names what has a word for it, in this order, as far as it makes sense and there is room.
pub(super) const BINDINGS: &[Binding] = &[
    row(&[key('S')], TUNNELS, Action::StartDaemon, Some("start daemon"), "start the daemon, where none runs"),
    row(&[key('y')], &[Place::Question], Action::Yes, Some("yes"), "do it"),
    row(&[key('n'), code(KeyCode::Esc), key('q')], &[Place::Question], Action::No, Some("no"), "leave it"),
    row(&[code(KeyCode::Enter)], &[Place::Line], Action::Accept, Some("keep filter"), "keep the filter"),
    row(&[code(KeyCode::Esc)], &[Place::Line], Action::Back, Some("no filter"), "drop the filter"),
    row(&[code(KeyCode::Backspace)], &[Place::Line], Action::Erase, None, "take the last character off the filter"),
    row(&[ctrl('u')], &[Place::Line], Action::EraseAll, None, "empty the filter"),
    row(&[code(KeyCode::Enter)], LIST, Action::Open, Some("detail"), "everything about the selected tunnel"),
    row(
        &[code(KeyCode::Esc), code(KeyCode::Backspace)],
        &[Place::List, Place::Detail],
        Action::Back,
        Some("back"),
        "back; in the list: drop marks, then the filter",
    ),
    row(
        &[code(KeyCode::Esc), key('q'), code(KeyCode::Enter)],
        &[Place::Page],
        Action::Back,
        Some("close"),
        "close this page",
    ),
    row(
        &[code(KeyCode::Tab), code(KeyCode::Right), key('l')],
        DETAIL,
        Action::NextTab,
        Some("next tab"),
        "the next tab",
    ),
    row(&[code(KeyCode::BackTab), code(KeyCode::Left), key('h')], DETAIL, Action::PreviousTab, None, "the tab before"),
    row(&[key('1')], DETAIL, Action::Tab(0), None, "overview: the way, the sessions, the probe"),
    row(&[key('2')], DETAIL, Action::Tab(1), None, "connections: who uses it, since when, how much"),
    row(&[key('3')], DETAIL, Action::Tab(2), None, "throughput, as a chart"),
    row(&[key('4')], DETAIL, Action::Tab(3), None, "latency, as a chart"),
    row(&[key('5')], DETAIL, Action::Tab(4), None, "why: what happened to it, and what that cost"),
    row(&[key('6')], DETAIL, Action::Tab(5), None, "logs: the daemon's lines about it"),
    row(&[key('7')], DETAIL, Action::Tab(6), None, "config: its keys, and where each value comes from"),
    row(&[key('t')], DETAIL, Action::Span, Some("1/15/60 min"), "charts over 1, 15 or 60 minutes"),
    row(&[key('L')], TUNNELS, Action::Login, Some("log in"), "run the command that renews the login"),
    row(&[key('u')], TUNNELS, Action::BringUp, Some("up"), "bring the marked tunnels up, or the selected one"),
    row(&[key('d')], TUNNELS, Action::TakeDown, Some("down"), "take them down"),
    row(&[key('r')], TUNNELS, Action::Restart, Some("restart"), "close their sessions and open new ones"),
    row(&[key('c')], TUNNELS, Action::Client, Some("client"), "open psql, mysql, redis-cli or curl on it"),
    row(&[key('y')], TUNNELS, Action::CopyAddress, Some("copy"), "copy the local address"),
    row(&[key('Y')], TUNNELS, Action::CopyUrl, None, "copy the connection string"),
    row(&[key('p')], TUNNELS, Action::CopyCommand, None, "copy the client's command line"),
    row(
        &[key('/')],
        LIST,
        Action::Filter,
        Some("filter"),
        "show only what has these words: name, remote, group, profile, state",
    ),
    row(&[key(' ')], LIST, Action::Mark, Some("mark"), "mark the tunnel, or take its mark off"),
    row(&[key('a')], LIST, Action::MarkAll, None, "mark all that are shown, or none"),
    row(&[key('g')], LIST, Action::Group, Some("group"), "by group, profile, state, or not at all"),
    row(&[key('s')], LIST, Action::Sort, Some("sort"), "as configured, by name, state, traffic or round trip"),
    row(&[key('R')], LIST, Action::Reverse, None, "the other way round"),
    row(
        &[key('e')],
        TUNNELS,
        Action::Edit,
        Some("edit"),
        "edit the configuration in $VISUAL or $EDITOR; mistakes are shown",
    ),
    row(&[key('i')], LIST, Action::Guide, Some("guide"), "what to try (in the demo)"),
    row(&[code(KeyCode::Up), key('k')], SCROLLED, Action::Previous, None, "up a line"),
    row(&[code(KeyCode::Down), key('j')], SCROLLED, Action::Next, None, "down a line"),
    row(&[code(KeyCode::PageUp), ctrl('b')], SCROLLED, Action::PageUp, None, "up a page"),
    row(&[code(KeyCode::PageDown), ctrl('f')], SCROLLED, Action::PageDown, None, "down a page"),
    row(&[code(KeyCode::Home)], SCROLLED, Action::First, None, "to the beginning"),
    row(&[code(KeyCode::End), key('G')], SCROLLED, Action::Last, None, "to the end"),
    row(&[ctrl('l')], TUNNELS, Action::Redraw, None, "draw everything anew"),
    row(&[key('?')], TUNNELS, Action::Help, Some("help"), "this page"),
    row(&[key('q')], TUNNELS, Action::Quit, Some("quit"), "leave; tunnels and daemon go on"),
    row(
        &[ctrl('c')],
        &[Place::List, Place::Detail, Place::Page, Place::Question, Place::Line],
        Action::Quit,
        None,
        "leave from wherever you are",
    ),
];

/// The keys that do this, as they are shown.
pub(super) fn label(action: Action) -> Option<String> {
    BINDINGS.iter().find(|binding| binding.action == action).map(Binding::label)
}

/// What this key asks for there.
pub(super) fn action(place: Place, event: &KeyEvent) -> Option<Action> {
    let asked = |binding: &&Binding| binding.is_for(place) && binding.keys.iter().any(|key| key.is(event));
    BINDINGS.iter().find(asked).map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_bound_once_in_each_place_and_does_what_the_table_says() {
        for place in Place::ALL {
            let here = BINDINGS.iter().filter(|binding| binding.is_for(place));
            let mut seen: Vec<Press> = Vec::new();
            for binding in here {
                assert!(!binding.keys.is_empty() && !binding.help.is_empty(), "{binding:?}");
                for press in binding.keys {
                    assert!(!seen.contains(press), "{press} is bound twice in {place:?}");
                    seen.push(*press);
                    let modifiers = if press.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
                    assert_eq!(action(place, &KeyEvent::new(press.code, modifiers)), Some(binding.action));
                }
            }
            assert!(!seen.is_empty(), "{place:?} has no key");
        }
    }

    #[test]
    fn a_control_key_is_another_key_and_alt_is_none() {
        let press = |modifiers| KeyEvent::new(KeyCode::Char('c'), modifiers);
        assert_eq!(action(Place::List, &press(KeyModifiers::NONE)), Some(Action::Client));
        assert_eq!(action(Place::List, &press(KeyModifiers::CONTROL)), Some(Action::Quit));
        assert_eq!(action(Place::List, &press(KeyModifiers::ALT)), None);
    }

    #[test]
    fn labels_are_short_words() {
        let label = |action| label(action).unwrap();
        assert_eq!(label(Action::Previous), "↑/k");
        assert_eq!(label(Action::Mark), "space");
        assert_eq!(label(Action::PageUp), "pgup/^B");
        assert_eq!(label(Action::PreviousTab), "⇧tab/←/h");
    }
}
