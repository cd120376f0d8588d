//! Workflow: a DAG of steps, each a pod. This is what people write; its status is what the operator answers.

mod cache;
mod status;
mod steps;

pub use cache::*;
pub use status::*;
pub use steps::{EndedSteps, Steps};

use crate::{
    artifacts::Artifacts,
    duration::DurationText,
    json::{Json, ValueType, type_name},
    pod::{EnvVar, PodSubset},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The most steps that one Workflow may have.
pub const MAX_STEPS: usize = 2000;
/// The most steps of a run that its status lists by name, when it has more; the others have ended, or not begun.
pub const MAX_LISTED_STEPS: usize = 128;

/// What a Workflow is asked to do: its steps, and how they run.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "hearth.dev",
    version = "v1alpha1",
    kind = "Workflow",
    plural = "workflows",
    shortname = "hwf",
    category = "hearth",
    namespaced,
    status = "WorkflowStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "Workflow runs a DAG of steps, each step a pod, and keeps the record of every run.",
    validation = Rule::new("self.metadata.name.size() <= 52").message("metadata.name: at most 52 characters, so that the names of its pods fit"),
    validation = Rule::new("has(self.spec.from) || (has(self.spec.steps) && self.spec.steps.size() > 0)").message("spec.steps: add at least one step, or name a template in spec.from"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "Phase of the current run."),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress", description = "Steps that ended, of all steps."),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", description = "Why it is in this phase."),
    printcolumn(name = "Run", type_ = "integer", json_path = ".status.run.number", description = "Number of the current run."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.run.startedAt", priority = 1, description = "When the run started."),
    printcolumn(name = "Run-ID", type_ = "string", json_path = ".status.run.id", priority = 1, description = "Id of the run in the history store."),
    printcolumn(name = "Stored", type_ = "string", json_path = ".status.conditions[?(@.type==\"HistoryStored\")].status", priority = 1, description = "Whether the record of the run is in the history store.")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowSpec {
    /// from: runs the steps of another Workflow in the namespace with params of one's own; then steps, and what goes with them, come from there. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// params: typed values that expressions read as params.NAME. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub params: Vec<Param>,
    /// steps of the DAG, by name; a step starts when all its needs succeeded. At least one, unless from names a template; at most 2,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub steps: Vec<Step>,
    /// image of every step that names none, for example python:3.13. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// env of every step; a step's own variable of the same name wins. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// pod settings of every step; a step's own settings win, field by field. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSubset>,
    /// runPolicy: OnChange runs each spec once, as soon as it is applied; OnSchedule only at the times of schedules; Manual makes a template that runs only when rerun.token changes. Default: OnSchedule with schedules, else OnChange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_policy: Option<RunPolicy>,
    /// schedules: times at which runs start. A time is run once at most; of times that were missed, the latest alone is made up. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub schedules: Vec<Schedule>,
    /// concurrency: what becomes of a scheduled time that comes while a run is under way: Forbid lets it wait for the end of that run, Replace cancels that run. Default: Forbid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// parallelism: the most pods of a run at one time. Default: 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub parallelism: Option<u32>,
    /// failFast: stop the running steps and start no other as soon as one step failed. Default: false, so that independent branches finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_fast: Option<bool>,
    /// timeout of a whole run, for example 2h; the run then fails (TimedOut). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// pendingTimeout: how long a pod may wait for room, quota or its image before its step fails, for example 10m. Default: 15m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_timeout: Option<DurationText>,
    /// ttl: how long an object that a trigger or a step made for one run stays after the record of that run is stored, at least 10m. It has no meaning on any other object. Default: 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<DurationText>,
    /// onExit: one more step, run when all others are over, however they ended; it may read run.phase and the outputs of all steps. It is not stopped by what stopped the run (cancel, timeout, failFast), so give it a timeout of its own. If it fails, so does the run. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::on_exit")]
    pub on_exit: Option<Box<Step>>,
    /// results of a run by name, each an expression, for example `best: "${steps.fit.outputs.rmse}"`; 8 KiB in all. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub results: BTreeMap<String, Expression>,
    /// keepPods: pods of a run that stay for a while after its record is stored, for kubectl logs and kubectl describe. Default: none stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_pods: Option<KeepPods>,
    /// suspend: true starts no new step and no new run; running pods finish. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// rerun: a new token starts one more run of the spec as it is, whole or from where the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
    /// cancel: stops the run with this id, and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    /// approve: steps with approval that may go on, each in one run; an entry for another run does nothing. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["step".into(), "run".into()]))]
    pub approve: Vec<Approve>,
}

/// A template, and the params that it is run with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct From {
    /// workflow: name of the template, a Workflow in the same namespace, for example co2-report.
    #[schemars(length(min = 1, max = 52))]
    pub workflow: String,
    /// params that differ from the template's defaults, by name, for example `{window: 24}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub params: BTreeMap<String, Json>,
}

