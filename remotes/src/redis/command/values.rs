//! Commands about values: strings, hashes and lists. Sets are in `sets`.

use super::keys::deadline;
use super::{Answer, BTreeMap, Bytes, Changed, Database, Refused, Reply, Size, Value, VecDeque, integer, is};

impl Database<'_> {
    pub(super) fn values(&mut self, name: &str, arguments: &[Bytes]) -> Answer {
        match (name, arguments) {
            ("get", [key]) => Ok(self.text(key)?.map_or(Reply::Null, Reply::Bulk)),
            ("mget", keys) => Ok(self.get_all(keys)),
            ("strlen", [key]) => Ok(Reply::count(self.text(key)?.map_or(0, |text| text.len()))),
            ("set", [key, value, options @ ..]) => self.set(key, value, options),
            ("setex", [key, seconds, value]) => self.set(key, value, &[Bytes::from_static(b"EX"), seconds.clone()]),
            ("mset", pairs) if pairs.len() % 2 == 0 => {
                for pair in pairs.chunks_exact(2) {
                    self.put(&pair[0], &pair[1])?;
                }
                Ok(Reply::OK)
            }
            ("append", [key, more]) => self.append(key, more),
            ("incr", [key]) => self.add(key, 1),
            ("decr", [key]) => self.add(key, -1),
            ("incrby", [key, step]) => self.add(key, integer(step)?),
            ("decrby", [key, step]) => self.add(key, integer(step)?.checked_neg().ok_or(Refused::OutOfRange)?),
            ("hset", [key, pairs @ ..]) if pairs.len() % 2 == 0 => self.hash_set(key, pairs),
            ("hget", [key, field]) => {
                Ok(self.hash(key)?.and_then(|hash| hash.get(field)).map_or(Reply::Null, |v| Reply::Bulk(v.clone())))
            }
            ("hgetall", [key]) => {
                let pair = |(field, value): (&Bytes, &Bytes)| (Reply::Bulk(field.clone()), Reply::Bulk(value.clone()));
                Ok(Reply::Map(self.hash(key)?.into_iter().flatten().map(pair).collect()))
            }
            ("hdel", [key, fields @ ..]) => self.hash_delete(key, fields),
            ("lpush", [key, items @ ..]) => self.push(key, items, VecDeque::push_front),
            ("rpush", [key, items @ ..]) => self.push(key, items, VecDeque::push_back),
            ("lpop", [key]) => self.pop(key, VecDeque::pop_front),
            ("rpop", [key]) => self.pop(key, VecDeque::pop_back),
            ("llen", [key]) => Ok(Reply::count(self.list_of(key)?.map_or(0, VecDeque::len))),
            ("lrange", [key, from, to]) => self.range(key, integer(from)?, integer(to)?),
            _ => Err(Refused::Other(super::wrong_number(name))),
        }
    }

    fn text(&self, key: &Bytes) -> Result<Option<Bytes>, Refused> {
        match self.store.get(self.number, key, self.now) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Refused::WrongType),
        }
    }

    fn get_all(&self, keys: &[Bytes]) -> Reply {
        let found = keys.iter().map(|key| self.text(key).ok().flatten());
        Reply::Array(found.map(|text| text.map_or(Reply::Null, Reply::Bulk)).collect())
    }

    fn hash(&self, key: &Bytes) -> Result<Option<&BTreeMap<Bytes, Bytes>>, Refused> {
        match self.store.get(self.number, key, self.now) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(Refused::WrongType),
        }
    }

    fn list_of(&self, key: &Bytes) -> Result<Option<&VecDeque<Bytes>>, Refused> {
        match self.store.get(self.number, key, self.now) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(Refused::WrongType),
        }
    }

    fn put(&mut self, key: &Bytes, value: &[u8]) -> Result<(), Refused> {
        // A slice would keep the whole command it came with.
        let value = Value::Text(Bytes::copy_from_slice(value));
        Ok(self.store.put(self.number, Bytes::copy_from_slice(key), value, self.now)?)
    }

    fn set(&mut self, key: &Bytes, value: &Bytes, options: &[Bytes]) -> Answer {
        let (mut expires, mut keep, mut get) = (None, false, false);
        let mut must_exist = None;
        let mut rest = options;
        while let Some((option, values)) = rest.split_first() {
            rest = match values {
                [time, more @ ..] if is(option, "ex") || is(option, "px") => {
                    let millis = if is(option, "ex") { 1000 } else { 1 };
                    let at = deadline(integer(time)?, millis, self.now);
                    expires =
                        Some(at.ok_or_else(|| Refused::Other("ERR invalid expire time in 'set' command".to_owned()))?);
                    more
                }
                more => {
                    match option {
                        option if is(option, "nx") => must_exist = Some(false),
                        option if is(option, "xx") => must_exist = Some(true),
                        option if is(option, "keepttl") => keep = true,
                        option if is(option, "get") => get = true,
                        _ => return Err(Refused::Syntax),
                    }
                    more
                }
            };
        }
        let old = if get { self.text(key)?.map_or(Reply::Null, Reply::Bulk) } else { Reply::OK };
        let before = self.store.expires(self.number, key, self.now);
        if must_exist.is_some_and(|must| must != before.is_some()) {
            return Ok(if get { old } else { Reply::Null });
        }
        self.put(key, value)?;
        let expires = if keep { before.flatten() } else { expires };
        self.store.expire(self.number, key, expires, self.now);
        Ok(old)
    }

    /// Puts a string in the place of another one, with the time to live that it had.
    fn replace(&mut self, key: &Bytes, value: &[u8]) -> Result<(), Refused> {
        let expires = self.store.expires(self.number, key, self.now).flatten();
        self.put(key, value)?;
        self.store.expire(self.number, key, expires, self.now);
        Ok(())
    }

    fn append(&mut self, key: &Bytes, more: &Bytes) -> Answer {
        /// As long as a word can be that comes in at once.
        const LONGEST: usize = 1024 * 1024;
        let old = self.text(key)?.unwrap_or_default();
        if old.len() + more.len() > LONGEST {
            return Err(Refused::Other(format!("ERR string exceeds maximum allowed size ({LONGEST} bytes)")));
        }
        let new = [old, more.clone()].concat();
        let length = new.len();
        self.replace(key, &new)?;
        Ok(Reply::count(length))
    }

    fn add(&mut self, key: &Bytes, step: i64) -> Answer {
        let old = self.text(key)?.map_or(Ok(0), |text| integer(&text))?;
        let new = old.checked_add(step).ok_or(Refused::OutOfRange)?;
        self.replace(key, new.to_string().as_bytes())?;
        Ok(Reply::Integer(new))
    }

    fn hash_set(&mut self, key: &Bytes, pairs: &[Bytes]) -> Answer {
        self.hash(key)?;
        let growth = size(pairs);
        let key = Bytes::copy_from_slice(key);
        let added = self.store.change(
            self.number,
            &key,
            growth,
            self.now,
            || Value::Hash(BTreeMap::new()),
            |value| {
                let mut changed = Changed { result: 0, added: Size::default(), removed: Size::default() };
                let Value::Hash(hash) = value else { return changed };
                for pair in pairs.chunks_exact(2) {
                    let (field, new) = (Bytes::copy_from_slice(&pair[0]), Bytes::copy_from_slice(&pair[1]));
                    changed.added.bytes += new.len();
                    let length = field.len();
                    if let Some(old) = hash.insert(field, new) {
                        changed.removed.bytes += old.len();
                    } else {
                        changed.added.bytes += length;
                        changed.added.elements += 1;
                        changed.result += 1;
                    }
                }
                changed
            },
        )?;
        Ok(Reply::Integer(added))
    }

    fn hash_delete(&mut self, key: &Bytes, fields: &[Bytes]) -> Answer {
        if self.hash(key)?.is_none() {
            return Ok(Reply::Integer(0));
        }
        let empty = || Value::Hash(BTreeMap::new());
        let removed = self.store.change(self.number, key, Size::default(), self.now, empty, |value| {
            let mut changed = Changed { result: 0, added: Size::default(), removed: Size::default() };
            let Value::Hash(hash) = value else { return changed };
            for (field, value) in fields.iter().filter_map(|field| hash.remove_entry(field)) {
                changed.removed.bytes += field.len() + value.len();
                changed.removed.elements += 1;
                changed.result += 1;
            }
            changed
        })?;
        Ok(Reply::Integer(removed))
    }

    fn push(&mut self, key: &Bytes, items: &[Bytes], put: fn(&mut VecDeque<Bytes>, Bytes)) -> Answer {
        self.list_of(key)?;
        let added = size(items);
        let key = Bytes::copy_from_slice(key);
        let length = self.store.change(
            self.number,
            &key,
            added,
            self.now,
            || Value::List(VecDeque::new()),
            |value| {
                let mut changed = Changed { result: 0, added: Size::default(), removed: Size::default() };
                let Value::List(list) = value else { return changed };
                for item in items {
                    put(list, Bytes::copy_from_slice(item));
                }
                changed.added = added;
                changed.result = list.len();
                changed
            },
        )?;
        Ok(Reply::count(length))
    }

    fn pop(&mut self, key: &Bytes, take: fn(&mut VecDeque<Bytes>) -> Option<Bytes>) -> Answer {
        if self.list_of(key)?.is_none() {
            return Ok(Reply::Null);
        }
        let empty = || Value::List(VecDeque::new());
        let item = self.store.change(self.number, key, Size::default(), self.now, empty, |value| {
            let item = match value {
                Value::List(list) => take(list),
                _ => None,
            };
            let removed = item.as_ref().map_or(Size::default(), |item| size(std::slice::from_ref(item)));
            Changed { result: item, added: Size::default(), removed }
        })?;
        Ok(item.map_or(Reply::Null, Reply::Bulk))
    }

    fn range(&self, key: &Bytes, from: i64, to: i64) -> Answer {
        let Some(list) = self.list_of(key)? else { return Ok(Reply::Array(Vec::new())) };
        let (from, end) = bounds(from, to, list.len());
        let items = list.iter().take(end).skip(from);
        Ok(Reply::Array(items.cloned().map(Reply::Bulk).collect()))
    }
}

/// The first and the one behind the last of a range, both ends of which count; negative ones count from the end.
pub(super) fn bounds(from: i64, to: i64, length: usize) -> (usize, usize) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = |index: i64| if index < 0 { length.saturating_add(index) } else { index };
    let from = usize::try_from(at(from).max(0)).unwrap_or(usize::MAX);
    let end = usize::try_from(at(to).min(length - 1) + 1).unwrap_or(0);
    (from, end)
}

fn size(items: &[Bytes]) -> Size {
    Size { elements: items.len(), bytes: items.iter().map(Bytes::len).sum() }
}
