//! The judge: looks at every change, and writes down what must never be.

use crate::{
    kubelet::{Kubelet, given_up},
    lens::{Lens, Shown},
    server::{Change, Key, Request, Server, is_gated, is_over},
    store::Store,
};
use hearth_crds::time::Time;
use hearth_plan::{Kind, Record, record::RecordBatch};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes that a status may have.
const STATUS_LIMIT: usize = 64 * 1024;

/// A POST of a working pod, as its sender knows its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Namespace and name.
    pub key: Key,
    /// The sender was told that nothing was created.
    pub refused: bool,
}

/// What is known of a run.
#[derive(Clone, Debug, Default)]
struct Known {
    limit: usize,
    /// Phases by seq, as accepted.
    accepted: BTreeMap<i64, (String, bool)>,
}

/// The judge.
pub struct Judge<K: Kind> {
    lens: Lens<K>,
    seen_log: usize,
    seen_journal: usize,
    posted: BTreeSet<Key>,
    runs: BTreeMap<String, Known>,
    of_object: BTreeMap<String, Vec<String>>,
    last: BTreeMap<String, Shown>,
    /// Whether deleted objects may go before their record is stored.
    pub release: bool,
    /// What was found.
    pub violations: Vec<String>,
}

impl<K: Kind> Judge<K> {
    /// A judge who looks through that lens.
    #[must_use]
    pub fn new(lens: Lens<K>) -> Self {
        Self {
            lens,
            seen_log: 0,
            seen_journal: 0,
            posted: BTreeSet::new(),
            runs: BTreeMap::new(),
            of_object: BTreeMap::new(),
            last: BTreeMap::new(),
            release: false,
            violations: Vec::new(),
        }
    }

    /// Runs of an object in the order of their start.
    #[must_use]
    pub fn runs_of(&self, uid: &str) -> &[String] {
        self.of_object.get(uid).map_or(&[], Vec::as_slice)
    }

    /// All runs by id with their number in the order of their start per object.
    #[must_use]
    pub fn run_names(&self) -> Vec<(String, usize)> {
        self.of_object.values().flat_map(|runs| runs.iter().cloned().zip(1..)).collect()
    }

    fn fault(&mut self, at: Time, text: String) {
        if self.violations.len() < 20 {
            self.violations.push(format!("{}: {text}", crate::clock::since_begin(at)));
        }
    }

    /// Looks at everything that is new.
    pub fn look(
        &mut self,
        now: Time,
        server: &Server,
        kubelet: &Kubelet,
        store: &Store,
        posts: &mut Vec<Posted>,
        offered: &mut Vec<RecordBatch>,
    ) {
        let new = server.journal().len() > self.seen_journal;
        for i in self.seen_journal..server.journal().len() {
            if let Some(change) = server.journal().get(i) {
                self.change(now, change, store);
            }
        }
        self.seen_journal = server.journal().len();
        for i in self.seen_log..server.log().len() {
            if let Some(request) = server.log().get(i) {
                self.request(request);
            }
        }
        self.seen_log = server.log().len();
        for post in posts.drain(..) {
            self.post(now, &post);
        }
        for batch in offered.drain(..) {
            self.batch(now, &batch);
        }
        if new {
            self.live(now, server, kubelet);
        }
    }

    fn post(&mut self, now: Time, post: &Posted) {
        if self.posted.contains(&post.key) {
            self.fault(now, format!("pod {} is posted a second time", post.key.1));
        }
        if !post.refused {
            self.posted.insert(post.key.clone());
        }
    }

    /// Ownership: what we delete or change is ours, and is named by its UID.
    fn request(&mut self, request: &Request) {
        if !request.ours() {
            return;
        }
        let child = matches!(request.what, "delete pods" | "patch pods" | "delete controllerrevisions");
        let create = matches!(request.what, "create pods" | "create controllerrevisions");
        let ours =
            request.owner.as_ref().is_some_and(|uid| self.of_object.contains_key(uid) || self.last.contains_key(uid));
        if child && request.uid.is_none() {
            self.fault(request.at, format!("{} {} carries no UID precondition", request.what, request.key.1));
        }
        if child && request.answer.is_ok() && !ours {
            self.fault(request.at, format!("{} {}: it is not ours", request.what, request.key.1));
        }
        if create && request.owner.is_none() {
            self.fault(request.at, format!("{} {} without a controller ownerReference", request.what, request.key.1));
        }
    }

