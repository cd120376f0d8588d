//! Fan-outs: a step that runs once for each item of a list.
//!
//! Items start in their order, so that one number, the high-water mark, intends them all. Only what differs from "in its
//! first attempt since the mark passed it" is listed by item.

use super::{
    attempt::One,
    build::Unready,
    cache::{Recalled, taken_over},
    machine::{Pass, explain, explain_at, finish, never_started, values_for},
    valid::{ItemSource, ValidStep},
};
use crate::expr::{ExprError, Item, MAX_LIST, Values};
use hearth_crds::{
    condition::Reason,
    json::Json,
    time::Time,
    workflow::{FanOut, Found, ItemStatus, Mark, Run, StepPhase, StepStatus},
};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The most items of a step: an expression gives no longer list.
pub const MAX_ITEMS: usize = MAX_LIST;
/// The longest item, as JSON: it is part of its pod's spec.json.
pub const MAX_ITEM: usize = 4 * 1024;
/// The most items of a run that are open at one time: each may have to be listed.
pub const MAX_OPEN: usize = 256;
/// Failed items that are listed.
const LISTED_FAILURES: usize = 20;
/// Moves of the mark that are told apart; older ones are merged.
const LISTED_MARKS: usize = 16;

/// The list that a step works on.
///
/// # Errors
/// The expression fails, or gives no list that can be worked on.
pub fn items<'s>(step: &'s ValidStep, values: &Values) -> Result<Cow<'s, [Value]>, String> {
    let list = match &step.for_each {
        None => return Ok(Cow::Borrowed(&[])),
        Some(ItemSource::Listed(list)) => return Ok(Cow::Borrowed(list)),
        Some(ItemSource::Given(expression)) => match expression.render(values).map_err(|e: ExprError| e.to_string())? {
            Value::Array(list) => list,
            other => {
                return Err(format!("forEach.expression gives {}, not a list", hearth_crds::json::type_name(&other)));
            }
        },
    };
    match list.iter().position(|item| length(item) > MAX_ITEM) {
        Some(index) => {
            Err(format!("item {index} of forEach is longer than {MAX_ITEM} bytes: pass a name, not the data"))
        }
        None => Ok(Cow::Owned(list)),
    }
}

fn length(item: &Value) -> usize {
    serde_json::to_vec(item).map_or(usize::MAX, |v| v.len())
}

/// Whether an item does not fit into its pod's spec.json.
pub(super) fn is_too_long(item: &Json) -> bool {
    length(&item.0) > MAX_ITEM
}

/// Outputs of a fan-out that succeeded: one object for each item, in their order.
pub(super) fn outputs(fan: &FanOut) -> Value {
    let of = |index: u32| {
        let kept = fan.outputs.get(&index.to_string());
        Value::Object(kept.into_iter().flatten().map(|(k, v)| (k.clone(), v.0.clone())).collect::<Map<_, _>>())
    };
    Value::Array((0..fan.count).map(of).collect())
}

/// The open items that may have a pod, and the number of their attempt.
pub(super) fn open_attempts(fan: &FanOut, status: &StepStatus) -> impl Iterator<Item = (u32, u32)> {
    fan.open
        .iter()
        .map(|index| (index, unfold(fan, status, index)))
        .filter(|(_, one)| one.phase == StepPhase::Running)
        .map(|(index, one)| (index, one.attempt))
}

/// Stops all items: those that wait for another attempt are over, the pods of the others go in the next pass.
pub(super) fn stop_items(status: &mut StepStatus, reason: Reason, now: Time) {
    status.stop.get_or_insert(reason);
    let Some(fan) = status.fan_out.as_deref_mut() else { return };
    for item in fan.items.iter().filter(|i| i.phase == StepPhase::Waiting) {
        fan.open.remove(item.index);
        fan.cancelled.insert(item.index);
    }
    fan.items.retain(|i| i.phase != StepPhase::Waiting);
    if fan.open.is_empty() {
        conclude(status, now);
    }
}

/// One item that may have started, as a step of its own.
#[must_use]
pub fn unfold(fan: &FanOut, status: &StepStatus, index: u32) -> StepStatus {
    let since = fan.marks.iter().find(|m| index < m.below).map(|m| m.at).or(status.since);
    let mut one = StepStatus {
        attempt: 1,
        since,
        finished_at: None,
        reason: None,
        ..never_started(&status.name, phase(fan, index), Reason::Running, Time::from_millis(0))
    };
    if let Some(item) = fan.items.iter().find(|i| i.index == index) {
        one.phase = item.phase;
        one.attempt = item.attempt;
        one.since = item.since.or(since);
        one.retry_at = item.retry_at;
        one.stop = item.stop;
        one.application = item.application;
        one.infrastructure = item.infrastructure;
        one.ended = item.ended.iter().cloned().collect();
        one.reason = item.reason;
        one.finished_at = item.finished_at;
        if item.cache.is_some() {
            one.cache.clone_from(&item.cache);
            one.outputs = fan.outputs.get(&index.to_string()).cloned().unwrap_or_default();
        }
    }
    if !one.phase.is_terminal() {
        one.stop = one.stop.or(status.stop);
    }
    one
}

