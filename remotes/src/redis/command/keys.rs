//! Commands about keys, whatever their values are.

use super::{Answer, Bytes, Database, Duration, Instant, Refused, Reply, Token, Value, glob, integer, is};

/// A pattern, in bytes.
const LONGEST_PATTERN: usize = 256;
/// Steps that one command may take to look for a pattern in all keys, while nobody else gets at the store.
const MOST_STEPS: usize = 16 * 1024 * 1024;

impl Database<'_> {
    /// None: it is none of these.
    pub(super) fn keys(&mut self, name: &str, arguments: &[Bytes]) -> Option<Answer> {
        let (number, now) = (self.number, self.now);
        Some(match (name, arguments) {
            ("del" | "unlink", keys) => {
                Ok(Reply::count(keys.iter().filter(|key| self.store.remove(number, key, now)).count()))
            }
            ("exists", keys) => {
                Ok(Reply::count(keys.iter().filter(|key| self.store.get(number, key, now).is_some()).count()))
            }
            ("type", [key]) => Ok(Reply::Simple(self.store.get(number, key, now).map_or("none", Value::kind))),
            ("keys", [pattern]) => pattern_of(pattern).and_then(|pattern| self.list(&pattern)),
            ("scan", [cursor, options @ ..]) => self.scan(cursor, options),
            ("dbsize", _) => Ok(Reply::count(self.store.len(number, now))),
            ("flushdb", _) => {
                self.store.clear(number);
                Ok(Reply::OK)
            }
            ("flushall", _) => {
                (0..super::DATABASES).for_each(|number| self.store.clear(number));
                Ok(Reply::OK)
            }
            ("expire", [key, time]) => self.expire(key, time, 1000),
            ("pexpire", [key, time]) => self.expire(key, time, 1),
            ("persist", [key]) => {
                let had_one = self.store.expires(number, key, now).flatten().is_some();
                self.store.expire(number, key, None, now);
                Ok(Reply::Integer(had_one.into()))
            }
            ("ttl", [key]) => Ok(self.time_to_live(key, 1000)),
            ("pttl", [key]) => Ok(self.time_to_live(key, 1)),
            _ => return None,
        })
    }

    fn list(&self, pattern: &[Token<u8>]) -> Answer {
        let keys = self.store.keys(self.number, pattern, MOST_STEPS, self.now).map_err(|glob::TooLong| {
            Refused::Other("ERR the pattern takes too long to look for in all keys".to_owned())
        })?;
        Ok(Reply::Array(keys.into_iter().map(Reply::Bulk).collect()))
    }

    /// All in one turn: there are never more than fit in the store.
    fn scan(&self, cursor: &Bytes, options: &[Bytes]) -> Answer {
        integer(cursor).map_err(|_| Refused::Other("ERR invalid cursor".to_owned()))?;
        let mut pattern = vec![Token::Many];
        for pair in options.chunks(2) {
            match pair {
                [option, wanted] if is(option, "match") => pattern = pattern_of(wanted)?,
                [option, count] if is(option, "count") => drop(integer(count)?),
                _ => return Err(Refused::Syntax),
            }
        }
        Ok(Reply::Array(vec![Reply::text("0"), self.list(&pattern)?]))
    }

    fn expire(&mut self, key: &Bytes, time: &Bytes, millis: u64) -> Answer {
        let at = deadline(integer(time)?, millis, self.now);
        let found = match at {
            Some(at) => self.store.expire(self.number, key, Some(at), self.now),
            None => self.store.remove(self.number, key, self.now),
        };
        Ok(Reply::Integer(found.into()))
    }

    /// -2: no such key; -1: it stays.
    fn time_to_live(&self, key: &Bytes, millis: u128) -> Reply {
        Reply::Integer(match self.store.expires(self.number, key, self.now) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => {
                let left = at.saturating_duration_since(self.now).as_millis();
                // To the nearest second, as Redis does.
                i64::try_from((left + millis / 2) / millis).unwrap_or(i64::MAX)
            }
        })
    }
}

fn pattern_of(word: &Bytes) -> Result<Vec<Token<u8>>, Refused> {
    if word.len() > LONGEST_PATTERN {
        return Err(Refused::Other(format!("ERR a pattern may have {LONGEST_PATTERN} bytes")));
    }
    Ok(glob::keys_pattern(word))
}

/// None: that time has passed. What lies beyond the clock's reach is cut to a hundred years.
pub(super) fn deadline(time: i64, millis: u64, now: Instant) -> Option<Instant> {
    const FAR: Duration = Duration::from_hours(24 * 365 * 100);
    let time = u64::try_from(time).ok().filter(|time| *time > 0)?;
    Some(now + Duration::from_millis(time.saturating_mul(millis)).min(FAR))
}
