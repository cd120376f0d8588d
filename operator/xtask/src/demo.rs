//! `make demo`: from nothing to a finished CO₂ Workflow with its record in Postgres.

use crate::{
    cluster::{self, Target},
    deploy, lab, repo,
    stage::{self, Stages},
    tools,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const NAMESPACE: &str = "hearth-demo";
const WORKFLOW: &str = "co2";

/// Arguments of `cargo xtask demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// How long the Workflow may take.
    #[arg(long, default_value_t = 600)]
    patience_seconds: u64,
}

/// Runs the demo.
pub fn run(args: &DemoArgs) -> Result<()> {
    let begun = Instant::now();
    let mut stages = Stages::default();
    stages.run("what this needs", preflight)?;
    let target = stages.run("cluster", Target::started)?;
    let image = stages.run("images", || {
        deploy::images(
            &target,
            &["busybox", "dataset", "features", "hearth", "hearth-step", "python-numpy", "table-check"],
        )
    })?;
    let plugin = deploy::command_line(Some(&mut stages))?;
    stages.run("operator", || deploy::install(&target, &image, &[]))?;
    let run =
        stages.run("the CO2 Workflow", || workflow(&target, &plugin, Duration::from_secs(args.patience_seconds)))?;
    stages.run("results, and the record in Postgres", || show(&target, &plugin, &run))?;
    print!("{}", stages.table());
    println!("\ndemo done in {}.", stage::minutes(begun.elapsed()));
    if target.is_lab() {
        println!(
            "Go on with:  eval \"$(cargo xtask lab env)\"; kubectl -n {NAMESPACE} get hwf     and end with:  make lab-down"
        );
    }
    Ok(())
}

/// Says what is missing before anything is built.
fn preflight() -> Result<()> {
    let cargo = tools::capture(Command::new("cargo").arg("--version"))
        .context("cargo is missing: get Rust 1.95 or later from https://rustup.rs")?;
    ensure!(
        version_at_least(&cargo, "cargo ", (1, 95)),
        "{} is too old: Rust 1.95 or later is needed (rustup update)",
        cargo.trim()
    );
    println!("{}", cargo.trim());
    if lab::cluster(false).is_ok() {
        return Ok(());
    }
    lab::check_go()?;
    let go = tools::capture(Command::new("go").args(["env", "GOVERSION"]))?;
    println!("{}", go.trim());
    Ok(())
}

/// Whether `text`, after `prefix`, begins with a version that is at least `least`.
fn version_at_least(text: &str, prefix: &str, least: (u32, u32)) -> bool {
    let mut numbers = text
        .trim()
        .strip_prefix(prefix)
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= least,
        _ => false,
    }
}

/// Applies the Workflow, or asks for one more run of it, and follows it to its end. Gives the run's id.
fn workflow(target: &Target, plugin: &Path, patience: Duration) -> Result<String> {
    deploy::namespace(target, NAMESPACE)?;
    // A pod is refused until the namespace has its default service account.
    cluster::wait("the default service account", Duration::from_secs(30), || {
        target.get(&["-n", NAMESPACE, "serviceaccount", "default"])
    })?;
    let before = target.get(&["-n", NAMESPACE, "hwf", WORKFLOW])?;
    let earlier = before.as_ref().and_then(run_id);
    let path = Path::new("examples").join(WORKFLOW).join("workflow.yaml");
    let yaml = std::fs::read_to_string(repo::root().join(&path)).with_context(|| format!("read {}", path.display()))?;
    println!("$ kubectl -n {NAMESPACE} apply -f {}", path.display());
    print!("{}", cluster::feed(target.command("kubectl").args(["-n", NAMESPACE, "apply", "-f", "-"]), &yaml)?);
    if earlier.is_some() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let patch = json!({"spec": {"rerun": {"token": format!("demo-{now}")}}}).to_string();
        println!("It has run before: a new rerun.token asks for one more run.");
        target.kubectl(&["-n", NAMESPACE, "patch", "hwf", WORKFLOW, "--type=merge", "-p", &patch])?;
    }
    watch(target, plugin)?;
    follow(target, earlier.as_deref(), patience)
}

