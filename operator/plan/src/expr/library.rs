//! What the operators and functions do.

use super::{
    Problem,
    ast::Operator,
    convert,
    datum::{Datum, Work, to_int},
    functions::Function,
};
use std::cmp::Ordering;

pub(super) fn no_operator(operator: Operator, a: &Datum, b: &Datum) -> Problem {
    let found = format!("{} and {}", a.type_name(), b.type_name());
    Problem::mismatch(format!("`{}`", operator.symbol()), "values that fit together", found)
}

pub(super) fn overflow(symbol: &str) -> Problem {
    Problem::failed(format!("the result of `{symbol}` does not fit into an integer of 64 bits"))
}

pub(super) fn arithmetic(operator: Operator, a: &Datum, b: &Datum, work: &mut Work) -> Result<Datum, Problem> {
    match (a, b) {
        (Datum::Int(a), Datum::Int(b)) => integers(operator, *a, *b),
        (Datum::Double(a), Datum::Double(b)) => doubles(operator, *a, *b),
        #[expect(clippy::cast_precision_loss, reason = "an integer that meets a number becomes one")]
        (Datum::Int(a), Datum::Double(b)) => doubles(operator, *a as f64, *b),
        #[expect(clippy::cast_precision_loss, reason = "an integer that meets a number becomes one")]
        (Datum::Double(a), Datum::Int(b)) => doubles(operator, *a, *b as f64),
        (Datum::Text(a), Datum::Text(b)) if operator == Operator::Add => {
            work.spend_text(a.len() + b.len())?;
            Ok(Datum::text(&format!("{a}{b}")))
        }
        (Datum::List(a), Datum::List(b)) if operator == Operator::Add => {
            work.spend_list(a.len() + b.len())?;
            Ok(Datum::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        _ => Err(no_operator(operator, a, b)),
    }
}

fn integers(operator: Operator, a: i64, b: i64) -> Result<Datum, Problem> {
    if b == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return Err(Problem::failed("division by zero"));
    }
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual
        | Operator::In => None,
    };
    result.map(Datum::Int).ok_or_else(|| overflow(operator.symbol()))
}

fn doubles(operator: Operator, a: f64, b: f64) -> Result<Datum, Problem> {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => return Err(Problem::failed("division by zero")),
        Operator::Divide => a / b,
        Operator::Remainder
        | Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual
        | Operator::In => return Err(no_operator(operator, &Datum::Double(a), &Datum::Double(b))),
    };
    finite(result, operator.symbol())
}

fn finite(d: f64, what: &str) -> Result<Datum, Problem> {
    if d.is_finite() {
        Ok(Datum::Double(d))
    } else {
        Err(Problem::failed(format!("the result of `{what}` is not a finite number")))
    }
}

/// Calls a function; `orValue` is the evaluator's own.
pub(super) fn call(function: Function, args: &[Datum], work: &mut Work) -> Result<Datum, Problem> {
    let wrong = || {
        let found: Vec<&str> = args.iter().map(Datum::type_name).collect();
        Problem::mismatch(format!("`{}`", function.name()), "values that fit it", found.join(", "))
    };
    for arg in args {
        if let Datum::Text(text) = arg {
            work.spend_text(text.len())?;
        }
    }
    match (function, args) {
        (Function::Size, [of]) => size(of).ok_or_else(wrong),
        (Function::String, [of]) => of.scalar_text().map(|text| Datum::text(&text)).ok_or_else(wrong),
        (Function::Int, [of]) => to_integer(of).ok_or_else(wrong)?,
        (Function::Double, [of]) => to_double(of).ok_or_else(wrong)?,
        (Function::Bool, [of]) => to_bool(of).ok_or_else(wrong)?,
        (Function::Min, [Datum::List(all)]) => extreme(function, all, Ordering::Less, work),
        (Function::Max, [Datum::List(all)]) => extreme(function, all, Ordering::Greater, work),
        (Function::Min, all) => extreme(function, all, Ordering::Less, work),
        (Function::Max, all) => extreme(function, all, Ordering::Greater, work),
        (Function::ToJson, [of]) => {
            let json = convert::json(of)?.to_string();
            work.spend_text(json.len())?;
            Ok(Datum::text(&json))
        }
        (Function::StartsWith, [Datum::Text(a), Datum::Text(b)]) => Ok(Datum::Bool(a.starts_with(b.as_ref()))),
        (Function::EndsWith, [Datum::Text(a), Datum::Text(b)]) => Ok(Datum::Bool(a.ends_with(b.as_ref()))),
        (Function::Contains, [Datum::Text(a), Datum::Text(b)]) => Ok(Datum::Bool(a.contains(b.as_ref()))),
        (Function::LowerAscii, [Datum::Text(a)]) => Ok(Datum::text(&a.to_ascii_lowercase())),
        (Function::UpperAscii, [Datum::Text(a)]) => Ok(Datum::text(&a.to_ascii_uppercase())),
        (Function::Trim, [Datum::Text(a)]) => Ok(Datum::text(a.trim())),
        (Function::Replace, [Datum::Text(of), Datum::Text(from), Datum::Text(to)]) => {
            let found = of.matches(from.as_ref()).count();
            work.spend_text(found.saturating_mul(to.len()))?;
            Ok(Datum::text(&of.replace(from.as_ref(), to)))
        }
        (Function::Split, [Datum::Text(of), Datum::Text(separator)]) => split(of, separator, work),
        (Function::Join, [Datum::List(all)]) => join(all, "", work)?.ok_or_else(wrong),
        (Function::Join, [Datum::List(all), Datum::Text(separator)]) => join(all, separator, work)?.ok_or_else(wrong),
        (
            Function::Size
            | Function::String
            | Function::Int
            | Function::Double
            | Function::Bool
            | Function::OrValue
            | Function::ToJson
            | Function::StartsWith
            | Function::EndsWith
            | Function::Contains
            | Function::LowerAscii
            | Function::UpperAscii
            | Function::Trim
            | Function::Replace
            | Function::Split
            | Function::Join,
            _,
        ) => Err(wrong()),
    }
}

