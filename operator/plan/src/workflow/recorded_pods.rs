//! Pods of attempts that are over and recorded leave in mid-run, once there are many.

use super::lifecycle::Work;
use crate::{
    facts::{PodFact, PodPhase},
    kind::Action,
    selection::{Ended, RunPods},
};
use hearth_crds::{
    condition::Reason,
    label,
    workflow::{Run, StepStatus},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pods that may go which a run may hold.
const MANY: usize = 200;
/// Bytes of names that one selector has at most: proxies before an API server take addresses of 8 KiB.
const MAX_NAMES: usize = 5000;
/// Digits of the largest number of an item.
const LONGEST_ITEM: usize = 4;
/// What is left after a request goes with another one, some time later.
const AGAIN: Duration = Duration::from_secs(5);

/// A step, and which of its items.
type Place<'a> = (&'a str, Option<u32>);

impl Work<'_> {
    /// They go in as few requests as there are fan-outs among them, and one more.
    pub(super) fn drop_recorded(&mut self, run: &Run) {
        let places = self.recorded(run).unwrap_or_default();
        if places.len() <= MANY {
            return;
        }
        let failed = self.keep_failed().is_none();
        let (mut steps, mut fan_outs) = (BTreeSet::new(), BTreeMap::<_, BTreeSet<u32>>::new());
        for (step, item) in places {
            match item {
                Some(item) => _ = fan_outs.entry(step.to_owned()).or_default().insert(item),
                None => _ = steps.insert(step.to_owned()),
            }
        }
        let steps: Vec<String> = fitting(steps, String::len).collect();
        let steps = (!steps.is_empty()).then_some((steps, Vec::new()));
        let fan_outs =
            fan_outs.into_iter().map(|(step, items)| (vec![step], fitting(items, |_| LONGEST_ITEM).collect()));
        self.wake_at(self.now.after(AGAIN));
        for (steps, items) in steps.into_iter().chain(fan_outs) {
            let pods = RunPods { run_id: run.id.clone(), only: Some(Ended { steps, items, failed }) };
            self.plan.actions.push((Action::DeleteRunPods(pods), Reason::Stored));
        }
    }

    /// Where each pod belongs that ended and that nobody needs any more: all that an accepted status says of its attempt is
    /// stored, and no log of its place is still to be read.
    fn recorded(&self, run: &Run) -> Option<Vec<Place<'_>>> {
        let old = self.old.as_deref()?.run.as_ref().filter(|r| r.id == run.id)?;
        if *self.facts.recorded.get(&run.id)? < old.seq {
            return None;
        }
        let keeps_failed = self.keep_failed().is_some();
        let of_run = || self.facts.pods().filter(|p| p.is_there() && works_for(p, run));
        let awaited: BTreeSet<Place<'_>> = of_run().filter(|p| self.awaits_log(p)).filter_map(place).collect();
        let ended = of_run().filter(|p| p.seen_to_end() && !(keeps_failed && p.phase == PodPhase::Failed));
        let is_over = |(name, item): &Place<'_>| {
            old.steps.named(name).is_some_and(|step: &StepStatus| match (step.fan_out.as_deref(), *item) {
                (Some(fan), Some(item)) => item < fan.started && !fan.open.contains(item),
                (Some(_), None) | (None, _) => step.phase.is_terminal(),
            })
        };
        Some(ended.filter_map(place).filter(|p| is_over(p) && !awaited.contains(p)).collect())
    }
}

/// As many of them as a selector takes.
fn fitting<T>(values: BTreeSet<T>, length: impl Fn(&T) -> usize) -> impl Iterator<Item = T> {
    let mut room = MAX_NAMES;
    values.into_iter().take_while(move |value| {
        // A comma takes three bytes in an address.
        let left = room.checked_sub(length(value) + 3);
        room = left.unwrap_or_default();
        left.is_some()
    })
}

fn works_for(pod: &PodFact, run: &Run) -> bool {
    let is = |key: &str, value: &str| pod.labels.get(key).is_some_and(|v| v == value);
    is(label::RUN, &run.id) && is(label::ROLE, label::ROLE_ATTEMPT)
}

fn place(pod: &PodFact) -> Option<Place<'_>> {
    let item = match pod.labels.get(label::ITEM) {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    Some((pod.labels.get(label::STEP)?, item))
}
