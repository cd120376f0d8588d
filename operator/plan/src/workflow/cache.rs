//! Work that need not be done again. What a step is given makes a key; the history store knows which attempt with the same
//! key succeeded, and the step takes over what that one wrote and left.
//!
//! A step is looked up once, before its first attempt, and waits for the answer. Only the status tells the record what was
//! taken over, so all of it stays there until the record is stored, and then as much as somebody reads.

use super::{
    attempt::{MAX_KEPT, size},
    build::{self, Owner},
    digest, fan_out,
    history::Source,
    machine::{Pass, held, never_started, values_for},
    valid::{Invalid, Valid, ValidEnv, ValidStep, invalid},
    validate::duration,
};
use crate::{
    expr::{Checked, Item, Reference, Values},
    record::{EventRow, LineageRow, Relation, StepRow},
    work::{Answer, Sought, Work},
};
use hearth_crds::{
    condition::Reason,
    pod::{PodSubset, Volume},
    time::Time,
    workflow::{CacheUse, FanOut, Found, Run, Step, StepPhase, StepStatus},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The least `maxAge`.
const LEAST_AGE: Duration = Duration::from_secs(60);
/// Items of a run whose work was taken over and that are listed until they are recorded.
const LISTED_HITS: usize = 32;
/// Items that are looked up ahead of the one that is next.
const AHEAD: usize = 64;
/// How long what was taken over waits for room, counted from the last change of the status.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a pass that waits for a record looks again.
const AGAIN: Duration = Duration::from_secs(1);

/// What `cache` of a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRule {
    /// How long ago the work may have ended.
    pub max_age: Duration,
    /// Digest of the image.
    pub image: String,
    /// Params that the work is given: those that its command, args, env and `with` read.
    pub params: BTreeSet<String>,
    /// Whether those read the index of the item.
    pub index: bool,
}

/// Checks that all that the work depends on is known before it is done.
pub(super) fn check(step: &Step, valid: &ValidStep, path: &str) -> Result<Option<CacheRule>, Invalid> {
    let Some(cache) = &step.cache else { return Ok(None) };
    let at = |field: &str| format!("{path}.{field}");
    let max_age = duration(&at("cache.maxAge"), Some(&cache.max_age))?.unwrap_or_default();
    if max_age < LEAST_AGE {
        return invalid(
            at("cache.maxAge"),
            format!("{} is too short: write 1m or more, for example 30d", cache.max_age),
        );
    }
    let Some(image) = digest_of(&valid.image) else {
        return match (&step.runtime, &step.image) {
            (Some(name), _) => invalid(
                at("runtime"),
                format!(
                    "cache needs an image that is named by its digest, and the catalog has {} for {name}: have it pinned (runtimes.digests of the chart), or remove cache",
                    valid.image
                ),
            ),
            (None, own) => invalid(
                if own.is_some() { at("image") } else { "spec.image".to_owned() },
                format!(
                    "cache needs an image that is named by its digest, since {} may be another one tomorrow: write NAME@sha256:…, or remove cache",
                    valid.image
                ),
            ),
        };
    };
    let contents = "holds what can change without a change of the spec, and cache would not see it: write the value here, or pass it as an artifact, or remove cache";
    if let Some((name, source)) = valid.env.iter().find_map(|(name, value)| Some((name, outside(value)?))) {
        return invalid(at(&format!("env[{name}].valueFrom.{source}")), contents);
    }
    if let Some(field) = changing(&valid.pod) {
        return invalid(at(&format!("pod.{field}")), contents);
    }
    let read = references(valid);
    Ok(Some(CacheRule {
        max_age,
        image: image.to_owned(),
        index: read.contains(&Reference::Index),
        params: read
            .into_iter()
            .filter_map(|r| if let Reference::Param(name) = r { Some(name) } else { None })
            .collect(),
    }))
}

/// Bytes of outputs and artifacts in the status that nobody reads.
pub(super) fn unread(spec: &Valid, run: &Run) -> usize {
    let of = |status: &StepStatus| {
        let Some(step) = spec.step(&status.name) else { return 0 };
        let items = status.fan_out.iter().flat_map(|f| f.outputs.values());
        let outputs = items.chain([&status.outputs]).map(|all| but(all, &step.kept)).sum::<usize>();
        outputs.saturating_add(but(&status.artifacts, &step.artifacts.kept))
    };
    run.steps.iter().map(of).sum()
}

/// Bytes of all but those that are kept.
fn but<V: Serialize>(all: &BTreeMap<String, V>, kept: &BTreeSet<String>) -> usize {
    let rest = all.iter().filter(|(name, _)| !kept.contains(*name));
    size(&rest.map(|(name, value)| (name.clone(), value)).collect())
}

