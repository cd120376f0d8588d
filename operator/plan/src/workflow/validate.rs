//! From a spec as written to a spec that can run: every name, type, duration and expression is checked once, here.

use super::{
    fan_out,
    graph::{Before, before, names, needs, topological},
    pod_rules,
    schedule::{self, Schedules},
};
use crate::expr::{Checked, Env, Reference, StepType, Template, Type};
use hearth_crds::{
    duration::DurationText,
    json::{Json, ValueType, type_name},
    pod::{EnvSource, EnvVar, PodSubset},
    workflow::{ForEach, Logs, Param, Retry, RunPolicy, Step, StepEnd, StepEnds, WorkflowSpec},
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The longest params of a run, as JSON.
pub const MAX_PARAMS: usize = 8 * 1024;
/// The longest spec, as JSON: it must fit in its revision.
pub const MAX_SPEC: usize = 512 * 1024;
const DEFAULT_PARALLELISM: usize = 64;
const DEFAULT_PENDING: Duration = Duration::from_secs(15 * 60);

/// What is wrong with a spec: the field, what was found, and the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// Path of the field, for example `spec.steps[fit].needs`.
    pub field: String,
    /// What is wrong, and how to put it right.
    pub message: String,
}

pub(super) fn invalid<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { field: field.into(), message: message.into() })
}

/// A spec that can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    /// Params with their values.
    pub params: Map<String, Value>,
    /// Params of a template that those who run it must give.
    pub open_params: Vec<String>,
    /// Steps so that each comes after its needs, else in the order of the spec.
    pub steps: Vec<ValidStep>,
    /// The most pods at one time.
    pub parallelism: usize,
    /// Stop at the first failed step.
    pub fail_fast: bool,
    /// Limit of the whole run.
    pub timeout: Option<Duration>,
    /// Limit of waiting for room, quota or image.
    pub pending_timeout: Duration,
    /// How long failed pods stay after their run.
    pub keep_failed: Option<Duration>,
    /// Results by name.
    pub results: BTreeMap<String, Checked>,
    /// The step that follows the end of all others.
    pub on_exit: Option<ValidStep>,
    /// When runs start by the clock.
    pub schedules: Schedules,
}

impl Valid {
    /// The step of that name, the one on exit included.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&ValidStep> {
        self.steps.iter().chain(&self.on_exit).find(|s| s.name == name)
    }

    /// Whether the step of that name follows the end of all others.
    #[must_use]
    pub fn is_exit(&self, name: &str) -> bool {
        self.on_exit.as_ref().is_some_and(|s| s.name == name)
    }

    /// How many steps there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.steps.len() + usize::from(self.on_exit.is_some())
    }
}

/// A step that can run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValidStep {
    /// Name.
    pub name: String,
    /// Steps that must have ended first.
    pub needs: Vec<String>,
    /// Ends that are asked of some of them; the others must end well.
    pub after: BTreeMap<String, BTreeSet<StepEnd>>,
    /// Condition.
    pub when: Option<Checked>,
    /// The list whose items the step runs for, one pod each.
    pub for_each: Option<ItemSource>,
    /// The most items at one time.
    pub max_parallel: usize,
    /// What a person is asked; such a step has no pod, and none of the fields that make one.
    pub approval: Option<Checked>,
    /// Image as written.
    pub image: String,
    /// Command.
    pub command: Vec<Checked>,
    /// Arguments.
    pub args: Vec<Checked>,
    /// Environment.
    pub env: Vec<(String, ValidEnv)>,
    /// Pod settings, the step's over the spec's.
    pub pod: PodSubset,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Limit of an attempt.
    pub timeout: Option<Duration>,
    /// Declared outputs.
    pub outputs: BTreeMap<String, ValueType>,
    /// Outputs that somebody reads: these are kept in status.
    pub kept: BTreeSet<String>,
    /// Whether succeeded attempts keep their log too.
    pub keep_log: bool,
}

