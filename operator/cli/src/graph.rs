//! A run as a graph of its steps: from its record, or from the live object.

use hearth_crds::{
    condition::Reason,
    time::Time,
    workflow::{self, StepStatus, WorkflowStatus},
};
use hearth_wire::{Run, Step};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// A run and its steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// Namespace of the Workflow.
    pub namespace: String,
    /// Name of the Workflow.
    pub name: String,
    /// Id of the run.
    pub id: String,
    /// Number of the run.
    pub number: i64,
    /// Phase of the run.
    pub phase: String,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Start.
    pub started_at: Time,
    /// End.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Steps in the order of the spec.
    pub steps: Vec<Node>,
}

/// A step of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Name of the step.
    pub name: String,
    /// Steps that it waits for.
    pub needs: Vec<String>,
    /// Pending until it starts.
    pub phase: String,
    /// How many attempts there were; of a fan-out, those of the item that took most.
    pub attempts: u32,
    /// How far the items of a fan-out have come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
    /// Why it is in this phase, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Node of its last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When its first attempt was intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When its last attempt was intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// Items of a step with `forEach`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Items {
    /// How many there are; on record, how many have started.
    pub count: usize,
    /// How many are over.
    pub ended: usize,
    /// How many of these failed.
    pub failed: usize,
}

/// What a graph needs of a spec: the names of its steps, and what each waits for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(default)]
    steps: Vec<ShapeStep>,
    #[serde(default)]
    on_exit: Option<ShapeStep>,
}

#[derive(Clone, Debug, Deserialize)]
struct ShapeStep {
    name: String,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    after: BTreeMap<String, Value>,
}

impl Shape {
    /// The shape of a spec as JSON; without one, no step is known before it starts.
    pub fn of(spec: &Value) -> Self {
        Self::deserialize(spec).unwrap_or_default()
    }

    /// The run with every step by its name.
    fn by_name<'r>(&self, run: &'r workflow::Run) -> Cow<'r, workflow::Run> {
        if run.over.is_empty() {
            return Cow::Borrowed(run);
        }
        let mut run = run.clone();
        run.list_by_name(|place| self.steps.get(place as usize).map(|s| s.name.as_str()));
        Cow::Owned(run)
    }

    /// Each step with what is known of it, then those that the spec does not name.
    fn nodes<'a>(&self, mut known: BTreeMap<&'a str, Node>, order: &[&'a str]) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(self.steps.len());
        for step in self.steps.iter().chain(&self.on_exit) {
            let implied = step.after.keys().filter(|name| !step.needs.contains(name));
            let needs = step.needs.iter().chain(implied).cloned().collect();
            let node = known.remove(step.name.as_str());
            let node = node.unwrap_or_else(|| Node { phase: "Pending".to_owned(), ..Node::default() });
            nodes.push(Node { name: step.name.clone(), needs, ..node });
        }
        let rest = order.iter().filter_map(|name| Some(Node { name: (*name).to_owned(), ..known.remove(name)? }));
        nodes.extend(rest.collect::<Vec<_>>());
        nodes
    }
}

impl Graph {
    /// The graph of a run on record.
    pub fn recorded(run: &Run, attempts: &[Step]) -> Self {
        let mut items: BTreeMap<&str, BTreeMap<i32, Node>> = BTreeMap::new();
        let mut order = Vec::new();
        for attempt in attempts {
            let of_step = items.entry(&attempt.step).or_insert_with(|| {
                order.push(attempt.step.as_str());
                BTreeMap::new()
            });
            of_step.entry(attempt.item).or_default().take(attempt);
        }
        let known = items.into_iter().map(|(name, items)| (name, Node::together(items))).collect();
        let row = &run.summary;
        Self {
            namespace: row.namespace.clone(),
            name: row.name.clone(),
            id: row.id.clone(),
            number: row.number,
            phase: row.phase.clone(),
            reason: row.reason.clone(),
            message: row.message.clone(),
            started_at: row.started_at,
            finished_at: row.finished_at,
            steps: Shape::of(&run.spec).nodes(known, &order),
        }
    }

    /// The graph of the run that a status shows.
    pub fn live(namespace: &str, name: &str, status: &WorkflowStatus, shape: &Shape) -> Option<Self> {
        let run = status.run.as_ref()?;
        let run = shape.by_name(run);
        let order: Vec<&str> = run.steps.iter().map(|s| s.name.as_str()).collect();
        let known = run.steps.iter().map(|s| (s.name.as_str(), Node::of(s))).collect();
        Some(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            id: run.id.clone(),
            number: run.number,
            phase: status.phase.map_or("Pending", |p| p.as_str()).to_owned(),
            reason: status.reason.map(word),
            message: run.failure.as_ref().map(|f| f.message.clone()),
            started_at: run.started_at,
            finished_at: run.finished_at,
            steps: shape.nodes(known, &order),
        })
    }

    /// How many steps ended, of all.
    pub fn progress(&self) -> (usize, usize) {
        (self.steps.iter().filter(|s| s.ended()).count(), self.steps.len())
    }
}

