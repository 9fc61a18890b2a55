//! Configuration, folders, local addresses.

use super::{Broken, Scene};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use tunnels_tests::NODE;

pub(super) const SETUPS: &[Broken] = &[
    Broken::new("no configuration", "configuration", &["there is no configuration", "[tunnels.orders-db]"], |world| {
        let user = world.user(NODE);
        fs::remove_file(user.config()).unwrap();
        user.into()
    })
    .code(3),
    Broken::new("a key that nobody knows", "configuration", &["remoet", "config.toml:"], |world| {
        world.user_with("remoet = \"x:1\"").into()
    })
    .code(3),
    Broken::new("no TOML", "configuration", &["config.toml:"], |world| {
        let user = world.user(NODE);
        user.overwrite_config("[tunnels.db\nremote = 1\n");
        user.into()
    })
    .code(3),
    Broken::new("two tunnels on one port", "configuration", &["want the same local address"], |world| {
        let user = world.user(NODE);
        let port = user.port("db");
        let text = fs::read_to_string(user.config()).unwrap();
        user.overwrite_config(&format!("{text}\n[tunnels.again]\nremote = 1\nlocal = {port}\n"));
        user.into()
    })
    .code(3),
    Broken::new(
        "a configuration that others can write",
        "configuration",
        &["can be written by", "chmod o-w"],
        |world| {
            let user = world.user(NODE);
            fs::set_permissions(user.config(), Permissions::from_mode(0o666)).unwrap();
            user.into()
        },
    )
    .code(3),
    Broken::new(
        "a runtime folder that others can write",
        "folders",
        &["writable by nobody else", "chmod 700"],
        |world| {
            let user = world.user(NODE);
            let folder = user.socket().parent().unwrap().to_owned();
            fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
            user.into()
        },
    ),
    Broken::new(
        "a port that another program holds",
        "local",
        &["is held by `", "(pid N)", "choose another port"],
        |world| {
            let user = world.user(NODE);
            let holder = TcpListener::bind(("127.0.0.1", user.port("db"))).unwrap();
            Scene::from(user).with(holder)
        },
    ),
    Broken::new(
        "an address of another machine",
        "local",
        &["192.0.2.1", "this machine has no such address"],
        |world| {
            let user = world.user(NODE);
            let text = fs::read_to_string(user.config()).unwrap();
            let port = user.port("db");
            user.overwrite_config(&text.replace(&format!("local = {port}"), &format!("local = \"192.0.2.1:{port}\"")));
            user.into()
        },
    ),
    Broken::new("a socket's path that another program holds", "local", &["db.sock is held by `"], |world| {
        let user = world.user(NODE);
        let path = user.home().join("db.sock");
        let text = fs::read_to_string(user.config()).unwrap();
        let port = user.port("db");
        user.overwrite_config(
            &text.replace(&format!("local = {port}"), &format!("local = \"unix:{}\"", path.display())),
        );
        Scene::from(user).with(UnixListener::bind(path).unwrap())
    }),
];
