use super::*;
use std::sync::{Arc, Mutex};

fn session() -> Session {
    Session::new(1, Arc::new(Mutex::new(Store::default())))
}

fn run(session: &mut Session, line: &str) -> Reply {
    let words: Vec<Bytes> = line.split(' ').map(|word| Bytes::from(word.to_owned())).collect();
    session.run(&words).0
}

fn error(reply: &Reply) -> &str {
    let Reply::Error(text) = reply else { panic!("an error, not {reply:?}") };
    text
}

#[test]
fn the_list_of_commands_is_the_one_that_is_answered() {
    let mut names: Vec<_> = COMMANDS.iter().map(|(name, _)| *name).collect();
    names.dedup();
    assert!(names.is_sorted() && names.len() == COMMANDS.len());
    for (name, arity) in COMMANDS {
        let line = format!("{name}{}", " 1".repeat(usize::from(arity.unsigned_abs()) - 1));
        if let Reply::Error(text) = run(&mut session(), &line) {
            assert!(!text.contains("unknown command") && !text.contains("number of arguments"), "{line}: {text}");
        }
    }
}

#[test]
fn strings() {
    let mut session = session();
    for (line, reply) in [
        ("SET a 1", Reply::OK),
        ("GET a", Reply::text("1")),
        ("INCR a", Reply::Integer(2)),
        ("DECRBY a 12", Reply::Integer(-10)),
        ("APPEND a 0", Reply::Integer(4)),
        ("GET a", Reply::text("-100")),
        ("SET a 2 NX", Reply::Null),
        ("SET b 2 XX", Reply::Null),
        ("SET a 2 GET", Reply::text("-100")),
        ("MSET b 1 c 2", Reply::OK),
        ("MGET a b x", Reply::Array(vec![Reply::text("2"), Reply::text("1"), Reply::Null])),
        ("DEL a b x", Reply::Integer(2)),
        ("EXISTS a c", Reply::Integer(1)),
        ("GET a", Reply::Null),
        ("DBSIZE", Reply::Integer(1)),
        ("FLUSHDB", Reply::OK),
        ("DBSIZE", Reply::Integer(0)),
    ] {
        assert_eq!(run(&mut session, line), reply, "{line}");
    }
    run(&mut session, "SET n 9223372036854775807");
    assert!(error(&run(&mut session, "INCR n")).contains("overflow"));
    run(&mut session, "SET n x");
    assert!(error(&run(&mut session, "INCR n")).contains("not an integer"));
    assert!(error(&run(&mut session, "SET n x EX 0")).contains("invalid expire time"));
    assert!(error(&run(&mut session, "SET n x EX")).contains("syntax"));
    assert!(error(&run(&mut session, "GET")).contains("wrong number of arguments for 'get'"));
    assert!(error(&run(&mut session, "FLY me")).contains("unknown command 'fly', with args beginning with: 'me'"));
}

#[test]
fn times_to_live() {
    let mut session = session();
    run(&mut session, "SET a 1 EX 100");
    assert_eq!(run(&mut session, "TTL a"), Reply::Integer(100));
    run(&mut session, "INCR a");
    assert_eq!(run(&mut session, "TTL a"), Reply::Integer(100), "a change keeps it");
    run(&mut session, "SET a 1");
    assert_eq!(run(&mut session, "TTL a"), Reply::Integer(-1), "a new value does not");
    assert_eq!(run(&mut session, "EXPIRE a 9223372036854775807"), Reply::Integer(1));
    assert_eq!(run(&mut session, "PERSIST a"), Reply::Integer(1));
    assert_eq!(run(&mut session, "EXPIRE a -1"), Reply::Integer(1));
    assert_eq!(run(&mut session, "TTL a"), Reply::Integer(-2));
    assert_eq!(run(&mut session, "EXPIRE a 10"), Reply::Integer(0));
}

#[test]
fn hashes_and_lists() {
    let mut session = session();
    let texts = |texts: &[&str]| Reply::Array(texts.iter().map(|text| Reply::text(*text)).collect());
    for (line, reply) in [
        ("HSET h a 1 b 2", Reply::Integer(2)),
        ("HSET h a 3", Reply::Integer(0)),
        ("HGET h a", Reply::text("3")),
        ("HDEL h a x", Reply::Integer(1)),
        ("HGETALL h", Reply::Map(vec![(Reply::text("b"), Reply::text("2"))])),
        ("HDEL h b", Reply::Integer(1)),
        ("EXISTS h", Reply::Integer(0)),
        ("RPUSH l a b c", Reply::Integer(3)),
        ("LPUSH l z", Reply::Integer(4)),
        ("LRANGE l 0 -1", texts(&["z", "a", "b", "c"])),
        ("LRANGE l -2 100", texts(&["b", "c"])),
        ("LRANGE l 3 1", texts(&[])),
        ("LRANGE l 0 -9223372036854775808", texts(&[])),
        ("LPOP l", Reply::text("z")),
        ("RPOP l", Reply::text("c")),
        ("LLEN l", Reply::Integer(2)),
        ("TYPE l", Reply::Simple("list")),
        ("DEL l", Reply::Integer(1)),
        ("LPOP l", Reply::Null),
        ("HGETALL l", Reply::Map(Vec::new())),
    ] {
        assert_eq!(run(&mut session, line), reply, "{line}");
    }
    assert_eq!(session.store.lock().unwrap().used(), 0);
    run(&mut session, "SET s 1");
    assert!(error(&run(&mut session, "LPUSH s 1")).starts_with("WRONGTYPE"));
    assert!(error(&run(&mut session, "HSET s a 1")).starts_with("WRONGTYPE"));
}

