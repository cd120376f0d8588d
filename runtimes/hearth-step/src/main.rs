//! Fetches a step's input artifacts, runs its command, and stores its output artifacts.
//!
//! Small and static, so that it can be put into any container: `fetch` and `install` run in an init container, `run` in
//! front of the step's command. What it reads and writes is described in runtimes/CONTRACT.md, "Artifacts".

#![cfg_attr(
    test,
    allow(
        missing_docs,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panic"
    )
)]

mod child;
mod failure;
mod fetch;
mod install;
mod pack;
mod place;
mod recorder;
mod retry;
mod run;
mod say;
mod transfer;
mod unpack;

use clap::{Parser, Subcommand};
use failure::Failure;
use hearth_contract::exit;
use place::Place;
use retry::Patience;
use say::say;
use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

/// Fetches a step's input artifacts, runs its command, and stores its output artifacts.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    /// Where /hearth and /dev/termination-log are found, for tests outside of a pod.
    #[arg(long, default_value = "/", hide = true)]
    root: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Put this program into a folder, for a container that runs its command under it.
    Install {
        /// The folder.
        #[arg(default_value = "/hearth/bin")]
        folder: PathBuf,
    },
    /// Download the inputs that /hearth/spec.json names.
    Fetch {
        /// Put this program into that folder as well.
        #[arg(long, value_name = "FOLDER")]
        install: Option<PathBuf>,
        /// Seconds after which a failure is final.
        #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
        deadline: Duration,
    },
    /// Run a command, and store the artifacts that /hearth/spec.json names when it has ended well.
    Run {
        /// Seconds after the command's end after which a failure is final.
        #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
        deadline: Duration,
        /// The command and its arguments, behind `--`.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing is left to do when even this can't be printed.
            let _unprinted = error.print();
            return ExitCode::from(if error.use_stderr() { exit::ARGUMENTS } else { 0 });
        }
    };
    // One provider for the whole process; nobody was here before.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let place = Place::new(args.root);
    match work(&place, args.task) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            say(&failure);
            place.explain(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Does one task, and gives the exit code.
fn work(place: &Place, task: Task) -> Result<u8, Failure> {
    match task {
        Task::Install { folder } => install::install(&folder).map(|()| 0),
        Task::Fetch { install, deadline } => {
            if let Some(folder) = install {
                install::install(&folder)?;
            }
            fetch::fetch(place, &Patience::until_stopped(deadline).map_err(unheard)?).map(|()| 0)
        }
        Task::Run { deadline, command } => run::run(place, &command, Patience::finishing(deadline).map_err(unheard)?),
    }
}

fn unheard(error: std::io::Error) -> Failure {
    Failure::Defect(format!("signals cannot be heard: {error}"))
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}
