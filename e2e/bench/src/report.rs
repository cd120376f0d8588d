//! The tables, as text and as a part of a document.

use crate::{
    idle::Idle,
    measure::Tables,
    tally::{Both, Side},
};
use std::{collections::BTreeSet, fmt::Write as _};

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Figures {
    /// One diamond at a time, the first run of an object.
    pub first: Both,
    /// One diamond at a time, later runs of an object.
    pub later: Both,
    /// Many diamonds at once.
    pub many: Both,
    /// How many.
    pub at_once: usize,
    /// Large runs, by what they are.
    pub large: Vec<Large>,
    /// Very many Workflows that are over.
    pub idle: Option<Idle>,
    /// The operator's peak of memory, in MiB.
    pub peak: f64,
}

/// A run of very many pods.
#[derive(Debug, Default)]
pub struct Large {
    /// What it is.
    pub name: String,
    /// It may take so many seconds more than the bare loop.
    pub most_seconds: Option<f64>,
    /// Both sides.
    pub both: Both,
    /// The longest status that was seen, in bytes of JSON.
    pub status: usize,
    /// The operator's peak of memory by then, in MiB.
    pub peak: f64,
}

/// Status stays below this, in bytes.
const MAX_STATUS: usize = 64 * 1024;

struct Row {
    figure: String,
    operator: String,
    bare: String,
    goal: &'static str,
    met: Option<bool>,
}

impl Row {
    fn markdown(&self) -> String {
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        format!("| {} | {} | {} | {} | {met} |", self.figure, self.operator, self.bare, self.goal)
    }
}

impl Figures {
    /// The gaps of one diamond at a time, first and later runs together.
    fn single(&self) -> Both {
        let join = |a: &Side, b: &Side| Side {
            gaps: [a.gaps.as_slice(), &b.gaps].concat(),
            runs: a.runs + b.runs,
            pods: a.pods + b.pods,
            cpu: a.cpu + b.cpu,
            reads: a.reads + b.reads,
            ..Side::default()
        };
        Both {
            operator: join(&self.first.operator, &self.later.operator),
            bare: join(&self.first.bare, &self.later.bare),
        }
    }

    fn rows(&self) -> Vec<Row> {
        let single = self.single();
        let reads = single.operator.reads + self.many.operator.reads;
        let row = |figure: &str, operator: String, bare: String, goal, met| Row {
            figure: figure.into(),
            operator,
            bare,
            goal,
            met,
        };
        let mut rows = vec![
            writes("API writes of an object's first run, the most", &self.first, "≤ 20", 20),
            writes("API writes of a later run, the most", &self.later, "≤ 18", 18),
            row("Reads of pods", reads.to_string(), String::new(), "0", Some(reads == 0)),
        ];
        for (name, part, goal, limit) in [("p50", 0.5, "≤ 20 ms", 20.0), ("p99", 0.99, "≤ 100 ms", 100.0)] {
            let gap = single.operator.gap(part);
            rows.push(row(
                &format!("Gap, one diamond at a time, {name}"),
                millis(gap),
                millis(single.bare.gap(part)),
                goal,
                Some(gap <= limit),
            ));
        }
        let many = format!("Gap, {} diamonds at once", self.at_once);
        let ratio = |part| self.many.operator.gap(part) / self.many.bare.gap(part);
        for (name, part, goal, met) in [("p50", 0.5, "≤ 1.5 × bare", Some(ratio(0.5) <= 1.5)), ("p99", 0.99, "", None)]
        {
            let gap = format!("{} ({:.2} ×)", millis(self.many.operator.gap(part)), ratio(part));
            rows.push(row(&format!("{many}, {name}"), gap, millis(self.many.bare.gap(part)), goal, met));
        }
        let cpu = |side: &Side| format!("{:.2} s", side.cpu_per_thousand());
        rows.push(row("CPU for 1,000 pods, one diamond at a time", cpu(&single.operator), cpu(&single.bare), "", None));
        let many = format!("CPU for 1,000 pods, {} diamonds at once", self.at_once);
        rows.push(row(&many, cpu(&self.many.operator), cpu(&self.many.bare), "", None));
        for large in &self.large {
            let (took, bare) = (large.both.operator.span.as_secs_f64(), large.both.bare.span.as_secs_f64());
            let goal = if large.most_seconds.is_some() { "≤ 5 s more than bare" } else { "" };
            let met = large.most_seconds.map(|most| took - bare <= most);
            let took = format!("{took:.1} s ({:+.1} s)", took - bare);
            rows.push(row(
                &format!("{}, first create to last end", large.name),
                took,
                format!("{bare:.1} s"),
                goal,
                met,
            ));
            let status = format!("{:.1} KiB", large.status as f64 / 1024.0);
            let met = Some(large.status < MAX_STATUS);
            rows.push(row(&format!("{}, longest status", large.name), status, String::new(), "< 64 KiB", met));
            let writes = |side: &Side| format!("{:.2}", side.most() as f64 / (side.pods as f64).max(1.0));
            let (ours, theirs) = (writes(&large.both.operator), writes(&large.both.bare));
            rows.push(row(&format!("{}, API writes for each pod", large.name), ours, theirs, "", None));
            let (ours, theirs) = (cpu(&large.both.operator), cpu(&large.both.bare));
            rows.push(row(&format!("{}, CPU for 1,000 pods", large.name), ours, theirs, "", None));
            let peak = format!("{:.0} MiB", large.peak);
            rows.push(row(&format!("{}, peak RSS by then", large.name), peak, String::new(), "", None));
        }
        rows.push(row("Peak RSS by then", format!("{:.0} MiB", self.peak), String::new(), "", None));
        if let Some(idle) = &self.idle {
            let what = format!("{} idle Workflows, each with a pod that stays", idle.objects);
            let mut add = |figure: &str, shown, goal, met| {
                rows.push(row(&format!("{what}: {figure}"), shown, String::new(), goal, met));
            };
            add("RSS", format!("{:.0} MiB", idle.rss), "≤ 48 MiB", Some(idle.rss <= 48.0));
            add("peak RSS since the start", format!("{:.0} MiB", idle.peak), "", None);
            add(
                "API requests in a minute, Lease included",
                idle.requests.to_string(),
                "≤ 12",
                Some(idle.requests <= 12),
            );
            add("CPU in that minute", format!("{:.2} s", idle.cpu), "", None);
            let restart = format!("{:.2} s", idle.restart);
            add("start to the create of a pod that waits", restart, "≤ 3 s", Some(idle.restart <= 3.0));
        }
        rows
    }

