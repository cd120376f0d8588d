//! What is asked of a Workflow: requests in its status, which the operator acts on and answers. The spec stays as it is.

use super::extract::{Body, InPath, is_workflow};
use crate::{gate::Ask, identity::Identity, refused::Refused, router::Api};
use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use hearth_crds::{
    name::is_dns_label,
    request::{AnswerResult, Request, RequestKind},
    workflow::RerunFrom,
};
use hearth_wire::{ApproveBody, Asked, CancelBody, ProblemKind, RerunBody};
use uuid::Uuid;

/// The header whose value is the id of the request.
const KEY: &str = "idempotency-key";
/// The longest id.
const LONGEST_KEY: usize = 63;
/// The length of a run's id.
const RUN_ID: usize = 36;

/// Who asks what of which Workflow.
pub struct Asking {
    pub(super) who: Identity,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) id: String,
}

impl FromRequestParts<Api> for Asking {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let who = Identity::from_request_parts(parts, api).await?;
        let InPath((namespace, name)) = InPath::<(String, String)>::from_request_parts(parts, api).await?;
        // They become parts of a path again.
        if !is_workflow(&namespace, &name) {
            return Err(bad("the names in the path are not those of a namespace and a Workflow"));
        }
        let id = match parts.headers.get(KEY) {
            None => Uuid::new_v4().to_string(),
            Some(key) => key.to_str().ok().filter(|k| is_key(k)).map(str::to_owned).ok_or_else(|| {
                bad("Idempotency-Key: must have 1 to 63 letters, digits, dots, underscores or dashes")
            })?,
        };
        Ok(Self { who, namespace, name, id })
    }
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn bad(detail: &str) -> Refused {
    Refused::new(ProblemKind::BadRequest, detail)
}

impl Asking {
    async fn send(
        self,
        api: &Api,
        kind: RequestKind,
        run: Option<String>,
        step: Option<String>,
        from: Option<RerunFrom>,
    ) -> Result<Response, Refused> {
        if run.as_ref().is_some_and(|r| r.len() != RUN_ID) {
            return Err(bad("run: must be the id of a run"));
        }
        let Self { who, namespace, name, id } = self;
        let request = api.gate().ask(&who, Ask { namespace, name, id, kind, run, step, from }).await?;
        let status = if request.answer.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
        Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(asked(request))).into_response())
    }
}

fn asked(request: Request) -> Asked {
    let (result, message) = request.answer.map(|a| (a.result, a.message)).unzip();
    Asked {
        id: request.id,
        kind: format!("{:?}", request.kind),
        run: request.run,
        step: request.step,
        by: request.by,
        at: request.at,
        result: result.map(|r| if r == AnswerResult::Done { "Done" } else { "Refused" }.to_owned()),
        message,
    }
}

/// Cancel a run
///
/// The one that is under way, or the one that is named if it is. It needs the right to update the Workflow.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/cancel",
    operation_id = "cancelRun",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        ("Idempotency-Key" = Option<String>, Header, description = "Id of the request: the same again answers with what became of it."),
    ),
    request_body(content = Option<CancelBody>, description = "Which run."),
    responses(
        (status = 200, description = "It was asked before, and is answered.", body = Asked),
        (status = 202, description = "It is asked; send it again with the same Idempotency-Key to see the answer.", body = Asked)
    )
)]
pub async fn cancel(State(api): State<Api>, asking: Asking, Body(body): Body<CancelBody>) -> Result<Response, Refused> {
    asking.send(&api, RequestKind::Cancel, body.run, None, None).await
}

/// Approve a step
///
/// Of the run that is under way. It needs the right to approve the Workflow.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/approve",
    operation_id = "approveStep",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        ("Idempotency-Key" = Option<String>, Header, description = "Id of the request: the same again answers with what became of it."),
    ),
    request_body(content = ApproveBody, description = "Which step."),
    responses(
        (status = 200, description = "It was asked before, and is answered.", body = Asked),
        (status = 202, description = "It is asked; send it again with the same Idempotency-Key to see the answer.", body = Asked)
    )
)]
pub async fn approve(
    State(api): State<Api>,
    asking: Asking,
    Body(body): Body<ApproveBody>,
) -> Result<Response, Refused> {
    let step = body.step.filter(|s| is_dns_label(s)).ok_or_else(|| bad("step: name the step that waits"))?;
    asking.send(&api, RequestKind::Approve, body.run, Some(step), None).await
}

/// Run a Workflow once more
///
/// As it is, when the run that is under way has ended. It needs the right to update the Workflow.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/rerun",
    operation_id = "rerunWorkflow",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        ("Idempotency-Key" = Option<String>, Header, description = "Id of the request: the same again answers with what became of it."),
    ),
    request_body(content = Option<RerunBody>, description = "From where."),
    responses(
        (status = 200, description = "It was asked before, and is answered.", body = Asked),
        (status = 202, description = "It is asked; send it again with the same Idempotency-Key to see the answer.", body = Asked)
    )
)]
pub async fn rerun(State(api): State<Api>, asking: Asking, Body(body): Body<RerunBody>) -> Result<Response, Refused> {
    let from = match body.from.as_deref() {
        None => None,
        Some("Start") => Some(RerunFrom::Start),
        Some("Failed") => Some(RerunFrom::Failed),
        Some(_) => return Err(bad("from: must be Start or Failed")),
    };
    asking.send(&api, RequestKind::Rerun, None, None, from).await
}

/// Suspend a Workflow
///
/// No new step and no new run starts until it is resumed, or spec.suspend changes. It needs the right to update the Workflow.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/suspend",
    operation_id = "suspendWorkflow",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        ("Idempotency-Key" = Option<String>, Header, description = "Id of the request: the same again answers with what became of it."),
    ),
    responses(
        (status = 200, description = "It was asked before, and is answered.", body = Asked),
        (status = 202, description = "It is asked; send it again with the same Idempotency-Key to see the answer.", body = Asked)
    )
)]
pub async fn suspend(State(api): State<Api>, asking: Asking) -> Result<Response, Refused> {
    asking.send(&api, RequestKind::Suspend, None, None, None).await
}

/// Let a suspended Workflow go on
///
/// The end of a suspension that was asked for here; spec.suspend is changed in the spec. It needs the right to update the
/// Workflow.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/resume",
    operation_id = "resumeWorkflow",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        ("Idempotency-Key" = Option<String>, Header, description = "Id of the request: the same again answers with what became of it."),
    ),
    responses(
        (status = 200, description = "It was asked before, and is answered.", body = Asked),
        (status = 202, description = "It is asked; send it again with the same Idempotency-Key to see the answer.", body = Asked)
    )
)]
pub async fn resume(State(api): State<Api>, asking: Asking) -> Result<Response, Refused> {
    asking.send(&api, RequestKind::Resume, None, None, None).await
}