#[test]
fn sets_and_sorted_sets() {
    let mut session = session();
    let texts = |texts: &[&str]| Reply::Array(texts.iter().map(|text| Reply::text(*text)).collect());
    for (line, reply) in [
        ("SADD s b a b", Reply::Integer(2)),
        ("SADD s a", Reply::Integer(0)),
        ("SCARD s", Reply::Integer(2)),
        ("SMEMBERS s", texts(&["a", "b"])),
        ("SISMEMBER s c", Reply::Integer(0)),
        ("SPOP s", Reply::text("a")),
        ("SREM s b c", Reply::Integer(1)),
        ("SPOP s", Reply::Null),
        ("EXISTS s", Reply::Integer(0)),
        ("ZADD z 2 b 1 a -0.5 c", Reply::Integer(3)),
        ("ZADD z 3 a", Reply::Integer(0)),
        ("ZRANGE z 0 -1", texts(&["c", "b", "a"])),
        ("ZRANGE z -1 -1 WITHSCORES", texts(&["a", "3"])),
        ("ZSCORE z c", Reply::text("-0.5")),
        ("ZPOPMIN z", texts(&["c", "-0.5"])),
        ("ZREM z a b x", Reply::Integer(2)),
        ("ZCARD z", Reply::Integer(0)),
        ("ZPOPMIN z", texts(&[])),
        ("TYPE z", Reply::Simple("none")),
    ] {
        assert_eq!(run(&mut session, line), reply, "{line}");
    }
    assert_eq!(session.store.lock().unwrap().used(), 0);
    assert!(error(&run(&mut session, "ZADD z x a")).contains("not a valid float"));
    assert!(error(&run(&mut session, "ZADD z 1 a 2")).contains("syntax"));
    run(&mut session, "SADD s 1");
    assert!(error(&run(&mut session, "ZADD s 1 a")).starts_with("WRONGTYPE"));
}

#[test]
fn databases_are_apart() {
    let mut session = session();
    run(&mut session, "SET a 1");
    assert_eq!(run(&mut session, "SELECT 1"), Reply::OK);
    assert_eq!(run(&mut session, "KEYS *"), Reply::Array(Vec::new()));
    assert!(error(&run(&mut session, "SELECT 16")).contains("out of range"));
    assert!(error(&run(&mut session, "SELECT -1")).contains("out of range"));
}

#[test]
fn hello_changes_the_form_of_answers() {
    let mut session = session();
    assert!(matches!(run(&mut session, "HELLO 3 AUTH default x SETNAME me"), Reply::Map(_)));
    assert_eq!(session.protocol(), Protocol::Resp3);
    assert_eq!(run(&mut session, "CLIENT GETNAME"), Reply::text("me"));
    assert!(error(&run(&mut session, "HELLO 4")).starts_with("NOPROTO"));
    assert_eq!(session.protocol(), Protocol::Resp3);
}

#[test]
fn a_pattern_that_takes_too_long_is_refused() {
    let mut session = session();
    for number in 0..40 {
        run(&mut session, &format!("SET {}{number} 1", "a".repeat(4096)));
    }
    let hostile = format!("*{}b", "a".repeat(200));
    for line in [format!("KEYS {hostile}"), format!("SCAN 0 MATCH {hostile}")] {
        assert!(error(&run(&mut session, &line)).contains("takes too long"));
    }
    for line in [format!("KEYS {}", "a".repeat(257)), format!("SCAN 0 MATCH {}", "a".repeat(257))] {
        assert!(error(&run(&mut session, &line)).contains("a pattern may have 256 bytes"));
    }
    assert!(matches!(run(&mut session, "KEYS a*"), Reply::Array(keys) if keys.len() == 40));
}

#[test]
fn an_answer_that_is_too_large_is_refused_before_it_is_written() {
    let mut session = session();
    run(&mut session, &format!("SET big {}", "x".repeat(1024 * 1024)));
    assert!(matches!(run(&mut session, "MGET big big big big big big big"), Reply::Array(_)));
    let many = format!("MGET{}", " big".repeat(1000));
    assert!(error(&run(&mut session, &many)).contains("an answer may have 8388608 bytes"));
    for _ in 0..9 {
        run(&mut session, &format!("RPUSH list {}", "x".repeat(1024 * 1024)));
    }
    assert!(error(&run(&mut session, "LRANGE list 0 -1")).contains("an answer may have"));
}
