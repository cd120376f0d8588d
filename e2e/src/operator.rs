//! The operator's own pod: its log, its end, and other builds of it.

use crate::{Cluster, OPERATOR_NAMESPACE, status::text, wait::until};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// Labels of the operator's pods.
pub const SELECTOR: &str = "app.kubernetes.io/name=hearth,app.kubernetes.io/component=operator";
/// The image that is built with failure points.
pub const FAILPOINTS_IMAGE: &str = "hearth.dev/hearth-failpoints:dev";
/// The exit status of a process that a failure point ended.
pub const FAILPOINT_EXIT: i64 = 86;

/// The last lines of the operator's log.
///
/// # Errors
/// The API server does not answer.
pub fn log(lines: u32) -> Result<String> {
    Cluster::new()?.kubectl(&["-n", OPERATOR_NAMESPACE, "logs", "-l", SELECTOR, &format!("--tail={lines}"), "--prefix"])
}

/// The operator's pods.
///
/// # Errors
/// The API server does not answer.
pub fn pods(cluster: &Cluster) -> Result<Vec<Value>> {
    cluster.list(&["-n", OPERATOR_NAMESPACE, "pods", "-l", SELECTOR])
}

/// Waits until the Deployment has one ready pod.
///
/// # Errors
/// It has not in time.
pub fn ready(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment/hearth", "--timeout=120s"]).map(drop)
}

/// Kills the operator's pod without any grace, as a node that loses power would.
///
/// # Errors
/// There is none.
pub fn kill(cluster: &Cluster) -> Result<()> {
    let pods = pods(cluster)?;
    let pod = pods.iter().find(|p| text(p, "/status/phase") == "Running").context("no pod of the operator runs")?;
    cluster
        .kubectl(&[
            "-n",
            OPERATOR_NAMESPACE,
            "delete",
            "pod",
            text(pod, "/metadata/name"),
            "--grace-period=0",
            "--force",
        ])
        .map(drop)
}

/// The Deployment scaled to zero; one replica again when this value goes.
#[derive(Debug)]
pub struct Scaled<'a> {
    cluster: &'a Cluster,
    template: Value,
}

impl<'a> Scaled<'a> {
    /// Stops the Deployment's pod, in good order, and keeps its template for pods of the test's own.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn to_zero(cluster: &'a Cluster) -> Result<Self> {
        let found =
            cluster.get(&["-n", OPERATOR_NAMESPACE, "deployment", "hearth"])?.context("no Deployment hearth")?;
        let template = found.pointer("/spec/template").cloned().context("a Deployment has a template")?;
        cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "scale", "deployment/hearth", "--replicas=0"])?;
        let scaled = Self { cluster, template };
        until("the operator's pod is gone", Duration::from_secs(60), || Ok(pods(cluster)?.is_empty().then_some(())))?;
        Ok(scaled)
    }

    /// A pod of the operator with failure points, that is not started again when it ends.
    ///
    /// # Errors
    /// The API server refuses it.
    pub fn start(&self, name: &str, points: &str) -> Result<Armed<'a>> {
        let mut spec = self.template.get("spec").cloned().context("a template has a spec")?;
        spec["restartPolicy"] = json!("Never");
        let container = spec.pointer_mut("/containers/0").context("a template has a container")?;
        container["image"] = json!(FAILPOINTS_IMAGE);
        if let Some(args) = container.get_mut("args").and_then(Value::as_array_mut) {
            args.extend([json!("--lease-duration=6s"), json!("--request-timeout=3s")]);
        }
        if let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) {
            env.push(json!({"name": "HEARTH_FAILPOINTS", "value": points}));
        }
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": OPERATOR_NAMESPACE, "labels": self.template.pointer("/metadata/labels")}, "spec": spec});
        // The labels are those of the Deployment: its ReplicaSet selects by a hash too, and leaves this pod alone.
        self.cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "delete", "pod", name, "--ignore-not-found", "--wait"])?;
        self.cluster.apply(&pod.to_string())?;
        Ok(Armed { cluster: self.cluster, name: name.to_owned() })
    }
}

impl Drop for Scaled<'_> {
    fn drop(&mut self) {
        let up = self
            .cluster
            .kubectl(&["-n", OPERATOR_NAMESPACE, "scale", "deployment/hearth", "--replicas=1"])
            .and_then(|_| ready(self.cluster));
        if let Err(error) = up {
            eprintln!("the operator is not back: {error:#}");
        }
    }
}

/// A pod of the operator with failure points.
#[derive(Debug)]
pub struct Armed<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl Armed<'_> {
    /// Waits until a failure point ended it, and gives the phase that it printed.
    ///
    /// # Errors
    /// It was not so in time, or it ended for another reason.
    pub fn hit(&self, limit: Duration) -> Result<String> {
        let pod = until(&format!("{} to hit its failure point", self.name), limit, || {
            let pod = self.cluster.get(&["-n", OPERATOR_NAMESPACE, "pod", &self.name])?.context("the pod is gone")?;
            Ok(matches!(text(&pod, "/status/phase"), "Failed" | "Succeeded").then_some(pod))
        })?;
        let log = self.log()?;
        let code = pod.pointer("/status/containerStatuses/0/state/terminated/exitCode").and_then(Value::as_i64);
        ensure!(code == Some(FAILPOINT_EXIT), "{} ended with {code:?}, not by its failure point:\n{log}", self.name);
        let line = log.lines().find(|l| l.contains("failpoint ")).context("no line names the failure point")?;
        println!("{}: {line}", self.name);
        Ok(line.to_owned())
    }

    /// Its log.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn log(&self) -> Result<String> {
        self.cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "logs", &self.name])
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.kubectl(&[
            "-n",
            OPERATOR_NAMESPACE,
            "delete",
            "pod",
            &self.name,
            "--ignore-not-found",
            "--wait",
        ]) {
            eprintln!("pod {} stays: {error:#}", self.name);
        }
    }
}
