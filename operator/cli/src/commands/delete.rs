//! `delete`: a run goes from the record for good.

use crate::{args::DeleteArgs, connect::Connected, error::CliError, record, terminal::show};
use anyhow::Context;
use hearth_wire::RunSummary;
use std::io::{BufRead, IsTerminal, stdin};

pub async fn delete(connected: &mut Connected, args: &DeleteArgs) -> Result<(), CliError> {
    let run = record::find(&mut connected.api, &connected.namespace, &args.run).await?;
    let row = &run.summary;
    if !args.yes {
        if !stdin().is_terminal() {
            return Err(CliError::Usage(format!(
                "run {} is deleted for good; say --yes when nobody can be asked",
                row.id
            )));
        }
        eprint!("{} Delete it from the record for good? [y/N] ", told(row));
        if !agreed(&mut stdin().lock())? {
            return Err(CliError::Other(anyhow::anyhow!("nothing was deleted")));
        }
    }
    connected.api.delete(&record::path(&run)).await?;
    show(&format!("run/{} deleted\n", row.id))
}

fn told(row: &RunSummary) -> String {
    format!(
        "Run {} of {} {}/{} ({}, started {}).",
        row.number, row.kind, row.namespace, row.name, row.phase, row.started_at
    )
}

/// Only a plain yes is one.
fn agreed(input: &mut impl BufRead) -> Result<bool, CliError> {
    let mut line = String::new();
    input.read_line(&mut line).context("standard input")?;
    Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_deletes() {
        for (line, yes) in
            [("y\n", true), ("YES\n", true), ("n\n", false), ("\n", false), ("", false), ("yep\n", false)]
        {
            assert_eq!(agreed(&mut line.as_bytes()).unwrap(), yes, "{line:?}");
        }
    }
}
