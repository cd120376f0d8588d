//! Pods that cannot start, that are killed, deleted or tampered with. A healthy neighbour completes beside each.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{A_RUN, A_WORD, Scene, rows, scene, status, store, until};
use serde_json::{Value, json};
use std::time::Duration;

const NEIGHBOUR: &str = "{steps: [{name: a, command: ['true']}]}";

/// The step's first attempt hangs until something ends it; all others are quick.
const FIRST_HANGS: &str = r#"
steps:
- name: a
  command:
  - sh
  - -c
  - |
    attempt=`sed -n 's/.*"attempt": *\([0-9][0-9]*\).*/\1/p' /hearth/spec.json`
    [ "$attempt" -gt 1 ] || exec sleep 3600
  retry: {limit: 0, backoff: {base: 1s}}
  pod: {terminationGracePeriodSeconds: 1}
"#;

fn neighbour(scene: &Scene) -> Result<()> {
    let object = scene.complete("neighbour", A_RUN)?;
    rows::equal_status(scene, &object).map(drop)
}

/// The first failure is explained, and the row of the last attempt says the same.
fn failed_with(scene: &Scene, name: &str, reason: &str, words: &[&str]) -> Result<Value> {
    let object = scene.failed(name, A_RUN)?;
    status::expect(&object, "Stalled", "True", reason, words)?;
    let id = rows::equal_status(scene, &object)?;
    let last = store::steps(&id)?.pop().context("no row of a step")?;
    ensure!(status::text(&last, "/reason") == reason, "{last}");
    Ok(object)
}

#[test]
fn image_that_cannot_be_pulled() -> Result<()> {
    scene("image", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        scene.apply("w", "{pendingTimeout: 20s, steps: [{name: a, image: 'registry.invalid/no/such:1'}]}")?;
        let waiting =
            scene.look("w", "ImagePullFailed", A_WORD, |o| Ok(status::says(o, "Ready", "False", "ImagePullFailed")))?;
        status::expect(&waiting, "Reconciling", "True", "ImagePullFailed", &["step a", "imagePullSecrets"])?;
        failed_with(scene, "w", "ImagePullFailed", &["step a", "cannot be pulled"])?;
        scene.apply("bad-name", "{pendingTimeout: 8s, steps: [{name: a, image: 'UPPER/case'}]}")?;
        failed_with(scene, "bad-name", "ImagePullFailed", &["step a"])?;
        neighbour(scene)
    })
}

#[test]
fn pod_that_cannot_be_scheduled() -> Result<()> {
    scene("unschedulable", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        scene.apply("w", "{pendingTimeout: 12s, steps: [{name: a, pod: {nodeSelector: {no-such: node}}}]}")?;
        scene.apply("cpu", "{pendingTimeout: 12s, steps: [{name: a, pod: {resources: {requests: {cpu: '4000'}}}}]}")?;
        let waiting =
            scene.look("w", "Unschedulable", A_WORD, |o| Ok(status::says(o, "Ready", "False", "Unschedulable")))?;
        status::expect(&waiting, "Reconciling", "True", "Unschedulable", &["step a", "nodeSelector"])?;
        for name in ["w", "cpu"] {
            failed_with(scene, name, "Unschedulable", &["step a", "no node can take the pod"])?;
            // A placeholder stands under the name until no create can be under way any more.
            let mut pods = scene.pods(name)?;
            pods.retain(|p| {
                p.pointer("/spec/schedulingGates").is_none() && p.pointer("/metadata/deletionTimestamp").is_none()
            });
            ensure!(pods.is_empty(), "a pod is left: {pods:?}");
        }
        neighbour(scene)
    })
}

#[test]
fn secret_that_is_not_there() -> Result<()> {
    scene("no-secret", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        scene.apply(
            "w",
            "{pendingTimeout: 12s, steps: [{name: a, env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: none, key: k}}}]}]}",
        )?;
        failed_with(scene, "w", "ContainerCannotRun", &["step a", "Secrets"])?;
        scene.apply("no-command", "{steps: [{name: a, command: [/no/such/program]}]}")?;
        failed_with(scene, "no-command", "ContainerCannotRun", &["step a", "/no/such/program"])?;
        neighbour(scene)
    })
}

/// Our pods meet Pod Security `restricted`, so nothing in a spec makes it refuse one. What refuses here is a policy of
/// the cluster's own, which answers 403 as Pod Security does.
#[test]
fn admission_that_refuses() -> Result<()> {
    scene("admission", |scene| {
        let policy = format!("hearth-{}", scene.namespace);
        let rule = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": policy}, "spec": {"failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
            "validations": [{"expression": "has(object.metadata.labels.team)", "message": "violates PodSecurity of this place: label team is missing", "reason": "Forbidden"}]}});
        let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": policy}, "spec": {"policyName": policy, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}}}}});
        scene.cluster.apply(&rule.to_string())?;
        scene.cluster.apply(&binding.to_string())?;
        let done = refused(scene);
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
            scene.cluster.kubectl(&["delete", kind, &policy])?;
        }
        done?;
        // The run that waited goes on by itself when the rule is gone, with its first attempt.
        let object = scene.complete("patient", A_RUN)?;
        ensure!(status::step(&object, "a").is_some_and(|s| status::number(s, "/attempt") == 1), "{object}");
        rows::equal_status(scene, &object).map(drop)
    })
}

