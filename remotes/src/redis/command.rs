//! What each command does: arguments and store in, answer out. Texts of errors are those of Redis, which
//! programs look for.

use super::Shared;
use super::reply::{Protocol, Reply};
use super::store::{Changed, DATABASES, Full, Size, Store, Value};
use crate::glob::{self, Token};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

mod connection;
mod keys;
mod sets;
mod values;

/// What there is, and the number of words it takes: exactly so many, or, if negative, at least.
const COMMANDS: [(&str, i8); 57] = [
    ("append", 3),
    ("client", -2),
    ("command", -1),
    ("config", -2),
    ("dbsize", 1),
    ("decr", 2),
    ("decrby", 3),
    ("del", -2),
    ("echo", 2),
    ("exists", -2),
    ("expire", 3),
    ("flushall", -1),
    ("flushdb", -1),
    ("get", 2),
    ("hdel", -3),
    ("hello", -1),
    ("hget", 3),
    ("hgetall", 2),
    ("hset", -4),
    ("incr", 2),
    ("incrby", 3),
    ("info", -1),
    ("keys", 2),
    ("llen", 2),
    ("lpop", 2),
    ("lpush", -3),
    ("lrange", 4),
    ("mget", -2),
    ("mset", -3),
    ("persist", 2),
    ("pexpire", 3),
    ("ping", -1),
    ("pttl", 2),
    ("quit", -1),
    ("rpop", 2),
    ("rpush", -3),
    ("sadd", -3),
    ("scan", -2),
    ("scard", 2),
    ("select", 2),
    ("set", -3),
    ("setex", 4),
    ("sismember", 3),
    ("smembers", 2),
    ("spop", 2),
    ("srem", -3),
    ("strlen", 2),
    ("time", 1),
    ("ttl", 2),
    ("type", 2),
    ("unlink", -2),
    ("zadd", -4),
    ("zcard", 2),
    ("zpopmin", 2),
    ("zrange", -4),
    ("zrem", -3),
    ("zscore", 3),
];

/// An answer, in bytes: it is written as a whole before it is sent, and one key may be named many times.
const LARGEST_REPLY: usize = 8 * 1024 * 1024;

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Close,
}

/// One connection's part of the state.
#[derive(Debug)]
pub(super) struct Session {
    id: i64,
    name: Bytes,
    database: usize,
    protocol: Protocol,
    store: Shared,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refused {
    NotAnInteger,
    OutOfRange,
    Syntax,
    WrongType,
    NoRoom,
    Other(String),
}

impl Refused {
    fn text(self) -> String {
        match self {
            Self::NotAnInteger => "ERR value is not an integer or out of range".to_owned(),
            Self::OutOfRange => "ERR increment or decrement would overflow".to_owned(),
            Self::Syntax => "ERR syntax error".to_owned(),
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value".to_owned(),
            Self::NoRoom => "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
            Self::Other(text) => text,
        }
    }
}

impl From<Full> for Refused {
    fn from(Full: Full) -> Self {
        Self::NoRoom
    }
}

type Answer = Result<Reply, Refused>;

impl Session {
    pub(super) fn new(id: i64, store: Shared) -> Self {
        Self { id, name: Bytes::new(), database: 0, protocol: Protocol::Resp2, store }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Runs one command; `words` has at least the command's name.
    pub(super) fn run(&mut self, words: &[Bytes]) -> (Reply, Next) {
        let Some((name, arguments)) = words.split_first() else {
            return (Reply::Error(Refused::Syntax.text()), Next::GoOn);
        };
        let name = String::from_utf8_lossy(name).to_lowercase();
        let Some((_, arity)) = COMMANDS.iter().find(|(known, _)| *known == name) else {
            return (Reply::Error(unknown(&name, arguments)), Next::GoOn);
        };
        let given = i64::try_from(words.len()).unwrap_or(i64::MAX);
        let wanted = i64::from(*arity);
        if (wanted >= 0 && given != wanted) || given < wanted.abs() {
            return (Reply::Error(wrong_number(&name)), Next::GoOn);
        }
        let next = if name == "quit" { Next::Close } else { Next::GoOn };
        let reply = self.answer(&name, arguments).unwrap_or_else(|refused| Reply::Error(refused.text()));
        if reply.size() > LARGEST_REPLY {
            return (Reply::Error(format!("ERR an answer may have {LARGEST_REPLY} bytes")), next);
        }
        (reply, next)
    }

    /// The number of arguments has been checked.
    fn answer(&mut self, name: &str, arguments: &[Bytes]) -> Answer {
        if let Some(answer) = self.connection(name, arguments) {
            return answer;
        }
        let store = self.store.clone();
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = Database { store: &mut store, number: self.database, now: Instant::now() };
        let of_keys = at.keys(name, arguments);
        of_keys.or_else(|| at.sets(name, arguments)).unwrap_or_else(|| at.values(name, arguments))
    }
}

/// One database at one moment.
struct Database<'a> {
    store: &'a mut Store,
    number: usize,
    now: Instant,
}

fn unknown(name: &str, arguments: &[Bytes]) -> String {
    let shown = |word: &[u8]| String::from_utf8_lossy(word).chars().take(128).collect::<String>();
    let quoted: Vec<String> = arguments.iter().take(8).map(|word| format!("'{}' ", shown(word))).collect();
    format!("ERR unknown command '{}', with args beginning with: {}", shown(name.as_bytes()), quoted.concat())
}

fn wrong_number(name: &str) -> String {
    format!("ERR wrong number of arguments for '{name}' command")
}

fn integer(word: &[u8]) -> Result<i64, Refused> {
    std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).ok_or(Refused::NotAnInteger)
}

fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

#[cfg(test)]
mod tests;
