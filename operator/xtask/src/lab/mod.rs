//! The lab: a real Kubernetes on this machine, in a network namespace of its own.

mod audit;
mod binaries;
mod cgroups;
mod components;
mod config;
mod down;
mod gpu;
mod kwok;
mod network;
mod packages;
mod pki;
mod place;
mod postgres;
mod process;
mod s3;
mod status;
pub mod tell;
mod up;
mod users;
mod volumes;

pub use packages::check_go;
pub use place::{COLLECTOR, Lab};
pub use s3::{Bucket, bucket};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use components::Component;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

/// Arguments of `cargo xtask lab`.
#[derive(Args)]
pub struct LabArgs {
    /// Which lab; default `$HEARTH_LAB`, else `hearth`. Each has its own folder, namespace and node.
    #[arg(long, global = true)]
    name: Option<String>,
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Subcommand)]
enum LabCommand {
    /// Bring it up, or complete what is missing.
    Up {
        /// etcd doesn't wait for the disk; for benchmarks, never for tests of durability.
        #[arg(long)]
        unsafe_no_fsync: bool,
    },
    /// End it and remove all that it made.
    Down,
    /// Show its parts, and whether they run.
    Status,
    /// Print the shell lines that point kubectl, helm and the tests to it.
    Env,
    /// Run a command within its network namespace, with KUBECONFIG and PATH set.
    Exec {
        /// The command and its arguments, behind `--`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Stop and start one part, and wait until it serves.
    Restart {
        /// The part.
        part: Component,
    },
    /// Stop one part.
    Stop {
        /// The part.
        part: Component,
        /// Kill it (SIGKILL) instead of asking it to end.
        #[arg(long)]
        kill: bool,
    },
    /// Start one part, and wait until it serves.
    Start {
        /// The part.
        part: Component,
    },
    /// Make one part hang (SIGSTOP, its children too).
    Pause {
        /// The part.
        part: Component,
    },
    /// Let a hanging part go on (SIGCONT).
    Cont {
        /// The part.
        part: Component,
    },
    /// Give the real node two fake GPUs (capacity, product label, taint), or take them away.
    Gpu {
        /// Product name of the label nvidia.com/gpu.product.
        #[arg(long, default_value = "NVIDIA-H200")]
        product: String,
        /// Effect of the taint nvidia.com/gpu. The default keeps the one node usable for all other pods.
        #[arg(long, default_value = "PreferNoSchedule", value_parser = ["PreferNoSchedule", "NoSchedule", "NoExecute"])]
        effect: String,
        /// Take them away.
        #[arg(long)]
        remove: bool,
    },
    /// Make fake nodes, beside the real one, on which pods only seem to run.
    Kwok {
        /// How many there shall be; 0 removes them all and ends kwok.
        #[arg(long)]
        nodes: usize,
    },
    /// Print the path of the API server's audit log, or the part of it since a mark.
    Audit(audit::AuditArgs),
    /// Images of the lab's containerd.
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Make a kubeconfig for someone, and print its path.
    Kubeconfig(users::KubeconfigArgs),
    /// Make released volumes fresh again.
    Volumes,
}

#[derive(Subcommand)]
enum ImageCommand {
    /// Import an archive (docker-archive or OCI), with digests.
    Import {
        /// The archive.
        file: PathBuf,
    },
    /// List the names of all images.
    List,
}

/// The cluster that tools and tests talk to.
#[derive(Debug)]
pub enum Cluster {
    /// The user's own: `KUBECONFIG` is set, and no lab is started.
    Given,
    /// The lab.
    Lab(Lab),
}

impl Cluster {
    /// A command that can reach the cluster, with `KUBECONFIG` and `PATH` set.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Given => Command::new(program),
            Self::Lab(lab) => lab.client(program),
        }
    }
}

