//! The curated part of a pod that users may say. What is missing is missing on purpose:
//! no host access, no privilege, no service account token.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pod settings of a step, or the defaults of all steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSubset {
    /// resources of the container: requests and limits by resource name, as in Kubernetes. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// gpu asks for GPUs and renders limits, node selection and toleration. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
    /// nodeSelector: labels that the node must carry. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: BTreeMap<String, String>,
    /// tolerations of node taints. Default: none but the GPU's own when gpu is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub tolerations: Vec<Toleration>,
    /// affinity: which nodes, and how far from the other pods of the run. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// topologySpread: spread the pods of a run over zones or nodes. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub topology_spread: Vec<TopologySpread>,
    /// priorityClassName of the pod. Default: the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub priority_class_name: Option<String>,
    /// runtimeClassName of the pod. Default: the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub runtime_class_name: Option<String>,
    /// schedulerName of the pod. Default: the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub scheduler_name: Option<String>,
    /// imagePullSecrets: names of Secrets of this namespace with registry credentials. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub image_pull_secrets: Vec<String>,
    /// runAsUser: numeric user id of the container, not 0. Default: 65532.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294u32))]
    pub run_as_user: Option<i64>,
    /// fsGroup: numeric group id that owns the volumes, not 0. Default: 65532.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294u32))]
    pub fs_group: Option<i64>,
    /// shm: size of /dev/shm in memory, for example 8Gi. Default: the container runtime's 64Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm: Option<Quantity>,
    /// envFrom: environment variables from whole ConfigMaps and Secrets. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub env_from: Vec<EnvFrom>,
    /// volumes of the pod; mount them with volumeMounts. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<Volume>,
    /// volumeMounts of the container. Default: none beside /hearth/work, /hearth/spec.json and /tmp.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mountPath".into()]))]
    pub volume_mounts: Vec<VolumeMount>,
    /// terminationGracePeriodSeconds between the request to stop and the kill, in seconds. Default: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub termination_grace_period_seconds: Option<i64>,
    /// labels of the pod. The prefixes hearth.dev, batch.kubernetes.io and kueue.x-k8s.io are reserved. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub labels: BTreeMap<String, String>,
    /// annotations of the pod. The prefixes of labels are reserved here too. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
}

/// A quantity as Kubernetes writes it: `500m`, `2`, `8Gi`. Kept as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Quantity(
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"))] pub String,
);

/// Requests and limits by resource name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// requests by resource name, for example cpu: 500m and memory: 1Gi. Default: the limits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, Quantity>,
    /// limits by resource name, for example memory: 2Gi. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, Quantity>,
}

/// GPUs of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gpu {
    /// count of GPUs; 0 renders nothing, so that one value can switch GPUs off. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 64))]
    pub count: Option<i64>,
    /// resource name of the device plugin. Default: nvidia.com/gpu.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub resource: Option<String>,
    /// product that the node must have, compared with its label nvidia.com/gpu.product, for example NVIDIA-H200. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub product: Option<String>,
    /// memory that each GPU must have at least, compared with the node's label nvidia.com/gpu.memory (MiB), for example 80Gi. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// A toleration, as in Kubernetes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// key of the taint; absent with operator Exists means every taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 316))]
    pub key: Option<String>,
    /// operator: Equal or Exists. Default: Equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// value of the taint, with operator Equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// effect of the taint: NoSchedule, PreferNoSchedule or NoExecute. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// tolerationSeconds of a NoExecute taint, in seconds. Default: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum TolerationOperator {
    /// Key and value are equal.
    Equal,
    /// The key is there.
    Exists,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away if they can.
    PreferNoSchedule,
    /// Running pods go as well.
    NoExecute,
}

/// Affinity to nodes, and between the pods of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Affinity {
    /// nodeRequired: the node must meet every one of these. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub node_required: Vec<NodeRequirement>,
    /// nodePreferred: nodes that meet these are preferred, by weight. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub node_preferred: Vec<NodePreference>,
    /// podAntiAffinity: pods of the same run keep apart in these topologies. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub pod_anti_affinity: Vec<PodAntiAffinity>,
}

/// A demand on a node's labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRequirement {
    /// key of the label.
    #[schemars(length(min = 1, max = 316))]
    pub key: String,
    /// operator: In, NotIn, Exists, DoesNotExist, Gt or Lt.
    pub operator: NodeOperator,
    /// values to compare with; none for Exists and DoesNotExist, one whole number for Gt and Lt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a node's label compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum NodeOperator {
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// Greater than the value.
    Gt,
    /// Less than the value.
    Lt,
}

impl NodeOperator {
    /// The word, as Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
            Self::Gt => "Gt",
            Self::Lt => "Lt",
        }
    }
}

/// A wish on a node's labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePreference {
    /// weight from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub weight: i32,
    /// require: what the node should meet.
    pub require: NodeRequirement,
}

