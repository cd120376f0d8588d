//! OpenLineage run events, by version 2-0-2 of its specification (<https://openlineage.io/spec/2-0-2/OpenLineage.json>).
//!
//! A run of an object is a run of the job `NAME`, and each of its steps one of the job `NAME.STEP`, whose parent the first
//! is. The start of a run is told at once; its end comes with the start and the end of each step. An artifact is a version,
//! its digest, of the dataset `NAME/STEP/ARTIFACT`.

use crate::told::{End, Origin, StepSpan, without_log};
use hearth_crds::time::Time;
use hearth_history::{LineageEdge, Run, RunSummary};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::{Builder, Uuid};

/// Who says it.
const PRODUCER: &str = concat!("https://hearth.dev/operator/", env!("CARGO_PKG_VERSION"));
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// Bytes of a message that go along.
const MESSAGE: usize = 4096;

/// How jobs and datasets are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// What stands before the name of the Kubernetes namespace.
    pub prefix: &'a str,
}

impl Names<'_> {
    fn namespace(self, run: &RunSummary) -> String {
        format!("{}/{}", self.prefix, run.namespace)
    }
}

/// That a run began.
pub(crate) fn start(names: Names<'_>, run: &Run, origin: &Origin) -> Value {
    let of = whole(names, run, origin);
    event("START", run.summary.started_at, of)
}

/// All that is to be told when a run is over; its own end comes last.
pub(crate) fn end(names: Names<'_>, run: &Run, steps: &BTreeMap<String, StepSpan>, origin: &Origin) -> Vec<Value> {
    let mut events = Vec::new();
    for (name, span) in steps {
        events.push(event("START", span.started_at, step(names, run, name, None)));
        let message = span.message.as_deref().or((span.end == End::Failed).then_some("failed"));
        let mut of = step(names, run, name, message);
        of.inputs = inputs(names, run, name, origin);
        of.outputs = outputs(names, run, name, origin);
        events.push(event(end_type(span.end), span.finished_at, of));
    }
    let mut of = whole(names, run, origin);
    let end = End::of(&run.summary.phase);
    if end == End::Failed {
        let why = run.summary.message.as_deref().or(run.summary.reason.as_deref()).unwrap_or("failed");
        of.run_facets.insert("errorMessage".to_owned(), error(why));
    }
    let at = run.summary.finished_at.unwrap_or(run.summary.started_at);
    events.push(event(end_type(end), at, of));
    events
}

/// What an event is about.
struct About {
    run_id: Uuid,
    run_facets: Map<String, Value>,
    namespace: String,
    job: String,
    job_facets: Map<String, Value>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

fn event(kind: &str, at: Time, of: About) -> Value {
    json!({
        "eventType": kind,
        "eventTime": at,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": of.run_id, "facets": of.run_facets},
        "job": {"namespace": of.namespace, "name": of.job, "facets": of.job_facets},
        "inputs": of.inputs,
        "outputs": of.outputs,
    })
}

fn end_type(end: End) -> &'static str {
    match end {
        End::Succeeded => "COMPLETE",
        End::Failed => "FAIL",
        End::Stopped => "ABORT",
    }
}

fn whole(names: Names<'_>, run: &Run, origin: &Origin) -> About {
    let summary = &run.summary;
    let mut run_facets = engine();
    // The caller's job is the step that waits for this run; its run is known by the same rule as here.
    let call = origin.upstream.iter().find(|e| e.depth == 1 && e.relation == "Called");
    if let Some((call, caller)) = call.and_then(|e| Some((e, origin.runs.get(&Uuid::parse_str(&e.from).ok()?)?))) {
        let job = format!("{}.{}", caller.name, call.step);
        let parent = parent(step_run(caller.id, &call.step), &names.namespace(caller), &job);
        run_facets.insert("parent".to_owned(), parent);
    }
    About {
        run_id: summary.id,
        run_facets,
        namespace: names.namespace(summary),
        job: summary.name.clone(),
        job_facets: job_facets(summary, summary.kind.to_uppercase()),
        inputs: Vec::new(),
        outputs: Vec::new(),
    }
}

fn step(names: Names<'_>, run: &Run, name: &str, message: Option<&str>) -> About {
    let summary = &run.summary;
    let namespace = names.namespace(summary);
    let mut run_facets = engine();
    run_facets.insert("parent".to_owned(), parent(summary.id, &namespace, &summary.name));
    run_facets.extend(message.map(|m| ("errorMessage".to_owned(), error(m))));
    About {
        run_id: step_run(summary.id, name),
        run_facets,
        namespace,
        job: format!("{}.{name}", summary.name),
        job_facets: job_facets(summary, "STEP".to_owned()),
        inputs: Vec::new(),
        outputs: Vec::new(),
    }
}

