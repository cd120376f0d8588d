//! The operator's own pod: its log, its end, and other builds of it.

use crate::{
    Cluster, OPERATOR_NAMESPACE,
    status::{items, number, text},
    wait::until,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    process::Command,
    time::{Duration, Instant},
};

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
    kill_pod(cluster, text(pod, "/metadata/name"))
}

/// The same for one of several.
///
/// # Errors
/// It is not there.
pub fn kill_pod(cluster: &Cluster, name: &str) -> Result<()> {
    cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "delete", "pod", name, "--grace-period=0", "--force"]).map(drop)
}

/// Waits until there are that many pods of the operator, all of them ready.
///
/// # Errors
/// It was not so in time.
pub fn replicas(cluster: &Cluster, count: usize) -> Result<Vec<Value>> {
    until(&format!("{count} ready replicas"), Duration::from_secs(120), || {
        let pods = pods(cluster)?;
        let all = pods.iter().all(|pod| {
            let ready = items(pod, "/status/conditions").iter().find(|c| text(c, "/type") == "Ready");
            ready.is_some_and(|c| text(c, "/status") == "True") && pod.pointer("/metadata/deletionTimestamp").is_none()
        });
        Ok((all && pods.len() == count).then_some(pods))
    })
}

/// The pod that holds the Lease.
///
/// # Errors
/// Nobody does, or it is no pod of the operator.
pub fn leader(cluster: &Cluster) -> Result<Value> {
    let holder = holder(cluster)?.context("nobody holds the Lease")?;
    let pods = pods(cluster)?;
    let found = pods.into_iter().find(|pod| text(pod, "/metadata/name") == holder);
    found.with_context(|| format!("{holder} holds the Lease, and is no pod of the operator"))
}

/// Waits until another than this pod holds the Lease. Its name, and how long that took.
///
/// # Errors
/// It was not so within two lengths of the Lease.
pub fn next_leader(cluster: &Cluster, last: &str) -> Result<(String, Duration)> {
    let begun = Instant::now();
    let limit = lease_length(cluster)?.saturating_mul(2);
    let next = until(&format!("another leader than {last}"), limit, || Ok(holder(cluster)?.filter(|h| h != last)))?;
    Ok((next, begun.elapsed()))
}

/// Length of the Lease.
///
/// # Errors
/// There is none.
pub fn lease_length(cluster: &Cluster) -> Result<Duration> {
    let seconds = number(&lease(cluster)?, "/spec/leaseDurationSeconds");
    Ok(Duration::from_secs(u64::try_from(seconds)?))
}

fn holder(cluster: &Cluster) -> Result<Option<String>> {
    let holder = text(&lease(cluster)?, "/spec/holderIdentity").to_owned();
    Ok(Some(holder).filter(|h| !h.is_empty()))
}

fn lease(cluster: &Cluster) -> Result<Value> {
    cluster.get(&["-n", OPERATOR_NAMESPACE, "lease", "hearth-operator"])?.context("there is no Lease")
}

/// A replica whose process hangs (SIGSTOP); it goes on when this value goes.
#[derive(Debug)]
pub struct Hanging {
    process: u32,
}

impl Hanging {
    /// Makes the process of a pod's container hang.
    ///
    /// # Errors
    /// It is no process of this machine.
    pub fn pod(pod: &Value) -> Result<Self> {
        let id = text(pod, "/status/containerStatuses/0/containerID");
        let id = id.strip_prefix("containerd://").filter(|id| !id.is_empty()).context("the pod has no container")?;
        let hanging = Self { process: process_of(id)? };
        hanging.send("STOP")?;
        Ok(hanging)
    }

    fn send(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.process.to_string()).status()?;
        ensure!(status.success(), "kill -{signal} {} ended with {status}", self.process);
        Ok(())
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // One that was deleted in between is gone.
        let there = std::path::Path::new("/proc").join(self.process.to_string()).exists();
        if there && let Err(error) = self.send("CONT") {
            eprintln!("a replica still hangs: {error:#}");
        }
    }
}

/// The one process of a container, by its cgroup.
fn process_of(container: &str) -> Result<u32> {
    let pids = std::fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut inside = pids.filter(|pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|cgroups| cgroups.contains(container))
    });
    inside.next().with_context(|| format!("container {container} has no process on this machine: this needs the lab"))
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