fn size(of: &Datum) -> Option<Datum> {
    let size = match of {
        Datum::Text(text) => text.chars().count(),
        Datum::List(elements) => elements.len(),
        Datum::Object(fields) => fields.len(),
        Datum::Null | Datum::Bool(_) | Datum::Int(_) | Datum::Double(_) => return None,
    };
    i64::try_from(size).ok().map(Datum::Int)
}

fn no_reading(text: &str, what: &str) -> Problem {
    Problem::failed(format!("{text:?} is not {what}"))
}

fn to_integer(of: &Datum) -> Option<Result<Datum, Problem>> {
    match of {
        Datum::Int(i) => Some(Ok(Datum::Int(*i))),
        Datum::Double(d) => Some(to_int(*d).map(Datum::Int).ok_or_else(|| overflow("int"))),
        Datum::Text(text) => Some(text.parse().map(Datum::Int).map_err(|_| no_reading(text, "an integer"))),
        Datum::Null | Datum::Bool(_) | Datum::List(_) | Datum::Object(_) => None,
    }
}

fn to_double(of: &Datum) -> Option<Result<Datum, Problem>> {
    match of {
        #[expect(clippy::cast_precision_loss, reason = "that is what the user asked for")]
        Datum::Int(i) => Some(Ok(Datum::Double(*i as f64))),
        Datum::Double(d) => Some(Ok(Datum::Double(*d))),
        Datum::Text(text) => Some(match text.parse::<f64>() {
            Ok(d) if d.is_finite() => Ok(Datum::Double(d)),
            Ok(_) | Err(_) => Err(no_reading(text, "a number")),
        }),
        Datum::Null | Datum::Bool(_) | Datum::List(_) | Datum::Object(_) => None,
    }
}

fn to_bool(of: &Datum) -> Option<Result<Datum, Problem>> {
    match of {
        Datum::Bool(b) => Some(Ok(Datum::Bool(*b))),
        Datum::Text(text) => Some(match text.as_ref() {
            "true" => Ok(Datum::Bool(true)),
            "false" => Ok(Datum::Bool(false)),
            other => Err(no_reading(other, "`true` or `false`")),
        }),
        Datum::Null | Datum::Int(_) | Datum::Double(_) | Datum::List(_) | Datum::Object(_) => None,
    }
}

fn extreme(function: Function, all: &[Datum], wanted: Ordering, work: &mut Work) -> Result<Datum, Problem> {
    let name = function.name();
    let mut best: Option<&Datum> = None;
    for datum in all {
        if !matches!(datum, Datum::Int(_) | Datum::Double(_)) {
            return Err(Problem::mismatch(format!("`{name}`"), "integers or numbers", datum.type_name()));
        }
        let better = match best {
            None => true,
            Some(so_far) => datum.order(so_far, work)? == Some(wanted),
        };
        if better {
            best = Some(datum);
        }
        work.spend(1)?;
    }
    best.cloned().ok_or_else(|| Problem::failed(format!("`{name}` of an empty list; test `size(…) > 0` first")))
}

fn split(of: &str, separator: &str, work: &mut Work) -> Result<Datum, Problem> {
    let parts: Vec<Datum> = if separator.is_empty() {
        work.spend_list(of.chars().count())?;
        of.chars().map(|c| Datum::text(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        work.spend_list(of.matches(separator).count() + 1)?;
        of.split(separator).map(Datum::text).collect()
    };
    Ok(Datum::list(parts))
}

fn join(all: &[Datum], separator: &str, work: &mut Work) -> Result<Option<Datum>, Problem> {
    let mut joined = String::new();
    for (at, datum) in all.iter().enumerate() {
        let Some(text) = datum.scalar_text() else { return Ok(None) };
        work.spend_text(text.len() + separator.len())?;
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&text);
    }
    Ok(Some(Datum::text(&joined)))
}
