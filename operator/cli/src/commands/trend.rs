//! `trend`: how the last runs of a Workflow went.

use super::{json, runs::since, yaml};
use crate::{
    args::{Form, TrendArgs},
    client::segment,
    connect::Connected,
    error::CliError,
    render,
    terminal::{Terminal, show},
};
use hearth_wire::Trend;
use jiff::Timestamp;

pub async fn trend(connected: &mut Connected, args: &TrendArgs) -> Result<(), CliError> {
    let (namespace, name) = (&connected.namespace, args.workflow.name());
    let now = Timestamp::now();
    let mut query = vec![("last", args.last.to_string())];
    query.extend(since(args.since.as_deref(), now)?.map(|t| ("from", t.to_string())));
    let path = format!("/api/v1/workflows/{}/{}/trend", segment(namespace), segment(name));
    let trend: Trend = connected.api.get(&path, &query).await?;
    match args.output {
        Form::Table if trend.runs == 0 => {
            let within = args.since.as_ref().map_or(String::new(), |s| format!(" within {s}"));
            Err(CliError::NotFound(format!(
                "there is no run of a Workflow {name:?} in namespace {namespace}{within}; see: kubectl hearth runs -n {namespace}"
            )))
        }
        Form::Table => show(&render::trend(namespace, name, &trend, Terminal::of_stdout().width, now)),
        Form::Json => json(&trend),
        Form::Yaml => yaml(&trend),
    }
}
