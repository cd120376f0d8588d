//! How artifacts come into a pod and out of it: the init container that fetches them, and the wrapper that stores them.

use super::{container_security, volumes};
use crate::{offer::ArtifactService, workflow::valid::ValidStep};
use k8s_openapi::{
    api::core::v1::{Container, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use std::collections::BTreeMap;

/// Name of the init container.
const FETCH: &str = "artifacts";
/// The program in its image.
const PROGRAM: &str = "/hearth-step";
/// Where the wrapper lies in the step's container.
const WRAPPER: &str = "/hearth/bin/hearth-step";

/// The init container: fetches what the step reads, and brings the wrapper when the step leaves something.
pub(super) fn fetch(service: &ArtifactService, step: &ValidStep) -> Container {
    let mut args = vec!["fetch".to_owned()];
    if !step.artifacts.outputs.is_empty() {
        args.extend(["--install".to_owned(), volumes::BIN.to_owned()]);
    }
    let quantities = |of: &[(&str, &str)]| -> BTreeMap<String, Quantity> {
        of.iter().map(|(name, value)| ((*name).to_owned(), Quantity((*value).to_owned()))).collect()
    };
    Container {
        name: FETCH.into(),
        image: Some(service.image.clone()),
        command: Some(vec![PROGRAM.into()]),
        args: Some(args),
        resources: Some(ResourceRequirements {
            requests: Some(quantities(&[("cpu", "10m"), ("memory", "32Mi")])),
            limits: Some(quantities(&[("memory", "128Mi")])),
            claims: None,
        }),
        volume_mounts: Some(volumes::fetching(&step.artifacts)),
        security_context: Some(container_security()),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

/// The command under the wrapper, when the step leaves something.
pub(super) fn wrapped(step: &ValidStep, command: Vec<String>) -> Vec<String> {
    if step.artifacts.outputs.is_empty() {
        return command;
    }
    [WRAPPER, "run", "--"].into_iter().map(str::to_owned).chain(command).collect()
}
