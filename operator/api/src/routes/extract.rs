//! What handlers ask of a request; each refuses by a problem document.

use crate::{
    gate::Authorized,
    identity::Identity,
    refused::Refused,
    router::{Api, MAX_BODY},
};
use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use hearth_crds::name::is_dns_label;
use hearth_history::Run;
use hearth_wire::ProblemKind;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Parameters of a query, refused by a problem document.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Query(query) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|e| Refused::new(ProblemKind::BadRequest, e.body_text()))?;
        Ok(Self(query))
    }
}

/// Parts of the path, refused by a problem document.
pub struct InPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(path) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|e| Refused::new(ProblemKind::BadRequest, e.body_text()))?;
        Ok(Self(path))
    }
}

/// A body of JSON, refused by a problem document. None at all is as good as one that says nothing.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let bytes = to_bytes(request.into_body(), MAX_BODY)
            .await
            .map_err(|_| Refused::new(ProblemKind::TooLarge, format!("at most {MAX_BODY} bytes")))?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let body = serde_json::from_slice(&bytes);
        body.map(Self).map_err(|e| Refused::new(ProblemKind::BadRequest, format!("the body: {e}")))
    }
}

/// A run that the asker may see, found by the id in the path.
pub struct RunOf(pub Authorized<Run>, pub Identity);

impl FromRequestParts<Api> for RunOf {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let who = Identity::from_request_parts(parts, api).await?;
        let InPath(path) = InPath::<BTreeMap<String, String>>::from_request_parts(parts, api).await?;
        let id = path.get("id").map(String::as_str).unwrap_or_default();
        Ok(Self(api.gate().get_run(&who, run_id(id)?).await?, who))
    }
}

/// The id of a run in a path. What is none names no run.
pub fn run_id(text: &str) -> Result<Uuid, Refused> {
    Uuid::try_parse(text).map_err(|_| Refused::no_run(text))
}

/// The namespace and the name of a Workflow in a short path. A namespace has no dot, so the first one ends it; the slash is
/// that of `wpk_id` in the view `workflow_runs`.
pub fn workflow_id(text: &str) -> Result<(String, String), Refused> {
    let parts = text.split_once(['.', '/']).filter(|(namespace, name)| is_workflow(namespace, name));
    let (namespace, name) = parts.ok_or_else(|| {
        Refused::new(
            ProblemKind::NotFound,
            format!("{text:?} names no Workflow: it is NAMESPACE.NAME, for example climate.co2"),
        )
    })?;
    Ok((namespace.to_owned(), name.to_owned()))
}

/// Whether these can be the names of a namespace and of a Workflow in it.
pub fn is_workflow(namespace: &str, name: &str) -> bool {
    is_dns_label(namespace) && name.split('.').all(is_dns_label)
}

/// Authentication has put it there; without it there is no way into a handler.
impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Refused::new(ProblemKind::Unauthenticated, "send a bearer token or a client certificate"))
    }
}
