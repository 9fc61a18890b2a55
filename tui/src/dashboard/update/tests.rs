//! Everything that happens on the dashboard, without a terminal.

use super::super::effect::{Command, Effect, Message, Program, Verb};
use super::super::fixture::{dashboard, later, now, opened, press, screen, tell, tunnels, with};
use super::super::keys::Action;
use super::super::model::{Link, Model, Over, Tab};
use super::super::update::{makes_sense, update};
use crate::conn::News;
use crate::fixture::status;
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use tunnels_api::{ApiError, DaemonEvent, ErrorCode, Reloaded, Span, TargetState, TunnelState, TunnelStatus, Tunnels};

fn command(verb: Verb, names: &[&str]) -> Effect {
    Effect::Command(Command { verb, names: names.iter().map(|&name| name.to_owned()).collect() })
}

fn select(model: &mut Model, name: &str) {
    press(model, &["home"]);
    for _ in 0..model.list.rows.len() {
        if model.list.selected.as_deref() == Some(name) {
            return;
        }
        press(model, &["down"]);
    }
    panic!("{name} is not in the list");
}

fn names(model: &Model) -> Vec<String> {
    model.shown().map(|tunnel| tunnel.name.clone()).collect()
}

#[test]
fn keys_act_on_the_selected_tunnel_or_on_the_marked_ones() {
    let mut model = dashboard(120, 40);
    assert_eq!(model.list.selected.as_deref(), Some("orders-db"));
    assert_eq!(press(&mut model, &["d"]), [command(Verb::Down, &["orders-db"])]);
    assert_eq!(press(&mut model, &["r"]), [command(Verb::Restart, &["orders-db"])]);
    press(&mut model, &["space", "down", "space"]);
    assert_eq!(model.list.marked.iter().collect::<Vec<_>>(), ["orders-db", "reporting-db"]);
    assert_eq!(press(&mut model, &["d"]), [command(Verb::Down, &["orders-db", "reporting-db"])]);
    press(&mut model, &["esc"]);
    assert!(model.list.marked.is_empty());
    press(&mut model, &["a"]);
    assert_eq!(model.list.marked.len(), 12, "all that are shown");
    press(&mut model, &["a"]);
    assert!(model.list.marked.is_empty());
}

#[test]
fn a_protected_tunnel_is_asked_about_before_it_comes_up_and_not_when_it_goes_down() {
    let mut model = dashboard(120, 40);
    select(&mut model, "payroll-db");
    assert_eq!(press(&mut model, &["u"]), []);
    assert!(screen(&model).contains("payroll-db is protected: bring up all the same?"));
    assert_eq!(press(&mut model, &["n"]), []);
    assert!(model.over.is_none());
    press(&mut model, &["r"]);
    assert_eq!(press(&mut model, &["x", "enter", "u"]), [], "only a yes is one");
    assert_eq!(press(&mut model, &["y"]), [command(Verb::Restart, &["payroll-db"])]);
    assert_eq!(press(&mut model, &["d"]), [command(Verb::Down, &["payroll-db"])]);
    // It is up already: nothing new is opened.
    select(&mut model, "billing-db");
    assert_eq!(press(&mut model, &["u"]), [command(Verb::Up, &["billing-db"])]);
}

#[test]
fn what_was_done_is_said_for_a_while_and_figures_are_asked_for() {
    let mut model = dashboard(120, 40);
    let done = Command { verb: Verb::Down, names: vec!["orders-db".into()] };
    assert_eq!(tell(&mut model, Message::Done { command: done.clone(), result: Ok(1) }), [Effect::Figures]);
    assert!(screen(&model).contains("down: orders-db"));
    update(&mut model, Message::Tick, later(6));
    assert!(!screen(&model).contains("down: orders-db"));
    let error = ApiError::new(ErrorCode::Stopping, "the daemon is stopping").with_hint("again");
    tell(&mut model, Message::Done { command: done, result: Err(error) });
    assert!(screen(&model).contains("the daemon is stopping; again"));
}

