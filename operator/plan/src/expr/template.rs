//! Strings with `${…}` in them.

use super::{
    Env, ExprError, MAX_OUTPUT, Problem, Reference, Type, Values,
    ast::Node,
    check::{self, ReferenceTypes},
    convert,
    datum::Datum,
    escape::kubelet_escape,
    eval, parse, scan,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// A parsed string: text and expressions in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Expression(Expression),
}

#[derive(Clone, Debug, PartialEq)]
struct Expression {
    /// As written, with `${` and `}`.
    source: String,
    node: Node,
}

/// A template whose names and types hold: only such a one has values.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    template: Template,
    types: ReferenceTypes,
    of: Type,
}

impl Template {
    /// Parses `text`. `$${` stands for a literal `${`.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("$${") {
                literal.push_str("${");
                rest = after;
            } else if let Some(after) = from.strip_prefix("${") {
                let position = text.len() - from.len();
                let (expression, after) = expression(text, position, after)?;
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Expression(expression));
                rest = after;
            } else {
                literal.push('$');
                rest = from.strip_prefix('$').unwrap_or_default();
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// Whether there is no expression in it.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.pieces.iter().any(|piece| matches!(piece, Piece::Expression(_)))
    }

    /// What its expressions read.
    #[must_use]
    pub fn references(&self) -> BTreeSet<Reference> {
        let mut references = BTreeSet::new();
        for piece in &self.pieces {
            if let Piece::Expression(expression) = piece {
                expression.node.each_reference(&mut |reference| {
                    references.insert(reference.clone());
                });
            }
        }
        references
    }

    /// Checks all names and types against `env`. A string that is exactly one `${…}` has the type of its expression,
    /// any other is a string.
    pub fn check(&self, env: &Env) -> Result<Checked, ExprError> {
        let mut types = ReferenceTypes::new();
        let mut of = Type::String;
        for piece in &self.pieces {
            let Piece::Expression(expression) = piece else { continue };
            let found = expression.check(env, &mut types)?;
            if self.pieces.len() == 1 {
                of = found;
            } else {
                expression.must_be_text(&found)?;
            }
        }
        Ok(Checked { template: self.clone(), types, of })
    }

    /// As [`check`](Self::check), where text is wanted (`args`, `env`): a single `${…}` must be a string, a number, an
    /// integer or a boolean.
    pub fn check_text(&self, env: &Env) -> Result<Checked, ExprError> {
        let checked = self.check(env)?;
        if let [Piece::Expression(expression)] = self.pieces.as_slice() {
            expression.must_be_text(&checked.of)?;
        }
        Ok(checked)
    }

    /// As [`check`](Self::check), where a condition is wanted (`when`): exactly one `${…}` that is a boolean.
    pub fn check_condition(&self, env: &Env) -> Result<Checked, ExprError> {
        let checked = self.check(env)?;
        let fix = match (&checked.of, self.pieces.as_slice()) {
            (Type::Bool | Type::Dyn, _) => return Ok(checked),
            (Type::Nullable(_), _) => "give a default: `(…).orValue(false)`",
            (_, [Piece::Expression(_)]) => "compare it with something",
            _ => "write it as one expression: `${…}`",
        };
        Err(Problem::mismatch_fix("a condition", Type::Bool, &checked.of, fix).of(&self.source()))
    }

    fn source(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.replace("${", "$${"),
            Piece::Expression(expression) => expression.source.clone(),
        };
        self.pieces.iter().map(text).collect()
    }
}

/// The expression that begins at `position` of `text`, of which `after` is the part after the `${`; and what follows.
fn expression<'a>(text: &str, position: usize, after: &'a str) -> Result<(Expression, &'a str), ExprError> {
    let whole = text.get(position..).unwrap_or_default();
    let end = scan::expression_length(after).map_err(|problem| problem.of(whole))?;
    let Some((inside, rest)) = end.and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?))) else {
        let at = text.get(..position).unwrap_or_default().chars().count() + 1;
        return Err(Problem::Unterminated { at }.of(text));
    };
    let source = format!("${{{inside}}}");
    let node = parse::parse(inside).map_err(|problem| problem.of(&source))?;
    Ok((Expression { source, node }, rest))
}

impl Expression {
    fn check(&self, env: &Env, types: &mut ReferenceTypes) -> Result<Type, ExprError> {
        check::check(&self.node, env, types).map_err(|problem| problem.of(&self.source))
    }

    fn must_be_text(&self, of: &Type) -> Result<(), ExprError> {
        if of.is_scalar() {
            return Ok(());
        }
        Err(Problem::NotText { found: of.to_string(), fix: text_fix(of) }.of(&self.source))
    }

    fn eval(&self, types: &ReferenceTypes, values: &Values) -> Result<Datum, ExprError> {
        eval::eval(&self.node, types, values).map_err(|problem| problem.of(&self.source))
    }

    fn eval_text(&self, types: &ReferenceTypes, values: &Values) -> Result<String, ExprError> {
        let datum = self.eval(types, values)?;
        datum.scalar_text().ok_or_else(|| {
            let fix = "use `toJson(…)`, or `.orValue(…)` for null";
            Problem::NotText { found: datum.type_name().to_owned(), fix }.of(&self.source)
        })
    }
}

fn text_fix(of: &Type) -> &'static str {
    match of {
        Type::List(_) => "join it: `….join(\", \")`, or use `toJson(…)`",
        Type::Record(_) | Type::Map => "pick a field, or use `toJson(…)`",
        Type::Null | Type::Nullable(_) => "give a default: `….orValue(…)`",
        Type::Bool | Type::Int | Type::Double | Type::String | Type::Dyn => "use `string(…)`",
    }
}

impl Checked {
    /// The type of the result.
    #[must_use]
    pub fn of(&self) -> &Type {
        &self.of
    }

    /// The template that was checked.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The value: that of the expression when the string is exactly one `${…}`, else text.
    pub fn render(&self, values: &Values) -> Result<Value, ExprError> {
        match self.template.pieces.as_slice() {
            [Piece::Expression(expression)] => {
                let datum = expression.eval(&self.types, values)?;
                convert::json(&datum).map_err(|problem| problem.of(&expression.source))
            }
            _ => self.render_text(values).map(Value::String),
        }
    }

    /// The value as text: numbers and booleans as they are written, all else is an error.
    pub fn render_text(&self, values: &Values) -> Result<String, ExprError> {
        self.text(values, |substituted| substituted)
    }

    /// The value as text for `command`, `args` and `env`: what is substituted there comes through the kubelet
    /// unchanged, while a `$(NAME)` that the user wrote beside it is still the kubelet's to expand.
    pub fn render_for_kubelet(&self, values: &Values) -> Result<String, ExprError> {
        self.text(values, |substituted| kubelet_escape(&substituted))
    }

    /// Whether the condition holds.
    pub fn render_condition(&self, values: &Values) -> Result<bool, ExprError> {
        match self.render(values)? {
            Value::Bool(holds) => Ok(holds),
            other => {
                let problem = Problem::mismatch("a condition", Type::Bool, convert::json_type(&other));
                Err(problem.of(&self.template.source()))
            }
        }
    }

    fn text(&self, values: &Values, escape: impl Fn(String) -> String) -> Result<String, ExprError> {
        let mut text = String::new();
        for piece in &self.template.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Expression(expression) => text.push_str(&escape(expression.eval_text(&self.types, values)?)),
            }
            if text.len() > MAX_OUTPUT {
                return Err(convert::too_long().of(&self.template.source()));
            }
        }
        Ok(text)
    }
}
