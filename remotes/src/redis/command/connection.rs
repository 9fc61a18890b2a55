//! Commands about the connection and the server.

use super::{Answer, Bytes, COMMANDS, DATABASES, Instant, PoisonError, Protocol, Refused, Reply, Session, integer, is};
use jiff::Timestamp;
use std::fmt::Write as _;

/// The version of Redis whose answers these are.
const VERSION: &str = "7.2.0";

impl Session {
    /// None: it is none of these.
    pub(super) fn connection(&mut self, name: &str, arguments: &[Bytes]) -> Option<Answer> {
        Some(match (name, arguments) {
            ("ping", []) => Ok(Reply::Simple("PONG")),
            ("ping" | "echo", [text]) => Ok(Reply::Bulk(text.clone())),
            ("ping", _) => Err(Refused::Other(super::wrong_number(name))),
            ("quit", _) => Ok(Reply::OK),
            ("select", [number]) => self.select(number),
            ("hello", arguments) => self.hello(arguments),
            ("client", arguments) => self.client(arguments),
            ("command", arguments) => Ok(command(arguments)),
            ("config", arguments) => config(arguments),
            ("info", _) => Ok(self.info()),
            ("time", _) => Ok(time()),
            _ => return None,
        })
    }

    fn select(&mut self, number: &Bytes) -> Answer {
        let number = integer(number)?;
        let known = usize::try_from(number).ok().filter(|number| *number < DATABASES);
        self.database = known.ok_or_else(|| Refused::Other("ERR DB index is out of range".to_owned()))?;
        Ok(Reply::OK)
    }

    fn hello(&mut self, arguments: &[Bytes]) -> Answer {
        let mut rest = arguments;
        let mut protocol = self.protocol;
        if let Some((version, options)) = arguments.split_first() {
            protocol = match integer(version) {
                Ok(2) => Protocol::Resp2,
                Ok(3) => Protocol::Resp3,
                Ok(_) => return Err(Refused::Other("NOPROTO unsupported protocol version".to_owned())),
                Err(_) => {
                    return Err(Refused::Other("ERR Protocol version is not an integer or out of range".to_owned()));
                }
            };
            rest = options;
        }
        let mut name = None;
        while let Some((option, values)) = rest.split_first() {
            rest = match values {
                // There is no password: any will do.
                [_, _, more @ ..] if is(option, "auth") => more,
                [wanted, more @ ..] if is(option, "setname") => {
                    name = Some(wanted.clone());
                    more
                }
                _ => return Err(Refused::Syntax),
            };
        }
        self.protocol = protocol;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        let number = match protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        Ok(Reply::Map(vec![
            (Reply::text("server"), Reply::text("redis")),
            (Reply::text("version"), Reply::text(VERSION)),
            (Reply::text("proto"), Reply::Integer(number)),
            (Reply::text("id"), Reply::Integer(self.id)),
            (Reply::text("mode"), Reply::text("standalone")),
            (Reply::text("role"), Reply::text("master")),
            (Reply::text("modules"), Reply::Array(Vec::new())),
        ]))
    }

    fn client(&mut self, arguments: &[Bytes]) -> Answer {
        match arguments {
            [verb] if is(verb, "id") => Ok(Reply::Integer(self.id)),
            [verb] if is(verb, "getname") && self.name.is_empty() => Ok(Reply::Null),
            [verb] if is(verb, "getname") => Ok(Reply::Bulk(self.name.clone())),
            [verb, name] if is(verb, "setname") => {
                self.name = name.clone();
                Ok(Reply::OK)
            }
            [verb, _, _] if is(verb, "setinfo") => Ok(Reply::OK),
            [verb, ..] => {
                let verb = String::from_utf8_lossy(verb);
                Err(Refused::Other(format!("ERR unknown subcommand '{verb}'. Try CLIENT ID, GETNAME, SETNAME.")))
            }
            [] => Err(Refused::Syntax),
        }
    }

    fn info(&self) -> Reply {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut text = format!(
            "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nserver_name:tunnels demo\r\n\
             process_id:{}\r\n\r\n# Memory\r\nused_memory:{}\r\n\r\n# Replication\r\nrole:master\r\n\
             connected_slaves:0\r\n\r\n# Keyspace\r\n",
            std::process::id(),
            store.used(),
        );
        for number in 0..DATABASES {
            let keys = store.len(number, now);
            if keys > 0 {
                let expiring = store.expiring(number, now);
                let _ = write!(text, "db{number}:keys={keys},expires={expiring},avg_ttl=0\r\n");
            }
        }
        Reply::text(text)
    }
}

/// `COMMAND`, as far as clients ask for it; they do without the documentation.
fn command(arguments: &[Bytes]) -> Reply {
    match arguments {
        [] => Reply::Array(COMMANDS.iter().map(|(name, arity)| described(name, *arity)).collect()),
        [verb] if is(verb, "count") => Reply::count(COMMANDS.len()),
        _ => Reply::Array(Vec::new()),
    }
}

/// Name, arity, flags, first key, last key, step.
fn described(name: &str, arity: i8) -> Reply {
    let keys = [Reply::Integer(0), Reply::Integer(0), Reply::Integer(0)];
    let mut fields = vec![Reply::text(name), Reply::Integer(arity.into()), Reply::Array(Vec::new())];
    fields.extend(keys);
    Reply::Array(fields)
}

/// What redis-benchmark asks for.
fn config(arguments: &[Bytes]) -> Answer {
    const SETTINGS: [(&str, &str); 3] = [("appendonly", "no"), ("maxmemory-policy", "noeviction"), ("save", "")];
    match arguments {
        [verb, wanted @ ..] if is(verb, "get") && !wanted.is_empty() => {
            let asked = |name: &str| wanted.iter().any(|word| is(word, name) || word.as_ref() == b"*");
            let found = SETTINGS.iter().filter(|(name, _)| asked(name));
            Ok(Reply::Map(found.map(|(name, value)| (Reply::text(*name), Reply::text(*value))).collect()))
        }
        _ => Err(Refused::Other("ERR the demo's cache has nothing to configure: only CONFIG GET".to_owned())),
    }
}

fn time() -> Reply {
    let now = Timestamp::now();
    let micros = now.subsec_microsecond();
    Reply::Array(vec![Reply::text(now.as_second().to_string()), Reply::text(micros.to_string())])
}