/// Where the items of a fan-out come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemSource {
    /// The spec lists them.
    Listed(Vec<Value>),
    /// An expression gives them when the step starts.
    Given(Checked),
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidEnv {
    /// Text, perhaps with expressions.
    Text(Checked),
    /// From somewhere else.
    Source(EnvSource),
}

/// When a failed attempt is followed by another. The default is never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryPolicy {
    /// Further attempts after application failures.
    pub limit: u32,
    /// First pause.
    pub base: Duration,
    /// Growth of the pause.
    pub factor: u32,
    /// Longest pause.
    pub max: Duration,
    /// Exit codes that are tried again; empty for all.
    pub exit_codes: BTreeSet<i32>,
    /// Stay off nodes where attempts failed.
    pub avoid_node: bool,
}

impl RetryPolicy {
    /// The pause after the `failures`-th failure: `base · factor^(failures − 1)`, at most `max`.
    #[must_use]
    pub fn pause(&self, failures: u32) -> Duration {
        let factor = self.factor.saturating_pow(failures.saturating_sub(1).min(32));
        self.base.saturating_mul(factor).min(self.max)
    }
}

/// Checks `spec` and applies the defaults that the fields' texts name.
///
/// # Errors
/// The first thing that is wrong, in the order of the spec.
pub fn validate(spec: &WorkflowSpec) -> Result<Valid, Invalid> {
    let size = serde_json::to_vec(spec).map_or(usize::MAX, |v| v.len());
    if size > MAX_SPEC {
        return invalid(
            "spec",
            format!("is {size} bytes of JSON, at most {MAX_SPEC} fit in its revision: move data out of the spec"),
        );
    }
    let (params, open_params) = params(spec)?;
    names(spec)?;
    let order = topological(&spec.steps)?;
    let before = before(&spec.steps, &order);
    let mut steps = Vec::with_capacity(order.len());
    for index in &order {
        let Some(step) = spec.steps.get(*index) else { continue };
        let at = format!("spec.steps[{}]", step.name);
        steps.push(valid_step(spec, step, &at, before.get(step.name.as_str()))?);
    }
    let on_exit = spec.on_exit.as_ref().map(|exit| valid_exit(spec, exit)).transpose()?;
    let results = results(spec, &before)?;
    keep_outputs(&mut steps, on_exit.as_ref(), &results);
    Ok(Valid {
        params,
        open_params,
        steps,
        parallelism: spec.parallelism.map_or(DEFAULT_PARALLELISM, |n| n as usize),
        fail_fast: spec.fail_fast.unwrap_or(false),
        timeout: duration("spec.timeout", spec.timeout.as_ref())?,
        pending_timeout: duration("spec.pendingTimeout", spec.pending_timeout.as_ref())?.unwrap_or(DEFAULT_PENDING),
        keep_failed: duration("spec.keepPods.failed", spec.keep_pods.as_ref().and_then(|k| k.failed.as_ref()))?,
        results,
        on_exit,
        schedules: schedule::schedules(spec)?,
    })
}

pub(super) fn duration(field: &str, text: Option<&DurationText>) -> Result<Option<Duration>, Invalid> {
    match text.map(DurationText::parse).transpose() {
        Ok(Some(Duration::ZERO)) => invalid(field, "must be longer than 0"),
        Ok(d) => Ok(d),
        Err(e) => invalid(field, e.to_string()),
    }
}

