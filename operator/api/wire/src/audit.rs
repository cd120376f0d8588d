//! The audit trail: its records, the hash that chains them, and how the chain is checked.
//!
//! Each process that writes the trail has a chain of its own: record n holds the hash of record n - 1. The first record of
//! a chain holds the hash of what was the newest record of the whole trail then, so that one hash vouches for all that
//! was there before it. When records go by age, anchors keep the hashes that others lead to.

use hearth_crds::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

/// What the first record of the first chain holds in the place of a hash.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The most faults that are told.
const MOST_FAULTS: usize = 20;

/// What somebody did by the API, or was not allowed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// UUIDv7 of the chain that it belongs to: one per process and month.
    pub writer: String,
    /// Place in the chain, from 1.
    pub number: i64,
    /// When.
    pub at: Time,
    /// The user's name, as the cluster knows it.
    pub who: String,
    /// What they asked for, in the words of RBAC: the verb.
    pub verb: String,
    /// And the resource, for example workflows.hearth.dev.
    pub resource: String,
    /// Its namespace; empty when all were meant.
    pub namespace: String,
    /// Its name; empty when none was named.
    pub name: String,
    /// Id of the run that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Address that the request came from: that of the last hop.
    pub from: String,
    /// Whether they had the right.
    pub allowed: bool,
    /// Why, in words.
    pub reason: String,
    /// Hash of the record before, in hexadecimal.
    pub previous: String,
    /// SHA-256 of this record, in hexadecimal: of `previous` and the other fields in the order above, as one JSON array
    /// without spaces.
    pub hash: String,
}

impl AuditRecord {
    /// The hash that the record must have.
    #[must_use]
    pub fn digest(&self) -> String {
        let fields = json!([
            self.previous,
            self.writer,
            self.number,
            self.at,
            self.who,
            self.verb,
            self.resource,
            self.namespace,
            self.name,
            self.run,
            self.from,
            self.allowed,
            self.reason
        ]);
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(fields.to_string()) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// What is kept of a record that went by age, since others lead to it or it was the last of its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditAnchor {
    /// Chain of the record.
    pub writer: String,
    /// Its place in the chain.
    pub number: i64,
    /// When it was made.
    pub at: Time,
    /// Its hash.
    pub hash: String,
}

/// Checks a trail, record by record in the order of its chains (writer, number).
#[derive(Debug, Default)]
pub struct Verifier {
    /// Records made later than this are left out: they may lead to some that were not there to be read yet.
    until: Option<Time>,
    /// By chain, up to which number its records may be gone.
    gone: BTreeMap<String, i64>,
    /// Hashes of records and anchors, their first half.
    known: HashSet<u128>,
    last: Option<AuditRecord>,
    links: Vec<(String, String)>,
    verdict: Verdict,
}

/// What a check of the trail found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Records that were checked.
    pub records: u64,
    /// Chains that they are in.
    pub chains: u64,
    /// What is wrong, the first things of it.
    pub faults: Vec<String>,
}

impl Verifier {
    /// A check of what was made until that time.
    #[must_use]
    pub fn new(until: Option<Time>, anchors: &[AuditAnchor]) -> Self {
        let mut verifier = Self { until, ..Self::default() };
        for anchor in anchors {
            verifier.known.extend(half(&anchor.hash));
            let most = verifier.gone.entry(anchor.writer.clone()).or_default();
            *most = anchor.number.max(*most);
        }
        verifier
    }

    /// Takes the next record.
    pub fn take(&mut self, record: AuditRecord) {
        if self.until.is_some_and(|until| record.at > until) {
            return;
        }
        self.verdict.records += 1;
        if record.digest() != record.hash {
            self.fault(format!("record {} of chain {} was changed", record.number, record.writer));
        }
        self.known.extend(half(&record.hash));
        match self.last.take().filter(|last| last.writer == record.writer) {
            None => self.begins(&record),
            Some(last) if last.number + 1 != record.number => self.fault(format!(
                "records {} to {} of chain {} are gone",
                last.number + 1,
                record.number - 1,
                record.writer
            )),
            Some(last) if last.hash != record.previous => self.fault(format!(
                "record {} of chain {} does not follow from the one before it",
                record.number, record.writer
            )),
            Some(_) => {}
        }
        self.last = Some(record);
    }

    fn begins(&mut self, record: &AuditRecord) {
        self.verdict.chains += 1;
        if record.number == 1 {
            self.links.push((record.writer.clone(), record.previous.clone()));
        } else if self.gone.get(&record.writer).is_none_or(|gone| *gone < record.number) {
            self.fault(format!("records 1 to {} of chain {} are gone", record.number - 1, record.writer));
        }
    }

    /// What was found. `expected` is a hash that somebody noted at an earlier time.
    #[must_use]
    pub fn finish(mut self, expected: Option<&str>) -> Verdict {
        for (writer, previous) in std::mem::take(&mut self.links) {
            let known = previous == NO_HASH || half(&previous).is_some_and(|h| self.known.contains(&h));
            if !known {
                self.fault(format!("the record that chain {writer} began after is gone"));
            }
        }
        if let Some(hash) = expected
            && !half(hash).is_some_and(|h| self.known.contains(&h))
        {
            self.fault(format!("no record has the hash {hash} that was expected"));
        }
        self.verdict
    }

