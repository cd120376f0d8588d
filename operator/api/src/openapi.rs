//! The OpenAPI document: what the handlers say of themselves, and what is true of all of them.

use crate::{
    router::Api,
    routes::{Endpoint, Open},
};
use hearth_wire::{Problem, ProblemKind};
use std::collections::BTreeMap;
use utoipa::{
    OpenApi,
    openapi::{
        Components, ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder,
        path::{Operation, ParameterIn},
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hearth",
        description = "Runs of Hearth's objects, from the record: they stay when the objects are gone.\n\nEvery request is made as somebody whom the cluster knows, by a bearer token or a client certificate of the cluster, and answered with what RBAC lets them see of the objects themselves, or do with them."
    ),
    components(schemas(Problem)),
    tags(
        (name = "runs", description = "Runs of all objects."),
        (name = "workflows", description = "What belongs to one Workflow."),
        (name = "audit", description = "Who did what by this API, or was not allowed to."),
        (name = "documentation", description = "This document, and a page to try it."),
        (name = "health", description = "How the process is. /healthz and /readyz are open to everybody: the only ones.")
    )
)]
struct Base;

/// The document, without a server's address: it is asked for where the API is.
#[must_use]
pub fn document() -> Document {
    let mut router: OpenApiRouter<Api> = OpenApiRouter::with_openapi(Base::openapi());
    for endpoint in Endpoint::ALL {
        router = router.routes(endpoint.routes());
    }
    for open in Open::ALL {
        router = router.routes(open.routes());
    }
    let mut document = router.into_openapi();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(
            Http::builder()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("A token of the cluster: kubectl create token NAME --audience api.hearth.dev"))
                .build(),
        ),
    );
    components.add_security_scheme(
        "certificate",
        SecurityScheme::MutualTls {
            description: Some("A client certificate of the cluster's own CA.".to_owned()),
            deprecated: None,
            extensions: None,
        },
    );
    document.security = Some(vec![requirement("token"), requirement("certificate")]);
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            without_what_the_path_says(path, operation);
            with_problems(operation);
        }
    }
    document
}

/// The document as it is served and kept in the reference.
#[must_use]
pub fn written() -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(&document()).unwrap_or_default();
    text.push(b'\n');
    text
}

fn requirement(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, Vec::<String>::new())
}

/// A list below an object takes all parameters of the list of everything, but those that name the object.
fn without_what_the_path_says(path: &str, operation: &mut Operation) {
    let short = path.starts_with("/workflows/{id}/");
    let of_object = path.contains("{name}") || short;
    let said = |name: &str| {
        path.contains(&format!("{{{name}}}"))
            || (of_object && name == "kind")
            || (short && matches!(name, "namespace" | "name"))
    };
    if let Some(parameters) = operation.parameters.as_mut() {
        parameters.retain(|p| match p {
            RefOr::T(p) => matches!(p.parameter_in, ParameterIn::Path) || !said(&p.name),
            RefOr::Ref(_) => true,
        });
    }
}

/// Every problem that may be answered instead.
fn with_problems(operation: &mut Operation) {
    let open = operation.security.as_ref().is_some_and(|s| s == &[SecurityRequirement::default()]);
    if open {
        return;
    }
    let mut titles: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for kind in ProblemKind::ALL {
        titles.entry(kind.status()).or_default().push(kind.title());
    }
    for (status, titles) in titles {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description(format!("{}.", titles.join("; or: ")))
            .content("application/problem+json", content)
            .build();
        operation.responses.responses.entry(status.to_string()).or_insert(RefOr::T(response));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn the_document_lists_the_paths_of_the_router_and_no_other() {
        let documented: BTreeSet<String> = document().paths.paths.keys().cloned().collect();
        let routed = Endpoint::ALL.into_iter().map(Endpoint::path).chain(Open::ALL.into_iter().map(Open::path));
        assert_eq!(documented, routed.map(str::to_owned).collect());
        let document: Value = serde_json::from_slice(&written()).unwrap();
        for endpoint in Endpoint::ALL {
            let method = endpoint.method().as_str().to_lowercase();
            assert!(document["paths"][endpoint.path()][&method].is_object(), "{method} {}", endpoint.path());
        }
        let operations = document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len());
        assert_eq!(operations.sum::<usize>(), Endpoint::ALL.len() + Open::ALL.len());
    }

    #[test]
    fn every_operation_says_what_it_is_and_what_can_go_wrong() {
        let document: Value = serde_json::from_slice(&written()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(["get", "post", "delete"].contains(&method.as_str()), "{path} {method}");
                assert!(
                    operation["operationId"].is_string()
                        && operation["summary"].is_string()
                        && operation["tags"][0].is_string(),
                    "{path}"
                );
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].as_str().is_some_and(|d| !d.is_empty()), "{path} {parameter}");
                }
                let open = Open::ALL.into_iter().any(|o| o.path() == path);
                assert_eq!(operation["security"] == serde_json::json!([{}]), open, "{path}");
                for status in ["400", "401", "403", "404", "405", "409", "413", "429", "500"] {
                    assert_eq!(operation["responses"][status].is_object(), !open, "{path} {status}");
                }
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|v| references(v, found));
                }
                Value::Array(list) => list.iter().for_each(|v| references(v, found)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_slice(&written()).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
        }
    }

    /// `HEARTH_WRITE=1 cargo test -p hearth-api openapi` writes the file.
    #[test]
    fn the_reference_holds_the_document() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
        if std::env::var_os("HEARTH_WRITE").is_some() {
            std::fs::write(&file, written()).unwrap();
        }
        let kept = std::fs::read(&file).unwrap_or_default();
        assert!(
            kept == written(),
            "docs/reference/openapi.json is not what the code says: HEARTH_WRITE=1 cargo test -p hearth-api openapi"
        );
    }
}
