//! What is said about the icon: how many tunnels are in which state, and what is wrong.
//!
//! Pure. Hosts may take the description for a little HTML, so it is written as that.

use crate::markup::escaped;
use crate::scene::{Link, Scene};
use tunnels_tui::{text, words};

/// So many tunnels in trouble are named.
const MOST: usize = 6;
/// Characters of a line.
const WIDE: usize = 70;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tooltip {
    pub(crate) title: String,
    pub(crate) description: String,
}

/// The tooltip for what is known.
pub(crate) fn of(scene: &Scene) -> Tooltip {
    let tunnels = scene.tunnels.tunnels();
    let title = match &scene.link {
        Link::Lost(why) => format!("tunnels: {}", text::cut(&text::clean(why), WIDE)),
        Link::Up if tunnels.is_empty() => "tunnels: none is configured".to_owned(),
        Link::Up => format!("tunnels: {}", words::summary(tunnels.iter())),
    };
    if scene.link != Link::Up {
        return Tooltip { title, description: String::new() };
    }
    let mut lines = Vec::new();
    if scene.tunnels.config_error().is_some() {
        lines.push("the last edit of the configuration was rejected: see `tunnels config check`".to_owned());
    }
    let mut troubled = tunnels.iter().filter(|tunnel| words::is_in_trouble(tunnel));
    lines.extend(troubled.by_ref().take(MOST).map(|tunnel| {
        let why = words::brief(tunnel).map_or_else(String::new, |brief| format!(" ({brief})"));
        text::cut(&format!("{}: {}{why}", text::clean(&tunnel.name), tunnel.state), WIDE)
    }));
    let more = troubled.count();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    Tooltip { title, description: lines.join("<br/>") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{because, needs_login, status};
    use tunnels_api::{CauseKind, DaemonEvent, TunnelState, TunnelStatus};
    use tunnels_tui::model::Model;

    fn tooltip(tunnels: Vec<TunnelStatus>, link: Link) -> Tooltip {
        let mut model = Model::new(&[]);
        model.apply(DaemonEvent::Snapshot { tunnels, config_error: None });
        of(&Scene { tunnels: model, link, can_start: true, notifies: true })
    }

    #[test]
    fn it_counts_the_tunnels_and_names_those_in_trouble() {
        let said = tooltip(
            vec![
                status("orders-db", TunnelState::Ready),
                because(status("<cache>", TunnelState::Connecting), CauseKind::TargetOffline, "offline"),
                needs_login("search", "dev"),
            ],
            Link::Up,
        );
        assert_eq!(said.title, "tunnels: 1 ready, 1 connecting, 1 needs-login");
        assert_eq!(said.description, "&lt;cache&gt;: connecting (target offline)<br/>search: needs-login");
    }

    #[test]
    fn many_are_counted() {
        let many = (0..9).map(|n| needs_login(&format!("t{n}"), "dev")).collect();
        let description = tooltip(many, Link::Up).description;
        assert!(description.ends_with("t5: needs-login<br/>and 3 more"), "{description}");
    }

    #[test]
    fn nothing_to_count_is_said_in_words() {
        let none = tooltip(Vec::new(), Link::Up);
        assert_eq!((none.title.as_str(), none.description.as_str()), ("tunnels: none is configured", ""));
        // What was said last is not what is.
        let gone = tooltip(vec![needs_login("a", "dev")], Link::Lost("no daemon is running".to_owned()));
        assert_eq!((gone.title.as_str(), gone.description.as_str()), ("tunnels: no daemon is running", ""));
    }
}
