//! What every kind's status has in common, read from it as data.

use serde::Deserialize;
use serde_json::Value;

/// The few fields of a status that the driver itself needs: which run it is about, and whether its record is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Common {
    /// Id of the current or last run.
    pub(crate) run_id: Option<String>,
    /// How many changes of that run were accepted.
    pub(crate) seq: i64,
    /// Condition HistoryStored is True.
    pub(crate) stored: bool,
}

#[derive(Deserialize)]
struct Shape {
    run: Option<RunShape>,
    #[serde(default)]
    conditions: Vec<ConditionShape>,
}

#[derive(Deserialize)]
struct RunShape {
    id: String,
    #[serde(default)]
    seq: i64,
}

#[derive(Deserialize)]
struct ConditionShape {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// Reads them; what is not there is not said.
pub(crate) fn of(status: &Value) -> Common {
    let Ok(shape) = Shape::deserialize(status) else { return Common::default() };
    Common {
        seq: shape.run.as_ref().map_or(0, |r| r.seq),
        run_id: shape.run.map(|r| r.id),
        stored: shape.conditions.iter().any(|c| c.type_ == "HistoryStored" && c.status == "True"),
    }
}
