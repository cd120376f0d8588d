//! Argo Workflows' controller, as a process of its own beside the operator.

use crate::{
    bench::ask_until,
    shape::{Fake, Shape},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use hearth_e2e::standalone::Operator;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use std::{
    fs::OpenOptions,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Label of a Workflow that is over.
const COMPLETED: &str = "workflows.argoproj.io/completed=true";
/// Label of all pods of Workflows.
const POD: &str = "workflows.argoproj.io/workflow";
/// Name of its configuration.
const CONFIG: &str = "workflow-controller-configmap";
/// Between two looks at its Workflows, which are few so as not to disturb: times are read in the audit log.
const LOOK: Duration = Duration::from_secs(2);
/// How long a round may take: at its defaults it makes 20 requests a second.
const ROUND: Duration = Duration::from_secs(3600);

/// Where the controller is.
#[derive(Args, Clone, Debug)]
pub struct Argo {
    /// The controller's program.
    #[arg(id = "argo", long = "argo")]
    program: PathBuf,
    /// Kubeconfig of its service account.
    #[arg(id = "argo-kubeconfig", long = "argo-kubeconfig")]
    kubeconfig: PathBuf,
    /// Name of that service account, as the audit log says it.
    #[arg(id = "argo-user", long = "argo-user")]
    pub user: String,
    /// Its own namespace.
    #[arg(id = "argo-namespace", long = "argo-namespace")]
    namespace: String,
    /// File that its log is added to.
    #[arg(id = "argo-log", long = "argo-log")]
    log: PathBuf,
}

/// How it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// As it comes: 20 requests a second, 32 workers, an object is looked at every 10 seconds.
    Default,
    /// For throughput: 512 requests a second, 128 workers, an object is looked at every second.
    Tuned,
}

/// A running controller, and the Workflows that it is asked for.
pub struct Controller {
    process: Operator,
    workflows: Api<DynamicObject>,
    pods: Api<Pod>,
}

impl Argo {
    /// Starts it for that namespace, and has it run one Workflow, so that its caches are filled.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, client: &Client, namespace: &str, tuning: Tuning) -> Result<Controller> {
        self.configure(client).await?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("write {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        command
            .args(["--namespaced", "--loglevel", "warn", "--configmap", CONFIG])
            .args(["--namespace", &self.namespace, "--managed-namespace", namespace])
            .args(["--executor-image", "hearth.dev/busybox:dev"])
            .env("KUBECONFIG", &self.kubeconfig)
            .env("LEADER_ELECTION_DISABLE", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        match tuning {
            Tuning::Default => {}
            Tuning::Tuned => {
                command.args(["--qps", "512", "--burst", "2048", "--workflow-workers", "128"]);
                command.env("DEFAULT_REQUEUE_TIME", "1s");
            }
        }
        let process = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Workflow");
        let mut controller = Controller {
            process: process.into(),
            workflows: Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind)),
            pods: Api::namespaced(client.clone(), namespace),
        };
        controller.run(&["argo-warm-up".to_owned()], &Shape::single()).await?;
        controller.clear().await?;
        Ok(controller)
    }

    /// Its pods keep the rules of the namespace, as the operator's do.
    async fn configure(&self, client: &Client) -> Result<()> {
        let restricted = json!({
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        let config: ConfigMap = serde_json::from_value(json!({
            "metadata": {"name": CONFIG},
            "data": {
                "executor": json!({"securityContext": restricted}).to_string(),
                "mainContainer": json!({"securityContext": restricted}).to_string(),
                "metricsConfig": json!({"enabled": false}).to_string(),
                "telemetryConfig": json!({"enabled": false}).to_string(),
            },
        }))?;
        let configs = Api::<ConfigMap>::namespaced(client.clone(), &self.namespace);
        configs.patch(CONFIG, &PatchParams::apply("hearth-bench").force(), &Patch::Apply(config)).await?;
        Ok(())
    }
}

impl Controller {
    /// CPU-seconds so far.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        self.process.cpu_seconds()
    }

    /// Makes Workflows of that shape, and waits until all are over.
    ///
    /// # Errors
    /// It has ended, or they are not over in time.
    pub async fn run(&mut self, names: &[String], shape: &Shape) -> Result<()> {
        let made = names.iter().map(|name| async {
            let object: DynamicObject = serde_json::from_value(shape.argo_workflow(name))?;
            self.workflows.create(&PostParams::default(), &object).await?;
            anyhow::Ok(())
        });
        futures::future::try_join_all(made).await?;
        let over = ListParams::default().labels(COMPLETED);
        let begun = Instant::now();
        while self.workflows.list_metadata(&over).await?.items.len() < names.len() {
            self.process.check().context("Argo's controller")?;
            ensure!(begun.elapsed() < ROUND, "the Workflows of Argo: not within {} s", ROUND.as_secs());
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Deletes all Workflows, and waits until their pods are gone.
    ///
    /// # Errors
    /// They do not go.
    pub async fn clear(&self) -> Result<()> {
        self.workflows.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
        let any = ListParams::default().labels(POD).limit(1);
        ask_until("the pods of Argo to go", ROUND, async || Ok(self.pods.list_metadata(&any).await?.items.is_empty()))
            .await
    }

    /// Ends it.
    ///
    /// # Errors
    /// It had ended before.
    pub fn stop(mut self) -> Result<()> {
        self.process.check()?;
        self.process.kill()
    }
}

impl Shape {
    /// The Workflow of Argo with the same steps, for fake nodes: a template for each, so that pods are named by steps.
    pub fn argo_workflow(&self, name: &str) -> Value {
        let Fake { node_selector, tolerations, annotations } = Fake::default();
        let template =
            |step: &str| json!({"name": step, "container": {"image": "hearth.dev/busybox:dev", "command": ["true"]}});
        let task = |step: &str| json!({"name": step, "template": step, "dependencies": self.needs(step)});
        let (tasks, mut templates): (Vec<Value>, Vec<Value>) = self.names().map(|s| (task(s), template(s))).unzip();
        let entrypoint = match tasks.as_slice() {
            // As people write it: a Workflow of one step needs no graph.
            [one] => one["name"].clone(),
            _ => {
                templates.push(json!({"name": "graph", "dag": {"tasks": tasks}}));
                json!("graph")
            }
        };
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {
                "entrypoint": entrypoint,
                "templates": templates,
                "nodeSelector": node_selector,
                "tolerations": tolerations,
                "podMetadata": {"annotations": annotations},
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"},
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_has_the_same_steps() {
        let diamond = Shape::diamond().argo_workflow("x");
        assert_eq!(diamond["spec"]["templates"].as_array().unwrap().len(), 11);
        assert_eq!(diamond["spec"]["templates"][10]["dag"]["tasks"][9]["dependencies"].as_array().unwrap().len(), 4);
        let single = Shape::single().argo_workflow("x");
        assert_eq!(
            (&single["spec"]["entrypoint"], single["spec"]["templates"].as_array().unwrap().len()),
            (&json!("only"), 1)
        );
    }
}
