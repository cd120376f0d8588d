//! The graph of a run: as a tree, as a live picture with a bar per step, and as lines that tell what changed.

use super::{
    age::between,
    plain, prose,
    style::{STRONG, of_phase, sign},
    table::{Cell, Column, Table},
};
use crate::{
    graph::{Graph, Node, tree},
    terminal::Terminal,
};
use hearth_crds::time::Time;
use jiff::Timestamp;

/// The narrowest and the widest bar.
const BAR: (usize, usize) = (8, 60);
/// Lines of a picture around its steps: two of the head, one of the table's head, one for what is left out, and the
/// line of the cursor.
const AROUND: usize = 5;

/// The graph as a tree.
#[must_use]
pub fn graph(graph: &Graph, wide: bool, width: Option<usize>, now: Timestamp) -> String {
    let mut columns: Vec<Column> =
        vec![("STEP", 0), ("PHASE", 0), ("ATTEMPTS", 1), ("DURATION", 0), ("REASON", 2), ("NEEDS", 3)];
    if wide {
        columns.extend([("STARTED", 0), ("NODE", 0)]);
    }
    let mut table = Table::new(&columns);
    for place in tree(&graph.steps) {
        let Some(step) = graph.steps.get(place.index) else { continue };
        let mut row = cells(step, &place.branch, graph, now);
        row.push(step.needs.join(", ").into());
        if wide {
            row.extend([
                step.started_at.map_or(String::new(), |t| t.to_string()).into(),
                step.node.clone().unwrap_or_default().into(),
            ]);
        }
        table.row(row);
    }
    head(graph, width, now) + "\n" + &table.text(width.filter(|_| !wide)) + &foot(graph, width)
}

/// Name, phase, attempts, duration and reason.
fn cells(step: &Node, branch: &str, graph: &Graph, now: Timestamp) -> Vec<Cell> {
    let style = of_phase(&step.phase);
    vec![
        format!("{branch}{} {}", sign(&step.phase), step.name).into(),
        Cell::styled(style, step.phase.clone()),
        match step.items {
            Some(items) => format!("{}/{} items", items.ended, items.count),
            None if step.attempts > 0 => step.attempts.to_string(),
            None => "-".to_owned(),
        }
        .into(),
        took(step, graph, now).into(),
        step.reason.clone().unwrap_or_default().into(),
    ]
}

/// How long a step took, or has taken so far. A step that was cut off with its run has no end of its own.
fn took(step: &Node, graph: &Graph, now: Timestamp) -> String {
    let end = step.finished_at.or(graph.finished_at).map_or(now, Time::timestamp);
    step.started_at.map_or(String::new(), |from| between(from, end))
}

fn head(graph: &Graph, width: Option<usize>, now: Timestamp) -> String {
    let took = between(graph.started_at, graph.finished_at.map_or(now, Time::timestamp));
    let (ended, all) = graph.progress();
    let title = format!("Workflow {}/{}, run {}", graph.namespace, graph.name, graph.number);
    let reason = graph.reason.as_ref().filter(|r| **r != graph.phase).map_or(String::new(), |r| format!(" ({r})"));
    let state = format!("{}{reason}, {ended} of {all} steps ended, {took}", graph.phase);
    prose(&title, width, STRONG) + &prose(&state, width, of_phase(&graph.phase))
}

/// Why it failed, and what to do next.
fn foot(graph: &Graph, width: Option<usize>) -> String {
    let mut text = String::new();
    if let Some(message) = graph.message.as_deref().filter(|m| !m.is_empty()) {
        text += "\n";
        text += &message.lines().map(|l| prose(l, width, anstyle::Style::new())).collect::<String>();
    }
    if graph.phase == "Failed" {
        text += &format!("\nkubectl hearth describe {} says more.\n", plain(&graph.id));
    }
    text
}