/// Text with `${…}` expressions in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Expression(#[schemars(length(max = 4096))] pub String);

/// A typed value that a run is started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.minimum) || !has(self.maximum) || self.minimum <= self.maximum").message("params: minimum must not be above maximum"))]
pub struct Param {
    /// name, as expressions say it: params.NAME.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name: String,
    /// type: string, integer, number, boolean, array or object. Default: string.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<ValueType>,
    /// default: the value, of the declared type. Only a template (runPolicy: Manual) may leave it to those who run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// minimum of an integer or number. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// maximum of an integer or number. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// description for people: what it means, and its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
}

impl Param {
    /// Whether the param can have that value.
    ///
    /// # Errors
    /// What is wrong with the value, and how to put it right.
    pub fn admits(&self, value: &Value) -> Result<(), String> {
        let wanted = self.type_.unwrap_or(ValueType::String);
        if !wanted.admits(value) {
            let found = type_name(value);
            return Err(format!(
                "is {found}, but the declared type is {wanted}: change the value, or set type: {found}"
            ));
        }
        let Some(number) = value.as_f64() else { return Ok(()) };
        if let Some(minimum) = self.minimum.filter(|m| number < *m) {
            return Err(format!("is {value}, below the minimum {minimum}: use a value from {minimum} up"));
        }
        if let Some(maximum) = self.maximum.filter(|m| number > *m) {
            return Err(format!("is {value}, above the maximum {maximum}: use a value up to {maximum}"));
        }
        Ok(())
    }
}

/// One step of the DAG.
// Atomic: who applies a step owns it whole. The API server would otherwise keep the owner of each field of 2,000 steps, and
// read and write that with every change of status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Step {
    /// name: a DNS label, unique in the Workflow; expressions say steps.NAME (steps["a-b"] with a dash).
    #[schemars(length(min = 1, max = 52), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// needs: names of the steps that must succeed first. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000), inner(length(max = 52)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub needs: Vec<String>,
    /// after: steps that must have ended in one of the listed phases first, for example `{fit: [Failed, Skipped]}` to clean up. Such a step need not be listed in needs. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 128))]
    pub after: BTreeMap<String, StepEnds>,
    /// when: a true-or-false expression; false skips the step, for example `${params.window > 6}`. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1100))]
    pub when: Option<String>,
    /// forEach: runs the step once for each item of a list; expressions say item and index (from 0). Its outputs are a list in the order of the items; it succeeds when all items do. Default: the step runs once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// approval: the step runs no pod but waits until spec.approve names it; `timeout` limits the wait. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// workflow: the step runs no pod but another Workflow of the namespace, with params of its own; its outputs are results of that run. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<SubWorkflow>,
    /// runtime: name of an entry of the operator's catalog, for example features: it brings image and command, and `with` tells it what to do. Default: none, the step runs an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 52))]
    pub runtime: Option<String>,
    /// with: what the runtime shall do, in the form that it documents, at most 8 KiB; `${…}` is substituted in texts, and a text that is one `${…}` keeps its type. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub with: BTreeMap<String, Json>,
    /// image that the step runs. Default: spec.image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// command: the executable and its first arguments; `${…}` is substituted. Default: the image's entrypoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 16_384)))]
    pub command: Vec<String>,
    /// args of the command; `${…}` is substituted. Default: the image's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 16_384)))]
    pub args: Vec<String>,
    /// env of the container; `${…}` is substituted in values. Default: spec.env.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// pod settings of this step. Default: spec.pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSubset>,
    /// retry: how often, and when, a failed attempt is followed by another. Default: no retry of application failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// timeout of one attempt, from the pod's start, for example 20m; the attempt then fails (TimedOut). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// cache: takes over outputs and artifacts of the same work that was done before in the namespace, whichever Workflow did it; the image must be named by its digest. Default: none, the work is always done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// outputs that the step writes as one JSON object to /dev/termination-log, 3 KiB in all. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub outputs: Vec<Output>,
    /// artifacts: files from earlier steps, and files for later ones. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// logs that the record keeps: Tail keeps the end of failed attempts, Keep that of succeeded ones too, and Full also stores the whole log of each attempt as an artifact, 64 MiB at most and as far as the kubelet has it at the end (see containerLogMaxSize). Default: Tail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Logs>,
}

