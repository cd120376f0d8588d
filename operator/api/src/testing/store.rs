//! Rows as the store would give them.

use super::WHOLE;
use hearth_contract::digest::Digest;
use hearth_crds::{artifacts::StoredArtifact, time::Time};
use hearth_history::{
    AuditCursor, AuditEntry, AuditFilter, AuditLink, Error, Event, EventKey, Lineage, LineageEdge, LineageQuery,
    LineageRoot, Log, Page, Report, ReportEnd, Reported, Run, RunCursor, RunFilter, RunSummary, Step, StepKey, Usage,
    UsageFilter, WholeLog,
};
use hearth_wire::{AuditAnchor, AuditRecord, NO_HASH};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use uuid::Uuid;

/// Rows in memory, or a store that is away.
#[derive(Clone, Default)]
pub struct FakeStore {
    pub runs: Arc<Mutex<Vec<Run>>>,
    pub away: Arc<Mutex<bool>>,
    events: Arc<Mutex<Vec<Event>>>,
    /// Every read, so that a test sees what was read for whom.
    pub reads: Arc<Mutex<Vec<String>>>,
    /// The audit trail.
    pub trail: Arc<Mutex<Vec<AuditRecord>>>,
    /// What was done, in order: records of the trail and deletions.
    pub deeds: Arc<Mutex<Vec<&'static str>>>,
}

impl FakeStore {
    fn read(&self, what: String) -> Result<(), Error> {
        self.reads.lock().unwrap().push(what);
        if *self.away.lock().unwrap() {
            return Err(Error::Timeout {
                store: "db.example:5432/hearth".to_owned(),
                operation: "test",
                limit: Duration::from_secs(5),
            });
        }
        Ok(())
    }

    pub fn list_runs(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: u32,
    ) -> Result<Page<RunSummary, RunCursor>, Error> {
        self.read("list".to_owned())?;
        let mut rows: Vec<RunSummary> = self.runs.lock().unwrap().iter().map(|r| r.summary.clone()).collect();
        rows.sort_by_key(|r| std::cmp::Reverse((r.started_at, r.id)));
        rows.retain(|r| filter.namespaces.as_ref().is_none_or(|n| n.contains(&r.namespace)));
        rows.retain(|r| filter.namespace_uids.as_ref().is_none_or(|n| n.contains(&r.namespace_uid)));
        rows.retain(|r| {
            filter.name.as_ref().is_none_or(|n| *n == r.name)
                && (filter.phases.is_empty() || filter.phases.contains(&r.phase))
        });
        rows.retain(|r| after.is_none_or(|a| (r.started_at, r.id) < (a.started_at, a.id)));
        let limit = usize::try_from(limit).unwrap();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(RunSummary::cursor);
        Ok(Page { items: rows, next })
    }

    pub fn get_run(&self, id: Uuid) -> Result<Option<Run>, Error> {
        self.read(format!("run {id}"))?;
        Ok(self.runs.lock().unwrap().iter().find(|r| r.summary.id == id).cloned())
    }

    pub fn list_steps(&self, run: Uuid) -> Result<Page<Step, StepKey>, Error> {
        self.read(format!("steps {run}"))?;
        Ok(Page { items: vec![step()], next: None })
    }

    pub fn list_events(&self, run: Uuid, after: Option<&EventKey>) -> Result<Page<Event, EventKey>, Error> {
        self.read(format!("events {run}"))?;
        let mut items = vec![event("Running", 1)];
        items.extend(self.events.lock().unwrap().iter().cloned());
        items.retain(|e| after.is_none_or(|a| (e.at, e.seq) > (a.at, a.seq)));
        Ok(Page { items, next: None })
    }

    /// A group for each run that the filter leaves.
    pub fn usage(&self, filter: &UsageFilter) -> Result<Vec<Usage>, Error> {
        self.read("usage".to_owned())?;
        let runs = self.runs.lock().unwrap();
        let kept = runs.iter().map(|r| &r.summary).filter(|r| {
            (filter.from..filter.to).contains(&r.started_at)
                && filter.namespace.as_ref().is_none_or(|n| *n == r.namespace)
                && filter.namespace_uid.as_ref().is_none_or(|u| *u == r.namespace_uid)
        });
        let of = |r: &RunSummary| Usage {
            namespace: r.namespace.clone(),
            owner: r.id.to_string(),
            runs: 1,
            memory_byte_seconds: 3.0 * f64::from(1 << 30),
            ..Usage::default()
        };
        Ok(kept.map(of).collect())
    }

