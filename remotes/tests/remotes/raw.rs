//! Raw bytes: what drivers do not show, and what no client would send.

use crate::exchange;
use tokio::net::TcpStream;
use tunnels_remotes::Remotes;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn tls_is_declined_and_the_connection_goes_on_without() {
    let remotes = Remotes::start().await.unwrap();
    let mut stream = TcpStream::connect(remotes.postgres()).await.unwrap();
    let ssl = [0, 0, 0, 8, 4, 210, 22, 47];
    assert_eq!(exchange(&mut stream, &ssl, b"N").await, b"N");
    let start = b"\0\0\0\x13\0\x03\0\0user\0demo\0\0";
    let answer = exchange(&mut stream, start, b"Z\0\0\0\x05I").await;
    assert!(text(&answer).contains("server_version\0"), "{}", text(&answer));
    // A newer minor version is talked down.
    let mut stream = TcpStream::connect(remotes.postgres()).await.unwrap();
    let answer = exchange(&mut stream, b"\0\0\0\x13\0\x03\0\x02user\0demo\0\0", b"Z\0\0\0\x05I").await;
    assert_eq!(answer[0], b'v');
}

#[tokio::test]
async fn copy_as_psql_does_it() {
    let remotes = Remotes::start().await.unwrap();
    let mut stream = TcpStream::connect(remotes.postgres()).await.unwrap();
    exchange(&mut stream, b"\0\0\0\x13\0\x03\0\0user\0demo\0\0", b"Z\0\0\0\x05I").await;
    let query = b"copy (select id, null, 'a,b' as x from orders limit 1) to stdout csv header\0";
    let mut message = vec![b'Q'];
    message.extend(u32::try_from(query.len() + 4).unwrap().to_be_bytes());
    message.extend(query);
    let answer = text(&exchange(&mut stream, &message, b"Z\0\0\0\x05I").await);
    assert!(
        answer.contains("id,?column?,x\n") && answer.contains("1,,\"a,b\"\n") && answer.contains("COPY 1"),
        "{answer}"
    );
}

#[tokio::test]
async fn garbage_is_answered_and_ends_the_connection() {
    let remotes = Remotes::start().await.unwrap();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(remotes.postgres()).await.unwrap();
        let answer = text(&exchange(&mut stream, garbage, b"").await);
        assert!(answer.starts_with('E') && answer.contains("08P01"), "{answer:?}");
    }
    let mut stream = TcpStream::connect(remotes.postgres()).await.unwrap();
    exchange(&mut stream, b"\0\0\0\x13\0\x03\0\0user\0demo\0\0", b"Z\0\0\0\x05I").await;
    let answer = text(&exchange(&mut stream, b"B\0\0\0\x0a\0\0\0\0\xff\xff", b"").await);
    assert!(answer.contains("malformed message"), "{answer:?}");
    let mut stream = TcpStream::connect(remotes.redis()).await.unwrap();
    let answer = text(&exchange(&mut stream, b"*1\r\n$x\r\n", b"").await);
    assert_eq!(answer, "-ERR Protocol error: invalid bulk length\r\n");
}

#[tokio::test]
async fn the_cache_takes_pipelines_in_both_forms_and_versions() {
    let remotes = Remotes::start().await.unwrap();
    let mut stream = TcpStream::connect(remotes.redis()).await.unwrap();
    let answer =
        exchange(&mut stream, b"SET a 1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\nGET a\r\nGET b\r\n", b"$-1\r\n").await;
    assert_eq!(text(&answer), "+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n");
    let answer = exchange(&mut stream, b"HELLO 3\r\nGET b\r\n", b"_\r\n").await;
    assert!(text(&answer).starts_with("%7\r\n"), "{}", text(&answer));
    let many = b"PING\r\n".repeat(20_000);
    let answer = exchange(&mut stream, &[&many[..], b"ECHO end\r\n"].concat(), b"$3\r\nend\r\n").await;
    assert_eq!(answer.len(), 20_000 * 7 + 9);
    let answer = exchange(&mut stream, b"QUIT\r\n", b"").await;
    assert_eq!(text(&answer), "+OK\r\n");
    let mut other = TcpStream::connect(remotes.redis()).await.unwrap();
    assert_eq!(text(&exchange(&mut other, b"GET a\r\n", b"2\r\n").await), "$1\r\n2\r\n", "all share one store");
}

#[tokio::test]
async fn the_web_server_has_its_pages() {
    let remotes = Remotes::start().await.unwrap();
    for (path, accept, status, part) in [
        ("/", "*/*", "200", "through a tunnel"),
        ("/", "text/html", "200", "<h1>"),
        ("/health", "*/*", "200", "ok"),
        ("/headers", "x/y", "200", "accept: x/y"),
        ("/bytes/3", "*/*", "200", "content-length: 3\r\n"),
        ("/bytes/1073741825", "*/*", "400", "up to 1073741824"),
        ("/bytes/x", "*/*", "400", "up to"),
        ("/nowhere", "*/*", "404", "no such page"),
    ] {
        let mut stream = TcpStream::connect(remotes.http()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
        let answer = text(&exchange(&mut stream, request.as_bytes(), b"").await);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part), "{path}: {answer}");
    }
    let mut stream = TcpStream::connect(remotes.http()).await.unwrap();
    let request = b"GET /bytes/5000000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchange(&mut stream, request, b"").await;
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(answer.len() - body, 5_000_000);
}

#[tokio::test]
async fn dropping_them_ends_open_connections() {
    let remotes = Remotes::start().await.unwrap();
    let mut streams = Vec::new();
    for address in [remotes.postgres(), remotes.redis(), remotes.http()] {
        streams.push((address, TcpStream::connect(address).await.unwrap()));
    }
    // The cache has taken its connection when it answers.
    assert_eq!(exchange(&mut streams[1].1, b"PING\r\n", b"PONG\r\n").await, b"+PONG\r\n");
    drop(remotes);
    for (_, stream) in &mut streams {
        exchange(stream, b"", b"").await;
    }
    for (address, _) in streams {
        assert!(TcpStream::connect(address).await.is_err(), "{address} is still open");
    }
}