/// The id of a step's run: the same each time that it is told.
fn step_run(run: Uuid, step: &str) -> Uuid {
    let digest = Sha256::digest(format!("openlineage/{run}/{step}"));
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn engine() -> Map<String, Value> {
    let version = env!("CARGO_PKG_VERSION");
    let engine = json!({"name": "Hearth", "version": version, "openlineageAdapterVersion": version});
    Map::from_iter([("processing_engine".to_owned(), facet("1-1-1", "ProcessingEngineRunFacet", engine))])
}

fn parent(run_id: Uuid, namespace: &str, job: &str) -> Value {
    let parent = json!({"run": {"runId": run_id}, "job": {"namespace": namespace, "name": job}});
    facet("1-0-1", "ParentRunFacet", parent)
}

fn error(message: &str) -> Value {
    let message = without_log(message);
    let message = message.get(..message.floor_char_boundary(MESSAGE)).unwrap_or_default();
    // What failed is a container: the specification asks for a language all the same.
    facet("1-0-1", "ErrorMessageRunFacet", json!({"message": message, "programmingLanguage": "UNKNOWN"}))
}

fn job_facets(run: &RunSummary, job_type: String) -> Map<String, Value> {
    let kind = json!({"processingType": "BATCH", "integration": "HEARTH", "jobType": job_type});
    let mut facets = Map::from_iter([("jobType".to_owned(), facet("2-0-3", "JobTypeJobFacet", kind))]);
    if !run.owner.is_empty() {
        let owners = facet("1-0-1", "OwnershipJobFacet", json!({"owners": [{"name": run.owner}]}));
        facets.insert("ownership".to_owned(), owners);
    }
    facets
}

/// A facet: what it says, who says it, and what describes it.
fn facet(version: &str, name: &str, mut says: Value) -> Value {
    if let Some(map) = says.as_object_mut() {
        map.insert("_producer".to_owned(), PRODUCER.into());
        let schema = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
        map.insert("_schemaURL".to_owned(), schema.into());
    }
    says
}

fn outputs(names: Names<'_>, run: &Run, step: &str, origin: &Origin) -> Vec<Value> {
    let mut found: Datasets = BTreeMap::new();
    for edge in origin.written.iter().filter(|e| e.step == step) {
        let key = (names.namespace(&run.summary), written_name(&run.summary, edge));
        found.entry(key).or_default().push(edge.to.clone());
    }
    datasets(found)
}

fn inputs(names: Names<'_>, run: &Run, step: &str, origin: &Origin) -> Vec<Value> {
    let mut found: Datasets = BTreeMap::new();
    let read = |e: &&LineageEdge| e.depth == 1 && e.relation == "Read" && e.step == step;
    for edge in origin.upstream.iter().filter(read) {
        let key = match writer(&edge.from, run, origin) {
            Some((by, wrote)) => (names.namespace(by), written_name(by, wrote)),
            // Nothing on record wrote it: the digest is all that it can be called.
            None => (names.namespace(&run.summary), edge.from.clone()),
        };
        found.entry(key).or_default().push(edge.from.clone());
    }
    datasets(found)
}

/// Who wrote data: this run itself, or else the last of those that it may have it from.
fn writer<'a>(digest: &str, run: &'a Run, origin: &'a Origin) -> Option<(&'a RunSummary, &'a LineageEdge)> {
    if let Some(own) = origin.written.iter().find(|e| e.to == digest) {
        return Some((&run.summary, own));
    }
    let wrote = origin.upstream.iter().filter(|e| e.relation == "Wrote" && e.to == digest);
    let known = wrote.filter_map(|e| Some((origin.runs.get(&e.run_id)?, e)));
    known.max_by_key(|(by, _)| (by.started_at, by.id))
}

fn written_name(by: &RunSummary, wrote: &LineageEdge) -> String {
    format!("{}/{}/{}", by.name, wrote.step, wrote.name)
}

/// Digests by the namespace and the name of a dataset.
type Datasets = BTreeMap<(String, String), Vec<String>>;

/// The items of a step write under one name: then there is no one version to tell.
fn datasets(found: Datasets) -> Vec<Value> {
    let of = |((namespace, name), mut digests): ((String, String), Vec<String>)| {
        digests.sort();
        digests.dedup();
        let mut facets = Map::new();
        if let [digest] = digests.as_slice() {
            let version = facet("1-0-1", "DatasetVersionDatasetFacet", json!({"datasetVersion": digest}));
            facets.insert("version".to_owned(), version);
        }
        json!({"namespace": namespace, "name": name, "facets": facets})
    };
    found.into_iter().map(of).collect()
}
