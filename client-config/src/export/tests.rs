//! What each format looks like, kept in `snapshots/`; `INSTA_UPDATE=always` writes them anew.

use super::*;
use crate::{Tls, Written, jdbc, url, variables};
use std::fmt::Write as _;

/// A tunnel of every kind, at every kind of address.
fn tunnels() -> Vec<Endpoint> {
    [
        ("orders-db", "127.0.0.1:15432", "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432", "postgres"),
        ("own-db", "127.83.4.9:5432", "db.internal.example:5432", "postgres"),
        ("six-db", "[::1]:15433", "[fd00::12]:5432", "postgres"),
        ("bare-db", "0.0.0.0:15434", ":5432", "postgres"),
        ("socket-db", "unix:/run/user/1000/my sockets/.s.PGSQL.5433", "db.internal.example:5432", "postgres"),
        ("odd-db", "unix:/run/odd.sock", "db.internal.example:5432", "postgres"),
        ("shop", "127.0.0.1:13306", "shop.abc.eu-west-1.rds.amazonaws.com:3306", "mysql"),
        ("shop-socket", "unix:/run/it's #1.sock", "10.0.0.5:3306", "mysql"),
        ("sessions", "127.0.0.1:16379", "master.sessions.abc.euw1.cache.amazonaws.com:6379", "redis"),
        ("plain-cache", "127.0.0.1:16380", "cache.internal.example:6379", "redis"),
        ("api", "127.0.0.1:18443", "api.internal.example:443", "tls"),
        ("web", "127.0.0.1:18080", "web.internal.example:80", "http"),
        ("bastion", "127.0.0.1:10022", ":22", "tcp"),
        ("9queue", "127.0.0.1:15672", "queue.internal.example:5672", "tcp"),
    ]
    .map(|(name, local, remote, probe)| Endpoint::read(name, local, remote, Some(probe)).unwrap())
    .into()
}

/// What makes quotes necessary.
fn nasty() -> Options {
    Options {
        user: Some("o'brien @work:\\1".into()),
        database: Some("sales/q 1 & \"2\"?".into()),
        tls: Tls::Auto,
        ca: Some("/home/ada/my certs/rds.pem".into()),
    }
}

/// Both files, and what was said beside them.
fn shown(format: Format) -> String {
    let mut text = String::new();
    for (title, options) in [("nothing asked for", Options::default()), ("user, database and authority", nasty())] {
        let _ = writeln!(text, "----- {title} -----");
        match export(format, &tunnels(), &options) {
            Ok(Exported { text: file, notes, left_out }) => {
                let _ = write!(text, "{file}----- notes -----\n{}\n", notes.join("\n"));
                let _ = writeln!(text, "left out: {}\n", left_out.join(", "));
            }
            Err(Impossible { message, next }) => {
                let _ = writeln!(text, "error: {message}\nnext: {next}\n");
            }
        }
    }
    text
}

#[test]
fn files() {
    for format in Format::ALL {
        insta::assert_snapshot!(format.name(), shown(format));
        assert_eq!(Format::of(format.name()), Some(format));
    }
}

#[test]
fn strings() {
    let mut text = String::new();
    let said = |result: Result<Written, Impossible>| match result {
        Ok(Written { text, notes }) => notes.into_iter().fold(text, |text, note| format!("{text}\n      note: {note}")),
        Err(error) => format!("error: {error}\n      next: {}", error.next),
    };
    for endpoint in tunnels() {
        let _ = writeln!(text, "{}", endpoint.name);
        for (title, options) in [("", Options::default()), (" …", nasty())] {
            let _ = writeln!(text, "  url{title}  {}", said(url(&endpoint, &options)));
            let _ = writeln!(text, "  jdbc{title}  {}", said(jdbc(&endpoint, &options)));
        }
    }
    insta::assert_snapshot!("strings", text);
}

