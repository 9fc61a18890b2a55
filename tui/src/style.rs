//! How text looks where it goes: the colours that mean the same in every view.
//!
//! Pure. Whether colours are wanted is the caller's knowledge; nothing here may be readable by colour
//! alone.

use anstyle::{AnsiColor, Style};
use tunnels_api::{TunnelState, TunnelStatus};

/// How text is to look where it goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Whether escape codes for colours are wanted.
    pub color: bool,
    /// The width to fit into; none for a pipe, where nothing is shortened.
    pub width: Option<u16>,
}

impl Look {
    /// The text in this style, or as it is where no colours are wanted.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The width to fit into, as columns.
    pub(crate) fn columns(self) -> usize {
        self.width.map_or(usize::MAX, usize::from)
    }
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// The style of a state's word.
pub(crate) fn of_state(state: TunnelState) -> Style {
    match state {
        TunnelState::Ready => GREEN,
        TunnelState::Failed | TunnelState::NeedsLogin => RED,
        TunnelState::Degraded | TunnelState::Connecting | TunnelState::Reconnecting => YELLOW,
        TunnelState::Listening => CYAN,
        TunnelState::Down | TunnelState::Unknown => DIM,
    }
}

/// The style of a tunnel's name: red for those that nobody should touch by accident.
pub(crate) fn of_name(tunnel: &TunnelStatus) -> Style {
    if tunnel.protected { RED.bold() } else { BOLD }
}

/// The style of a local address: one that other machines can reach stands out.
pub(crate) fn of_local(tunnel: &TunnelStatus) -> Style {
    if tunnel.exposed { RED } else { PLAIN }
}
