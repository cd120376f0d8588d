//! The objects that a run is made of: pods, the placeholders that fence their names, and revisions.

mod handing;
mod revisions;
mod scheduling;
mod volumes;

pub use revisions::{revision, spool};

use super::{
    artifacts,
    digest::{self, pod_name},
    valid::{ValidEnv, ValidStep},
    with::WithError,
};
use crate::{
    expr::{Checked, ExprError, Item, Values},
    kind::{Env, Intent},
};
use hearth_contract::spec::{Input, MAX_SPEC, Recorder, VERSION};
use hearth_crds::{
    API_VERSION, FENCE_GATE, annotation,
    condition::Reason,
    json::Json,
    label,
    pod::{EnvSource, PodSubset, Quantity as QuantityText},
    workflow::{Logs, Run, StepStatus, Workflow},
};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, ConfigMapEnvSource, ConfigMapKeySelector, Container, EnvFromSource, EnvVar, EnvVarSource,
        LocalObjectReference, ObjectFieldSelector, Pod, PodSchedulingGate, PodSecurityContext, PodSpec,
        ResourceRequirements, SeccompProfile, SecretEnvSource, SecretKeySelector, SecurityContext,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, OwnerReference},
    },
};
use scheduling::{affinity, gpu_resource, gpus, node_selector, spread, tolerations};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Name of the step's container.
pub const CONTAINER: &str = "step";
/// The longest address of the Recorder.
const LONGEST_ENDPOINT: usize = 256;

/// An object's identity, as its children need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

impl Owner {
    /// The identity of a stored object.
    #[must_use]
    pub fn of(cr: &Workflow) -> Self {
        let meta = &cr.metadata;
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
        }
    }

    /// As its children name it.
    pub(super) fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: API_VERSION.into(),
            kind: "Workflow".into(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        }
    }
}

/// What a container is given, after substitution.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<EnvVar>,
    pub(super) with: Option<Value>,
    pub(super) inputs: Vec<Input>,
}

/// Why a step cannot begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Unready {
    /// In one word.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

impl From<ExprError> for Unready {
    fn from(error: ExprError) -> Self {
        Self { reason: Reason::ExpressionFailed, message: error.to_string() }
    }
}

impl From<WithError> for Unready {
    fn from(error: WithError) -> Self {
        match error {
            WithError::Expression(error) => error.into(),
            WithError::Schema(_) => Self { reason: Reason::InvalidWith, message: error.to_string() },
        }
    }
}

/// Substitutes every expression of the step, once, and looks up its input artifacts.
///
/// # Errors
/// An expression fails on these values, the runtime does not take what came of `with`, an artifact is not there, or all
/// that is too long for spec.json.
pub fn render(run: &Run, step: &ValidStep, values: &Values) -> Result<Rendered, Unready> {
    let missing = |message| Unready { reason: Reason::ArtifactMissing, message };
    let inputs = artifacts::inputs(run, step).map_err(missing)?;
    let with = step.with.as_ref().map(|with| with.render(values)).transpose()?;
    let texts = |list: &[Checked]| list.iter().map(|c| c.render_for_kubelet(values)).collect::<Result<Vec<_>, _>>();
    let mut env = Vec::with_capacity(step.env.len() + 1);
    if !step.env.iter().any(|(name, _)| name == "HOME") {
        env.push(EnvVar { name: "HOME".into(), value: Some("/tmp".into()), value_from: None });
    }
    for (name, value) in &step.env {
        env.push(match value {
            ValidEnv::Text(text) => {
                EnvVar { name: name.clone(), value: Some(text.render_for_kubelet(values)?), value_from: None }
            }
            ValidEnv::Source(source) => {
                EnvVar { name: name.clone(), value: None, value_from: Some(env_source(source)) }
            }
        });
    }
    let rendered = Rendered { command: texts(&step.command)?, args: texts(&step.args)?, env, with, inputs };
    fits(run, step, &rendered, values.item.as_ref())?;
    Ok(rendered)
}

/// Whether spec.json is not too long. Names of objects and numbers of attempts are as long as they can be.
fn fits(run: &Run, step: &ValidStep, rendered: &Rendered, item: Option<&Item>) -> Result<(), Unready> {
    if rendered.with.is_none() && step.artifacts.is_empty() {
        return Ok(());
    }
    let names = Owner { namespace: "n".repeat(63), name: "n".repeat(52), uid: String::new() };
    let recorder = "r".repeat(LONGEST_ENDPOINT);
    let length = spec_json(&names, run, step, u32::MAX, item, rendered, Some(&recorder)).len();
    if length <= MAX_SPEC {
        return Ok(());
    }
    let message = format!("spec.json is {length} bytes long, at most {MAX_SPEC} are allowed: pass data as artifacts");
    Err(Unready { reason: Reason::InvalidWith, message })
}