/// The phase of an item that may have started.
pub(super) fn phase(fan: &FanOut, index: u32) -> StepPhase {
    if fan.open.contains(index) {
        StepPhase::Running
    } else if fan.failed.contains(index) {
        StepPhase::Failed
    } else if fan.cancelled.contains(index) {
        StepPhase::Cancelled
    } else {
        StepPhase::Succeeded
    }
}

/// Keeps what became of an item.
fn fold(fan: &mut FanOut, stop: Option<Reason>, index: u32, mut one: StepStatus) {
    fan.items.retain(|i| i.index != index);
    let plain = one.attempt == 1 && one.phase == StepPhase::Running && one.stop == stop && one.ended.is_empty();
    let listed = match one.phase {
        StepPhase::Running | StepPhase::Waiting => !plain,
        StepPhase::Failed => {
            fan.open.remove(index);
            fan.failed.insert(index);
            fan.items.iter().filter(|i| i.phase == StepPhase::Failed).count() < LISTED_FAILURES
        }
        StepPhase::Succeeded => {
            fan.open.remove(index);
            if !one.outputs.is_empty() {
                fan.outputs.insert(index.to_string(), std::mem::take(&mut one.outputs));
            }
            // No pod tells the record what was taken over.
            one.cache.is_some()
        }
        StepPhase::Cancelled | StepPhase::Skipped => {
            fan.open.remove(index);
            fan.cancelled.insert(index);
            false
        }
    };
    if listed {
        let item = item(index, stop, one);
        let at = fan.items.binary_search_by_key(&index, |i| i.index).unwrap_or_else(|at| at);
        fan.items.insert(at, item);
    }
}

/// How an item is listed. What stops the whole step is not said again.
fn item(index: u32, stop: Option<Reason>, one: StepStatus) -> ItemStatus {
    ItemStatus {
        index,
        phase: one.phase,
        attempt: one.attempt,
        since: one.since,
        retry_at: one.retry_at,
        stop: one.stop.filter(|_| one.stop != stop),
        application: one.application,
        infrastructure: one.infrastructure,
        ended: one.ended.into_iter().next_back(),
        reason: one.reason,
        finished_at: one.finished_at,
        cache: one.cache,
    }
}

/// Cancels the open items of a step that nobody will see again. They stay listed, so that their rows can be made without
/// their pods.
pub(super) fn cancel_items(status: &mut StepStatus, reason: Reason, at: Time) {
    let Some(mut fan) = status.fan_out.take() else { return };
    for index in std::mem::take(&mut fan.open).iter() {
        let mut one = unfold(&fan, status, index);
        finish(&mut one, StepPhase::Cancelled, Some(reason), at);
        fan.items.retain(|i| i.index != index);
        fan.items.push(item(index, None, one));
    }
    status.fan_out = Some(fan);
}

/// Ends the step: no item is open, and none will start.
fn conclude(status: &mut StepStatus, now: Time) {
    let Some(fan) = status.fan_out.as_deref_mut() else { return };
    fan.marks.clear();
    let (phase, reason) = if let Some(stop) = status.stop {
        (StepPhase::Cancelled, Some(stop))
    } else if !fan.failed.is_empty() {
        (StepPhase::Failed, Some(Reason::ItemsFailed))
    } else if !fan.cancelled.is_empty() {
        (StepPhase::Cancelled, Some(Reason::Cancelled))
    } else {
        (StepPhase::Succeeded, None)
    };
    finish(status, phase, reason, now);
}

