//! What each command asks of the API.

use crate::{
    args::{Args, Command, DescribeArgs, LogsArgs, Output, RunRef, RunsArgs},
    client::{ApiClient, segment},
    connect::{Connected, connect},
    day2,
    error::CliError,
    render::{self, Described},
};
use anyhow::Context;
use hearth_crds::duration::DurationText;
use hearth_wire::{Event, Log, MAX_PAGE, Page, Run, RunSummary, Step};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{ErrorKind, Write};

/// Does what the command line says.
pub async fn run(args: Args) -> Result<(), CliError> {
    // What is wrong with the command line is said before anything is reached.
    if let Command::Runs(runs) = &args.command {
        since(runs.since.as_deref(), Timestamp::now())?;
    }
    if let Command::Change(change) = &args.command {
        return put(&day2::apply(&args.target, change).await?);
    }
    let mut connected = connect(&args.target).await?;
    match args.command {
        Command::Runs(runs) => list(&mut connected, &runs).await,
        Command::Describe(describe) => show(&mut connected, &describe).await,
        Command::Logs(logs) => print_logs(&mut connected, &logs).await,
        Command::Change(_) => Ok(()),
    }
}

async fn list(connected: &mut Connected, args: &RunsArgs) -> Result<(), CliError> {
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
    let runs: Vec<RunSummary> =
        all(&mut connected.api, "/api/v1/runs", &query, args.limit).await.map_err(|e| in_flags(e, args))?;
    match args.output {
        Output::Table if runs.is_empty() => {
            let place = if args.all_namespaces {
                "any namespace".to_owned()
            } else {
                format!("namespace {}", connected.namespace)
            };
            eprintln!("No runs found in {place}.");
            Ok(())
        }
        Output::Table => put(&render::runs(&runs, args.all_namespaces, now)),
        Output::Json | Output::Yaml => document(args.output, &Page { items: runs, next: None }),
    }
}

/// The API names its own parameters; people here have flags.
fn in_flags(error: CliError, args: &RunsArgs) -> CliError {
    match error {
        CliError::Forbidden(detail) if args.all_namespaces => {
            let right = detail.split(';').next().unwrap_or(&detail);
            CliError::Forbidden(format!("{right}; look into one that you may list: -n NAMESPACE"))
        }
        other => other,
    }
}

async fn show(connected: &mut Connected, args: &DescribeArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let run = find(api, &namespace, &args.run).await?;
    let path = format!("/api/v1/runs/{}", segment(&run.summary.id));
    let steps: Vec<Step> = all(api, &format!("{path}/steps"), &[], u32::MAX).await?;
    let events: Vec<Event> = all(api, &format!("{path}/events"), &[], u32::MAX).await?;
    let log = match render::culprit(&run, &steps) {
        Some(step) if step.has_log => explain_log(log_of(api, &path, step).await)?,
        Some(_) | None => None,
    };
    let described = Described { run, steps, events, log };
    match args.output {
        Output::Table => put(&render::describe(&described, Timestamp::now())),
        Output::Json | Output::Yaml => document(args.output, &described),
    }
}

