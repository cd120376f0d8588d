//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs of Hearth's Workflows, from the record (they stay when the objects are gone), and what can be asked of Workflows.
#[derive(Debug, Parser)]
#[command(name = "kubectl-hearth", bin_name = "kubectl hearth", version, after_help = EXITS)]
pub struct Args {
    /// What to reach, and as whom.
    #[command(flatten)]
    pub target: Target,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "Exit status: 0 done · 1 failed · 2 wrong usage · 3 not found · 4 not allowed, or not known · 5 the history store or the cluster is away";

/// Which cluster, and where in it the API is.
#[derive(Clone, Debug, ClapArgs)]
pub struct Target {
    /// The kubeconfig file. Default: $KUBECONFIG, then ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it. Default: its current context.
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// The namespace of the Workflows. Default: that of the context.
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// The namespace of the operator.
    #[arg(long, global = true, env = "HEARTH_NAMESPACE", default_value = "hearth-system")]
    pub hearth_namespace: String,
    /// Name of the operator's Service: the name in its certificate.
    #[arg(long, global = true, env = "HEARTH_SERVICE", default_value = "hearth")]
    pub hearth_service: String,
    /// Connect straight to the API at this address instead of by port-forward, for example 127.0.0.1:8443.
    #[arg(long, global = true, env = "HEARTH_API_ADDRESS", value_name = "HOST:PORT")]
    pub api_address: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List runs, newest first.
    Runs(RunsArgs),
    /// Show one run: params, results, steps, and why it failed.
    Describe(DescribeArgs),
    /// Show the steps of one run as a tree, each below what it waited for.
    Tree(DescribeArgs),
    /// Show the run of a Workflow as it goes on, until it ends. Exit status: 0 if it succeeded, 1 if not.
    ///
    /// On a terminal the tree is drawn with a bar for the time of each step; elsewhere each change is a line.
    /// When no run is under way, the last one is shown, unless another is about to start.
    Watch(WorkflowRef),
    /// Print the logs that the record keeps of a run.
    Logs(LogsArgs),
    /// Fetch a file that a step left, and compare it with its digest. A directory comes as a tar.
    Artifact(ArtifactArgs),
    /// Show what a run, an artifact or an image came of, and what came of it: which data, which code, which run.
    ///
    /// An artifact and an image are named by their digest, as sha256:hex; `kubectl hearth lineage -o wide RUN` shows them.
    Lineage(LineageArgs),
    /// Compare two runs: params, outputs, results, images and times.
    Compare(CompareArgs),
    /// Show how the last runs of a Workflow went: failures and durations, as a whole and day by day.
    Trend(TrendArgs),
    /// Show what runs asked for, by namespace and owner: pods, CPU, memory and GPUs times the time that they had them.
    Usage(UsageArgs),
    /// Show who did what by the API, or was not allowed to, newest first; in all namespaces unless -n names one.
    ///
    /// It needs the right to list auditrecords.hearth.dev in all namespaces. With --verify every record is read and its hash
    /// recomputed here. Exit status: 1 if a record was changed or is gone.
    Audit(AuditArgs),
    /// Run a Workflow with params of its own, and print the name of the object that was made for the run.
    ///
    /// The object goes some time after its record is stored. The same --id again starts nothing: it says what became of it.
    Trigger(TriggerArgs),
    /// Ask the API itself, and print its answer: what a program does, from a script.
    ///
    /// For example: kubectl hearth api /api/v1/usage
    ///
    /// Or: kubectl hearth api /api/v1/workflows/climate/co2/approve --post '{"step": "check"}'
    Api(ApiArgs),
    /// Delete a run that is over from the record, with all its rows, for good.
    Delete(DeleteArgs),
    /// Check files before they are applied, without a cluster. Exit status: 1 if something is wrong.
    Lint(LintArgs),
    /// Print a script that completes `kubectl-hearth` in a shell.
    ///
    /// For example: kubectl-hearth completion bash > ~/.local/share/bash-completion/completions/kubectl-hearth
    Completion(CompletionArgs),
    /// Change a Workflow.
    #[command(flatten)]
    Change(Change),
}

/// What can be asked of a Workflow.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Start no new step and no new run of a Workflow (spec.suspend).
    Suspend(WorkflowRef),
    /// Let a suspended Workflow go on.
    Resume(WorkflowRef),
    /// Stop the run that is under way (spec.cancel).
    Cancel(WorkflowRef),
    /// Run a Workflow once more, as it is (spec.rerun).
    Rerun(RerunArgs),
    /// Let a step that waits for approval go on, in this run (spec.approve).
    Approve(ApproveArgs),
}

/// Which Workflow.
#[derive(Debug, ClapArgs)]
pub struct WorkflowRef {
    /// Name of the Workflow.
    #[arg(value_name = "WORKFLOW")]
    pub workflow: String,
}

/// What to run once more.
#[derive(Debug, ClapArgs)]
pub struct RerunArgs {
    /// Which Workflow.
    #[command(flatten)]
    pub workflow: WorkflowRef,
    /// Take over the steps that succeeded, when the last run did not.
    #[arg(long)]
    pub from_failed: bool,
}

/// What to approve.
#[derive(Debug, ClapArgs)]
pub struct ApproveArgs {
    /// Which Workflow.
    #[command(flatten)]
    pub workflow: WorkflowRef,
    /// Name of the step that waits.
    pub step: String,
}

