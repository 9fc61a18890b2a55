//! `tunnels hosts`: the block in a hosts file, never this machine's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tunnels_tests::{Terminal, TestDaemon, TestSim};

const BEFORE: &str = "127.0.0.1 localhost\n10.0.0.7 nas";
const ORDERS: &str = "orders.cluster-abc.eu-west-1.rds.amazonaws.com";

#[test]
fn a_block_is_applied_brought_up_to_date_and_removed() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &format!("{ORDERS}:5432"), "").tunnel_with(
        "ip",
        "10.0.0.1:80",
        "",
    );
    let file = user.home().join("hosts");
    fs::write(&file, BEFORE).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let path = file.to_str().unwrap();
    let text = || fs::read_to_string(&file).unwrap();

    let asked = user.run(&["hosts", "apply", "--file", path]).expect_code(2);
    assert!(asked.stderr.contains("--yes") && asked.stdout.contains(ORDERS), "{} {}", asked.stdout, asked.stderr);
    assert_eq!(text(), BEFORE, "nobody said yes");

    user.run(&["hosts", "apply", "--file", path, "--yes"]).expect_success();
    let applied = text();
    assert!(applied.starts_with(&format!("{BEFORE}\n# BEGIN tunnels")), "{applied}");
    assert!(applied.contains(&format!("\n127.0.0.1  {ORDERS}  # orders-db\n# END tunnels\n")), "{applied}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_to_string(user.home().join("hosts.tunnels-backup")).unwrap(), BEFORE);
    let again = user.run(&["hosts", "apply", "--file", path]).expect_success();
    assert!(again.stderr.contains("as it should be"), "{}", again.stderr);

    // As root does it: the block comes from somebody with fewer rights.
    let block = user.home().join("block");
    fs::write(&block, user.run(&["export", "hosts"]).expect_success().stdout.replace("127.0.0.1", "127.0.0.2"))
        .unwrap();
    let block = block.to_str().unwrap();
    user.run(&["hosts", "apply", "--from", block, "--file", path, "--yes"]).expect_success();
    assert!(text().contains(&format!("127.0.0.2  {ORDERS}")), "{}", text());
    fs::write(block, "10.0.0.1 nas\n").unwrap();
    let refused = user.run(&["hosts", "apply", "--from", block, "--file", path, "--yes"]).expect_code(1);
    assert!(refused.stderr.contains("not loopback"), "{}", refused.stderr);

    user.run(&["hosts", "remove", "--file", path, "--yes"]).expect_success();
    assert_eq!(text(), format!("{BEFORE}\n"));
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("ip", "10.0.0.1:80", "");
    let file = user.home().join("hosts");
    let path = file.to_str().unwrap();
    user.run(&["hosts", "apply", "--file", path, "--yes"]).expect_code(1);
    user.run(&["hosts", "remove", "--file", path, "--yes"]).expect_code(1);
    let half = "127.0.0.1 localhost\n# BEGIN tunnels\n";
    fs::write(&file, half).unwrap();
    let broken = user.run(&["hosts", "remove", "--file", path, "--yes"]).expect_code(1);
    assert!(broken.stderr.contains("line 2"), "{}", broken.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), half);
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn who_is_at_the_terminal_is_asked() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("orders-db", &format!("{ORDERS}:5432"), "");
    fs::write(user.home().join("hosts"), BEFORE).unwrap();
    let mut terminal = Terminal::start(&user.command(&["hosts", "apply", "--file", "hosts"]), 100, 20);
    terminal.wait_for("change it? [y/N]");
    terminal.press("y\r");
    assert!(terminal.wait_end().success());
    assert!(fs::read_to_string(user.home().join("hosts")).unwrap().contains(ORDERS));
}
