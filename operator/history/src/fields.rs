//! Rows as the store gives them, made into what is read back: once for both back ends.

use crate::export::Export;
use crate::lineage::Found;
use crate::model::{Event, Log, Run, RunSummary, Step, Unfinished, WholeLog};
use crate::report::Known;
use hearth_crds::time::Time;
use hearth_plan::{record::ObjectKey, work::Work};
use serde_json::Value;
use sqlx::{Error, Row};
use uuid::Uuid;

/// Columns of a row by their name, whatever the back end keeps them as.
pub(crate) trait Fields {
    fn id(&self, column: &str) -> Result<Uuid, Error>;
    fn text(&self, column: &str) -> Result<String, Error>;
    fn text_opt(&self, column: &str) -> Result<Option<String>, Error>;
    fn long(&self, column: &str) -> Result<i64, Error>;
    fn long_opt(&self, column: &str) -> Result<Option<i64>, Error>;
    fn int(&self, column: &str) -> Result<i32, Error>;
    fn int_opt(&self, column: &str) -> Result<Option<i32>, Error>;
    fn flag(&self, column: &str) -> Result<bool, Error>;
    fn time(&self, column: &str) -> Result<Time, Error>;
    fn time_opt(&self, column: &str) -> Result<Option<Time>, Error>;
    fn json(&self, column: &str) -> Result<Value, Error>;
}

/// The columns that both drivers decode alike.
macro_rules! plain_fields {
    () => {
        fn text(&self, column: &str) -> Result<String, sqlx::Error> {
            self.try_get(column)
        }
        fn text_opt(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
            self.try_get(column)
        }
        fn long(&self, column: &str) -> Result<i64, sqlx::Error> {
            self.try_get(column)
        }
        fn long_opt(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
            self.try_get(column)
        }
        fn int(&self, column: &str) -> Result<i32, sqlx::Error> {
            self.try_get(column)
        }
        fn int_opt(&self, column: &str) -> Result<Option<i32>, sqlx::Error> {
            self.try_get(column)
        }
        fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
            self.try_get(column)
        }
    };
}
pub(crate) use plain_fields;

/// All rows of an answer.
pub(crate) fn all<R: Row + Fields, T>(rows: &[R], of: fn(&R) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    rows.iter().map(of).collect()
}

pub(crate) fn summary(row: &impl Fields) -> Result<RunSummary, Error> {
    Ok(RunSummary {
        id: row.id("id")?,
        cluster: row.text("cluster")?,
        kind: row.text("kind")?,
        namespace: row.text("namespace")?,
        namespace_uid: row.text("namespace_uid")?,
        name: row.text("name")?,
        uid: row.text("uid")?,
        number: row.long("number")?,
        phase: row.text("phase")?,
        terminal: row.flag("terminal")?,
        reason: row.text_opt("reason")?,
        message: row.text_opt("message")?,
        trigger: row.text("trigger")?,
        owner: row.text("owner")?,
        started_at: row.time("started_at")?,
        finished_at: row.time_opt("finished_at")?,
        duration_ms: row.long_opt("duration_ms")?,
        minimal: row.flag("minimal")?,
        reported_id: row.text_opt("reported_id")?,
    })
}

pub(crate) fn run(row: &impl Fields) -> Result<Run, Error> {
    let labels = serde_json::from_value(row.json("labels")?).map_err(|e| Error::Decode(e.into()))?;
    Ok(Run {
        summary: summary(row)?,
        revision: row.text("revision")?,
        digest: row.text("digest")?,
        seq: row.long("seq")?,
        spec: row.json("spec")?,
        params: row.json("params")?,
        results: row.json("results")?,
        labels,
    })
}

