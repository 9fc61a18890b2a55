//! Pictures of the dashboard for the documentation, made from the real program on a pseudo-terminal:
//! `just screenshots`. With `--text` the screens of every view are printed instead, at usual sizes.

mod scene;
mod svg;

use std::path::Path;
use std::{env, fs, thread};

use scene::Scene;
use tunnels_tests::Terminal;

/// So long there is traffic before a chart is taken: this is a picture, not a test.
const TRAFFIC: std::time::Duration = std::time::Duration::from_secs(45);

/// The keys that lead to each view from the list, and what stands on it.
const VIEWS: [(&str, &str, &str); 9] = [
    ("the list", "", "q quit"),
    ("overview", "\r", "round trip"),
    ("connections", "\r2", "PROGRAM"),
    ("throughput", "\r3", "now"),
    ("latency", "\r4", "now"),
    ("why", "\r5", "brought up"),
    ("logs", "\r6", "session open"),
    ("config", "\r7", "remote"),
    ("help", "?", "Moving about"),
];

fn main() {
    let scene = Scene::set();
    thread::sleep(TRAFFIC);
    if env::args().any(|argument| argument == "--text") {
        for (columns, lines) in [(80, 24), (120, 40), (200, 60)] {
            for (name, keys, shows) in VIEWS {
                let terminal = view(&scene, columns, lines, keys, shows);
                println!("=== {name} at {columns}×{lines}\n{}\n", terminal.text());
            }
        }
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    fs::create_dir_all(&folder).expect("the folder of images");
    for (name, keys, shows) in [("dashboard", "", "q quit"), ("throughput", "\r3", "now")] {
        let terminal = view(&scene, 132, 27, keys, shows);
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, svg::of(&terminal.screen())).expect("an image can be written");
        println!("{}", path.display());
    }
}

/// The dashboard on a terminal of this size, after these keys.
fn view(scene: &Scene, columns: u16, lines: u16, keys: &str, shows: &str) -> Terminal {
    let terminal = Terminal::start(&scene.command(), columns, lines);
    terminal.wait_for("orders-db");
    terminal.wait_for("B/s");
    for key in keys.chars() {
        terminal.press(&key.to_string());
        terminal.wait("the next view", |screen| !screen.is_empty());
    }
    terminal.wait_for(shows);
    // Figures come once a second.
    thread::sleep(std::time::Duration::from_secs(4));
    terminal
}
