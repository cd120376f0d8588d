//! Our evaluator beside the `cel` crate's own interpreter: where both know an expression, both come to the same.

use super::{
    grammar::{Grammar, expression},
    properties::{is_limit, runner},
    *,
};
use cel::{Context, Program, Value as Cel};
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc};

fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => n.as_i64().map_or_else(|| Cel::Float(n.as_f64().unwrap()), Cel::Int),
        Value::String(s) => Cel::String(Arc::new(s.clone())),
        Value::Array(all) => Cel::List(Arc::new(all.iter().map(to_cel).collect())),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), to_cel(v))).collect::<HashMap<_, _>>().into(),
    }
}

/// Equal as JSON; `None` when the value has no JSON of ours (an infinite number).
fn same(cel: &Cel, ours: &Value) -> bool {
    match (cel, ours) {
        (Cel::Null, Value::Null) => true,
        (Cel::Bool(a), Value::Bool(b)) => a == b,
        (Cel::Int(a), Value::Number(b)) => b.as_i64() == Some(*a),
        (Cel::Float(a), Value::Number(b)) => b.is_f64() && b.as_f64() == Some(*a),
        (Cel::String(a), Value::String(b)) => **a == *b,
        (Cel::List(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => false,
    }
}

fn context() -> Context<'static, 'static> {
    let values = values(false);
    let mut params = Value::Object(values.params);
    // Declared as a number: our reader makes one of the integer 2.
    params["rate"] = json!(2.0);
    let steps =
        values.steps.iter().map(|(n, s)| (n.clone(), json!({"outputs": s.outputs, "phase": s.phase}))).collect();
    let mut context = Context::default();
    context.add_variable_from_value("params", to_cel(&params));
    context.add_variable_from_value("steps", to_cel(&Value::Object(steps)));
    context.add_variable_from_value("run", to_cel(&json!({"id": values.run_id, "number": values.run_number})));
    context
}

#[test]
fn agrees_with_the_interpreter_of_the_cel_crate() {
    let agreed = std::cell::Cell::new(0);
    let context = context();
    runner(1500)
        .run(&expression(Grammar { cel: true }, 3), |(_, expression)| {
            let checked = match Template::parse(&format!("${{{expression}}}")).and_then(|t| t.check(&env())) {
                Ok(checked) => checked,
                Err(error) if is_limit(&error.problem) => return Ok(()),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            let ours = checked.render(&values(false));
            let theirs =
                stacker::maybe_grow(8 << 20, 8 << 20, || Program::compile(&expression).unwrap().execute(&context));
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => prop_assert!(same(theirs, ours), "{expression}: {theirs:?}, we say {ours}"),
                (Err(_), Err(_)) => {}
                // We refuse infinite numbers and limit the work; they do neither.
                (Err(error), Ok(_)) => prop_assert!(
                    error.to_string().ends_with("finite number")
                        || error.to_string().ends_with("division by zero")
                        || matches!(error.problem, Problem::TooMuch { .. }),
                    "{error}, but {theirs:?}"
                ),
                (Ok(ours), Err(theirs)) => prop_assert!(false, "{expression}: {theirs}, we say {ours}"),
            }
            agreed.set(agreed.get() + usize::from(ours.is_ok() && theirs.is_ok()));
            Ok(())
        })
        .unwrap();
    println!("{} values were compared", agreed.get());
    assert!(agreed.get() > 300, "only {} values were compared", agreed.get());
}
