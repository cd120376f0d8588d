//! Where a pod may run: GPUs, node selection, tolerations, affinity, spread.

use super::non_empty;
use hearth_crds::{
    label,
    pod::{
        AntiAffinityMode, Gpu, NodeRequirement, PodSubset, Quantity as QuantityText, TaintEffect, TolerationOperator,
        WhenUnsatisfiable,
    },
};
use k8s_openapi::{
    api::core::v1::{
        Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
        PodAntiAffinity, PreferredSchedulingTerm, Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use std::collections::BTreeMap;

/// Label of GPU memory in MiB, as NVIDIA's feature discovery sets it.
const GPU_MEMORY: &str = "nvidia.com/gpu.memory";
const GPU_PRODUCT: &str = "nvidia.com/gpu.product";
const GPU_RESOURCE: &str = "nvidia.com/gpu";

/// GPUs, when there are any to ask for.
pub(super) fn gpus(pod: &PodSubset) -> Option<(&Gpu, i64)> {
    pod.gpu.as_ref().and_then(|g| g.count.filter(|n| *n > 0).map(|n| (g, n)))
}

pub(super) fn gpu_resource(gpu: &Gpu) -> &str {
    gpu.resource.as_deref().unwrap_or(GPU_RESOURCE)
}

pub(super) fn node_selector(pod: &PodSubset) -> Option<BTreeMap<String, String>> {
    let mut selector = pod.node_selector.clone();
    if let Some(product) = gpus(pod).and_then(|(gpu, _)| gpu.product.clone()) {
        selector.insert(GPU_PRODUCT.into(), product);
    }
    (!selector.is_empty()).then_some(selector)
}

pub(super) fn tolerations(pod: &PodSubset) -> Option<Vec<Toleration>> {
    let effect = |e: TaintEffect| match e {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    };
    let operator = |o: TolerationOperator| match o {
        TolerationOperator::Equal => "Equal",
        TolerationOperator::Exists => "Exists",
    };
    let mut all: Vec<Toleration> = pod
        .tolerations
        .iter()
        .map(|t| Toleration {
            key: t.key.clone(),
            operator: t.operator.map(|o| operator(o).into()),
            value: t.value.clone(),
            effect: t.effect.map(|e| effect(e).into()),
            toleration_seconds: t.toleration_seconds,
        })
        .collect();
    if let Some((gpu, _)) = gpus(pod) {
        all.push(Toleration {
            key: Some(gpu_resource(gpu).to_owned()),
            operator: Some("Exists".into()),
            ..Toleration::default()
        });
    }
    non_empty(all)
}

fn requirement(need: &NodeRequirement) -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: need.key.clone(),
        operator: need.operator.as_str().into(),
        values: non_empty(need.values.clone()),
    }
}

/// `memory` in whole MiB, rounded up; the label is in MiB.
fn mebibytes(memory: &QuantityText) -> Option<i64> {
    let text = memory.0.as_str();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u128 = number.parse().ok()?;
    let bytes = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1u128 << 40,
        _ => return None,
    };
    i64::try_from(number.checked_mul(bytes)?.div_ceil(1 << 20)).ok()
}

pub(super) fn affinity(pod: &PodSubset, run_id: &str, avoid: &[String]) -> Option<Affinity> {
    let wanted = pod.affinity.clone().unwrap_or_default();
    let mut expressions: Vec<_> = wanted.node_required.iter().map(requirement).collect();
    if let Some(least) = gpus(pod).and_then(|(gpu, _)| gpu.memory.as_ref()).and_then(mebibytes) {
        expressions.push(NodeSelectorRequirement {
            key: GPU_MEMORY.into(),
            operator: "Gt".into(),
            values: Some(vec![(least - 1).to_string()]),
        });
    }
    let fields: Vec<_> = avoid
        .iter()
        .map(|node| NodeSelectorRequirement {
            key: "metadata.name".into(),
            operator: "NotIn".into(),
            values: Some(vec![node.clone()]),
        })
        .collect();
    let preferred: Vec<_> = wanted
        .node_preferred
        .iter()
        .map(|p| PreferredSchedulingTerm {
            weight: p.weight,
            preference: NodeSelectorTerm { match_expressions: Some(vec![requirement(&p.require)]), match_fields: None },
        })
        .collect();
    let required = (!expressions.is_empty() || !fields.is_empty()).then(|| NodeSelector {
        node_selector_terms: vec![NodeSelectorTerm {
            match_expressions: non_empty(expressions),
            match_fields: non_empty(fields),
        }],
    });
    let node_affinity = (required.is_some() || !preferred.is_empty()).then(|| NodeAffinity {
        required_during_scheduling_ignored_during_execution: required,
        preferred_during_scheduling_ignored_during_execution: non_empty(preferred),
    });
    let pod_anti_affinity = anti_affinity(&wanted, run_id);
    (node_affinity.is_some() || pod_anti_affinity.is_some()).then_some(Affinity {
        node_affinity,
        pod_affinity: None,
        pod_anti_affinity,
    })
}

fn run_selector(run_id: &str) -> LabelSelector {
    LabelSelector { match_expressions: None, match_labels: Some([(label::RUN.to_owned(), run_id.to_owned())].into()) }
}

fn anti_affinity(wanted: &hearth_crds::pod::Affinity, run_id: &str) -> Option<PodAntiAffinity> {
    let term = |key: &str| PodAffinityTerm {
        label_selector: Some(run_selector(run_id)),
        topology_key: key.to_owned(),
        ..PodAffinityTerm::default()
    };
    let (mut must, mut should) = (Vec::new(), Vec::new());
    for rule in &wanted.pod_anti_affinity {
        match rule.mode.unwrap_or(AntiAffinityMode::Preferred) {
            AntiAffinityMode::Required => must.push(term(&rule.topology_key)),
            AntiAffinityMode::Preferred => {
                should.push(WeightedPodAffinityTerm { weight: 100, pod_affinity_term: term(&rule.topology_key) })
            }
        }
    }
    (!must.is_empty() || !should.is_empty()).then(|| PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: non_empty(must),
        preferred_during_scheduling_ignored_during_execution: non_empty(should),
    })
}

pub(super) fn spread(pod: &PodSubset, run_id: &str) -> Option<Vec<TopologySpreadConstraint>> {
    let when = |w: WhenUnsatisfiable| match w {
        WhenUnsatisfiable::DoNotSchedule => "DoNotSchedule",
        WhenUnsatisfiable::ScheduleAnyway => "ScheduleAnyway",
    };
    let all = pod.topology_spread.iter().map(|s| TopologySpreadConstraint {
        topology_key: s.topology_key.clone(),
        max_skew: s.max_skew.unwrap_or(1),
        when_unsatisfiable: when(s.when_unsatisfiable.unwrap_or(WhenUnsatisfiable::ScheduleAnyway)).into(),
        label_selector: Some(run_selector(run_id)),
        ..TopologySpreadConstraint::default()
    });
    non_empty(all.collect())
}