/// Keeping the pods of a run apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodAntiAffinity {
    /// topologyKey: the node label whose values are kept apart, for example kubernetes.io/hostname.
    #[schemars(length(min = 1, max = 316))]
    pub topology_key: String,
    /// mode: Required or Preferred. Default: Preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<AntiAffinityMode>,
}

/// Whether pods must or should keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum AntiAffinityMode {
    /// They must.
    Required,
    /// They should.
    Preferred,
}

/// Spreading the pods of a run over a topology.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopologySpread {
    /// topologyKey: the node label to spread over, for example topology.kubernetes.io/zone.
    #[schemars(length(min = 1, max = 316))]
    pub topology_key: String,
    /// maxSkew: the greatest difference in pods between two values. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_skew: Option<i32>,
    /// whenUnsatisfiable: DoNotSchedule or ScheduleAnyway. Default: ScheduleAnyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_unsatisfiable: Option<WhenUnsatisfiable>,
}

/// What the scheduler does when the spread cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum WhenUnsatisfiable {
    /// The pod waits.
    DoNotSchedule,
    /// The pod goes anywhere.
    ScheduleAnyway,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!(has(self.value) && has(self.valueFrom))").message("env: give value or valueFrom, not both"))]
pub struct EnvVar {
    /// name of the variable.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z][-._a-zA-Z0-9]*$"))]
    pub name: String,
    /// value as text; `${…}` expressions are substituted. Default: empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub value: Option<String>,
    /// valueFrom: a key of a Secret or ConfigMap, or a field of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvSource>,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.secretKeyRef) ? 1 : 0) + (has(self.configMapKeyRef) ? 1 : 0) + (has(self.fieldRef) ? 1 : 0) == 1").message("valueFrom: give exactly one of secretKeyRef, configMapKeyRef and fieldRef"))]
pub struct EnvSource {
    /// secretKeyRef: a key of a Secret of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// configMapKeyRef: a key of a ConfigMap of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// fieldRef: a field of the pod, for example status.podIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldRef>,
}

/// A key of a Secret or ConfigMap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// optional: start without it when it is missing. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A field of the pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldRef {
    /// fieldPath, for example metadata.name, spec.nodeName or status.podIP.
    #[schemars(length(min = 1, max = 253))]
    pub field_path: String,
}

/// Variables from a whole object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.secret) != has(self.configMap)").message("envFrom: give exactly one of secret and configMap"))]
pub struct EnvFrom {
    /// secret: name of a Secret of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret: Option<String>,
    /// configMap: name of a ConfigMap of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub config_map: Option<String>,
    /// prefix of each variable's name. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub prefix: Option<String>,
    /// optional: start without it when it is missing. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A volume of the pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.emptyDir) ? 1 : 0) + (has(self.pvc) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.secret) ? 1 : 0) + (has(self.projected) ? 1 : 0) + (has(self.ephemeral) ? 1 : 0) == 1").message("volumes: give exactly one of emptyDir, pvc, configMap, secret, projected and ephemeral"))]
pub struct Volume {
    /// name that volumeMounts refer to. hearth, work, tmp and shm are taken.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// emptyDir: scratch space that goes with the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDir>,
    /// pvc: a PersistentVolumeClaim of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pvc: Option<Pvc>,
    /// configMap: files from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ObjectFiles>,
    /// secret: files from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<ObjectFiles>,
    /// projected: several ConfigMaps and Secrets in one folder; service account tokens are not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projected: Option<Projected>,
    /// ephemeral: a volume of a storage class that goes with the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<Ephemeral>,
}

/// Scratch space.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmptyDir {
    /// sizeLimit, for example 10Gi. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<Quantity>,
    /// medium: Disk or Memory. Default: Disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<Medium>,
}

/// Where scratch space lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Medium {
    /// On the node's disk.
    Disk,
    /// In memory, counted to the container's limit.
    Memory,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pvc {
    /// claim: name of the PersistentVolumeClaim.
    #[schemars(length(min = 1, max = 253))]
    pub claim: String,
    /// readOnly mounts it without writing. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// Files from a ConfigMap or Secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectFiles {
    /// name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// optional: start without it when it is missing. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// Several objects in one folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Projected {
    /// sources, in order; later files win.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub sources: Vec<ProjectedSource>,
}

/// One source of a projected volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.secret) != has(self.configMap)").message("sources: give exactly one of secret and configMap"))]
pub struct ProjectedSource {
    /// configMap: files from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ObjectFiles>,
    /// secret: files from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<ObjectFiles>,
}

/// A volume that is made for the pod and goes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ephemeral {
    /// storageClass. Default: the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class: Option<String>,
    /// size, for example 100Gi.
    pub size: Quantity,
}

/// Where a volume stands in the container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    /// name of the volume.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// mountPath in the container; not /hearth or /tmp.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/[^:]*$"))]
    pub mount_path: String,
    /// subPath within the volume. Default: its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub sub_path: Option<String>,
    /// readOnly mounts it without writing. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}
