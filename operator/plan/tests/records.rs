//! Rows that depend on what pods say beside their end.

use crate::common::{RUN, env};
use hearth_crds::workflow::{Workflow, WorkflowStatus};
use hearth_plan::{
    Facts, Kind, Record,
    facts::{ContainerFact, PodFact, PodPhase},
    kind::Accepted,
    workflow::{WorkflowKind, digest::pod_name},
};
use std::sync::Arc;

/// A run whose step `fit` is at its second attempt.
fn second_attempt() -> Workflow {
    serde_yaml::from_str(&format!(
        "{{apiVersion: hearth.dev/v1alpha1, kind: Workflow, metadata: {{name: demo, namespace: lab, uid: uid-a}},
           spec: {{steps: [{{name: fit, image: example.org/fit}}]}},
           status: {{phase: Running, run: {{id: {RUN}, number: 1, seq: 3, revision: r, digest: 'v1:0', generation: 1, trigger: Created,
             startedAt: '2026-01-01T00:00:00Z', steps: [{{name: fit, phase: Running, attempt: 2, since: '2026-01-01T00:01:00Z',
               ended: [{{attempt: 1, class: Application, reason: StepFailed, exitCode: 1, at: '2026-01-01T00:00:30Z'}}]}}]}}}}}}"
    ))
    .unwrap()
}

fn pod(attempt: u32, image: &str) -> (String, Arc<PodFact>) {
    let name = pod_name("demo", "uid-a", RUN, "fit", None, attempt);
    let fact = PodFact {
        name: name.clone(),
        uid: format!("pod-{attempt}"),
        owned: true,
        phase: PodPhase::Running,
        container: ContainerFact::Running { at: None },
        image_id: Some(image.into()),
        ..PodFact::default()
    };
    (name, fact.into())
}

fn drifts(first: &str, second: &str) -> Vec<String> {
    drifts_of([pod(1, first), pod(2, second)])
}

fn drifts_of(pods: [(String, Arc<PodFact>); 2]) -> Vec<String> {
    let cr = second_attempt();
    let status: WorkflowStatus = cr.status.clone().unwrap();
    let facts = Facts { pods: pods.into(), ..Facts::default() };
    let specs = WorkflowKind::specs(&cr, &facts, &env(), None);
    let batch = WorkflowKind::records(&cr, &specs, None, &Accepted::by_server(status), &facts, &env()).unwrap();
    batch
        .records
        .into_iter()
        .filter_map(|r| match r {
            Record::Event(e) if e.transition == "ImageDrift" => Some(format!("{}: {}", e.subject, e.message.unwrap())),
            Record::Event(_) | Record::Run(_) | Record::Step(_) | Record::Lineage(_) => None,
        })
        .collect()
}

#[test]
fn an_attempt_that_ran_another_image_is_warned_of() {
    assert_eq!(
        drifts("fit@sha256:aa", "fit@sha256:bb"),
        [
            "step/fit/2: an earlier attempt ran fit@sha256:aa, this one fit@sha256:bb: name the image by its digest to keep it the same"
        ]
    );
    assert!(drifts("fit@sha256:aa", "fit@sha256:aa").is_empty());
}

#[test]
fn the_image_of_a_stranger_is_no_earlier_image() {
    let (name, mut stranger) = pod(1, "fit@sha256:aa");
    Arc::make_mut(&mut stranger).owned = false;
    assert!(drifts_of([(name, stranger), pod(2, "fit@sha256:bb")]).is_empty());
}