/// Waits until the run that is not `earlier` is over and its record stored.
fn follow(target: &Target, earlier: Option<&str>, patience: Duration) -> Result<String> {
    let begun = Instant::now();
    loop {
        let object = target.get(&["-n", NAMESPACE, "hwf", WORKFLOW])?.context("the Workflow is gone")?;
        if let Some(run) = run_id(&object).filter(|run| Some(run.as_str()) != earlier) {
            if condition(&object, "Failed") == Some("True") {
                bail!("the run failed: {}", message(&object, "Failed"));
            }
            if condition(&object, "Complete") == Some("True") && condition(&object, "HistoryStored") == Some("True") {
                return Ok(run);
            }
        } else if condition(&object, "Stalled") == Some("True") && earlier.is_none() {
            bail!("the Workflow is stalled: {}", message(&object, "Stalled"));
        }
        ensure!(begun.elapsed() < patience, "not done within {} s: {}", patience.as_secs(), message(&object, "Ready"));
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The live picture of the run, on the terminal that there is.
fn watch(target: &Target, plugin: &Path) -> Result<()> {
    println!("$ kubectl hearth watch {WORKFLOW} -n {NAMESPACE}");
    // How the run ended is read of the object afterwards.
    with_plugin(target, plugin, &["hearth", "watch", WORKFLOW, "-n", NAMESPACE]).status()?;
    Ok(())
}

fn run_id(object: &Value) -> Option<String> {
    object.pointer("/status/run/id").and_then(Value::as_str).map(str::to_owned)
}

fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    find(object, kind)?.get("status").and_then(Value::as_str)
}

fn message(object: &Value, kind: &str) -> String {
    find(object, kind)
        .and_then(|condition| condition.get("message"))
        .and_then(Value::as_str)
        .unwrap_or("no condition says why")
        .to_owned()
}

/// Prints the object, its results, and the record as the API gives it.
fn show(target: &Target, plugin: &Path, run: &str) -> Result<()> {
    println!("$ kubectl -n {NAMESPACE} get hwf");
    print!("{}", target.kubectl(&["-n", NAMESPACE, "get", "hwf"])?);
    let object = target.get(&["-n", NAMESPACE, "hwf", WORKFLOW])?.context("the Workflow is gone")?;
    println!(
        "\nresults:\n{}",
        indented(&serde_yaml::to_string(object.pointer("/status/run/results").unwrap_or(&Value::Null))?)
    );
    for args in [vec!["hearth", "runs", "-n", NAMESPACE], vec!["hearth", "describe", run, "-n", NAMESPACE]] {
        println!("$ kubectl {}", args.join(" "));
        println!("{}", plugin_output(target, plugin, &args)?);
    }
    Ok(())
}

/// What `kubectl hearth …` prints.
fn plugin_output(target: &Target, folder: &Path, args: &[&str]) -> Result<String> {
    tools::capture(&mut with_plugin(target, folder, args))
}

/// `kubectl hearth …`, with the plugin's folder on PATH.
fn with_plugin(target: &Target, folder: &Path, args: &[&str]) -> Command {
    let mut command = target.command("kubectl");
    // The cluster's command may have set PATH itself: the plugin's folder goes before that.
    let path = command
        .get_envs()
        .find(|(key, _)| *key == "PATH")
        .and_then(|(_, value)| value.map(|value| value.to_string_lossy().into_owned()));
    let path = path.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
    command.args(args).env("PATH", format!("{}:{path}", folder.display()));
    command
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| out + "  " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version_at_least("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", "cargo ", (1, 95)));
        assert!(!version_at_least("cargo 1.9.0", "cargo ", (1, 95)));
        assert!(!version_at_least("nothing", "cargo ", (1, 95)));
    }

    #[test]
    fn conditions_are_found_by_type() {
        let object =
            json!({"status": {"conditions": [{"type": "Failed", "status": "True", "message": "step a: exit code 1"}]}});
        assert_eq!(condition(&object, "Failed"), Some("True"));
        assert_eq!(condition(&object, "Complete"), None);
        assert_eq!(message(&object, "Failed"), "step a: exit code 1");
    }
}
