//! Pictures of the dashboard for the documentation, made from the real program on a pseudo-terminal: `just screenshots`.
//!
//! `--views FOLDER [COLUMNSxLINES…]` writes every view at these sizes instead, as text and as a picture, for whoever
//! changes one; `--no-color`, `--16-colors` and `--light` choose another terminal. `--live` opens the dashboard over
//! the same tunnels on the terminal that this runs on.

mod scene;
mod svg;
mod views;

use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use scene::{Look, Scene};
use tunnels_tests::Terminal;

/// So long there is traffic before a chart is taken: this is a picture, not a test.
const TRAFFIC: std::time::Duration = std::time::Duration::from_secs(45);
/// Of the README's pictures.
const SIZE: (u16, u16) = (132, 27);
const USUAL_SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_given = |option: &str| arguments.iter().any(|argument| argument == option);
    let look = match (is_given("--no-color"), is_given("--16-colors"), is_given("--light")) {
        (true, ..) => Look::NoColor,
        (_, true, _) => Look::Sixteen,
        (.., true) => Look::Light,
        _ => Look::Dark,
    };
    let scene = Scene::set();
    if is_given("--live") {
        let status = scene.on_this_terminal().status();
        println!("the dashboard has ended: {status:?}");
        return;
    }
    thread::sleep(TRAFFIC);
    if let Some(at) = arguments.iter().position(|argument| argument == "--views") {
        let folder = PathBuf::from(arguments.get(at + 1).expect("--views needs a folder"));
        let sizes: Vec<(u16, u16)> = arguments.iter().filter_map(|argument| size(argument)).collect();
        let sizes = if sizes.is_empty() { USUAL_SIZES.to_vec() } else { sizes };
        fs::create_dir_all(&folder).expect("the folder of views");
        views::write(scene, look, &sizes, &folder);
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    fs::create_dir_all(&folder).expect("the folder of images");
    for (name, keys, shows) in [("dashboard", "jjjj", "next: run"), ("throughput", "\r3", "now")] {
        let terminal = Terminal::start(&scene.command(Look::Dark), SIZE.0, SIZE.1);
        terminal.wait_for("orders-db");
        terminal.wait_for("B/s");
        terminal.press(keys);
        terminal.wait_for(shows);
        views::rest();
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, svg::of(&terminal.screen(), &svg::DARK)).expect("an image can be written");
        println!("{}", path.display());
    }
}

/// `80x24`
fn size(argument: &str) -> Option<(u16, u16)> {
    let (columns, lines) = argument.split_once('x')?;
    Some((columns.parse().ok()?, lines.parse().ok()?))
}
