//! One small Workflow that all tables speak of, and the tables.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the cel crate's values are hash maps, and the number of cases is set from outside"
)]

mod checking;
mod evaluating;
mod grammar;
mod oracle;
mod properties;

use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Params of each type; `clean` always runs, `fit` may be skipped, `later` exists but need not have ended.
pub(super) fn env() -> Env {
    let outputs =
        |list: &[(&str, Type)]| list.iter().map(|(n, t)| ((*n).to_owned(), t.clone())).collect::<BTreeMap<_, _>>();
    Env::new()
        .param("window", Type::Int)
        .param("rate", Type::Double)
        .param("title", Type::String)
        .param("dry", Type::Bool)
        .param("counts", Type::list(Type::Int))
        .param("items", Type::list(Type::Dyn))
        .param("config", Type::Map)
        .step(
            "clean",
            StepType {
                outputs: outputs(&[("rows", Type::Int), ("label", Type::String)]),
                may_be_skipped: false,
                fan_out: false,
            },
        )
        .step(
            "fit",
            StepType {
                outputs: outputs(&[
                    ("rmse", Type::Double),
                    ("best", Type::String),
                    ("ok", Type::Bool),
                    ("points", Type::list(Type::Double)),
                ]),
                may_be_skipped: true,
                fan_out: false,
            },
        )
        .step(
            "co2-fetch",
            StepType { outputs: outputs(&[("bytes", Type::Int)]), may_be_skipped: false, fan_out: false },
        )
        .step_not_needed("later")
}

/// Values of [`env`], `fit` having run or not.
pub(super) fn values(fit_ran: bool) -> Values {
    let step = |outputs: Value, phase: &str| StepValue { outputs, phase: phase.to_owned() };
    let fit = json!({"rmse": 0.25, "best": "loess", "ok": true, "points": [1, 2.5]});
    let Value::Object(params) = json!({
        "window": 12, "rate": 2, "title": "Mauna Loa $(HOME)", "dry": false, "counts": [3, 1, 2],
        "items": [1, "a", null, 2.5], "config": {"lr": 0.5, "depth": 3, "tags": ["x", "y"], "na-me": "n"}
    }) else {
        panic!("an object")
    };
    Values {
        params,
        steps: BTreeMap::from([
            ("clean".to_owned(), step(json!({"rows": 2284, "label": "co2"}), "Succeeded")),
            ("fit".to_owned(), if fit_ran { step(fit, "Succeeded") } else { step(Value::Null, "Skipped") }),
            ("co2-fetch".to_owned(), step(json!({"bytes": 9}), "Succeeded")),
        ]),
        run_id: "0193".to_owned(),
        run_number: 7,
        run_phase: None,
        item: None,
        now: "2026-11-21T08:00:00Z".to_owned(),
    }
}

/// The type of `text`, or why it has none.
pub(super) fn type_of(text: &str) -> Result<Type, String> {
    Template::parse(text).and_then(|t| t.check(&env())).map(|c| c.of().clone()).map_err(|e| e.to_string())
}

/// The value of `text`.
pub(super) fn value_of(text: &str, values: &Values) -> Result<Value, String> {
    let checked = Template::parse(text).and_then(|t| t.check(&env())).unwrap_or_else(|e| panic!("{text}: {e}"));
    checked.render(values).map_err(|e| e.to_string())
}