    /// Every run read the artifact `x` of run 1, as far as the query lets them be seen.
    pub fn lineage(&self, query: &LineageQuery) -> Result<Lineage, Error> {
        self.read(format!("lineage of {:?} in {:?}, {:?}", query.root, query.namespace, query.namespace_uid))?;
        let mut runs: Vec<RunSummary> = self.runs.lock().unwrap().iter().map(|r| r.summary.clone()).collect();
        runs.retain(|r| {
            query.namespace.as_ref().is_none_or(|n| *n == r.namespace)
                && query.namespace_uid.as_ref().is_none_or(|u| *u == r.namespace_uid)
        });
        let read = |r: &RunSummary| LineageEdge {
            depth: 1,
            relation: "Read".to_owned(),
            from: Digest::of(b"x").to_string(),
            to: r.id.to_string(),
            run_id: r.id,
            step: "plot".to_owned(),
            attempt: 1,
            name: "model".to_owned(),
            own: false,
        };
        let limit = usize::try_from(query.limit).unwrap();
        let edges: Vec<LineageEdge> = runs.iter().map(read).take(limit).collect();
        let truncated = runs.len() > limit;
        Ok(match query.root {
            LineageRoot::Run(_) => Lineage { upstream: edges, runs, truncated, ..Lineage::default() },
            LineageRoot::Digest(_) => Lineage { downstream: edges, runs, truncated, ..Lineage::default() },
        })
    }

    /// A row per report, by the rules of the store as far as the router shows them.
    pub fn report(&self, report: &Report) -> Result<Reported, Error> {
        self.read("report".to_owned())?;
        self.deeds.lock().unwrap().push("report");
        let mut runs = self.runs.lock().unwrap();
        let known = runs.iter().position(|r| r.summary.reported_id.as_ref() == Some(&report.reported_id));
        if let Some(known) = known.map(|i| &runs[i]) {
            let row = &known.summary;
            if known.digest == report.digest {
                return Ok(Reported::Same(row.id));
            }
            if row.terminal {
                return Ok(Reported::Ended(row.id, row.phase.clone()));
            }
            if report.started_at.is_some_and(|at| at != row.started_at) {
                return Ok(Reported::OtherStart(row.id, row.started_at));
            }
        }
        let number = i64::try_from(runs.len()).unwrap() + 100;
        let mut row = run(number, &report.namespace, &report.namespace_uid);
        row.summary.name.clone_from(&report.name);
        row.summary.reported_id = Some(report.reported_id.clone());
        row.summary.trigger = "Reported".to_owned();
        row.summary.phase.clone_from(&report.phase);
        row.summary.terminal = report.end.is_some();
        row.summary.started_at = report.started_at.unwrap_or(report.at);
        row.summary.finished_at = report.end.map(|end| match end {
            ReportEnd::At(at) => at,
            ReportEnd::After(took) => row.summary.started_at.after(took),
        });
        row.digest.clone_from(&report.digest);
        (row.params, row.results) = (report.inputs.clone(), report.outputs.clone());
        match known {
            Some(known) => {
                row.summary.id = runs[known].summary.id;
                let id = row.summary.id;
                runs[known] = row;
                Ok(Reported::Changed(id))
            }
            None => {
                let id = row.summary.id;
                runs.push(row);
                Ok(Reported::New(id))
            }
        }
    }

    pub fn bury(&self, run: Uuid) -> Result<(), Error> {
        self.read(format!("bury {run}"))?;
        self.deeds.lock().unwrap().push("bury");
        self.runs.lock().unwrap().retain(|r| r.summary.id != run);
        Ok(())
    }

    pub fn record(&self, entry: &AuditEntry) -> Result<(), Error> {
        self.read("record".to_owned())?;
        self.deeds.lock().unwrap().push("record");
        let mut trail = self.trail.lock().unwrap();
        let mut record = AuditRecord {
            writer: Uuid::nil().to_string(),
            number: i64::try_from(trail.len()).unwrap() + 1,
            at: entry.at,
            who: entry.who.clone(),
            verb: entry.verb.clone(),
            resource: entry.resource.clone(),
            namespace: entry.namespace.clone(),
            name: entry.name.clone(),
            run: entry.run.map(|r| r.to_string()),
            from: entry.from.clone(),
            allowed: entry.allowed,
            reason: entry.reason.clone(),
            previous: trail.last().map_or(NO_HASH.to_owned(), |r| r.hash.clone()),
            hash: String::new(),
        };
        record.hash = record.digest();
        trail.push(record);
        Ok(())
    }

    pub fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditCursor>, Error> {
        self.read("audit".to_owned())?;
        let mut items = self.trail.lock().unwrap().clone();
        items.reverse();
        items.retain(|r| {
            filter.namespace.as_ref().is_none_or(|n| *n == r.namespace)
                && filter.who.as_ref().is_none_or(|w| *w == r.who)
                && filter.allowed.is_none_or(|a| a == r.allowed)
                && filter.since.is_none_or(|s| s <= r.at)
                && after.is_none_or(|a| r.number < a.link.number)
        });
        let limit = usize::try_from(limit).unwrap();
        let more = items.len() > limit;
        items.truncate(limit);
        let cursor = |r: &AuditRecord| AuditCursor { at: r.at, link: link(r) };
        let next = items.last().filter(|_| more).map(cursor);
        Ok(Page { items, next })
    }

