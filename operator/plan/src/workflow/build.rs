//! The objects that a run is made of: pods, the placeholders that fence their names, and revisions.

use super::{
    digest::{pod_name, revision_name, spool_name},
    specs::Spec,
    validate::{ValidEnv, ValidStep},
};
use crate::{
    expr::{Checked, ExprError, Values},
    kind::Env,
};
use hearth_crds::{
    API_VERSION, FENCE_GATE, annotation, label,
    pod::{
        AntiAffinityMode, EnvSource, Gpu, Medium, NodeRequirement, PodSubset, Quantity as QuantityText, TaintEffect,
        TolerationOperator, Volume, WhenUnsatisfiable,
    },
    workflow::{Run, StepStatus, Workflow},
};
use k8s_openapi::{
    api::{
        apps::v1::ControllerRevision,
        core::v1::{
            Affinity, Capabilities, ConfigMapEnvSource, ConfigMapKeySelector, ConfigMapProjection,
            ConfigMapVolumeSource, Container, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource,
            EnvFromSource, EnvVar, EnvVarSource, EphemeralVolumeSource, LocalObjectReference, NodeAffinity,
            NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectFieldSelector, PersistentVolumeClaimSpec,
            PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, Pod, PodAffinityTerm, PodAntiAffinity,
            PodSchedulingGate, PodSecurityContext, PodSpec, PreferredSchedulingTerm, ProjectedVolumeSource,
            ResourceRequirements, SeccompProfile, SecretEnvSource, SecretKeySelector, SecretProjection,
            SecretVolumeSource, SecurityContext, Toleration, TopologySpreadConstraint, VolumeMount, VolumeProjection,
            VolumeResourceRequirements, WeightedPodAffinityTerm,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference},
    },
};
use serde_json::json;
use std::collections::BTreeMap;

/// Name of the step's container.
pub const CONTAINER: &str = "step";
const WORK_LIMIT: &str = "10Gi";
const TMP_LIMIT: &str = "1Gi";
/// Label of GPU memory in MiB, as NVIDIA's feature discovery sets it.
const GPU_MEMORY: &str = "nvidia.com/gpu.memory";
const GPU_PRODUCT: &str = "nvidia.com/gpu.product";
const GPU_RESOURCE: &str = "nvidia.com/gpu";

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

    fn reference(&self) -> OwnerReference {
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

/// The texts of a container after substitution.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    command: Vec<String>,
    args: Vec<String>,
    env: Vec<EnvVar>,
}

