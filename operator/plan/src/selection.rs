//! Which pods of a run one request deletes.

use hearth_crds::label;

/// Pods that work or worked for a run. Its placeholders carry another role and stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPods {
    /// Value of the run-id label.
    pub run_id: String,
    /// Only those; else all.
    pub only: Option<Ended>,
}

/// Pods that ended, of steps or of items of a fan-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Names of steps, one at least.
    pub steps: Vec<String>,
    /// Items of them; none when the steps are no fan-outs.
    pub items: Vec<u32>,
    /// Whether also those that failed.
    pub failed: bool,
}

impl RunPods {
    /// All of a run.
    #[must_use]
    pub fn all(run_id: &str) -> Self {
        Self { run_id: run_id.to_owned(), only: None }
    }

    /// Where they are: in the run, in its steps that are no fan-outs, or in a fan-out. No other place has a pod of them.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.only {
            None => format!("run {}", self.run_id),
            Some(only) if only.items.is_empty() => format!("steps of run {}", self.run_id),
            Some(only) => format!("step {} of run {}", only.steps.join(","), self.run_id),
        }
    }

    /// As a label selector.
    #[must_use]
    pub fn labels(&self) -> String {
        let mut labels = format!(
            "{}={},{}={},{}={}",
            label::MANAGED_BY,
            label::MANAGED_BY_VALUE,
            label::RUN,
            self.run_id,
            label::ROLE,
            label::ROLE_ATTEMPT
        );
        if let Some(only) = &self.only {
            labels.push_str(&format!(",{} in ({})", label::STEP, only.steps.join(",")));
            if !only.items.is_empty() {
                let items: Vec<String> = only.items.iter().map(u32::to_string).collect();
                labels.push_str(&format!(",{} in ({})", label::ITEM, items.join(",")));
            }
        }
        labels
    }

    /// As a field selector.
    #[must_use]
    pub fn fields(&self) -> Option<&'static str> {
        self.only.as_ref().map(|only| match only.failed {
            true => "status.phase!=Pending,status.phase!=Running,status.phase!=Unknown",
            false => "status.phase=Succeeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALL: &str = "app.kubernetes.io/managed-by=hearth,hearth.dev/run-id=r,hearth.dev/role=attempt";

    fn ended(steps: &[&str], items: &[u32], failed: bool) -> RunPods {
        let steps = steps.iter().map(|&s| s.to_owned()).collect();
        RunPods { run_id: "r".into(), only: Some(Ended { steps, items: items.into(), failed }) }
    }

    #[test]
    fn a_run_that_is_over_loses_all_its_pods() {
        let all = RunPods::all("r");
        assert_eq!((all.labels().as_str(), all.fields()), (ALL, None));
    }

    /// Never one that runs, that waits, or whose node does not say.
    #[test]
    fn a_run_under_way_loses_pods_that_ended() {
        let steps = ended(&["a", "b"], &[], false);
        assert_eq!(steps.labels(), format!("{ALL},hearth.dev/step in (a,b)"));
        assert_eq!(steps.fields(), Some("status.phase=Succeeded"));
        let items = ended(&["each"], &[0, 12], true);
        assert_eq!(items.labels(), format!("{ALL},hearth.dev/step in (each),hearth.dev/item in (0,12)"));
        assert_eq!(items.fields(), Some("status.phase!=Pending,status.phase!=Running,status.phase!=Unknown"));
    }

    /// One request at a time goes out for a place: pods of another one do not wait for it.
    #[test]
    fn pods_of_other_runs_and_fan_outs_are_in_other_places() {
        let other = RunPods::all("s");
        let places =
            [RunPods::all("r"), other, ended(&["a"], &[], true), ended(&["a"], &[1], true), ended(&["b"], &[1], true)];
        let places: BTreeSet<String> = places.iter().map(RunPods::place).collect();
        assert_eq!(places.len(), 5, "{places:?}");
        assert_eq!(
            ended(&["a"], &[], true).place(),
            ended(&["a", "b"], &[], true).place(),
            "steps that are no fan-outs"
        );
        assert_eq!(ended(&["a"], &[1], true).place(), ended(&["a"], &[2, 3], true).place(), "items of one fan-out");
    }
}
