//! A throw-away Postgres on loopback, for tests that need one and no cluster.

use crate::{
    repo,
    tools::{self, TempDir},
};
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where Debian puts the server.
const DEBIAN_BIN: &str = "/usr/lib/postgresql/15/bin";

/// Arguments of `cargo xtask postgres`.
#[derive(Args)]
pub struct PostgresArgs {
    #[command(subcommand)]
    command: PostgresCommand,
}

#[derive(Subcommand)]
enum PostgresCommand {
    /// Start one that stays until `stop`, and print the shell line that points tests to it.
    Start,
    /// Stop it, and remove its data.
    Stop,
    /// Run a command with HEARTH_TEST_POSTGRES pointing to one that goes when the command ends.
    Run {
        /// The command and its arguments, behind `--`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

/// Runs the subcommand.
pub fn run(args: &PostgresArgs) -> Result<()> {
    match &args.command {
        PostgresCommand::Start => start_and_stay(),
        PostgresCommand::Stop => stop_stayed(),
        PostgresCommand::Run { command } => {
            let server = Server::start()?;
            let (program, rest) = command.split_first().context("no command given")?;
            tools::run(Command::new(program).args(rest).env("HEARTH_TEST_POSTGRES", server.url()))
        }
    }
}

/// A server that is stopped, and its data removed, when this value goes.
pub struct Server {
    data: PathBuf,
    port: u16,
    _folder: Option<TempDir>,
}

impl Server {
    /// Makes a database cluster and starts it on a free port of loopback.
    pub fn start() -> Result<Self> {
        // Tests kill no server: what they wrote need not survive one.
        Self::start_with("-c fsync=off")
    }

    /// The same with commits that wait for the disk, for measurements.
    pub fn durable() -> Result<Self> {
        Self::start_with("-c fsync=on")
    }

    fn start_with(settings: &str) -> Result<Self> {
        let folder = TempDir::new("hearth-postgres")?;
        let server = Self { data: folder.path().join("data"), port: free_port()?, _folder: Some(folder) };
        server.init(settings)?;
        Ok(server)
    }

    /// How clients reach it.
    pub fn url(&self) -> String {
        format!("postgres://hearth@127.0.0.1:{}/hearth", self.port)
    }

    fn init(&self, settings: &str) -> Result<()> {
        let parent = self.data.parent().context("a data folder has a parent")?;
        if is_root()? {
            tools::run(Command::new("chown").arg("postgres:").arg(parent))?;
        }
        quietly(
            as_account("initdb")?
                .args(["--username=hearth", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-D"])
                .arg(&self.data),
        )?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} -c max_connections=200 {settings}",
            self.port,
            self.data.display()
        );
        quietly(
            as_account("pg_ctl")?
                .args(["start", "--wait", "--timeout=60", "-o", &options, "-l"])
                .arg(self.data.join("server.log"))
                .arg("-D")
                .arg(&self.data),
        )?;
        quietly(as_account("createdb")?.args([
            "-h",
            "127.0.0.1",
            "-U",
            "hearth",
            "-p",
            &self.port.to_string(),
            "hearth",
        ]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = stop(&self.data) {
            eprintln!("postgres: {error:#}");
        }
    }
}

fn stop(data: &Path) -> Result<()> {
    quietly(as_account("pg_ctl")?.args(["stop", "--mode=immediate", "--wait", "-D"]).arg(data))
}

fn start_and_stay() -> Result<()> {
    let note = note()?;
    if let Ok(text) = std::fs::read_to_string(&note)
        && let Some((url, data)) = text.trim().split_once(' ')
        && Path::new(data).join("postmaster.pid").exists()
    {
        println!("export HEARTH_TEST_POSTGRES={url}");
        return Ok(());
    }
    let server = Server::start()?;
    repo::write(&note, &format!("{} {}\n", server.url(), server.data.display()))?;
    println!("export HEARTH_TEST_POSTGRES={}", server.url());
    // It stays: `stop` ends it.
    std::mem::forget(server);
    Ok(())
}

fn stop_stayed() -> Result<()> {
    let note = note()?;
    let text = std::fs::read_to_string(&note).context("no throw-away Postgres was started")?;
    let (_, data) = text.trim().split_once(' ').context("an unreadable note of the started Postgres")?;
    let data = Path::new(data);
    stop(data)?;
    std::fs::remove_dir_all(data.parent().context("a data folder has a parent")?)?;
    std::fs::remove_file(&note)?;
    Ok(())
}

fn note() -> Result<PathBuf> {
    Ok(repo::cache()?.join("test-postgres"))
}

/// A port that nobody listens on just now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn is_root() -> Result<bool> {
    Ok(tools::capture(Command::new("id").arg("-u"))?.trim() == "0")
}

/// A program of Postgres, as an account that may run it: the server refuses to run as root.
fn as_account(program: &str) -> Result<Command> {
    let path = Path::new(DEBIAN_BIN).join(program);
    let path = if path.exists() { path } else { PathBuf::from(program) };
    ensure!(
        path.is_absolute() || Command::new(&path).arg("--version").stdout(Stdio::null()).status().is_ok(),
        "{program} is missing: apt-get install postgresql-15"
    );
    let mut command = if is_root()? {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(path);
        setpriv
    } else {
        Command::new(path)
    };
    command.current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// Runs to its end with no output unless it fails. The server that pg_ctl leaves behind inherits no pipe of ours.
fn quietly(command: &mut Command) -> Result<()> {
    let folder = TempDir::new("hearth-output")?;
    let path = folder.path().join("output");
    let file = std::fs::File::create(&path)?;
    let status = command
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("start {}", tools::line(command)))?;
    ensure!(
        status.success(),
        "{} ended with {status}\n{}",
        tools::line(command),
        std::fs::read_to_string(&path).unwrap_or_default()
    );
    Ok(())
}
