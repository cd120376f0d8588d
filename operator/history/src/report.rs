//! Runs that an outside system made itself and reports.
//!
//! Such a run is known by the id that it was given there, within its Workflow. Its own id begins with the time of its
//! start, as that of any run, so it lies and ages with the others; but it is a UUID of version 8, where the operator's are
//! of version 7, so that neither can take the other's place.

use crate::clean::{CleanEvent, CleanRun, CleanStep, json, text};
use hearth_crds::time::Time;
use serde_json::{Value, json as object};
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

/// What started such a run, in the column of that name.
const TRIGGER: &str = "Reported";
/// The bits of a UUID that hold a time.
const TIME_BITS: u32 = 48;

/// What an outside system says of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The id that it gave the run.
    pub reported_id: String,
    /// Namespace of the Workflow.
    pub namespace: String,
    /// UID of that namespace.
    pub namespace_uid: String,
    /// Name of the Workflow.
    pub name: String,
    /// Who reports it.
    pub by: String,
    /// When.
    pub at: Time,
    /// Pending, Running, Succeeded, Failed or Cancelled.
    pub phase: String,
    /// How it ended; None while it has not.
    pub end: Option<ReportEnd>,
    /// Message for people.
    pub message: Option<String>,
    /// When it started; None leaves it at what was said before, or works it out from its end.
    pub started_at: Option<Time>,
    /// What it was given.
    pub inputs: Value,
    /// What came out.
    pub outputs: Value,
    /// The same for the same report.
    pub digest: String,
    /// Its steps.
    pub steps: Vec<ReportedStep>,
}

/// When a reported run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportEnd {
    /// At this time.
    At(Time),
    /// So long after its start.
    After(Duration),
}

/// What an outside system says of an attempt of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedStep {
    /// Name of the step.
    pub step: String,
    /// Item, when there are several.
    pub item: i32,
    /// Number of the attempt.
    pub attempt: i32,
    /// In the words of the steps table.
    pub phase: String,
    /// Whether it is over.
    pub terminal: bool,
    /// Message for people.
    pub message: Option<String>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Outputs.
    pub outputs: Value,
    /// The end of its log.
    pub log: Option<String>,
    /// When it started.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The run was not known before; this is its id.
    New(Uuid),
    /// It was, and says more now.
    Changed(Uuid),
    /// The same was reported before.
    Same(Uuid),
    /// It has ended in this phase, and what has ended does not change.
    Ended(Uuid, String),
    /// It started at this time, as was said before.
    OtherStart(Uuid, Time),
    /// It was deleted for good.
    Deleted(Uuid),
}

/// The row that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub id: Uuid,
    pub seq: i64,
    pub phase: String,
    pub terminal: bool,
    pub digest: String,
    pub started_at: Time,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReportRows {
    pub run: CleanRun,
    pub reported_id: String,
    pub steps: Vec<CleanStep>,
    pub events: Vec<CleanEvent>,
    /// What is answered when it is written.
    pub answer: Reported,
}

impl Report {
    /// The same for reports of the same run: those of one are written one after the other.
    pub(crate) fn key(&self) -> String {
        text(format!("{}/{}/{}", self.namespace_uid, self.name, self.reported_id))
    }

    /// What to write over what is known, or the answer when that is nothing.
    pub(crate) fn over(&self, known: Option<&Known>) -> Result<Box<ReportRows>, Reported> {
        let started_at = known.map(|k| k.started_at).or(self.started_at).unwrap_or_else(|| self.worked_out());
        let id = known.map_or_else(|| self.id(started_at), |k| k.id);
        if let Some(known) = known {
            if known.digest == self.digest {
                return Err(Reported::Same(id));
            }
            if known.terminal {
                return Err(Reported::Ended(id, known.phase.clone()));
            }
            if self.started_at.is_some_and(|at| at != known.started_at) {
                return Err(Reported::OtherStart(id, known.started_at));
            }
        }
        let seq = known.map_or(1, |k| k.seq.saturating_add(1));
        Ok(Box::new(ReportRows {
            run: self.run(id, seq, started_at),
            reported_id: text(self.reported_id.clone()),
            steps: self.steps.iter().map(|s| step(id, seq, started_at, s)).collect(),
            events: self.events(id, seq, started_at),
            answer: if known.is_some() { Reported::Changed(id) } else { Reported::New(id) },
        }))
    }

    /// The start, when nobody says it: the end is told as a time, or as just now.
    fn worked_out(&self) -> Time {
        match self.end {
            None => self.at,
            Some(ReportEnd::At(end)) => end.min(self.at),
            Some(ReportEnd::After(took)) => {
                let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
                Time::from_millis(self.at.millis().saturating_sub(took).max(0))
            }
        }
    }

    fn finished_at(&self, started_at: Time) -> Option<Time> {
        self.end.map(|end| match end {
            ReportEnd::At(at) => at.max(started_at),
            ReportEnd::After(took) => started_at.after(took),
        })
    }

