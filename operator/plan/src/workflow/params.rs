//! The params of a run: typed, within their bounds, and short.

use super::{
    schedule,
    valid::{Invalid, invalid},
};
use hearth_crds::{
    json::{Json, ValueType},
    workflow::{RunPolicy, WorkflowSpec},
};
use serde_json::{Map, Value};

/// The longest params of a run, as JSON.
pub const MAX_PARAMS: usize = 8 * 1024;

/// The values of the params, and the names of those that a template leaves open.
pub(super) fn params(spec: &WorkflowSpec) -> Result<(Map<String, Value>, Vec<String>), Invalid> {
    let (mut values, mut open) = (Map::new(), Vec::new());
    for param in &spec.params {
        let field = format!("spec.params[{}]", param.name);
        if param.default.is_none() && schedule::policy(spec) == RunPolicy::Manual {
            open.push(param.name.clone());
            continue;
        }
        let Some(Json(value)) = &param.default else {
            return invalid(
                format!("{field}.default"),
                format!("param {} has no value: give it a default", param.name),
            );
        };
        let numeric = matches!(param.type_, Some(ValueType::Integer | ValueType::Number));
        if (param.minimum.is_some() || param.maximum.is_some()) && !numeric {
            return invalid(field, "minimum and maximum need type: integer or type: number");
        }
        param.admits(value).or_else(|message| invalid(format!("{field}.default"), message))?;
        if values.insert(param.name.clone(), value.clone()).is_some() {
            return invalid(field, "this name is declared twice: rename one of them");
        }
    }
    let size = serde_json::to_vec(&values).map_or(usize::MAX, |v| v.len());
    if size > MAX_PARAMS {
        return invalid(
            "spec.params",
            format!("are {size} bytes of JSON, at most {MAX_PARAMS} are allowed: put data into a volume or an image"),
        );
    }
    Ok((values, open))
}