/// The values of the params, and the names of those that a template leaves open.
fn params(spec: &WorkflowSpec) -> Result<(Map<String, Value>, Vec<String>), Invalid> {
    let (mut values, mut open) = (Map::new(), Vec::new());
    for param in &spec.params {
        let field = format!("spec.params[{}]", param.name);
        if param.default.is_none() && schedule::policy(spec) == RunPolicy::Manual {
            open.push(param.name.clone());
            continue;
        }
        let Some(Json(value)) = &param.default else {
            return invalid(
                format!("{field}.default"),
                format!("param {} has no value: give it a default", param.name),
            );
        };
        let wanted = param.type_.unwrap_or(ValueType::String);
        if !wanted.admits(value) {
            let found = type_name(value);
            return invalid(
                format!("{field}.default"),
                format!("is {found}, but the declared type is {wanted}: change the value, or set type: {found}"),
            );
        }
        in_range(&field, param, value)?;
        if values.insert(param.name.clone(), value.clone()).is_some() {
            return invalid(field, "this name is declared twice: rename one of them");
        }
    }
    let size = serde_json::to_vec(&values).map_or(usize::MAX, |v| v.len());
    if size > MAX_PARAMS {
        return invalid(
            "spec.params",
            format!("are {size} bytes of JSON, at most {MAX_PARAMS} are allowed: put data into a volume or an image"),
        );
    }
    Ok((values, open))
}

fn in_range(field: &str, param: &Param, value: &Value) -> Result<(), Invalid> {
    let bounded = param.minimum.is_some() || param.maximum.is_some();
    let numeric = matches!(param.type_, Some(ValueType::Integer | ValueType::Number));
    if bounded && !numeric {
        return invalid(field, "minimum and maximum need type: integer or type: number");
    }
    let Some(number) = value.as_f64() else { return Ok(()) };
    if let Some(minimum) = param.minimum.filter(|m| number < *m) {
        return invalid(
            format!("{field}.default"),
            format!("is {value}, below the minimum {minimum}: use a value from {minimum} up"),
        );
    }
    if let Some(maximum) = param.maximum.filter(|m| number > *m) {
        return invalid(
            format!("{field}.default"),
            format!("is {value}, above the maximum {maximum}: use a value up to {maximum}"),
        );
    }
    Ok(())
}

fn expr_type(of: ValueType) -> Type {
    match of {
        ValueType::String => Type::String,
        ValueType::Integer => Type::Int,
        ValueType::Number => Type::Double,
        ValueType::Boolean => Type::Bool,
        ValueType::Array => Type::list(Type::Dyn),
        ValueType::Object => Type::Map,
    }
}

/// Whether a step has ended where an expression is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Not for certain.
    Open,
    /// Somehow: its outputs may be null.
    Somehow,
    /// Well: its outputs are null only when its `when` was false.
    Well,
}

/// What expressions may read: all params, and the steps that have ended.
fn expr_env(spec: &WorkflowSpec, ended: impl Fn(&str) -> Ended) -> Env {
    let mut env = Env::new();
    for param in &spec.params {
        env = env.param(&param.name, expr_type(param.type_.unwrap_or(ValueType::String)));
    }
    for step in &spec.steps {
        env = if ended(&step.name) != Ended::Open {
            let outputs = step
                .outputs
                .iter()
                .map(|o| (o.name.clone(), expr_type(o.type_.unwrap_or(ValueType::String))))
                .collect();
            env.step(
                &step.name,
                StepType {
                    outputs,
                    may_be_skipped: step.when.is_some() || ended(&step.name) == Ended::Somehow,
                    fan_out: step.for_each.is_some(),
                },
            )
        } else {
            env.step_not_needed(&step.name)
        };
    }
    env
}

fn valid_step(spec: &WorkflowSpec, step: &Step, at: &str, before: Option<&Before<'_>>) -> Result<ValidStep, Invalid> {
    let env = expr_env(spec, |name| match before {
        Some(b) if b.well.contains(name) => Ended::Well,
        Some(b) if b.ended.contains(name) => Ended::Somehow,
        Some(_) | None => Ended::Open,
    });
    checked_step(spec, step, at, &env)
}

