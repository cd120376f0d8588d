//! `kubectl hearth` as different people: by token, by certificate, and without the right.

use anyhow::{Result, ensure};
use hearth_e2e::{A_RUN, Cluster, OPERATOR_NAMESPACE, Scene, lab, plugin, rows, scene, status};
use serde_json::{Value, json};
use std::path::Path;

/// Exit status of the plugin for a missing right.
const FORBIDDEN: i32 = 4;
/// Exit status of the plugin for what is not there.
const NOT_FOUND: i32 = 3;

fn user(name: &str) -> Value {
    json!({"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"})
}

/// Lets somebody tunnel to the operator, by the chart's Role.
fn may_tunnel(scene: &Scene, name: &str, subject: &Value) -> Result<()> {
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": format!("{}-{name}", scene.namespace), "namespace": OPERATOR_NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hearth-tunnel"}, "subjects": [subject]});
    scene.cluster.apply(&binding.to_string()).map(drop)
}

/// Lets somebody read the Workflows of the scene, and with `logs` their pods' logs.
fn may_read(scene: &Scene, name: &str, subject: &Value, logs: bool) -> Result<()> {
    let mut rules = vec![json!({"apiGroups": ["hearth.dev"], "resources": ["workflows"], "verbs": ["get", "list"]})];
    if logs {
        rules.push(json!({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}));
    }
    scene.apply_object(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}))?;
    scene.apply_object(
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}, "subjects": [subject]}),
    )
}

fn cleaned(scene: &Scene, names: &[&str]) -> Result<()> {
    for name in names {
        let binding = format!("{}-{name}", scene.namespace);
        scene.cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "delete", "rolebinding", &binding, "--ignore-not-found"])?;
    }
    Ok(())
}

/// Somebody with the rights sees the run of the scene, and what it said.
fn sees(scene: &Scene, kubeconfig: &Path, id: &str) -> Result<()> {
    let somebody = Cluster::as_in(kubeconfig);
    let list = plugin::json(&somebody, &["runs", "-n", &scene.namespace])?;
    ensure!(status::items(&list, "/items").iter().any(|r| status::text(r, "/id") == id), "{list}");
    let said = plugin::hearth(&somebody, &["describe", id, "-n", &scene.namespace])?;
    ensure!(said.code == 0 && said.out.contains("Succeeded"), "{said:?}");
    let said = plugin::hearth(&somebody, &["logs", "workflow", "w", "-n", &scene.namespace])?;
    ensure!(said.code == 0 && said.out.contains("words to keep"), "{said:?}");
    // What is elsewhere stays elsewhere.
    let said = plugin::hearth(&somebody, &["runs", "-A"])?;
    ensure!(said.code == FORBIDDEN && said.err.contains("namespace"), "a list of all namespaces: {said:?}");
    let said = plugin::hearth(&somebody, &["runs", "-n", "default"])?;
    ensure!(said.code == FORBIDDEN && said.err.contains("default"), "another namespace: {said:?}");
    Ok(())
}

#[test]
fn by_token_by_certificate_and_without_rights() -> Result<()> {
    scene("identity", |scene| {
        scene.apply("w", "{steps: [{name: a, command: [echo, words to keep], logs: Keep}]}")?;
        let object = scene.complete("w", A_RUN)?;
        let id = rows::equal_status(scene, &object)?;

        scene.apply_object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}))?;
        let reader = json!({"kind": "ServiceAccount", "name": "reader", "namespace": scene.namespace});
        let ana = user("ana");
        let bob = user("bob");
        let cy = user("cy");
        for (name, subject) in [("reader", &reader), ("ana", &ana), ("bob", &bob), ("cy", &cy)] {
            may_tunnel(scene, name, subject)?;
        }
        let done = everybody(scene, &id, &reader, &ana, &cy);
        cleaned(scene, &["reader", "ana", "bob", "cy"])?;
        done
    })
}

