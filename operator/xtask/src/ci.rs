//! `make test`: every check and test, stage by stage, with their minutes. Nothing is skipped in silence.

mod chart;
mod checks;
mod end;
mod linter;
mod monitoring;
#[cfg(test)]
mod promises;
mod typed;

use crate::{cluster::Target, deploy, postgres, repo, stage::Stages, tools};
use anyhow::{Result, ensure};
use clap::Args;

/// Cargo's profile of everything here: what the images need is then built once.
const PROFILE: &str = "ci";

/// Arguments of `cargo xtask test`.
#[derive(Args)]
pub struct TestArgs {
    /// Only what needs no cluster.
    #[arg(long)]
    quick: bool,
    /// Only these stages, by the name of `--list`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Print the names of the stages.
    #[arg(long)]
    list: bool,
    /// Leave the lab up even in CI.
    #[arg(long)]
    keep_lab: bool,
}

/// One stage: its name, whether it needs the cluster, and its work.
struct Stage {
    name: &'static str,
    cluster: bool,
    work: fn() -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", cluster: false, work: || tools::run(&mut tools::cargo(&["fmt", "--all", "--check"])) },
    Stage {
        name: "clippy",
        cluster: false,
        work: || {
            tools::run(&mut tools::cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--profile",
                PROFILE,
                "--quiet",
                "--",
                "-D",
                "warnings",
            ]))
        },
    },
    Stage { name: "generated", cluster: false, work: crate::generate::verify },
    Stage { name: "api-lint", cluster: false, work: crate::apilint::run },
    Stage { name: "dependencies", cluster: false, work: checks::dependencies },
    Stage { name: "layers", cluster: false, work: checks::layers },
    Stage { name: "chart", cluster: false, work: chart::check },
    Stage { name: "monitoring", cluster: false, work: monitoring::check },
    Stage { name: "unit", cluster: false, work: unit },
    Stage { name: "lab", cluster: true, work: || Target::started().map(drop) },
    Stage { name: "conformance", cluster: true, work: conformance },
    Stage { name: "images", cluster: true, work: images },
    Stage { name: "install", cluster: true, work: install },
    Stage { name: "explain", cluster: true, work: checks::explain },
    Stage { name: "e2e", cluster: true, work: e2e },
    Stage { name: "ha", cluster: true, work: ha },
    Stage { name: "namespaces", cluster: true, work: namespaces },
    Stage { name: "uninstall", cluster: true, work: end::uninstall },
    Stage { name: "install-yaml", cluster: true, work: end::manifest },
];

/// Runs the stages.
pub fn run(args: &TestArgs) -> Result<()> {
    if args.list {
        STAGES.iter().for_each(|stage| println!("{}{}", stage.name, if stage.cluster { " (cluster)" } else { "" }));
        return Ok(());
    }
    for name in &args.only {
        ensure!(STAGES.iter().any(|stage| stage.name == name), "there is no stage {name}: --list names them");
    }
    let chosen: Vec<&Stage> = STAGES
        .iter()
        .filter(|stage| args.only.is_empty() || args.only.iter().any(|name| name == stage.name))
        .filter(|stage| !(args.quick && stage.cluster))
        .collect();
    let mut stages = Stages::default();
    let result = chosen.iter().try_for_each(|stage| stages.run(stage.name, stage.work));
    let uses_lab = chosen.iter().any(|stage| stage.cluster);
    let down = if uses_lab && repo::in_ci() && !args.keep_lab { stages.run("lab down", lab_down) } else { Ok(()) };
    print!("{}", stages.table());
    let left_out: Vec<&str> = STAGES
        .iter()
        .filter(|stage| !chosen.iter().any(|one| one.name == stage.name))
        .map(|stage| stage.name)
        .collect();
    if !left_out.is_empty() {
        println!("not asked for, so not run: {}", left_out.join(", "));
    }
    result.and(down)
}

/// The tests of all crates but e2e, with a Postgres of their own.
fn unit() -> Result<()> {
    let server = postgres::Server::start()?;
    tools::run(unit_tests().env("HEARTH_TEST_POSTGRES", server.url()))
}

/// Always of all crates: with fewer of them cargo would choose other features, and build what is built once more.
fn unit_tests() -> std::process::Command {
    tools::cargo(&["test", "--workspace", "--exclude", "hearth-e2e", "--profile", PROFILE, "--quiet"])
}

/// Whether the simulator's API server answers as the real one does.
fn conformance() -> Result<()> {
    let target = Target::started()?;
    tools::run(
        unit_tests()
            .args(["--test", "suite", "--", "--ignored", "a_real_api_server_answers_alike"])
            .env("HEARTH_CONFORMANCE_KUBECTL", target.kubectl_path()),
    )
}