/// The digest that an image is named by.
fn digest_of(image: &str) -> Option<&str> {
    let (_, digest) = image.rsplit_once('@')?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then_some(digest)
}

/// The source of a variable that brings what is not known: labels and annotations of the pod are not in the key, and its
/// name, node and address are others each time.
fn outside(value: &ValidEnv) -> Option<&'static str> {
    let ValidEnv::Source(source) = value else { return None };
    let of = |given: bool, name| given.then_some(name);
    of(source.config_map_key_ref.is_some(), "configMapKeyRef").or(of(source.field_ref.is_some(), "fieldRef"))
}

/// The setting of a pod that brings what is not known: a Secret is named in the key, since it opens doors and says nothing
/// of the work.
fn changing(pod: &PodSubset) -> Option<String> {
    if pod.env_from.iter().any(|e| e.config_map.is_some()) {
        return Some("envFrom".to_owned());
    }
    let brings = |v: &&Volume| {
        let projected = v.projected.iter().flat_map(|p| &p.sources).any(|s| s.config_map.is_some());
        v.pvc.is_some() || v.config_map.is_some() || projected
    };
    pod.volumes.iter().find(brings).map(|v| format!("volumes[{}]", v.name))
}

/// What the program is given by expressions. When it runs, and for which items, is no matter of the work.
fn references(step: &ValidStep) -> Vec<Reference> {
    let env = step.env.iter().filter_map(|(_, value)| match value {
        ValidEnv::Text(text) => Some(text),
        ValidEnv::Source(_) => None,
    });
    let with = step.with.iter().flat_map(|w| w.expressions());
    let all = step.command.iter().chain(&step.args).chain(env).chain(with);
    all.flat_map(|checked: &Checked| checked.template().references()).collect()
}

/// What the work is: equal for equal work of one namespace, and for no other. None when it cannot be done at all.
fn key(namespace_uid: &str, run: &Run, step: &ValidStep, values: &Values) -> Option<String> {
    let rule = step.cache.as_ref()?;
    let given = build::render(run, step, values).ok()?;
    let inputs: Vec<Value> = given
        .inputs
        .iter()
        .map(|i| json!({"name": i.name, "path": i.path, "digest": i.digest.to_string(), "directory": i.directory}))
        .collect();
    let item = values.item.as_ref();
    let work = json!({
        "namespace": namespace_uid,
        "image": rule.image,
        "command": given.command,
        "args": given.args,
        "env": given.env,
        "with": given.with,
        "item": item.map(|i| &i.value),
        "index": item.filter(|_| rule.index).map(|i| i.index),
        "params": build::params(run, step),
        "inputs": inputs,
        "outputs": step.outputs,
        "artifacts": step.artifacts.outputs,
        "envFrom": step.pod.env_from,
        "volumes": step.pod.volumes,
        "mounts": step.pod.volume_mounts,
    });
    Some(digest::work_key(&work))
}

/// What becomes of a step or an item that could begin.
pub(super) enum Recalled {
    /// The work is to be done; what was found of earlier work.
    Undone(Option<Found>),
    /// That is not known yet.
    Open,
    /// It was done.
    Done(Box<Work>),
}

/// Whether what was taken over has room in the status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Now,
    Soon,
    Never,
}

