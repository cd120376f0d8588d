//! What a runtime of the catalog is told: `with`, with its expressions, checked against the runtime's JSON Schema.

use super::{
    valid::{Invalid, invalid},
    validate::check,
};
use crate::expr::{Checked, Env, ExprError, Reference, Values};
use hearth_crds::json::Json;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// The longest `with`, as JSON.
pub const MAX_WITH: usize = 8 * 1024;
/// How many violations of a schema are told.
const TOLD: usize = 3;

/// A `with` whose expressions hold.
#[derive(Clone, Debug, PartialEq)]
pub struct With {
    fields: Vec<(String, Node)>,
    schema: Option<Arc<Value>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Plain(Value),
    Text(Checked),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl With {
    /// Checks every expression, and the whole against `schema` as far as it is known before the run: when no expression in
    /// it reads anything but params.
    pub(super) fn check(
        field: &str,
        written: &BTreeMap<String, Json>,
        schema: Option<&Value>,
        params: &Map<String, Value>,
        env: &Env,
    ) -> Result<Self, Invalid> {
        let size = serde_json::to_vec(written).map_or(usize::MAX, |v| v.len());
        if size > MAX_WITH {
            return invalid(
                field,
                format!("is {size} bytes of JSON, at most {MAX_WITH} are allowed: pass data as artifacts"),
            );
        }
        let fields = written.iter().map(|(name, Json(value))| {
            Node::check(&format!("{field}.{name}"), value, env).map(|node| (name.clone(), node))
        });
        let with = Self { fields: fields.collect::<Result<_, _>>()?, schema: schema.cloned().map(Arc::new) };
        let known = |r: &Reference| matches!(r, Reference::Param(name) if params.contains_key(name));
        if with.expressions().all(|text| text.template().references().iter().all(known)) {
            let values = Values { params: params.clone().into_iter().collect(), ..Values::default() };
            with.render(&values).map_err(|e| Invalid { field: field.to_owned(), message: e.to_string() })?;
        }
        Ok(with)
    }

    /// The value with all expressions substituted.
    ///
    /// # Errors
    /// An expression fails, or what comes of it is not what the runtime takes.
    pub fn render(&self, values: &Values) -> Result<Value, WithError> {
        let value = Value::Object(render_map(&self.fields, values)?);
        match self.schema.as_deref() {
            Some(schema) => conforms(&value, schema).map(|()| value),
            None => Ok(value),
        }
    }

    /// Every expression in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Checked> {
        let mut found = Vec::new();
        self.fields.iter().for_each(|(_, node)| node.collect(&mut found));
        found.into_iter()
    }
}

/// Why a `with` cannot be handed to its runtime.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WithError {
    /// An expression failed.
    #[error("{0}")]
    Expression(#[from] ExprError),
    /// It is not what the runtime takes.
    #[error("the runtime does not take it: {0}")]
    Schema(String),
}

impl Node {
    fn check(field: &str, value: &Value, env: &Env) -> Result<Self, Invalid> {
        Ok(match value {
            Value::String(text) => Self::Text(check(field, text, |t| t.check(env))?),
            Value::Array(list) => {
                let nodes = list.iter().enumerate().map(|(i, v)| Self::check(&format!("{field}[{i}]"), v, env));
                Self::List(nodes.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let nodes = fields
                    .iter()
                    .map(|(name, v)| Self::check(&format!("{field}.{name}"), v, env).map(|node| (name.clone(), node)));
                Self::Map(nodes.collect::<Result<_, _>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Plain(value.clone()),
        })
    }

    fn render(&self, values: &Values) -> Result<Value, ExprError> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Text(text) => text.render(values)?,
            Self::List(nodes) => Value::Array(nodes.iter().map(|n| n.render(values)).collect::<Result<_, _>>()?),
            Self::Map(fields) => Value::Object(render_map(fields, values)?),
        })
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Checked>) {
        match self {
            Self::Plain(_) => {}
            Self::Text(text) => found.push(text),
            Self::List(nodes) => nodes.iter().for_each(|n| n.collect(found)),
            Self::Map(fields) => fields.iter().for_each(|(_, n)| n.collect(found)),
        }
    }
}

fn render_map(fields: &[(String, Node)], values: &Values) -> Result<Map<String, Value>, ExprError> {
    fields.iter().map(|(name, node)| Ok((name.clone(), node.render(values)?))).collect()
}

/// Whether a value is what a JSON Schema describes.
fn conforms(value: &Value, schema: &Value) -> Result<(), WithError> {
    // The catalog was read with all its schemas compiled, so this one compiles too.
    let validator = jsonschema::validator_for(schema).map_err(|e| WithError::Schema(e.to_string()))?;
    let told: Vec<String> = validator
        .iter_errors(value)
        .take(TOLD)
        .map(|error| {
            let at = error.instance_path().to_string().replace('/', ".");
            format!("with{at}: {error}")
        })
        .collect();
    if told.is_empty() { Ok(()) } else { Err(WithError::Schema(told.join(", "))) }
}