impl Node {
    /// Whether it is over.
    pub fn ended(&self) -> bool {
        !["Pending", "Running", "Waiting"].contains(&self.phase.as_str())
    }

    /// A step of several items is under way while one of them is, and has failed when one has.
    fn together(items: BTreeMap<i32, Self>) -> Self {
        let several = items.keys().any(|item| *item > 0);
        let mut nodes = items.into_values();
        let Some(first) = nodes.next() else { return Self::default() };
        if !several {
            return first;
        }
        let mut all = Self { items: Some(first.as_items()), ..first };
        for node in nodes {
            let (sum, more) = (all.items.unwrap_or_default(), node.as_items());
            all.items = Some(Items {
                count: sum.count + more.count,
                ended: sum.ended + more.ended,
                failed: sum.failed + more.failed,
            });
            all.attempts = all.attempts.max(node.attempts);
            all.started_at = [all.started_at, node.started_at].into_iter().flatten().min();
            all.since = all.since.max(node.since);
            all.finished_at = all.finished_at.max(node.finished_at);
            if rank(&node.phase) > rank(&all.phase) {
                all.phase = node.phase;
                all.reason = node.reason;
            }
        }
        if !all.ended() {
            all.finished_at = None;
        }
        all
    }

    fn as_items(&self) -> Items {
        Items { count: 1, ended: usize::from(self.ended()), failed: usize::from(self.phase == "Failed") }
    }

    fn of(step: &StepStatus) -> Self {
        let items = step.fan_out.as_ref().map(|fan| Items {
            count: fan.count as usize,
            ended: (fan.started as usize).saturating_sub(fan.open.count()),
            failed: fan.failed.count(),
        });
        Self {
            items,
            phase: step.phase.as_str().to_owned(),
            attempts: step.attempt,
            reason: step.reason.or_else(|| step.ended.last().map(|e| e.reason)).map(word),
            node: step.ended.last().and_then(|e| e.node.clone()),
            started_at: step.started_at,
            since: step.since.or(step.started_at),
            finished_at: step.finished_at,
            ..Self::default()
        }
    }

    /// Takes one more attempt in. The last one says how the step is.
    fn take(&mut self, attempt: &Step) {
        let number = u32::try_from(attempt.attempt).unwrap_or(0);
        self.started_at = [self.started_at, attempt.started_at].into_iter().flatten().min();
        if self.phase.is_empty() || number >= self.attempts {
            self.phase.clone_from(&attempt.phase);
            self.reason.clone_from(&attempt.reason);
            self.node.clone_from(&attempt.node);
            self.since = attempt.started_at;
            self.finished_at = attempt.finished_at;
        }
        self.attempts = self.attempts.max(number);
    }
}

/// Which phase of its items a step shows.
fn rank(phase: &str) -> u8 {
    match phase {
        "Succeeded" | "Skipped" => 0,
        "Cancelled" => 1,
        "Failed" => 2,
        _ => 3,
    }
}

fn word(reason: Reason) -> String {
    serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A step at its place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its index in the graph.
    pub index: usize,
    /// What is drawn before its name.
    pub branch: String,
}

/// Draws the graph as a tree: each step stands below the last of its needs. An only one stands right below, without a
/// branch, so that a long chain stays narrow.
pub fn tree(nodes: &[Node]) -> Vec<Placed> {
    let parents = parents(nodes);
    let children = |of: Option<usize>| -> Vec<usize> {
        parents.iter().enumerate().filter(|(_, parent)| **parent == of).map(|(i, _)| i).collect()
    };
    let mut placed = Vec::with_capacity(nodes.len());
    // What is still to be drawn: the step, the lines left of it, and whether it is the last of several.
    let mut todo: Vec<(usize, String, Option<bool>)> =
        children(None).into_iter().rev().map(|i| (i, String::new(), None)).collect();
    while let Some((index, lines, last)) = todo.pop() {
        let (branch, below) = match last {
            None => (lines.clone(), lines),
            Some(false) => (format!("{lines}├─"), format!("{lines}│ ")),
            Some(true) => (format!("{lines}└─"), format!("{lines}  ")),
        };
        placed.push(Placed { index, branch });
        let below_it = children(Some(index));
        let several = below_it.len() > 1;
        for (place, child) in below_it.into_iter().enumerate().rev() {
            // The stack is drawn from its end, so the first one pushed is the last one drawn.
            let last = several.then(|| place + 1 == children(Some(index)).len());
            todo.push((child, below.clone(), last));
        }
    }
    placed
}

