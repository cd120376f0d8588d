//! From a spec as written to a spec that can run: every name, type, duration and expression is checked once, here.

use super::{
    artifacts, cache, fan_out,
    graph::{Before, before, names, needs, topological},
    nested::Sub,
    params::params,
    pod_rules, schedule,
    valid::{Invalid, ItemSource, RetryPolicy, Valid, ValidEnv, ValidStep, invalid, positions},
    with::With,
};
use crate::{
    expr::{Checked, Env, Reference, StepType, Template, Type},
    offer::{Offer, Runtime},
};
use fixedbitset::FixedBitSet;
use hearth_crds::{
    duration::DurationText,
    json::{Json, ValueType},
    pod::EnvVar,
    workflow::{ForEach, Logs, Retry, Step, StepEnd, StepEnds, SubWorkflow, WorkflowSpec},
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The longest spec, as JSON: it must fit in its revision.
pub const MAX_SPEC: usize = 512 * 1024;
/// How an operator gets an artifact store.
const A_STORE: &str = "set artifacts.s3.bucket in the values of its chart, or artifacts.enabled in mode single";
const DEFAULT_PARALLELISM: usize = 64;
const DEFAULT_PENDING: Duration = Duration::from_secs(15 * 60);

/// Checks `spec` against what the operator offers, and applies the defaults that the fields' texts name.
///
/// # Errors
/// The first thing that is wrong, in the order of the spec.
pub fn validate(spec: &WorkflowSpec, offer: &Offer) -> Result<Valid, Invalid> {
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
    let names = expr_names(spec);
    let given = Given { spec, offer, params: &params, names: &names };
    let mut before = before(&spec.steps, &order);
    let optional: Vec<usize> = before.iter().filter(|(_, b)| b.optional).map(|(place, _)| *place).collect();
    let mut steps = Vec::with_capacity(order.len());
    for place in &order {
        let Some(step) = spec.steps.get(*place) else { continue };
        let at = format!("spec.steps[{}]", step.name);
        let valid = valid_step(given, step, &at, before.remove(place).unwrap_or_default())?;
        steps.push(ValidStep { place: u32::try_from(*place).unwrap_or(u32::MAX), ..valid });
    }
    let mut on_exit = spec.on_exit.as_ref().map(|exit| valid_exit(given, exit)).transpose()?;
    let results = results(given, optional)?;
    keep_outputs(&mut steps, on_exit.as_ref(), &results);
    artifacts::keep(&mut steps, on_exit.as_ref());
    for step in steps.iter_mut().chain(&mut on_exit) {
        step.reads = step.expressions().flat_map(|e| e.template().references()).filter_map(step_of).collect();
    }
    Ok(Valid {
        params,
        open_params,
        positions: positions(&steps),
        steps,
        parallelism: spec.parallelism.map_or(DEFAULT_PARALLELISM, |n| n as usize),
        fail_fast: spec.fail_fast.unwrap_or(false),
        timeout: duration("spec.timeout", spec.timeout.as_ref())?,
        pending_timeout: duration("spec.pendingTimeout", spec.pending_timeout.as_ref())?.unwrap_or(DEFAULT_PENDING),
        keep_failed: keep_failed(spec)?,
        results,
        on_exit,
        schedules: schedule::schedules(spec)?,
    })
}

/// How long failed pods stay.
pub(super) fn keep_failed(spec: &WorkflowSpec) -> Result<Option<Duration>, Invalid> {
    duration("spec.keepPods.failed", spec.keep_pods.as_ref().and_then(|k| k.failed.as_ref()))
}

pub(super) fn duration(field: &str, text: Option<&DurationText>) -> Result<Option<Duration>, Invalid> {
    match text.map(DurationText::parse).transpose() {
        Ok(Some(Duration::ZERO)) => invalid(field, "must be longer than 0"),
        Ok(d) => Ok(d),
        Err(e) => invalid(field, e.to_string()),
    }
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

/// What expressions may name: all params, and all steps, in the order of the spec.
fn expr_names(spec: &WorkflowSpec) -> Env {
    let params = spec
        .params
        .iter()
        .fold(Env::new(), |names, param| names.param(&param.name, expr_type(param.type_.unwrap_or(ValueType::String))));
    spec.steps.iter().fold(params, |names, step| {
        let outputs =
            step.outputs.iter().map(|o| (o.name.clone(), expr_type(o.type_.unwrap_or(ValueType::String)))).collect();
        let (may_be_skipped, fan_out) = (step.when.is_some(), step.for_each.is_some());
        names.step(&step.name, StepType { outputs, may_be_skipped, fan_out })
    })
}

/// All steps, by their places.
fn all(spec: &WorkflowSpec) -> FixedBitSet {
    (0..spec.steps.len()).collect()
}

/// What all steps are checked against.
#[derive(Clone, Copy)]
struct Given<'a> {
    spec: &'a WorkflowSpec,
    offer: &'a Offer,
    params: &'a Map<String, Value>,
    names: &'a Env,
}

fn valid_step(given: Given<'_>, step: &Step, at: &str, before: Before) -> Result<ValidStep, Invalid> {
    checked_step(given, step, at, &given.names.when_ended(before.ended, before.well))
}

/// The step on exit: all others have ended somehow, and `run.phase` is known.
fn valid_exit(given: Given<'_>, exit: &Step) -> Result<ValidStep, Invalid> {
    let no_meaning = [
        ("needs", !exit.needs.is_empty()),
        ("after", !exit.after.is_empty()),
        ("approval", exit.approval.is_some()),
        ("forEach", exit.for_each.is_some()),
        ("cache", exit.cache.is_some()),
    ];
    if let Some((field, _)) = no_meaning.into_iter().find(|(_, set)| *set) {
        return invalid(
            format!("spec.onExit.{field}"),
            "has no meaning there: the step runs once, when all others are over; remove the field",
        );
    }
    let env = given.names.when_ended(all(given.spec), FixedBitSet::new()).run_phase();
    checked_step(given, exit, "spec.onExit", &env)
}

fn checked_step(given: Given<'_>, step: &Step, path: &str, env: &Env) -> Result<ValidStep, Invalid> {
    let spec = given.spec;
    let at = |field: &str| format!("{path}.{field}");
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
        let own = [
            ("forEach", step.for_each.is_some()),
            ("workflow", step.workflow.is_some()),
            ("retry", step.retry.is_some()),
            ("outputs", !step.outputs.is_empty()),
        ];
        if let Some(field) = own.into_iter().chain(fields_of_a_pod(step)).find_map(|(f, set)| set.then_some(f)) {
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
    let max_parallel = step
        .for_each
        .as_ref()
        .and_then(|f| f.max_parallel)
        .map_or(fan_out::MAX_OPEN, |n| (n as usize).min(fan_out::MAX_OPEN));
    let when = step.when.as_ref().map(|w| check(&at("when"), w, |t| t.check_condition(outer))).transpose()?;
    if let Some(sub) = &step.workflow {
        return Ok(ValidStep {
            name: step.name.clone(),
            needs: needs(step).map(str::to_owned).collect(),
            after,
            when,
            for_each,
            max_parallel,
            sub: Some(sub_workflow(given, step, sub, path, env)?),
            retry: retry(&at("retry"), step.retry.as_ref())?,
            timeout: duration(&at("timeout"), step.timeout.as_ref())?,
            outputs: outputs(step, path)?,
            ..ValidStep::default()
        });
    }
    let program = program(given, step, path, env)?;
    let base = program.runtime.map(Runtime::pod);
    let pod = pod_rules::merge(base.as_ref(), Some(&pod_rules::merge(spec.pod.as_ref(), step.pod.as_ref())));
    pod_rules::check(&pod).map_err(|(field, message)| Invalid { field: at(&format!("pod.{field}")), message })?;
    let artifacts = artifacts::check(spec, step, path, |name| outer.has_ended(name))?;
    served(given.offer, &artifacts, &program, path)?;
    let outputs = outputs(step, path)?;
    if let Some((name, runtime)) = step.runtime.as_ref().zip(program.runtime) {
        can_write(name, runtime, &outputs, &artifacts, path)?;
    }
    let valid = ValidStep {
        name: step.name.clone(),
        needs: needs(step).map(str::to_owned).collect(),
        after,
        when,
        for_each,
        max_parallel,
        approval: None,
        sub: None,
        image: program.image,
        command: program.command,
        args: program.args,
        with: program.with,
        env: env_vars(&at("env"), &spec.env, &step.env, env)?,
        pod,
        retry: retry(&at("retry"), step.retry.as_ref())?,
        timeout: duration(&at("timeout"), step.timeout.as_ref())?,
        outputs,
        artifacts,
        place: 0,
        kept: BTreeSet::new(),
        reads: BTreeSet::new(),
        logs: logs(given.offer, step, path)?,
        cache: None,
    };
    Ok(ValidStep { cache: cache::check(step, &valid, path)?, ..valid })
}

/// What a step runs.
struct Program<'a> {
    image: String,
    command: Vec<Checked>,
    args: Vec<Checked>,
    with: Option<With>,
    runtime: Option<&'a Runtime>,
}

fn program<'a>(given: Given<'a>, step: &Step, path: &str, env: &Env) -> Result<Program<'a>, Invalid> {
    let at = |field: &str| format!("{path}.{field}");
    if let Some(name) = &step.runtime {
        return of_catalog(given, step, name, path, env);
    }
    if !step.with.is_empty() {
        return invalid(at("with"), "needs a runtime that reads it: set runtime, or pass args and env");
    }
    let Some(image) = step.image.as_ref().or(given.spec.image.as_ref()) else {
        return invalid(at("image"), "there is no image: set it here, or spec.image for all steps, or name a runtime");
    };
    if image.is_empty() || image.chars().any(char::is_whitespace) {
        return invalid(
            at("image"),
            format!("`{image}` is not an image: write registry/name:tag or registry/name@sha256:…"),
        );
    }
    Ok(Program {
        image: image.clone(),
        command: texts(&at("command"), &step.command, env)?,
        args: texts(&at("args"), &step.args, env)?,
        with: None,
        runtime: None,
    })
}

