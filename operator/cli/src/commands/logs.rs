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
    }
    Ok(())
}

/// The log of an attempt.
pub async fn log_of(api: &mut ApiClient, run: &Run, step: &Step) -> Result<Log, CliError> {
    let query = [("step", step.step.clone()), ("item", step.item.to_string()), ("attempt", step.attempt.to_string())];
    api.get(&format!("{}/logs", path(run)), &query).await
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
