//! What the pods of a spec ask for: how history counts what runs used.

use super::pod_rules;
use hearth_crds::{
    pod::{PodSubset, Quantity},
    workflow::WorkflowSpec,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What one pod asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requests {
    /// CPU cores.
    pub cpu: f64,
    /// Bytes of memory.
    pub memory: f64,
    /// GPUs.
    pub gpus: f64,
}

/// Requests by step. A spec that this version cannot read gives none.
#[must_use]
pub fn requests(spec: &Value) -> BTreeMap<String, Requests> {
    let Ok(spec) = WorkflowSpec::deserialize(spec) else { return BTreeMap::new() };
    let of = |pod: Option<&PodSubset>| of_pod(&pod_rules::merge(spec.pod.as_ref(), pod));
    let steps = spec.steps.iter().chain(spec.on_exit.as_deref());
    steps.map(|s| (s.name.clone(), of(s.pod.as_ref()))).collect()
}

/// Where there is no request, the limit is one: so Kubernetes has it.
fn of_pod(pod: &PodSubset) -> Requests {
    let resources = pod.resources.clone().unwrap_or_default();
    let mut asked = resources.limits;
    asked.extend(resources.requests);
    let value = |name: &str| asked.get(name).and_then(value).unwrap_or(0.0);
    let devices: f64 =
        asked.iter().filter(|(name, _)| name.ends_with("/gpu")).filter_map(|(_, q)| self::value(q)).sum();
    let declared =
        pod.gpu.as_ref().and_then(|g| g.count).filter(|n| *n > 0).map(|n| f64::from(i32::try_from(n).unwrap_or(0)));
    Requests { cpu: value("cpu"), memory: value("memory"), gpus: declared.unwrap_or(devices) }
}

/// A quantity of Kubernetes as a number: `500m` is 0.5, `1Gi` is 2³⁰, `1e3` is 1000.
fn value(quantity: &Quantity) -> Option<f64> {
    let text = quantity.0.trim();
    if let Ok(plain) = text.parse::<f64>() {
        return Some(plain).filter(|n| n.is_finite());
    }
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, suffix) = text.split_at_checked(split)?;
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 2f64.powi(10),
        "Mi" => 2f64.powi(20),
        "Gi" => 2f64.powi(30),
        "Ti" => 2f64.powi(40),
        "Pi" => 2f64.powi(50),
        "Ei" => 2f64.powi(60),
        _ => return None,
    };
    number.parse::<f64>().ok().map(|n| n * factor).filter(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_numbers() {
        for (text, number) in [
            ("2", 2.0),
            ("0.5", 0.5),
            ("1e3", 1000.0),
            ("2000000000n", 2.0),
            ("2000000u", 2.0),
            ("500m", 0.5),
            ("3k", 3e3),
            ("2M", 2e6),
            ("2G", 2e9),
            ("2T", 2e12),
            ("2P", 2e15),
            ("1E", 1e18),
            ("1.5Ki", 1536.0),
            ("2Mi", 2_097_152.0),
            ("1Gi", 1_073_741_824.0),
            ("1Ti", 1_099_511_627_776.0),
            ("1Pi", 1_125_899_906_842_624.0),
            ("1Ei", 1_152_921_504_606_846_976.0),
        ] {
            assert_eq!(value(&Quantity(text.to_owned())), Some(number), "{text}");
        }
        for text in ["", "Gi", "1GB", "inf", "NaN", "x"] {
            assert_eq!(value(&Quantity(text.to_owned())), None, "{text}");
        }
    }

    #[test]
    fn a_step_asks_for_its_own_or_what_the_spec_says() {
        let spec = json!({
            "image": "a",
            "pod": {"resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi", "cpu": "2"}}},
            "steps": [
                {"name": "plain"},
                {"name": "own", "pod": {"resources": {"limits": {"amd.com/gpu": "4"}}}},
                {"name": "gpu", "pod": {"gpu": {"count": 2}}},
                {"name": "none", "pod": {"resources": {}, "gpu": {"count": 0}}},
                {"name": "other", "pod": {"resources": {"limits": {"amd.com/gpu": "4"}}, "gpu": {"count": 0}}},
            ],
            "onExit": {"name": "tell"},
        });
        let found = requests(&spec);
        let of = |name: &str| found[name];
        assert_eq!(of("plain"), Requests { cpu: 0.25, memory: 1_073_741_824.0, gpus: 0.0 });
        assert_eq!(of("own"), Requests { cpu: 0.0, memory: 0.0, gpus: 4.0 });
        assert_eq!(of("gpu"), Requests { gpus: 2.0, ..of("plain") });
        assert_eq!(of("none"), Requests::default());
        assert_eq!(of("other"), of("own"), "no GPU of ours leaves what the resources ask for");
        assert_eq!(of("tell"), of("plain"), "the step on exit uses something too");
        assert!(requests(&json!({"steps": "odd"})).is_empty());
    }
}