    fn fault(&mut self, words: String) {
        if self.verdict.faults.len() < MOST_FAULTS {
            self.verdict.faults.push(words);
        }
    }
}

/// Enough of a hash to know it again.
fn half(hash: &str) -> Option<u128> {
    u128::from_str_radix(hash.get(..32)?, 16).ok().filter(|_| hash.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(writer: &str, number: i64, previous: &str) -> AuditRecord {
        let mut record = AuditRecord {
            writer: writer.to_owned(),
            number,
            at: Time::from_millis(1_795_248_000_000 + number),
            who: "ada".to_owned(),
            verb: "delete".to_owned(),
            resource: "workflows.hearth.dev".to_owned(),
            namespace: "climate".to_owned(),
            name: "co2".to_owned(),
            run: None,
            from: "10.0.0.1".to_owned(),
            allowed: true,
            reason: "she may".to_owned(),
            previous: previous.to_owned(),
            hash: String::new(),
        };
        record.hash = record.digest();
        record
    }

    /// Two chains, the second of which began after the second record of the first.
    fn trail() -> Vec<AuditRecord> {
        let mut trail = vec![record("a", 1, NO_HASH)];
        for n in 2..=4 {
            trail.push(record("a", n, &trail[n as usize - 2].hash.clone()));
        }
        trail.push(record("b", 1, &trail[1].hash.clone()));
        trail.push(record("b", 2, &trail[4].hash.clone()));
        trail
    }

    fn verdict(trail: &[AuditRecord], anchors: &[AuditAnchor]) -> Verdict {
        let mut verifier = Verifier::new(None, anchors);
        trail.iter().cloned().for_each(|r| verifier.take(r));
        verifier.finish(None)
    }

    #[test]
    fn the_hash_is_one_that_others_can_recompute() {
        // hashlib.sha256(json.dumps(fields, separators=(',', ':'), ensure_ascii=False).encode()) in Python.
        assert_eq!(record("a", 1, NO_HASH).hash, "8a26e576958a304e9b93be0f240ebe912436a45ee47fead65daa85a7f8908448");
    }

    #[test]
    fn a_whole_trail_is_whole() {
        let whole = verdict(&trail(), &[]);
        assert_eq!((whole.records, whole.chains, whole.faults.len()), (6, 2, 0), "{:?}", whole.faults);
        let mut verifier = Verifier::new(None, &[]);
        trail().into_iter().for_each(|r| verifier.take(r));
        assert_eq!(verifier.finish(Some(&trail()[5].hash)).faults, [""; 0]);
    }

    #[test]
    fn whatever_is_changed_or_taken_out_is_found() {
        for at in 0..5 {
            let mut changed = trail();
            changed[at].allowed = false;
            assert_eq!(verdict(&changed, &[]).faults.len(), 1, "record {at} changed");
            changed[at].hash = changed[at].digest();
            // The last of a chain that nothing leads to is not missed by itself: that is what a noted hash is for.
            assert_eq!(verdict(&changed, &[]).faults.is_empty(), at == 3, "record {at} changed, and its hash with it");
        }
        for at in [0, 1, 2, 4] {
            let mut cut = trail();
            cut.remove(at);
            assert!(!verdict(&cut, &[]).faults.is_empty(), "record {at} taken out");
        }
        assert_eq!(verdict(&trail()[4..], &[]).faults, ["the record that chain b began after is gone"]);
        let mut verifier = Verifier::new(None, &[]);
        trail().into_iter().take(5).for_each(|r| verifier.take(r));
        assert_eq!(verifier.finish(Some(&trail()[5].hash)).faults.len(), 1, "the last one is missed by its noted hash");
    }

    #[test]
    fn what_went_by_age_is_vouched_for_by_anchors() {
        let trail = trail();
        let anchor = |r: &AuditRecord| AuditAnchor {
            writer: r.writer.clone(),
            number: r.number,
            at: r.at,
            hash: r.hash.clone(),
        };
        let anchors = [anchor(&trail[1]), anchor(&trail[3])];
        assert_eq!(verdict(&trail[4..], &anchors).faults, [""; 0]);
        assert_eq!(verdict(&trail[2..], &anchors).faults, [""; 0], "half of a chain is gone already");
        assert_eq!(verdict(&trail[4..], &anchors[1..]).faults.len(), 1, "nothing vouches for where b began");
    }

    #[test]
    fn what_is_later_than_the_check_is_left_out() {
        let mut verifier = Verifier::new(Some(trail()[1].at), &[]);
        trail().into_iter().for_each(|r| verifier.take(r));
        let verdict = verifier.finish(None);
        assert_eq!((verdict.records, verdict.faults.len()), (4, 0));
    }
}
