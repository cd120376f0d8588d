//! Last of all: what the audit log and the operator's log say of the whole day.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    Cluster, OPERATOR_NAMESPACE, audit, operator,
    status::{items, text},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// One request in the terms of RBAC.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    group: String,
    /// With its subresource.
    resource: String,
    verb: String,
    /// Empty for a request that names none.
    name: String,
}

impl Request {
    fn of(event: &Value) -> Self {
        let of = |pointer: &str| text(event, pointer).to_owned();
        let resource = match text(event, "/objectRef/subresource") {
            "" => of("/objectRef/resource"),
            sub => format!("{}/{sub}", text(event, "/objectRef/resource")),
        };
        Self { group: of("/objectRef/apiGroup"), resource, verb: of("/verb"), name: of("/objectRef/name") }
    }

    fn is_granted_by(&self, rule: &Value) -> bool {
        let lists = |key: &str, what: &str| items(rule, key).iter().any(|item| item == what);
        lists("/apiGroups", &self.group)
            && lists("/resources", &self.resource)
            && lists("/verbs", &self.verb)
            && (items(rule, "/resourceNames").is_empty() || lists("/resourceNames", &self.name))
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({}) {}", self.verb, self.resource, self.group, self.name)
    }
}

/// What the operator was allowed, and what it was forbidden, from the second `since` on.
fn requests(since: &str) -> Result<(BTreeSet<Request>, Vec<Request>)> {
    // A creation time has no fraction: the times are compared to the second.
    let second = |time: &str| time.get(..19).unwrap_or(time).to_owned();
    let since = second(since);
    let (mut allowed, mut forbidden) = (BTreeSet::new(), Vec::new());
    audit::events(0, |event| {
        if second(text(event, "/requestReceivedTimestamp")) < since {
            return;
        }
        if event.pointer("/annotations/authorization.k8s.io~1decision").and_then(Value::as_str) == Some("forbid") {
            forbidden.push(Request::of(event));
        } else {
            allowed.insert(Request::of(event));
        }
    })?;
    Ok((allowed, forbidden))
}

/// The rules of the operator's roles, and when they were made.
fn rules(cluster: &Cluster) -> Result<(Vec<Value>, String)> {
    let role = cluster.get(&["clusterrole", "hearth"])?.context("no ClusterRole hearth")?;
    let own = cluster.get(&["-n", OPERATOR_NAMESPACE, "role", "hearth"])?.context("no Role hearth")?;
    let rules = items(&role, "/rules").iter().chain(items(&own, "/rules")).cloned().collect();
    Ok((rules, text(&role, "/metadata/creationTimestamp").to_owned()))
}

#[test]
fn nothing_forbidden_was_asked() -> Result<()> {
    let (rules, since) = rules(&Cluster::new()?)?;
    let (allowed, forbidden) = requests(&since)?;
    ensure!(!allowed.is_empty(), "the audit log has no request of {}", audit::operator());
    // An API server that was just restarted refuses all until its authoriser has read the roles: such requests are
    // granted all the same, and are repeated.
    let (early, wrong): (Vec<_>, Vec<_>) =
        forbidden.iter().partition(|request| rules.iter().any(|rule| request.is_granted_by(rule)));
    let list = |requests: &[&Request]| requests.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    ensure!(wrong.is_empty(), "authorisation forbade requests that no rule grants:\n{}", list(&wrong));
    for request in &early {
        ensure!(allowed.contains(*request), "granted, and yet always forbidden: {request}");
    }
    if !early.is_empty() {
        println!("{} requests came before a restarted API server had read the roles", early.len());
    }
    Ok(())
}

#[test]
fn nothing_granted_is_unused() -> Result<()> {
    let (rules, since) = rules(&Cluster::new()?)?;
    let (allowed, _) = requests(&since)?;
    let mut unused = Vec::new();
    for rule in &rules {
        for group in items(rule, "/apiGroups") {
            for resource in items(rule, "/resources") {
                for verb in items(rule, "/verbs") {
                    let used = allowed.iter().any(|r| {
                        group == &r.group && resource == &r.resource && verb == &r.verb && r.is_granted_by(rule)
                    });
                    if !used {
                        unused.push(format!("{verb} {resource} ({group}) {:?}", items(rule, "/resourceNames")));
                    }
                }
            }
        }
    }
    ensure!(unused.is_empty(), "granted, and never used:\n{}", unused.join("\n"));
    let kinds: BTreeSet<_> = allowed.iter().map(|r| (&r.group, &r.resource, &r.verb)).collect();
    println!("{} verbs on resources were used, none granted in vain", kinds.len());
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
/// The last words of a replica that was made to hang until another led.
const FOLLOWED: &str = "the lease hearth-operator belongs to ";
/// What the operator says of the objects that a test makes undecodable.
const PARKED: (&str, &str) = ("parking the object", "e2e-poison-");

/// Whether a line is an error that no test asks for. A line that is not JSON is the last word of a panic.
fn is_error(line: &str) -> bool {
    let Ok(entry) = serde_json::from_str::<Value>(line) else { return !line.trim().is_empty() };
    let message = text(&entry, "/message");
    let restarted = text(&entry, "/target") == RESTARTED.0 && message.starts_with(RESTARTED.1);
    let followed = message.starts_with(FOLLOWED);
    let parked = message == PARKED.0 && text(&entry, "/namespace").starts_with(PARKED.1);
    text(&entry, "/level") == "ERROR" && !restarted && !followed && !parked
}

#[test]
fn no_namespace_of_a_test_is_stuck() -> Result<()> {
    let cluster = Cluster::new()?;
    hearth_e2e::until("all namespaces of the tests are gone", std::time::Duration::from_secs(120), || {
        let left = cluster.list(&["namespaces", "-l", "hearth-e2e=true"])?;
        Ok(left.is_empty().then_some(()))
    })
}