/// The step on exit: all others have ended somehow, and `run.phase` is known.
fn valid_exit(spec: &WorkflowSpec, exit: &Step) -> Result<ValidStep, Invalid> {
    let no_meaning =
        [("needs", !exit.needs.is_empty()), ("after", !exit.after.is_empty()), ("approval", exit.approval.is_some())];
    if let Some((field, _)) = no_meaning.into_iter().find(|(_, set)| *set) {
        return invalid(
            format!("spec.onExit.{field}"),
            "has no meaning there: the step runs once, when all others are over; remove the field",
        );
    }
    checked_step(spec, exit, "spec.onExit", &expr_env(spec, |_| Ended::Somehow).run_phase())
}

fn checked_step(spec: &WorkflowSpec, step: &Step, at: &str, env: &Env) -> Result<ValidStep, Invalid> {
    let at = |field: &str| format!("{at}.{field}");
    let after = after(spec, step)?;
    let outer = env;
    let (for_each, with_item) = match &step.for_each {
        None => (None, None),
        Some(for_each) => {
            let (source, of) = item_source(&at("forEach"), for_each, env)?;
            (Some(source), Some(env.clone().item(of)))
        }
    };
    let env = with_item.as_ref().unwrap_or(env);
    if let Some(approval) = &step.approval {
        if let Some(field) = field_of_a_pod(step) {
            return invalid(at(field), "has no meaning beside approval, which runs no pod: remove one of the two");
        }
        return Ok(ValidStep {
            name: step.name.clone(),
            needs: needs(step).map(str::to_owned).collect(),
            after,
            when: step.when.as_ref().map(|w| check(&at("when"), w, |t| t.check_condition(env))).transpose()?,
            approval: Some(check(&at("approval.message"), &approval.message, |t| t.check_text(env))?),
            timeout: duration(&at("timeout"), step.timeout.as_ref())?,
            ..ValidStep::default()
        });
    }
    let Some(image) = step.image.as_ref().or(spec.image.as_ref()) else {
        return invalid(at("image"), "there is no image: set it here, or spec.image for all steps");
    };
    if image.trim().is_empty() || image.chars().any(char::is_whitespace) {
        return invalid(
            at("image"),
            format!("`{image}` is not an image: write registry/name:tag or registry/name@sha256:…"),
        );
    }
    let pod = pod_rules::merge(spec.pod.as_ref(), step.pod.as_ref());
    pod_rules::check(&pod).map_err(|(field, message)| Invalid { field: at(&format!("pod.{field}")), message })?;
    let mut outputs = BTreeMap::new();
    for output in &step.outputs {
        if outputs.insert(output.name.clone(), output.type_.unwrap_or(ValueType::String)).is_some() {
            return invalid(
                at(&format!("outputs[{}]", output.name)),
                "this name is declared twice: rename one of them",
            );
        }
    }
    Ok(ValidStep {
        name: step.name.clone(),
        needs: needs(step).map(str::to_owned).collect(),
        after,
        when: step.when.as_ref().map(|w| check(&at("when"), w, |t| t.check_condition(outer))).transpose()?,
        for_each,
        max_parallel: step
            .for_each
            .as_ref()
            .and_then(|f| f.max_parallel)
            .map_or(fan_out::MAX_OPEN, |n| (n as usize).min(fan_out::MAX_OPEN)),
        approval: None,
        image: image.clone(),
        command: texts(&at("command"), &step.command, env)?,
        args: texts(&at("args"), &step.args, env)?,
        env: env_vars(&at("env"), &spec.env, &step.env, env)?,
        pod,
        retry: retry(&at("retry"), step.retry.as_ref())?,
        timeout: duration(&at("timeout"), step.timeout.as_ref())?,
        outputs,
        kept: BTreeSet::new(),
        keep_log: matches!(step.logs, Some(Logs::Keep)),
    })
}

