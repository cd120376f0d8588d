//! The audit trail: who did what by the API, or was not allowed to.

use super::{answer::fresh, extract::Params};
use crate::{
    identity::Identity,
    query::{AuditQuery, PartQuery},
    refused::Refused,
    router::Api,
};
use axum::{extract::State, response::Response};
use hearth_wire::{AuditAnchor, AuditRecord, Page};

/// List the audit trail
///
/// Writes, and requests that were refused for lack of a right, newest first. It needs the right to list
/// auditrecords.hearth.dev in all namespaces.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "listAudit",
    tag = "audit",
    params(AuditQuery),
    responses((status = 200, description = "A page of records, newest first.", body = Page<AuditRecord>))
)]
pub async fn audit(
    State(api): State<Api>,
    who: Identity,
    Params(query): Params<AuditQuery>,
) -> Result<Response, Refused> {
    let page = api.gate().list_audit(&who, &query.filter()?, query.part(api.cursors())?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, &query.signature()));
    Ok(fresh(&Page { items: page.items, next }))
}

/// List the audit trail by its chains
///
/// All records by writer and number, so that each follows the one whose hash it holds. It needs the same right.
#[utoipa::path(
    get,
    path = "/api/v1/audit/chain",
    operation_id = "listAuditChain",
    tag = "audit",
    params(PartQuery),
    responses((status = 200, description = "A page of records, chain by chain.", body = Page<AuditRecord>))
)]
pub async fn chain(
    State(api): State<Api>,
    who: Identity,
    Params(query): Params<PartQuery>,
) -> Result<Response, Refused> {
    const OF: &str = "audit/chain";
    let page = api.gate().audit_chain(&who, query.part(api.cursors(), OF)?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, OF));
    Ok(fresh(&Page { items: page.items, next }))
}

/// List the anchors of the audit trail
///
/// What is kept of records that went by age: hashes that others lead to. It needs the same right.
#[utoipa::path(
    get,
    path = "/api/v1/audit/anchors",
    operation_id = "listAuditAnchors",
    tag = "audit",
    params(PartQuery),
    responses((status = 200, description = "A page of anchors, by writer and number.", body = Page<AuditAnchor>))
)]
pub async fn anchors(
    State(api): State<Api>,
    who: Identity,
    Params(query): Params<PartQuery>,
) -> Result<Response, Refused> {
    const OF: &str = "audit/anchors";
    let page = api.gate().audit_anchors(&who, query.part(api.cursors(), OF)?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, OF));
    Ok(fresh(&Page { items: page.items, next }))
}
