//! What the cache keeps: databases of strings, hashes, lists, sets and sorted sets, with times to live, within a fixed size.

use crate::glob::{self, Token, TooLong};
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// As many as Redis has.
pub(super) const DATABASES: usize = 16;
/// All keys and values together, and what it takes to keep them: this is a demo's memory, not a cache's.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// What an entry or an element costs besides its bytes, roughly.
const OVERHEAD: usize = 64;

/// One value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Bytes),
    Hash(BTreeMap<Bytes, Bytes>),
    List(VecDeque<Bytes>),
    Set(BTreeSet<Bytes>),
    Sorted(Sorted),
}

/// Members in the order of their scores.
#[derive(Debug, Clone, Default)]
pub(super) struct Sorted {
    pub(super) scores: BTreeMap<Bytes, Score>,
    pub(super) order: BTreeSet<(Score, Bytes)>,
}

/// A number that is one: they have a total order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score(pub(super) f64);

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Hash(fields) => fields.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Set(members) => members.is_empty(),
            Self::Sorted(sorted) => sorted.scores.is_empty(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Hash(fields) => fields.iter().map(|(field, value)| field.len() + value.len() + OVERHEAD).sum(),
            Self::List(items) => items.iter().map(|item| item.len() + OVERHEAD).sum(),
            Self::Set(members) => members.iter().map(|member| member.len() + OVERHEAD).sum(),
            // Each member stands in two places, and shares its bytes.
            Self::Sorted(sorted) => sorted.scores.keys().map(|member| member.len() + 2 * OVERHEAD).sum(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    value: Value,
    expires: Option<Instant>,
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// What elements take.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) elements: usize,
    pub(super) bytes: usize,
}

impl Size {
    fn cost(self) -> usize {
        self.bytes + self.elements * OVERHEAD
    }
}

/// What a change came to, and what it added and took away.
#[derive(Debug)]
pub(super) struct Changed<R> {
    pub(super) result: R,
    pub(super) added: Size,
    pub(super) removed: Size,
}

/// A value does not fit any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All databases.
#[derive(Debug, Default)]
pub(super) struct Store {
    databases: [HashMap<Bytes, Entry>; DATABASES],
    used: usize,
}

impl Store {
    /// With the sessions that a shop would have in its cache.
    pub(super) fn with_sessions() -> Self {
        const CUSTOMERS: [&str; 5] = ["ada", "grace", "linus", "margaret", "edsger"];
        let mut store = Self::default();
        let now = Instant::now();
        for (number, customer) in (1001..).zip(CUSTOMERS) {
            let fields = [("customer", (*customer).to_owned()), ("cart", format!("{} items", number % 4))];
            let fields = fields.into_iter().map(|(field, value)| (Bytes::from(field), Bytes::from(value)));
            let key = Bytes::from(format!("session:{number}"));
            // A few bytes cannot fill it.
            let _ = store.put(0, key.clone(), Value::Hash(fields.collect()), now);
            store.expire(0, &key, Some(now + Duration::from_hours(1)), now);
        }
        store
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn get(&self, database: usize, key: &[u8], now: Instant) -> Option<&Value> {
        self.databases[database].get(key).filter(|entry| !entry.is_over(now)).map(|entry| &entry.value)
    }

    /// Keeps a value, for good; what the key had before is gone.
    ///
    /// # Errors
    /// There is no room; nothing has changed.
    pub(super) fn put(&mut self, database: usize, key: Bytes, value: Value, now: Instant) -> Result<(), Full> {
        let before = self.databases[database].get(&key).map_or(0, |entry| size(&key, &entry.value));
        self.make_room(size(&key, &value).saturating_sub(before), now)?;
        self.used = self.used - self.forget(database, &key) + size(&key, &value);
        self.databases[database].insert(key, Entry { value, expires: None });
        Ok(())
    }

    /// Changes a value in place, `new` if there is none, and removes it if nothing is left. `change` says what
    /// it added and took away, so that the rest need not be counted again.
    ///
    /// # Errors
    /// There is no room for `growth`; nothing has changed.
    pub(super) fn change<R>(
        &mut self,
        database: usize,
        key: &Bytes,
        growth: Size,
        now: Instant,
        new: impl FnOnce() -> Value,
        change: impl FnOnce(&mut Value) -> Changed<R>,
    ) -> Result<R, Full> {
        if self.databases[database].get(key).is_some_and(|entry| entry.is_over(now)) {
            self.remove(database, key, now);
        }
        self.make_room(growth.cost() + key.len() + OVERHEAD, now)?;
        let entry = self.databases[database].entry(key.clone()).or_insert_with(|| {
            self.used += key.len() + OVERHEAD;
            Entry { value: new(), expires: None }
        });
        let Changed { result, added, removed } = change(&mut entry.value);
        let is_empty = entry.value.is_empty();
        self.used = self.used + added.cost() - removed.cost();
        if is_empty {
            self.remove(database, key, now);
        }
        Ok(result)
    }

    /// Whether there was such a key.
    pub(super) fn remove(&mut self, database: usize, key: &[u8], now: Instant) -> bool {
        let was_there = self.get(database, key, now).is_some();
        self.used -= self.forget(database, key);
        was_there
    }

    fn forget(&mut self, database: usize, key: &[u8]) -> usize {
        self.databases[database].remove_entry(key).map_or(0, |(key, entry)| size(&key, &entry.value))
    }

    /// Sets or clears the time to live; false: there is no such key.
    pub(super) fn expire(&mut self, database: usize, key: &[u8], at: Option<Instant>, now: Instant) -> bool {
        match self.databases[database].get_mut(key).filter(|entry| !entry.is_over(now)) {
            Some(entry) => {
                entry.expires = at;
                true
            }
            None => false,
        }
    }

    /// When the key is over; the inner none: never.
    #[expect(clippy::option_option, reason = "no key and no time are two answers")]
    pub(super) fn expires(&self, database: usize, key: &[u8], now: Instant) -> Option<Option<Instant>> {
        self.databases[database].get(key).filter(|entry| !entry.is_over(now)).map(|entry| entry.expires)
    }

    /// The keys that fit, found in so many steps for all of them.
    ///
    /// # Errors
    /// The steps did not suffice.
    pub(super) fn keys(
        &self,
        database: usize,
        pattern: &[Token<u8>],
        mut steps: usize,
        now: Instant,
    ) -> Result<Vec<Bytes>, TooLong> {
        let live = self.databases[database].iter().filter(|(_, entry)| !entry.is_over(now));
        let fits = live.filter_map(|(key, _)| match glob::matches(pattern, key, &mut steps) {
            Ok(fits) => fits.then(|| Ok(key.clone())),
            Err(too_long) => Some(Err(too_long)),
        });
        fits.collect()
    }

    pub(super) fn len(&self, database: usize, now: Instant) -> usize {
        self.databases[database].values().filter(|entry| !entry.is_over(now)).count()
    }

    /// How many of the keys have a time to live.
    pub(super) fn expiring(&self, database: usize, now: Instant) -> usize {
        let live = self.databases[database].values().filter(|entry| !entry.is_over(now));
        live.filter(|entry| entry.expires.is_some()).count()
    }

    pub(super) fn clear(&mut self, database: usize) {
        let freed: usize = self.databases[database].iter().map(|(key, entry)| size(key, &entry.value)).sum();
        self.databases[database].clear();
        self.used -= freed;
    }

    /// Sees that so many bytes more fit, if need be without what is over.
    fn make_room(&mut self, bytes: usize, now: Instant) -> Result<(), Full> {
        if self.used + bytes <= MOST_BYTES {
            return Ok(());
        }
        let mut freed = 0;
        for database in &mut self.databases {
            database.retain(|key, entry| {
                let keep = !entry.is_over(now);
                if !keep {
                    freed += size(key, &entry.value);
                }
                keep
            });
        }
        self.used -= freed;
        if self.used + bytes <= MOST_BYTES { Ok(()) } else { Err(Full) }
    }
}

fn size(key: &Bytes, value: &Value) -> usize {
    key.len() + value.size() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Value {
        Value::Text(Bytes::from(vec![0; length]))
    }

    #[test]
    fn what_is_full_takes_no_more_until_something_goes() {
        let mut store = Store::default();
        let now = Instant::now();
        let key = |n: usize| Bytes::from(n.to_string());
        let half = MOST_BYTES / 2;
        store.put(0, key(1), text(half), now).unwrap();
        assert_eq!(store.put(0, key(2), text(half), now), Err(Full));
        store.put(0, key(1), text(half), now).expect("it takes its own place");
        assert!(store.expire(0, &key(1), Some(now + Duration::from_secs(1)), now));
        let later = now + Duration::from_secs(2);
        assert!(store.get(0, &key(1), later).is_none());
        store.put(0, key(2), text(half), later).expect("what is over makes room");
        assert!(store.remove(0, &key(2), later));
        assert_eq!((store.used(), store.len(0, later)), (0, 0));
    }

    #[test]
    fn an_empty_list_is_no_key() {
        let mut store = Store::default();
        let (key, now) = (Bytes::from("k"), Instant::now());
        let new = || Value::List(VecDeque::new());
        let one = Size { elements: 1, bytes: 1 };
        let change = |store: &mut Store, push: bool| {
            let (added, removed) = if push { (one, Size::default()) } else { (Size::default(), one) };
            let changed = |value: &mut Value| {
                let Value::List(items) = value else { panic!("a list") };
                if push {
                    items.push_back(Bytes::from("x"));
                } else {
                    drop(items.pop_back());
                }
                Changed { result: (), added, removed }
            };
            store.change(0, &key, added, now, new, changed).unwrap();
        };
        change(&mut store, true);
        assert_eq!(store.len(0, now), 1);
        change(&mut store, false);
        assert_eq!((store.len(0, now), store.used()), (0, 0));
    }
}
