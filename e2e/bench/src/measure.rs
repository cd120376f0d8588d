//! What every measurement is told, and where its tables go.

use anyhow::Result;
use clap::Args;
use hearth_e2e::{document, machine, standalone::Standalone};
use std::{path::PathBuf, process::ExitCode};

/// What every measurement is told.
#[derive(Args, Debug)]
pub struct Place {
    /// The operator that is measured.
    #[command(flatten)]
    pub(crate) operator: Standalone,
    /// Name of that service account, as the audit log says it.
    #[arg(long, default_value = "system:serviceaccount:hearth-system:hearth")]
    pub(crate) operator_user: String,
    /// The API server's audit log.
    #[arg(long)]
    pub(crate) audit_log: PathBuf,
    /// Document to put the tables into, between its marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The command, as a reader would type it; by default the target of the Makefile.
    #[arg(long)]
    command: Option<String>,
}

/// Tables, and which of their goals were missed.
pub trait Tables {
    /// The tables.
    fn markdown(&self) -> String;
    /// The goals that were missed.
    fn missed(&self) -> Vec<String>;
}

/// Measures, prints the tables, and writes them where they are wanted, between the marks `name`.
#[must_use]
pub fn measure<T: Tables>(name: &str, place: &Place, course: impl Future<Output = Result<T>>) -> ExitCode {
    match print(name, place, course) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print<T: Tables>(name: &str, place: &Place, course: impl Future<Output = Result<T>>) -> Result<()> {
    // One provider for the whole process; it can only be installed already by this very line.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let before = machine::load()?;
    let tables = runtime.block_on(course)?;
    let text = format!(
        "- {}\n- Load average of one minute: {before} before, {} after; the lab itself is part of the latter.\n\
         - `{}`, {}.\n{}",
        machine::describe()?,
        machine::load()?,
        place.command.clone().unwrap_or_else(|| format!("make {name}")),
        jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC"),
        tables.markdown()
    );
    println!("{text}");
    match tables.missed().as_slice() {
        [] => println!("every goal met"),
        missed => println!("missed: {}", missed.join("; ")),
    }
    if let Some(path) = &place.write {
        document::write(path, name, &text)?;
        println!("written into {}", path.display());
    }
    Ok(())
}