fn of_catalog<'a>(given: Given<'a>, step: &Step, name: &str, path: &str, env: &Env) -> Result<Program<'a>, Invalid> {
    let at = |field: &str| format!("{path}.{field}");
    let own = [("image", step.image.is_some()), ("command", !step.command.is_empty()), ("args", !step.args.is_empty())];
    if let Some((field, _)) = own.into_iter().find(|(_, set)| *set) {
        return invalid(at(field), format!("comes from runtime {name}: remove it, or remove runtime"));
    }
    let Some(runtime) = given.offer.runtimes.get(name) else {
        let known = given.offer.runtimes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "is empty".to_owned() } else { format!("has {known}") };
        return invalid(at("runtime"), format!("there is no runtime {name}: the operator's catalog {known}"));
    };
    // What an administrator wrote is not read for expressions.
    let plain = |list: &[String]| list.iter().map(|text| text.replace("${", "$${")).collect::<Vec<_>>();
    Ok(Program {
        image: runtime.image.clone(),
        command: texts(&at("runtime"), &plain(&runtime.command), env)?,
        args: texts(&at("runtime"), &plain(&runtime.args), env)?,
        with: Some(With::check(&at("with"), &step.with, runtime.schema.as_ref(), given.params, env)?),
        runtime: Some(runtime),
    })
}