    /// The time of the start, then version 8, then a hash of what the run is known by.
    fn id(&self, started_at: Time) -> Uuid {
        let mut hash = Sha256::new();
        for part in [&self.namespace_uid, &self.name, &self.reported_id] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let rest = hash.finalize().iter().take(16).fold(0u128, |all, byte| (all << 8) | u128::from(*byte));
        let time = u128::try_from(started_at.millis()).unwrap_or(0) & ((1 << TIME_BITS) - 1);
        let (high, low) = ((rest >> 64) & 0xfff, rest & ((1 << 62) - 1));
        Uuid::from_u128((time << (128 - TIME_BITS)) | (0x8 << 76) | (high << 64) | (0b10 << 62) | low)
    }

    /// No cluster made it, so no sweep over the runs of a cluster finds it.
    fn run(&self, id: Uuid, seq: i64, started_at: Time) -> CleanRun {
        CleanRun {
            id,
            cluster: String::new(),
            kind: "Workflow".to_owned(),
            namespace: text(self.namespace.clone()),
            namespace_uid: text(self.namespace_uid.clone()),
            name: text(self.name.clone()),
            uid: String::new(),
            number: 0,
            seq,
            phase: self.phase.clone(),
            terminal: self.end.is_some(),
            reason: None,
            message: self.message.clone().map(text),
            trigger: TRIGGER.to_owned(),
            revision: String::new(),
            digest: self.digest.clone(),
            spec: object!({}).to_string(),
            params: json(self.inputs.clone()),
            results: json(self.outputs.clone()),
            labels: object!({}).to_string(),
            owner: String::new(),
            started_at,
            finished_at: self.finished_at(started_at),
            minimal: false,
        }
    }

    fn events(&self, run_id: Uuid, seq: i64, started_at: Time) -> Vec<CleanEvent> {
        let event = |transition: &str, at: Time, message: Option<String>| CleanEvent {
            run_id,
            subject: "run".to_owned(),
            transition: transition.to_owned(),
            seq,
            at,
            reason: Some(TRIGGER.to_owned()),
            message: message.map(text),
        };
        let mut events = vec![event("Started", started_at, Some(format!("reported by {}", self.by)))];
        events.extend(self.finished_at(started_at).map(|at| event(&self.phase, at, self.message.clone())));
        events
    }
}

fn step(run_id: Uuid, seq: i64, run_started_at: Time, s: &ReportedStep) -> CleanStep {
    CleanStep {
        run_id,
        run_started_at,
        step: text(s.step.clone()),
        item: s.item,
        attempt: s.attempt,
        seq,
        phase: s.phase.clone(),
        terminal: s.terminal,
        class: None,
        reason: None,
        message: s.message.clone().map(text),
        exit_code: s.exit_code,
        pod: None,
        node: None,
        image: None,
        image_id: None,
        outputs: json(s.outputs.clone()),
        artifacts: object!({}).to_string(),
        log: s.log.clone().map(text),
        log_unavailable: None,
        started_at: s.started_at,
        finished_at: s.finished_at,
        work_key: None,
        cached_from: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            reported_id: "r-1".into(),
            namespace: "climate".into(),
            namespace_uid: "u".into(),
            name: "co2".into(),
            by: "ada".into(),
            at: Time::from_millis(100_000),
            phase: "Succeeded".into(),
            end: Some(ReportEnd::After(Duration::from_secs(60))),
            message: None,
            started_at: None,
            inputs: object!({}),
            outputs: object!({}),
            digest: "d".into(),
            steps: vec![],
        }
    }

    #[test]
    fn an_id_is_of_the_start_and_of_what_the_run_is_known_by() {
        let (report, at) = (report(), Time::from_millis(1_795_248_000_123));
        let id = report.id(at);
        assert_eq!((id.get_version_num(), id.as_u128() >> 80), (8, 1_795_248_000_123));
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id, Report { phase: "Failed".into(), digest: "e".into(), ..report.clone() }.id(at));
        for other in [
            Report { reported_id: "r-2".into(), ..report.clone() },
            Report { name: "co".into(), reported_id: "2r-1".into(), ..report.clone() },
            Report { namespace_uid: "v".into(), ..report.clone() },
        ] {
            assert_ne!(other.id(at), id);
        }
    }

    #[test]
    fn a_start_that_nobody_says_is_worked_out() {
        let times = |report: Report| {
            let run = report.over(None).unwrap().run;
            (run.started_at.millis(), run.finished_at.map(Time::millis))
        };
        assert_eq!(times(report()), (40_000, Some(100_000)));
        let at = |ms| Some(ReportEnd::At(Time::from_millis(ms)));
        assert_eq!(times(Report { end: at(70_000), ..report() }), (70_000, Some(70_000)));
        assert_eq!(times(Report { end: None, ..report() }), (100_000, None));
        let said = Report { started_at: Some(Time::from_millis(5)), ..report() };
        assert_eq!(times(said), (5, Some(60_005)));
        let known = Known {
            id: Uuid::nil(),
            seq: 3,
            phase: "Running".into(),
            terminal: false,
            digest: "c".into(),
            started_at: Time::from_millis(50_000),
        };
        let run = report().over(Some(&known)).unwrap().run;
        assert_eq!((run.id, run.seq, run.finished_at.map(Time::millis)), (Uuid::nil(), 4, Some(110_000)));
    }
}