#[test]
fn environments() {
    let mut text = String::new();
    for endpoint in tunnels() {
        let _ = writeln!(text, "{}", endpoint.name);
        match variables(&endpoint, &nasty()) {
            Ok((all, notes)) => {
                let unset = all.unset.iter().map(|name| format!("unset {name}"));
                let set = all.set.iter().map(|(name, value)| format!("{name}={value}"));
                let notes = notes.iter().map(|note| format!("note: {note}"));
                for line in unset.chain(set).chain(notes) {
                    let _ = writeln!(text, "  {line}");
                }
            }
            Err(error) => {
                let _ = writeln!(text, "  error: {error}\n  next: {}", error.next);
            }
        }
    }
    insta::assert_snapshot!("environments", text);
}

#[test]
fn where_the_name_leads_here_it_is_used_and_nothing_more_is_to_be_done() {
    let hosts = "127.0.0.1 shop.abc.eu-west-1.rds.amazonaws.com master.sessions.abc.euw1.cache.amazonaws.com api.internal.example\n";
    let tunnels: Vec<Endpoint> = tunnels().into_iter().map(|endpoint| endpoint.with_hosts(hosts)).collect();
    let text = |name: &str| {
        let endpoint = tunnels.iter().find(|endpoint| endpoint.name == name).unwrap();
        let Written { text, notes } = url(endpoint, &Options::default()).unwrap();
        assert_eq!(notes, [""; 0], "{name}");
        text
    };
    assert_eq!(text("shop"), "mysql://shop.abc.eu-west-1.rds.amazonaws.com:13306/?ssl-mode=VERIFY_IDENTITY");
    assert_eq!(text("sessions"), "rediss://master.sessions.abc.euw1.cache.amazonaws.com:16379/");
    assert_eq!(text("api"), "https://api.internal.example:18443/");
}

#[test]
fn what_is_asked_for_is_written_or_refused_and_never_weakened() {
    let find = |name: &str| tunnels().into_iter().find(|endpoint| endpoint.name == name).unwrap();
    let with = |tls| Options { tls, ..Options::default() };
    let text =
        |name: &str, tls| url(&find(name), &with(tls)).map(|written| written.text).map_err(|error| error.message);
    assert_eq!(
        text("own-db", Tls::Verify).unwrap(),
        "postgresql://db.internal.example:5432/?hostaddr=127.83.4.9&sslmode=verify-full"
    );
    assert_eq!(
        text("six-db", Tls::Verify).unwrap(),
        "postgresql://[fd00::12]:15433/?hostaddr=%3A%3A1&sslmode=verify-full"
    );
    assert!(text("orders-db", Tls::Require).unwrap().ends_with("sslmode=require"));
    assert!(text("orders-db", Tls::Off).unwrap().ends_with("sslmode=disable"));
    assert!(text("bare-db", Tls::Verify).unwrap_err().contains("a port of the target itself"));
    assert!(text("socket-db", Tls::Verify).unwrap_err().contains("no TLS over a Unix socket"));
    assert_eq!(text("plain-cache", Tls::Require).unwrap(), "rediss://127.0.0.1:16380/");
    assert!(jdbc(&find("six-db"), &with(Tls::Verify)).unwrap().text.contains("[fd00::12]:15433"));
    assert!(jdbc(&find("socket-db"), &with(Tls::Auto)).is_err());
}

#[test]
fn nothing_is_written_for_nobody_and_a_file_without_any_tunnel_is_an_error_if_one_was_meant() {
    let web: Vec<Endpoint> = tunnels().into_iter().filter(|endpoint| endpoint.name == "web").collect();
    let exported = export(Format::PgService, &web, &Options::default()).unwrap();
    assert_eq!((exported.text.as_str(), exported.left_out), ("", vec!["web".to_owned()]));
    let odd: Vec<Endpoint> = tunnels().into_iter().filter(|endpoint| endpoint.name == "odd-db").collect();
    assert!(export(Format::PgService, &odd, &Options::default()).unwrap_err().next.contains(".s.PGSQL.5432"));
    let control = Options { user: Some("a\nb".into()), ..Options::default() };
    assert!(export(Format::PgService, &tunnels(), &control).is_err());
}
