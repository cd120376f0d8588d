//! A ledger that the steps themselves append to: which attempts ran, and when, told by nobody but them.

use crate::{
    A_WORD, Scene, audit, lab,
    scene::BUSYBOX,
    status::{number, text},
    store,
};
use anyhow::{Result, bail, ensure};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Two chains with a join, whose steps append to the ledger when they start and when they end.
const WORKFLOW: &str = r#"
pod:
  terminationGracePeriodSeconds: 1
  volumes: [{name: ledger, pvc: {claim: ledger}}]
  volumeMounts: [{name: ledger, mountPath: /ledger}]
env:
- {name: RUN, value: "${run.id}"}
- {name: SCRIPT, value: "attempt=`sed -n 's/.*\"attempt\": *\\([0-9][0-9]*\\).*/\\1/p' /hearth/spec.json`; echo \"$1 $attempt start\" >> /ledger/$RUN; eval \"$2\"; echo \"$1 $attempt end\" >> /ledger/$RUN; echo '{\"n\": 1}' > /dev/termination-log"}
steps:
- {name: first, command: [sh, -c, 'eval "$SCRIPT"', sh], args: [first, 'sleep 2'], outputs: [{name: n, type: integer}]}
- {name: left, needs: [first], command: [sh, -c, 'eval "$SCRIPT"', sh], args: [left, 'LEFT'], outputs: [{name: n, type: integer}]}
- {name: right, needs: [first], command: [sh, -c, 'eval "$SCRIPT"', sh], args: [right, 'sleep 2'], outputs: [{name: n, type: integer}]}
- {name: last, needs: [left, right], command: [sh, -c, 'eval "$SCRIPT"', sh], args: [last, 'sleep 2'], outputs: [{name: n, type: integer}]}
results: {sum: "${steps.left.outputs.n + steps.right.outputs.n + steps.last.outputs.n}"}
"#;

/// Its spec.
#[must_use]
pub fn workflow() -> String {
    WORKFLOW.replace("LEFT", "sleep 2")
}

/// Its spec, with a step `left` that runs until [`Scene::let_go`].
#[must_use]
pub fn held() -> String {
    WORKFLOW.replace("LEFT", "while [ ! -e /tmp/go ]; do sleep 1; done")
}

/// The volume of a scene's ledgers.
///
/// # Errors
/// There is no lab, or no volume is left.
pub fn claim(scene: &Scene) -> Result<()> {
    lab::lab(&["volumes"])?;
    scene.apply_object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "ledger"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}}))
}

/// The lines of a run's ledger, read by a pod.
///
/// # Errors
/// The pod does not end well.
pub fn lines(scene: &Scene, run: &str) -> Result<Vec<String>> {
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
    Ok(said.lines().map(str::to_owned).collect())
}

/// No attempt is there twice, no two attempts of a step were alive at once, and each row of an attempt that ran has its
/// lines.
///
/// # Errors
/// It is not so.
pub fn is_true(lines: &[String], run: &str) -> Result<()> {
    let mut alive: BTreeMap<&str, &str> = BTreeMap::new();
    let mut started = BTreeSet::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [step, attempt, what] = words[..] else { bail!("a line of the ledger is broken: {line:?}") };
        match what {
            "start" => {
                ensure!(
                    started.insert((step.to_owned(), attempt.to_owned())),
                    "{step}#{attempt} started twice: {lines:?}"
                );
                ensure!(alive.insert(step, attempt).is_none(), "two attempts of {step} were alive at once: {lines:?}");
            }
            _ => ensure!(alive.remove(step) == Some(attempt), "{step}#{attempt} ended without a start: {lines:?}"),
        }
    }
    let ran: BTreeSet<(String, String)> = store::steps(run)?
        .iter()
        .filter(|s| text(s, "/phase") != "Void")
        .map(|s| (text(s, "/step").to_owned(), number(s, "/attempt").to_string()))
        .collect();
    ensure!(started == ran, "the ledger says that {started:?} ran, the rows say {ran:?}");
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
