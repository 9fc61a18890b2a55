//! What a person or a pipe reads.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use tunnels_tests::{TestDaemon, TestRemote, TestSim, finish, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn a_pipe_gets_no_colour_and_no_progress() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    let up = user.run(&["up", "--wait"]).expect_success();
    let ls = user.run(&["ls"]).expect_success();
    for text in [&up.stdout, &up.stderr, &ls.stdout, &ls.stderr] {
        assert!(!text.contains('\u{1b}'), "an escape sequence in {text:?}");
        assert!(!text.contains('\r'), "a carriage return in {text:?}");
    }
    assert!(up.stdout.contains(&user.port("api").to_string()), "the address to paste: {}", up.stdout);
    assert!(ls.stdout.contains("ready"), "{}", ls.stdout);
}

#[test]
fn help_lists_the_exit_codes_and_every_command() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim);
    let help = user.run(&["--help"]).expect_success().stdout;
    let commands = "up down restart ls status why logs wait doctor daemon stop config demo sim completions version";
    for command in commands.split(' ') {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is missing in:\n{help}");
        let own = user.run(&[command, "--help"]).expect_success();
        assert!(own.stdout.contains("Usage"), "{}", own.stdout);
    }
    assert!(help.to_lowercase().contains("exit codes"), "{help}");
}

#[test]
fn no_secret_is_in_the_daemons_log_or_state() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    sim.cut("client", "reset");
    user.wait_for("api", "ready");
    user.run(&["stop"]).expect_success();
    user.process().wait();

    let mut texts = vec![user.process().output()];
    texts.extend(user.state_files());
    for text in texts {
        for secret in ["wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00", "TokenValue\":\"", "cell-number="] {
            assert!(!text.contains(secret), "{secret} stands in:\n{text}");
        }
    }
}

#[test]
fn colours_are_as_the_environment_asks_for() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let ls = |vars: &[(&str, &str)]| {
        finish(user.command(&["ls"]).envs(vars.iter().copied())).expect_success().stdout.contains('\u{1b}')
    };
    assert!(!ls(&[("TERM", "xterm")]));
    assert!(ls(&[("TERM", "xterm"), ("CLICOLOR_FORCE", "1")]));
    assert!(!ls(&[("TERM", "xterm"), ("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
}

#[test]
fn a_reader_that_hangs_up_is_no_error() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    for arguments in ["ls", "status api", "why api", "--help"] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        // A pipe whose reader is gone before anything is written.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = user.command(&arguments).stdout(writer).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
    }
}

#[test]
fn a_watch_ends_when_nobody_reads_it_any_more() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut watch = user.command(&["ls", "--watch"]).stdout(writer).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(reader).read_line(&mut first).unwrap();
    assert!(first.contains("api  ready"), "{first}");
    // The reader is gone, and nothing changes that would have to be written.
    let status = wait_until("the watch to end", DEADLINE, || watch.try_wait().unwrap());
    assert!(status.success(), "{status}");
}

#[test]
fn what_is_protected_or_exposed_says_so_in_every_view() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let port = tunnels_tests::free_port();
    let user = TestDaemon::new(&sim).tunnel_with("prod", &remote.address().to_string(), "protected = true");
    let text = std::fs::read_to_string(user.config()).unwrap();
    let open = format!("{text}\n[tunnels.open]\nremote = \"{}\"\nlocal = \"0.0.0.0:{port}\"\n", remote.address());
    user.overwrite_config(&open);
    let up = user.run(&["up", "--wait", "--yes"]).expect_success().stdout;
    let ls = user.run(&["ls"]).expect_success().stdout;
    for view in [&up, &ls] {
        assert!(view.contains("ready · protected"), "{view}");
        assert!(view.contains(&format!("warning: other machines can reach open (0.0.0.0:{port})")), "{view}");
    }
    let status = user.run(&["status", "prod"]).expect_success().stdout;
    assert!(status.contains("protected   `up` asks"), "{status}");
    let status = user.run(&["status", "open"]).expect_success().stdout;
    assert!(status.contains("warning     other machines can reach"), "{status}");
    assert_eq!(user.status("open")["exposed"], true);
    assert_eq!(user.status("prod")["exposed"], false);
}

#[test]
fn a_rejected_edit_is_told_below_the_list_until_it_is_mended() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();
    let good = std::fs::read_to_string(user.config()).unwrap();
    user.overwrite_config(&format!("{good}\nprobee = \"tcp\"\n"));
    let told = || user.run(&["ls"]).expect_success().stdout;
    let list =
        wait_until("ls to tell of the mistake", DEADLINE, || Some(told()).filter(|list| list.contains("probee")));
    assert!(list.contains("api") && list.contains("ready"), "{list}");
    assert!(list.contains("`tunnels config check` shows the whole report"), "{list}");
    user.overwrite_config(&good);
    wait_until("ls to be satisfied", DEADLINE, || (!told().contains("probee")).then_some(()));
}

#[test]
fn what_to_do_first_is_said() {
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel_with("api", "127.0.0.1:9", "");
    user.run(&["daemon"]).expect_success();
    let ls = user.run(&["ls"]).expect_success();
    assert!(ls.stderr.contains("`tunnels up` brings them up"), "{}", ls.stderr);
    user.run(&["stop"]).expect_success();
    user.overwrite_config("");
    user.run(&["daemon"]).expect_success();
    let ls = user.run(&["ls"]).expect_success();
    assert!(ls.stderr.contains("`tunnels config path`"), "{}", ls.stderr);
    user.run(&["stop"]).expect_success();
    std::fs::remove_file(user.config()).unwrap();
    let ls = user.run(&["ls"]).expect_code(4);
    assert!(ls.stderr.contains("[tunnels.orders-db]"), "{}", ls.stderr);
}