/// All images, and the operator's with failure points beside it.
fn images() -> Result<()> {
    let target = Target::started()?;
    deploy::images(&target, &[])?;
    if target.is_lab() { tools::run(&mut tools::task(&["images", "hearth-failpoints"])) } else { Ok(()) }
}

/// The default of the stages: mode single with Postgres, for all namespaces.
fn install() -> Result<()> {
    let target = Target::started()?;
    let image = deploy::images(&target, &["hearth"])?;
    deploy::install(&target, &image, &[])?;
    deploy::command_line(None).map(drop)
}

/// The tests against the cluster. What needs another mode is ignored here, and run by the stages that install it.
fn e2e() -> Result<()> {
    let alone = ["bad_days::", "poison::", AFTERWARDS];
    let rounds = [
        Round { at_once: 6, only: &[], skip: &alone },
        // What stops and hangs parts of the cluster, or changes the CRD, has it to itself.
        Round { at_once: 1, only: &["bad_days::", "poison::"], skip: &[] },
        Round { at_once: 4, only: &[AFTERWARDS], skip: &[] },
    ];
    cluster_tests(&Target::started()?, &rounds)
}

/// Mode ha with artifacts in S3: the examples once more, and changes of leader.
fn ha() -> Result<()> {
    let target = Target::started()?;
    let image = deploy::images(&target, &["hearth"])?;
    deploy::install_ha(&target, &image)?;
    let rounds = [
        Round { at_once: 6, only: &["examples::"], skip: &[] },
        Round { at_once: 4, only: &["ha::", "--include-ignored"], skip: &[] },
        Round { at_once: 4, only: &[AFTERWARDS], skip: &["nothing_granted_is_unused"] },
    ];
    cluster_tests(&target, &rounds)
}

/// Only these namespaces are watched in the stage of that name.
const WATCHED: [&str; 2] = ["e2e-watched-a", "e2e-watched-b"];

/// An operator with rights in a few namespaces alone.
fn namespaces() -> Result<()> {
    let target = Target::started()?;
    let image = deploy::images(&target, &["hearth"])?;
    for name in WATCHED {
        deploy::namespace(&target, name)?;
    }
    deploy::install(&target, &image, &["--set", &format!("watchNamespaces={{{}}}", WATCHED.join(","))])?;
    let rounds = [
        Round { at_once: 4, only: &["namespaces::", "--include-ignored"], skip: &[] },
        Round { at_once: 4, only: &["the_operators_log"], skip: &[] },
    ];
    cluster_tests(&target, &rounds)?;
    for name in WATCHED {
        target.kubectl(&["delete", "namespace", name, "--ignore-not-found", "--wait", "--timeout=120s"])?;
    }
    deploy::install(&target, &image, &[])
}

/// The tests that read what all others made the operator do.
const AFTERWARDS: &str = "afterwards::";

/// Some of the tests against the cluster.
struct Round<'a> {
    /// So many of them at a time: most wait, and each has a namespace of its own.
    at_once: u8,
    /// Those with one of these in their name; all, if there is none.
    only: &'a [&'a str],
    skip: &'a [&'a str],
}

/// Runs tests against the cluster, one round after the other. They are built outside of the cluster's network.
fn cluster_tests(target: &Target, rounds: &[Round<'_>]) -> Result<()> {
    let plugin = deploy::command_line(None)?;
    tools::run(&mut tools::cargo(&["test", "--package", "hearth-e2e", "--profile", PROFILE, "--quiet", "--no-run"]))?;
    let mut failed = Ok(());
    for round in rounds {
        let mut command = target.command("cargo");
        command
            .args(["test", "--package", "hearth-e2e", "--lib", "--test", "suite", "--profile", PROFILE, "--offline"])
            .args(["--no-fail-fast", "--", "--show-output", &format!("--test-threads={}", round.at_once)])
            .args(round.only)
            .args(round.skip.iter().flat_map(|name| ["--skip", *name]))
            .env("HEARTH_PLUGIN", plugin.join("kubectl-hearth"))
            .env("HEARTH_XTASK", std::env::current_exe()?)
            .env("HEARTH_DATABASE_URL", target.database_url()?);
        if target.is_lab() {
            command.env("HEARTH_LAB_BUCKET", target.bucket()?.folder);
        }
        // Later rounds say more of what went wrong.
        failed = failed.and(tools::run(&mut command));
    }
    failed
}

fn lab_down() -> Result<()> {
    tools::run(&mut tools::task(&["lab", "down"]))
}