/// Whether the operator and the image can do what the step wants of artifacts.
fn served(
    offer: &Offer,
    artifacts: &artifacts::ArtifactRules,
    program: &Program<'_>,
    path: &str,
) -> Result<(), Invalid> {
    if artifacts.is_empty() {
        return Ok(());
    }
    if offer.artifacts.is_none() {
        return invalid(format!("{path}.artifacts"), format!("this operator has no artifact store: {A_STORE}"));
    }
    if !artifacts.outputs.is_empty() && program.command.is_empty() {
        return invalid(
            format!("{path}.command"),
            "artifacts.out needs it, since the entrypoint of an image is not known outside of it: name the program",
        );
    }
    Ok(())
}

/// Whole logs need a place.
fn logs(offer: &Offer, step: &Step, path: &str) -> Result<Logs, Invalid> {
    let logs = step.logs.unwrap_or_default();
    if logs == Logs::Full && offer.artifacts.is_none() {
        return invalid(
            format!("{path}.logs"),
            format!("Full needs an artifact store, and this operator has none: {A_STORE}, or take Keep"),
        );
    }
    Ok(logs)
}

/// Whether the runtime writes what the step wants of it.
fn can_write(
    name: &str,
    runtime: &Runtime,
    outputs: &BTreeMap<String, ValueType>,
    artifacts: &artifacts::ArtifactRules,
    path: &str,
) -> Result<(), Invalid> {
    if let Some(known) = &runtime.outputs {
        for (output, of) in outputs {
            let field = || format!("{path}.outputs[{output}]");
            match known.get(output) {
                Some(written) if written == of => {}
                Some(written) => {
                    return invalid(field(), format!("runtime {name} writes it as {written}: set type: {written}"));
                }
                None => {
                    let all = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    return invalid(field(), format!("runtime {name} has no such output, it has {all}"));
                }
            }
        }
    }
    if let Some(known) = &runtime.artifacts
        && let Some(artifact) = artifacts.outputs.iter().find(|a| !known.contains(&a.name))
    {
        return invalid(
            format!("{path}.artifacts.out[{}]", artifact.name),
            format!("runtime {name} has no such artifact, it has {}", known.join(", ")),
        );
    }
    Ok(())
}

