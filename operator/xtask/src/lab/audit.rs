//! The API server's audit log: one JSON event a line.

use super::place::Lab;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Arguments of `lab audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Print a mark: the place where the log ends now.
    #[arg(long, conflicts_with = "since")]
    mark: bool,
    /// Print the events since this mark.
    #[arg(long)]
    since: Option<u64>,
}

/// Prints the log's path, a mark, or the events since a mark.
pub fn run(lab: &Lab, args: &AuditArgs) -> Result<()> {
    let path = lab.audit_log();
    match (args.mark, args.since) {
        (true, _) => println!("{}", std::fs::metadata(&path).map(|meta| meta.len()).unwrap_or(0)),
        (false, None) => println!("{}", path.display()),
        (false, Some(mark)) => {
            let mut file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
            ensure!(file.metadata()?.len() >= mark, "the log was rotated since mark {mark}");
            file.seek(SeekFrom::Start(mark))?;
            std::io::copy(&mut file.by_ref(), &mut std::io::stdout().lock())?;
        }
    }
    Ok(())
}