/// Which runs.
#[derive(Debug, ClapArgs)]
pub struct RunsArgs {
    /// Runs of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Runs of this Workflow only.
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// Runs in these phases only: Pending, Running, Succeeded, Failed, Cancelled, Vanished.
    #[arg(long, value_delimiter = ',')]
    pub phase: Vec<String>,
    /// Runs of objects with these labels only, for example team=climate.
    #[arg(short = 'l', long = "label", value_delimiter = ',', value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// Runs that started within this time only, for example 24h.
    #[arg(long, value_name = "DURATION")]
    pub since: Option<String>,
    /// The most runs to show.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Which run.
#[derive(Debug, ClapArgs)]
pub struct RunRef {
    /// Id of a run, or the word `workflow` followed by a name for its newest run.
    #[arg(value_name = "RUN | workflow NAME", num_args = 1..=2, required = true)]
    pub run: Vec<String>,
}

/// Which run, and how to print it.
#[derive(Debug, ClapArgs)]
pub struct DescribeArgs {
    /// Which run.
    #[command(flatten)]
    pub run: RunRef,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Which logs.
#[derive(Debug, ClapArgs)]
pub struct LogsArgs {
    /// Which run.
    #[command(flatten)]
    pub run: RunRef,
    /// Logs of this step only.
    #[arg(long)]
    pub step: Option<String>,
    /// The log of this attempt only.
    #[arg(long, requires = "step")]
    pub attempt: Option<i32>,
}

/// Which file.
#[derive(Debug, ClapArgs)]
pub struct ArtifactArgs {
    /// The step and its artifact, as STEP.ARTIFACT, for example clean.table.
    #[arg(value_name = "STEP.ARTIFACT")]
    pub artifact: String,
    /// Which run.
    #[command(flatten)]
    pub run: RunRef,
    /// Where it goes; - is standard output. Default: the artifact's name in this folder.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// Of what.
#[derive(Debug, ClapArgs)]
pub struct LineageArgs {
    /// Id of a run, the word `workflow` followed by a name for its newest run, or a digest.
    #[arg(value_name = "RUN | workflow NAME | sha256:HEX", num_args = 1..=2, required = true)]
    pub of: Vec<String>,
    /// Of a digest in all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How far to go, each way.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub depth: u32,
    /// The most to show, each way.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Which two runs.
#[derive(Debug, ClapArgs)]
pub struct CompareArgs {
    /// Id of a run, or workflow/NAME for the newest run of a Workflow.
    #[arg(value_name = "RUN")]
    pub left: String,
    /// The other one.
    #[arg(value_name = "RUN")]
    pub right: String,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// The trend of what.
#[derive(Debug, ClapArgs)]
pub struct TrendArgs {
    /// Which Workflow.
    #[command(flatten)]
    pub workflow: WorkflowRef,
    /// The most runs to look at.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub last: u32,
    /// Runs that started within this time only, for example 720h.
    #[arg(long, value_name = "DURATION")]
    pub since: Option<String>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// The usage of whom, and when.
#[derive(Debug, ClapArgs)]
pub struct UsageArgs {
    /// Runs of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Runs that started within this time.
    #[arg(long, value_name = "DURATION", default_value = "168h")]
    pub since: String,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// Which records of the audit trail.
#[derive(Debug, ClapArgs)]
pub struct AuditArgs {
    /// What this user did only.
    #[arg(long, value_name = "USER", conflicts_with = "verify")]
    pub who: Option<String>,
    /// What was made within this time only, for example 24h.
    #[arg(long, value_name = "DURATION", conflicts_with = "verify")]
    pub since: Option<String>,
    /// What was not allowed only.
    #[arg(long, conflicts_with = "verify")]
    pub refused: bool,
    /// The most records to show.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Check the whole trail instead.
    #[arg(long)]
    pub verify: bool,
    /// A hash that was the newest at an earlier check: a record must still have it.
    #[arg(long, value_name = "HASH", requires = "verify", value_parser = hash)]
    pub expect: Option<String>,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

fn hash(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(text.to_lowercase())
    } else {
        Err("a hash is 64 hexadecimal digits".to_owned())
    }
}

/// What to run.
#[derive(Debug, ClapArgs)]
pub struct TriggerArgs {
    /// Which Workflow, as a rule a template (runPolicy: Manual).
    #[command(flatten)]
    pub workflow: WorkflowRef,
    /// Value of a param; text as it is, all else as JSON. For example -p window=24 -p models='["loess"]'.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Id of the trigger, so that it can be sent again. Default: a new one.
    #[arg(long)]
    pub id: Option<String>,
    /// How long the object stays after its record is stored, at least 10m. Default: 1h.
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<String>,
    /// Show the run as it goes on, until it ends. Exit status: 0 if it succeeded, 1 if not.
    #[arg(short, long, conflicts_with = "output")]
    pub watch: bool,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// What to ask the API.
#[derive(Debug, ClapArgs)]
pub struct ApiArgs {
    /// The path, with its query. The API lists all of them under /openapi.json.
    #[arg(value_parser = path)]
    pub path: String,
    /// Post this JSON, or what standard input has when it is `-`, instead of reading.
    #[arg(long, value_name = "JSON")]
    pub post: Option<String>,
    /// Id of what is asked (Idempotency-Key), so that it can be sent again.
    #[arg(long, requires = "post")]
    pub id: Option<String>,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("write /api/v1/…".to_owned()) }
}

/// What to delete.
#[derive(Debug, ClapArgs)]
pub struct DeleteArgs {
    /// Which run.
    #[command(flatten)]
    pub run: RunRef,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// What to check.
#[derive(Debug, ClapArgs)]
pub struct LintArgs {
    /// Files of YAML or JSON documents; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// For which shell.
#[derive(Debug, ClapArgs)]
pub struct CompletionArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// A form of output of what has names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people; columns that do not fit the terminal are left out.
    Table,
    /// For people, with all columns, however long the lines are.
    Wide,
    /// Names only, as other commands take them.
    Name,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}