/// The list of a fan-out, and the type of its items.
fn item_source(field: &str, for_each: &ForEach, env: &Env) -> Result<(ItemSource, Type), Invalid> {
    match (&for_each.items, &for_each.expression) {
        (Some(items), None) => {
            if items.len() > fan_out::MAX_ITEMS {
                let most = fan_out::MAX_ITEMS;
                return invalid(
                    format!("{field}.items"),
                    format!("has {} items, at most {most} are allowed", items.len()),
                );
            }
            if let Some(index) = items.iter().position(fan_out::is_too_long) {
                let most = fan_out::MAX_ITEM;
                let message = format!("is longer than {most} bytes of JSON: pass a name, not the data");
                return invalid(format!("{field}.items[{index}]"), message);
            }
            let mut types = items.iter().map(|Json(item)| type_of(item));
            let first = types.next().unwrap_or(Type::Dyn);
            let of = if types.all(|t| t == first) { first } else { Type::Dyn };
            Ok((ItemSource::Listed(items.iter().map(|Json(item)| item.clone()).collect()), of))
        }
        (None, Some(expression)) => {
            let at = format!("{field}.expression");
            let checked = check(&at, expression, |t| t.check(env))?;
            match checked.of().clone() {
                Type::List(of) => Ok((ItemSource::Given(checked), *of)),
                Type::Dyn => Ok((ItemSource::Given(checked), Type::Dyn)),
                other => invalid(at, format!("gives {other}, not a list: write an expression that gives a list")),
            }
        }
        (Some(_), Some(_)) => invalid(field, "give items or expression, not both"),
        (None, None) => invalid(field, "give items, or an expression that gives them"),
    }
}

fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::Dyn,
        Value::Bool(_) => Type::Bool,
        Value::Number(n) if n.is_i64() => Type::Int,
        Value::Number(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Array(_) => Type::list(Type::Dyn),
        Value::Object(_) => Type::Map,
    }
}

/// The first field of the step that only a pod can have.
fn field_of_a_pod(step: &Step) -> Option<&'static str> {
    let set = [
        ("forEach", step.for_each.is_some()),
        ("image", step.image.is_some()),
        ("command", !step.command.is_empty()),
        ("args", !step.args.is_empty()),
        ("env", !step.env.is_empty()),
        ("pod", step.pod.is_some()),
        ("retry", step.retry.is_some()),
        ("outputs", !step.outputs.is_empty()),
        ("logs", step.logs.is_some()),
    ];
    set.into_iter().find(|(_, set)| *set).map(|(field, _)| field)
}

fn after(spec: &WorkflowSpec, step: &Step) -> Result<BTreeMap<String, BTreeSet<StepEnd>>, Invalid> {
    let mut after = BTreeMap::new();
    for (need, StepEnds(ends)) in &step.after {
        let field = || format!("spec.steps[{}].after.{need}", step.name);
        if ends.is_empty() {
            return invalid(field(), "lists no phase: name at least one of Succeeded, Failed, Skipped, Cancelled");
        }
        if ends.iter().all(|e| *e == StepEnd::Failed) && spec.fail_fast == Some(true) {
            return invalid(
                field(),
                "waits for a failure, but spec.failFast ends the run before this step could start: set failFast to false",
            );
        }
        after.insert(need.clone(), ends.iter().copied().collect());
    }
    Ok(after)
}

fn check(
    field: &str,
    text: &str,
    how: impl Fn(&Template) -> Result<Checked, crate::expr::ExprError>,
) -> Result<Checked, Invalid> {
    Template::parse(text).and_then(|t| how(&t)).map_err(|e| Invalid { field: field.to_owned(), message: e.to_string() })
}

fn texts(field: &str, list: &[String], env: &Env) -> Result<Vec<Checked>, Invalid> {
    list.iter().enumerate().map(|(i, text)| check(&format!("{field}[{i}]"), text, |t| t.check_text(env))).collect()
}

