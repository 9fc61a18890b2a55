use super::*;

const FILE: &str = "127.0.0.1\tlocalhost\r\n::1 ip6-localhost # \u{e9}\n\n10.0.0.7 nas";

fn line(address: &str, host: &str, tunnel: &str) -> HostsLine {
    HostsLine { address: address.parse().unwrap(), host: host.into(), tunnel: tunnel.into() }
}

fn endpoint(name: &str, local: &str, remote: &str) -> Endpoint {
    Endpoint::read(name, local, remote, None).unwrap()
}

#[test]
fn a_block_comes_changes_and_goes_and_all_else_stays() {
    let one = [line("127.9.8.7", "db.example", "db")];
    let applied = apply(FILE.as_bytes(), &one).unwrap();
    let text = String::from_utf8(applied.clone()).unwrap();
    assert_eq!(text, format!("{FILE}\n{BEGIN}\n127.9.8.7  db.example  # db\n{END}\n"));
    assert_eq!(apply(&applied, &one).unwrap(), applied, "applied twice");

    let more = [text.as_bytes(), b"10.0.0.8 later\n"].concat();
    let two = [line("127.9.8.7", "db.example", "db"), line("127.10.10.10", "kv.example", "kv")];
    let applied = String::from_utf8(apply(&more, &two).unwrap()).unwrap();
    assert!(applied.starts_with(FILE) && applied.ends_with("# END tunnels\n10.0.0.8 later\n"), "{applied}");
    assert!(applied.contains("127.9.8.7     db.example  # db\n127.10.10.10  kv.example  # kv\n"), "{applied}");
    assert_eq!(remove(applied.as_bytes()).unwrap(), format!("{FILE}\n10.0.0.8 later\n").into_bytes());
    assert_eq!(remove(FILE.as_bytes()).unwrap(), FILE.as_bytes(), "there was none");
    assert_eq!(remove(b"\xff\xfe").unwrap(), b"\xff\xfe", "bytes are left as they are");
}

#[test]
fn half_a_block_is_left_to_people() {
    let whole = "# BEGIN tunnels\n# END tunnels\n";
    for (file, number) in [
        ("a\n# BEGIN tunnels\n127.0.0.2 x\n".to_owned(), 2),
        ("a\n\n# END tunnels\n".to_owned(), 3),
        (whole.repeat(2), 3),
        (format!("# BEGIN tunnels\n{whole}"), 2),
    ] {
        assert_eq!(apply(file.as_bytes(), &[]), Err(BadHosts::Block(number)), "{file}");
    }
}

#[test]
fn only_loopback_and_names_are_taken_from_others() {
    let lines = [line("127.9.8.7", "db.example", "db"), line("::1", "kv_1.example", "kv")];
    assert_eq!(read_block(&block(&lines)).unwrap(), lines);
    for (text, why) in [
        ("10.0.0.1 db.example", "not loopback"),
        ("127.0.0.2 a b", "one name"),
        ("127.0.0.2", "one name"),
        ("127.0.0.2 LOCALHOST", "no name"),
        ("127.0.0.2 a\u{1b}[31m", "no name"),
        ("127.0.0.2 10.0.0.1", "no name"),
        ("x y", "no address"),
    ] {
        let error = read_block(&format!("# x\n{text}\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && error.contains(why), "{text}: {error}");
    }
    let mut long = "\n".repeat(MAX_LINES);
    long.push_str("127.0.0.2 a\n");
    assert!(read_block(&long).is_err());
}

#[test]
fn tunnels_without_a_name_of_their_own_get_no_line() {
    let all = [
        endpoint("db", "127.0.0.1:15432", "db.example:5432"),
        endpoint("db-admin", "127.0.0.1:18080", "DB.example:8080"),
        endpoint("db-again", "127.0.0.9:15432", "db.example:5432"),
        endpoint("db-other-port", "127.0.0.9:15433", "db.example:5432"),
        endpoint("bare", "127.0.0.1:1", ":1"),
        endpoint("number", "127.0.0.1:2", "10.0.0.1:2"),
        endpoint("socket", "unix:/x", "kv.example:2"),
        endpoint("lan", "192.168.0.7:3", "kv.example:3"),
    ];
    let (lines, notes) = lines(&all.iter().collect::<Vec<_>>());
    let shown: Vec<String> =
        lines.iter().map(|line| format!("{} {} {}", line.address, line.host, line.tunnel)).collect();
    assert_eq!(shown, ["127.0.0.1 db.example db", "127.0.0.9 db.example db-other-port"]);
    assert_eq!(
        notes,
        [
            "db.example leads to db already: db-again is left out",
            "socket listens on a Unix socket: no name leads there",
            "lan listens on 192.168.0.7, which is not only of this machine: left out",
        ]
    );
}

/// One that is refused would keep all others back, too.
#[test]
fn whatever_is_written_is_taken() {
    let own =
        ["localhost", "LocalHost", "localhost.", "localhost..", "localhost.localdomain", "ip6-loopback", "127.1", "1"];
    let others = ["a", "a_b.example", "-.x", "x.localhost", "localhosts", "xn--bcher-kva.example", &"y".repeat(253)];
    let names: Vec<&str> = own.iter().chain(&others).copied().collect();
    let endpoints: Vec<Endpoint> = ["127.0.0.1:15432", "127.200.30.4:5432", "[::1]:15432"]
        .iter()
        .flat_map(|local| names.iter().map(|host| endpoint(&"n".repeat(64), local, &format!("{host}:5432"))))
        .collect();
    let (lines, notes) = lines(&endpoints.iter().collect::<Vec<_>>());
    let written: Vec<&str> = lines.iter().map(|line| line.host.as_str()).take(others.len()).collect();
    assert_eq!(written, others);
    assert_eq!(read_block(&block(&lines)).unwrap(), lines);
    for name in own {
        let name = name.strip_suffix('.').unwrap_or(name);
        assert!(notes.iter().any(|note| note.starts_with(&format!("{name} stays as it is"))), "{name}: {notes:?}");
    }
}

#[test]
fn what_a_file_says_of_a_name_is_found() {
    let file = format!(
        "{FILE}\n127.0.0.9 a db.example b\n# 127.0.0.8 db.example\n{}",
        block(&[line("127.0.0.7", "db.example", "db")])
    );
    assert_eq!(addresses(&file, "DB.EXAMPLE"), ["127.0.0.9".parse::<IpAddr>().unwrap(), "127.0.0.7".parse().unwrap()]);
    assert_eq!(
        rivals(&file, &[line("127.0.0.7", "db.example", "db"), line("127.0.0.7", "nas.example", "n")]),
        ["db.example"]
    );
    assert_eq!(rivals(&file, &[line("127.0.0.9", "db.example", "db")]), [""; 0]);
}
