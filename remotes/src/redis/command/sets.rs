//! Commands about sets and sorted sets.

use super::{Answer, Bytes, Changed, Database, Refused, Reply, Size, Value, integer, is};
use crate::redis::store::{Score, Sorted};
use std::collections::BTreeSet;

impl Database<'_> {
    /// None: it is none of these.
    pub(super) fn sets(&mut self, name: &str, arguments: &[Bytes]) -> Option<Answer> {
        Some(match (name, arguments) {
            ("sadd", [key, members @ ..]) => self.set_add(key, members),
            ("srem", [key, members @ ..]) => self.set_remove(key, members),
            ("spop", [key]) => self.set_pop(key),
            ("smembers", [key]) => {
                self.set_of(key).map(|set| Reply::Array(set.into_iter().flatten().cloned().map(Reply::Bulk).collect()))
            }
            ("sismember", [key, member]) => {
                self.set_of(key).map(|set| Reply::Integer(set.is_some_and(|set| set.contains(member)).into()))
            }
            ("scard", [key]) => self.set_of(key).map(|set| Reply::count(set.map_or(0, BTreeSet::len))),
            ("zadd", [key, pairs @ ..]) => self.sorted_add(key, pairs),
            ("zrem", [key, members @ ..]) => self.sorted_remove(key, members),
            ("zpopmin", [key]) => self.sorted_pop(key),
            ("zrange", [key, from, to, options @ ..]) => self.sorted_range(key, from, to, options),
            ("zcard", [key]) => self.sorted_of(key).map(|sorted| Reply::count(sorted.map_or(0, |s| s.scores.len()))),
            ("zscore", [key, member]) => {
                let score = |sorted: Option<&Sorted>| sorted?.scores.get(member).copied();
                self.sorted_of(key).map(|sorted| score(sorted).map_or(Reply::Null, shown))
            }
            _ => return None,
        })
    }

    fn set_of(&self, key: &Bytes) -> Result<Option<&BTreeSet<Bytes>>, Refused> {
        match self.store.get(self.number, key, self.now) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(Refused::WrongType),
        }
    }

    fn sorted_of(&self, key: &Bytes) -> Result<Option<&Sorted>, Refused> {
        match self.store.get(self.number, key, self.now) {
            None => Ok(None),
            Some(Value::Sorted(sorted)) => Ok(Some(sorted)),
            Some(_) => Err(Refused::WrongType),
        }
    }

    /// Changes a set that is there or is to be.
    fn change_set<R: Default>(
        &mut self,
        key: &Bytes,
        growth: Size,
        change: impl FnOnce(&mut BTreeSet<Bytes>) -> Changed<R>,
    ) -> Result<R, Refused> {
        self.set_of(key)?;
        let key = Bytes::copy_from_slice(key);
        Ok(self.store.change(
            self.number,
            &key,
            growth,
            self.now,
            || Value::Set(BTreeSet::new()),
            |value| match value {
                Value::Set(set) => change(set),
                _ => Changed { result: R::default(), added: Size::default(), removed: Size::default() },
            },
        )?)
    }

    fn change_sorted<R: Default>(
        &mut self,
        key: &Bytes,
        growth: Size,
        change: impl FnOnce(&mut Sorted) -> Changed<R>,
    ) -> Result<R, Refused> {
        self.sorted_of(key)?;
        let key = Bytes::copy_from_slice(key);
        let new = || Value::Sorted(Sorted::default());
        Ok(self.store.change(self.number, &key, growth, self.now, new, |value| match value {
            Value::Sorted(sorted) => change(sorted),
            _ => Changed { result: R::default(), added: Size::default(), removed: Size::default() },
        })?)
    }

    fn set_add(&mut self, key: &Bytes, members: &[Bytes]) -> Answer {
        let growth = Size { elements: members.len(), bytes: members.iter().map(Bytes::len).sum() };
        let added = self.change_set(key, growth, |set| {
            let new = members.iter().filter(|member| set.insert(Bytes::copy_from_slice(member)));
            let added = sizes(new, 1);
            Changed { result: added.elements, added, removed: Size::default() }
        })?;
        Ok(Reply::count(added))
    }

    fn set_remove(&mut self, key: &Bytes, members: &[Bytes]) -> Answer {
        let removed = self.change_set(key, Size::default(), |set| {
            let removed = sizes(members.iter().filter(|member| set.remove(*member)), 1);
            Changed { result: removed.elements, added: Size::default(), removed }
        })?;
        Ok(Reply::count(removed))
    }

    /// Any of them: here always the first.
    fn set_pop(&mut self, key: &Bytes) -> Answer {
        let member = self.change_set(key, Size::default(), |set| {
            let member = set.pop_first();
            Changed { removed: sizes(member.iter(), 1), added: Size::default(), result: member }
        })?;
        Ok(member.map_or(Reply::Null, Reply::Bulk))
    }

    fn sorted_add(&mut self, key: &Bytes, pairs: &[Bytes]) -> Answer {
        let mut members = Vec::with_capacity(pairs.len() / 2);
        for pair in pairs.chunks(2) {
            let [score, member] = pair else { return Err(Refused::Syntax) };
            members.push((score_of(score)?, member));
        }
        let growth = sizes(members.iter().map(|(_, member)| *member), 2);
        let added = self.change_sorted(key, growth, |sorted| {
            let new = members.iter().filter(|(score, member)| sorted.put(*score, member)).map(|(_, member)| *member);
            let added = sizes(new, 2);
            Changed { result: added.elements / 2, added, removed: Size::default() }
        })?;
        Ok(Reply::count(added))
    }

    fn sorted_remove(&mut self, key: &Bytes, members: &[Bytes]) -> Answer {
        let removed = self.change_sorted(key, Size::default(), |sorted| {
            let removed = sizes(members.iter().filter(|member| sorted.take(member)), 2);
            Changed { result: removed.elements / 2, added: Size::default(), removed }
        })?;
        Ok(Reply::count(removed))
    }

    fn sorted_pop(&mut self, key: &Bytes) -> Answer {
        let least = self.change_sorted(key, Size::default(), |sorted| {
            let least = sorted.order.pop_first();
            if let Some((_, member)) = &least {
                sorted.scores.remove(member);
            }
            Changed { removed: sizes(least.iter().map(|(_, member)| member), 2), added: Size::default(), result: least }
        })?;
        Ok(Reply::Array(least.into_iter().flat_map(|(score, member)| [Reply::Bulk(member), shown(score)]).collect()))
    }

    fn sorted_range(&mut self, key: &Bytes, from: &Bytes, to: &Bytes, options: &[Bytes]) -> Answer {
        let with_scores = match options {
            [] => false,
            [option] if is(option, "withscores") => true,
            _ => return Err(Refused::Syntax),
        };
        let (from, to) = (integer(from)?, integer(to)?);
        let Some(sorted) = self.sorted_of(key)? else { return Ok(Reply::Array(Vec::new())) };
        let (skip, end) = super::values::bounds(from, to, sorted.order.len());
        let members = sorted.order.iter().take(end).skip(skip);
        let replies = members.flat_map(|(score, member)| {
            let score = with_scores.then(|| shown(*score));
            std::iter::once(Reply::Bulk(member.clone())).chain(score)
        });
        Ok(Reply::Array(replies.collect()))
    }
}

impl Sorted {
    /// Whether the member is new.
    fn put(&mut self, score: Score, member: &Bytes) -> bool {
        let member = Bytes::copy_from_slice(member);
        let old = self.scores.insert(member.clone(), score);
        if let Some(old) = old {
            self.order.remove(&(old, member.clone()));
        }
        self.order.insert((score, member));
        old.is_none()
    }

    /// Whether there was such a member.
    fn take(&mut self, member: &Bytes) -> bool {
        let score = self.scores.remove(member);
        score.is_some_and(|score| self.order.remove(&(score, member.clone())))
    }
}

/// What members take, each of which stands in so many places.
fn sizes<'a>(members: impl Iterator<Item = &'a Bytes>, places: usize) -> Size {
    members.fold(Size::default(), |size, member| Size {
        elements: size.elements + places,
        bytes: size.bytes + member.len(),
    })
}

fn score_of(word: &[u8]) -> Result<Score, Refused> {
    let number =
        std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).filter(|number: &f64| !number.is_nan());
    number.map(Score).ok_or_else(|| Refused::Other("ERR value is not a valid float".to_owned()))
}

fn shown(score: Score) -> Reply {
    Reply::text(score.0.to_string())
}
