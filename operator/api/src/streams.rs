//! How many streams are open, in all and for each identity: each holds a connection and asks the store again and again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

type Open = Arc<Mutex<HashMap<[u8; 32], usize>>>;

/// The open streams.
#[derive(Debug)]
pub struct Streams {
    open: Open,
    of_one: usize,
    of_all: usize,
}

/// A place for one stream; it is free again when this goes.
#[derive(Debug)]
pub struct Place {
    open: Open,
    key: [u8; 32],
}

impl Streams {
    /// At most `of_one` for an identity and `of_all` in all.
    #[must_use]
    pub fn new(of_one: usize, of_all: usize) -> Self {
        Self { open: Open::default(), of_one, of_all }
    }

    /// A place for a stream of this identity; None when all are taken.
    pub fn take(&self, key: [u8; 32]) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let mine = open.get(&key).copied().unwrap_or(0);
        if all >= self.of_all || mine >= self.of_one {
            return None;
        }
        open.insert(key, mine + 1);
        Some(Place { open: Arc::clone(&self.open), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(open.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let streams = Streams::new(2, 3);
        let (ada, bob) = ([1; 32], [2; 32]);
        let first = streams.take(ada).unwrap();
        let _second = streams.take(ada).unwrap();
        assert!(streams.take(ada).is_none(), "one identity");
        let _third = streams.take(bob).unwrap();
        assert!(streams.take(bob).is_none(), "all");
        drop(first);
        assert!(streams.take(bob).is_some());
        assert!(streams.take(ada).is_some(), "what was dropped does not count");
    }
}
