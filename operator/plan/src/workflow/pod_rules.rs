//! Pod settings: the step's over the spec's, and the rules that a schema cannot say.

use hearth_crds::pod::{NodeOperator, NodeRequirement, PodSubset, Volume};
use std::collections::BTreeMap;

const RESERVED: [&str; 3] = ["hearth.dev", "batch.kubernetes.io", "kueue.x-k8s.io"];
const OWN_LABEL: &str = "app.kubernetes.io/managed-by";
const OWN_VOLUMES: [&str; 8] =
    ["hearth", "work", "tmp", "shm", "hearth-in", "hearth-out", "hearth-bin", "hearth-recorder"];

/// The first rule that is broken: the field below `pod`, and what to do.
pub(super) fn check(pod: &PodSubset) -> Result<(), (String, String)> {
    metadata("labels", pod.labels.keys())?;
    metadata("annotations", pod.annotations.keys())?;
    for (key, value) in &pod.labels {
        if !label_value(value) {
            return broken(
                format!("labels[{key}]"),
                format!(
                    "`{value}` is not a label value: at most 63 letters, digits, dashes, dots and underscores, a letter or digit at both ends"
                ),
            );
        }
    }
    if pod.gpu.as_ref().is_some_and(|g| g.count.is_none() && (g.product.is_some() || g.memory.is_some())) {
        return broken("gpu.count", "is missing: say how many GPUs, or 0 for none");
    }
    for volume in &pod.volumes {
        one_source(volume)?;
    }
    let known = |name: &str| pod.volumes.iter().any(|v| v.name == name);
    for mount in &pod.volume_mounts {
        if !known(&mount.name) {
            return broken(
                format!("volumeMounts[{}].name", mount.mount_path),
                format!("there is no volume named {}: add it to pod.volumes", mount.name),
            );
        }
        if ["/hearth", "/tmp", "/dev"]
            .iter()
            .any(|p| mount.mount_path == *p || mount.mount_path.starts_with(&format!("{p}/")))
        {
            return broken(
                format!("volumeMounts[{}].mountPath", mount.mount_path),
                "/hearth, /tmp and /dev are taken: choose another path",
            );
        }
    }
    for need in
        pod.affinity.iter().flat_map(|a| a.node_required.iter().chain(a.node_preferred.iter().map(|p| &p.require)))
    {
        node_requirement(need)?;
    }
    Ok(())
}

fn broken<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, (String, String)> {
    Err((field.into(), message.into()))
}

fn metadata<'a>(field: &str, keys: impl Iterator<Item = &'a String>) -> Result<(), (String, String)> {
    for key in keys {
        let prefix = key.split_once('/').map_or("", |(p, _)| p);
        if key == OWN_LABEL || RESERVED.iter().any(|r| prefix == *r || prefix.ends_with(&format!(".{r}"))) {
            return broken(
                format!("{field}[{key}]"),
                format!("the prefixes {} and the key {OWN_LABEL} are reserved: use another key", RESERVED.join(", ")),
            );
        }
        let name = key.split_once('/').map_or(key.as_str(), |(_, n)| n);
        if name.is_empty() || !label_value(name) {
            return broken(
                format!("{field}[{key}]"),
                "is not a key: write prefix/name or name, at most 63 letters, digits, dashes, dots and underscores",
            );
        }
    }
    Ok(())
}

fn label_value(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

fn one_source(volume: &Volume) -> Result<(), (String, String)> {
    let given = [
        volume.empty_dir.is_some(),
        volume.pvc.is_some(),
        volume.config_map.is_some(),
        volume.secret.is_some(),
        volume.projected.is_some(),
        volume.ephemeral.is_some(),
    ];
    if given.iter().filter(|g| **g).count() != 1 {
        return broken(
            format!("volumes[{}]", volume.name),
            "give exactly one of emptyDir, pvc, configMap, secret, projected and ephemeral",
        );
    }
    if OWN_VOLUMES.contains(&volume.name.as_str()) {
        return broken(
            format!("volumes[{}].name", volume.name),
            format!("the names {} are taken: choose another", OWN_VOLUMES.join(", ")),
        );
    }
    Ok(())
}

fn node_requirement(need: &NodeRequirement) -> Result<(), (String, String)> {
    let ok = match need.operator {
        NodeOperator::In | NodeOperator::NotIn => !need.values.is_empty(),
        NodeOperator::Exists | NodeOperator::DoesNotExist => need.values.is_empty(),
        NodeOperator::Gt | NodeOperator::Lt => matches!(need.values.as_slice(), [v] if v.parse::<i64>().is_ok()),
    };
    if ok {
        return Ok(());
    }
    broken(
        format!("affinity[{}]", need.key),
        format!(
            "the values do not fit operator {}: In and NotIn take at least one, Exists and DoesNotExist none, Gt and Lt one whole number",
            need.operator.as_str()
        ),
    )
}

/// The step's settings over the spec's, field by field.
pub(super) fn merge(spec: Option<&PodSubset>, step: Option<&PodSubset>) -> PodSubset {
    let base = spec.cloned().unwrap_or_default();
    let own = step.cloned().unwrap_or_default();
    fn list<T>(own: Vec<T>, base: Vec<T>) -> Vec<T> {
        if own.is_empty() { base } else { own }
    }
    fn map(own: BTreeMap<String, String>, mut base: BTreeMap<String, String>) -> BTreeMap<String, String> {
        base.extend(own);
        base
    }
    PodSubset {
        resources: own.resources.or(base.resources),
        gpu: own.gpu.or(base.gpu),
        node_selector: map(own.node_selector, base.node_selector),
        tolerations: list(own.tolerations, base.tolerations),
        affinity: own.affinity.or(base.affinity),
        topology_spread: list(own.topology_spread, base.topology_spread),
        priority_class_name: own.priority_class_name.or(base.priority_class_name),
        runtime_class_name: own.runtime_class_name.or(base.runtime_class_name),
        scheduler_name: own.scheduler_name.or(base.scheduler_name),
        image_pull_secrets: list(own.image_pull_secrets, base.image_pull_secrets),
        run_as_user: own.run_as_user.or(base.run_as_user),
        fs_group: own.fs_group.or(base.fs_group),
        shm: own.shm.or(base.shm),
        env_from: list(own.env_from, base.env_from),
        volumes: list(own.volumes, base.volumes),
        volume_mounts: list(own.volume_mounts, base.volume_mounts),
        termination_grace_period_seconds: own
            .termination_grace_period_seconds
            .or(base.termination_grace_period_seconds),
        labels: map(own.labels, base.labels),
        annotations: map(own.annotations, base.annotations),
    }
}