fn env_source(source: &EnvSource) -> EnvVarSource {
    EnvVarSource {
        secret_key_ref: source.secret_key_ref.as_ref().map(|k| SecretKeySelector {
            name: k.name.clone(),
            key: k.key.clone(),
            optional: k.optional,
        }),
        config_map_key_ref: source.config_map_key_ref.as_ref().map(|k| ConfigMapKeySelector {
            name: k.name.clone(),
            key: k.key.clone(),
            optional: k.optional,
        }),
        field_ref: source
            .field_ref
            .as_ref()
            .map(|f| ObjectFieldSelector { api_version: None, field_path: f.field_path.clone() }),
        ..EnvVarSource::default()
    }
}

/// The labels that every child of a run carries; `item` when the step has several.
#[must_use]
pub fn labels(owner: &Owner, intent: &Intent, role: &str, item: Option<u32>) -> BTreeMap<String, String> {
    let Intent { run_id, step, attempt, .. } = intent;
    let mut labels: BTreeMap<String, String> = [
        (label::MANAGED_BY, label::MANAGED_BY_VALUE.to_owned()),
        (label::OWNER_UID, owner.uid.clone()),
        (label::WORKFLOW, owner.name.clone()),
        (label::RUN, run_id.to_owned()),
        (label::STEP, step.to_owned()),
        (label::ATTEMPT, attempt.to_string()),
        (label::ROLE, role.to_owned()),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v))
    .collect();
    labels.extend(item.map(|index| (label::ITEM.to_owned(), index.to_string())));
    labels
}

/// The labels of a pod that works.
#[must_use]
pub fn attempt_labels(owner: &Owner, intent: &Intent, step: &ValidStep, item: Option<u32>) -> BTreeMap<String, String> {
    let mut labels = labels(owner, intent, label::ROLE_ATTEMPT, item);
    if step.logs == Logs::Full {
        labels.insert(label::LOGS.to_owned(), label::LOGS_FULL.to_owned());
    }
    labels
}

/// The params that the work is given: one that may be taken over later knows no more than it says that it reads.
pub(super) fn params<'a>(run: &'a Run, step: &ValidStep) -> BTreeMap<&'a String, &'a Json> {
    run.params.iter().filter(|(name, _)| step.cache.as_ref().is_none_or(|c| c.params.contains(*name))).collect()
}

/// What `/hearth/spec.json` holds; the form is described in runtimes/CONTRACT.md.
fn spec_json(
    owner: &Owner,
    run: &Run,
    step: &ValidStep,
    attempt: u32,
    item: Option<&Item>,
    rendered: &Rendered,
    recorder: Option<&str>,
) -> String {
    let mut spec = json!({
        "version": VERSION,
        "run": {"id": run.id, "number": run.number},
        "workflow": {"namespace": owner.namespace, "name": owner.name},
        "step": step.name,
        "attempt": attempt,
        "params": params(run, step),
        "outputs": step.outputs.iter().map(|(name, of)| json!({"name": name, "type": of})).collect::<Vec<_>>(),
    });
    let Some(fields) = spec.as_object_mut() else { return String::new() };
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(item) = item {
        if step.cache.as_ref().is_none_or(|c| c.index) {
            add("index", json!(item.index));
        }
        add("item", item.value.clone());
    }
    if let Some(with) = &rendered.with {
        add("with", with.clone());
        add("seed", json!(digest::seed(&run.id, &step.name, item.map(|i| i.index))));
    }
    if !step.artifacts.is_empty() {
        add("inputs", json!(rendered.inputs));
        add("artifacts", json!(step.artifacts.outputs));
        add("recorder", json!(recorder.map(|endpoint| Recorder { endpoint: endpoint.to_owned() })));
    }
    spec.to_string()
}

/// What a pod is made for.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The run.
    pub run: &'a Run,
    /// What the step runs.
    pub step: &'a ValidStep,
    /// The status of the step or the item, for the nodes to avoid.
    pub status: &'a StepStatus,
    /// Which attempt it is.
    pub intent: &'a Intent,
    /// The item, when the step has several.
    pub item: Option<&'a Item>,
}

