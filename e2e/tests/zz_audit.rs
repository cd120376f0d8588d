//! Last of all: what the audit log and the operator's log say of the whole day.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    Cluster, OPERATOR_NAMESPACE, audit, operator,
    status::{items, text},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// One request in the terms of RBAC: group, resource with its subresource, verb, and the name if there was one.
type Request = (String, String, String, String);

fn requests(since: &str) -> Result<(BTreeSet<Request>, Vec<String>)> {
    let (mut made, mut forbidden) = (BTreeSet::new(), Vec::new());
    audit::events(0, |event| {
        if text(event, "/requestReceivedTimestamp") < since {
            return;
        }
        let of = |pointer: &str| text(event, pointer).to_owned();
        let resource = match text(event, "/objectRef/subresource") {
            "" => of("/objectRef/resource"),
            sub => format!("{}/{sub}", text(event, "/objectRef/resource")),
        };
        if event.pointer("/annotations/authorization.k8s.io~1decision").and_then(Value::as_str) == Some("forbid") {
            forbidden.push(format!(
                "{} {resource} {} in {}",
                of("/verb"),
                of("/objectRef/name"),
                of("/objectRef/namespace")
            ));
        } else {
            made.insert((of("/objectRef/apiGroup"), resource, of("/verb"), of("/objectRef/name")));
        }
    })?;
    Ok((made, forbidden))
}

#[test]
fn nothing_forbidden_was_asked_and_nothing_granted_is_unused() -> Result<()> {
    let cluster = Cluster::new()?;
    let role = cluster.get(&["clusterrole", "hearth"])?.context("no ClusterRole hearth")?;
    let own = cluster.get(&["-n", OPERATOR_NAMESPACE, "role", "hearth"])?.context("no Role hearth")?;
    let (made, forbidden) = requests(text(&role, "/metadata/creationTimestamp"))?;
    ensure!(!made.is_empty(), "the audit log has no request of {}", audit::operator());
    ensure!(forbidden.is_empty(), "authorisation forbade requests of ours:\n{}", forbidden.join("\n"));
    let mut unused = Vec::new();
    for rule in items(&role, "/rules").iter().chain(items(&own, "/rules")) {
        let names = items(rule, "/resourceNames");
        for group in items(rule, "/apiGroups") {
            for resource in items(rule, "/resources") {
                for verb in items(rule, "/verbs") {
                    let used = made.iter().any(|(g, r, v, n)| {
                        group == g.as_str()
                            && resource == r.as_str()
                            && verb == v.as_str()
                            && (names.is_empty() || names.iter().any(|name| name == n.as_str()))
                    });
                    if !used {
                        unused.push(format!("{verb} {resource} ({group}) {names:?}"));
                    }
                }
            }
        }
    }
    ensure!(unused.is_empty(), "granted, and never used:\n{}", unused.join("\n"));
    let kinds: BTreeSet<_> = made.iter().map(|(group, resource, verb, _)| (group, resource, verb)).collect();
    println!("{} verbs on resources were used, none forbidden, none granted in vain", kinds.len());
    Ok(())
}

#[test]
fn the_operators_log_has_no_unexpected_error() -> Result<()> {
    let cluster = Cluster::new()?;
    let mut errors = Vec::new();
    for pod in operator::pods(&cluster)? {
        let name = text(&pod, "/metadata/name");
        for which in ["--previous=false", "--previous"] {
            // There is no previous container when nothing restarted.
            let Ok(log) = cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "logs", name, which]) else { continue };
            errors.extend(log.lines().filter(|l| is_error(l)).map(str::to_owned));
        }
    }
    ensure!(errors.is_empty(), "{} lines:\n{}", errors.len(), errors.join("\n"));
    Ok(())
}

/// What the client library says of each request while a test restarts the API server, by target and beginning.
const RESTARTED: (&str, &str) = ("kube_client::client::builder", "failed with error client error (");
/// What the operator says of the objects that a test makes undecodable.
const PARKED: (&str, &str) = ("parking the object", "e2e-poison-");

/// Whether a line is an error that no test asks for. A line that is not JSON is the last word of a panic.
fn is_error(line: &str) -> bool {
    let Ok(entry) = serde_json::from_str::<Value>(line) else { return !line.trim().is_empty() };
    let message = text(&entry, "/message");
    let restarted = text(&entry, "/target") == RESTARTED.0 && message.starts_with(RESTARTED.1);
    let parked = message == PARKED.0 && text(&entry, "/namespace").starts_with(PARKED.1);
    text(&entry, "/level") == "ERROR" && !restarted && !parked
}

#[test]
fn no_namespace_of_a_test_is_stuck() -> Result<()> {
    let cluster = Cluster::new()?;
    hearth_e2e::until("all namespaces of the tests are gone", std::time::Duration::from_secs(120), || {
        let left = cluster.list(&["namespaces", "-l", "hearth-e2e=true"])?;
        Ok(left.is_empty().then_some(()))
    })
}
