//! Every view of the dashboard, one after the other, as text and as a picture.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use tunnels_tests::Terminal;

use crate::scene::{Look, Scene};
use crate::svg;

/// A view: its name, the keys that lead there from the list, what stands on it, and the keys that lead back.
type View = (&'static str, &'static [&'static str], &'static str, &'static [&'static str]);

const ESC: &str = "\x1b";
const VIEWS: &[View] = &[
    ("list", &[], "q quit", &[]),
    ("list-by-profile", &["g"], "q quit", &[]),
    ("list-by-state", &["g"], "q quit", &[]),
    ("list-flat", &["g"], "q quit", &["g"]),
    ("list-sorted", &["s", "s", "s"], "q quit", &["s", "s"]),
    ("list-marked", &[" ", " "], "2 marked", &[ESC]),
    ("filter", &["/", "c", "a", "c", "h", "e"], "filter: cache", &["\r"]),
    ("filter-kept", &[], "/cache", &[ESC]),
    ("filter-nothing", &["/", "x", "y", "z"], "No tunnel", &[ESC]),
    ("overview", &["\r"], "1 Overview", &[]),
    ("connections", &["2"], "2 Connections", &[]),
    ("throughput", &["3"], "now", &[]),
    ("latency", &["4"], "now", &[]),
    ("latency-15-min", &["t"], "now", &["t", "t"]),
    ("why", &["5"], "5 Why", &[]),
    ("logs", &["6"], "6 Logs", &[]),
    ("config", &["7"], "7 Config", &[ESC]),
    ("overview-needs-login", &["/", "l", "e", "d", "g", "e", "r", "\r", "\r"], "1 Overview", &["5"]),
    ("why-needs-login", &[], "5 Why", &[ESC, ESC]),
    ("overview-failed", &["/", "i", "n", "t", "e", "r", "n", "a", "l", "\r", "\r"], "1 Overview", &[ESC, ESC]),
    ("overview-reconnecting", &["/", "f", "e", "e", "d", "s", "\r", "\r"], "1 Overview", &["3"]),
    ("throughput-none", &[], "in", &[ESC, ESC]),
    ("overview-degraded", &["/", "q", "u", "e", "u", "e", "\r", "\r"], "1 Overview", &[ESC, ESC]),
    ("overview-parked", &["/", "i", "n", "v", "e", "\r", "\r"], "1 Overview", &["2"]),
    ("connections-none", &[], "nobody", &[ESC, ESC]),
    ("copied", &["y"], "copied", &[]),
    ("question", &["/", "p", "a", "y", "r", "o", "\r", "u"], "is protected", &["n", ESC]),
    ("help", &["?"], "Moving about", &[ESC]),
];

/// Figures come once a second.
const REST: Duration = Duration::from_millis(1200);
/// A key right after an escape would be taken for one with it.
const BETWEEN_KEYS: Duration = Duration::from_millis(120);

/// Lets the figures of the open view arrive.
pub(crate) fn rest() {
    thread::sleep(4 * REST);
}

/// Writes all of them at each size; the scene is gone afterwards.
pub(crate) fn write(scene: Scene, look: Look, sizes: &[(u16, u16)], folder: &Path) {
    let write = |terminal: &Terminal, (columns, lines): (u16, u16), name: &str| {
        let path = folder.join(format!("{columns}x{lines}-{name}"));
        fs::write(path.with_extension("txt"), terminal.text() + "\n").expect("a text can be written");
        let colors = if look == Look::Light { &svg::LIGHT } else { &svg::DARK };
        fs::write(path.with_extension("svg"), svg::of(&terminal.screen(), colors)).expect("a picture can be written");
    };
    let open = |scene: &Scene, size: (u16, u16)| Terminal::start(&scene.command(look), size.0, size.1);
    let mut last = Vec::new();
    for &size in sizes {
        let terminal = open(&scene, size);
        terminal.wait_for("orders-db");
        rest();
        for (name, keys, shows, back) in VIEWS {
            press(&terminal, keys);
            terminal.wait_for(shows);
            thread::sleep(REST);
            write(&terminal, size, name);
            press(&terminal, back);
        }
        last.push((size, terminal));
    }
    // Nobody answers any more, in the list and with one tunnel.
    let empty = scene.stop_and_forget();
    for (size, terminal) in last {
        terminal.wait_for("not connected");
        write(&terminal, size, "disconnected");
        press(&terminal, &["\r"]);
        thread::sleep(REST);
        write(&terminal, size, "disconnected-overview");
    }
    for &size in sizes {
        let terminal = open(&empty, size);
        terminal.wait_for("no tunnels");
        thread::sleep(REST);
        write(&terminal, size, "empty");
    }
}

fn press(terminal: &Terminal, keys: &[&str]) {
    for key in keys {
        terminal.press(key);
        thread::sleep(BETWEEN_KEYS);
    }
}
