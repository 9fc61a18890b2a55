//! Every view as it stands on the screen, at the sizes of usual terminals and at the smallest.

use super::super::effect::{Command, Message, Verb};
use super::super::fixture::{dashboard, now, opened, press, screen, tell, thousand, with};
use super::super::geometry::Size;
use super::super::keys::BINDINGS;
use super::super::model::{Model, Over, Tab};
use super::super::theme::Theme;
use super::super::update::update;
use super::view;
use crate::conn::News;
use crate::text;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use tunnels_api::{ClientError, DaemonEvent, Tunnels};

/// Compares with the file of that name.
macro_rules! looks_like {
    ($name:expr, $model:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, screen($model));
        })
    };
}

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 60)];

#[test]
fn the_list_at_every_size() {
    for (width, height) in SIZES {
        looks_like!(format!("list_{width}x{height}"), &dashboard(width, height));
    }
}

#[test]
fn every_tab_at_every_size() {
    for (width, height) in SIZES {
        for tab in Tab::ALL {
            let mut model = dashboard(width, height);
            opened(&mut model, "orders-db", tab);
            looks_like!(format!("{}_{width}x{height}", tab.title().to_lowercase()), &model);
        }
    }
}

#[test]
fn one_that_is_down_comes_up_at_a_key() {
    let mut model = dashboard(80, 24);
    opened(&mut model, "payroll-db", Tab::Overview);
    let shown = screen(&model);
    assert!(shown.contains("u or `tunnels up payroll-db` brings it up"), "{shown}");
    // What a key does not do now is not said.
    tell(&mut model, Message::News(News::Lost(None)));
    let shown = screen(&model);
    assert!(shown.contains("  `tunnels up payroll-db` brings it up"), "{shown}");
}

#[test]
fn nothing_there_yet() {
    let empty = with(vec![], 80, 24);
    looks_like!("empty", &empty);
    let opening = Model::new(Theme::of(true, |_| None), jiff::tz::TimeZone::UTC, Size { width: 80, height: 24 });
    looks_like!("opening", &opening);
    let mut filtered = dashboard(80, 24);
    press(&mut filtered, &["/", "x", "y", "z"]);
    looks_like!("filtered_away", &filtered);
}

#[test]
fn the_daemon_is_gone() {
    for (width, height) in [(40, 10), (120, 40)] {
        let mut model = dashboard(width, height);
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = ClientError::Unreachable { socket: "/run/user/1000/tunnels/daemon.sock".into(), source };
        tell(&mut model, Message::News(News::Lost(Some(error))));
        looks_like!(format!("disconnected_{width}x{height}"), &model);
    }
}

#[test]
fn a_thousand_tunnels() {
    let mut model = with(thousand(), 120, 40);
    press(&mut model, &["pgdn", "pgdn", "space"]);
    looks_like!("thousand", &model);
}

#[test]
fn pages_over_everything() {
    for (width, height) in [(40, 10), (80, 24), (120, 60)] {
        let mut model = dashboard(width, height);
        press(&mut model, &["?"]);
        looks_like!(format!("help_{width}x{height}"), &model);
    }
    let mut model = dashboard(80, 24);
    let command = Command { verb: Verb::Up, names: vec!["payroll-db".into()] };
    let text = "payroll-db is protected: bring up all the same?".to_owned();
    model.over = Some(Over::Question { text, command });
    looks_like!("question", &model);
    let text =
        "error: unknown key `remot`\n --> config.toml:3:1\n  |\n3 | remot = 1\n  | ^^^^^ did you mean `remote`?\n"
            .to_owned();
    model.over = Some(Over::Report { title: "The configuration has mistakes".into(), text, scroll: 0 });
    looks_like!("report", &model);
}

#[test]
fn an_edit_that_was_rejected_and_a_guide() {
    let mut model = dashboard(120, 40);
    let report = "error: unknown key `remot`\n --> config.toml:3:1\n".to_owned();
    tell(&mut model, Message::News(News::Event(DaemonEvent::ConfigRejected { report })));
    model.guide = vec![String::new(), "In another terminal:".into(), "  psql \"host=127.0.0.1 port=15432\"".into()];
    model.shows_guide = true;
    looks_like!("rejected_and_guided", &model);
}

#[test]
fn every_key_is_in_the_help_with_what_it_does() {
    // One column, in which nothing is wrapped.
    let mut model = dashboard(100, 60);
    press(&mut model, &["?"]);
    let help: Vec<String> = super::page::lines(&model)
        .iter()
        .map(|line| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>())
        .collect();
    for binding in BINDINGS {
        let label = binding.label();
        assert!(help.iter().any(|line| line.contains(&label) && line.contains(binding.help)), "{binding:?}");
    }
}