#[test]
fn a_filter_is_written_kept_and_dropped() {
    let mut model = dashboard(120, 40);
    press(&mut model, &["/", "c", "a", "c", "h", "e"]);
    assert_eq!(names(&model), ["sessions-cache", "carts-cache", "feeds-cache", "queue-cache"]);
    assert_eq!(model.list.selected.as_deref(), Some("sessions-cache"), "the selection is in sight");
    // Letters are text there.
    assert_eq!(press(&mut model, &["q"]), []);
    press(&mut model, &["backspace", "enter"]);
    assert_eq!(press(&mut model, &["d"]), [command(Verb::Down, &["sessions-cache"])]);
    press(&mut model, &["esc"]);
    assert_eq!(model.shown().count(), 12);
    tell(&mut model, Message::Paste("ignored".into()));
    press(&mut model, &["/"]);
    tell(&mut model, Message::Paste("orders\n-db".into()));
    assert_eq!(model.list.wanted.filter, "orders -db");
    press(&mut model, &["esc"]);
    assert_eq!((model.list.wanted.filter.as_str(), model.is_filtering), ("", false));
}

#[test]
fn the_selection_stays_with_its_tunnel_whatever_moves() {
    let mut model = dashboard(120, 40);
    select(&mut model, "queue-cache");
    press(&mut model, &["s", "g"]);
    assert_eq!(model.list.selected.as_deref(), Some("queue-cache"));
    let mut fewer = tunnels();
    fewer.retain(|tunnel| tunnel.name != "queue-cache");
    tell(&mut model, Message::Figures(Ok(Tunnels { tunnels: fewer, config_error: None })));
    let selected = model.list.selected.clone().expect("another one");
    assert!(model.tunnel(&selected).is_some());
    tell(&mut model, Message::Figures(Ok(Tunnels { tunnels: vec![], config_error: None })));
    assert_eq!((model.list.selected.as_ref(), model.list.rows.len()), (None, 0));
    // Nothing to act on is no reason to fall over.
    for key in [
        "up", "down", "home", "end", "pgdn", "enter", "space", "a", "u", "d", "r", "c", "y", "Y", "p", "L", "e", "g",
        "s",
    ] {
        press(&mut model, &[key]);
    }
}

#[test]
fn headings_are_passed_over_in_both_directions() {
    let mut model = dashboard(120, 40);
    let down: Vec<String> = (0..12)
        .map(|_| {
            let name = model.list.selected.clone().unwrap();
            press(&mut model, &["down"]);
            name
        })
        .collect();
    assert_eq!(down, names(&model));
    for name in names(&model).iter().rev() {
        assert_eq!(model.list.selected.as_ref(), Some(name));
        press(&mut model, &["up"]);
    }
}

#[test]
fn the_selected_row_is_always_in_sight() {
    let mut model = with(super::super::fixture::thousand(), 80, 24);
    let height = usize::from(model.areas().rows.height);
    let is_in_sight = |model: &Model| {
        let row = model.selected_row().expect("one is selected");
        (model.list.offset..model.list.offset + height).contains(&row)
    };
    for key in ["pgdn", "pgdn", "end", "up", "pgup", "home", "down", "s", "g", "g", "g", "g", "end"] {
        press(&mut model, &[key]);
        assert!(is_in_sight(&model), "after {key}: {:?} from {}", model.selected_row(), model.list.offset);
    }
    let name = model.list.selected.clone();
    tell(&mut model, Message::Resized(super::super::geometry::Size { width: 40, height: 10 }));
    let row = model.selected_row().unwrap();
    assert!((model.list.offset..model.list.offset + usize::from(model.areas().rows.height)).contains(&row));
    assert_eq!(model.list.selected, name);
}

#[test]
fn what_is_copied_is_what_can_be_pasted() {
    let mut model = dashboard(120, 40);
    let copy = |text: &str| [Effect::Copy(text.to_owned())];
    assert_eq!(press(&mut model, &["y"]), copy("127.0.0.1:15432"));
    let host = "orders.cluster-abc.eu-west-1.rds.amazonaws.com";
    let url = format!("postgresql://{host}:15432/?hostaddr=127.0.0.1&sslmode=verify-full");
    assert_eq!(press(&mut model, &["Y"]), copy(&url));
    assert_eq!(press(&mut model, &["p"]), copy(&format!("psql 'host={host} hostaddr=127.0.0.1 port=15432'")));
    assert!(screen(&model).contains(&format!("copied psql 'host={host}")));
    press(&mut model, &["space", "space"]);
    assert_eq!(press(&mut model, &["y"]), copy("127.0.0.1:15432\n127.0.0.1:15433"));
}

