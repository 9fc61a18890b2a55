//! Five broken tunnels beside five good ones: nobody waits for anybody else, and each says what it lacks.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use tunnels_tests::{EventLog, NODE, SimOptions, TestDaemon, TestRemote, TestSim, echo_once, free_port, wait_until};

const DEADLINE: Duration = Duration::from_mins(1);

const DENIED: &str = "i-0aaaaaaaaaaaaaaaa";
const OFFLINE: &str = "i-0bbbbbbbbbbbbbbbb";

/// What is expected of a broken tunnel.
struct Broken {
    name: &'static str,
    state: &'static str,
    kind: &'static str,
    /// How `up --wait` of it alone ends.
    exit: i32,
    /// What stands in its line of `ls`.
    column: &'static str,
    /// Part of the whole cause.
    text: &'static str,
    /// What `status` has to say is to be done.
    next: &'static str,
}

const BROKEN: [Broken; 5] = [
    Broken {
        name: "denied",
        state: "failed",
        kind: "access-denied",
        exit: 8,
        column: "failed · access denied",
        text: "denie",
        next: "ask for ssm:StartSession",
    },
    Broken {
        name: "offline",
        state: "connecting",
        kind: "target-offline",
        exit: 7,
        column: "connecting · target offline",
        text: OFFLINE,
        next: "SSM agent",
    },
    Broken {
        name: "loginless",
        state: "needs-login",
        kind: "no-credentials",
        exit: 6,
        column: "needs-login",
        text: "profile `slow`",
        next: "renew the credentials",
    },
    Broken {
        name: "refused",
        state: "degraded",
        kind: "remote-refused",
        exit: 7,
        column: "degraded · remote unreachable",
        text: "cannot connect to 127.0.0.1:",
        next: "security group",
    },
    Broken {
        name: "busy",
        state: "failed",
        kind: "port-taken",
        exit: 8,
        column: "failed · port taken",
        text: "is held by `",
        next: "stop it",
    },
];

const GOOD: [&str; 5] = ["good-1", "good-2", "good-3", "good-4", "good-5"];

/// The broken ones come first in the file, so that whoever is served in turn waits for all of them.
fn user(sim: &TestSim, remote: &TestRemote) -> TestDaemon {
    let at = |target: &str| format!("target = \"{target}\"");
    let remote = remote.address().to_string();
    let mut user = TestDaemon::with_defaults(&sim.scope())
        .tunnel_with("denied", &remote, &at(DENIED))
        .tunnel_with("offline", &remote, &at(OFFLINE))
        .tunnel_with("loginless", &remote, &format!("{}\nprofile = \"slow\"", at(NODE)))
        .tunnel_with("refused", &format!("127.0.0.1:{}", free_port()), &at(NODE))
        .tunnel_with("busy", &remote, &at(NODE));
    for name in GOOD {
        user = user.tunnel_with(name, &remote, &at(NODE));
    }
    user
}

fn position(log: &EventLog, is: impl Fn(&Value) -> bool) -> Option<usize> {
    log.all().iter().position(|event| event.get("tunnel").is_some_and(&is))
}

#[test]
fn good_tunnels_are_ready_whatever_is_wrong_with_the_others() {
    let remote = TestRemote::start();
    let nodes = [DENIED, OFFLINE].iter().flat_map(|node| ["--node".to_owned(), (*node).to_owned()]).collect();
    let sim = TestSim::start_with(&SimOptions { arguments: nodes, ..SimOptions::default() });
    sim.faults(&json!({ "access_denied": [DENIED], "offline": [OFFLINE] }));
    let user = user(&sim, &remote);
    // These credentials are long in coming, and then there are none; the loop ends with the test's folder.
    let given_up = user.home().join("given-up");
    let (home, flag) = (user.home().display().to_string(), given_up.display().to_string());
    user.write_aws_config(&format!(
        "[profile slow]\ncredential_process = while [ -d {home} ] && [ ! -e {flag} ]; do sleep 0.05; done; exit 1\n"
    ));
    let _holder = TcpListener::bind(("127.0.0.1", user.port("busy"))).unwrap();
    user.run(&["daemon"]).expect_success();
    let log = user.events();

    let up = user.run(&["up", "--wait"]).expect_code(8);
    assert!(up.stderr.contains("error: "), "{}", up.stderr);
    for name in GOOD {
        log.wait_for_sequence(name, &["ready"]);
    }
    // In order of what happened, not by the clock: all are ready while one still waits for its credentials.
    let slow = user.status("loginless");
    assert_eq!((&slow["state"], slow.get("cause")), (&"connecting".into(), None), "{slow}");
    fs::write(given_up, "").unwrap();
    for name in GOOD {
        user.wait_for(name, "ready");
        echo_once(user.port(name), 1000, 1).unwrap();
    }
    user.wait_for("loginless", "needs-login");
    // The news may reach us after the answer to a question.
    log.wait_for_sequence("loginless", &["needs-login"]);
    let waited = position(&log, |tunnel| tunnel["name"] == "loginless" && tunnel["state"] == "needs-login");
    let all_ready = GOOD.map(|name| position(&log, |tunnel| tunnel["name"] == name && tunnel["state"] == "ready"));
    assert!(all_ready.iter().all(|ready| ready.is_some() && *ready < waited), "{all_ready:?} before {waited:?}");

    for broken in &BROKEN {
        let status = user.wait_for_cause(broken.name, broken.state, broken.kind);
        let text = status["cause"]["text"].as_str().expect("a text");
        assert!(text.contains(broken.text), "{text}");
        let shown = user.run(&["status", broken.name]).expect_success().stdout;
        for words in [broken.state, text, broken.next] {
            assert!(shown.contains(words), "`{words}` is missing in:\n{shown}");
        }
    }
    let list = user.run(&["ls"]).expect_success().stdout;
    for broken in &BROKEN {
        let line = list.lines().find(|line| line.starts_with(broken.name)).expect("a line for each tunnel");
        assert!(line.contains(broken.column), "`{}` is missing in: {line}", broken.column);
        assert!(list.contains(broken.text), "`{}` is missing in:\n{list}", broken.text);
    }
    for broken in &BROKEN {
        let wait = if broken.exit == 7 { "--wait=1s" } else { "--wait=30s" };
        user.run(&["up", broken.name, wait]).expect_code(broken.exit);
    }
    user.run(&["up", "good-*", "--wait"]).expect_success();
    // Of several, what failed for good counts most; what needs a login comes next.
    user.run(&["wait", "offline", "loginless", "denied"]).expect_code(8);
    user.run(&["wait", "offline", "loginless"]).expect_code(6);

    says_each_cause_once(&user, &sim);
}

/// Tries go on, and the log does not: what has been said of a tunnel is not said again while it stays so.
fn says_each_cause_once(user: &TestDaemon, sim: &TestSim) {
    let calls = sim.calls("StartSession");
    wait_until("more tries", DEADLINE, || (sim.calls("StartSession") > calls).then_some(()));
    for broken in &BROKEN {
        let logs = user.run(&["logs", broken.name, "--json"]).expect_success().json();
        let lines = logs["lines"].as_array().expect("a list of lines");
        let says = |line: &&Value| line["message"].as_str().is_some_and(|text| text.contains(broken.text));
        // The user has asked for each a second time.
        let told = lines.iter().filter(says).count();
        assert!((1..=2).contains(&told), "{} is told {told} times: {logs:#}", broken.name);
        // Besides: that it came up, and a session that was opened.
        assert!(lines.len() <= told + 3, "{}: {logs:#}", broken.name);
    }
}