    fn change(&mut self, now: Time, change: &Change, store: &Store) {
        match change {
            Change::Cr(_, raw) => self.status(now, raw, store),
            Change::CrGone(key, raw) => self.gone(now, key, raw, store),
            Change::Pod(_)
            | Change::PodGone(_)
            | Change::Revision(_)
            | Change::RevisionGone(_)
            | Change::Terminating(_) => {}
        }
    }

    fn status(&mut self, now: Time, raw: &Value, store: &Store) {
        let uid = raw.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.of_object.entry(uid.clone()).or_default();
        let Some(status) = raw.get("status") else { return };
        let size = status.to_string().len();
        if size >= STATUS_LIMIT {
            self.fault(now, format!("status has {size} bytes"));
        }
        let Ok(cr) = serde_json::from_value::<K::Cr>(raw.clone()) else { return };
        let Some(shown) = (self.lens.shown)(&cr) else { return };
        let parked = status.to_string().contains("Poisoned");
        match self.last.get(&uid).cloned() {
            Some(old) if old == shown && parked => {}
            Some(old) => self.transition(now, &old, &shown, parked),
            None if shown.seq != 1 => {
                self.fault(now, format!("the first status of run {} has seq {}", shown.number, shown.seq))
            }
            None => {}
        }
        let limit = (self.lens.parallelism)(&cr);
        if !self.runs.contains_key(&shown.run_id) {
            self.of_object.entry(uid.clone()).or_default().push(shown.run_id.clone());
        }
        let known = self.runs.entry(shown.run_id.clone()).or_insert_with(|| Known { limit, ..Known::default() });
        known.accepted.insert(shown.seq, (shown.phase.clone(), shown.terminal));
        let claims = shown.stored && !self.last.get(&uid).is_some_and(|old| old.stored && old.run_id == shown.run_id);
        if claims && !store.has_end(&shown.run_id) {
            self.fault(now, format!("HistoryStored is True for run {}, but the store has no final row", shown.number));
        }
        self.last.insert(uid, shown);
    }

    fn transition(&mut self, now: Time, old: &Shown, new: &Shown, parked: bool) {
        if old.run_id != new.run_id {
            if !old.terminal {
                self.fault(now, format!("run {} was replaced while {}", old.number, old.phase));
            }
            if new.seq != 1 || new.number != old.number + 1 {
                self.fault(now, format!("run {} began with seq {} after run {}", new.number, new.seq, old.number));
            }
            return;
        }
        // A change of metadata or spec leaves the status as it is; every other one counts.
        if new != old && new.seq != old.seq + 1 && !parked {
            self.fault(now, format!("seq went from {} to {}", old.seq, new.seq));
        }
        if new.phase != old.phase && !self.lens.run_table.contains(&(old.phase.as_str(), new.phase.as_str())) {
            self.fault(now, format!("run {} went from {} to {}", old.number, old.phase, new.phase));
        }
        if old.stored && !new.stored {
            self.fault(now, format!("run {} was stored and then not", old.number));
        }
        self.steps(now, old, new);
    }