pub(crate) fn step(row: &impl Fields) -> Result<Step, Error> {
    Ok(Step {
        step: row.text("step")?,
        item: row.int("item")?,
        attempt: row.int("attempt")?,
        seq: row.long("seq")?,
        phase: row.text("phase")?,
        terminal: row.flag("terminal")?,
        class: row.text_opt("class")?,
        reason: row.text_opt("reason")?,
        message: row.text_opt("message")?,
        exit_code: row.int_opt("exit_code")?,
        pod: row.text_opt("pod")?,
        node: row.text_opt("node")?,
        image: row.text_opt("image")?,
        image_id: row.text_opt("image_id")?,
        outputs: row.json("outputs")?,
        artifacts: row.json("artifacts")?,
        has_log: row.flag("has_log")?,
        log_unavailable: row.text_opt("log_unavailable")?,
        started_at: row.time_opt("started_at")?,
        finished_at: row.time_opt("finished_at")?,
        duration_ms: row.long_opt("duration_ms")?,
        cached_from: row.text_opt("cached_from")?,
    })
}

pub(crate) fn export(row: &impl Fields) -> Result<Export, Error> {
    Ok(Export { run_id: row.id("run_id")?, ended: row.flag("ended")?, since: row.time("since")? })
}

/// Work that was done, by its key.
pub(crate) fn work(row: &impl Fields) -> Result<(String, Work), Error> {
    let decoded = |e: serde_json::Error| Error::Decode(e.into());
    let work = Work {
        run_id: row.id("run_id")?.to_string(),
        step: row.text("step")?,
        item: u32::try_from(row.int("item")?).unwrap_or(0),
        finished_at: row.time("finished_at")?,
        outputs: serde_json::from_value(row.json("outputs")?).map_err(decoded)?,
        artifacts: serde_json::from_value(row.json("artifacts")?).map_err(decoded)?,
    };
    Ok((row.text("work_key")?, work))
}

pub(crate) fn event(row: &impl Fields) -> Result<Event, Error> {
    Ok(Event {
        subject: row.text("subject")?,
        transition: row.text("transition")?,
        seq: row.long("seq")?,
        at: row.time("at")?,
        reason: row.text_opt("reason")?,
        message: row.text_opt("message")?,
    })
}

pub(crate) fn log(row: &impl Fields) -> Result<Log, Error> {
    Ok(Log {
        step: row.text("step")?,
        item: row.int("item")?,
        attempt: row.int("attempt")?,
        phase: row.text("phase")?,
        pod: row.text_opt("pod")?,
        log: row.text_opt("log")?,
        log_unavailable: row.text_opt("log_unavailable")?,
        whole: whole_log(row)?,
        whole_unavailable: row.text_opt("whole_unavailable")?,
    })
}

fn whole_log(row: &impl Fields) -> Result<Option<WholeLog>, Error> {
    let Some(digest) = row.text_opt("whole_digest")? else { return Ok(None) };
    Ok(Some(WholeLog { digest, bytes: row.long("whole_bytes")?, left_out: row.long("whole_left_out")? }))
}

pub(crate) fn unfinished(row: &impl Fields) -> Result<Unfinished, Error> {
    Ok(Unfinished {
        object: ObjectKey {
            kind: row.text("kind")?,
            namespace: row.text("namespace")?,
            name: row.text("name")?,
            uid: row.text("uid")?,
        },
        run_id: row.id("id")?,
        number: row.long("number")?,
    })
}

pub(crate) fn lineage(row: &impl Fields) -> Result<Found, Error> {
    Ok(Found {
        run_id: row.id("run_id")?,
        relation: row.text("relation")?,
        from: row.text("from_id")?,
        to: row.text("to_id")?,
        step: row.text("step")?,
        attempt: row.int("attempt")?,
        name: row.text("name")?,
        namespace_uid: row.text("namespace_uid")?,
        own: row.flag("own")?,
    })
}

pub(crate) fn known(row: &impl Fields) -> Result<Known, Error> {
    Ok(Known {
        id: row.id("id")?,
        seq: row.long("seq")?,
        phase: row.text("phase")?,
        terminal: row.flag("terminal")?,
        digest: row.text("digest")?,
        started_at: row.time("started_at")?,
    })
}
