//! Rights on fields: what the admission policies refuse, and whom. The administrator acts as others here.

use anyhow::{Result, bail, ensure};
use hearth_e2e::{A_RUN, A_WORD, Scene, scene, status};
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Binds a user to a Role or ClusterRole in the scene.
fn bind(scene: &Scene, user: &str, kind: &str, role: &str) -> Result<()> {
    scene.apply_object(json!({"apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding",
        "metadata": {"name": format!("{user}-{role}")},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}]}))
}

/// Lets a user do that with all Workflows of the scene, or with the ones of these names.
fn may(scene: &Scene, user: &str, verbs: &[&str], names: &[&str]) -> Result<()> {
    let role = format!("{user}-{}", verbs.join("-"));
    let rule = json!({"apiGroups": ["hearth.dev"], "resources": ["workflows"], "verbs": verbs, "resourceNames": names});
    scene.apply_object(
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": {"name": role}, "rules": [rule]}),
    )?;
    bind(scene, user, "Role", &role)
}

/// A merge patch as somebody.
fn patch(scene: &Scene, user: &str, name: &str, patch: &Value) -> Result<()> {
    let (user, patch) = (format!("--as={user}"), patch.to_string());
    scene
        .cluster
        .kubectl(&["-n", &scene.namespace, &user, "patch", "hwf", name, "--type=merge", "-p", &patch])
        .map(drop)
}

/// The patch is refused, and the refusal speaks of all that.
fn refused(scene: &Scene, user: &str, name: &str, change: &Value, words: &[&str]) -> Result<()> {
    let Err(error) = patch(scene, user, name, change) else { bail!("{user} was let through: {change}") };
    let said = format!("{error:#}");
    ensure!(words.iter().all(|word| said.contains(word)), "the refusal does not speak of {words:?}: {said}");
    Ok(())
}

/// Waits until the Workflow waits for approval. The id of its run.
fn asked(scene: &Scene, name: &str) -> Result<String> {
    let object = scene
        .look(name, "it waits for approval", A_WORD, |o| Ok(status::says(o, "Ready", "False", "WaitingForApproval")))?;
    Ok(status::text(&object, "/status/run/id").to_owned())
}

#[test]
fn who_approves_needs_the_right_to() -> Result<()> {
    scene("approvers", |scene| {
        may(scene, "ana", &["get", "patch"], &[])?;
        may(scene, "bob", &["get", "patch"], &[])?;
        may(scene, "bob", &["approve"], &["w"])?;
        for name in ["w", "v"] {
            scene.apply(name, "{steps: [{name: gate, approval: {message: 'go on?'}}]}")?;
        }
        let (w, v) = (asked(scene, "w")?, asked(scene, "v")?);
        let approval = |run: &str| json!({"spec": {"approve": [{"step": "gate", "run": run}]}});
        refused(scene, "ana", "w", &approval(&w), &["spec.approve", "ana", "verb approve"])?;
        // Another field is no matter of that right.
        patch(scene, "ana", "w", &json!({"spec": {"suspend": false}}))?;
        // The right is on one object.
        refused(scene, "bob", "v", &approval(&v), &["spec.approve", "bob"])?;
        patch(scene, "bob", "w", &approval(&w))?;
        scene.complete("w", A_RUN)?;
        // What was approved stays while somebody else changes the rest, and may be cleared.
        patch(scene, "ana", "w", &json!({"spec": {"suspend": true}}))?;
        patch(scene, "ana", "w", &json!({"spec": {"approve": null}}))
    })
}

#[test]
fn who_names_a_template_needs_to_see_it() -> Result<()> {
    scene("templates", |scene| {
        for template in ["open", "closed"] {
            scene.apply(template, "{runPolicy: Manual, steps: [{name: a, command: ['true']}]}")?;
        }
        scene.apply("mine", "{suspend: true, steps: [{name: a, command: ['true']}]}")?;
        may(scene, "cy", &["get", "patch"], &["mine", "open"])?;
        let from = |template: &str| json!({"spec": {"steps": null, "from": {"workflow": template}}});
        refused(scene, "cy", "mine", &from("closed"), &["spec.from.workflow", "cy", "closed"])?;
        patch(scene, "cy", "mine", &from("open"))?;
        // Named once, it is not asked for again.
        scene.cluster.patch(&scene.namespace, "hwf/mine", &from("closed"))?;
        patch(scene, "cy", "mine", &json!({"spec": {"suspend": null, "from": {"workflow": "closed"}}}))?;
        // So it is with the templates that steps run.
        let runs =
            |template: &str| json!({"spec": {"from": null, "steps": [{"name": "sub", "workflow": {"ref": template}}]}});
        refused(scene, "cy", "mine", &runs("closed"), &["spec.steps[].workflow.ref", "cy", "closed"])?;
        patch(scene, "cy", "mine", &runs("open"))
    })
}

#[test]
fn nobody_asks_in_anothers_name() -> Result<()> {
    scene("requesters", |scene| {
        scene.apply("w", "{suspend: true, steps: [{name: a, command: ['true']}]}")?;
        may(scene, "dan", &["get", "patch"], &["w"])?;
        let by = |name: &str| json!({"metadata": {"annotations": {"hearth.dev/requested-by": name}}});
        refused(scene, "dan", "w", &by("eve"), &["hearth.dev/requested-by", "dan", "nobody else"])?;
        patch(scene, "dan", "w", &by("dan"))?;
        patch(scene, "dan", "w", &json!({"metadata": {"labels": {"team": "climate"}}}))
    })
}

#[test]
fn the_roles_of_the_cluster_hold_the_kinds() -> Result<()> {
    scene("roles", |scene| {
        for (user, role, can, cannot) in [
            ("vic", "view", "list", "create"),
            ("eve", "edit", "create", "approve"),
            ("adam", "admin", "approve", "bind"),
        ] {
            bind(scene, user, "ClusterRole", role)?;
            let user = format!("--as={user}");
            // kubectl ends with 1 when the answer is no.
            let asks = |verb: &str| {
                scene.cluster.kubectl(&["-n", &scene.namespace, &user, "auth", "can-i", verb, "workflows.hearth.dev"])
            };
            ensure!(asks(can)?.contains("yes"), "{role} may not {can}");
            ensure!(asks(cannot).is_err(), "{role} may {cannot}");
        }
        Ok(())
    })
}