/// A picture of a run that is under way, no larger than the terminal.
#[must_use]
pub fn picture(graph: &Graph, terminal: Terminal, now: Timestamp) -> String {
    let mut places = tree(&graph.steps);
    let room = terminal.height.map_or(usize::MAX, |h| h.saturating_sub(AROUND));
    let all = places.len();
    if all > room {
        // Those that are over are left out first, then the last ones.
        let mut surplus = all - room;
        places.retain(|p| {
            let out = surplus > 0 && graph.steps.get(p.index).is_some_and(Node::ended);
            surplus -= usize::from(out);
            !out
        });
        places.truncate(room);
    }
    let columns: [Column; 5] = [("STEP", 0), ("PHASE", 0), ("ATTEMPTS", 1), ("DURATION", 0), ("REASON", 2)];
    let rows: Vec<(&Node, Vec<Cell>)> = places
        .iter()
        .filter_map(|p| graph.steps.get(p.index).map(|step| (step, cells(step, &p.branch, graph, now))))
        .collect();
    let mut narrow = Table::new(&columns);
    rows.iter().for_each(|(_, cells)| narrow.row(cells.clone()));
    let bar = terminal.width.unwrap_or(80).saturating_sub(narrow.width() + 3).min(BAR.1);
    let table = if bar < BAR.0 {
        narrow
    } else {
        let mut table = Table::new(&[&columns[..], &[("", 3)]].concat());
        for (step, mut cells) in rows {
            cells.push(Cell::styled(of_phase(&step.phase), self::bar(step, graph, bar, now)));
            table.row(cells);
        }
        table
    };
    let hidden = all - places.len();
    let rest =
        if hidden > 0 { format!("… and {hidden} more: enlarge the terminal to see them\n") } else { String::new() };
    head(graph, terminal.width, now) + &table.text(terminal.width) + &prose_line(&rest, terminal.width)
}

fn prose_line(text: &str, width: Option<usize>) -> String {
    if text.is_empty() { String::new() } else { prose(text.trim_end(), width, super::style::FAINT) }
}

/// The time of a step within the time of its run, `width` columns for the whole.
fn bar(step: &Node, graph: &Graph, width: usize, now: Timestamp) -> String {
    let Some(from) = step.started_at else { return String::new() };
    let end = |t: Option<Time>| t.or(graph.finished_at).map_or(now.as_millisecond(), Time::millis);
    let whole = end(None).saturating_sub(graph.started_at.millis()).max(1);
    let column = |at: i64| {
        let part = at.saturating_sub(graph.started_at.millis()).clamp(0, whole);
        let width = i64::try_from(width).unwrap_or(0);
        usize::try_from(part.saturating_mul(width) / whole).unwrap_or(0)
    };
    let first = column(from.millis()).min(width.saturating_sub(1));
    let length = column(end(step.finished_at)).saturating_sub(first).max(1);
    " ".repeat(first) + &"━".repeat(length)
}

/// What changed from one graph of a run to the next, a line for each change; all of it when there was none before.
#[must_use]
pub fn changes(old: Option<&Graph>, new: &Graph) -> String {
    let old = old.filter(|o| o.id == new.id);
    let mut lines: Vec<(Time, String)> = Vec::new();
    for step in &new.steps {
        let before = old.and_then(|o| o.steps.iter().find(|s| s.name == step.name));
        let shown = |s: &Node| (s.phase.clone(), s.attempts, s.reason.clone());
        if step.phase == "Pending" || before.is_some_and(|b| shown(b) == shown(step)) {
            continue;
        }
        let at = if step.ended() { step.finished_at } else { step.since }.or(step.started_at);
        let facts = [
            (step.attempts > 1).then(|| format!("attempt {}", step.attempts)),
            step.reason.clone(),
            step.started_at.zip(step.finished_at).map(|(from, to)| format!("took {}", between(from, to.timestamp()))),
        ];
        let at = at.unwrap_or(new.started_at);
        lines.push((at, told(at, &step.name, &step.phase, &facts)));
    }
    lines.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    if old.is_none() {
        text += &told(new.started_at, &format!("run {} ({})", new.number, new.id), "Started", &[]);
    }
    text.extend(lines.into_iter().map(|(_, line)| line));
    if let (Some(end), true) = (new.finished_at, old.is_none_or(|o| o.finished_at.is_none())) {
        let facts = [new.reason.clone(), Some(format!("took {}", between(new.started_at, end.timestamp())))];
        text += &told(end, &format!("run {}", new.number), &new.phase, &facts);
    }
    text
}

