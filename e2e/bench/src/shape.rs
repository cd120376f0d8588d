//! What is run: steps and what they need, for the operator as a Workflow for fake nodes, for the bare loop as it is.

use hearth_crds::workflow::Workflow;
use hearth_e2e::diamond;
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// How long each pod seems to run.
const LASTS: &str = "100ms";
/// The operator runs as many steps of a long run, and items of a fan-out, at a time.
const AT_ONCE: usize = 128;

/// Steps and what they need.
#[derive(Debug)]
pub struct Shape {
    steps: Vec<Step>,
    places: BTreeMap<String, usize>,
    /// The most pods at a time.
    pub at_once: usize,
    /// One step of the Workflow that runs for each item, in place of these steps.
    fan_out: bool,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    needs: Vec<String>,
    children: Vec<String>,
}

/// What makes a pod go to a fake node, and seem to run there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fake {
    pub node_selector: Value,
    pub tolerations: Value,
    pub annotations: Value,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            node_selector: json!({"type": "kwok"}),
            tolerations: json!([{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]),
            annotations: json!({"kwok.x-k8s.io/complete-after": LASTS}),
        }
    }
}

impl Shape {
    /// Ten steps, 1 → 4 → 4 → 1, where each layer needs all of the one before.
    pub fn diamond() -> Arc<Self> {
        let owned = |needs: &[&str]| needs.iter().map(|n| (*n).to_owned()).collect();
        Self::of(diamond::steps().map(|(name, needs)| (name.to_owned(), owned(needs))), AT_ONCE, false)
    }

    /// One step.
    pub fn single() -> Arc<Self> {
        Self::of(std::iter::once(("only".to_owned(), Vec::new())), AT_ONCE, false)
    }

    /// So many layers of so many steps, of which each needs two of the layer before.
    pub fn layers(depth: usize, width: usize) -> Arc<Self> {
        let name = |layer: usize, place: usize| format!("l{layer}x{}", place % width);
        let needs = move |layer: usize, place: usize| match layer.checked_sub(1) {
            Some(before) => vec![name(before, place), name(before, place + 1)],
            None => Vec::new(),
        };
        let places = (0..depth).flat_map(move |layer| (0..width).map(move |place| (layer, place)));
        Self::of(places.map(|(layer, place)| (name(layer, place), needs(layer, place))), AT_ONCE, false)
    }

    /// One step for so many items.
    pub fn fan_out(items: usize) -> Arc<Self> {
        Self::of((0..items).map(|item| (format!("i{item}"), Vec::new())), AT_ONCE, true)
    }

    fn of(steps: impl Iterator<Item = (String, Vec<String>)>, at_once: usize, fan_out: bool) -> Arc<Self> {
        let mut shape = Self { steps: Vec::new(), places: BTreeMap::new(), at_once, fan_out };
        for (name, needs) in steps {
            for need in &needs {
                if let Some(parent) = shape.places.get(need).and_then(|place| shape.steps.get_mut(*place)) {
                    parent.children.push(name.clone());
                }
            }
            shape.places.insert(name.clone(), shape.steps.len());
            shape.steps.push(Step { name, needs, children: Vec::new() });
        }
        Arc::new(shape)
    }

    /// How many pods a run makes.
    pub fn pods(&self) -> usize {
        self.steps.len()
    }

    /// All steps, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|s| s.name.as_str())
    }

    /// The steps that need nothing, in order.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(|s| s.needs.is_empty()).map(|s| s.name.as_str())
    }

    /// What a step needs.
    pub fn needs(&self, step: &str) -> &[String] {
        self.step(step).map_or(&[], |s| &s.needs)
    }

    /// What needs a step.
    pub fn children(&self, step: &str) -> &[String] {
        self.step(step).map_or(&[], |s| &s.children)
    }

    fn step(&self, name: &str) -> Option<&Step> {
        self.places.get(name).and_then(|place| self.steps.get(*place))
    }

    /// The Workflow, for fake nodes.
    ///
    /// # Errors
    /// The types do not take it, which is a mistake in here.
    pub fn workflow(&self, name: &str) -> serde_json::Result<Workflow> {
        serde_json::from_value(self.object(name))
    }

    /// The same, whose pods fail, and stay for a day.
    ///
    /// # Errors
    /// The types do not take it, which is a mistake in here.
    pub fn failing(&self, name: &str) -> serde_json::Result<Workflow> {
        let mut object = self.object(name);
        for (path, value) in [
            ("/spec/pod/annotations", json!({"kwok.x-k8s.io/complete-after": LASTS, "kwok.x-k8s.io/exit-code": "1"})),
            ("/metadata", json!({"name": name, "labels": {"hearth.dev/bench": "idle"}})),
        ] {
            object.pointer_mut(path).into_iter().for_each(|old| *old = value.clone());
        }
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("keepPods".to_owned(), json!({"failed": "24h"}));
        }
        serde_json::from_value(object)
    }

    fn object(&self, name: &str) -> Value {
        let steps: Vec<Value> = if self.fan_out {
            let items: Vec<usize> = (0..self.pods()).collect();
            vec![json!({"name": "each", "forEach": {"items": items, "maxParallel": self.at_once}, "command": ["true"]})]
        } else {
            let step = |s: &Step| json!({"name": s.name, "needs": s.needs, "command": ["true"]});
            self.steps.iter().map(step).collect()
        };
        json!({
            "apiVersion": "hearth.dev/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {
                "image": "hearth.dev/busybox:dev",
                "pod": Fake::default(),
                "steps": steps,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_a_workflow_with_its_steps() {
        let diamond = Shape::diamond();
        assert_eq!((diamond.pods(), diamond.workflow("x").unwrap().spec.steps.len()), (10, 10));
        assert_eq!((diamond.roots().count(), diamond.needs("last").len(), diamond.children("first").len()), (1, 4, 4));
        let failing = serde_json::to_value(Shape::single().failing("x").unwrap()).unwrap();
        assert_eq!(failing["spec"]["pod"]["annotations"]["kwok.x-k8s.io/exit-code"], "1");
        assert_eq!(failing["spec"]["keepPods"], json!({"failed": "24h"}));
        let layers = Shape::layers(3, 4);
        assert_eq!(layers.workflow("x").unwrap().spec.steps.len(), 12);
        assert_eq!(layers.needs("l2x3"), ["l1x3", "l1x0"]);
        assert_eq!(layers.children("l0x0"), ["l1x0", "l1x3"]);
        assert_eq!(layers.roots().count(), 4);
        let items = Shape::fan_out(300);
        assert_eq!((items.pods(), items.roots().count(), items.workflow("x").unwrap().spec.steps.len()), (300, 300, 1));
    }
}