#[test]
fn a_client_is_opened_where_something_listens() {
    let mut model = dashboard(120, 40);
    let server = "host=orders.cluster-abc.eu-west-1.rds.amazonaws.com hostaddr=127.0.0.1 port=15432";
    let words = ["psql", server].map(str::to_owned).to_vec();
    assert_eq!(press(&mut model, &["c"]), [Effect::Run(Program::Client(words.clone()))]);
    tell(
        &mut model,
        Message::Ran { program: Program::Client(words), result: Err("it ended with exit status: 2".into()) },
    );
    assert!(screen(&model).contains("psql: it ended with exit status: 2"));
    select(&mut model, "payroll-db");
    assert_eq!(press(&mut model, &["c"]), []);
    assert!(screen(&model).contains("nothing listens for payroll-db: bring it up first"));
}

#[test]
fn a_login_runs_the_command_that_the_cause_names() {
    let mut model = dashboard(120, 40);
    let login = Effect::Run(Program::Login(["aws", "sso", "login", "--profile", "ops"].map(str::to_owned).to_vec()));
    select(&mut model, "ledger-db");
    assert_eq!(press(&mut model, &["L"]), std::slice::from_ref(&login));
    // Only one login is due: whoever presses the key means it.
    select(&mut model, "orders-db");
    assert_eq!(press(&mut model, &["L"]), [login]);
    let fine = tunnels().into_iter().filter(|tunnel| tunnel.name != "ledger-db").collect();
    let mut model = with(fine, 120, 40);
    assert_eq!(press(&mut model, &["L"]), []);
    assert!(screen(&model).contains("no login is due here"));
}

#[test]
fn an_edit_is_checked_when_the_editor_has_ended() {
    let mut model = dashboard(120, 40);
    let file = "/home/ada/.config/tunnels/config.toml".to_owned();
    let editor = Program::Editor { file };
    assert_eq!(press(&mut model, &["e"]), [Effect::Run(editor.clone())]);
    assert_eq!(tell(&mut model, Message::Ran { program: editor, result: Ok(()) }), [Effect::Reload]);
    let report = "error: unknown key `remot`\n --> config.toml:3:1\n";
    tell(&mut model, Message::Reloaded(Err(ApiError::new(ErrorCode::ConfigInvalid, report))));
    let shown = screen(&model);
    assert!(shown.contains("The configuration has mistakes") && shown.contains("--> config.toml:3:1"), "{shown}");
    press(&mut model, &["esc"]);
    let done = Reloaded { added: vec!["x".into()], changed: vec!["y".into()], ..Reloaded::default() };
    tell(&mut model, Message::Reloaded(Ok(done)));
    assert!(screen(&model).contains("the configuration is in force: 1 added, 1 changed"));
    tell(&mut model, Message::Reloaded(Ok(Reloaded::default())));
    assert!(screen(&model).contains("the configuration is in force\n"), "the daemon may have seen it before");
}

#[test]
fn the_daemon_goes_away_and_comes_back() {
    let mut model = dashboard(120, 40);
    assert!(!makes_sense(&model, Action::StartDaemon, now()));
    tell(&mut model, Message::News(News::Lost(None)));
    assert!(matches!(&model.link, Link::Lost { why, .. } if why == "the daemon has ended"));
    let shown = screen(&model);
    assert!(shown.starts_with("not connected for 0s: the daemon has ended; trying again"), "{shown}");
    assert!(shown.contains("orders-db"), "what it said last stays");
    assert_eq!(press(&mut model, &["d"]), []);
    assert!(screen(&model).contains("no daemon answers: nothing was changed"));
    assert_eq!(tell(&mut model, Message::Tick), [], "nobody would answer");
    assert_eq!(press(&mut model, &["S"]), [Effect::StartDaemon]);
    let back = DaemonEvent::Snapshot { tunnels: tunnels(), config_error: None };
    assert_eq!(tell(&mut model, Message::News(News::Event(back))), [Effect::Version]);
    assert_eq!(model.link, Link::Up);
    assert_eq!(tell(&mut model, Message::Tick), [Effect::Figures]);
    assert_eq!(tell(&mut model, Message::Tick), [], "they are on their way");
}