/// A list whose items are worked on side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForEach {
    /// items: the list itself, at most 10,000 values of any type, for example ["loess", "stl"]. Give this or expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10_000), extend("x-kubernetes-list-type" = "atomic"))]
    pub items: Option<Vec<Json>>,
    /// expression that gives the list, for example `${steps.scan.outputs.files}`. Give this or items.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1100))]
    pub expression: Option<String>,
    /// maxParallel: the most items that are worked on at one time. Default: as many as spec.parallelism allows, 256 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub max_parallel: Option<u32>,
}

/// Another Workflow that a step runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubWorkflow {
    /// ref: name of the Workflow, as a rule a template (runPolicy: Manual).
    #[serde(rename = "ref")]
    #[schemars(length(min = 1, max = 52))]
    pub name: String,
    /// params of that run; `${…}` is substituted in texts, and a text that is one `${…}` keeps its type. Default: those of that Workflow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub params: BTreeMap<String, Json>,
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// message for whoever approves; `${…}` is substituted, for example `publish with an error of ${string(steps.fit.outputs.rmse)} ppm?`.
    #[schemars(length(min = 1, max = 1024))]
    pub message: String,
}

/// A declared output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    /// name, as expressions say it: steps.STEP.outputs.NAME.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name: String,
    /// type: string, integer, number, boolean, array or object. Default: string.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<ValueType>,
}

/// Which logs the record keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Logs {
    /// The last 64 KiB of failed attempts.
    #[default]
    Tail,
    /// The last 64 KiB of every attempt.
    Keep,
    /// The same, and the whole log of every attempt in the artifact store.
    Full,
}

/// When a failed attempt is followed by another.
///
/// Infrastructure failures (eviction by pressure, preemption, a lost node, a deleted pod) are free, five at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// limit: the most further attempts after application failures (non-zero exit, out of memory, timeout), for example 3. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub limit: Option<u32>,
    /// backoff: the pause before the next attempt. Default: base 5s, factor 2, max 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// exitCodes that are tried again; all others fail at once. Default: every code but 64 to 78, of which only 75.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(range(min = 1, max = 255)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exit_codes: Vec<i32>,
    /// avoidNode: the next attempt stays off the nodes where earlier ones failed. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avoid_node: Option<bool>,
}

/// Exponential pause between attempts: `base · factor^(failures − 1)`, at most `max`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// base: the first pause, for example 5s. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<DurationText>,
    /// factor by which each pause grows, from 1 to 10. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub factor: Option<u32>,
    /// max: the longest pause, for example 2m. Default: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<DurationText>,
}

/// When runs start by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RunPolicy {
    /// One run of each spec that is applied.
    OnChange,
    /// At the times of `schedules`.
    OnSchedule,
    /// Only when asked: the object is a template.
    Manual,
}

/// Times at which runs start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// cron: minute, hour, day of the month, month and day of the week, for example `0 6 * * 1` for Mondays at six; or @hourly, @daily, @weekly, @monthly.
    #[schemars(length(min = 1, max = 128))]
    pub cron: String,
    /// timeZone that cron is read in, by its IANA name, for example Europe/Vienna. Default: Etc/UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// startingDeadline: a run starts no later than this after its time, for example 1h; later, the time is missed. Default: none, so that the latest missed time is always made up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_deadline: Option<DurationText>,
}

/// What a scheduled time does to a run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Concurrency {
    /// It waits for the end of that run.
    Forbid,
    /// It cancels that run.
    Replace,
}

/// Ends of a step that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepEnds(
    #[schemars(length(min = 1, max = 4))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub Vec<StepEnd>,
);

/// How a step can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum StepEnd {
    /// It did its work.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It never started.
    Skipped,
    /// It was stopped.
    Cancelled,
}

/// Pods that stay after their run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeepPods {
    /// failed: how long after the end of the run its failed pods stay, for example 1h; at the longest until the next run has ended. Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<DurationText>,
}

/// Asks for one more run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rerun {
    /// token: any text; each change of it starts one run. The one that a new object is created with is noted, not obeyed.
    #[schemars(length(min = 1, max = 128))]
    pub token: String,
    /// from: Start runs every step again; Failed takes over the steps that succeeded when the last run of the same spec did not, and runs the others. Default: Start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RerunFrom>,
}

/// Where one more run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RerunFrom {
    /// With the first steps.
    Start,
    /// With what failed, was stopped or never started.
    Failed,
}

/// Stops one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cancel {
    /// run: id of the run to stop (status.run.id); the id of an ended or another run does nothing.
    #[schemars(length(min = 36, max = 36))]
    pub run: String,
}

/// Lets one step of one run go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approve {
    /// step: name of the step that waits.
    #[schemars(length(min = 1, max = 52))]
    pub step: String,
    /// run: id of the run (status.run.id), so that an approval kept in git never passes a later run.
    #[schemars(length(min = 36, max = 36))]
    pub run: String,
}
