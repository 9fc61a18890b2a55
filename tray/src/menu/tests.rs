use super::*;
use crate::fixture::{because, grouped, needs_login, now, status};
use std::fmt::Write as _;
use tunnels_api::{CauseKind, DaemonEvent};
use tunnels_tui::model::Model;

fn menu(tunnels: Vec<TunnelStatus>) -> Vec<Item> {
    let mut model = Model::new(&[]);
    model.apply(DaemonEvent::Snapshot { tunnels, config_error: None });
    of(&Scene { tunnels: model, link: Link::Up, can_start: true, notifies: true }, now())
}

fn protected(tunnel: TunnelStatus) -> TunnelStatus {
    TunnelStatus { protected: true, ..tunnel }
}

/// What of the menu can be seen, a line each.
fn outline(menu: &[Item]) -> String {
    fn lines(menu: &[Item], depth: usize, into: &mut String) {
        for item in menu.iter().filter(|item| item.is_visible) {
            let (before, children) = match &item.kind {
                Kind::Separator => ("---", &[][..]),
                Kind::Text => ("# ", &[][..]),
                Kind::Click(_) if !item.is_enabled => ("- ", &[][..]),
                Kind::Click(_) => ("> ", &[][..]),
                Kind::Switch { is_on, .. } => (if *is_on { "[x] " } else { "[ ] " }, &[][..]),
                Kind::Submenu(children) => ("+ ", &children[..]),
            };
            let _ = writeln!(into, "{:indent$}{before}{}", "", item.label, indent = depth * 2);
            lines(children, depth + 1, into);
        }
    }
    let mut text = String::new();
    lines(menu, 0, &mut text);
    text
}

/// The first entry with that label, wherever it is.
fn find<'a>(menu: &'a [Item], label: &str) -> Option<&'a Item> {
    menu.iter().find_map(|item| match &item.kind {
        _ if item.label == label => Some(item),
        Kind::Submenu(children) => find(children, label),
        _ => None,
    })
}

