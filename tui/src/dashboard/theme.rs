//! The colours of the dashboard: those of the other views, as far as the terminal has them.
//!
//! Pure. Named colours are the terminal's own, made for its background; only what is selected has a colour of ours,
//! where the terminal says that it can show it and on what background. Nothing is readable by colour alone.

use crate::style as shared;
pub(super) use crate::words::symbol;
use ratatui::style::{Color, Modifier, Style};
use tunnels_api::{TunnelState, TunnelStatus};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Theme {
    depth: Depth,
    background: Option<Background>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Bold, dim and reversed only.
    None,
    Sixteen,
    True,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Background {
    Dark,
    Light,
}

impl Theme {
    /// What the terminal can show, by its variables.
    pub(super) fn of(color: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        let is_true = env("COLORTERM").is_some_and(|value| matches!(value.as_str(), "truecolor" | "24bit"));
        let depth = match (color, is_true) {
            (false, _) => Depth::None,
            (true, false) => Depth::Sixteen,
            (true, true) => Depth::True,
        };
        // `15;0`: the numbers of foreground and background, as rxvt, konsole and others set it.
        let colors = env("COLORFGBG");
        let background = colors.and_then(|colors| match colors.rsplit(';').next()?.parse().ok()? {
            7_u8 | 9..=15 => Some(Background::Light),
            0..=6 | 8 => Some(Background::Dark),
            _ => None,
        });
        Self { depth, background }
    }

    /// Whether text of other views is to have colours.
    pub(super) fn has_color(self) -> bool {
        self.depth != Depth::None
    }

    fn color(self, style: Style) -> Style {
        if self.has_color() { style } else { Style { fg: None, bg: None, ..style } }
    }

    fn shared(self, style: anstyle::Style) -> Style {
        self.color(of(style))
    }

    pub(super) fn state(self, state: TunnelState) -> Style {
        self.shared(shared::of_state(state))
    }

    pub(super) fn name(self, tunnel: &TunnelStatus) -> Style {
        self.shared(shared::of_name(tunnel))
    }

    pub(super) fn local(self, tunnel: &TunnelStatus) -> Style {
        self.shared(shared::of_local(tunnel))
    }

    pub(super) fn plain(self) -> Style {
        self.shared(shared::PLAIN)
    }

    pub(super) fn trouble(self) -> Style {
        self.shared(shared::RED)
    }

    pub(super) fn warning(self) -> Style {
        self.shared(shared::YELLOW)
    }

    pub(super) fn accent(self) -> Style {
        self.shared(shared::CYAN)
    }

    pub(super) fn good(self) -> Style {
        self.shared(shared::GREEN)
    }

    pub(super) fn dim() -> Style {
        of(shared::DIM)
    }

    pub(super) fn bold() -> Style {
        of(shared::BOLD)
    }

    /// The selected row or tab: on top of the styles in it.
    pub(super) fn selected(self) -> Style {
        match (self.depth, self.background) {
            (Depth::True, Some(Background::Dark)) => Style::new().bg(Color::Rgb(0x2d, 0x3b, 0x4e)),
            (Depth::True, Some(Background::Light)) => Style::new().bg(Color::Rgb(0xd3, 0xe3, 0xf5)),
            _ => Style::new().add_modifier(Modifier::REVERSED),
        }
    }
}

/// The same style in the other library's words.
pub(super) fn of(style: anstyle::Style) -> Style {
    use anstyle::{AnsiColor, Color as Known, Effects};
    let mut same = Style::new();
    if let Some(Known::Ansi(color)) = style.get_fg_color() {
        same = same.fg(match color {
            AnsiColor::Red => Color::Red,
            AnsiColor::Green => Color::Green,
            AnsiColor::Yellow => Color::Yellow,
            AnsiColor::Cyan => Color::Cyan,
            // No view has others.
            _ => Color::Reset,
        });
    }
    let effects = style.get_effects();
    for (effect, modifier) in [(Effects::BOLD, Modifier::BOLD), (Effects::DIMMED, Modifier::DIM)] {
        if effects.contains(effect) {
            same = same.add_modifier(modifier);
        }
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(color: bool, variables: &[(&str, &str)]) -> Theme {
        Theme::of(color, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_terminal_gets_what_it_can_show() {
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        assert_eq!(theme(true, &[]).selected(), reversed);
        assert_eq!(theme(true, &[("COLORTERM", "truecolor")]).selected(), reversed, "on an unknown background");
        let dark = theme(true, &[("COLORTERM", "truecolor"), ("COLORFGBG", "15;0")]).selected();
        let light = theme(true, &[("COLORTERM", "24bit"), ("COLORFGBG", "0;default;15")]).selected();
        assert!(dark != light && dark != reversed && light != reversed);
        assert_eq!(theme(false, &[("COLORTERM", "truecolor"), ("COLORFGBG", "15;0")]).selected(), reversed);
    }

    #[test]
    fn without_colour_nothing_has_one_and_states_still_differ() {
        let plain = theme(false, &[]);
        let mut symbols = Vec::new();
        for state in TunnelState::ALL {
            assert_eq!((plain.state(state).fg, plain.state(state).bg), (None, None));
            assert!(theme(true, &[]).state(state) != plain.state(state) || state == TunnelState::Down, "{state}");
            assert!(!symbols.contains(&symbol(state)), "{state}");
            symbols.push(symbol(state));
        }
        assert_eq!(plain.trouble().fg, None);
    }
}