/// Substitutes every expression of the step, once.
///
/// # Errors
/// An expression that fails on these values, with its text.
pub fn render(step: &ValidStep, values: &Values) -> Result<Rendered, ExprError> {
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
    Ok(Rendered { command: texts(&step.command)?, args: texts(&step.args)?, env })
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

/// The labels that every child of a run carries.
#[must_use]
pub fn labels(owner: &Owner, run_id: &str, step: &str, attempt: u32, role: &str) -> BTreeMap<String, String> {
    [
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
    .collect()
}

/// What `/hearth/spec.json` holds; the form is described in runtimes/CONTRACT.md.
fn spec_json(owner: &Owner, run: &Run, step: &ValidStep, attempt: u32) -> String {
    json!({
        "version": "1",
        "run": {"id": run.id, "number": run.number},
        "workflow": {"namespace": owner.namespace, "name": owner.name},
        "step": step.name,
        "attempt": attempt,
        "params": run.params,
        "outputs": step.outputs.iter().map(|(name, of)| json!({"name": name, "type": of})).collect::<Vec<_>>(),
    })
    .to_string()
}

/// The pod of an attempt. `status` is the step's, for the nodes to avoid.
#[must_use]
pub fn pod(
    owner: &Owner,
    run: &Run,
    step: &ValidStep,
    status: &StepStatus,
    attempt: u32,
    rendered: Rendered,
    env: &Env,
) -> Pod {
    let mut all_labels = step.pod.labels.clone();
    all_labels.extend(labels(owner, &run.id, &step.name, attempt, label::ROLE_ATTEMPT));
    let mut annotations = step.pod.annotations.clone();
    annotations.insert(annotation::SPEC.into(), spec_json(owner, run, step, attempt));
    let avoid: Vec<String> =
        if step.retry.avoid_node { status.ended.iter().filter_map(|e| e.node.clone()).collect() } else { Vec::new() };
    Pod {
        metadata: metadata(
            owner,
            pod_name(&owner.name, &owner.uid, &run.id, &step.name, attempt),
            all_labels,
            annotations,
        ),
        spec: Some(PodSpec {
            containers: vec![container(step, rendered)],
            volumes: Some(volumes(&step.pod)),
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
pub fn placeholder(owner: &Owner, run: &Run, step: &str, attempt: u32, env: &Env) -> Pod {
    let tiny: BTreeMap<String, Quantity> =
        [("cpu", "1m"), ("memory", "1Mi")].into_iter().map(|(k, v)| (k.to_owned(), Quantity(v.to_owned()))).collect();
    Pod {
        metadata: metadata(
            owner,
            pod_name(&owner.name, &owner.uid, &run.id, step, attempt),
            labels(owner, &run.id, step, attempt, label::ROLE_PLACEHOLDER),
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
        command: non_empty(rendered.command),
        args: non_empty(rendered.args),
        env: Some(rendered.env),
        env_from: non_empty(env_from(&step.pod)),
        resources: resources(&step.pod),
        volume_mounts: Some(mounts(&step.pod)),
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

/// GPUs, when there are any to ask for.
fn gpus(pod: &PodSubset) -> Option<(&Gpu, i64)> {
    pod.gpu.as_ref().and_then(|g| g.count.filter(|n| *n > 0).map(|n| (g, n)))
}

fn gpu_resource(gpu: &Gpu) -> &str {
    gpu.resource.as_deref().unwrap_or(GPU_RESOURCE)
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

fn node_selector(pod: &PodSubset) -> Option<BTreeMap<String, String>> {
    let mut selector = pod.node_selector.clone();
    if let Some(product) = gpus(pod).and_then(|(gpu, _)| gpu.product.clone()) {
        selector.insert(GPU_PRODUCT.into(), product);
    }
    (!selector.is_empty()).then_some(selector)
}

fn tolerations(pod: &PodSubset) -> Option<Vec<Toleration>> {
    let effect = |e: TaintEffect| match e {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    };
    let operator = |o: TolerationOperator| match o {
        TolerationOperator::Equal => "Equal",
        TolerationOperator::Exists => "Exists",
    };
    let mut all: Vec<Toleration> = pod
        .tolerations
        .iter()
        .map(|t| Toleration {
            key: t.key.clone(),
            operator: t.operator.map(|o| operator(o).into()),
            value: t.value.clone(),
            effect: t.effect.map(|e| effect(e).into()),
            toleration_seconds: t.toleration_seconds,
        })
        .collect();
    if let Some((gpu, _)) = gpus(pod) {
        all.push(Toleration {
            key: Some(gpu_resource(gpu).to_owned()),
            operator: Some("Exists".into()),
            ..Toleration::default()
        });
    }
    non_empty(all)
}

fn requirement(need: &NodeRequirement) -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: need.key.clone(),
        operator: need.operator.as_str().into(),
        values: non_empty(need.values.clone()),
    }
}

/// `memory` in whole MiB, rounded up; the label is in MiB.
fn mebibytes(memory: &QuantityText) -> Option<i64> {
    let text = memory.0.as_str();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u128 = number.parse().ok()?;
    let bytes = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1u128 << 40,
        _ => return None,
    };
    i64::try_from(number.checked_mul(bytes)?.div_ceil(1 << 20)).ok()
}

fn affinity(pod: &PodSubset, run_id: &str, avoid: &[String]) -> Option<Affinity> {
    let wanted = pod.affinity.clone().unwrap_or_default();
    let mut expressions: Vec<_> = wanted.node_required.iter().map(requirement).collect();
    if let Some(least) = gpus(pod).and_then(|(gpu, _)| gpu.memory.as_ref()).and_then(mebibytes) {
        expressions.push(NodeSelectorRequirement {
            key: GPU_MEMORY.into(),
            operator: "Gt".into(),
            values: Some(vec![(least - 1).to_string()]),
        });
    }
    let fields: Vec<_> = avoid
        .iter()
        .map(|node| NodeSelectorRequirement {
            key: "metadata.name".into(),
            operator: "NotIn".into(),
            values: Some(vec![node.clone()]),
        })
        .collect();
    let preferred: Vec<_> = wanted
        .node_preferred
        .iter()
        .map(|p| PreferredSchedulingTerm {
            weight: p.weight,
            preference: NodeSelectorTerm { match_expressions: Some(vec![requirement(&p.require)]), match_fields: None },
        })
        .collect();
    let required = (!expressions.is_empty() || !fields.is_empty()).then(|| NodeSelector {
        node_selector_terms: vec![NodeSelectorTerm {
            match_expressions: non_empty(expressions),
            match_fields: non_empty(fields),
        }],
    });
    let node_affinity = (required.is_some() || !preferred.is_empty()).then(|| NodeAffinity {
        required_during_scheduling_ignored_during_execution: required,
        preferred_during_scheduling_ignored_during_execution: non_empty(preferred),
    });
    let pod_anti_affinity = anti_affinity(&wanted, run_id);
    (node_affinity.is_some() || pod_anti_affinity.is_some()).then_some(Affinity {
        node_affinity,
        pod_affinity: None,
        pod_anti_affinity,
    })
}

fn run_selector(run_id: &str) -> LabelSelector {
    LabelSelector { match_expressions: None, match_labels: Some([(label::RUN.to_owned(), run_id.to_owned())].into()) }
}

fn anti_affinity(wanted: &hearth_crds::pod::Affinity, run_id: &str) -> Option<PodAntiAffinity> {
    let term = |key: &str| PodAffinityTerm {
        label_selector: Some(run_selector(run_id)),
        topology_key: key.to_owned(),
        ..PodAffinityTerm::default()
    };
    let (mut must, mut should) = (Vec::new(), Vec::new());
    for rule in &wanted.pod_anti_affinity {
        match rule.mode.unwrap_or(AntiAffinityMode::Preferred) {
            AntiAffinityMode::Required => must.push(term(&rule.topology_key)),
            AntiAffinityMode::Preferred => {
                should.push(WeightedPodAffinityTerm { weight: 100, pod_affinity_term: term(&rule.topology_key) })
            }
        }
    }
    (!must.is_empty() || !should.is_empty()).then(|| PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: non_empty(must),
        preferred_during_scheduling_ignored_during_execution: non_empty(should),
    })
}

fn spread(pod: &PodSubset, run_id: &str) -> Option<Vec<TopologySpreadConstraint>> {
    let when = |w: WhenUnsatisfiable| match w {
        WhenUnsatisfiable::DoNotSchedule => "DoNotSchedule",
        WhenUnsatisfiable::ScheduleAnyway => "ScheduleAnyway",
    };
    let all = pod.topology_spread.iter().map(|s| TopologySpreadConstraint {
        topology_key: s.topology_key.clone(),
        max_skew: s.max_skew.unwrap_or(1),
        when_unsatisfiable: when(s.when_unsatisfiable.unwrap_or(WhenUnsatisfiable::ScheduleAnyway)).into(),
        label_selector: Some(run_selector(run_id)),
        ..TopologySpreadConstraint::default()
    });
    non_empty(all.collect())
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: path.into(), ..VolumeMount::default() }
}

fn mounts(pod: &PodSubset) -> Vec<VolumeMount> {
    let mut all = vec![
        VolumeMount {
            sub_path: Some("spec.json".into()),
            read_only: Some(true),
            ..mount("hearth", "/hearth/spec.json")
        },
        mount("work", "/hearth/work"),
        mount("tmp", "/tmp"),
    ];
    if pod.shm.is_some() {
        all.push(mount("shm", "/dev/shm"));
    }
    all.extend(pod.volume_mounts.iter().map(|m| VolumeMount {
        sub_path: m.sub_path.clone(),
        read_only: m.read_only,
        ..mount(&m.name, &m.mount_path)
    }));
    all
}

fn volumes(pod: &PodSubset) -> Vec<k8s_openapi::api::core::v1::Volume> {
    use k8s_openapi::api::core::v1::Volume as Built;
    let spec_file = DownwardAPIVolumeFile {
        path: "spec.json".into(),
        field_ref: Some(ObjectFieldSelector {
            api_version: None,
            field_path: format!("metadata.annotations['{}']", annotation::SPEC),
        }),
        ..DownwardAPIVolumeFile::default()
    };
    let scratch = |limit: &str, medium: Option<&str>| EmptyDirVolumeSource {
        medium: medium.map(Into::into),
        size_limit: Some(Quantity(limit.to_owned())),
    };
    let mut all = vec![Built {
        name: "hearth".into(),
        downward_api: Some(DownwardAPIVolumeSource { items: Some(vec![spec_file]), default_mode: None }),
        ..Built::default()
    }];
    all.push(Built { name: "work".into(), empty_dir: Some(scratch(WORK_LIMIT, None)), ..Built::default() });
    all.push(Built { name: "tmp".into(), empty_dir: Some(scratch(TMP_LIMIT, None)), ..Built::default() });
    if let Some(size) = &pod.shm {
        all.push(Built { name: "shm".into(), empty_dir: Some(scratch(&size.0, Some("Memory"))), ..Built::default() });
    }
    all.extend(pod.volumes.iter().map(volume));
    all
}

fn volume(from: &Volume) -> k8s_openapi::api::core::v1::Volume {
    k8s_openapi::api::core::v1::Volume {
        name: from.name.clone(),
        empty_dir: from.empty_dir.as_ref().map(|e| EmptyDirVolumeSource {
            medium: e.medium.and_then(|m| match m {
                Medium::Disk => None,
                Medium::Memory => Some("Memory".into()),
            }),
            size_limit: e.size_limit.as_ref().map(|q| Quantity(q.0.clone())),
        }),
        persistent_volume_claim: from
            .pvc
            .as_ref()
            .map(|p| PersistentVolumeClaimVolumeSource { claim_name: p.claim.clone(), read_only: p.read_only }),
        config_map: from.config_map.as_ref().map(|c| ConfigMapVolumeSource {
            name: c.name.clone(),
            optional: c.optional,
            ..ConfigMapVolumeSource::default()
        }),
        secret: from.secret.as_ref().map(|s| SecretVolumeSource {
            secret_name: Some(s.name.clone()),
            optional: s.optional,
            ..SecretVolumeSource::default()
        }),
        projected: from.projected.as_ref().map(|p| ProjectedVolumeSource {
            default_mode: None,
            sources: Some(
                p.sources
                    .iter()
                    .map(|s| VolumeProjection {
                        config_map: s.config_map.as_ref().map(|c| ConfigMapProjection {
                            name: c.name.clone(),
                            optional: c.optional,
                            items: None,
                        }),
                        secret: s.secret.as_ref().map(|c| SecretProjection {
                            name: c.name.clone(),
                            optional: c.optional,
                            items: None,
                        }),
                        ..VolumeProjection::default()
                    })
                    .collect(),
            ),
        }),
        ephemeral: from.ephemeral.as_ref().map(|e| EphemeralVolumeSource {
            volume_claim_template: Some(PersistentVolumeClaimTemplate {
                metadata: None,
                spec: PersistentVolumeClaimSpec {
                    access_modes: Some(vec!["ReadWriteOnce".into()]),
                    storage_class_name: e.storage_class.clone(),
                    resources: Some(VolumeResourceRequirements {
                        requests: Some([("storage".to_owned(), Quantity(e.size.0.clone()))].into()),
                        limits: None,
                    }),
                    ..PersistentVolumeClaimSpec::default()
                },
            }),
        }),
        ..k8s_openapi::api::core::v1::Volume::default()
    }
}

/// The revision that pins a spec of `cr`.
#[must_use]
pub fn revision(cr: &Workflow, spec: &Spec) -> ControllerRevision {
    let owner = Owner::of(cr);
    controller_revision(
        &owner,
        revision_name(&owner.name, &owner.uid, &spec.digest),
        label::REVISION_SPEC,
        None,
        json!({"digest": spec.digest, "spec": spec.written}),
    )
}

/// The revision that holds the final record of a run until the store takes it.
#[must_use]
pub fn spool(cr: &Workflow, run: &Run, data: serde_json::Value) -> ControllerRevision {
    let owner = Owner::of(cr);
    controller_revision(
        &owner,
        spool_name(&owner.name, &owner.uid, &run.id),
        label::REVISION_SPOOL,
        Some(&run.id),
        data,
    )
}

fn controller_revision(
    owner: &Owner,
    name: String,
    role: &str,
    run_id: Option<&str>,
    data: serde_json::Value,
) -> ControllerRevision {
    let mut labels: BTreeMap<String, String> =
        [(label::MANAGED_BY, label::MANAGED_BY_VALUE), (label::OWNER_UID, owner.uid.as_str()), (label::REVISION, role)]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
    if let Some(run_id) = run_id {
        labels.insert(label::RUN.into(), run_id.to_owned());
    }
    ControllerRevision {
        metadata: metadata(owner, name, labels, BTreeMap::new()),
        data: Some(k8s_openapi::apimachinery::pkg::runtime::RawExtension(data)),
        revision: 1,
    }
}