#[test]
fn a_change_is_on_the_screen_with_its_cause_as_soon_as_it_is_told() {
    let mut model = dashboard(120, 40);
    let lost = TunnelStatus {
        cause: Some(
            tunnels_api::Cause::new(tunnels_api::CauseKind::TargetOffline, "i-0 is gone").with_next("start it"),
        ),
        ..status("orders-db", TunnelState::Connecting)
    };
    tell(&mut model, Message::News(News::Event(DaemonEvent::TunnelChanged { tunnel: lost })));
    let shown = screen(&model);
    assert!(shown.contains("◌ connecting    orders-db"), "{shown}");
    assert!(
        shown.contains("target offline") && shown.contains("i-0 is gone") && shown.contains("next: start it"),
        "{shown}"
    );
}

#[test]
fn tabs_ask_for_what_they_show() {
    let mut model = dashboard(120, 40);
    let look = |tab| Effect::Look { name: "orders-db".into(), tab, span: Span::Minute };
    assert_eq!(press(&mut model, &["enter"]), [look(Tab::Overview)]);
    assert_eq!(press(&mut model, &["tab"]), [look(Tab::Connections)]);
    assert_eq!(press(&mut model, &["3"]), [look(Tab::Throughput)]);
    let quarter = Effect::Look { name: "orders-db".into(), tab: Tab::Throughput, span: Span::Quarter };
    assert_eq!(press(&mut model, &["t"]), [quarter]);
    assert_eq!(press(&mut model, &["h", "h", "h"]).len(), 3);
    assert_eq!(model.detail.as_ref().unwrap().tab, Tab::Config, "around the end");
    assert_eq!(press(&mut model, &["d"]), [command(Verb::Down, &["orders-db"])]);
    press(&mut model, &["esc"]);
    assert!(model.detail.is_none());
}

#[test]
fn a_tunnel_that_leaves_the_configuration_is_not_looked_at_any_more() {
    let mut model = dashboard(120, 40);
    opened(&mut model, "orders-db", Tab::Why);
    tell(&mut model, Message::News(News::Event(DaemonEvent::TunnelRemoved { name: "orders-db".into() })));
    assert!(model.detail.is_none());
    assert!(!screen(&model).contains("orders-db"));
}

#[test]
fn what_is_read_scrolls_to_its_end_and_no_further() {
    let mut model = dashboard(80, 24);
    press(&mut model, &["?", "end"]);
    let Some(Over::Help { scroll }) = &model.over else { panic!("help") };
    let last = *scroll;
    assert!(last > 0);
    press(&mut model, &["down", "pgdn"]);
    assert!(matches!(&model.over, Some(Over::Help { scroll }) if *scroll == last));
    assert!(screen(&model).contains("anywhere in your terminal"));
    press(&mut model, &["q"]);
    assert!(model.over.is_none());
    let mut model = dashboard(80, 10);
    opened(&mut model, "orders-db", Tab::Why);
    let end = screen(&model);
    press(&mut model, &["home"]);
    assert_ne!(screen(&model), end);
    press(&mut model, &["end"]);
    assert_eq!((screen(&model), model.detail.as_ref().unwrap().scroll), (end, None), "it follows the end again");
}

#[test]
fn the_guide_stands_below_the_list_or_over_it_where_there_is_no_room() {
    let guide: Vec<String> = (0..14).map(|line| format!("try this {line}")).collect();
    for (height, is_below) in [(40, true), (24, true), (20, false)] {
        let mut model = dashboard(80, height);
        (model.guide, model.shows_guide) = (guide.clone(), true);
        assert_eq!(screen(&model).contains("try this 13"), is_below, "{height}");
        press(&mut model, &["i"]);
        assert_eq!(model.areas().guide.height, 0);
        assert_eq!(screen(&model).contains("try this 13"), !is_below, "{height}");
    }
    let mut model = dashboard(80, 24);
    press(&mut model, &["i"]);
    assert!(model.over.is_none(), "there is nothing to show");
}

