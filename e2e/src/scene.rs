//! One test: a namespace of its own, and what to print when it fails.

use crate::{
    cluster::{Cluster, root},
    operator, status,
    wait::until,
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The image that most steps run.
pub const BUSYBOX: &str = "hearth.dev/busybox:dev";

/// A spec whose step `a` runs until [`Scene::let_go`], and whose step `b` follows it.
pub const HELD: &str = "{steps: [{name: a, command: [sh, -c, 'while [ ! -e /tmp/go ]; do sleep 1; done'], pod: {terminationGracePeriodSeconds: 1}}, {name: b, needs: [a], command: ['true']}]}";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A namespace with Pod Security `restricted` enforced; it goes with this value.
#[derive(Debug)]
pub struct Scene {
    /// The cluster, as its administrator.
    pub cluster: Cluster,
    /// Name of the namespace.
    pub namespace: String,
}

/// Runs a test in a namespace of its own; when it fails, prints what the objects and the operator say.
///
/// # Errors
/// Those of the test.
pub fn scene(name: &str, test: impl FnOnce(&Scene) -> Result<()>) -> Result<()> {
    let scene = Scene::new(name)?;
    let done = test(&scene);
    if let Err(error) = &done {
        eprintln!("---- {name} failed: {error:#}\n{}", scene.describe());
    }
    done
}

impl Scene {
    /// Makes the namespace, and waits for its default service account: pods are refused before.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn new(name: &str) -> Result<Self> {
        let cluster = Cluster::new()?;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs() % 1_000_000;
        let namespace = format!("e2e-{name}-{time}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        cluster.apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {
            "hearth-e2e": "true", "pod-security.kubernetes.io/enforce": "restricted"}}})
            .to_string(),
        )?;
        Self::within(namespace)
    }

    /// Takes a namespace that is there, and waits for its default service account.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn within(namespace: String) -> Result<Self> {
        let scene = Self { cluster: Cluster::new()?, namespace };
        until("the default service account", Duration::from_secs(30), || {
            scene.cluster.get(&["-n", &scene.namespace, "serviceaccount", "default"])
        })?;
        Ok(scene)
    }

    /// A Workflow as JSON, from the YAML of its spec; busybox is the image of its steps.
    ///
    /// # Errors
    /// The YAML is none.
    pub fn workflow(&self, name: &str, spec: &str) -> Result<Value> {
        let mut spec: Value = serde_yaml::from_str(spec).with_context(|| format!("YAML of {name}"))?;
        let fields = spec.as_object_mut().context("a spec is a map")?;
        fields.entry("image").or_insert_with(|| json!(BUSYBOX));
        Ok(json!({"apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec}))
    }

    /// Applies a Workflow.
    ///
    /// # Errors
    /// It is refused.
    pub fn apply(&self, name: &str, spec: &str) -> Result<()> {
        self.cluster.apply(&self.workflow(name, spec)?.to_string()).map(drop)
    }

    /// Applies a file of the checkout in this namespace.
    ///
    /// # Errors
    /// It is refused.
    pub fn apply_file(&self, path: &str) -> Result<()> {
        let path = root().join(path);
        self.cluster.kubectl(&["-n", &self.namespace, "apply", "-f", &path.to_string_lossy()]).map(drop)
    }

    /// Applies any other object in this namespace.
    ///
    /// # Errors
    /// It is refused.
    pub fn apply_object(&self, mut object: Value) -> Result<()> {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".into(), json!(self.namespace));
        }
        self.cluster.apply(&object.to_string()).map(drop)
    }

    /// The Workflow as the API server has it.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(&self, name: &str) -> Result<Value> {
        self.cluster.get(&["-n", &self.namespace, "hwf", name])?.with_context(|| format!("there is no Workflow {name}"))
    }

    /// `kubectl wait --for=WHAT` on a Workflow, then the Workflow.
    ///
    /// # Errors
    /// It was not so in time.
    pub fn wait(&self, name: &str, what: &str, limit: Duration) -> Result<Value> {
        self.cluster.wait(&self.namespace, &format!("hwf/{name}"), what, limit)?;
        self.read(name)
    }

    /// Waits for Complete and for the record, then gives the Workflow.
    ///
    /// # Errors
    /// It was not so in time; a run that failed is not waited for.
    pub fn complete(&self, name: &str, limit: Duration) -> Result<Value> {
        self.look(name, "Complete, and its record stored", limit, |object| {
            if let Some(failed) = status::condition(object, "Failed") {
                bail!("{name} failed: {}", status::text(failed, "/message"));
            }
            Ok(status::says_true(object, "Complete") && status::says_true(object, "HistoryStored"))
        })
    }

    /// Waits for Failed and for the record, then gives the Workflow.
    ///
    /// # Errors
    /// It was not so in time.
    pub fn failed(&self, name: &str, limit: Duration) -> Result<Value> {
        self.look(name, "Failed, and its record stored", limit, |object| {
            Ok(status::says_true(object, "Failed") && status::says_true(object, "HistoryStored"))
        })
    }

    /// Looks at a Workflow until a condition holds.
    ///
    /// # Errors
    /// It was not so in time.
    pub fn look(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        mut so: impl FnMut(&Value) -> Result<bool>,
    ) -> Result<Value> {
        until(&format!("{name}: {what}"), limit, || {
            let Some(object) = self.cluster.get(&["-n", &self.namespace, "hwf", name])? else { return Ok(None) };
            Ok(so(&object)?.then_some(object))
        })
    }

    /// The pods of a Workflow, placeholders too.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn pods(&self, name: &str) -> Result<Vec<Value>> {
        let all = self.cluster.list(&["-n", &self.namespace, "pods"])?;
        Ok(all.into_iter().filter(|pod| status::text(pod, "/metadata/ownerReferences/0/name") == name).collect())
    }

    /// Waits until an attempt's container runs, and gives its pod.
    ///
    /// # Errors
    /// It was not so in time.
    pub fn running_pod(&self, name: &str, step: &str) -> Result<Value> {
        until(&format!("a running pod of {name}, step {step}"), crate::A_RUN, || {
            Ok(self.pods(name)?.into_iter().find(|pod| {
                pod.pointer("/metadata/labels/hearth.dev~1step").and_then(Value::as_str) == Some(step)
                    && status::text(pod, "/status/phase") == "Running"
            }))
        })
    }

    /// Ends the waiting of a step that runs until there is a /tmp/go in its container.
    ///
    /// # Errors
    /// The pod is gone, or does not run.
    pub fn let_go(&self, pod: &Value) -> Result<()> {
        let name = status::text(pod, "/metadata/name");
        self.cluster.kubectl(&["-n", &self.namespace, "exec", name, "--", "touch", "/tmp/go"]).map(drop)
    }

    /// What somebody would look at who is told that this fails.
    #[must_use]
    pub fn describe(&self) -> String {
        let ask = |args: &[&str]| {
            let mut all = vec!["-n", self.namespace.as_str()];
            all.extend(args);
            self.cluster.kubectl(&all).unwrap_or_else(|error| format!("{error:#}"))
        };
        let objects = self.cluster.list(&["-n", &self.namespace, "hwf"]).unwrap_or_default();
        let states: String = objects
            .iter()
            .map(|o| {
                let state = serde_yaml::to_string(o.get("status").unwrap_or(&Value::Null)).unwrap_or_default();
                format!("status of {}:\n{state}", status::text(o, "/metadata/name"))
            })
            .collect();
        format!(
            "{states}\n{}\n{}\noperator:\n{}",
            ask(&["get", "pods", "-o", "wide", "--show-labels"]),
            ask(&["get", "events", "--sort-by=.lastTimestamp"]),
            operator::log(60).unwrap_or_else(|error| format!("{error:#}"))
        )
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::env::var_os("HEARTH_E2E_KEEP").is_some() {
            return;
        }
        // Nothing here waits for its end; a namespace that does not go is seen by the test at the end.
        if let Err(error) =
            self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"])
        {
            eprintln!("namespace {} stays: {error:#}", self.namespace);
        }
    }
}