    pub fn audit_chain(&self, after: Option<AuditLink>, limit: u32) -> Result<Page<AuditRecord, AuditLink>, Error> {
        self.read("chain".to_owned())?;
        let mut items = self.trail.lock().unwrap().clone();
        items.retain(|r| after.is_none_or(|a| r.number > a.number));
        let limit = usize::try_from(limit).unwrap();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(link);
        Ok(Page { items, next })
    }

    pub fn audit_anchors(&self) -> Result<Page<AuditAnchor, AuditLink>, Error> {
        self.read("anchors".to_owned())?;
        Ok(Page { items: Vec::new(), next: None })
    }

    /// Adds a transition to the first one, which every run has.
    pub fn add_event(&self, transition: &str, seq: i64) {
        self.events.lock().unwrap().push(event(transition, seq));
    }

    /// Puts run 1 into a phase.
    pub fn set_phase(&self, phase: &str) {
        let mut runs = self.runs.lock().unwrap();
        runs[0].summary.phase = phase.to_owned();
        runs[0].summary.terminal = phase != "Running";
    }

    pub fn artifact(&self, run: Uuid, step: &str, name: &str) -> Result<Option<StoredArtifact>, Error> {
        self.read(format!("artifact {run}"))?;
        let stored =
            |bytes: &[u8]| StoredArtifact { digest: Digest::of(bytes).to_string(), bytes: 1, directory: false };
        Ok(match (step, name) {
            ("fit", "model") => Some(stored(b"x")),
            ("fit", "lost") => Some(stored(b"y")),
            _ => None,
        })
    }

    pub fn get_log(&self, run: Uuid, step: &str) -> Result<Option<Log>, Error> {
        self.read(format!("log {run}"))?;
        let log = Log {
            step: step.to_owned(),
            item: 0,
            attempt: 1,
            phase: "Failed".to_owned(),
            pod: None,
            log: Some("boom\n".to_owned()),
            log_unavailable: None,
            whole: None,
            whole_unavailable: None,
        };
        let whole = |of: &[u8], bytes| WholeLog { digest: Digest::of(of).to_string(), bytes, left_out: 0 };
        Ok(match step {
            "fit" => Some(log),
            "whole" => Some(Log { whole: Some(whole(WHOLE, 12)), ..log }),
            "lost" => Some(Log { whole: Some(whole(b"y", 1)), ..log }),
            "none" => Some(Log { log: None, whole_unavailable: Some("the pod was gone".to_owned()), ..log }),
            _ => None,
        })
    }
}

fn link(record: &AuditRecord) -> AuditLink {
    AuditLink { writer: Uuid::nil(), number: record.number }
}

fn event(transition: &str, seq: i64) -> Event {
    Event {
        subject: "run".to_owned(),
        transition: transition.to_owned(),
        seq,
        at: Time::from_millis(seq * 1000),
        reason: None,
        message: None,
    }
}

fn step() -> Step {
    Step {
        step: "fit".to_owned(),
        item: 0,
        attempt: 1,
        seq: 2,
        phase: "Failed".to_owned(),
        terminal: true,
        class: Some("Application".to_owned()),
        reason: Some("ExitCode".to_owned()),
        message: None,
        exit_code: Some(1),
        pod: None,
        node: None,
        image: None,
        image_id: None,
        outputs: Value::Null,
        artifacts: Value::Null,
        has_log: true,
        log_unavailable: None,
        started_at: None,
        finished_at: None,
        duration_ms: None,
        cached_from: None,
    }
}

/// A run of `climate/co2` that starts `number` seconds after 1970.
pub fn run(number: i64, namespace: &str, namespace_uid: &str) -> Run {
    let started_at = Time::from_millis(number * 1000);
    Run {
        summary: RunSummary {
            id: Uuid::from_u128(u128::try_from(number).unwrap()),
            cluster: "cluster".to_owned(),
            kind: "Workflow".to_owned(),
            namespace: namespace.to_owned(),
            namespace_uid: namespace_uid.to_owned(),
            name: "co2".to_owned(),
            uid: "object".to_owned(),
            number,
            phase: "Failed".to_owned(),
            terminal: true,
            reason: Some("StepFailed".to_owned()),
            message: None,
            trigger: "Created".to_owned(),
            owner: String::new(),
            started_at,
            finished_at: Some(started_at.after(Duration::from_secs(5))),
            duration_ms: Some(5000),
            minimal: false,
            reported_id: None,
        },
        revision: "co2-1".to_owned(),
        digest: "1:ab".to_owned(),
        seq: 6,
        spec: json!({}),
        params: json!({}),
        results: json!({}),
        labels: BTreeMap::new(),
    }
}