/// Decides which cluster is meant; with `start` a lab that doesn't run is brought up.
pub fn cluster(start: bool) -> Result<Cluster> {
    let given = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let lab = Lab::named(&lab_name(None))?;
    // `lab env` and `lab exec` set KUBECONFIG too, to the lab's own.
    if given.is_some_and(|path| path != lab.kubeconfig()) {
        return Ok(Cluster::Given);
    }
    if start {
        up::up(&lab, up::Wishes::default())?;
    } else if !lab.kubeconfig().exists() {
        bail!("the lab {} is not up: run `make lab`, or set KUBECONFIG to a cluster of yours", lab.name);
    }
    Ok(Cluster::Lab(lab))
}

fn lab_name(asked: Option<String>) -> String {
    let known = || std::env::var("HEARTH_LAB").ok().filter(|name| !name.is_empty());
    asked.or_else(known).unwrap_or_else(|| "hearth".to_owned())
}

/// Runs the lab's subcommand.
pub fn run(args: LabArgs) -> Result<()> {
    let lab = Lab::named(&lab_name(args.name))?;
    match args.command {
        LabCommand::Up { unsafe_no_fsync } => up::up(&lab, up::Wishes { no_fsync: unsafe_no_fsync }),
        LabCommand::Down => down::down(&lab),
        LabCommand::Status => status::print(&lab),
        command => {
            if !lab.kubeconfig().exists() {
                bail!("the lab {} is not up: run `cargo xtask lab up`", lab.name);
            }
            run_on(&lab, command)
        }
    }
}

/// The subcommands that need a lab that is there.
fn run_on(lab: &Lab, command: LabCommand) -> Result<()> {
    match command {
        LabCommand::Up { .. } | LabCommand::Down | LabCommand::Status => Ok(()),
        LabCommand::Env => status::print_env(lab),
        LabCommand::Exec { command } => exec(lab, &command),
        LabCommand::Restart { part } => {
            part.stop(lab)?;
            start(lab, part)
        }
        LabCommand::Stop { part, kill: false } => part.stop(lab),
        LabCommand::Stop { part, kill: true } => process::kill(lab, part.name()),
        LabCommand::Start { part } => start(lab, part),
        LabCommand::Pause { part } => {
            process::check(lab, part.name())?;
            process::signal_all(lab, part.name(), "STOP")
        }
        LabCommand::Cont { part } => {
            process::check(lab, part.name())?;
            process::signal_all(lab, part.name(), "CONT")
        }
        LabCommand::Gpu { product, effect, remove: false } => gpu::add(lab, &product, &effect),
        LabCommand::Gpu { remove: true, .. } => gpu::remove(lab),
        LabCommand::Kwok { nodes } => kwok::set_nodes(lab, nodes),
        LabCommand::Audit(args) => audit::run(lab, &args),
        LabCommand::Image { command } => image(lab, command),
        LabCommand::Kubeconfig(args) => {
            println!("{}", users::kubeconfig(lab, &args)?.display());
            Ok(())
        }
        LabCommand::Volumes => volumes::reset(lab),
    }
}

fn start(lab: &Lab, part: Component) -> Result<()> {
    part.start(lab, &up::programs(lab)?)?;
    tell::step(&format!("{} serves", part.name()), || part.wait(lab))
}

fn image(lab: &Lab, command: ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Import { file } => tell::shown(lab.ctr(&["images", "import", "--digests"]).arg(file)),
        ImageCommand::List => tell::shown(&mut lab.ctr(&["images", "ls"])),
    }
}

/// Becomes the command: its exit status and its signals are then its own.
fn exec(lab: &Lab, command: &[OsString]) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let (program, args) = command.split_first().context("no command given")?;
    let mut inside = lab.client(program);
    inside.args(args).env("HEARTH_LAB_DATABASE_URL", postgres::url(lab)?).env("HEARTH_LAB_BUCKET", s3::folder(lab));
    Err(inside.exec()).with_context(|| format!("start {}", tell::line(&inside)))
}
