//! What came of what, as two trees: back to what was there before, and on to what came of it.

use super::{
    age::since,
    prose,
    style::{FAINT, of_phase},
    table::{Cell, Column, Table},
    title,
};
use hearth_wire::{Lineage, LineageEdge, RunSummary};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How much of a digest tells it from others.
const SHORT: usize = 12;

/// Both trees.
#[must_use]
pub fn lineage(found: &Lineage, wide: bool, width: Option<usize>, now: Timestamp) -> String {
    let runs: BTreeMap<&str, &RunSummary> = found.runs.iter().map(|r| (r.id.as_str(), r)).collect();
    let namespaces: BTreeSet<&str> = found.runs.iter().map(|r| r.namespace.as_str()).collect();
    let drawing = Drawing { runs, named: namespaces.len() > 1, wide, now };
    let mut text = title(&drawing.root(found), width) + &prose(&found.id, width, FAINT);
    for (head, edges, way, none) in [
        ("CAME OF", &found.upstream, Way::Up, "Nothing is on record that it came of."),
        ("LED TO", &found.downstream, Way::Down, "Nothing is on record that came of it."),
    ] {
        text.push('\n');
        text += &if edges.is_empty() {
            prose(none, width, FAINT)
        } else {
            drawing.tree(head, &found.id, edges, way).text(width.filter(|_| !wide))
        };
    }
    if found.truncated {
        text.push('\n');
        text += &prose("There is more: ask for it by --depth or --limit.", width, FAINT);
    }
    text
}

/// All that is named but what was asked for, as commands take it.
#[must_use]
pub fn names(found: &Lineage) -> String {
    let up = found.upstream.iter().map(|e| (Way::Up.child(e), is_run(e, Way::Up)));
    let down = found.downstream.iter().map(|e| (Way::Down.child(e), is_run(e, Way::Down)));
    let mut seen = BTreeSet::from([found.id.as_str()]);
    let new = up.chain(down).filter(|(id, _)| seen.insert(id));
    new.map(|(id, run)| if run { format!("run/{id}\n") } else { format!("{id}\n") }).collect()
}

/// Which way a tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Way {
    fn parent(self, edge: &LineageEdge) -> &str {
        match self {
            Self::Up => &edge.to,
            Self::Down => &edge.from,
        }
    }

    fn child(self, edge: &LineageEdge) -> &str {
        match self {
            Self::Up => &edge.from,
            Self::Down => &edge.to,
        }
    }
}

/// Whether the end that an edge leads to is a run.
fn is_run(edge: &LineageEdge, way: Way) -> bool {
    match way {
        Way::Up => matches!(edge.relation.as_str(), "Wrote" | "RerunOf" | "Called" | "Cached"),
        Way::Down => edge.relation != "Wrote",
    }
}

/// The edges between the same two ends, of one relation.
struct Bundle<'a> {
    first: &'a LineageEdge,
    /// Each with the attempts of it.
    steps: Vec<(&'a str, Vec<i32>)>,
}

impl<'a> Bundle<'a> {
    fn add(&mut self, edge: &'a LineageEdge) {
        match self.steps.iter_mut().find(|(step, _)| *step == edge.step) {
            Some((_, attempts)) => attempts.push(edge.attempt),
            None => self.steps.push((&edge.step, vec![edge.attempt])),
        }
    }

    /// The steps, each with its attempts unless that is the first alone, or none was needed.
    fn told(&self, wide: bool) -> String {
        let steps = self.steps.iter().map(|(step, attempts)| {
            let numbers: Vec<String> = attempts.iter().map(i32::to_string).collect();
            match attempts.as_slice() {
                [0] => (*step).to_owned(),
                [1] if !wide => (*step).to_owned(),
                [one] => format!("{step} (attempt {one})"),
                _ => format!("{step} (attempts {})", numbers.join(", ")),
            }
        });
        steps.collect::<Vec<_>>().join(", ")
    }
}

struct Drawing<'a> {
    runs: BTreeMap<&'a str, &'a RunSummary>,
    /// Whether runs are of several namespaces.
    named: bool,
    wide: bool,
    now: Timestamp,
}