/// All sizes that a terminal may have; what matters is never cut.
#[test]
fn no_size_breaks_a_view_and_addresses_stay_whole() {
    for height in [1, 2, 5, 10, 13, 24, 60, 100] {
        for width in [1, 5, 20, 40, 55, 80, 100, 150, 300] {
            let mut model = dashboard(width, height);
            let shown = screen(&model);
            assert!(shown.lines().all(|line| text::width(line) <= usize::from(width)), "{width}×{height}");
            if width >= 40 && height >= 10 {
                assert!(shown.contains("127.0.0.1:15432"), "{width}×{height}:\n{shown}");
                assert!(shown.contains("orders"), "{width}×{height}:\n{shown}");
            }
            if width >= 80 && height >= 24 {
                for word in ["● ready", "✗ failed", "! needs-login", "◌ connecting", "▲ degraded", "↻ reconnecting"]
                {
                    assert!(shown.contains(word), "{word} at {width}×{height}:\n{shown}");
                }
            }
            for tab in Tab::ALL {
                opened(&mut model, "orders-db", tab);
                screen(&model);
                press(&mut model, &["esc"]);
            }
            press(&mut model, &["?"]);
            screen(&model);
        }
    }
}

#[test]
fn a_terminal_that_has_just_become_smaller_is_drawn_on_all_the_same() {
    let mut model = dashboard(120, 40);
    for keys in [&["d"][..], &["?"], &["esc", "enter"], &["2"], &["3"], &["5"], &["y"]] {
        press(&mut model, keys);
        model.notify("done", now());
        for (width, height) in [(120, 39), (119, 40), (20, 5), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| view(&model, frame, now())).unwrap();
        }
    }
}

#[test]
fn nothing_jumps_while_figures_change() {
    let mut model = dashboard(120, 40);
    let columns = |model: &Model| screen(model).lines().nth(usize::from(model.areas().headings.y)).unwrap().to_owned();
    let before = columns(&model);
    let mut busy = super::super::fixture::tunnels();
    for (at, tunnel) in busy.iter_mut().enumerate() {
        tunnel.rate_in = 10_u64.pow(u32::try_from(at).unwrap());
        tunnel.streams = 17;
        tunnel.rtt_ms = Some(150.0);
        tunnel.retry_at = None;
    }
    tell(&mut model, Message::Figures(Ok(Tunnels { tunnels: busy, config_error: None })));
    assert_eq!(columns(&model), before);
}

fn cells(model: &Model) -> ratatui::buffer::Buffer {
    let mut terminal = Terminal::new(TestBackend::new(model.size.width, model.size.height)).unwrap();
    terminal.draw(|frame| view(model, frame, now())).unwrap();
    terminal.backend().buffer().clone()
}

#[test]
fn without_colour_every_cell_is_plain_and_the_text_is_the_same() {
    for tab in [None, Some(Tab::Overview), Some(Tab::Throughput), Some(Tab::Why), Some(Tab::Logs)] {
        let mut colored = dashboard(120, 40);
        let mut plain = dashboard(120, 40);
        plain.theme = Theme::of(false, |name| (name == "COLORTERM").then(|| "truecolor".to_owned()));
        if let Some(tab) = tab {
            opened(&mut colored, "orders-db", tab);
            opened(&mut plain, "orders-db", tab);
        }
        assert_eq!(screen(&colored), screen(&plain), "{tab:?}");
        let is_plain = |color| color == Color::Reset;
        assert!(cells(&plain).content().iter().all(|cell| is_plain(cell.fg) && is_plain(cell.bg)), "{tab:?}");
        assert!(cells(&colored).content().iter().any(|cell| !is_plain(cell.fg)), "{tab:?}");
    }
}

#[test]
fn the_selected_row_stands_out_on_every_terminal() {
    for (color, variables) in
        [(false, vec![]), (true, vec![]), (true, vec![("COLORTERM", "truecolor"), ("COLORFGBG", "15;0")])]
    {
        let mut model = dashboard(80, 24);
        model.theme = Theme::of(color, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let buffer = cells(&model);
        let y = model.areas().rows.y + 1;
        let stands_out = |x| {
            let cell = &buffer[(x, y)];
            cell.modifier.contains(Modifier::REVERSED) || cell.bg != Color::Reset
        };
        assert!((0..80).all(stands_out), "{color} {variables:?}");
    }
}

/// `cargo test --release -p tunnels-tui frames -- --ignored --nocapture`
#[test]
#[ignore = "prints what a frame of a thousand tunnels costs; there is nothing to judge"]
fn frames() {
    const FRAMES: u32 = 200;
    let mut model = with(thousand(), 200, 60);
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    let started = std::time::Instant::now();
    for _ in 0..FRAMES {
        press(&mut model, &["down"]);
        terminal.draw(|frame| view(&model, frame, now())).unwrap();
    }
    println!("a key and its frame: {:?}", started.elapsed() / FRAMES);
    let started = std::time::Instant::now();
    for _ in 0..FRAMES {
        tell(&mut model, Message::Figures(Ok(Tunnels { tunnels: thousand(), config_error: None })));
    }
    println!("figures of all of them: {:?}", started.elapsed() / FRAMES);
    let started = std::time::Instant::now();
    for tunnel in thousand() {
        let event = DaemonEvent::TunnelChanged { tunnel };
        update(&mut model, Message::News(News::Event(event)), now());
    }
    model.settle();
    terminal.draw(|frame| view(&model, frame, now())).unwrap();
    println!("a change of each of them at once, and the frame: {:?}", started.elapsed());
}