fn told(at: Time, what: &str, phase: &str, facts: &[Option<String>]) -> String {
    let facts: Vec<&str> = facts.iter().flatten().map(String::as_str).filter(|f| *f != phase).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    plain(&format!("{at}  {what}: {phase}{facts}")).replace(['\n', '\t'], " ").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::node;
    use anstream::adapter::strip_str;
    use unicode_width::UnicodeWidthStr;

    fn time(text: &str) -> Option<Time> {
        Some(Time::new(format!("2026-11-21T{text}Z").parse().unwrap()))
    }

    fn running() -> Graph {
        let step = |name: &str, needs: &[&str], phase: &str, attempts, from: &str, to: Option<&str>| Node {
            phase: phase.to_owned(),
            attempts,
            started_at: time(from),
            since: time(from),
            finished_at: to.and_then(time),
            ..node(name, needs)
        };
        let fit = step("fit-loess", &["clean"], "Waiting", 2, "08:00:40", None);
        Graph {
            namespace: "climate".to_owned(),
            name: "co2".to_owned(),
            id: "01993b6a-7c00-7000-8000-000000000012".to_owned(),
            number: 12,
            phase: "Running".to_owned(),
            reason: Some("Running".to_owned()),
            message: None,
            started_at: time("08:00:00").unwrap(),
            finished_at: None,
            steps: vec![
                step("read", &[], "Succeeded", 1, "08:00:00", Some("08:00:30")),
                step("clean", &["read"], "Succeeded", 1, "08:00:30", Some("08:00:40")),
                Node { reason: Some("ExitCode".to_owned()), node: Some("node-7".to_owned()), ..fit },
                step("fit-stl", &["clean"], "Running", 1, "08:00:40", None),
                node("compare", &["fit-loess", "fit-stl"]),
            ],
        }
    }

    fn failed() -> Graph {
        let mut graph = running();
        graph.phase = "Failed".to_owned();
        graph.reason = Some("StepFailed".to_owned());
        graph.message =
            Some("step fit-loess: the container ended with exit code 1\nread its log, and fix what it says".to_owned());
        graph.finished_at = time("08:05:00");
        for step in &mut graph.steps[2..4] {
            step.finished_at = time("08:05:00");
        }
        graph.steps[2].phase = "Failed".to_owned();
        graph.steps[3].phase = "Succeeded".to_owned();
        graph.steps[4].phase = "Skipped".to_owned();
        graph.steps[4].finished_at = time("08:05:00");
        graph.steps[4].reason = Some("NeedFailed".to_owned());
        graph
    }

    fn now() -> Timestamp {
        time("08:01:20").unwrap().timestamp()
    }

    #[test]
    fn a_run_under_way_is_a_tree() {
        insta::assert_snapshot!(strip_str(&graph(&running(), false, None, now())).to_string());
    }

    #[test]
    fn a_failed_run_says_what_to_do() {
        insta::assert_snapshot!(strip_str(&graph(&failed(), true, Some(60), now())).to_string());
    }

    #[test]
    fn a_picture_shows_when_each_step_ran() {
        let terminal = Terminal { width: Some(100), height: Some(40), live: true };
        insta::assert_snapshot!(strip_str(&picture(&running(), terminal, now())).to_string());
    }

    #[test]
    fn a_picture_has_colours() {
        let terminal = Terminal { width: Some(80), height: Some(40), live: true };
        insta::assert_snapshot!(picture(&running(), terminal, now()).replace('\u{1b}', "␛"));
    }

    #[test]
    fn nothing_is_larger_than_the_terminal() {
        for (width, height) in (1..110).zip((6..30).cycle()) {
            let terminal = Terminal { width: Some(width), height: Some(height), live: true };
            for graph in [running(), failed()] {
                let text = strip_str(&picture(&graph, terminal, now())).to_string();
                assert!(text.lines().all(|l| l.width() <= width), "{width}:\n{text}");
                if width > 60 {
                    assert!(text.lines().count() < height, "{width}x{height}:\n{text}");
                }
                let text = strip_str(&self::graph(&graph, false, Some(width), now())).to_string();
                // A command is not broken: it is there to be copied.
                assert!(
                    text.lines().filter(|l| !l.contains("kubectl")).all(|l| l.width() <= width),
                    "{width}:\n{text}"
                );
            }
        }
    }

    #[test]
    fn without_a_terminal_each_change_is_a_line() {
        let mut earlier = running();
        earlier.steps[3] = node("fit-stl", &["clean"]);
        insta::assert_snapshot!(
            changes(None, &earlier)
                + "--\n"
                + &changes(Some(&earlier), &running())
                + "--\n"
                + &changes(Some(&running()), &failed())
        );
        assert_eq!(changes(Some(&failed()), &failed()), "");
    }
}
