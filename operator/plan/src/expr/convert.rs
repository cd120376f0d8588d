//! Between JSON and the values of an evaluation.

use super::{
    MAX_OUTPUT, Problem, Type,
    datum::{Datum, Work},
    stack,
};
use serde_json::{Map, Number, Value};
use std::{collections::BTreeMap, rc::Rc};

/// Reads `value`, called `name`, by its declared type: the integer 12 of a number is a number.
pub(super) fn read(name: &str, value: &Value, of: &Type, work: &mut Work) -> Result<Datum, Problem> {
    work.spend(1)?;
    let wrong =
        || Err(Problem::WrongValue { name: name.to_owned(), expected: of.clone(), found: json_type(value).to_owned() });
    match (of, value) {
        (Type::Dyn | Type::Map, Value::Object(_)) | (Type::Dyn, _) => untyped(value, work),
        (Type::Null | Type::Nullable(_), Value::Null) => Ok(Datum::Null),
        (Type::Nullable(inner), _) => read(name, value, inner, work),
        (Type::Bool, Value::Bool(b)) => Ok(Datum::Bool(*b)),
        (Type::Int, Value::Number(n)) => n.as_i64().map_or_else(wrong, |i| Ok(Datum::Int(i))),
        (Type::Double, Value::Number(n)) => n.as_f64().map_or_else(wrong, |d| Ok(Datum::Double(d))),
        (Type::String, Value::String(s)) => text(s, work),
        (Type::List(element), Value::Array(values)) => {
            work.spend_list(values.len())?;
            let elements = values.iter().map(|v| read(name, v, element, work)).collect::<Result<_, _>>()?;
            Ok(Datum::list(elements))
        }
        (Type::Record(fields), Value::Object(values)) => record(name, values, fields, work),
        (
            Type::Null
            | Type::Bool
            | Type::Int
            | Type::Double
            | Type::String
            | Type::List(_)
            | Type::Record(_)
            | Type::Map,
            _,
        ) => wrong(),
    }
}

fn record(
    name: &str,
    values: &Map<String, Value>,
    fields: &BTreeMap<String, Type>,
    work: &mut Work,
) -> Result<Datum, Problem> {
    let mut read_fields = BTreeMap::new();
    for (field, of) in fields {
        let value = values.get(field).unwrap_or(&Value::Null);
        read_fields.insert(field.clone(), read(&format!("{name}.{field}"), value, of, work)?);
    }
    Ok(Datum::Object(Rc::new(read_fields)))
}

fn untyped(value: &Value, work: &mut Work) -> Result<Datum, Problem> {
    work.spend(1)?;
    stack::step(|| any(value, work))
}

fn any(value: &Value, work: &mut Work) -> Result<Datum, Problem> {
    match value {
        Value::Null => Ok(Datum::Null),
        Value::Bool(b) => Ok(Datum::Bool(*b)),
        Value::Number(n) => Ok(match n.as_i64() {
            Some(i) => Datum::Int(i),
            None => Datum::Double(n.as_f64().unwrap_or(f64::MAX)),
        }),
        Value::String(s) => text(s, work),
        Value::Array(values) => {
            work.spend_list(values.len())?;
            Ok(Datum::list(values.iter().map(|v| untyped(v, work)).collect::<Result<_, _>>()?))
        }
        Value::Object(fields) => {
            work.spend_list(fields.len())?;
            let read = |(key, value): (&String, &Value)| Ok((key.clone(), untyped(value, work)?));
            Ok(Datum::Object(Rc::new(fields.iter().map(read).collect::<Result<_, Problem>>()?)))
        }
    }
}

fn text(s: &str, work: &mut Work) -> Result<Datum, Problem> {
    work.spend_text(s.len())?;
    Ok(Datum::text(s))
}

pub(super) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_i64() => "an integer",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// As JSON of at most [`MAX_OUTPUT`] bytes. What is shared in a datum is copied here, so it is measured on the way.
pub(super) fn json(datum: &Datum) -> Result<Value, Problem> {
    write(datum, &mut Room { left: MAX_OUTPUT })
}

struct Room {
    left: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(bytes).ok_or_else(too_long)?;
        Ok(())
    }

    fn take_text(&mut self, text: &str) -> Result<(), Problem> {
        // Escapes make it longer: six bytes for a control character.
        let length = |b: u8| match b {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
            0..=31 => 6,
            _ => 1,
        };
        self.take(2 + text.bytes().map(length).sum::<usize>())
    }
}

pub(super) fn too_long() -> Problem {
    Problem::TooMuch { what: "the size of the result in bytes", limit: MAX_OUTPUT as u64 }
}

fn write(datum: &Datum, room: &mut Room) -> Result<Value, Problem> {
    stack::step(|| write_any(datum, room))
}

fn write_any(datum: &Datum, room: &mut Room) -> Result<Value, Problem> {
    match datum {
        Datum::Null => room.take(4).map(|()| Value::Null),
        Datum::Bool(b) => room.take(5).map(|()| Value::Bool(*b)),
        Datum::Int(i) => number(Number::from(*i), room),
        Datum::Double(d) => match Number::from_f64(*d) {
            Some(n) => number(n, room),
            None => Err(Problem::failed("the result is not a finite number")),
        },
        Datum::Text(text) => {
            room.take_text(text)?;
            Ok(Value::String(text.to_string()))
        }
        Datum::List(elements) => {
            room.take(2 + elements.len())?;
            Ok(Value::Array(elements.iter().map(|e| write(e, room)).collect::<Result<_, _>>()?))
        }
        Datum::Object(fields) => {
            room.take(2 + 2 * fields.len())?;
            let mut object = Map::new();
            for (key, value) in fields.iter() {
                room.take_text(key)?;
                object.insert(key.clone(), write(value, room)?);
            }
            Ok(Value::Object(object))
        }
    }
}

fn number(n: Number, room: &mut Room) -> Result<Value, Problem> {
    room.take(n.to_string().len())?;
    Ok(Value::Number(n))
}
