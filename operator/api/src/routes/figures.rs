//! Figures over many runs.

use super::{
    answer::fresh,
    extract::{InPath, Params},
};
use crate::{
    gate::{Part, Scope},
    identity::Identity,
    query::{TrendQuery, UsageQuery},
    refused::Refused,
    router::Api,
    source, trend,
};
use axum::{extract::State, response::Response};
use hearth_crds::time::Time;
use hearth_history::{MOST_GROUPS, RunFilter};
use hearth_wire::{self as wire, MAX_PAGE};
use jiff::Timestamp;

/// See how the last runs of a Workflow went
///
/// Over the last runs, 1,000 at most: how many failed, and how long those that succeeded took.
#[utoipa::path(
    get,
    path = "/api/v1/workflows/{namespace}/{name}/trend",
    operation_id = "getTrend",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        TrendQuery,
    ),
    responses((status = 200, description = "The trend.", body = wire::Trend))
)]
pub async fn workflow_trend(
    State(api): State<Api>,
    who: Identity,
    InPath((namespace, name)): InPath<(String, String)>,
    Params(query): Params<TrendQuery>,
) -> Result<Response, Refused> {
    let (from, last) = query.window()?;
    let filter = RunFilter { kind: Some("Workflow".to_owned()), name: Some(name), from, ..RunFilter::default() };
    let scope = Scope::Namespace(namespace);
    let (mut runs, mut after) = (Vec::new(), None);
    loop {
        let left = last.saturating_sub(runs.len());
        let part = Part { after, limit: u32::try_from(left).unwrap_or(MAX_PAGE).min(MAX_PAGE) };
        let page = api.gate().list_runs(&who, &scope, filter.clone(), part).await?.into_inner();
        runs.extend(page.items);
        after = page.next;
        if after.is_none() || runs.len() >= last {
            return Ok(fresh(&trend::trend(&runs)));
        }
    }
}

/// See what runs asked for
///
/// Counts, and requested CPU, memory and GPUs times the time of the attempts that ended, by namespace and owner.
/// An attempt counts from its intent to its end, with the requests of its spec.
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    operation_id = "getUsage",
    tag = "runs",
    params(UsageQuery),
    responses((status = 200, description = "The sums.", body = wire::Usage))
)]
pub async fn usage(
    State(api): State<Api>,
    who: Identity,
    Params(query): Params<UsageQuery>,
) -> Result<Response, Refused> {
    let (from, to) = query.window(Time::new(Timestamp::now()))?;
    let rows = api.gate().usage(&who, &query.scope(), from, to).await?;
    let more = rows.len() >= MOST_GROUPS;
    Ok(fresh(&wire::Usage { from, to, items: rows.into_iter().map(source::usage).collect(), more }))
}
