//! Situations in which a Workflow can be, how the simulator gets there, and what its conditions then say.

use hearth_plan::workflow::WorkflowKind;
use hearth_sim::scenario::object_after;
use serde_json::Value;

/// A row of the table.
pub struct Situation {
    /// Its name, and that of its file below `manifests/argocd`.
    pub name: &'static str,
    /// What happens to object `demo`.
    script: &'static str,
    /// Its conditions in their order, with their reasons.
    pub conditions: &'static str,
    /// What kstatus makes of it.
    pub kstatus: &'static str,
    /// What Argo CD makes of it.
    pub argocd: &'static str,
}

const fn row(
    name: &'static str,
    script: &'static str,
    conditions: &'static str,
    kstatus: &'static str,
    argocd: &'static str,
) -> Situation {
    Situation { name, script, conditions, kstatus, argocd }
}

const ONE: &str = "create demo\n  steps: [{name: a, image: \"example.org/a:1\"}]\n";

/// All rows. `ONE` at the beginning of a script creates a Workflow of one step.
pub const ALL: &[Situation] = &[
    row("accepted", "ONE advance 1ms", "Ready=False(Accepted) Reconciling=True(Accepted)", "InProgress", "Progressing"),
    row(
        "pulling",
        "ONE pod a 1 no-image\nadvance 1m",
        "Ready=False(ImagePullFailed) Reconciling=True(ImagePullFailed)",
        "InProgress",
        "Progressing",
    ),
    row("queued", "quota 0\nONE advance 20s", "Ready=True(QuotaExceeded)", "Current", "Progressing"),
    row("running", "ONE pod a 1 hangs\nadvance 10s", "Ready=True(Running)", "Current", "Progressing"),
    row(
        "succeeded",
        "ONE run",
        "Ready=True(Completed) Complete=True(Completed) HistoryStored=True(Stored)",
        "Current",
        "Healthy",
    ),
    row(
        "failed",
        "ONE pod a 1 exit 1\nrun",
        "Ready=False(ExitCode) Stalled=True(ExitCode) Failed=True(StepFailed) HistoryStored=True(Stored)",
        "Failed",
        "Degraded",
    ),
    row(
        "cancelling",
        "ONE pod a 1 hangs\nadvance 10s\ncancel demo\nadvance 500ms",
        "Ready=False(Cancelled) Reconciling=True(Cancelled)",
        "InProgress",
        "Progressing",
    ),
    row(
        "cancelled",
        "ONE pod a 1 hangs\nadvance 10s\ncancel demo\nrun",
        "Ready=False(Cancelled) Stalled=True(Cancelled) Failed=True(Cancelled) HistoryStored=True(Stored)",
        "Failed",
        "Degraded",
    ),
    row(
        "invalid",
        "create demo\n  steps: [{name: a}]\nrun",
        "Ready=False(InvalidSpec) Stalled=True(InvalidSpec)",
        "Failed",
        "Degraded",
    ),
    row(
        "poisoned",
        "ONE pod a 1 hangs\nadvance 5s\ncorrupt demo\nadvance 1m",
        "Ready=False(Poisoned) Stalled=True(Poisoned)",
        "Failed",
        "Degraded",
    ),
    row(
        "name-taken",
        "ONE squat a\nadvance 1m",
        "Ready=False(NameTaken) Stalled=True(NameTaken)",
        "Failed",
        "Degraded",
    ),
    row(
        "waiting-for-template",
        "create demo\n  from: {workflow: report}\nrun",
        "Ready=False(WaitingForTemplate) Reconciling=True(WaitingForTemplate)",
        "InProgress",
        "Progressing",
    ),
    row(
        "waiting-for-approval",
        "create demo\n  steps: [{name: gate, approval: {message: \"publish?\"}}]\nadvance 10s",
        "Ready=False(WaitingForApproval) Reconciling=True(WaitingForApproval)",
        "InProgress",
        "Progressing",
    ),
    row(
        "suspended",
        "ONE pod a 1 hangs\nadvance 10s\nedit demo\n  suspend: true\nadvance 10s",
        "Ready=True(Suspended) Suspended=True(Suspended)",
        "Current",
        "Suspended",
    ),
    row(
        "suspended-from-the-start",
        "create demo\n  suspend: true\n  steps: [{name: a, image: \"example.org/a:1\"}]\nrun",
        "Ready=True(Suspended) Suspended=True(Suspended)",
        "Current",
        "Suspended",
    ),
    row(
        "template",
        "create demo\n  runPolicy: Manual\n  steps: [{name: a, image: \"example.org/a:1\"}]\nrun",
        "Ready=True(Template)",
        "Current",
        "Healthy",
    ),
    row(
        "template-last-run-failed",
        "create demo\n  runPolicy: Manual\n  steps: [{name: a, image: \"example.org/a:1\"}]\nadvance 1s\npod a 1 exit 1\nedit demo\n  rerun: {token: again}\nrun",
        "Ready=True(Template) LastRunFailed=True(ExitCode) HistoryStored=True(Stored)",
        "Current",
        "Healthy",
    ),
    row(
        "scheduled",
        "create demo\n  schedules: [{cron: \"*/10 * * * *\"}]\n  steps: [{name: a, image: \"example.org/a:1\"}]\nadvance 30s",
        "Ready=True(Scheduled)",
        "Current",
        "Healthy",
    ),
    row(
        "spec-changed-in-mid-run",
        "ONE pod a 1 hangs\nadvance 10s\nedit demo\n  steps: [{name: a, image: \"example.org/a:2\"}]\nadvance 10s",
        "Ready=True(Running) ChangePending=True(SpecChanged)",
        "Current",
        "Progressing",
    ),
    row(
        "store-away",
        "store down\nONE advance 10m",
        "Ready=True(Completed) Complete=True(Completed) HistoryStored=False(Backlog)",
        "Current",
        "Healthy",
    ),
];

impl Situation {
    /// The object in this situation.
    pub fn object(&self) -> Value {
        let script = self.script.replace("ONE ", ONE);
        let object = object_after::<WorkflowKind>(&script, "demo").unwrap_or_else(|e| panic!("{}: {e}", self.name));
        object.unwrap_or_else(|| panic!("{}: the object is gone", self.name))
    }
}

/// `Ready=True(Running) …`
pub fn conditions(object: &Value) -> String {
    let list = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let word = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
    let said = list.iter().map(|c| format!("{}={}({})", word(c, "type"), word(c, "status"), word(c, "reason")));
    said.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_situation_has_its_conditions() {
    let mut wrong = Vec::new();
    for situation in ALL {
        let object = situation.object();
        let said = conditions(&object);
        if said != situation.conditions {
            wrong.push(format!("{}: {said}", situation.name));
        }
        assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"], "{}", situation.name);
        assert!(!(said.contains("Reconciling=True") && said.contains("Stalled=True")), "{}: {said}", situation.name);
        for condition in object["status"]["conditions"].as_array().unwrap() {
            assert_eq!(condition["observedGeneration"], object["metadata"]["generation"], "{}", situation.name);
            assert!(condition["message"].as_str().unwrap().len() > 5, "{}: {condition}", situation.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// docs/argocd.md shows the same table.
#[test]
fn the_page_holds_the_table() {
    let mut table = String::from("| situation | conditions | kstatus | Argo CD |\n| --- | --- | --- | --- |\n");
    for s in ALL {
        table += &format!("| {} | {} | {} | {} |\n", s.name.replace('-', " "), s.conditions, s.kstatus, s.argocd);
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/argocd.md")).unwrap();
    assert!(page.contains(&table), "docs/argocd.md should hold:\n{table}");
}
