//! `make bench-operator` and `make bench-argo`: the operator on kwok nodes, beside a bare loop and beside Argo Workflows'
//! controller that make the same pods.

use crate::{
    cluster::Target,
    repo,
    stage::Stages,
    standalone::{self, InCluster},
    tools::{self, argo_workflows},
};
use anyhow::Result;
use clap::Args;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Where the tables go.
const DOCUMENT: &str = "docs/performance.md";

/// Namespace of Argo's controller.
const ARGO: &str = "hearth-bench-argo";

/// Arguments of `cargo xtask bench-operator` and `bench-argo`.
#[derive(Args)]
pub struct BenchArgs {
    /// Fake nodes that carry the pods.
    #[arg(long, default_value_t = 10)]
    nodes: u32,
    /// Print the tables, and leave docs/performance.md as it is.
    #[arg(long)]
    print_only: bool,
    /// What the benchmark itself is given, behind `--`; with `--help` it says what that may be.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Measures a release build of the operator, which runs as a process of its own with its service account's rights.
pub fn operator(args: &BenchArgs) -> Result<()> {
    on_fake_nodes(args, |stages, target, built| {
        stages.run("benchmark", || tools::run(&mut benchmark(target, built, "bench-operator", args)?))
    })
}

/// The same, in turns with Argo Workflows' controller.
pub fn argo(args: &BenchArgs) -> Result<()> {
    let (program, crds) = argo_workflows()?;
    on_fake_nodes(args, |stages, target, built| {
        let _place = stages.run("place of Argo's controller", || ArgoPlace::make(target, &crds))?;
        stages.run("benchmark", || {
            let mut command = benchmark(target, built, "bench-argo", args)?;
            let account = format!("{ARGO}/controller");
            command
                .arg("--argo")
                .arg(&program)
                .args(["--argo-kubeconfig", &standalone::ask(&["kubeconfig", "--service-account", &account])?])
                .args(["--argo-user", &format!("system:serviceaccount:{ARGO}:controller"), "--argo-namespace", ARGO])
                .arg("--argo-log")
                .arg(standalone::audit_log()?.with_file_name("argo-workflows.log"));
            tools::run(&mut command)
        })
    })
}

fn on_fake_nodes(args: &BenchArgs, then: impl FnOnce(&mut Stages, &Target, &Path) -> Result<()>) -> Result<()> {
    let mut stages = Stages::default();
    let target = stages.run("cluster", || standalone::lab("the benchmark reads the API server's audit log"))?;
    let built = stages.run("release build", || standalone::build("release", "hearth-bench"))?;
    stages.run("fake nodes", || tools::run(&mut tools::task(&["lab", "kwok", "--nodes", &args.nodes.to_string()])))?;
    let _installed = stages.run("operator's place", || InCluster::make_room(&target))?;
    then(&mut stages, &target, &built)
}

fn benchmark(target: &Target, built: &Path, program: &str, args: &BenchArgs) -> Result<Command> {
    let mut command = standalone::command(target, built, program)?;
    command.args(["--operator-user", &standalone::user(), "--audit-log"]).arg(standalone::audit_log()?);
    if !args.print_only {
        command.arg("--write").arg(repo::root().join(DOCUMENT));
    }
    if !args.rest.is_empty() {
        command.args(["--command", &format!("cargo xtask {program} -- {}", args.rest.join(" "))]);
    }
    command.args(&args.rest);
    Ok(command)
}

/// The custom resources of Argo Workflows, and an account for its controller; they go with this value.
struct ArgoPlace<'a> {
    target: &'a Target,
    crds: PathBuf,
}

impl<'a> ArgoPlace<'a> {
    fn make(target: &'a Target, crds: &Path) -> Result<Self> {
        let this = Self { target, crds: crds.to_owned() };
        target.kubectl(&["apply", "--server-side", "--filename", &crds.display().to_string()])?;
        target.kubectl(&["wait", "--for=condition=Established", "crds", "workflows.argoproj.io", "--timeout=30s"])?;
        target.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {ARGO}}}}}\n---\n\
             {{apiVersion: v1, kind: ServiceAccount, metadata: {{name: controller, namespace: {ARGO}}}}}\n---\n\
             {{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: {ARGO}}}, \
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}, \
             subjects: [{{kind: ServiceAccount, name: controller, namespace: {ARGO}}}]}}\n"
        ))?;
        Ok(this)
    }
}

impl Drop for ArgoPlace<'_> {
    fn drop(&mut self) {
        let crds = self.crds.display().to_string();
        for what in [
            &["clusterrolebinding", ARGO][..],
            &["namespace", ARGO, "--timeout=60s"],
            &["--filename", &crds, "--timeout=60s"],
        ] {
            if let Err(error) = self.target.kubectl(&[&["delete", "--ignore-not-found"], what].concat()) {
                eprintln!("what Argo needed stays: {error:#}");
            }
        }
    }
}