fn refused(scene: &Scene) -> Result<()> {
    let probe = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": scene.namespace},
        "spec": {"containers": [{"name": "a", "image": "x", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}}});
    until("the policy is in force", A_WORD, || {
        let mut dry = scene.cluster.command("kubectl");
        dry.args(["create", "--dry-run=server", "-f", "-"]);
        Ok((!hearth_e2e::process::output(&mut dry, Some(&probe.to_string()))?.status.success()).then_some(()))
    })?;
    scene.apply("neighbour", "{pod: {labels: {team: climate}}, steps: [{name: a, command: ['true']}]}")?;
    scene.apply("patient", "{pendingTimeout: 10m, steps: [{name: a, command: ['true']}]}")?;
    scene.apply("w", "{pendingTimeout: 8s, steps: [{name: a, command: ['true']}]}")?;
    let waiting =
        scene.look("patient", "PodRefused", A_WORD, |o| Ok(status::says(o, "Ready", "False", "PodRefused")))?;
    status::expect(&waiting, "Reconciling", "True", "PodRefused", &["step a", "label team is missing"])?;
    failed_with(scene, "w", "PodRefused", &["step a", "label team is missing"])?;
    neighbour(scene)
}

#[test]
fn quota_that_leaves_no_room() -> Result<()> {
    scene("quota", |scene| {
        scene.apply_object(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "pods"}, "spec": {"hard": {"pods": "1"}}}))?;
        until("the quota is in force", A_WORD, || {
            let quota = scene.cluster.get(&["-n", &scene.namespace, "resourcequota", "pods"])?;
            Ok(quota.filter(|q| status::text(q, "/status/hard/pods") == "1"))
        })?;
        // The first pod stays until it is told to end: only a raised quota can help the second.
        scene.apply(
            "holder",
            "{steps: [{name: a, command: [sleep, '3600'], pod: {terminationGracePeriodSeconds: 1}}]}",
        )?;
        scene.running_pod("holder", "a")?;
        scene.apply("w", "{steps: [{name: a, command: ['true']}, {name: b, needs: [a], command: ['true']}]}")?;
        let waiting =
            scene.look("w", "QuotaExceeded", A_WORD, |o| Ok(status::says(o, "Ready", "True", "QuotaExceeded")))?;
        status::expect(&waiting, "Ready", "True", "QuotaExceeded", &["step a", "quota"])?;
        scene.cluster.patch(&scene.namespace, "resourcequota/pods", &json!({"spec": {"hard": {"pods": "5"}}}))?;
        let object = scene.complete("w", A_RUN)?;
        ensure!(
            status::items(&object, "/status/run/steps").iter().all(|s| status::number(s, "/attempt") == 1),
            "a refusal used up an attempt: {object}"
        );
        rows::equal_status(scene, &object).map(drop)
    })
}

#[test]
fn out_of_memory() -> Result<()> {
    scene("oom", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        scene.apply(
            "w",
            "{steps: [{name: a, command: [dd, if=/dev/zero, of=/dev/null, bs=300M, count=1], retry: {limit: 1, backoff: {base: 1s}}, pod: {resources: {limits: {memory: 32Mi}}}}]}",
        )?;
        let object = failed_with(scene, "w", "OutOfMemory", &["step a", "limits.memory"])?;
        let rows = store::steps(status::text(&object, "/status/run/id"))?;
        ensure!(rows.len() == 2, "out of memory is tried again within retry.limit: {rows:?}");
        ensure!(rows.iter().all(|r| r["class"] == json!("Application") && r["exit_code"] == json!(137)), "{rows:?}");
        neighbour(scene)
    })
}

#[test]
fn pod_deleted_by_hand() -> Result<()> {
    scene("pod-deleted", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        let ways: [(&str, &[&str]); 2] =
            [("gently", &["--wait=false"]), ("by-force", &["--grace-period=0", "--force"])];
        for (name, _) in ways {
            scene.apply(name, FIRST_HANGS)?;
        }
        for (name, how) in ways {
            let pod = scene.running_pod(name, "a")?;
            let mut args = vec!["-n", scene.namespace.as_str(), "delete", "pod", status::text(&pod, "/metadata/name")];
            args.extend(how);
            scene.cluster.kubectl(&args)?;
        }
        for (name, _) in ways {
            let object = scene.complete(name, A_RUN)?;
            let id = rows::equal_status(scene, &object)?;
            let rows = store::steps(&id)?;
            let first = rows.first().context("no row")?;
            // `retry.limit` is 0: what the cluster does to a pod is free.
            ensure!(rows.len() == 2, "{name}: two attempts were to be made: {rows:?}");
            ensure!(
                first["class"] == json!("Infrastructure") && first["reason"] == json!("PodDeleted"),
                "{name}: {first}"
            );
        }
        neighbour(scene)
    })
}