impl Pass<'_> {
    /// Takes a step over if its work was done before.
    pub(super) fn recall(&mut self, run: &mut Run, step: &ValidStep) -> Recalled {
        if step.cache.is_none() {
            return Recalled::Undone(None);
        }
        let values = values_for(run, self.spec, step);
        let recalled = self.look_up(run, step, &values);
        let Recalled::Done(work) = recalled else { return recalled };
        let more = size(&work.outputs).saturating_add(size(&work.artifacts));
        match self.room(run, more, 0, true) {
            Room::Now => {}
            Room::Soon => return self.wait_for_record(&step.name),
            Room::Never => return Recalled::Undone(Some(Found::Missed)),
        }
        self.held += more;
        let hit = taken_over(&step.name, &work, self.now);
        run.steps.push(StepStatus { outputs: work.outputs.clone(), artifacts: work.artifacts.clone(), ..hit });
        Recalled::Done(work)
    }

    /// The same for an item of a step; `fan` is how far its items have come.
    pub(super) fn recall_item(
        &mut self,
        run: &Run,
        step: &ValidStep,
        fan: &FanOut,
        index: u32,
        (values, list): (&mut Values, &[Value]),
    ) -> Recalled {
        if step.cache.is_none() {
            return Recalled::Undone(None);
        }
        values.item = item_of(list, index);
        let recalled = self.look_up(run, step, values);
        if matches!(recalled, Recalled::Open) {
            self.look_ahead(run, step, index, values, list);
        }
        let Recalled::Done(work) = recalled else { return recalled };
        let others = run.steps.iter().filter(|s| s.name != step.name).filter_map(|s| s.fan_out.as_deref());
        let listed: usize = others.map(listed_hits).sum::<usize>() + listed_hits(fan);
        let open = fan_out::open_items(run, &step.name) + fan.open.count();
        // One that is listed takes the room of two that are open.
        let listable = listed < LISTED_HITS && open + 2 * (listed + 1) <= fan_out::MAX_OPEN;
        let more = size(&work.outputs);
        match self.room(run, more, listed, listable) {
            Room::Now => {}
            Room::Soon => return self.wait_for_record(&step.name),
            Room::Never => return Recalled::Undone(Some(Found::Missed)),
        }
        self.held += more;
        Recalled::Done(work)
    }

    fn look_up(&mut self, run: &Run, step: &ValidStep, values: &Values) -> Recalled {
        let Some(sought) = self.sought_for(run, step, values) else { return Recalled::Undone(None) };
        let facts = self.facts;
        let answer = facts.work.get(&sought);
        self.sought.push(sought);
        match answer {
            Some(Answer::Done(work)) => Recalled::Done(work.clone()),
            Some(Answer::Nothing) => Recalled::Undone(Some(Found::Missed)),
            Some(Answer::Unknown(_)) => Recalled::Undone(Some(Found::Unknown)),
            None => {
                self.note(&step.name, Reason::Accepted, "looking whether its work was done before");
                Recalled::Open
            }
        }
    }

    fn sought_for(&self, run: &Run, step: &ValidStep, values: &Values) -> Option<Sought> {
        let uid = self.env.namespace_uids.get(&self.owner.namespace).filter(|uid| !uid.is_empty())?;
        Some(Sought {
            run_id: run.id.clone(),
            step: step.name.clone(),
            item: values.item.as_ref().map_or(0, |i| i.index),
            namespace_uid: uid.clone(),
            key: key(uid, run, step, values)?,
            max_age: step.cache.as_ref()?.max_age,
        })
    }

    /// One question for many items.
    fn look_ahead(&mut self, run: &Run, step: &ValidStep, index: u32, values: &mut Values, list: &[Value]) {
        for next in (index as usize + 1..list.len()).take(AHEAD) {
            values.item = u32::try_from(next).ok().and_then(|next| item_of(list, next));
            let sought = self.sought_for(run, step, values);
            self.sought.extend(sought);
        }
    }

    /// Room is made when the record of what was taken over before is stored; nobody waits for a store that is away.
    fn room(&self, run: &Run, more: usize, listed: usize, listable: bool) -> Room {
        if listable && self.held.saturating_add(more) <= MAX_KEPT {
            return Room::Now;
        }
        let patient = self.now < run.updated_at.unwrap_or(run.started_at).after(PATIENCE);
        let unread = listed > 0 || run.steps.iter().any(|s| self.holds_unread(s));
        if self.facts.store_up && patient && unread { Room::Soon } else { Room::Never }
    }

    fn holds_unread(&self, status: &StepStatus) -> bool {
        let kept = self.spec.step(&status.name).map(|s| (&s.kept, &s.artifacts.kept));
        let unread = kept.is_some_and(|(outputs, artifacts)| {
            status.outputs.keys().any(|name| !outputs.contains(name))
                || status.artifacts.keys().any(|name| !artifacts.contains(name))
        });
        (is_hit(status) && unread) || status.fan_out.as_deref().is_some_and(|fan| listed_hits(fan) > 0)
    }

    pub(super) fn wait_for_record(&mut self, step: &str) -> Recalled {
        self.urgent = true;
        self.note(step, Reason::Accepted, "waiting until the record of what was taken over is stored");
        self.wake_at(self.now.after(AGAIN));
        Recalled::Open
    }

    /// Lets go of what was taken over for the record alone, when that is stored: of items at once, of steps when room is scarce.
    pub(super) fn drop_recorded_hits(&self, run: &mut Run) {
        if self.facts.recorded.get(&run.id).is_none_or(|seq| *seq < run.seq) {
            return;
        }
        let scarce = run.steps.iter().map(held).sum::<usize>() > MAX_KEPT / 2;
        for status in run.steps.iter_mut() {
            let Some(step) = self.spec.step(&status.name) else { continue };
            if scarce && is_hit(status) {
                status.outputs.retain(|name, _| step.kept.contains(name));
                status.artifacts.retain(|name, _| step.artifacts.kept.contains(name));
            }
            let Some(fan) = status.fan_out.as_deref_mut() else { continue };
            for hit in fan.items.iter().filter(|i| i.cache.is_some()) {
                if let Some(outputs) = fan.outputs.get_mut(&hit.index.to_string()) {
                    outputs.retain(|name, _| step.kept.contains(name));
                }
            }
            fan.outputs.retain(|_, outputs| !outputs.is_empty());
            fan.items.retain(|i| i.cache.is_none());
        }
    }
}

