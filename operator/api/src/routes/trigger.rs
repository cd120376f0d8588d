//! Runs of a Workflow with params of one's own.

use super::{ask::Asking, extract::Body};
use crate::{gate::Trigger, refused::Refused, router::Api};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_wire::{TriggerBody, Triggered};

/// Run a Workflow with params
///
/// It makes a Workflow for this one run, and answers with its name; the run begins a moment later, and the object goes some
/// time after its record is stored. It needs the rights to get the Workflow and to create Workflows in the namespace.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/trigger",
    operation_id = "triggerWorkflow",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow, as a rule a template (runPolicy: Manual)."),
        ("Idempotency-Key" = Option<String>, Header, description = "Id of the trigger: the same again answers with what became of it, and starts nothing."),
    ),
    request_body(content = Option<TriggerBody>, description = "The params."),
    responses(
        (status = 200, description = "It was triggered before; this is what became of it.", body = Triggered),
        (status = 201, description = "It is triggered.", body = Triggered)
    )
)]
pub async fn trigger(
    State(api): State<Api>,
    asking: Asking,
    Body(body): Body<TriggerBody>,
) -> Result<Response, Refused> {
    let Asking { who, namespace, name, id } = asking;
    let (triggered, new) = api.gate().trigger(&who, Trigger { namespace, name, id, body }).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(triggered)).into_response())
}