fn env_vars(field: &str, spec: &[EnvVar], step: &[EnvVar], env: &Env) -> Result<Vec<(String, ValidEnv)>, Invalid> {
    let inherited = spec.iter().filter(|v| !step.iter().any(|s| s.name == v.name));
    let mut vars = Vec::new();
    for var in inherited.chain(step) {
        let at = format!("{field}[{}]", var.name);
        let value = match (&var.value, &var.value_from) {
            (Some(_), Some(_)) => return invalid(at, "give value or valueFrom, not both"),
            (None, Some(source)) => ValidEnv::Source(source.clone()),
            (text, None) => ValidEnv::Text(check(&format!("{at}.value"), text.as_deref().unwrap_or_default(), |t| {
                t.check_text(env)
            })?),
        };
        vars.push((var.name.clone(), value));
    }
    Ok(vars)
}

fn retry(field: &str, retry: Option<&Retry>) -> Result<RetryPolicy, Invalid> {
    let retry = retry.cloned().unwrap_or_default();
    let backoff = retry.backoff.unwrap_or_default();
    let base = duration(&format!("{field}.backoff.base"), backoff.base.as_ref())?.unwrap_or(Duration::from_secs(5));
    let max = duration(&format!("{field}.backoff.max"), backoff.max.as_ref())?.unwrap_or(Duration::from_secs(300));
    if backoff.max.is_some() && max < base {
        return invalid(format!("{field}.backoff.max"), "is shorter than the first pause: raise max or lower base");
    }
    Ok(RetryPolicy {
        limit: retry.limit.unwrap_or(0),
        base,
        factor: backoff.factor.unwrap_or(2).max(1),
        max: max.max(base),
        exit_codes: retry.exit_codes.iter().copied().collect(),
        avoid_node: retry.avoid_node.unwrap_or(false),
    })
}

fn results(spec: &WorkflowSpec, before: &BTreeMap<&str, Before<'_>>) -> Result<BTreeMap<String, Checked>, Invalid> {
    let optional = |name: &str| before.get(name).is_some_and(|b| b.optional);
    let env = expr_env(spec, |name| if optional(name) { Ended::Somehow } else { Ended::Well });
    spec.results
        .iter()
        .map(|(name, text)| Ok((name.clone(), check(&format!("spec.results.{name}"), &text.0, |t| t.check(&env))?)))
        .collect()
}

/// Marks the outputs that some expression reads.
fn keep_outputs(steps: &mut [ValidStep], on_exit: Option<&ValidStep>, results: &BTreeMap<String, Checked>) {
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut whole: BTreeSet<String> = BTreeSet::new();
    let of_steps = steps.iter().chain(on_exit).flat_map(ValidStep::expressions);
    for reference in of_steps.chain(results.values()).flat_map(|c| c.template().references()) {
        match reference {
            Reference::StepOutput { step, output } => {
                read.entry(step).or_default().insert(output);
            }
            Reference::StepOutputs { step } => {
                whole.insert(step);
            }
            Reference::Param(_)
            | Reference::StepPhase(_)
            | Reference::RunId
            | Reference::RunNumber
            | Reference::RunPhase
            | Reference::Item
            | Reference::Index
            | Reference::Now => {}
        }
    }
    for step in steps {
        step.kept = if whole.contains(&step.name) {
            step.outputs.keys().cloned().collect()
        } else {
            read.remove(&step.name).unwrap_or_default()
        };
    }
}

impl ValidStep {
    /// Every expression of the step.
    pub fn expressions(&self) -> impl Iterator<Item = &Checked> {
        let env = self.env.iter().filter_map(|(_, value)| match value {
            ValidEnv::Text(text) => Some(text),
            ValidEnv::Source(_) => None,
        });
        let list = match &self.for_each {
            Some(ItemSource::Given(expression)) => Some(expression),
            Some(ItemSource::Listed(_)) | None => None,
        };
        self.when.iter().chain(list).chain(&self.approval).chain(&self.command).chain(&self.args).chain(env)
    }
}
