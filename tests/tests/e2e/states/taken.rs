//! `failed` by a local address that somebody else holds: the holder is named, and it heals by itself.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process;

use tunnels_tests::{TestDaemon, TestRemote, TestSim};

use super::{is_tried_again, is_well, names, set_off};

#[test]
fn a_busy_port_names_its_holder_and_is_taken_when_it_is_free() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim).tunnel("v4", remote.address()).tunnel("v6", remote.address());
    let bind = |ip: &str, name: &str| TcpListener::bind((ip, user.port(name)));
    let mut holders = vec![("v4", "127.0.0.1", bind("127.0.0.1", "v4").unwrap())];
    // Half a port would lead `localhost` to whoever holds the other half.
    if let Ok(holder) = bind("::1", "v6") {
        holders.push(("v6", "[::1]", holder));
    }
    user.run(&["up", "--wait"]).expect_code(8);
    for (name, address, _) in &holders {
        let status = user.wait_for_cause(name, "failed", "port-taken");
        let taken = format!("{address}:{} is held by `", user.port(name));
        names(&status, &[&taken, &format!("(pid {})", process::id()), "every 5 s"]);
        is_tried_again(&status, true);
        assert_eq!(status["sessions"], 0, "no session without a port: {status}");
    }
    let log = user.events();
    let held: Vec<&str> = holders.iter().map(|(name, ..)| *name).collect();
    drop(holders);
    for name in held {
        is_well(&user, name);
        let states = log.states(name);
        let failed = states.iter().filter(|state| *state == "failed").count();
        assert_eq!(failed, 1, "a look whether the port is free is no news: {states:?}");
    }
}

#[test]
fn a_unix_socket_that_is_listened_on_names_its_holder() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim);
    let path = user.home().join("db.sock");
    let text = std::fs::read_to_string(user.config()).unwrap();
    let tunnel = format!("\n[tunnels.api]\nremote = \"{}\"\nlocal = \"unix:{}\"\n", remote.address(), path.display());
    user.overwrite_config(&(text + &tunnel));
    let holder = UnixListener::bind(&path).unwrap();
    set_off(&user, "api");
    let status = user.wait_for_cause("api", "failed", "port-taken");
    names(&status, &[path.to_str().unwrap(), &format!("(pid {})", process::id()), "another path"]);
    drop(holder);
    is_well(&user, "api");
}
