//! The flags and the environment: nothing else in the operator reads them.

use crate::{artifacts::ArtifactArgs, exports::ExportArgs, uninstall::Uninstall};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use hearth_crds::duration::DurationText;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// The Hearth operator.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group = ArgGroup::new("store").required(true).multiple(false))]
pub struct Cli {
    /// Something else than running the operator.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// How the operator runs.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What the binary does beside running.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Stop the operator and let its objects go: what the chart does before it is uninstalled.
    Uninstall(Uninstall),
}

/// How the operator runs.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Namespace of the operator: its Lease, its certificate authority.
    #[arg(long, env = "POD_NAMESPACE", default_value = "hearth-system")]
    pub namespace: String,
    /// Namespaces whose objects are handled, for example a,b. Default: all.
    #[arg(long, value_delimiter = ',', value_parser = namespace)]
    pub watch_namespaces: Vec<String>,
    /// Name of this process in the Lease.
    #[arg(long, env = "POD_NAME", default_value_t = format!("hearth-{}", std::process::id()))]
    pub identity: String,
    /// History in Postgres: postgres://user:password@host:port/database.
    #[arg(long, env = "HEARTH_DATABASE_URL", hide_env_values = true, group = "store")]
    pub database_url: Option<String>,
    /// File that holds the database URL, instead of the environment.
    #[arg(long, group = "store")]
    pub database_url_file: Option<PathBuf>,
    /// Database URL of another role, to which the tables belong: it migrates, and makes and drops partitions.
    #[arg(long, env = "HEARTH_MIGRATION_URL", hide_env_values = true, conflicts_with = "history_file")]
    pub migration_url: Option<String>,
    /// History in this SQLite file, which is made when it is not there. For one replica.
    #[arg(long, group = "store")]
    pub history_file: Option<PathBuf>,
    /// Where the API listens, with TLS.
    #[arg(long, default_value = "0.0.0.0:8443")]
    pub api_addr: SocketAddr,
    /// Where healthz, readyz and metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub metrics_addr: SocketAddr,
    /// Whether the API takes tokens that the API server itself takes.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub cluster_tokens: bool,
    /// Length of the leader's Lease.
    #[arg(long, default_value = "15s", value_parser = duration)]
    pub lease_duration: Duration,
    /// How long one request to the API server may take; shorter than the Lease.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub request_timeout: Duration,
    /// Default user and group of pods, or `unset` to leave it to the cluster.
    #[arg(long, default_value = "65532", value_parser = run_as)]
    pub run_as: RunAs,
    /// How long records are kept after the start of their run, in whole months, for example 365d; unset keeps them for
    /// ever.
    #[arg(long, value_parser = retention)]
    pub history_retention: Option<Duration>,
    /// What becomes of a deleted object while the store is away.
    #[arg(long, value_enum, default_value_t = OnDeletePolicy::Hold)]
    pub history_on_delete: OnDeletePolicy,
    /// How long Release waits for the store.
    #[arg(long, value_parser = duration, required_if_eq("history_on_delete", "Release"))]
    pub history_release_after: Option<Duration>,
    /// Age at which a running row whose object is gone ends as Vanished; looked for just as often.
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub vanish_after: Duration,
    /// Objects that are handled at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// File with the catalog of runtimes, a JSON object by name; unset is an empty catalog.
    #[arg(long)]
    pub catalog_file: Option<PathBuf>,
    /// Artifacts.
    #[command(flatten)]
    pub artifacts: ArtifactArgs,
    /// What other systems are told.
    #[command(flatten)]
    pub exports: ExportArgs,
    /// Form of the log.
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is logged, for example info or hearth_driver=debug,info.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub log: String,
}

/// The default user of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunAs(pub Option<i64>);

/// What becomes of a deleted object while the store is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDeletePolicy {
    /// It stays until its record is stored.
    #[value(name = "Hold")]
    Hold,
    /// It goes after a while, and the loss is counted and logged.
    #[value(name = "Release")]
    Release,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// A name of a namespace: an empty one would mean all of them.
fn namespace(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 63 || !text.chars().all(plain) {
        return Err(format!("{text:?} is no name of a namespace"));
    }
    Ok(text.to_owned())
}

/// The variables by which S3 is told its keys, or where they come from.
pub fn aws() -> Vec<(String, String)> {
    std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect()
}

fn duration(text: &str) -> Result<Duration, String> {
    DurationText(text.to_owned()).parse().map_err(|e| e.to_string())
}

/// Shorter would delete records of objects that are still there, and of runs that still run.
const LEAST_RETENTION: Duration = Duration::from_secs(86_400);

fn retention(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|keep| match keep {
        keep if keep < LEAST_RETENTION => Err(format!("{text} is too short: keep records for 1d or longer")),
        keep => Ok(keep),
    })
}

fn run_as(text: &str) -> Result<RunAs, String> {
    match text {
        "unset" => Ok(RunAs(None)),
        id => id
            .parse()
            .ok()
            .filter(|id| *id >= 0)
            .map(|id| RunAs(Some(id)))
            .ok_or_else(|| format!("{id}: write a user id, or unset")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"hearth").chain(args))
    }

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_the_chart_writes_is_understood() {
        let cli = parse(&[
            "--database-url=postgres://x",
            "--namespace=h",
            "--cluster-tokens=false",
            "--history-on-delete=Release",
            "--history-release-after=1h",
            "--history-retention=365d",
            "--run-as=unset",
            "--watch-namespaces=a,b",
            "--log-format=json",
            "--openlineage-url=http://marquez:5000/api/v1/lineage",
            "--openlineage-namespace=lab",
            "--opentelemetry-url=http://collector:4318/v1/traces",
            "--export-ca-file=/etc/hearth-export/ca.crt",
        ])
        .unwrap();
        assert_eq!((cli.run.run_as, cli.run.cluster_tokens), (RunAs(None), false));
        assert_eq!(cli.run.watch_namespaces, ["a", "b"]);
        assert_eq!(cli.run.history_release_after, Some(Duration::from_secs(3600)));
        assert_eq!(cli.run.history_retention, Some(Duration::from_secs(365 * 86_400)));
        assert!(matches!(
            parse(&["uninstall", "--namespace=h", "--deployment=hearth", "--timeout=2m"]).unwrap().task,
            Some(Task::Uninstall(_))
        ));
    }

    #[test]
    fn one_place_for_history_is_enough() {
        for good in ["--database-url=x", "--database-url-file=x", "--history-file=x"] {
            parse(&[good]).unwrap();
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            &[][..],
            &["--database-url=x", "--history-file=y"],
            &["--migration-url=x", "--history-file=y"],
            &["--migration-url=x"],
            &["--database-url=x", "--database-url-file=y"],
            &["--database-url-file=x", "--history-file=y"],
            &["--database-url=x", "--history-on-delete=Release"],
            &["--database-url=x", "--run-as=-1"],
            &["--database-url=x", "--watch-namespaces="],
            &["--database-url=x", "--watch-namespaces=a,,b"],
            &["--database-url=x", "--run-as=root"],
            &["--database-url=x", "--lease-duration=soon"],
            &["--database-url=x", "--history-retention=1h"],
            &["--database-url=x", "--openlineage-namespace=lab"],
            &["--database-url=x", "--opentelemetry-headers=a=b"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
