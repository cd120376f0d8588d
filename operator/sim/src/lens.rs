//! What the judge needs to see of a kind: a table of functions, one per kind.

use hearth_crds::{
    condition::{ConditionStatus, ConditionType},
    workflow::{Run, RunPhase, StepPhase, StepStatus, Workflow, WorkflowStatus},
};
use hearth_plan::{Kind, workflow::fan_out::unfold};

/// The default of `parallelism`.
const PARALLELISM: u32 = 64;

/// A run as a status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Id.
    pub run_id: String,
    /// Number.
    pub number: i64,
    /// Sequence number of the status.
    pub seq: i64,
    /// Phase.
    pub phase: String,
    /// Whether the phase is final.
    pub terminal: bool,
    /// Whether HistoryStored is True.
    pub stored: bool,
    /// Steps: name, phase, attempt.
    pub steps: Vec<(String, String, u32)>,
}

/// How to look at a kind.
pub struct Lens<K: Kind> {
    /// The run that the status of an object shows.
    pub shown: fn(&K::Cr) -> Option<Shown>,
    /// The most pods of a run at one time.
    pub parallelism: fn(&K::Cr) -> usize,
    /// Transitions of a run that are legal, beside staying as it is.
    pub run_table: &'static [(&'static str, &'static str)],
    /// Transitions of a step that are legal, beside staying as it is; the empty word is a step not yet listed.
    pub step_table: &'static [(&'static str, &'static str)],
}

impl<K: Kind> Clone for Lens<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kind> Copy for Lens<K> {}

impl<K: Kind> std::fmt::Debug for Lens<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lens({})", K::KIND)
    }
}

/// The lens for Workflows.
#[must_use]
pub fn workflow<K: Kind<Cr = Workflow, Status = WorkflowStatus>>() -> Lens<K> {
    Lens { shown, parallelism, run_table: RUN_TABLE, step_table: STEP_TABLE }
}

/// Terminal absorbs: nothing leaves Succeeded, Failed or Cancelled.
const RUN_TABLE: &[(&str, &str)] = &[
    ("Pending", "Running"),
    ("Pending", "Succeeded"),
    ("Pending", "Failed"),
    ("Pending", "Cancelled"),
    ("Running", "Succeeded"),
    ("Running", "Failed"),
    ("Running", "Cancelled"),
];

const STEP_TABLE: &[(&str, &str)] = &[
    ("", "Running"),
    // Taken over from earlier work.
    ("", "Succeeded"),
    ("", "Waiting"),
    ("", "Skipped"),
    ("", "Failed"),
    ("", "Cancelled"),
    ("Running", "Waiting"),
    ("Running", "Succeeded"),
    ("Running", "Failed"),
    ("Running", "Cancelled"),
    ("Waiting", "Running"),
    ("Waiting", "Failed"),
    ("Waiting", "Cancelled"),
    ("Waiting", "Skipped"),
];

fn shown(cr: &Workflow) -> Option<Shown> {
    let status = cr.status.as_ref()?;
    let run = status.run.as_ref().map(|run| by_name(cr, run))?;
    let phase = status.phase.unwrap_or(RunPhase::Pending);
    Some(Shown {
        run_id: run.id.clone(),
        number: run.number,
        seq: run.seq,
        phase: phase.as_str().to_owned(),
        terminal: phase.is_terminal(),
        stored: status
            .conditions
            .iter()
            .any(|c| c.type_ == ConditionType::HistoryStored && c.status == ConditionStatus::True),
        steps: run.steps.iter().flat_map(steps).collect(),
    })
}

/// The run with every step by its name.
pub(crate) fn by_name(cr: &Workflow, run: &Run) -> Run {
    let mut run = run.clone();
    run.list_by_name(|place| cr.spec.steps.get(place as usize).map(|s| s.name.as_str()));
    run
}

/// A step, and each of its items that may have started. A fan-out over an empty list never runs: it is not shown.
fn steps(step: &StepStatus) -> Vec<(String, String, u32)> {
    let Some(fan) = &step.fan_out else { return vec![(step.name.clone(), step_word(step.phase), step.attempt)] };
    let item = |index| {
        let one = unfold(fan, step, index);
        (format!("{}[{index}]", step.name), step_word(one.phase), one.attempt)
    };
    let itself = (fan.count > 0).then(|| (step.name.clone(), step_word(step.phase), 0));
    itself.into_iter().chain((0..fan.started).map(item)).collect()
}

fn step_word(phase: StepPhase) -> String {
    phase.as_str().to_owned()
}

fn parallelism(cr: &Workflow) -> usize {
    usize::try_from(cr.spec.parallelism.unwrap_or(PARALLELISM)).unwrap_or(usize::MAX)
}