/// The need below which each step is drawn: the one with the longest way to it, the later one of equals.
fn parents(nodes: &[Node]) -> Vec<Option<usize>> {
    let index: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(i, n)| (n.name.as_str(), i)).collect();
    let mut depths: Vec<Option<usize>> = vec![None; nodes.len()];
    // One round settles at least one step of a graph without circles.
    for _ in 0..nodes.len() {
        let mut changed = false;
        for (i, node) in nodes.iter().enumerate() {
            let needs = || node.needs.iter().filter_map(|n| index.get(n.as_str()));
            let known: Option<Vec<usize>> = needs().map(|n| depths.get(*n).copied().flatten()).collect();
            let depth = known.map(|d| d.into_iter().max().map_or(0, |d| d + 1));
            if let Some(slot) = depths.get_mut(i).filter(|s| s.is_none() && depth.is_some()) {
                *slot = depth;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let depth = |i: usize| depths.get(i).copied().flatten();
    let parent = |(i, node): (usize, &Node)| {
        depth(i)?;
        node.needs.iter().filter_map(|n| index.get(n.as_str()).copied()).max_by_key(|n| (depth(*n), *n))
    };
    nodes.iter().enumerate().map(parent).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn node(name: &str, needs: &[&str]) -> Node {
        let needs = needs.iter().map(|n| (*n).to_owned()).collect();
        Node { name: name.to_owned(), needs, phase: "Pending".to_owned(), ..Node::default() }
    }

    fn drawn(nodes: &[Node]) -> String {
        tree(nodes).iter().map(|p| format!("{}{}\n", p.branch, nodes[p.index].name)).collect()
    }

    #[test]
    fn chains_stay_narrow_and_branches_are_drawn() {
        insta::assert_snapshot!(drawn(&[
            node("read", &[]), node("check", &["read"]), node("clean", &["read", "check"]), node("loess", &["clean"]),
            node("stl", &["clean"]), node("tidy-stl", &["stl"]), node("arima", &["clean"]),
            node("compare", &["loess", "tidy-stl", "arima"]), node("a", &["tidy-stl"]), node("b", &["arima"]), node("audit", &[])
        ]), @r"
        read
        check
        clean
        ├─loess
        ├─stl
        │ tidy-stl
        │ ├─compare
        │ └─a
        └─arima
          b
        audit
        ");
    }

    #[test]
    fn every_step_is_drawn_once_whatever_the_needs_are() {
        let odd = [node("a", &["b"]), node("b", &["a"]), node("c", &["nobody"]), node("d", &["a", "c"])];
        let mut seen: Vec<usize> = tree(&odd).iter().map(|p| p.index).collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3]);
        assert_eq!(tree(&[]), []);
    }

    #[test]
    fn the_last_attempt_says_how_a_step_is() {
        let run: Run = serde_json::from_value(serde_json::json!({
            "id": "i", "kind": "Workflow", "namespace": "n", "namespaceUid": "u", "name": "w", "number": 1,
            "phase": "Running", "terminal": false, "trigger": "Created", "startedAt": "2026-11-21T08:00:00Z", "uid": "o",
            "cluster": "c", "minimal": false, "seq": 3, "revision": "r", "digest": "1:ab", "params": {}, "results": null,
            "spec": {"steps": [{"name": "a"}, {"name": "b", "after": {"a": ["Failed"]}}]},
        }))
        .unwrap();
        let attempt = |number: i32, phase: &str, second: u32| -> Step {
            serde_json::from_value(serde_json::json!({
                "step": "a", "item": 0, "attempt": number, "seq": 1, "phase": phase, "terminal": true, "outputs": null,
                "hasLog": false, "startedAt": format!("2026-11-21T08:00:{second:02}Z"),
            }))
            .unwrap()
        };
        // The record lists attempts by their start; one that was fenced may come in any order.
        let graph = Graph::recorded(&run, &[attempt(2, "Running", 9), attempt(1, "Failed", 1)]);
        assert_eq!((graph.steps[0].phase.as_str(), graph.steps[0].attempts), ("Running", 2));
        assert_eq!(graph.steps[0].started_at.unwrap().to_string(), "2026-11-21T08:00:01.000Z");
        assert_eq!((graph.steps[1].phase.as_str(), &graph.steps[1].needs), ("Pending", &vec!["a".to_owned()]));
        assert_eq!(graph.progress(), (0, 2));
        let item = |index: i32, number: i32, phase: &str| Step { item: index, ..attempt(number, phase, 5) };
        let fan = [item(0, 1, "Succeeded"), item(1, 1, "Failed"), item(1, 2, "Failed"), item(2, 1, "Running")];
        let graph = Graph::recorded(&run, &fan);
        let shown = &graph.steps[0];
        assert_eq!((shown.phase.as_str(), shown.attempts), ("Running", 2));
        assert_eq!(shown.items, Some(Items { count: 3, ended: 2, failed: 1 }));
        let bare = Graph::recorded(&Run { spec: Value::Null, ..run }, &[attempt(1, "Failed", 1)]);
        assert_eq!(bare.steps.len(), 1, "a step is shown although no spec names it");
    }
}
