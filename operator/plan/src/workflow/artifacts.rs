//! Files that steps hand on: what a step declares, what its spec.json says of them, and what became of them.

use super::{
    outcome::{Failed, failed},
    valid::{Invalid, ValidStep, invalid},
};
use hearth_contract::{
    MAX_ARTIFACTS, MAX_INPUTS,
    digest::Digest,
    message::{self, Fact},
    name::{MAX_NAME, is_artifact_name},
    spec::{Artifact, IN, Input, OUT, is_below, within},
};
use hearth_crds::{
    artifacts::{Artifacts, StoredArtifact},
    condition::Reason,
    workflow::{FailureClass, Run, Step, StepPhase, WorkflowSpec},
};
use std::collections::{BTreeMap, BTreeSet};

/// An artifact of an earlier step that a step reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactInput {
    /// What the step calls it.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// The step that leaves it.
    pub step: String,
    /// Its name there.
    pub artifact: String,
}

/// What a step declares, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactRules {
    /// What it reads.
    pub inputs: Vec<ArtifactInput>,
    /// What it leaves.
    pub outputs: Vec<Artifact>,
    /// Of those, what some other step reads: this is kept in status.
    pub kept: BTreeSet<String>,
}

impl ArtifactRules {
    /// Whether there is nothing to fetch or to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty()
    }
}

/// Checks what a step declares. `ended` are the steps that have ended when it starts.
pub(super) fn check(
    spec: &WorkflowSpec,
    step: &Step,
    at: &str,
    ended: impl Fn(&str) -> bool,
) -> Result<ArtifactRules, Invalid> {
    let none = Artifacts::default();
    let written = step.artifacts.as_ref().unwrap_or(&none);
    let at_in = |i: usize, field: &str| format!("{at}.artifacts.in[{i}].{field}");
    let at_out = |i: usize, field: &str| format!("{at}.artifacts.out[{i}].{field}");
    most(&format!("{at}.artifacts.in"), written.inputs.len(), MAX_INPUTS)?;
    most(&format!("{at}.artifacts.out"), written.outputs.len(), MAX_ARTIFACTS)?;
    if !written.outputs.is_empty() && step.for_each.is_some() {
        return invalid(
            format!("{at}.artifacts.out"),
            "has no meaning beside forEach: its items write outputs, or files to a volume; remove one of the two",
        );
    }
    let mut rules = ArtifactRules::default();
    for (i, input) in written.inputs.iter().enumerate() {
        let (from, artifact) =
            source(spec, &input.from).map_err(|m| Invalid { field: at_in(i, "from"), message: m })?;
        if !ended(from) {
            return invalid(at_in(i, "from"), format!("step {from} need not have ended by then: add it to needs"));
        }
        let name = input.name.as_deref().unwrap_or(artifact);
        named(name).map_err(|m| Invalid { field: at_in(i, "name"), message: m })?;
        if rules.inputs.iter().any(|other| other.name == name) {
            return invalid(at_in(i, "name"), format!("{name} is there twice: give one of them another name"));
        }
        let path = placed(IN, input.path.as_deref().unwrap_or(name), rules.inputs.iter().map(|o| o.path.as_str()))
            .map_err(|m| Invalid { field: at_in(i, "path"), message: m })?;
        rules.inputs.push(ArtifactInput { name: name.into(), path, step: from.into(), artifact: artifact.into() });
    }
    for (i, output) in written.outputs.iter().enumerate() {
        let name = output.name.as_str();
        named(name).map_err(|m| Invalid { field: at_out(i, "name"), message: m })?;
        if rules.outputs.iter().any(|other| other.name == name) {
            return invalid(at_out(i, "name"), format!("{name} is there twice: rename one of them"));
        }
        let path = placed(OUT, output.path.as_deref().unwrap_or(name), rules.outputs.iter().map(|o| o.path.as_str()))
            .map_err(|m| Invalid { field: at_out(i, "path"), message: m })?;
        rules.outputs.push(Artifact { name: name.into(), path });
    }
    Ok(rules)
}

fn most(field: &str, count: usize, limit: usize) -> Result<(), Invalid> {
    if count > limit { invalid(field, format!("has {count} entries, at most {limit} are allowed")) } else { Ok(()) }
}

fn named(name: &str) -> Result<(), String> {
    if is_artifact_name(name) {
        return Ok(());
    }
    Err(format!("{name:?} is not a letter followed by letters, digits, _ or -, {MAX_NAME} at most"))
}