fn everybody(scene: &Scene, id: &str, reader: &Value, ana: &Value, cy: &Value) -> Result<()> {
    may_read(scene, "reader", reader, true)?;
    may_read(scene, "ana", ana, true)?;
    may_read(scene, "cy", cy, false)?;
    sees(scene, &lab::service_account(&scene.namespace, "reader")?, id)?;
    println!("a token sees the runs of its namespace");
    sees(scene, &lab::user("ana", "scientists")?, id)?;
    println!("a client certificate sees the runs of its namespace");

    let bob = Cluster::as_in(&lab::user("bob", "scientists")?);
    for args in [vec!["runs"], vec!["describe", id], vec!["describe", "workflow", "w"], vec!["logs", id]] {
        let mut all = args.clone();
        all.extend(["-n", scene.namespace.as_str()]);
        let said = plugin::hearth(&bob, &all)?;
        ensure!(said.code == FORBIDDEN, "bob has no right to {args:?}: {said:?}");
        ensure!(
            said.err.contains("workflows") && said.err.contains(&scene.namespace),
            "what bob lacks is not said: {said:?}"
        );
        ensure!(!said.err.contains("words to keep") && said.out.is_empty(), "bob was told something: {said:?}");
    }
    println!("without the right there is a 403 that says what to do");

    let cy = Cluster::as_in(&lab::user("cy", "scientists")?);
    let said = plugin::hearth(&cy, &["describe", id, "-n", &scene.namespace])?;
    ensure!(said.code == 0, "cy may see the run: {said:?}");
    let said = plugin::hearth(&cy, &["logs", id, "-n", &scene.namespace])?;
    ensure!(said.code == FORBIDDEN && said.err.contains("pods/log"), "logs need get on pods/log: {said:?}");

    let ana = Cluster::as_in(&lab::user("ana", "scientists")?);
    let said = plugin::hearth(&ana, &["describe", "01993b6a-7c00-7000-8000-000000000001", "-n", &scene.namespace])?;
    ensure!(said.code == NOT_FOUND, "an unknown run: {said:?}");

    let dora = Cluster::as_in(&lab::user("dora", "scientists")?);
    let said = plugin::hearth(&dora, &["runs", "-n", &scene.namespace])?;
    ensure!(said.code == FORBIDDEN && said.err.contains("hearth-system"), "without the tunnel: {said:?}");
    Ok(())
}

#[test]
fn what_is_refused_and_deleted_is_on_record() -> Result<()> {
    scene("trail", |scene| {
        scene.apply("w", "{steps: [{name: a, command: ['true']}]}")?;
        let object = scene.complete("w", A_RUN)?;
        let id = rows::equal_status(scene, &object)?;
        let eve = user("eve");
        may_tunnel(scene, "eve", &eve)?;
        let done = on_record(scene, &id, &eve);
        cleaned(scene, &["eve"])?;
        done
    })
}

fn on_record(scene: &Scene, id: &str, subject: &Value) -> Result<()> {
    may_read(scene, "eve", subject, false)?;
    let here = ["-n", scene.namespace.as_str()];
    let eve = Cluster::as_in(&lab::user("eve", "scientists")?);
    let said = plugin::hearth(&eve, &[&["delete", id, "--yes"], &here[..]].concat())?;
    ensure!(said.code == FORBIDDEN && said.err.contains("delete workflows.hearth.dev"), "eve deletes: {said:?}");
    let said = plugin::hearth(&eve, &["audit"])?;
    ensure!(said.code == FORBIDDEN && said.err.contains("hearth-auditor"), "eve reads the trail: {said:?}");
    let said = plugin::hearth(&scene.cluster, &[&["delete", id], &here[..]].concat())?;
    ensure!(said.code == 2 && said.err.contains("--yes"), "nobody was there to be asked: {said:?}");
    let said = plugin::hearth(&scene.cluster, &[&["delete", id, "--yes"], &here[..]].concat())?;
    ensure!(said.code == 0, "a run that is over is deleted: {said:?}");
    let said = plugin::hearth(&scene.cluster, &[&["delete", id, "--yes"], &here[..]].concat())?;
    ensure!(said.code == NOT_FOUND, "it is deleted once: {said:?}");
    let trail = plugin::json(&scene.cluster, &[&["audit"], &here[..]].concat())?;
    let told: Vec<(&str, bool)> = status::items(&trail, "/items")
        .iter()
        .filter(|r| status::text(r, "/run") == id && status::text(r, "/verb") == "delete")
        .map(|r| (status::text(r, "/who"), r.pointer("/allowed").and_then(Value::as_bool).unwrap_or_default()))
        .collect();
    ensure!(matches!(told.as_slice(), [(_, true), ("eve", false)]), "newest first: {trail}");
    let said = plugin::hearth(&scene.cluster, &["audit", "--verify"])?;
    ensure!(said.code == 0 && said.out.contains("all whole"), "the trail: {said:?}");
    Ok(())
}
