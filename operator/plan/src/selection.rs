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
