//! Images, database Secret and chart: the operator as it is installed in the lab.

use crate::{cluster::Target, lab::COLLECTOR, repo, stage::Stages, tools};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::PathBuf;

/// The namespace that the operator is installed in.
pub const NAMESPACE: &str = "hearth-system";

/// Name of the Secret that holds the database's URL.
pub const DATABASE_SECRET: &str = "hearth-database";

/// The Secret with the keys of the bucket of mode ha, and the ConfigMap with its authority.
const BUCKET: &str = "hearth-s3";

/// In the lab each image has a tag of its own and all have this one, and volumes are of this class.
const LAB: &[&str] =
    &["--set", "runtimes.tag=dev,persistence.storageClass=lab,persistence.size=1Gi,persistence.keep=false"];

/// Builds the images that are named (all when none is) and imports them; gives `name:tag` of the operator's.
pub fn images(target: &Target, names: &[&str]) -> Result<String> {
    if !target.is_lab() {
        return std::env::var("HEARTH_IMAGE").context("KUBECONFIG names your own cluster: push the images that `cargo xtask images --no-import` builds to a registry of yours, and set HEARTH_IMAGE to the operator's as REPOSITORY:TAG");
    }
    let mut args = vec!["images"];
    args.extend(names);
    let said = tools::capture_with_progress(&mut tools::task(&args))?;
    print!("{said}");
    let image = said
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| name.starts_with("hearth.dev/hearth:"));
    Ok(image.context("the images task named no hearth.dev/hearth")?.to_owned())
}

/// Makes a namespace that enforces Pod Security `restricted`.
pub fn namespace(target: &Target, name: &str) -> Result<()> {
    target.apply(
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}).to_string(),
    )?;
    Ok(())
}

/// Installs mode ha, or upgrades to it: two replicas, artifacts in S3, exports to an address of the lab.
pub fn install_ha(target: &Target, image: &str) -> Result<()> {
    let bucket = target.bucket()?;
    let metadata = json!({"name": BUCKET, "namespace": NAMESPACE});
    namespace(target, NAMESPACE)?;
    target.apply(
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
            "stringData": {"accessKeyId": bucket.access_key, "secretAccessKey": bucket.secret_key}})
        .to_string(),
    )?;
    target.apply(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": bucket.authority}})
            .to_string(),
    )?;
    let s3 = format!(
        "artifacts.s3.bucket={},artifacts.s3.endpoint={},artifacts.s3.existingSecret={BUCKET},artifacts.s3.caConfigMap={BUCKET}",
        bucket.name, bucket.endpoint
    );
    // Only a test listens there, for a while.
    let exports = format!(
        "exports.openLineage.url=http://{COLLECTOR}/api/v1/lineage,exports.openTelemetry.url=http://{COLLECTOR}/v1/traces"
    );
    install(target, image, &["--set", "mode=ha,replicas=2", "--set", &s3, "--set", &exports])
}

/// Installs or upgrades the chart with this image, and waits until the operator is ready.
pub fn install(target: &Target, image: &str, extra: &[&str]) -> Result<()> {
    let (repository, tag) = image.rsplit_once(':').context("an image is REPOSITORY:TAG")?;
    namespace(target, NAMESPACE)?;
    let url = target.database_url()?;
    target.apply(
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": DATABASE_SECRET, "namespace": NAMESPACE}, "stringData": {"url": url}}).to_string(),
    )?;
    let mut helm = target.command(tools::helm()?);
    helm.args([
        "upgrade",
        "--install",
        "hearth",
        "charts/hearth",
        "--namespace",
        NAMESPACE,
        "--wait",
        // What an earlier try left in the cluster by kubectl becomes the release's.
        "--take-ownership",
        "--force-conflicts",
        "--timeout",
        "3m",
    ])
    .args(["--set", &format!("database.existingSecret={DATABASE_SECRET}")])
    .args(["--set", &format!("image.repository={repository}")])
    .args(["--set-string", &format!("image.tag={tag}")])
    .args(if target.is_lab() { LAB } else { &[] })
    .args(extra);
    if let Err(error) = tools::capture(&mut helm) {
        eprintln!("{}", why_not_ready(target));
        return Err(error);
    }
    // kubectl caches which kinds there are, and would not know `hwf` for hours: this asks afresh and keeps the answer.
    target.kubectl(&["api-resources", "--api-group=hearth.dev"]).map(drop)
}

/// What a person would look at when the operator does not become ready.
fn why_not_ready(target: &Target) -> String {
    let ask = |args: &[&str]| target.kubectl(args).unwrap_or_else(|error| format!("{error:#}"));
    let selector = "app.kubernetes.io/name=hearth,app.kubernetes.io/component=operator";
    format!(
        "{}\n{}\n{}",
        ask(&["-n", NAMESPACE, "get", "pods", "-o", "wide"]),
        ask(&["-n", NAMESPACE, "get", "events", "--sort-by=.lastTimestamp"]),
        ask(&["-n", NAMESPACE, "logs", "-l", selector, "--tail=30"])
    )
}

/// Builds `kubectl-hearth` and gives the folder that it is in.
pub fn command_line(stages: Option<&mut Stages>) -> Result<PathBuf> {
    let build = || tools::run(&mut tools::build_shipped("ci", &[]));
    match stages {
        Some(stages) => stages.run("kubectl hearth", build)?,
        None => build()?,
    }
    let folder = repo::target().join("x86_64-unknown-linux-gnu/ci");
    ensure!(folder.join("kubectl-hearth").exists(), "no kubectl-hearth in {}", folder.display());
    Ok(folder)
}