/// Whoever may see a run but not its logs still gets the rest.
fn explain_log(log: Result<Log, CliError>) -> Result<Option<Log>, CliError> {
    match log {
        Ok(log) => Ok(Some(log)),
        Err(CliError::Forbidden(_) | CliError::NotFound(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn log_of(api: &mut ApiClient, run: &str, step: &Step) -> Result<Log, CliError> {
    let query = [("step", step.step.clone()), ("item", step.item.to_string()), ("attempt", step.attempt.to_string())];
    api.get(&format!("{run}/logs"), &query).await
}

async fn print_logs(connected: &mut Connected, args: &LogsArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let run = find(api, &namespace, &args.run).await?;
    let path = format!("/api/v1/runs/{}", segment(&run.summary.id));
    let steps: Vec<Step> = all(api, &format!("{path}/steps"), &[], u32::MAX).await?;
    let wanted = choose(&run, &steps, args)?;
    let titled = wanted.len() > 1;
    for step in wanted {
        let log = log_of(api, &path, step).await?;
        put(&render::log(&log, titled))?;
    }
    Ok(())
}

/// The attempts whose logs are printed: those that have one, or the reason why there is none.
fn choose<'a>(run: &Run, steps: &'a [Step], args: &LogsArgs) -> Result<Vec<&'a Step>, CliError> {
    let id = &run.summary.id;
    let named =
        |s: &&Step| args.step.as_ref().is_none_or(|n| *n == s.step) && args.attempt.is_none_or(|a| a == s.attempt);
    let wanted: Vec<&Step> = steps.iter().filter(|s| s.attempt > 0).filter(named).collect();
    if let (true, Some(step)) = (wanted.is_empty(), &args.step) {
        let attempt = args.attempt.map_or(String::new(), |a| format!(" with attempt {a}"));
        return Err(CliError::NotFound(format!(
            "run {id} has no step {step:?}{attempt} that started; see: kubectl hearth describe {id}"
        )));
    }
    let kept: Vec<&Step> = wanted.iter().copied().filter(|s| s.has_log).collect();
    if !kept.is_empty() {
        return Ok(kept);
    }
    let why = wanted.iter().find_map(|s| s.log_unavailable.as_ref()).map_or_else(
        || "the record keeps logs of failed attempts, and those of succeeded ones with `logs: Keep`; while its pod is there, kubectl logs shows more".to_owned(),
        |reason| format!("it could not be read when the attempt ended ({reason})"),
    );
    Err(CliError::NotFound(format!("run {id} has no log for that: {why}")))
}

/// The run that the command line names.
async fn find(api: &mut ApiClient, namespace: &str, wanted: &RunRef) -> Result<Run, CliError> {
    let id = match wanted_run(&wanted.run)? {
        Wanted::Id(id) => id,
        Wanted::NewestOf(name) => {
            let path = format!("/api/v1/workflows/{}/{}/runs", segment(namespace), segment(&name));
            let page: Page<RunSummary> = api.get(&path, &[("limit", "1".to_owned())]).await?;
            let newest = page.items.into_iter().next().map(|r| r.id);
            newest.ok_or_else(|| {
                CliError::NotFound(format!("there is no run of a Workflow {name:?} in namespace {namespace}"))
            })?
        }
    };
    api.get(&format!("/api/v1/runs/{}", segment(&id)), &[]).await
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Id(String),
    NewestOf(String),
}

/// `ID`, `workflow NAME` or `workflow/NAME`, as kubectl takes them.
fn wanted_run(words: &[String]) -> Result<Wanted, CliError> {
    let is_kind = |word: &str| ["workflow", "workflows", "hwf"].contains(&word);
    match words {
        [kind, name] if is_kind(kind) => Ok(Wanted::NewestOf(name.clone())),
        [word] => match word.split_once('/') {
            Some((kind, name)) if is_kind(kind) => Ok(Wanted::NewestOf(name.to_owned())),
            None if looks_like_id(word) => Ok(Wanted::Id(word.clone())),
            Some(_) | None => Err(CliError::Usage(format!(
                "{word:?} is not the id of a run; for the newest run of a Workflow say: workflow {word}"
            ))),
        },
        _ => Err(CliError::Usage("name a run by its id, or say: workflow NAME".to_owned())),
    }
}

fn looks_like_id(word: &str) -> bool {
    word.len() == 36 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// The time that is `text` before now.
fn since(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let age = DurationText(text.to_owned()).parse().map_err(|e| CliError::Usage(format!("--since: {e}")))?;
    let age = SignedDuration::try_from(age).context("--since")?;
    Ok(Some(now.checked_sub(age).context("--since")?))
}

/// Page after page until `limit`.
async fn all<T: DeserializeOwned>(
    api: &mut ApiClient,
    path: &str,
    query: &[(&str, String)],
    limit: u32,
) -> Result<Vec<T>, CliError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found: Vec<T> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let left = u32::try_from(limit.saturating_sub(found.len())).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let mut query = query.to_vec();
        query.push(("limit", left.to_string()));
        query.extend(cursor.take().map(|c| ("cursor", c)));
        let page: Page<T> = api.get(path, &query).await?;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || found.len() >= limit {
            return Ok(found);
        }
    }
}

fn document<T: Serialize>(form: Output, value: &T) -> Result<(), CliError> {
    let text = match form {
        Output::Json | Output::Table => serde_json::to_string_pretty(value).context("JSON")? + "\n",
        Output::Yaml => serde_yaml::to_string(value).context("YAML")?,
    };
    put(&text)
}

/// Writes to standard output; a reader that has gone is no error.
fn put(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::Other(e.into())),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn runs_are_named_as_kubectl_names_things() {
        let id = "01993b6a-7c00-7000-8000-000000000001";
        assert_eq!(wanted_run(&words(id)).unwrap(), Wanted::Id(id.to_owned()));
        for text in ["workflow co2", "hwf co2", "workflows/co2", "workflow/co2"] {
            assert_eq!(wanted_run(&words(text)).unwrap(), Wanted::NewestOf("co2".to_owned()), "{text}");
        }
        for text in ["co2", "pod co2", "pod/co2", "a b c"] {
            assert!(matches!(wanted_run(&words(text)), Err(CliError::Usage(_))), "{text}");
        }
    }

    #[test]
    fn since_is_a_time_before_now() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(since(Some("24h"), now).unwrap().unwrap().to_string(), "2026-11-20T08:00:00Z");
        assert!(since(Some("yesterday"), now).is_err());
        assert!(since(None, now).unwrap().is_none());
    }
}
