//! What a person or a pipe reads.

use tunnels_tests::{TestDaemon, TestRemote, TestSim};

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
    for command in ["up", "down", "ls", "stop", "daemon", "sim", "version"] {
        assert!(help.contains(command), "{command} is missing in:\n{help}");
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
