//! One script of actions, played against the simulator and against a real API server: both must answer alike.
//!
//! The objects are of a kind of their own, so that an operator that runs in the cluster leaves them alone.

use crate::{
    clock::begin,
    server::{Actor, ApiError, Key, Reply, Server, Write},
};
use hearth_crds::label;
use hearth_plan::{Intent, RunPods, selection::Ended};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The namespace that the script plays in.
pub const NAMESPACE: &str = "conformance";
const RESOURCE: &str = "things.conformance.hearth.dev";

/// Which resourceVersion or UID a request carries as precondition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// None.
    None,
    /// What the object has now.
    Current,
    /// What another object, or an earlier state, has.
    Wrong,
}

/// One action or look.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an object.
    Create(&'static str),
    /// Changes the spec of an object.
    Edit(&'static str, i64),
    /// Writes the status, and sends nothing else of the object.
    Status(&'static str, Precondition, i64),
    /// Sets the list of finalizers.
    Finalizers(&'static str, Precondition, &'static [&'static str]),
    /// Deletes an object.
    Delete(&'static str),
    /// Creates a pod with a scheduling gate; with an owner, if one is named.
    Gated(&'static str, Option<&'static str>),
    /// Deletes a pod.
    DeletePod(&'static str, Precondition),
    /// Creates a pod with a scheduling gate that seems to work for a step, and item, of a run; then it has that phase.
    Working(&'static str, [&'static str; 3], Option<u32>, &'static str),
    /// Deletes the pods of a run: all, or those of steps, and of items, that ended, the failed ones too or not.
    DeleteRun(&'static str, Option<(&'static [&'static str], &'static [u32], bool)>),
    /// Shows an object: whether it is there and being deleted, its generation since creation, finalizers and status.
    Look(&'static str),
    /// Shows a pod: phase and whether it was given a node.
    LookPod(&'static str),
    /// Lists the pods.
    LookPods,
    /// Waits until a pod is gone.
    AwaitGone(&'static str),
    /// Says whether the object's resourceVersion is the one remembered last, and remembers it.
    Version(&'static str),
}

/// The script.
pub const SCRIPT: &[Action] = &[
    Action::Create("one"),
    Action::Create("one"),
    Action::Look("one"),
    Action::Version("one"),
    Action::Status("one", Precondition::Current, 1),
    Action::Version("one"),
    Action::Status("one", Precondition::Current, 1),
    Action::Version("one"),
    Action::Status("one", Precondition::Wrong, 2),
    Action::Look("one"),
    Action::Status("one", Precondition::Current, 2),
    Action::Edit("one", 7),
    Action::Edit("one", 7),
    Action::Look("one"),
    Action::Finalizers("one", Precondition::Wrong, &["conformance.hearth.dev/held"]),
    Action::Finalizers("one", Precondition::Current, &["conformance.hearth.dev/held"]),
    Action::Gated("pod-a", Some("one")),
    Action::Gated("pod-a", Some("one")),
    Action::Gated("pod-b", None),
    Action::LookPod("pod-a"),
    Action::DeletePod("pod-b", Precondition::Wrong),
    Action::LookPod("pod-b"),
    Action::DeletePod("pod-b", Precondition::Current),
    Action::AwaitGone("pod-b"),
    Action::DeletePod("pod-b", Precondition::None),
    Action::Gated("pod-b", None),
    Action::Delete("one"),
    Action::Delete("one"),
    Action::Look("one"),
    Action::LookPod("pod-a"),
    Action::Status("one", Precondition::Current, 3),
    Action::Look("one"),
    Action::Finalizers("one", Precondition::Current, &[]),
    Action::Look("one"),
    Action::AwaitGone("pod-a"),
    Action::LookPod("pod-b"),
    Action::Status("one", Precondition::None, 4),
    Action::Delete("one"),
    Action::Create("one"),
    Action::Look("one"),
    Action::Delete("one"),
    Action::Look("one"),
    Action::DeletePod("pod-b", Precondition::None),
    Action::Working("a", ["r", "attempt", "a"], None, "Succeeded"),
    Action::Working("b", ["r", "attempt", "b"], None, "Failed"),
    Action::Working("c", ["r", "attempt", "c"], None, "Running"),
    Action::Working("d", ["r", "attempt", "d"], None, "Succeeded"),
    Action::Working("e", ["r", "placeholder", "a"], None, "Succeeded"),
    Action::Working("f", ["other", "attempt", "a"], None, "Succeeded"),
    Action::Working("g-1", ["r", "attempt", "g"], Some(1), "Succeeded"),
    Action::Working("g-2", ["r", "attempt", "g"], Some(2), "Failed"),
    Action::Working("g-3", ["r", "attempt", "g"], Some(3), "Succeeded"),
    Action::LookPods,
    Action::DeleteRun("r", Some((&["a", "b", "c"], &[], false))),
    Action::AwaitGone("a"),
    Action::LookPods,
    Action::DeleteRun("r", Some((&["a", "b", "c"], &[], true))),
    Action::AwaitGone("b"),
    Action::LookPods,
    Action::DeleteRun("r", Some((&["g"], &[1, 2], true))),
    Action::AwaitGone("g-2"),
    Action::LookPods,
    Action::DeleteRun("r", None),
    Action::AwaitGone("c"),
    Action::LookPods,
];

/// Who plays the script.
pub enum Executor {
    /// The simulator.
    Sim(Box<Server>),
    /// A real API server, through kubectl.
    Real(PathBuf),
}

/// Why the script could not be played at all.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// kubectl could not be run.
    #[error("kubectl: {0}")]
    Kubectl(#[from] std::io::Error),
    /// Something was answered that cannot be read.
    #[error("{what}: {text}")]
    Answer {
        /// What was asked.
        what: String,
        /// What was answered.
        text: String,
    },
}

impl Executor {
    /// The simulator.
    #[must_use]
    pub fn sim() -> Self {
        Self::Sim(Box::new(Server::new(&[NAMESPACE])))
    }

    /// Plays the script; one line per action.
    ///
    /// # Errors
    /// The script could not be played.
    pub fn play(&mut self, script: &[Action]) -> Result<Vec<String>, Broken> {
        self.prepare()?;
        let (mut lines, mut remembered) = (Vec::new(), String::new());
        for action in script {
            let answer = match self {
                Self::Sim(server) => sim(server, action),
                Self::Real(kubectl) => real(kubectl, action)?,
            };
            let shown = match (action, answer) {
                (Action::Version(_), Ok(now)) => {
                    let same = if now == remembered { "unchanged" } else { "changed" };
                    remembered = now;
                    same.to_owned()
                }
                (_, Ok(text)) => text,
                (_, Err(reason)) => format!("refused: {reason}"),
            };
            lines.push(format!("{action:?} → {shown}"));
        }
        self.clean_up()?;
        Ok(lines)
    }

    fn prepare(&mut self) -> Result<(), Broken> {
        let Self::Real(kubectl) = self else { return Ok(()) };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        for object in [&namespace, &crd()] {
            let made = run(kubectl, &["apply", "-f", "-"], Some(object))?;
            made.map_err(|text| Broken::Answer { what: "apply".to_owned(), text })?;
        }
        for wait in [
            ["wait", "--for=create", "serviceaccount/default", "--timeout=60s"],
            ["wait", "--for=condition=Established", "crd/things.conformance.hearth.dev", "--timeout=60s"],
        ] {
            run(kubectl, &wait, None)?.map_err(|text| Broken::Answer { what: "wait".to_owned(), text })?;
        }
        Ok(())
    }

    fn clean_up(&mut self) -> Result<(), Broken> {
        let Self::Real(kubectl) = self else { return Ok(()) };
        for target in ["namespace/conformance", "crd/things.conformance.hearth.dev"] {
            run(kubectl, &["delete", target, "--ignore-not-found", "--timeout=90s"], None)?
                .map_err(|text| Broken::Answer { what: "delete".to_owned(), text })?;
        }
        Ok(())
    }
}

fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": RESOURCE},
        "spec": {
            "group": "conformance.hearth.dev", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

fn thing(name: &str) -> Value {
    json!({"apiVersion": "conformance.hearth.dev/v1", "kind": "Thing", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"n": 0}})
}

fn gated_pod(name: &str, owner: Option<(&str, &str)>) -> Value {
    let owners: Vec<Value> = owner
        .map(|(name, uid)| json!({"apiVersion": "conformance.hearth.dev/v1", "kind": "Thing", "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": false}))
        .into_iter()
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": owners},
        "spec": {
            "schedulingGates": [{"name": "hearth.dev/fenced"}], "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "main", "image": "example.org/none:1", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
        },
    })
}

/// One that seems to work for a run, in a role, for a step.
fn working_pod(name: &str, [run, role, step]: [&str; 3], item: Option<u32>) -> Value {
    let mut pod = gated_pod(name, None);
    let mut labels = json!({
        label::MANAGED_BY: label::MANAGED_BY_VALUE, label::RUN: run, label::ROLE: role, label::STEP: step,
    });
    if let Some(item) = item {
        crate::deeds::merge(&mut labels, &json!({ label::ITEM: item.to_string() }));
    }
    crate::deeds::merge(&mut pod, &json!({"metadata": {"labels": labels}}));
    pod
}

fn run_pods(run: &str, only: Option<(&[&str], &[u32], bool)>) -> RunPods {
    let only = only.map(|(steps, items, failed)| Ended {
        steps: steps.iter().map(|s| (*s).to_owned()).collect(),
        items: items.to_vec(),
        failed,
    });
    RunPods { run_id: run.to_owned(), only }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

fn describe(object: &Value) -> String {
    let text = |path: &str| object.pointer(path).map_or_else(|| "-".to_owned(), Value::to_string);
    let going = object.pointer("/metadata/deletionTimestamp").is_some();
    format!(
        "there, going: {going}, generation {}, finalizers {}, spec {}, status {}",
        text("/metadata/generation"),
        text("/metadata/finalizers"),
        text("/spec/n"),
        text("/status/n")
    )
}

fn describe_pod(pod: &Value) -> String {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("-");
    let node = pod.pointer("/spec/nodeName").is_some();
    format!("{phase}, on a node: {node}, going: {}", pod.pointer("/metadata/deletionTimestamp").is_some())
}

// ---- the simulator ----

fn sim(server: &mut Server, action: &Action) -> Result<String, String> {
    let now = begin();
    let key = |name: &str| -> Key { (NAMESPACE.to_owned(), name.to_owned()) };
    let done = |answer: Result<Reply, ApiError>| answer.map(|_| "done".to_owned()).map_err(|e| e.reason);
    let rv = |server: &Server, name: &str, which: Precondition| match which {
        Precondition::Wrong => "1".to_owned(),
        Precondition::Current | Precondition::None => text_at(server.cr(&key(name)), "/metadata/resourceVersion"),
    };
    match action {
        Action::Create(name) => done(server.create_cr(now, &key(name), thing(name))),
        Action::Edit(name, n) => {
            done(server.edit_cr(&key(name), |cr| crate::deeds::merge(cr, &json!({"spec": {"n": n}}))))
        }
        Action::Status(name, which, n) => {
            let rv = rv(server, name, *which);
            done(server.apply(now, Actor::User, Write::Status { key: key(name), rv, status: json!({"n": n}) }))
        }
        Action::Finalizers(name, which, list) => {
            let rv = rv(server, name, *which);
            let finalizers = list.iter().map(|f| (*f).to_owned()).collect();
            done(server.apply(now, Actor::User, Write::Finalizers { key: key(name), rv, finalizers }))
        }
        Action::Delete(name) => {
            if server.cr(&key(name)).is_none() {
                return Err("NotFound".to_owned());
            }
            server.delete_cr(now, &key(name));
            Ok("done".to_owned())
        }
        Action::Gated(name, owner) => {
            let uid = owner.map(|o| text_at(server.cr(&key(o)), "/metadata/uid"));
            let pod: Pod =
                serde_json::from_value(gated_pod(name, owner.zip(uid.as_deref()))).map_err(|e| e.to_string())?;
            done(post_pod(server, pod))
        }
        Action::Working(name, of, item, phase) => {
            let pod: Pod = serde_json::from_value(working_pod(name, *of, *item)).map_err(|e| e.to_string())?;
            post_pod(server, pod).map_err(|e| e.reason)?;
            let uid = server.get_pod(&key(name)).and_then(|p| p.metadata.uid.clone()).unwrap_or_default();
            server.update_pod(&key(name), &uid, |pod| {
                pod.status.get_or_insert_default().phase = Some((*phase).to_owned());
            });
            Ok("done".to_owned())
        }
        Action::DeleteRun(run, only) => {
            let write = Write::DeleteRunPods { ns: NAMESPACE.to_owned(), pods: run_pods(run, *only) };
            done(server.apply(now, Actor::User, write))
        }
        Action::DeletePod(name, which) => {
            let uid = match which {
                Precondition::None => None,
                Precondition::Current => server.get_pod(&key(name)).and_then(|p| p.metadata.uid.clone()),
                Precondition::Wrong => Some("00000000-0000-4000-8000-ffffffffffff".to_owned()),
            };
            done(server.apply(now, Actor::User, Write::DeletePod { key: key(name), uid }))
        }
        Action::LookPods => Ok(names(server.pods().keys().map(|key| key.1.as_str()))),
        Action::Look(name) => Ok(server.cr(&key(name)).map_or_else(|| "absent".to_owned(), describe)),
        Action::LookPod(name) => Ok(server
            .get_pod(&key(name))
            .and_then(|p| serde_json::to_value(&*p).ok())
            .map_or_else(|| "absent".to_owned(), |p| describe_pod(&p))),
        Action::AwaitGone(name) => {
            Ok(if server.get_pod(&key(name)).is_none() { "gone" } else { "still there" }.to_owned())
        }
        Action::Version(name) => Ok(text_at(server.cr(&key(name)), "/metadata/resourceVersion")),
    }
}

fn post_pod(server: &mut Server, pod: Pod) -> Result<Reply, ApiError> {
    let step = pod.metadata.name.clone().unwrap_or_default();
    let intent = Intent { run_id: String::new(), step, item: 0, attempt: 1 };
    let write = Write::Pod { ns: NAMESPACE.to_owned(), pod: Box::new(pod), intent, placeholder: true };
    server.apply(begin(), Actor::User, write)
}

fn text_at(object: Option<&Value>, path: &str) -> String {
    object.and_then(|o| o.pointer(path)).and_then(Value::as_str).unwrap_or_default().to_owned()
}

// ---- a real API server ----

/// Runs kubectl in the namespace; the outer error says that it could not be run, the inner one what the server said.
fn run(kubectl: &PathBuf, args: &[&str], input: Option<&Value>) -> Result<Result<String, String>, Broken> {
    let mut child = Command::new(kubectl)
        .args(["--namespace", NAMESPACE])
        .args(args)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.to_string().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(if output.status.success() { Ok(out) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) })
}

/// `Error from server (Conflict): …` → `Conflict`.
fn reason(text: &str) -> String {
    let inner = text.split_once("Error from server (").and_then(|(_, rest)| rest.split_once(')'));
    inner.map_or_else(|| text.trim().to_owned(), |(reason, _)| reason.to_owned())
}

fn get(kubectl: &PathBuf, resource: &str, name: &str) -> Result<Option<Value>, Broken> {
    let answer = run(kubectl, &["get", resource, name, "--ignore-not-found", "-o", "json"], None)?;
    let text = answer.map_err(|text| Broken::Answer { what: format!("get {resource} {name}"), text })?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| Broken::Answer { what: format!("get {resource} {name}"), text: e.to_string() })
}

fn real(kubectl: &PathBuf, action: &Action) -> Result<Result<String, String>, Broken> {
    let done = |answer: Result<String, String>| answer.map(|_| "done".to_owned()).map_err(|e| reason(&e));
    Ok(match action {
        Action::Create(name) => done(run(kubectl, &["create", "-f", "-"], Some(&thing(name)))?),
        Action::Edit(name, n) => patch(kubectl, name, None, &json!({"spec": {"n": n}}))?,
        Action::Status(name, which, n) => {
            let known = get(kubectl, RESOURCE, name)?.and_then(|o| o.get("metadata").cloned());
            let mut metadata = known.unwrap_or_else(|| json!({"name": name, "namespace": NAMESPACE}));
            let sent = json!({"managedFields": null, "resourceVersion": version(kubectl, name, *which)?});
            crate::deeds::merge(&mut metadata, &sent);
            let written = json!({
                "apiVersion": "conformance.hearth.dev/v1", "kind": "Thing", "metadata": metadata, "status": {"n": n},
            });
            let path = format!("/apis/conformance.hearth.dev/v1/namespaces/{NAMESPACE}/things/{name}/status");
            done(run(kubectl, &["replace", "--raw", &path, "-f", "-"], Some(&written))?)
        }
        Action::Finalizers(name, which, list) => {
            let finalizers = if list.is_empty() { Value::Null } else { json!(list) };
            patch(kubectl, name, version(kubectl, name, *which)?, &json!({"metadata": {"finalizers": finalizers}}))?
        }
        Action::Delete(name) => done(run(kubectl, &["delete", RESOURCE, name, "--wait=false"], None)?),
        Action::Gated(name, owner) => {
            let uid = match owner {
                Some(owner) => Some(text_at(get(kubectl, RESOURCE, owner)?.as_ref(), "/metadata/uid")),
                None => None,
            };
            done(run(kubectl, &["create", "-f", "-"], Some(&gated_pod(name, owner.zip(uid.as_deref()))))?)
        }
        Action::DeletePod(name, which) => {
            let uid = match which {
                Precondition::None => None,
                Precondition::Current => Some(text_at(get(kubectl, "pod", name)?.as_ref(), "/metadata/uid")),
                Precondition::Wrong => Some("00000000-0000-4000-8000-ffffffffffff".to_owned()),
            };
            let preconditions = uid.map_or_else(|| json!({}), |uid| json!({ "uid": uid }));
            let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
            done(run(
                kubectl,
                &["delete", "--raw", &format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}"), "-f", "-"],
                Some(&options),
            )?)
        }
        Action::Working(name, of, item, phase) => {
            match run(kubectl, &["create", "-f", "-"], Some(&working_pod(name, *of, *item)))? {
                Ok(_) => {}
                Err(text) => return Ok(Err(reason(&text))),
            }
            let status = json!({"status": {"phase": phase}}).to_string();
            done(run(kubectl, &["patch", "pod", name, "--subresource=status", "--type=merge", "-p", &status], None)?)
        }
        Action::DeleteRun(run_id, only) => {
            let pods = run_pods(run_id, *only);
            let (labels, fields) = (pods.labels(), pods.fields());
            let query = [("labelSelector", Some(labels.as_str())), ("fieldSelector", fields)];
            let query = query.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            done(run(kubectl, &["delete", "--raw", &format!("/api/v1/namespaces/{NAMESPACE}/pods?{query}")], None)?)
        }
        Action::LookPods => {
            let listed = run(kubectl, &["get", "pods", "--output=jsonpath={.items[*].metadata.name}"], None)?;
            let text = listed.map_err(|text| Broken::Answer { what: "get pods".to_owned(), text })?;
            Ok(names(text.split_whitespace()))
        }
        Action::Look(name) => Ok(get(kubectl, RESOURCE, name)?.map_or_else(|| "absent".to_owned(), |o| describe(&o))),
        Action::LookPod(name) => {
            Ok(get(kubectl, "pod", name)?.map_or_else(|| "absent".to_owned(), |p| describe_pod(&p)))
        }
        Action::AwaitGone(name) => {
            let gone = run(kubectl, &["wait", "--for=delete", &format!("pod/{name}"), "--timeout=60s"], None)?;
            Ok(if gone.is_ok() { "gone" } else { "still there" }.to_owned())
        }
        Action::Version(name) => Ok(text_at(get(kubectl, RESOURCE, name)?.as_ref(), "/metadata/resourceVersion")),
    })
}

fn version(kubectl: &PathBuf, name: &str, which: Precondition) -> Result<Option<String>, Broken> {
    Ok(match which {
        Precondition::None => None,
        Precondition::Wrong => Some("1".to_owned()),
        Precondition::Current => get(kubectl, RESOURCE, name)?.map(|o| text_at(Some(&o), "/metadata/resourceVersion")),
    })
}

fn patch(kubectl: &PathBuf, name: &str, rv: Option<String>, change: &Value) -> Result<Result<String, String>, Broken> {
    let mut body = change.clone();
    if let Some(rv) = rv {
        crate::deeds::merge(&mut body, &json!({"metadata": {"resourceVersion": rv}}));
    }
    let text = body.to_string();
    Ok(run(kubectl, &["patch", RESOURCE, name, "--type=merge", "-p", &text], None)?
        .map(|_| "done".to_owned())
        .map_err(|e| reason(&e)))
}
