//! A small map whose entries live for seconds. Bounded, so that nobody can fill the memory.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Answers that may be used again for a while.
#[derive(Debug)]
pub struct Cache<K, V> {
    ttl: Duration,
    limit: usize,
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Keeps at most `limit` answers, each for `ttl`.
    #[must_use]
    pub fn new(ttl: Duration, limit: usize) -> Self {
        Self { ttl, limit, entries: Mutex::new(HashMap::new()) }
    }

    /// The answer to `key`, if it is younger than its time.
    pub fn get(&self, key: &K, now: Instant) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(at, _)| now.saturating_duration_since(*at) < self.ttl).map(|(_, value)| value.clone())
    }

    /// Keeps an answer. A full map first loses what is too old, then everything: a cache may forget.
    pub fn put(&self, key: K, value: V, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.limit {
            entries.retain(|_, (at, _)| now.saturating_duration_since(*at) < self.ttl);
        }
        if entries.len() >= self.limit {
            entries.clear();
        }
        entries.insert(key, (now, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_age_and_the_map_stays_small() {
        let cache = Cache::new(Duration::from_secs(10), 2);
        let start = Instant::now();
        cache.put(1, "a", start);
        assert_eq!(cache.get(&1, start + Duration::from_secs(9)), Some("a"));
        assert_eq!(cache.get(&1, start + Duration::from_secs(10)), None);
        for key in 2..100 {
            cache.put(key, "b", start);
        }
        assert!(cache.entries.lock().unwrap().len() <= 2);
    }
}