impl Drawing<'_> {
    fn root(&self, found: &Lineage) -> String {
        match self.runs.get(found.id.as_str()) {
            Some(run) => format!("Run {} of Workflow {}/{}, {}", run.number, run.namespace, run.name, run.phase),
            None if found.downstream.iter().any(|e| e.relation == "RanImage" && e.from == found.id) => {
                "Image".to_owned()
            }
            None => "Artifact".to_owned(),
        }
    }

    fn tree(&self, head: &'static str, root: &str, edges: &[LineageEdge], way: Way) -> Table {
        let columns: [Column; 5] = [(head, 0), ("HOW", 0), ("PHASE", 3), ("STARTED", 2), ("ID", 1)];
        let mut table = Table::new(&columns);
        let mut drawn = BTreeSet::from([root]);
        // What is still to be drawn, from its end: the edges, the lines left of them, and whether they are the last there.
        let mut todo = Vec::new();
        push(&mut todo, self.bundles(root, edges, way), "");
        while let Some((bundle, lines, last)) = todo.pop() {
            let child = way.child(bundle.first);
            let again = !drawn.insert(child);
            let branch = if last { "└─" } else { "├─" };
            table.row(self.row(&bundle, way, &format!("{lines}{branch}"), again && child != root));
            if !again {
                let below = if last { "  " } else { "│ " };
                push(&mut todo, self.bundles(child, edges, way), &format!("{lines}{below}"));
            }
        }
        table
    }

    /// What hangs on an end, in the order of the answer.
    fn bundles<'a>(&self, parent: &str, edges: &'a [LineageEdge], way: Way) -> Vec<Bundle<'a>> {
        let mut bundles: Vec<Bundle<'a>> = Vec::new();
        for edge in edges.iter().filter(|e| way.parent(e) == parent) {
            let same = |b: &Bundle<'a>| {
                b.first.relation == edge.relation && way.child(b.first) == way.child(edge) && b.first.run == edge.run
            };
            let place = bundles.iter().position(same).unwrap_or(bundles.len());
            if place == bundles.len() {
                bundles.push(Bundle { first: edge, steps: Vec::new() });
            }
            if let Some(bundle) = bundles.get_mut(place) {
                bundle.add(edge);
            }
        }
        bundles
    }

    fn row(&self, bundle: &Bundle<'_>, way: Way, branch: &str, again: bool) -> Vec<Cell> {
        let (edge, child) = (bundle.first, way.child(bundle.first));
        let run = self.runs.get(child).filter(|_| is_run(edge, way));
        let mut how = how(bundle, self.wide);
        if edge.own && way == Way::Up {
            how += ", which the run wrote itself";
        }
        if again {
            how += ", see above";
        }
        vec![
            format!("{branch}{}", self.what(edge, way)).into(),
            how.into(),
            run.map_or_else(Cell::default, |r| Cell::styled(of_phase(&r.phase), r.phase.clone())),
            run.map_or(String::new(), |r| since(r.started_at, self.now)).into(),
            self.id(child).into(),
        ]
    }

    fn what(&self, edge: &LineageEdge, way: Way) -> String {
        let child = way.child(edge);
        if is_run(edge, way) {
            return match self.runs.get(child) {
                Some(run) if self.named => format!("run {} of {}/{}", run.number, run.namespace, run.name),
                Some(run) => format!("run {} of {}", run.number, run.name),
                None => "run whose record is gone".to_owned(),
            };
        }
        match edge.relation.as_str() {
            "RanImage" => format!("image {}", edge.name),
            "RanTemplate" => format!("template {}", child.rsplit('/').next().unwrap_or(child)),
            _ => format!("artifact {}", edge.name),
        }
    }

    /// The id of a run, or a digest; what a template is called is said already.
    fn id(&self, id: &str) -> String {
        match id.strip_prefix("sha256:") {
            Some(hex) if !self.wide => format!("sha256:{}…", hex.get(..SHORT).unwrap_or(hex)),
            Some(_) => id.to_owned(),
            None if id.contains('/') => String::new(),
            None => id.to_owned(),
        }
    }
}

fn how(bundle: &Bundle<'_>, wide: bool) -> String {
    let steps = bundle.told(wide);
    match bundle.first.relation.as_str() {
        "Read" => format!("read by {steps}"),
        "Wrote" => format!("written by {steps}"),
        "RanImage" => format!("run by {steps}"),
        "RanTemplate" => "run as a template".to_owned(),
        "RerunOf" => "steps taken over".to_owned(),
        "Called" => format!("called by {steps}"),
        "Cached" => format!("work taken over by {steps}"),
        other => other.to_owned(),
    }
}