fn outputs(step: &Step, path: &str) -> Result<BTreeMap<String, ValueType>, Invalid> {
    let mut outputs = BTreeMap::new();
    for output in &step.outputs {
        if outputs.insert(output.name.clone(), output.type_.unwrap_or(ValueType::String)).is_some() {
            return invalid(
                format!("{path}.outputs[{}]", output.name),
                "this name is declared twice: rename one of them",
            );
        }
    }
    Ok(outputs)
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

/// The Workflow that a step runs.
fn sub_workflow(given: Given<'_>, step: &Step, sub: &SubWorkflow, path: &str, env: &Env) -> Result<Sub, Invalid> {
    let at = |field: &str| format!("{path}.{field}");
    let of_pods = step
        .retry
        .iter()
        .flat_map(|r| [("retry.exitCodes", !r.exit_codes.is_empty()), ("retry.avoidNode", r.avoid_node.is_some())]);
    if let Some(field) = fields_of_a_pod(step).into_iter().chain(of_pods).find_map(|(f, set)| set.then_some(f)) {
        return invalid(
            at(field),
            "has no meaning beside workflow, which runs no pod of its own: remove one of the two",
        );
    }
    let params = With::check(&at("workflow.params"), &sub.params, None, given.params, env)?;
    Ok(Sub { target: sub.name.clone(), params })
}

/// The fields of the step that only a pod can have, and whether they are set.
fn fields_of_a_pod(step: &Step) -> [(&'static str, bool); 10] {
    [
        ("runtime", step.runtime.is_some()),
        ("with", !step.with.is_empty()),
        ("image", step.image.is_some()),
        ("command", !step.command.is_empty()),
        ("args", !step.args.is_empty()),
        ("artifacts", step.artifacts.is_some()),
        ("env", !step.env.is_empty()),
        ("pod", step.pod.is_some()),
        ("logs", step.logs.is_some()),
        ("cache", step.cache.is_some()),
    ]
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

pub(super) fn check(
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

/// Results are read when all steps have ended: well, but for those that may be left out though nothing failed.
fn results(given: Given<'_>, optional: Vec<usize>) -> Result<BTreeMap<String, Checked>, Invalid> {
    let mut well = all(given.spec);
    optional.into_iter().for_each(|place| well.remove(place));
    let env = given.names.when_ended(all(given.spec), well);
    given
        .spec
        .results
        .iter()
        .map(|(name, text)| Ok((name.clone(), check(&format!("spec.results.{name}"), &text.0, |t| t.check(&env))?)))
        .collect()
}

/// The step that a reference reads.
fn step_of(reference: Reference) -> Option<String> {
    match reference {
        Reference::StepOutput { step, .. } | Reference::StepOutputs { step } | Reference::StepPhase(step) => Some(step),
        Reference::Param(_)
        | Reference::RunId
        | Reference::RunNumber
        | Reference::RunPhase
        | Reference::Item
        | Reference::Index
        | Reference::Now => None,
    }
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