fn item_of(list: &[Value], index: u32) -> Option<Item> {
    list.get(index as usize).map(|value| Item { index, value: value.clone() })
}

/// Items that are listed since their record is not stored yet.
fn listed_hits(fan: &FanOut) -> usize {
    fan.items.iter().filter(|i| i.cache.is_some()).count()
}

pub(super) fn is_hit(status: &StepStatus) -> bool {
    status.cache.as_ref().is_some_and(|c| c.found == Found::Hit)
}

/// A step or an item that takes over what other work wrote and left.
pub(super) fn taken_over(name: &str, work: &Work, now: Time) -> StepStatus {
    let cache = CacheUse {
        found: Found::Hit,
        run: Some(work.run_id.clone()),
        step: Some(work.step.clone()),
        item: Some(work.item).filter(|item| *item > 0),
        finished_at: Some(work.finished_at),
    };
    StepStatus { cache: Some(cache), ..never_started(name, StepPhase::Succeeded, Reason::Cached, now) }
}

/// Whose work was taken over, for the record: the run, and the whole in words.
pub(super) fn origin(status: &StepStatus) -> Option<(String, String)> {
    let hit = status.cache.as_ref().filter(|c| c.found == Found::Hit)?;
    let run = hit.run.clone()?;
    let step = hit.step.as_deref().unwrap_or(&status.name);
    let item = hit.item.map(|index| format!("[{index}]")).unwrap_or_default();
    let at = hit.finished_at.map(|at| format!(" at {at}")).unwrap_or_default();
    let told = format!(
        "the same work was done{at} by step {step}{item} of run {run}, whose outputs and artifacts are taken over"
    );
    Some((run, told))
}

/// That a step was not looked up, since the store did not say.
pub(super) fn doubt(run: &Run, status: &StepStatus) -> Option<EventRow> {
    status.cache.as_ref().filter(|c| c.found == Found::Unknown)?;
    Some(EventRow {
        run_id: run.id.clone(),
        subject: format!("step/{}/0", status.name),
        transition: Reason::CacheUnknown.as_str().to_owned(),
        seq: run.seq,
        at: status.started_at.unwrap_or(run.started_at),
        reason: Some(Reason::CacheUnknown.as_str().to_owned()),
        message: Some("the history store did not say whether its work was done before, so it is done".to_owned()),
    })
}

/// That a step of the run took over work of another one.
pub(super) fn lineage(run: &Run, row: &StepRow) -> Option<LineageRow> {
    let from = row.cached_from.clone().filter(|from| *from != run.id)?;
    Some(LineageRow {
        run_id: run.id.clone(),
        seq: run.seq,
        relation: Relation::Cached,
        from,
        to: run.id.clone(),
        step: row.step.clone(),
        attempt: 0,
        name: String::new(),
    })
}

/// The keys of a step's work, for the rows of attempts that did it.
pub(super) struct Keys<'a> {
    namespace_uid: &'a str,
    run: &'a Run,
    step: &'a ValidStep,
    values: Values,
    list: Vec<Value>,
}

impl<'a> Keys<'a> {
    /// None when the step has no `cache`.
    pub(super) fn of(source: &Source<'a>, run: &'a Run, name: &str) -> Option<Self> {
        let spec = source.spec?.checked.as_ref().ok()?;
        let step = spec.step(name).filter(|s| s.cache.is_some())?;
        let values = values_for(run, spec, step);
        let list = fan_out::items(step, &values).ok()?.into_owned();
        let namespace_uid = source.env.namespace_uids.get(&Owner::of(source.cr).namespace)?;
        (!namespace_uid.is_empty()).then_some(Self { namespace_uid, run, step, values, list })
    }

    /// The key of the step, or of one item of it.
    pub(super) fn key(&mut self, item: Option<u32>) -> Option<String> {
        self.values.item = item.and_then(|index| item_of(&self.list, index));
        key(self.namespace_uid, self.run, self.step, &self.values)
    }
}