#[test]
fn labels_and_annotations_tampered_with() -> Result<()> {
    scene("tampered", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        let tampers: [(&str, &[&str]); 4] = [
            ("attempt", &["label", "--overwrite", "hearth.dev/attempt=none_1"]),
            ("run-id", &["label", "hearth.dev/run-id-", "hearth.dev/step-", "hearth.dev/owner-uid-"]),
            ("spec", &["annotate", "--overwrite", "hearth.dev/spec={\"attempt\":"]),
            ("managed-by", &["label", "app.kubernetes.io/managed-by-"]),
        ];
        for (name, _) in tampers {
            scene.apply(name, "{steps: [{name: a, command: [sh, -c, 'while [ ! -e /tmp/go ]; do sleep 1; done']}]}")?;
        }
        for (name, how) in tampers {
            let pod = scene.running_pod(name, "a")?;
            let (verb, rest) = how.split_first().context("a verb")?;
            let mut args = vec!["-n", scene.namespace.as_str(), *verb, "pod", status::text(&pod, "/metadata/name")];
            args.extend(rest);
            scene.cluster.kubectl(&args)?;
        }
        for (name, _) in tampers {
            // Labels that were ours are ours again before the step is let go.
            let pod = until(&format!("{name}: labels are put right"), A_WORD, || {
                let pod = scene.pods(name)?.into_iter().find(|p| {
                    let label = |key: &str| p.pointer(&format!("/metadata/labels/{key}")).and_then(Value::as_str);
                    label("app.kubernetes.io~1managed-by") == Some("hearth")
                        && label("hearth.dev~1attempt") == Some("1")
                        && label("hearth.dev~1step") == Some("a")
                });
                Ok(pod)
            })?;
            let pod = status::text(&pod, "/metadata/name").to_owned();
            scene.cluster.kubectl(&["-n", &scene.namespace, "exec", &pod, "--", "touch", "/tmp/go"])?;
        }
        for (name, _) in tampers {
            let object = scene.complete(name, A_RUN)?;
            let id = rows::equal_status(scene, &object)?;
            let rows = store::steps(&id)?;
            ensure!(rows.len() == 1, "{name}: one attempt was to be made: {rows:?}");
        }
        neighbour(scene)
    })
}

#[test]
fn a_pod_that_waits_too_long() -> Result<()> {
    scene("pending", |scene| {
        scene.apply("neighbour", NEIGHBOUR)?;
        // A volume that nobody provisions: the pod is never scheduled, and the message names the claim.
        scene.apply_object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "none"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "no-such-class", "resources": {"requests": {"storage": "1Gi"}}}}))?;
        scene.apply(
            "w",
            "{pendingTimeout: 8s, steps: [{name: a, pod: {volumes: [{name: d, pvc: {claim: none}}], volumeMounts: [{name: d, mountPath: /d}]}}]}",
        )?;
        let object = scene.failed("w", Duration::from_secs(90))?;
        status::expect(&object, "Stalled", "True", "Unschedulable", &["step a"])?;
        neighbour(scene)
    })
}

#[test]
fn failed_pods_stay_for_as_long_as_is_asked() -> Result<()> {
    scene("keep", |scene| {
        let names = |pods: &[Value]| {
            let name = |pod: &Value| status::text(pod, "/metadata/labels/hearth.dev~1step").to_owned();
            pods.iter()
                .filter(|p| status::text(p, "/metadata/deletionTimestamp").is_empty())
                .map(name)
                .collect::<Vec<_>>()
        };
        scene.apply(
            "w",
            "{keepPods: {failed: 1h}, steps: [{name: good, command: ['true']}, {name: bad, needs: [good], command: [sh, -c, 'echo oh no; exit 1']}]}",
        )?;
        scene.failed("w", A_RUN)?;
        let left = until("the good pod is gone", A_RUN, || {
            let pods = scene.pods("w")?;
            Ok((names(&pods) == ["bad"]).then_some(pods))
        })?;
        let pod = left.first().map_or("", |p| status::text(p, "/metadata/name"));
        let log = scene.cluster.kubectl(&["-n", &scene.namespace, "logs", pod])?;
        ensure!(log.contains("oh no"), "the log of the failed pod: {log}");
        // Nobody wants it any more; that starts no run.
        scene.cluster.patch(&scene.namespace, "hwf/w", &json!({"spec": {"keepPods": null}}))?;
        until("the failed pod is gone", A_RUN, || Ok(scene.pods("w")?.is_empty().then_some(())))?;
        ensure!(status::number(&scene.read("w")?, "/status/run/number") == 1, "keepPods started a run");
        Ok(())
    })
}
