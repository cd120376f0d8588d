//! The params of a run: typed, within their bounds, and short.

use super::{
    schedule,
    valid::{Invalid, invalid},
};
use hearth_crds::{
    json::{Json, ValueType, type_name},
    workflow::{Param, RunPolicy, WorkflowSpec},
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
        let wanted = param.type_.unwrap_or(ValueType::String);
        if !wanted.admits(value) {
            let found = type_name(value);
            return invalid(
                format!("{field}.default"),
                format!("is {found}, but the declared type is {wanted}: change the value, or set type: {found}"),
            );
        }
        in_range(&field, param, value)?;
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

fn in_range(field: &str, param: &Param, value: &Value) -> Result<(), Invalid> {
    let bounded = param.minimum.is_some() || param.maximum.is_some();
    let numeric = matches!(param.type_, Some(ValueType::Integer | ValueType::Number));
    if bounded && !numeric {
        return invalid(field, "minimum and maximum need type: integer or type: number");
    }
    let Some(number) = value.as_f64() else { return Ok(()) };
    if let Some(minimum) = param.minimum.filter(|m| number < *m) {
        return invalid(
            format!("{field}.default"),
            format!("is {value}, below the minimum {minimum}: use a value from {minimum} up"),
        );
    }
    if let Some(maximum) = param.maximum.filter(|m| number > *m) {
        return invalid(
            format!("{field}.default"),
            format!("is {value}, above the maximum {maximum}: use a value up to {maximum}"),
        );
    }
    Ok(())
}