fn click(x: u16, y: u16) -> Message {
    let kind = MouseEventKind::Down(MouseButton::Left);
    Message::Mouse(MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE })
}

#[test]
fn the_mouse_selects_opens_scrolls_and_turns_tabs() {
    let mut model = dashboard(120, 40);
    let top = model.areas().rows.y;
    // The first row is a heading.
    tell(&mut model, click(5, top));
    assert_eq!(model.list.selected.as_deref(), Some("orders-db"));
    tell(&mut model, click(5, top + 2));
    assert_eq!(model.list.selected.as_deref(), Some("billing-db"));
    let wheel = MouseEvent { kind: MouseEventKind::ScrollDown, column: 0, row: 0, modifiers: KeyModifiers::NONE };
    tell(&mut model, Message::Mouse(wheel));
    assert_eq!(model.list.selected.as_deref(), Some("reporting-db"));
    tell(&mut model, click(5, top + 3));
    assert_eq!(model.detail.as_ref().map(|detail| detail.name.as_str()), Some("reporting-db"), "a second click opens");
    let tabs = model.detail_areas().tabs;
    let line = screen(&model).lines().nth(usize::from(tabs.y)).unwrap().to_owned();
    let at = line.find("5 Why").expect("a tab");
    tell(&mut model, click(u16::try_from(at).unwrap(), tabs.y));
    assert_eq!(model.detail.as_ref().unwrap().tab, Tab::Why);
}

#[test]
fn leaving_is_possible_from_everywhere() {
    for way in [&["q"][..], &["^C"], &["/", "^C"], &["?", "^C"], &["enter", "q"], &["enter", "5", "^C"]] {
        let mut model = dashboard(80, 24);
        assert_eq!(press(&mut model, way).last(), Some(&Effect::Quit), "{way:?}");
    }
}

#[test]
fn only_keys_that_would_do_something_are_in_the_footer() {
    let mut model = dashboard(200, 40);
    let footer = |model: &Model| screen(model).lines().last().unwrap().to_owned();
    assert!(footer(&model).contains("d down") && !footer(&model).contains("u up"), "{}", footer(&model));
    select(&mut model, "payroll-db");
    assert!(footer(&model).contains("u up") && !footer(&model).contains("d down"), "{}", footer(&model));
    assert!(!footer(&model).contains("t 1/15/60 min"));
    press(&mut model, &["enter", "3"]);
    assert!(footer(&model).contains("t 1/15/60 min"), "{}", footer(&model));
    assert!(footer(&model).ends_with("? help  q quit"), "{}", footer(&model));
    let stays: Vec<TunnelStatus> =
        tunnels().into_iter().map(|tunnel| TunnelStatus { wanted: TargetState::Up, ..tunnel }).collect();
    let model = with(stays, 40, 10);
    assert!(footer(&model).ends_with("? help  q quit"), "{}", footer(&model));
}

#[test]
fn the_moment_at_which_a_login_runs_out_is_known() {
    let expiring = |seconds: &[i64]| {
        let tunnel =
            |at: &i64| TunnelStatus { credentials_expire: Some(later(*at)), ..status("a", TunnelState::Ready) };
        with(seconds.iter().map(tunnel).collect(), 80, 24).next_expiry(now())
    };
    assert_eq!(expiring(&[-5, 7, 3, 0]), Some(std::time::Duration::from_secs(3)));
    assert_eq!(expiring(&[-5, 0]), None, "what is over does not change any more");
    assert_eq!(expiring(&[]), None);
}

#[test]
fn a_thousand_changes_are_one_arrangement_before_somebody_looks() {
    let mut model = with(super::super::fixture::thousand(), 80, 24);
    let rows = model.list.rows.clone();
    for tunnel in super::super::fixture::thousand() {
        let tunnel = TunnelStatus { groups: vec!["other".into()], ..tunnel };
        update(&mut model, Message::News(News::Event(DaemonEvent::TunnelChanged { tunnel })), now());
    }
    assert_eq!(model.list.rows, rows, "nobody has looked");
    // A key is about what will be on the screen.
    update(&mut model, Message::Key(crossterm::event::KeyCode::Down.into()), now());
    assert_ne!(model.list.rows, rows);
    assert!(!model.list.is_stale);
}
