//! `lineage`: what a run or a digest came of, and what came of it.

use super::{json, runs::in_flags, yaml};
use crate::{
    args::{LineageArgs, Output},
    client::segment,
    connect::Connected,
    error::CliError,
    record::find_words,
    render,
    terminal::{Terminal, put, show},
};
use hearth_wire::Lineage;
use jiff::Timestamp;

pub async fn lineage(connected: &mut Connected, args: &LineageArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let mut query = vec![("depth", args.depth.to_string()), ("limit", args.limit.to_string())];
    let id = match args.of.as_slice() {
        [digest] if digest.starts_with("sha256:") => {
            query.extend((!args.all_namespaces).then(|| ("namespace", namespace.clone())));
            digest.clone()
        }
        _ if args.all_namespaces => {
            return Err(CliError::Usage("-A goes with a digest: a run has its own namespace".to_owned()));
        }
        words => find_words(api, &namespace, words).await?.summary.id,
    };
    let found: Lineage = api
        .get(&format!("/api/v1/lineage/{}", segment(&id)), &query)
        .await
        .map_err(|e| in_flags(e, args.all_namespaces))?;
    let (width, now) = (Terminal::of_stdout().width, Timestamp::now());
    match args.output {
        Output::Table | Output::Wide if found.runs.is_empty() => {
            let place = if args.all_namespaces { "any namespace".to_owned() } else { format!("namespace {namespace}") };
            Err(CliError::NotFound(format!("no run on record in {place} read, wrote or ran {id}")))
        }
        Output::Table => show(&render::lineage(&found, false, width, now)),
        Output::Wide => show(&render::lineage(&found, true, width, now)),
        Output::Name => put(&render::lineage_names(&found)),
        Output::Json => json(&found),
        Output::Yaml => yaml(&found),
    }
}
