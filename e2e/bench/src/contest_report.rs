//! The table of the contests.

use crate::{argo::Tuning, gaps::quantile, measure::Tables, tally::Side};
use std::fmt::Write as _;

/// All that take part.
#[derive(Debug, Default)]
pub struct Sides {
    hearth: Side,
    default: Side,
    tuned: Side,
    /// The bare loop.
    pub bare: Side,
}

impl Sides {
    /// Argo's controller, or the operator.
    pub fn of(&mut self, tuning: Option<Tuning>) -> &mut Side {
        match tuning {
            None => &mut self.hearth,
            Some(Tuning::Default) => &mut self.default,
            Some(Tuning::Tuned) => &mut self.tuned,
        }
    }
}

/// One contest.
#[derive(Debug, Default)]
pub struct Heat {
    /// What was made.
    pub what: String,
    /// What each came to.
    pub sides: Sides,
}

/// All contests.
#[derive(Debug)]
pub struct Scores {
    /// Many runs at once.
    pub heats: Vec<Heat>,
    /// How long each Workflow of one pod waited for its pod.
    pub starts: Sides,
}

/// A line of the table: what each side came to, and whether a goal was met.
struct Row {
    figure: String,
    cells: [String; 4],
    goal: &'static str,
    met: Option<bool>,
}

impl Row {
    fn new(figure: String, sides: &Sides, shown: impl Fn(&Side) -> Option<String>) -> Self {
        let cells = [&sides.hearth, &sides.default, &sides.tuned, &sides.bare].map(|s| shown(s).unwrap_or("–".into()));
        Self { figure, cells, goal: "", met: None }
    }

    fn judged(self, goal: &'static str, met: Option<bool>) -> Self {
        Self { goal, met, ..self }
    }
}

impl Heat {
    fn rows(&self) -> Vec<Row> {
        let Self { what, sides } = self;
        let row =
            |figure: &str, shown: &dyn Fn(&Side) -> Option<String>| Row::new(format!("{what}: {figure}"), sides, shown);
        // A side that took no part, or a share of nothing, is judged by nobody.
        let judge = |ours: Option<f64>, theirs: Option<f64>, fits: fn(f64, f64) -> bool| {
            ours.zip(theirs).map(|(ours, theirs)| fits(ours, theirs))
        };
        let writes = |s: &Side| (s.runs > 0).then(|| s.mean());
        let gap = |part: f64| move |s: &Side| quantile(&s.gaps, part).map(|g| g.as_secs_f64() * 1000.0);
        let mut rows = Vec::new();
        let one_pod = sides.hearth.pods == sides.hearth.runs;
        if one_pod {
            let met = judge(rate(&sides.hearth), rate(&sides.default), |a, b| a >= 8.0 * b).zip(judge(
                rate(&sides.hearth),
                rate(&sides.tuned),
                |a, b| a >= 1.5 * b,
            ));
            rows.push(
                row("pods a minute", &|s| rate(s).map(|r| format!("{r:.0}")))
                    .judged("≥ 8 × Argo, ≥ 1.5 × Argo tuned", met.map(|(a, b)| a && b)),
            );
            rows.push(
                row("API writes a run", &|s| writes(s).map(number))
                    .judged("≤ 7", writes(&sides.hearth).map(|w| w <= 7.0)),
            );
        } else {
            rows.push(
                row("API writes a run", &|s| writes(s).map(number)).judged(
                    "≤ 0.38 × Argo",
                    judge(writes(&sides.hearth), writes(&sides.default), |a, b| a <= 0.38 * b),
                ),
            );
            let met = judge(gap(0.5)(&sides.hearth), gap(0.5)(&sides.bare), |a, b| a <= 1.5 * b);
            rows.push(row("from level to level, p50", &|s| gap(0.5)(s).map(millis)).judged("≤ 1.5 × bare", met));
            rows.push(row("from level to level, p99", &|s| gap(0.99)(s).map(millis)));
            rows.push(row("first create to last end, last round", &|s| {
                (s.runs > 0).then(|| format!("{:.1} s", s.span.as_secs_f64()))
            }));
        }
        rows.push(
            row("CPU for 1,000 pods", &|s| (s.pods > 0).then(|| format!("{:.2} s", s.cpu_per_thousand())))
                .judged("≤ 0.6 s", Some(sides.hearth.cpu_per_thousand() <= 0.6)),
        );
        rows
    }
}

impl Scores {
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.heats.iter().flat_map(Heat::rows).collect();
        for (part, name) in [(0.5, "p50"), (0.99, "p99")] {
            let wait = |s: &Side| quantile(&s.gaps, part).map(|g| g.as_secs_f64() * 1000.0);
            let best = [&self.starts.default, &self.starts.tuned].into_iter().filter_map(wait).reduce(f64::min);
            let met = wait(&self.starts.hearth).zip(best).map(|(ours, theirs)| ours <= theirs);
            rows.push(
                Row::new(format!("one Workflow of one pod: created to its pod's create, {name}"), &self.starts, |s| {
                    wait(s).map(millis)
                })
                .judged("≤ Argo", met),
            );
        }
        rows
    }
}

impl Tables for Scores {
    fn markdown(&self) -> String {
        let mut out = String::from(
            "\n| figure | Hearth | Argo at its defaults | Argo tuned | bare loop | goal | |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for Row { figure, cells, goal, met } in self.rows() {
            let met = match met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            let _infallible = writeln!(out, "| {figure} | {} | {goal} | {met} |", cells.join(" | "));
        }
        out
    }

    fn missed(&self) -> Vec<String> {
        self.rows().into_iter().filter(|row| row.met == Some(false)).map(|row| row.figure).collect()
    }
}

/// Pods a minute: the median of the rounds.
fn rate(side: &Side) -> Option<f64> {
    let mut rates = side.rates.clone();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

fn millis(value: f64) -> String {
    format!("{value:.1} ms")
}

/// Whole numbers as such, others with one digit.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn side(rate: f64, writes: usize, gap: u64) -> Side {
        Side {
            rates: vec![rate],
            per_round: vec![writes],
            runs: 1,
            pods: 1,
            gaps: vec![Duration::from_millis(gap)],
            ..Side::default()
        }
    }

    #[test]
    fn goals_are_judged() {
        let sides = |rate| Sides {
            hearth: side(rate, 7, 12),
            default: side(300.0, 30, 12),
            tuned: side(1500.0, 30, 20),
            bare: side(5000.0, 2, 1),
        };
        let scores = |rate| Scores {
            heats: vec![Heat { what: "300 Workflows of one pod at once".into(), sides: sides(rate) }],
            starts: sides(rate),
        };
        assert_eq!(scores(2400.0).missed(), [""; 0]);
        assert_eq!(scores(2399.0).missed(), ["300 Workflows of one pod at once: pods a minute"]);
        let text = scores(2400.0).markdown();
        assert!(
            text.contains("pods a minute | 2400 | 300 | 1500 | 5000 | ≥ 8 × Argo, ≥ 1.5 × Argo tuned | met |"),
            "{text}"
        );
    }

    #[test]
    fn who_took_no_part_is_shown_as_such() {
        let sides = Sides { hearth: side(1.0, 20, 5), bare: side(1.0, 11, 5), ..Sides::default() };
        let heat = Heat { what: "x".into(), sides: Sides { hearth: Side { pods: 10, ..sides.hearth }, ..sides } };
        let text = Scores { heats: vec![heat], starts: Sides::default() }.markdown();
        assert!(text.contains("| x: API writes a run | 20 | – | – | 11 | ≤ 0.38 × Argo |  |"), "{text}");
    }
}
