//! What came of what: the data, the images, the template and the earlier run that went into a run, and the data that came
//! out of it. It is read off the rows of attempts, so it says of them what they say of themselves.

use super::{artifacts, cache, digest, history::Source, run_object};
use crate::record::{LineageRow, Record, Relation, StepRow};
use hearth_crds::{
    condition::Reason,
    workflow::{Run, WorkflowStatus},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest name that is kept, in bytes: an image may be named at any length.
const LONGEST_NAME: usize = 253;

/// What the status and these rows say. The items of a step read the same data: a set holds it once.
pub(super) fn rows(
    source: &Source<'_>,
    status: &WorkflowStatus,
    run: &Run,
    records: &[Record],
) -> BTreeSet<LineageRow> {
    let mut found = BTreeSet::new();
    found.extend(template(source, run).map(|name| whole(run, Relation::RanTemplate, format!("workflow/{name}"))));
    found.extend(taken_over(status, run).map(|id| whole(run, Relation::RerunOf, id)));
    found.extend(run_object::caller(source.cr).map(|(caller, _)| LineageRow {
        step: caller.step,
        attempt: i32::try_from(caller.attempt).unwrap_or(i32::MAX),
        ..whole(run, Relation::Called, caller.run)
    }));
    for record in records {
        if let Record::Step(row) = record
            && (row.attempt > 0 || row.cached_from.is_some())
        {
            wrote(run, row, &mut found);
            found.extend(cache::lineage(run, row));
            if was_seen(row) {
                found.extend(image(run, row));
                read(source, run, row, &mut found);
            }
        }
    }
    found
}

/// The template, as long as the object still has the spec that the run began with.
fn template<'a>(source: &Source<'a>, run: &Run) -> Option<&'a str> {
    let from = source.cr.spec.from.as_ref()?;
    let own = digest::digest_of(&digest::run_affecting(&source.cr.spec));
    (own == run.digest).then_some(from.workflow.as_str())
}

/// The run whose steps this one took over: only the last one is ever asked.
fn taken_over(status: &WorkflowStatus, run: &Run) -> Option<String> {
    let reused = run.steps.iter().any(|s| s.reason == Some(Reason::Reused));
    status.last_run.as_ref().filter(|_| reused).map(|last| last.id.clone())
}

/// Whether the attempt began: its container is made after all that it reads is there.
fn was_seen(row: &StepRow) -> bool {
    row.phase == "Succeeded" || (row.phase != "Void" && row.image_id.is_some())
}

fn read(source: &Source<'_>, run: &Run, row: &StepRow, found: &mut BTreeSet<LineageRow>) {
    let spec = source.spec.and_then(|s| s.checked.as_ref().ok());
    let Some(step) = spec.and_then(|v| v.step(&row.step)) else { return };
    for input in artifacts::inputs(run, step).unwrap_or_default() {
        let from = input.digest.to_string();
        found.insert(LineageRow { from, name: input.name, ..of_step(run, row, Relation::Read) });
    }
}

fn wrote(run: &Run, row: &StepRow, found: &mut BTreeSet<LineageRow>) {
    for (name, stored) in row.artifacts.as_object().into_iter().flatten() {
        if let Some(digest) = stored.get("digest").and_then(Value::as_str) {
            let (from, to) = (run.id.clone(), digest.to_owned());
            found.insert(LineageRow { from, to, name: name.clone(), ..of_step(run, row, Relation::Wrote) });
        }
    }
}

fn image(run: &Run, row: &StepRow) -> Option<LineageRow> {
    let pulled = row.image_id.as_deref()?;
    let from = image_digest(pulled)?.to_owned();
    let name = row.image.as_deref().unwrap_or(pulled);
    let name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default().to_owned();
    Some(LineageRow { from, name, ..of_step(run, row, Relation::RanImage) })
}

/// The digest in what the kubelet calls an image: `REPOSITORY@sha256:HEX`, or the digest alone.
fn image_digest(id: &str) -> Option<&str> {
    let digest = id.rsplit('@').next()?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digest)
}

/// Something that went into the run as a whole.
fn whole(run: &Run, relation: Relation, from: String) -> LineageRow {
    LineageRow {
        run_id: run.id.clone(),
        seq: run.seq,
        relation,
        from,
        to: run.id.clone(),
        step: String::new(),
        attempt: 0,
        name: String::new(),
    }
}

/// Something that went into an attempt; the rest is filled in by the caller.
fn of_step(run: &Run, row: &StepRow, relation: Relation) -> LineageRow {
    LineageRow { step: row.step.clone(), attempt: row.attempt, ..whole(run, relation, String::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_digest() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(image_digest(&format!("example.org:5000/fit@{digest}")), Some(digest.as_str()));
        assert_eq!(image_digest(&format!("docker-pullable://fit@{digest}")), Some(digest.as_str()));
        assert_eq!(image_digest(&digest), Some(digest.as_str()));
        for odd in ["", "fit:1", "fit@sha256:0a", "sha512:00", &format!("{digest}0")] {
            assert_eq!(image_digest(odd), None, "{odd}");
        }
    }
}
