//! OpenTelemetry traces by OTLP: a run is a trace, whose id is the run's, and each attempt of a step a span of it.

use crate::told::{Origin, without_log};
use hearth_crds::time::Time;
use hearth_history::{Run, RunSummary, Step};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The flag of a span that was sampled, by the W3C's Trace Context.
const SAMPLED: u32 = 1;

/// Which page of a run's attempts it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page<'a> {
    /// With the span of the run itself, and what that came of.
    First(&'a Origin),
    /// One of the others.
    Later,
}

/// The body of a post: an `ExportTraceServiceRequest` in protobuf.
pub(crate) fn request(run: &Run, page: Page<'_>, attempts: &[Step]) -> Vec<u8> {
    let mut spans: Vec<Span> = match page {
        Page::First(origin) => vec![root(&run.summary, origin)],
        Page::Later => Vec::new(),
    };
    spans.extend(attempts.iter().filter_map(|step| attempt(&run.summary, step)));
    let version = env!("CARGO_PKG_VERSION");
    let scope = InstrumentationScope { name: "hearth".into(), version: version.into(), ..Default::default() };
    let resource = Resource {
        attributes: vec![
            text("service.name", "hearth"),
            text("service.version", version),
            text("k8s.cluster.uid", &run.summary.cluster),
        ],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// Why a target took a post only in part, if so. An answer that cannot be read is that of one which says nothing.
pub(crate) fn partly_refused(answer: &[u8]) -> Option<String> {
    let part = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    (part.rejected_spans > 0).then(|| format!("{} spans: {}", part.rejected_spans, part.error_message))
}

fn root(run: &RunSummary, origin: &Origin) -> Span {
    let others = origin.of("Called").map(|id| (id, "caller"));
    let others = others.chain(origin.of("RerunOf").map(|id| (id, "rerun of")));
    let link = |(id, how): (Uuid, &str)| Link {
        trace_id: id.as_bytes().to_vec(),
        span_id: span_id(id, ""),
        attributes: vec![text("hearth.link", how)],
        flags: SAMPLED,
        ..Default::default()
    };
    let mut attributes = vec![
        text("k8s.namespace.name", &run.namespace),
        text("hearth.kind", &run.kind),
        text("hearth.name", &run.name),
        text("hearth.run.id", &run.id.to_string()),
        number("hearth.run.number", run.number),
        text("hearth.trigger", &run.trigger),
        text("hearth.phase", &run.phase),
    ];
    attributes.extend((!run.owner.is_empty()).then(|| text("hearth.owner", &run.owner)));
    attributes.extend(run.reason.as_deref().map(|reason| text("hearth.reason", reason)));
    Span {
        trace_id: run.id.as_bytes().to_vec(),
        span_id: span_id(run.id, ""),
        flags: SAMPLED,
        name: format!("{}/{}", run.namespace, run.name),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanos(run.started_at),
        end_time_unix_nano: nanos(run.finished_at.unwrap_or(run.started_at).max(run.started_at)),
        attributes,
        links: others.map(link).collect(),
        status: status(&run.phase, run.message.as_deref()),
        ..Default::default()
    }
}

/// None for a step that never started.
fn attempt(run: &RunSummary, step: &Step) -> Option<Span> {
    let started = step.started_at?;
    let finished = step.finished_at.or(run.finished_at).unwrap_or(started).max(started);
    let mut attributes = vec![
        text("k8s.namespace.name", &run.namespace),
        text("hearth.step", &step.step),
        number("hearth.item", step.item.into()),
        number("hearth.attempt", step.attempt.into()),
        text("hearth.phase", &step.phase),
    ];
    for (key, value) in [
        ("k8s.pod.name", &step.pod),
        ("k8s.node.name", &step.node),
        ("container.image.name", &step.image),
        ("container.image.id", &step.image_id),
        ("hearth.class", &step.class),
        ("hearth.reason", &step.reason),
        ("hearth.cached_from", &step.cached_from),
    ] {
        attributes.extend(value.as_deref().map(|value| text(key, value)));
    }
    attributes.extend(step.exit_code.map(|code| number("process.exit.code", code.into())));
    Some(Span {
        trace_id: run.id.as_bytes().to_vec(),
        span_id: span_id(run.id, &format!("{}/{}/{}", step.step, step.item, step.attempt)),
        parent_span_id: span_id(run.id, ""),
        flags: SAMPLED,
        name: step.step.clone(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanos(started),
        end_time_unix_nano: nanos(finished),
        attributes,
        status: status(&step.phase, step.message.as_deref()),
        ..Default::default()
    })
}

/// The same each time that it is told: of the run itself, or of an attempt of it.
fn span_id(run: Uuid, of: &str) -> Vec<u8> {
    Sha256::digest(format!("span/{run}/{of}")).into_iter().take(8).collect()
}

/// That something succeeded is left unset, as the specification asks of all but applications.
fn status(phase: &str, message: Option<&str>) -> Option<Status> {
    let message = without_log(message.unwrap_or_default()).to_owned();
    let failed = Status { code: StatusCode::Error.into(), message };
    (phase == "Failed").then_some(failed)
}

/// Nanoseconds since 1970.
fn nanos(at: Time) -> u64 {
    u64::try_from(at.millis()).unwrap_or(0).saturating_mul(1_000_000)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
