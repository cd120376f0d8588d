//! A ledger that the steps themselves append to: what truly ran, whatever objects and rows say.

use crate::{Scene, lab::lab};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What each step does: it appends a line when it starts and one when it ends, and takes a moment in between.
const SCRIPT: &str = r#"attempt=`sed -n 's/.*"attempt": *\([0-9][0-9]*\).*/\1/p' /hearth/spec.json`; echo "$1 $attempt start" >> /ledger/$RUN; sleep $LASTS; echo "$1 $attempt end" >> /ledger/$RUN; echo '{"n": 1}' > /dev/termination-log"#;

/// Claims the volume that the ledgers of a namespace are on; a run's file has its id for a name.
///
/// # Errors
/// The lab or the API server refuses.
pub fn claim(scene: &Scene) -> Result<()> {
    lab(&["volumes"])?;
    scene.apply_object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "ledger"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}}))
}

/// The spec of a Workflow of such steps, each with those that it needs, which lasts so many seconds. Its result `sum` is
/// the number of steps.
#[must_use]
pub fn spec<'a>(steps: impl IntoIterator<Item = (&'a str, &'a [&'a str])>, seconds: u32) -> Value {
    let steps: Vec<_> = steps.into_iter().collect();
    let outputs: Vec<_> = steps.iter().map(|(name, _)| format!("steps.{name}.outputs.n")).collect();
    let step = |(name, needs): &(&str, &[&str])| {
        json!({"name": name, "needs": needs, "command": ["sh", "-c", "eval \"$SCRIPT\"", "sh"], "args": [name],
            "outputs": [{"name": "n", "type": "integer"}]})
    };
    json!({
        "pod": {"volumes": [{"name": "ledger", "pvc": {"claim": "ledger"}}],
            "volumeMounts": [{"name": "ledger", "mountPath": "/ledger"}]},
        "env": [{"name": "RUN", "value": "${run.id}"}, {"name": "LASTS", "value": seconds.to_string()},
            {"name": "SCRIPT", "value": SCRIPT}],
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
        "results": {"sum": format!("${{{}}}", outputs.join(" + "))},
    })
}

/// An attempt of a step.
pub type Attempt = (String, i64);

/// What a run's ledger says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The attempts that ran.
    pub ran: BTreeSet<Attempt>,
    /// Starts of an attempt that had started before.
    pub twice: Vec<Attempt>,
    /// Starts of an attempt while another one of its step was alive.
    pub overlapping: Vec<Attempt>,
    /// Lines that make no sense: broken ones, and ends without a start.
    pub nonsense: Vec<String>,
}

impl Ledger {
    /// Reads the lines, in their order.
    #[must_use]
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut ledger, mut alive) = (Self::default(), BTreeMap::new());
        for line in lines {
            if ledger.take(&mut alive, line).is_none() {
                ledger.nonsense.push(line.to_owned());
            }
        }
        ledger
    }

    /// Takes a line; `None` when it makes no sense.
    fn take<'a>(&mut self, alive: &mut BTreeMap<&'a str, i64>, line: &'a str) -> Option<()> {
        let mut words = line.split(' ');
        let (step, number, what) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let attempt = (step.to_owned(), number);
        match what {
            "start" => {
                if !self.ran.insert(attempt.clone()) {
                    self.twice.push(attempt);
                } else if alive.contains_key(step) {
                    self.overlapping.push(attempt);
                }
                alive.insert(step, number);
                Some(())
            }
            "end" => (alive.remove(step) == Some(number)).then_some(()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_one_after_the_other_are_in_order() {
        let ledger = Ledger::read(["a 1 start", "b 1 start", "a 1 end", "b 1 end", "a 2 start", "a 2 end"]);
        let ran = [("a", 1), ("a", 2), ("b", 1)].map(|(step, n)| (step.to_owned(), n)).into();
        assert_eq!(ledger, Ledger { ran, ..Ledger::default() });
    }

    #[test]
    fn what_must_not_be_is_seen() {
        let attempt = |n| vec![("a".to_owned(), n)];
        assert_eq!(Ledger::read(["a 1 start", "a 1 end", "a 1 start"]).twice, attempt(1));
        assert_eq!(Ledger::read(["a 1 start", "a 2 start"]).overlapping, attempt(2));
        for bad in ["a 1 end", "a 1", "a x start", ""] {
            assert_eq!(Ledger::read([bad]).nonsense, [bad]);
        }
    }

    #[test]
    fn the_result_counts_the_steps() {
        let spec = spec([("a", [].as_slice()), ("b", &["a"])], 2);
        assert_eq!(spec["results"]["sum"], "${steps.a.outputs.n + steps.b.outputs.n}");
        assert_eq!(spec["steps"][1]["needs"], json!(["a"]));
    }
}