type Todo<'a> = Vec<(Bundle<'a>, String, bool)>;

fn push<'a>(todo: &mut Todo<'a>, bundles: Vec<Bundle<'a>>, lines: &str) {
    let count = bundles.len();
    let of = |(i, bundle)| (bundle, lines.to_owned(), i + 1 == count);
    todo.extend(bundles.into_iter().enumerate().map(of).rev());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::summary;
    use anstream::adapter::strip_str;
    use serde_json::{from_value, json};
    use unicode_width::UnicodeWidthStr;

    fn run(number: i64) -> String {
        format!("01993b6a-7c00-7000-8000-{number:012}")
    }

    fn digest(of: &str) -> String {
        format!("sha256:{}", of.repeat(64 / of.len()))
    }

    fn found() -> Lineage {
        let edge = |depth: u32, relation: &str, from: &str, to: &str, of: i64, step: &str, attempt: i32, name: &str| json!({"depth": depth, "relation": relation, "from": from, "to": to, "run": run(of), "step": step, "attempt": attempt, "name": name});
        let (table, model, image) = (digest("3f2a"), digest("77c1"), digest("be00"));
        let (first, second, third) = (&run(11), &run(12), &run(13));
        let runs = [
            summary("co2-report", 13, "Running", "2026-11-21T07:59:15Z", None),
            summary("co2", 12, "Succeeded", "2026-11-21T07:12:00Z", Some("2026-11-21T07:12:04Z")),
            summary("co2", 11, "Failed", "2026-11-18T06:00:00Z", Some("2026-11-18T06:07:30Z")),
        ];
        from_value(json!({
            "id": second, "runs": runs, "truncated": true,
            "upstream": [
                edge(1, "RanImage", &image, second, 12, "fit", 1, "example.org/fit:2"),
                edge(1, "RanImage", &image, second, 12, "fit", 2, "example.org/fit:2"),
                edge(1, "RanTemplate", "workflow/base", second, 12, "", 0, ""),
                edge(1, "Read", &table, second, 12, "fit", 1, "table"),
                edge(1, "Read", &table, second, 12, "plot", 1, "table"),
                edge(1, "RerunOf", first, second, 12, "", 0, ""),
                edge(2, "Wrote", first, &table, 11, "clean", 1, "table"),
                edge(2, "RanImage", &image, first, 11, "clean", 1, "example.org/fit:2"),
            ],
            "downstream": [
                edge(1, "Wrote", second, &model, 12, "fit", 2, "model"),
                edge(2, "Read", &model, third, 13, "show", 1, "model"),
                edge(2, "Read", &model, &run(14), 14, "show", 1, "model"),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn what_a_run_came_of_and_led_to_are_two_trees() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        insta::assert_snapshot!(strip_str(&lineage(&found(), false, None, now)).to_string());
        insta::assert_snapshot!(strip_str(&lineage(&found(), true, Some(60), now)).to_string());
        for width in 20..100 {
            let text = strip_str(&lineage(&found(), false, Some(width), now)).to_string();
            assert!(text.lines().all(|l| l.width() <= width.max(36)), "{width}:\n{text}");
        }
    }

    #[test]
    fn what_nobody_wrote_says_so() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let mut of_image = found();
        of_image.id = digest("be00");
        of_image.downstream =
            std::mem::take(&mut of_image.upstream).into_iter().filter(|e| e.relation == "RanImage").collect();
        of_image.truncated = false;
        insta::assert_snapshot!(strip_str(&lineage(&of_image, false, None, now)).to_string());
    }

    #[test]
    fn names_are_those_that_commands_take() {
        let names = names(&found());
        let names: Vec<&str> = names.lines().collect();
        assert_eq!(names.len(), 7, "{names:?}");
        assert!(names.contains(&"workflow/base") && names.contains(&digest("3f2a").as_str()));
        assert!(names.contains(&format!("run/{}", run(11)).as_str()) && !names.iter().any(|n| n.contains(&run(12))));
    }

    #[test]
    fn a_circle_is_drawn_once() {
        let mut circle = found();
        circle.downstream.push(LineageEdge { from: run(13), to: digest("77c1"), ..circle.downstream[0].clone() });
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let text = lineage(&circle, false, None, now);
        assert_eq!(text.matches("see above").count(), 3, "{text}");
    }
}