impl Pass<'_> {
    /// Takes in what became of the open items, and ends the step after the last one.
    pub(super) fn observe_items(&mut self, run: &mut Run, status: &mut StepStatus, step: &ValidStep) {
        let Some(mut fan) = status.fan_out.take() else { return };
        for index in fan.open.iter().collect::<Vec<_>>() {
            let mut one = unfold(&fan, status, index);
            match one.phase {
                StepPhase::Running => self.observe_one(run, &mut One { status: &mut one, step, item: Some(index) }),
                // The run is being stopped: it waits for nothing any more.
                StepPhase::Waiting if status.stop.is_some() => {
                    finish(&mut one, StepPhase::Cancelled, status.stop, self.now)
                }
                StepPhase::Waiting
                | StepPhase::Succeeded
                | StepPhase::Failed
                | StepPhase::Skipped
                | StepPhase::Cancelled => {}
            }
            fold(&mut fan, status.stop, index, one);
        }
        let first = fan.open.iter().next().unwrap_or(fan.started);
        fan.marks.retain(|m| m.below > first);
        let over = fan.open.is_empty() && (fan.started == fan.count || status.stop.is_some());
        status.fan_out = Some(fan);
        if over {
            conclude(status, self.now);
        }
    }

    /// Lists the items of a step whose needs are met. Whether there is something to start.
    pub(super) fn begin_fan_out(&mut self, run: &mut Run, step: &ValidStep) -> bool {
        let mut status = StepStatus {
            since: Some(self.now),
            started_at: Some(self.now),
            finished_at: None,
            reason: None,
            ..never_started(&step.name, StepPhase::Running, Reason::Running, self.now)
        };
        match items(step, &values_for(run, self.spec, step)) {
            Ok(list) => {
                let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
                status.fan_out = Some(Box::new(FanOut { count, ..FanOut::default() }));
                status.workflow = step.sub.as_ref().map(|s| s.target.clone());
                if list.is_empty() {
                    conclude(&mut status, self.now);
                }
                run.steps.push(status);
                !list.is_empty()
            }
            Err(why) => {
                finish(&mut status, StepPhase::Failed, Some(Reason::ExpressionFailed), self.now);
                run.steps.push(status);
                explain(run, &step.name, Reason::ExpressionFailed, None, &why);
                false
            }
        }
    }

    /// Starts what is due of a fan-out, while there is room: attempts that follow failed ones, then new items. How many.
    pub(super) fn begin_items(&mut self, run: &mut Run, step: &ValidStep, room: usize) -> usize {
        let Some(position) = run.steps.position(&step.name) else { return 0 };
        let Some(mut status) = run.steps.get(position).filter(|s| s.phase == StepPhase::Running).cloned() else {
            return 0;
        };
        let Some(mut fan) = status.fan_out.take() else { return 0 };
        let mut values = values_for(run, self.spec, step);
        let list = match items(step, &values) {
            Ok(list) => list,
            Err(why) => {
                self.note(&step.name, Reason::ExpressionFailed, why);
                return 0;
            }
        };
        let before = self.intents.len();
        let running = open_attempts(&fan, &status).count();
        let room = room.min(step.max_parallel.saturating_sub(running));
        let due = fan.items.iter().filter(|i| i.phase == StepPhase::Waiting);
        let due: Vec<u32> = due.filter(|i| i.retry_at.is_none_or(|at| at <= self.now)).map(|i| i.index).collect();
        if let Some(at) = fan.items.iter().filter_map(|i| i.retry_at).filter(|at| *at > self.now).min() {
            self.wake_at(at);
        }
        let mut started = 0;
        for index in due.into_iter().take(room) {
            let mut one = unfold(&fan, &status, index);
            one.attempt += 1;
            self.begin_item(run, step, &mut one, index, &mut values, &list);
            started += usize::from(one.phase == StepPhase::Running);
            fold(&mut fan, status.stop, index, one);
        }
        let open = open_items(run, &step.name).saturating_add(fan.open.count());
        let mut fresh = room.saturating_sub(started).min(MAX_OPEN.saturating_sub(open));
        let from = fan.started;
        for index in from..fan.count {
            if fresh == 0 && step.cache.is_none() {
                break;
            }
            let one = match self.recall_item(run, step, &fan, index, (&mut values, &*list)) {
                Recalled::Open => break,
                Recalled::Done(work) => {
                    StepStatus { outputs: work.outputs.clone(), ..taken_over(&step.name, &work, self.now) }
                }
                Recalled::Undone(_) if fresh == 0 => break,
                Recalled::Undone(found) => {
                    fresh -= 1;
                    if found == Some(Found::Unknown) {
                        status.cache = Some(Found::Unknown.into());
                    }
                    fan.open.insert(index);
                    let mut one = unfold(&fan, &status, index);
                    self.begin_item(run, step, &mut one, index, &mut values, &list);
                    one
                }
            };
            fan.started = index + 1;
            fold(&mut fan, status.stop, index, one);
        }
        if fan.started > from {
            fan.marks.push(Mark { below: fan.started, at: self.now });
            if fan.marks.len() > LISTED_MARKS {
                fan.marks.remove(0);
            }
        } else if fan.started < fan.count && fresh == 0 {
            self.note(&step.name, Reason::Running, "waiting for room within parallelism");
        }
        let over = fan.open.is_empty() && fan.started == fan.count;
        status.fan_out = Some(fan);
        if over {
            conclude(&mut status, self.now);
        }
        if let Some(kept) = run.steps.get_mut(position) {
            *kept = status;
        }
        self.intents.len().saturating_sub(before)
    }

    /// Writes the intent of an item's next attempt, or its failure when its expressions fail.
    fn begin_item(
        &mut self,
        run: &mut Run,
        step: &ValidStep,
        one: &mut StepStatus,
        index: u32,
        values: &mut Values,
        list: &[Value],
    ) {
        values.item = list.get(index as usize).map(|value| Item { index, value: value.clone() });
        match self.ready(run, step, values) {
            Ok(()) => {
                one.phase = StepPhase::Running;
                one.since = Some(self.now);
                one.retry_at = None;
                one.reason = None;
                self.intend(run, step, Some(index), one.attempt, values);
            }
            Err(Unready { reason, message }) => {
                one.attempt -= 1;
                finish(one, StepPhase::Failed, Some(reason), self.now);
                explain_at(run, &step.name, Some(index), None, reason, None, &message);
            }
        }
    }
}

/// Open items of the other fan-outs of a run.
pub(super) fn open_items(run: &Run, but: &str) -> usize {
    run.steps.iter().filter(|s| s.name != but).filter_map(|s| s.fan_out.as_ref()).map(|f| f.open.count()).sum()
}
