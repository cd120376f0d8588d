//! How many requests an identity may make: a bucket of tokens for each.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Buckets by identity.
#[derive(Debug)]
pub struct Limiter<K> {
    per_second: f64,
    burst: f64,
    most: usize,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, per_second: f64, burst: f64, now: Instant) -> Self {
        let grown = now.saturating_duration_since(self.at).as_secs_f64() * per_second;
        Self { tokens: (self.tokens + grown).min(burst), at: now }
    }
}

impl<K: Eq + Hash> Limiter<K> {
    /// `per_second` requests on average and `burst` at once, for at most `most` identities at a time.
    #[must_use]
    pub fn new(per_second: f64, burst: f64, most: usize) -> Self {
        Self { per_second, burst, most, buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes a token of `key`; false when there is none.
    pub fn take(&self, key: K, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.most {
            // A full bucket says no more than a missing one.
            buckets.retain(|_, b| b.filled(self.per_second, self.burst, now).tokens < self.burst);
        }
        if buckets.len() >= self.most && !buckets.contains_key(&key) {
            return false;
        }
        let bucket = buckets.entry(key).or_insert(Bucket { tokens: self.burst, at: now });
        *bucket = bucket.filled(self.per_second, self.burst, now);
        let enough = bucket.tokens >= 1.0;
        if enough {
            bucket.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_then_a_rate() {
        let limiter = Limiter::new(1.0, 3.0, 10);
        let start = Instant::now();
        assert_eq!((0..5).filter(|_| limiter.take("ada", start)).count(), 3);
        assert!(limiter.take("bob", start), "one identity does not use up another's");
        assert!(!limiter.take("ada", start));
        assert!(limiter.take("ada", start + Duration::from_secs(1)));
    }

    #[test]
    fn idle_identities_are_forgotten() {
        let limiter = Limiter::new(1.0, 1.0, 2);
        let start = Instant::now();
        assert!(limiter.take(1, start) && limiter.take(2, start));
        assert!(!limiter.take(3, start));
        assert!(limiter.take(3, start + Duration::from_secs(2)));
    }
}
