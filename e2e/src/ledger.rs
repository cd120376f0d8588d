//! A ledger that the steps themselves append to: what truly ran, whatever objects and rows say.

use crate::{
    A_WORD, Scene, audit,
    lab::lab,
    scene::BUSYBOX,
    status::{number, text},
    store,
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What each step does: it appends a line when it starts and one when it ends, and in between it works, or sleeps.
const SCRIPT: &str = r#"attempt=`sed -n 's/.*"attempt": *\([0-9][0-9]*\).*/\1/p' /hearth/spec.json`; echo "$1 $attempt start" >> /ledger/$RUN; if [ "$2" ]; then eval "$2"; else sleep $LASTS; fi; echo "$1 $attempt end" >> /ledger/$RUN; echo '{"n": 1}' > /dev/termination-log"#;

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
        "pod": {"terminationGracePeriodSeconds": 1, "volumes": [{"name": "ledger", "pvc": {"claim": "ledger"}}],
            "volumeMounts": [{"name": "ledger", "mountPath": "/ledger"}]},
        "env": [{"name": "RUN", "value": "${run.id}"}, {"name": "LASTS", "value": seconds.to_string()},
            {"name": "SCRIPT", "value": SCRIPT}],
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
        "results": {"sum": format!("${{{}}}", outputs.join(" + "))},
    })
}

/// Two chains with a join: four steps of two seconds each.
#[must_use]
pub fn chains() -> Value {
    let steps: [(&str, &[&str]); 4] =
        [("first", &[]), ("left", &["first"]), ("right", &["first"]), ("last", &["left", "right"])];
    spec(steps, 2)
}

/// The same, with a step `left` that runs until [`Scene::let_go`].
#[must_use]
pub fn held() -> Value {
    let mut spec = chains();
    if let Some(args) = spec.pointer_mut("/steps/1/args").and_then(Value::as_array_mut) {
        args.push(json!("while [ ! -e /tmp/go ]; do sleep 1; done"));
    }
    spec
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

/// A run's ledger, read by a pod.
///
/// # Errors
/// The pod does not end well.
pub fn of(scene: &Scene, run: &str) -> Result<Ledger> {
    let name = format!("read-{}", run.get(24..).unwrap_or(run));
    scene.apply_object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "cat", "image": BUSYBOX, "command": ["cat", format!("/ledger/{run}")],
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "ledger", "mountPath": "/ledger"}]}],
        "volumes": [{"name": "ledger", "persistentVolumeClaim": {"claimName": "ledger"}}]}}))?;
    scene.cluster.wait(&scene.namespace, &format!("pod/{name}"), "jsonpath={.status.phase}=Succeeded", A_WORD)?;
    let said = scene.cluster.kubectl(&["-n", &scene.namespace, "logs", &name])?;
    Ok(Ledger::read(said.lines()))
}

/// No attempt is there twice, no two attempts of a step were alive at once, and each row of an attempt that ran has its
/// lines.
///
/// # Errors
/// It is not so.
pub fn is_true(ledger: &Ledger, run: &str) -> Result<()> {
    ensure!(
        ledger.twice.is_empty() && ledger.overlapping.is_empty() && ledger.nonsense.is_empty(),
        "the ledger of {run}: {ledger:?}"
    );
    let ran: BTreeSet<Attempt> = store::steps(run)?
        .iter()
        .filter(|s| text(s, "/phase") != "Void")
        .map(|s| (text(s, "/step").to_owned(), number(s, "/attempt")))
        .collect();
    ensure!(ledger.ran == ran, "the ledger says that {:?} ran, the rows say {ran:?}", ledger.ran);
    Ok(())
}

/// Every pod that was created in the namespace since the mark is an attempt with a row, and none was created twice.
///
/// # Errors
/// It is not so.
pub fn one_pod_per_attempt(scene: &Scene, mark: u64, runs: &[&str]) -> Result<()> {
    let created = audit::pods_created(&scene.namespace, mark)?;
    let names: BTreeSet<&String> = created.iter().collect();
    ensure!(names.len() == created.len(), "a pod was created twice: {created:?}");
    let mut attempts = BTreeSet::new();
    for run in runs {
        for row in store::steps(run)? {
            attempts.insert(text(&row, "/pod").to_owned());
        }
    }
    ensure!(
        names.iter().all(|n| attempts.contains(*n)),
        "pods beyond one per attempt: {created:?}, rows: {attempts:?}"
    );
    ensure!(names.len() == attempts.len(), "attempts without a pod: {attempts:?}, created: {created:?}");
    Ok(())
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

    #[test]
    fn one_of_the_chains_can_be_held() {
        assert_eq!(held()["steps"][1]["args"][0], "left");
        assert!(held()["steps"][1]["args"][1].is_string() && chains()["steps"][1]["args"][1].is_null());
    }
}