/// The step and the artifact that `from` names.
fn source<'a>(spec: &'a WorkflowSpec, from: &'a str) -> Result<(&'a str, &'a str), String> {
    let Some((name, artifact)) = from.split_once('.') else {
        return Err(format!("{from:?} is not STEP.ARTIFACT, for example clean.table"));
    };
    let Some(step) = spec.steps.iter().find(|s| s.name == name) else {
        let all = spec.steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(format!("there is no step named {name}: the steps are {all}"));
    };
    let left: Vec<&str> = step.artifacts.iter().flat_map(|a| &a.outputs).map(|o| o.name.as_str()).collect();
    if left.contains(&artifact) {
        return Ok((name, artifact));
    }
    let left = if left.is_empty() { "none".to_owned() } else { left.join(", ") };
    Err(format!("step {name} leaves no artifact {artifact:?}, it leaves {left}: add it to its artifacts.out"))
}

/// The absolute path of what a user calls `path`, which is apart from the others.
fn placed<'a>(root: &str, path: &str, mut others: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let whole = format!("{root}/{path}");
    if !is_below(root, &whole) {
        return Err(format!("{path:?} is not a plain path below {root}: no leading slash, no `..`"));
    }
    match others.find(|other| within(other, &whole) || within(&whole, other)) {
        Some(other) => Err(format!("{path:?} is also in the way of {other}: give one of them another path")),
        None => Ok(whole),
    }
}

/// Marks the artifacts that some other step reads.
pub(super) fn keep(steps: &mut [ValidStep], on_exit: Option<&ValidStep>) {
    let read: BTreeSet<(String, String)> = steps
        .iter()
        .chain(on_exit)
        .flat_map(|s| &s.artifacts.inputs)
        .map(|i| (i.step.clone(), i.artifact.clone()))
        .collect();
    for step in steps {
        let of = read.iter().filter(|(from, _)| *from == step.name);
        step.artifacts.kept = of.map(|(_, artifact)| artifact.clone()).collect();
    }
}

/// What spec.json says of the inputs of a step.
///
/// # Errors
/// One is not there.
pub(super) fn inputs(run: &Run, step: &ValidStep) -> Result<Vec<Input>, String> {
    step.artifacts.inputs.iter().map(|input| one_input(run, input)).collect()
}

fn one_input(run: &Run, input: &ArtifactInput) -> Result<Input, String> {
    let ArtifactInput { name, path, step, artifact } = input;
    let from = run.steps.named(step).filter(|s| s.phase == StepPhase::Succeeded);
    let Some(stored) = from.and_then(|s| s.artifacts.get(artifact)) else {
        return Err(format!(
            "artifact {step}.{artifact} is not there, since step {step} did not succeed: guard this step with when"
        ));
    };
    let digest: Digest = stored.digest.parse().map_err(|e| format!("artifact {step}.{artifact}: {e}"))?;
    let bytes = u64::try_from(stored.bytes).unwrap_or(0);
    Ok(Input { name: name.clone(), path: path.clone(), digest, bytes, directory: stored.directory })
}

/// The parts of a termination message: outputs as text, and the artifacts that are stored.
pub(super) fn told(text: &str, step: &ValidStep) -> Result<(String, BTreeMap<String, StoredArtifact>), Failed> {
    if step.artifacts.outputs.is_empty() {
        return Ok((text.to_owned(), BTreeMap::new()));
    }
    let wrong = |reason, why: String| failed(FailureClass::UserError, reason, why);
    let message = message::parse(text).map_err(|e| {
        wrong(
            Reason::OutputsNotJson,
            format!("{e}: the command must not write to /dev/termination-log after it has ended"),
        )
    })?;
    let missing = step.artifacts.outputs.iter().find(|a| !message.artifacts.contains_key(&a.name));
    if let Some(missing) = missing {
        return Err(wrong(Reason::ArtifactMissing, format!("artifact {} was not stored", missing.name)));
    }
    let outputs = serde_json::to_string(&message.outputs).unwrap_or_default();
    let artifacts = message.artifacts.into_iter().map(|(name, fact)| (name, stored(fact))).collect();
    Ok((outputs, artifacts))
}

fn stored(fact: Fact) -> StoredArtifact {
    StoredArtifact {
        digest: fact.digest.to_string(),
        bytes: i64::try_from(fact.bytes).unwrap_or(i64::MAX),
        directory: fact.directory,
    }
}
