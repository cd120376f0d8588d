//! `logs`: what the record keeps of them.

use crate::{
    args::LogsArgs,
    client::ApiClient,
    connect::Connected,
    error::CliError,
    record::{find, path, steps},
    render,
    terminal::put,
};
use hearth_wire::{Log, Run, Step};

pub async fn logs(connected: &mut Connected, args: &LogsArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let run = find(api, &namespace, &args.run).await?;
    let steps = steps(api, &run).await?;
    let wanted = choose(&run, &steps, args)?;
    let titled = wanted.len() > 1;
    for step in wanted {
        let log = log_of(api, &run, step).await?;
        put(&render::log(&log, titled))?;
        if log.whole.is_some() {
            let whole = api.download(&format!("{}/logs/text", path(&run)), &attempt(step)).await?;
            whole.copy(&mut std::io::stdout().lock()).await?;
        } else if let Some(why) = log.whole_unavailable.filter(|_| log.log.is_some()) {
            eprintln!("This is the end of the log; all of it could not be stored: {why}.");
        }
    }
    Ok(())
}

/// The log of an attempt.
pub async fn log_of(api: &mut ApiClient, run: &Run, step: &Step) -> Result<Log, CliError> {
    api.get(&format!("{}/logs", path(run)), &attempt(step)).await
}

/// What a log is asked for by.
fn attempt(step: &Step) -> [(&'static str, String); 3] {
    [("step", step.step.clone()), ("item", step.item.to_string()), ("attempt", step.attempt.to_string())]
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
        || "the record keeps logs of failed attempts, and those of succeeded ones with `logs: Keep` or `logs: Full`; while its pod is there, kubectl logs shows more".to_owned(),
        |reason| format!("it could not be read when the attempt ended ({reason})"),
    );
    Err(CliError::NotFound(format!("run {id} has no log for that: {why}")))
}
