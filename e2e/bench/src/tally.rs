//! What a series of runs came to.

use crate::{
    audit::Request,
    gaps::{self, Place},
    shape::Shape,
};
use anyhow::{Result, ensure};
use std::{collections::BTreeMap, time::Duration};

/// One side's part of a series.
#[derive(Debug, Default)]
pub struct Side {
    /// The gap of each pod that has parents.
    pub gaps: Vec<Duration>,
    /// API writes by verb and resource.
    pub writes: BTreeMap<String, usize>,
    /// API writes of each round.
    pub per_round: Vec<usize>,
    /// Reads of pods.
    pub reads: usize,
    /// Runs.
    pub runs: usize,
    /// Pods that were created.
    pub pods: usize,
    /// From the first create of a pod to the end of the last, of the last round.
    pub span: Duration,
    /// Pods a minute, of each round.
    pub rates: Vec<f64>,
    /// CPU-seconds.
    pub cpu: f64,
}

impl Side {
    /// Takes one round's requests of this side's user: so many runs of that shape.
    ///
    /// # Errors
    /// The log lacks a request that must be there.
    pub fn add(
        &mut self,
        requests: &[Request],
        user: &str,
        runs: usize,
        shape: &Shape,
        place: fn(&str) -> Option<Place>,
    ) -> Result<()> {
        let made = |r: &Request| !r.creates_pod() || r.user() == user;
        let relevant: Vec<Request> = requests.iter().filter(|r| made(r)).cloned().collect();
        let own = || relevant.iter().filter(|r| r.user() == user);
        let pods = own().filter(|r| r.creates_pod()).count();
        ensure!(pods == runs * shape.pods(), "{pods} pods were created by {user} for {runs} runs");
        self.runs += runs;
        self.pods += pods;
        self.reads += own().filter(|r| r.reads_pods()).count();
        for write in own().filter(|r| r.is_write()) {
            *self.writes.entry(write.what()).or_default() += 1;
        }
        self.span = gaps::span(&relevant);
        self.rates.push(pods as f64 * 60.0 / self.span.as_secs_f64());
        self.per_round.push(own().filter(|r| r.is_write()).count());
        self.gaps.extend(gaps::gaps(&relevant, shape, place)?);
        Ok(())
    }

    /// The most API writes of a round.
    pub fn most(&self) -> usize {
        self.per_round.iter().copied().max().unwrap_or_default()
    }

    /// API writes of a run on average.
    pub fn mean(&self) -> f64 {
        let writes: usize = self.per_round.iter().sum();
        writes as f64 / (self.runs as f64).max(1.0)
    }

    /// A quantile of the gaps, in milliseconds.
    pub fn gap(&self, part: f64) -> f64 {
        gaps::quantile(&self.gaps, part).map_or(f64::NAN, |gap| gap.as_secs_f64() * 1000.0)
    }

    /// CPU-seconds for 1,000 pods.
    pub fn cpu_per_thousand(&self) -> f64 {
        self.cpu * 1000.0 / (self.pods as f64).max(1.0)
    }
}

/// Both sides.
#[derive(Debug, Default)]
pub struct Both {
    /// The operator.
    pub operator: Side,
    /// The bare loop.
    pub bare: Side,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::{line, request};

    #[test]
    fn each_side_counts_its_own() {
        let times = ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.001000Z"];
        let create = |user: &str, n: usize| request(&line(user, "create", "pods", &format!("p{n}"), None, times));
        let mut log: Vec<_> = (0..10).map(|n| create("us", n)).collect();
        log.extend((10..15).map(|n| create("them", n)));
        log.push(request(&line("us", "patch", "workflows/status", "w", None, times)));
        log.push(request(&line("us", "get", "pods", "p", None, times)));
        let mut side = Side::default();
        side.add(&log, "us", 1, &Shape::diamond(), |_| None).unwrap();
        assert_eq!((side.pods, side.reads, side.most()), (10, 1, 11));
        assert_eq!(side.writes.get("create pods"), Some(&10));
        assert!(Side::default().add(&log, "them", 1, &Shape::diamond(), |_| None).is_err());
    }
}
