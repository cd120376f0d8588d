//! `runs`: a list from the record.

use super::{json, yaml};
use crate::{
    args::{Output, RunsArgs},
    connect::Connected,
    error::CliError,
    record::all,
    render,
    terminal::{Terminal, put, show},
};
use anyhow::Context;
use hearth_crds::duration::DurationText;
use hearth_wire::{Page, RunSummary};
use jiff::{SignedDuration, Timestamp};

pub async fn list(connected: &mut Connected, args: &RunsArgs) -> Result<(), CliError> {
    let now = Timestamp::now();
    let mut query = Vec::new();
    if !args.all_namespaces {
        query.push(("namespace", connected.namespace.clone()));
    }
    query.extend(args.workflow.clone().map(|name| ("name", name)));
    query.push(("kind", "Workflow".to_owned()));
    query.extend((!args.phase.is_empty()).then(|| ("phase", args.phase.join(","))));
    query.extend((!args.labels.is_empty()).then(|| ("label", args.labels.join(","))));
    query.extend(since(args.since.as_deref(), now)?.map(|t| ("from", t.to_string())));
    let runs: Vec<RunSummary> = all(&mut connected.api, "/api/v1/runs", &query, args.limit)
        .await
        .map_err(|e| in_flags(e, args.all_namespaces))?;
    let wide = args.output == Output::Wide;
    match args.output {
        Output::Table | Output::Wide if runs.is_empty() => {
            let place = if args.all_namespaces {
                "any namespace".to_owned()
            } else {
                format!("namespace {}", connected.namespace)
            };
            eprintln!("No runs found in {place}.");
            Ok(())
        }
        Output::Table | Output::Wide => {
            show(&render::runs(&runs, args.all_namespaces, wide, Terminal::of_stdout().width, now))
        }
        Output::Name => put(&runs.iter().map(|r| format!("run/{}\n", r.id)).collect::<String>()),
        Output::Json => json(&Page { items: runs, next: None }),
        Output::Yaml => yaml(&Page { items: runs, next: None }),
    }
}

/// The API names its own parameters; people here have flags.
pub fn in_flags(error: CliError, all_namespaces: bool) -> CliError {
    match error {
        CliError::Forbidden(detail) if all_namespaces => {
            let right = detail.split(';').next().unwrap_or(&detail);
            CliError::Forbidden(format!("{right}; look into one that you may list: -n NAMESPACE"))
        }
        other => other,
    }
}

/// The time that is `text` before now.
pub fn since(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let age = DurationText(text.to_owned()).parse().map_err(|e| CliError::Usage(format!("--since: {e}")))?;
    let age = SignedDuration::try_from(age).context("--since")?;
    Ok(Some(now.checked_sub(age).context("--since")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_before_now() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(since(Some("24h"), now).unwrap().unwrap().to_string(), "2026-11-20T08:00:00Z");
        assert!(since(Some("yesterday"), now).is_err());
        assert!(since(None, now).unwrap().is_none());
    }
}