    fn steps(&mut self, now: Time, old: &Shown, new: &Shown) {
        for (name, phase, attempt) in &old.steps {
            let Some((_, to, next)) = new.steps.iter().find(|(n, _, _)| n == name) else {
                self.fault(now, format!("step {name} vanished from the status"));
                continue;
            };
            // An item that is over is listed no more, and its attempt with it.
            let unlisted = name.ends_with(']') && matches!(to.as_str(), "Succeeded" | "Failed" | "Cancelled");
            if !unlisted && (next < attempt || *next > attempt + 1) {
                self.fault(now, format!("step {name} went from attempt {attempt} to {next}"));
            }
            if to != phase && !self.lens.step_table.contains(&(phase.as_str(), to.as_str())) {
                self.fault(now, format!("step {name} went from {phase} to {to}"));
            }
        }
        for (name, to, attempt) in &new.steps {
            let known = old.steps.iter().any(|(n, _, _)| n == name);
            if !known && !self.lens.step_table.contains(&("", to.as_str())) {
                self.fault(now, format!("step {name} appeared as {to}"));
            }
            if !known && to == "Succeeded" && *attempt > 0 {
                self.fault(now, format!("step {name} succeeded in attempt {attempt}, which was never intended"));
            }
            if old.terminal && !known {
                self.fault(now, format!("step {name} appeared after the run's end"));
            }
        }
    }

    /// Guarantee 4: an object goes only when the end of each of its runs is stored.
    fn gone(&mut self, now: Time, key: &Key, raw: &Value, store: &Store) {
        let uid = raw.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        for run in self.runs_of(uid).to_vec() {
            if !store.has_end(&run) && !self.release {
                self.fault(now, format!("{} is gone, but the end of its run {run} is not stored", key.1));
            }
        }
    }

    /// Rows come from accepted statuses alone, and say what those said.
    fn batch(&mut self, now: Time, batch: &RecordBatch) {
        let accepted = self.runs.get(&batch.run_id).and_then(|k| k.accepted.get(&batch.seq)).cloned();
        let Some((phase, terminal)) = accepted else {
            self.fault(now, format!("rows of seq {} are written, but no such status was accepted", batch.seq));
            return;
        };
        if batch.last != terminal {
            self.fault(now, format!("rows of seq {} say last={}, the status says {phase}", batch.seq, batch.last));
        }
        for record in &batch.records {
            let (run_id, seq) = match record {
                Record::Run(row) => {
                    if row.phase != phase || row.terminal != terminal {
                        self.fault(
                            now,
                            format!("the row of seq {} says {}, the status said {phase}", row.seq, row.phase),
                        );
                    }
                    (&row.id, row.seq)
                }
                Record::Step(row) => (&row.run_id, row.seq),
                Record::Event(row) => (&row.run_id, row.seq),
                Record::Lineage(row) => (&row.run_id, row.seq),
            };
            if *run_id != batch.run_id || seq > batch.seq {
                self.fault(
                    now,
                    format!("a row of run {run_id} seq {seq} in a batch of run {} seq {}", batch.run_id, batch.seq),
                );
            }
        }
    }

    /// Guarantee 2 and the budget of pods, at this instant.
    fn live(&mut self, now: Time, server: &Server, kubelet: &Kubelet) {
        let mut per_step: BTreeMap<(&str, &str, u32), usize> = BTreeMap::new();
        let mut per_run: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in server.pods().values() {
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            let Some(intent) = server.intent_of(uid) else { continue };
            if is_gated(pod) || is_over(pod) || (kubelet.is_cut_off(uid) && given_up(now, pod)) {
                continue;
            }
            *per_step.entry((intent.run_id.as_str(), intent.step.as_str(), intent.item)).or_default() += 1;
            *per_run.entry(intent.run_id.as_str()).or_default() += 1;
        }
        let mut found = Vec::new();
        for ((_, step, _), n) in per_step {
            if n > 1 {
                found.push(format!("step {step} has {n} live pods"));
            }
        }
        for (run, n) in per_run {
            let limit = self.runs.get(run).map_or(0, |k| k.limit);
            if n > limit {
                found.push(format!("run {run} has {n} live pods, {limit} are allowed"));
            }
        }
        let mut ran: BTreeMap<_, usize> = BTreeMap::new();
        for line in kubelet.ledger() {
            *ran.entry(&line.intent).or_default() += 1;
        }
        for (intent, n) in ran {
            if n > 1 {
                found.push(format!("{} pods ran for {}#{}", n, intent.step, intent.attempt));
            }
        }
        for text in found {
            self.fault(now, text);
        }
    }
}
