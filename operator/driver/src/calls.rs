//! Requests to the API server, each with a time-out and an error that says what was asked.

use crate::error::Error;
use http::Request as HttpRequest;
use kube::{
    Client, Resource,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
    core::{ObjectList, Request, params::GetParams},
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;
use std::{borrow::Cow, time::Duration};

type Built = Result<HttpRequest<Vec<u8>>, kube::core::request::Error>;

/// The API server, as the driver talks to it.
#[derive(Clone)]
pub(crate) struct Calls {
    client: Client,
    timeout: Duration,
}

/// What is sent of an object whose status is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a, S> {
    api_version: Cow<'static, str>,
    kind: Cow<'static, str>,
    metadata: ObjectMeta,
    status: &'a S,
}

/// Where objects of a type are.
fn url<R: Resource<DynamicType = ()>>(namespace: &str) -> String {
    R::url_path(&(), (!namespace.is_empty()).then_some(namespace))
}

impl Calls {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// GET without a resourceVersion: the answer is as new as etcd. None when it is not there.
    pub(crate) async fn get<R: Resource<DynamicType = ()>, T: DeserializeOwned>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<T>, Error> {
        let what = format!("GET {} {namespace}/{name}", R::kind(&()));
        match self.send(what, Request::new(url::<R>(namespace)).get(name, &GetParams::default())).await {
            Ok(found) => Ok(Some(found)),
            Err(e) if e.is_absent() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// LIST of the one object with that name, for types of which we may not GET one.
    pub(crate) async fn find<R, T>(&self, namespace: &str, name: &str) -> Result<Option<T>, Error>
    where
        R: Resource<DynamicType = ()>,
        T: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        let what = format!("LIST {} {namespace}/{name}", R::kind(&()));
        let request =
            Request::new(url::<R>(namespace)).list(&ListParams::default().fields(&format!("metadata.name={name}")));
        Ok(self.send::<ObjectList<T>>(what, request).await?.items.pop())
    }

    /// POST.
    pub(crate) async fn create<R: Resource<DynamicType = ()>, T: DeserializeOwned>(
        &self,
        namespace: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let what = format!("POST {} in {namespace}", R::kind(&()));
        let body =
            serde_json::to_vec(body).map_err(|e| Error::Unsendable { what: what.clone(), cause: e.to_string() })?;
        self.send(what, Request::new(url::<R>(namespace)).create(&PostParams::default(), body)).await
    }

    /// PATCH of the object.
    pub(crate) async fn patch<R: Resource<DynamicType = ()>, T: DeserializeOwned>(
        &self,
        namespace: &str,
        name: &str,
        merge: &Value,
    ) -> Result<T, Error> {
        let what = format!("PATCH {} {namespace}/{name}", R::kind(&()));
        self.send(what, Request::new(url::<R>(namespace)).patch(name, &PatchParams::default(), &Patch::Merge(merge)))
            .await
    }

    /// PUT of the whole status, refused when the object is not at the version that `meta` has any more.
    ///
    /// The API server takes no more than the status of what it is given, and all else from what it has: so the spec is left
    /// out. The metadata is not: before 1.36, who had applied a label that is missing would lose it. It works through a patch
    /// three times as long, since it writes out the whole object to apply one.
    pub(crate) async fn replace_status<R: Resource<DynamicType = ()>, T: DeserializeOwned>(
        &self,
        meta: &ObjectMeta,
        status: &impl Serialize,
    ) -> Result<T, Error> {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        let what = format!("PUT status of {} {namespace}/{name}", R::kind(&()));
        let written = Written {
            api_version: R::api_version(&()),
            kind: R::kind(&()),
            // The API server keeps these itself.
            metadata: ObjectMeta { managed_fields: None, ..meta.clone() },
            status,
        };
        let body =
            serde_json::to_vec(&written).map_err(|e| Error::Unsendable { what: what.clone(), cause: e.to_string() })?;
        let request =
            Request::new(url::<R>(namespace)).replace_subresource("status", name, &PostParams::default(), body);
        self.send(what, request).await
    }

    /// DELETE of the object with that UID and no other. Not there, or another one by now, is success.
    pub(crate) async fn delete<R: Resource<DynamicType = ()>>(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), Error> {
        let what = format!("DELETE {} {namespace}/{name}", R::kind(&()));
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        match self.send::<Value>(what, Request::new(url::<R>(namespace)).delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(Error::Refused { status, .. }) if matches!(status.code, 404 | 409) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// DELETE of all that the labels, and the fields if any, select. The API server deletes one after the other, so it may
    /// take as long as `limit`.
    pub(crate) async fn delete_selected<R: Resource<DynamicType = ()>>(
        &self,
        namespace: &str,
        labels: &str,
        fields: Option<&str>,
        limit: Duration,
    ) -> Result<(), Error> {
        let what = format!("DELETE several of {} in {namespace}", R::kind(&()));
        let selected = ListParams { field_selector: fields.map(str::to_owned), ..ListParams::default().labels(labels) };
        let request = Request::new(url::<R>(namespace)).delete_collection(&DeleteParams::default(), &selected);
        // The answer has all that was deleted, which nobody reads.
        self.send_within::<IgnoredAny>(limit, what, request).await.map(|_| ())
    }

    async fn send<T: DeserializeOwned>(&self, what: String, request: Built) -> Result<T, Error> {
        self.send_within(self.timeout, what, request).await
    }

    async fn send_within<T: DeserializeOwned>(
        &self,
        limit: Duration,
        what: String,
        request: Built,
    ) -> Result<T, Error> {
        let request = match request {
            Ok(request) => request,
            Err(e) => return Err(Error::Unsendable { what, cause: e.to_string() }),
        };
        match tokio::time::timeout(limit, self.client.request::<T>(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) => Err(Error::Refused { what, status }),
            Ok(Err(e)) => Err(Error::NoAnswer { what, cause: e.to_string() }),
            Err(_) => Err(Error::NoAnswer { what, cause: format!("no answer within {limit:?}") }),
        }
    }
}