    /// API writes per run, by verb and resource.
    fn kinds(&self) -> String {
        let columns = [&self.first.operator, &self.later.operator, &self.many.operator, &self.later.bare];
        let kinds: BTreeSet<&String> = columns.iter().flat_map(|side| side.writes.keys()).collect();
        let mut out = format!(
            "\n| API writes per run | first run | later run | {} at once | bare loop |\n| --- | --- | --- | --- | --- |\n",
            self.at_once
        );
        for kind in kinds {
            let cells = columns.map(|side| {
                let count = side.writes.get(kind).copied().unwrap_or_default();
                per_run(count, side)
            });
            out += &format!("| {kind} | {} |\n", cells.join(" | "));
        }
        out + &format!("| all | {} |\n", columns.map(|side| number(side.mean())).join(" | "))
    }
}

impl Tables for Figures {
    fn missed(&self) -> Vec<String> {
        self.rows().into_iter().filter(|row| row.met == Some(false)).map(|row| row.figure).collect()
    }

    fn markdown(&self) -> String {
        let mut out = String::new();
        out += "\n| figure | operator | bare loop | goal | |\n| --- | --- | --- | --- | --- |\n";
        for row in self.rows() {
            out += &format!("{}\n", row.markdown());
        }
        let single = self.single();
        let _infallible = writeln!(
            out,
            "\nGaps: {} at a time of one diamond, {} at {} at once, on either side.",
            single.operator.gaps.len(),
            self.many.operator.gaps.len(),
            self.at_once
        );
        out + &self.kinds()
    }
}

fn writes(figure: &str, both: &Both, goal: &'static str, limit: usize) -> Row {
    let most = both.operator.most();
    Row {
        figure: figure.to_owned(),
        operator: most.to_string(),
        bare: both.bare.most().to_string(),
        goal,
        met: Some(most <= limit),
    }
}

fn per_run(count: usize, side: &Side) -> String {
    if count == 0 { "–".to_owned() } else { number(count as f64 / side.runs.max(1) as f64) }
}

/// Whole numbers as such, others with two digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn millis(value: f64) -> String {
    format!("{value:.1} ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn side(gap: u64, writes: usize) -> Side {
        let gaps = vec![Duration::from_millis(gap); 9];
        let kinds = [("create pods".to_owned(), 10)].into();
        Side { gaps, writes: kinds, per_round: vec![writes], runs: 1, pods: 10, cpu: 0.02, ..Side::default() }
    }

    fn figures(single: u64, many: u64, writes: usize) -> Figures {
        let both = |gap| Both { operator: side(gap, writes), bare: side(10, 11) };
        Figures {
            first: both(single),
            later: both(single),
            many: both(many),
            at_once: 20,
            large: vec![Large {
                name: "2,000 steps".into(),
                most_seconds: Some(5.0),
                both: both(10),
                status: 4096,
                peak: 40.0,
            }],
            idle: None,
            peak: 30.2,
        }
    }

    #[test]
    fn goals_are_judged() {
        assert_eq!(figures(20, 15, 18).missed(), [""; 0]);
        assert_eq!(figures(21, 15, 18).missed(), ["Gap, one diamond at a time, p50"]);
        assert_eq!(figures(20, 16, 18).missed(), ["Gap, 20 diamonds at once, p50"]);
        assert_eq!(figures(20, 15, 19).missed(), ["API writes of a later run, the most"]);
        let text = figures(20, 16, 18).markdown();
        assert!(
            text.contains("| Gap, 20 diamonds at once, p50 | 16.0 ms (1.60 ×) | 10.0 ms | ≤ 1.5 × bare | **missed** |"),
            "{text}"
        );
        assert!(text.contains("| CPU for 1,000 pods, one diamond at a time | 2.00 s |"), "{text}");
    }
}
