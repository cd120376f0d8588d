//! The outputs of a step, held against what the step declares.

use crate::{DeclaredOutput, Failure, termination};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;

/// The type of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputType {
    /// Text.
    String,
    /// A whole number of 64 bits.
    Integer,
    /// A number; an integer is one too.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl OutputType {
    fn admits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

impl fmt::Display for OutputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        })
    }
}

/// An output that a runtime can write.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub of: OutputType,
}

/// The values of all outputs that a runtime has; the declared ones are written.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Map<String, Value>);

impl Outputs {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The declared outputs as one JSON object; nothing when none is declared.
    ///
    /// # Errors
    ///
    /// 70 when one is missing or of another type: what a runtime has was checked before it began. 65 when they are too
    /// long together.
    pub(crate) fn text(mut self, declared: &[DeclaredOutput]) -> Result<Option<String>, Failure> {
        if declared.is_empty() {
            return Ok(None);
        }
        let mut object = Map::new();
        for output in declared {
            let name = &output.name;
            let value = self.0.remove(name).ok_or_else(|| Failure::defect(format!("output {name} has no value")))?;
            if !output.of.admits(&value) {
                return Err(Failure::defect(format!("output {name} is {value}, which is no {}", output.of)));
            }
            object.insert(name.clone(), value);
        }
        let text = Value::Object(object).to_string();
        if text.len() > termination::MAX {
            return Err(Failure::data(format!(
                "the outputs are {} bytes long, {} are the most: declare fewer of them",
                text.len(),
                termination::MAX
            )));
        }
        Ok(Some(text))
    }
}

/// Whether a runtime can write what a step declares; asked before the work begins.
pub(crate) fn check(declared: &[DeclaredOutput], known: &[Output]) -> Result<(), Failure> {
    for output in declared {
        let Some(found) = known.iter().find(|one| one.name == output.name) else {
            let names: Vec<&str> = known.iter().map(|one| one.name).collect();
            return Err(Failure::config(format!(
                "outputs: there is no output {:?}, there are {}",
                output.name,
                names.join(", ")
            )));
        };
        let alike = found.of == output.of || (output.of == OutputType::Number && found.of == OutputType::Integer);
        if !alike {
            return Err(Failure::config(format!(
                "outputs: {} is of type {}, not {}",
                output.name, found.of, output.of
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Output] =
        &[Output { name: "rows", of: OutputType::Integer }, Output { name: "columns", of: OutputType::Array }];

    fn declared(name: &str, of: OutputType) -> Vec<DeclaredOutput> {
        vec![DeclaredOutput { name: name.into(), of }]
    }

    #[test]
    fn only_what_is_declared_is_written() {
        let outputs = Outputs::new().with("rows", 3).with("columns", vec!["a"]);
        assert_eq!(outputs.clone().text(&[]).unwrap(), None);
        let text = outputs.text(&declared("rows", OutputType::Number)).unwrap().unwrap();
        assert_eq!(text, r#"{"rows":3}"#);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_the_work() {
        check(&declared("rows", OutputType::Number), KNOWN).unwrap();
        let says = |name, of| check(&declared(name, of), KNOWN).unwrap_err().message;
        assert_eq!(says("row", OutputType::Integer), "outputs: there is no output \"row\", there are rows, columns");
        assert_eq!(says("rows", OutputType::String), "outputs: rows is of type integer, not string");
    }

    #[test]
    fn wrong_or_long_outputs_fail() {
        let code = |value: Value, of| Outputs::new().with("a", value).text(&declared("a", of)).unwrap_err().code;
        assert_eq!(code(Value::from(1.5), OutputType::Integer).number(), 70);
        assert_eq!(code(Value::from("x".repeat(3072)), OutputType::String).number(), 65);
        assert_eq!(Outputs::new().text(&declared("a", OutputType::String)).unwrap_err().code.number(), 70);
    }
}