#[track_caller]
fn action(menu: &[Item], label: &str) -> Action {
    let item = find(menu, label).unwrap_or_else(|| panic!("no `{label}` in\n{}", outline(menu)));
    let Kind::Click(action) = &item.kind else { panic!("`{label}` is {:?}", item.kind) };
    action.clone()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn every_tunnel_stands_below_its_group_with_what_can_be_done() {
    let menu = menu(vec![
        grouped(status("orders-db", TunnelState::Ready), "db"),
        because(status("web", TunnelState::Connecting), CauseKind::TargetOffline, "i-0 is not connected"),
        grouped(protected(status("payroll", TunnelState::Down)), "db"),
        needs_login("search", "dev"),
    ]);
    insta::assert_snapshot!(outline(&menu), @"
    # 1 ready, 1 connecting, 1 needs-login, 1 down
    > Log in for 1 tunnel: aws sso login --profile dev
    ---
    + @db: 1 ready, 1 down
      + ● orders-db: ready
        > Take down
        > Restart
        > Copy 127.0.0.1:15432
      + · payroll: down · protected
        + Bring up
          > payroll is protected: bring it up all the same
        > Copy 127.0.0.1:15432
      ---
      - Bring @db up but the protected one
      > Take @db down
    + ◌ web: connecting · target offline
      # i-0 is not connected
      > Take down
      > Restart
      > Copy 127.0.0.1:15432
    + ! search: needs-login
      # the SSO login of `dev` has expired
      # run `aws sso login --profile dev`
      > Log in: aws sso login --profile dev
      > Take down
      > Restart
      > Copy 127.0.0.1:15432
    ---
    - Bring all up but the protected one
    > Take all down
    ---
    > Open the dashboard
    [x] Notifications
    ---
    > Quit the tray
    ");
}

#[test]
fn no_single_click_brings_a_protected_tunnel_up() {
    fn clicks<'a>(menu: &'a [Item], depth: usize, found: &mut Vec<(usize, &'a Action)>) {
        for item in menu {
            match &item.kind {
                Kind::Click(action) => found.push((depth, action)),
                Kind::Submenu(children) => clicks(children, depth + 1, found),
                _ => {}
            }
        }
    }
    let prod = grouped(protected(status("prod", TunnelState::Down)), "db");
    let open = grouped(protected(status("open", TunnelState::Ready)), "db");
    let menu = menu(vec![prod, grouped(status("dev", TunnelState::Down), "db"), open]);
    let mut found = Vec::new();
    clicks(&menu, 0, &mut found);
    let ups = found.iter().filter(|(_, action)| matches!(action, Action::Up(up) if up.contains(&"prod".to_owned())));
    // Below the group, the tunnel and the question.
    assert_eq!(ups.map(|(depth, _)| *depth).collect::<Vec<_>>(), [3]);
    // One that is wanted up already may be among those that are brought up.
    assert_eq!(action(&menu, "Bring @db up but the protected one"), Action::Up(names(&["open", "dev"])));
    let restart = |name: &str| Action::Restart(name.to_owned());
    let is_offered = |wanted: Action| {
        let mut visible = false;
        walk(&menu, true, &mut |item, is_visible| {
            visible |= is_visible && item.kind == Kind::Click(wanted.clone());
        });
        visible
    };
    assert!(!is_offered(restart("prod")) && is_offered(restart("open")));
}

/// Every entry, and whether it can be seen.
fn walk(menu: &[Item], is_visible: bool, see: &mut impl FnMut(&Item, bool)) {
    for item in menu {
        see(item, is_visible && item.is_visible);
        if let Kind::Submenu(children) = &item.kind {
            walk(children, is_visible && item.is_visible, see);
        }
    }
}

#[test]
fn all_are_those_that_a_bare_up_is_about() {
    let manual = TunnelStatus { auto: false, ..status("manual", TunnelState::Down) };
    let menu = menu(vec![status("a", TunnelState::Down), manual, status("b", TunnelState::Failed)]);
    assert_eq!(action(&menu, "Bring all up"), Action::Up(names(&["b", "a"])));
    assert_eq!(action(&menu, "Take all down"), Action::Down(names(&["b"])));
}

#[test]
fn what_would_be_about_no_tunnel_cannot_be_clicked() {
    // An empty list of names would mean all of them.
    let menus = [
        menu(vec![grouped(status("a", TunnelState::Down), "db")]),
        menu(vec![grouped(status("a", TunnelState::Ready), "db")]),
        menu(vec![protected(status("a", TunnelState::Down))]),
    ];
    for menu in menus {
        walk(&menu, true, &mut |item, is_visible| {
            if let Kind::Click(Action::Up(names) | Action::Down(names)) = &item.kind {
                assert!(!names.is_empty() || !is_visible || !item.is_enabled, "{}", item.label);
            }
        });
    }
}

#[test]
fn a_change_of_state_moves_no_entry() {
    fn shape(menu: &[Item]) -> Vec<usize> {
        let below = menu.iter().flat_map(|item| match &item.kind {
            Kind::Submenu(children) => shape(children),
            _ => Vec::new(),
        });
        std::iter::once(menu.len()).chain(below).collect()
    }
    let shapes = TunnelState::ALL.map(|state| shape(&menu(vec![status("a", state), status("b", TunnelState::Ready)])));
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
}

#[test]
fn a_login_is_offered_once_for_all_that_wait_for_it() {
    let tunnels = (0..30).map(|n| needs_login(&format!("t{n}"), if n < 20 { "dev" } else { "prod" })).collect();
    let menu = menu(tunnels);
    let label = "Log in for 20 tunnels: aws sso login --profile dev";
    assert_eq!(action(&menu, label), Action::LogIn("aws sso login --profile dev".to_owned()));
    assert!(find(&menu, "Log in for 10 tunnels: aws sso login --profile prod").is_some());
}

#[test]
fn a_thousand_tunnels_are_a_hundred_and_the_rest_is_counted() {
    let menu = menu((0..1000).map(|n| status(&format!("t{n}"), TunnelState::Ready)).collect());
    assert!(find(&menu, "● t99: ready").is_some() && find(&menu, "● t100: ready").is_none());
    assert_eq!(action(&menu, "900 more in the dashboard"), Action::Dashboard);
    let Action::Down(all) = action(&menu, "Take all down") else { panic!("that is what it does") };
    assert_eq!(all.len(), 1000);
}

#[test]
fn without_a_daemon_one_can_be_started() {
    let lost = |can_start| {
        let link = Link::Lost("no daemon is running".to_owned());
        outline(&of(&Scene { tunnels: Model::new(&[]), link, can_start, notifies: false }, now()))
    };
    insta::assert_snapshot!(lost(true), @"
    # no daemon is running
    > Start the daemon
    ---
    > Open the dashboard
    [ ] Notifications
    ---
    > Quit the tray
    ");
    assert!(!lost(false).contains("Start the daemon"));
}