/// The pod of an attempt.
#[must_use]
pub fn pod(owner: &Owner, attempt: Attempt<'_>, rendered: Rendered, env: &Env) -> Pod {
    let Attempt { run, step, status, intent, item } = attempt;
    let index = item.map(|i| i.index);
    let mut all_labels = step.pod.labels.clone();
    all_labels.extend(attempt_labels(owner, intent, step, index));
    let mut annotations = step.pod.annotations.clone();
    let service = env.offer.artifacts.as_ref().filter(|_| !step.artifacts.is_empty());
    let recorder = service.map(|s| s.recorder.as_str());
    annotations.insert(annotation::SPEC.into(), spec_json(owner, run, step, intent.attempt, item, &rendered, recorder));
    let avoid: Vec<String> =
        if step.retry.avoid_node { status.ended.iter().filter_map(|e| e.node.clone()).collect() } else { Vec::new() };
    Pod {
        metadata: metadata(
            owner,
            pod_name(&owner.name, &owner.uid, &run.id, &step.name, index, intent.attempt),
            all_labels,
            annotations,
        ),
        spec: Some(PodSpec {
            init_containers: service.map(|s| vec![handing::fetch(s, step)]),
            containers: vec![container(step, rendered)],
            volumes: Some(volumes::volumes(&step.pod, &step.artifacts, service)),
            restart_policy: Some("Never".into()),
            active_deadline_seconds: step
                .timeout
                .map(|t| i64::try_from(t.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)),
            termination_grace_period_seconds: step.pod.termination_grace_period_seconds,
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(security(step.pod.run_as_user.or(env.run_as), step.pod.fs_group.or(env.run_as))),
            node_selector: node_selector(&step.pod),
            tolerations: tolerations(&step.pod),
            affinity: affinity(&step.pod, &run.id, &avoid),
            topology_spread_constraints: spread(&step.pod, &run.id),
            priority_class_name: step.pod.priority_class_name.clone(),
            runtime_class_name: step.pod.runtime_class_name.clone(),
            scheduler_name: step.pod.scheduler_name.clone(),
            image_pull_secrets: non_empty(
                step.pod.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect(),
            ),
            ..PodSpec::default()
        }),
        status: None,
    }
}

/// The placeholder that takes an attempt's name, so that no pod can run under it any more.
#[must_use]
pub fn placeholder(owner: &Owner, intent: &Intent, item: Option<u32>, env: &Env) -> Pod {
    let tiny: BTreeMap<String, Quantity> =
        [("cpu", "1m"), ("memory", "1Mi")].into_iter().map(|(k, v)| (k.to_owned(), Quantity(v.to_owned()))).collect();
    Pod {
        metadata: metadata(
            owner,
            pod_name(&owner.name, &owner.uid, &intent.run_id, &intent.step, item, intent.attempt),
            labels(owner, intent, label::ROLE_PLACEHOLDER, item),
            BTreeMap::new(),
        ),
        spec: Some(PodSpec {
            scheduling_gates: Some(vec![PodSchedulingGate { name: FENCE_GATE.into() }]),
            containers: vec![Container {
                name: CONTAINER.into(),
                image: Some("hearth.dev/placeholder".into()),
                resources: Some(ResourceRequirements {
                    requests: Some(tiny.clone()),
                    limits: Some(tiny),
                    claims: None,
                }),
                security_context: Some(container_security()),
                ..Container::default()
            }],
            restart_policy: Some("Never".into()),
            automount_service_account_token: Some(false),
            security_context: Some(security(env.run_as, None)),
            ..PodSpec::default()
        }),
        status: None,
    }
}

fn metadata(
    owner: &Owner,
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(owner.namespace.clone()),
        labels: Some(labels),
        annotations: (!annotations.is_empty()).then_some(annotations),
        owner_references: Some(vec![owner.reference()]),
        ..ObjectMeta::default()
    }
}

fn security(user: Option<i64>, group: Option<i64>) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: user,
        run_as_group: user,
        fs_group: group,
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".into()]) }),
        ..SecurityContext::default()
    }
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn container(step: &ValidStep, rendered: Rendered) -> Container {
    Container {
        name: CONTAINER.into(),
        image: Some(step.image.clone()),
        command: non_empty(handing::wrapped(step, rendered.command)),
        args: non_empty(rendered.args),
        env: Some(rendered.env),
        env_from: non_empty(env_from(&step.pod)),
        resources: resources(&step.pod),
        volume_mounts: Some(volumes::mounts(&step.pod, &step.artifacts)),
        security_context: Some(container_security()),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

fn env_from(pod: &PodSubset) -> Vec<EnvFromSource> {
    pod.env_from
        .iter()
        .map(|e| EnvFromSource {
            prefix: e.prefix.clone(),
            secret_ref: e.secret.clone().map(|name| SecretEnvSource { name, optional: e.optional }),
            config_map_ref: e.config_map.clone().map(|name| ConfigMapEnvSource { name, optional: e.optional }),
        })
        .collect()
}

fn resources(pod: &PodSubset) -> Option<ResourceRequirements> {
    let given = |map: &BTreeMap<String, QuantityText>| {
        map.iter().map(|(k, v)| (k.clone(), Quantity(v.0.clone()))).collect::<BTreeMap<_, _>>()
    };
    let requests = pod.resources.as_ref().map(|r| given(&r.requests)).unwrap_or_default();
    let mut limits = pod.resources.as_ref().map(|r| given(&r.limits)).unwrap_or_default();
    if let Some((gpu, count)) = gpus(pod) {
        limits.insert(gpu_resource(gpu).to_owned(), Quantity(count.to_string()));
    }
    if requests.is_empty() && limits.is_empty() {
        return None;
    }
    let some = |map: BTreeMap<String, Quantity>| (!map.is_empty()).then_some(map);
    Some(ResourceRequirements { requests: some(requests), limits: some(limits), claims: None })
}
