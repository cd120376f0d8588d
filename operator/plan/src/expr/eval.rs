//! The evaluator. It walks the tree and counts what it does.

use super::{
    Problem, Reference, Type, Values,
    ast::{Literal, LoopKind, Node, Operator},
    check::ReferenceTypes,
    convert,
    datum::{Datum, Work},
    functions::Function,
    library, stack,
};
use serde_json::Value;
use std::{cmp::Ordering, collections::BTreeMap, rc::Rc};

/// The value of a checked expression.
pub(super) fn eval(node: &Node, types: &ReferenceTypes, values: &Values) -> Result<Datum, Problem> {
    Machine { types, values, read: BTreeMap::new(), local: None, work: Work::new() }.node(node)
}

struct Machine<'a> {
    types: &'a ReferenceTypes,
    values: &'a Values,
    /// What was read already, so that a loop reads it once.
    read: BTreeMap<&'a Reference, Datum>,
    local: Option<Datum>,
    work: Work,
}

impl<'a> Machine<'a> {
    fn node(&mut self, node: &'a Node) -> Result<Datum, Problem> {
        self.work.spend(1)?;
        stack::step(|| self.kind(node))
    }

    fn kind(&mut self, node: &'a Node) -> Result<Datum, Problem> {
        match node {
            Node::Literal(literal) => Ok(self::literal(literal)),
            Node::Ref(reference) => self.reference(reference),
            Node::Local(_) => Ok(self.local.clone().unwrap_or(Datum::Null)),
            Node::Field { of, name } => field(&self.node(of)?, name),
            Node::Has { of, name } => match self.node(of)? {
                Datum::Object(fields) => Ok(Datum::Bool(fields.contains_key(name))),
                other => Err(Problem::mismatch("`has`", "an object", other.type_name())),
            },
            Node::Index { of, key } => index(&self.node(of)?, &self.node(key)?),
            Node::Not(inner) => Ok(Datum::Bool(!self.test(inner, "`!`")?)),
            Node::Negate(inner) => negate(self.node(inner)?),
            Node::And(a, b) => self.both(a, b, false),
            Node::Or(a, b) => self.both(a, b, true),
            Node::Condition { test, then, other } => {
                if self.test(test, "the test of `?:`")? {
                    self.node(then)
                } else {
                    self.node(other)
                }
            }
            Node::Binary { operator, left, right } => {
                let (a, b) = (self.node(left)?, self.node(right)?);
                self.binary(*operator, &a, &b)
            }
            Node::List(elements) => Ok(Datum::list(self.nodes(elements)?)),
            Node::Map(entries) => self.object(entries),
            Node::Call { function, args } => self.call(*function, args),
            Node::Loop { kind, over, body, .. } => self.repeat(*kind, over, body),
        }
    }

    fn nodes(&mut self, nodes: &'a [Node]) -> Result<Vec<Datum>, Problem> {
        nodes.iter().map(|node| self.node(node)).collect()
    }

    fn reference(&mut self, reference: &'a Reference) -> Result<Datum, Problem> {
        if let Some(datum) = self.read.get(reference) {
            return Ok(datum.clone());
        }
        let of = self.types.get(reference).unwrap_or(&Type::Dyn);
        let datum = match find(reference, self.values) {
            Found::Json(value) => convert::read(&reference.to_string(), value, of, &mut self.work)?,
            Found::Text(text) => Datum::text(text),
            Found::Int(i) => Datum::Int(i),
            Found::Nothing => {
                let (name, found) = (reference.to_string(), "not there".to_owned());
                return Err(Problem::WrongValue { name, expected: of.clone(), found });
            }
        };
        self.read.insert(reference, datum.clone());
        Ok(datum)
    }

    fn test(&mut self, node: &'a Node, what: &str) -> Result<bool, Problem> {
        match self.node(node)? {
            Datum::Bool(b) => Ok(b),
            other => Err(Problem::mismatch(what, Type::Bool, other.type_name())),
        }
    }

    /// `||` (`decides` = true) and `&&` (false): as CEL has it, a side that decides makes up for one that failed.
    fn both(&mut self, a: &'a Node, b: &'a Node, decides: bool) -> Result<Datum, Problem> {
        let what = if decides { "`||`" } else { "`&&`" };
        match self.test(a, what) {
            Ok(a) if a == decides => Ok(Datum::Bool(a)),
            Ok(_) => self.test(b, what).map(Datum::Bool),
            Err(limit @ Problem::TooMuch { .. }) => Err(limit),
            Err(failed) => match self.test(b, what)? {
                b if b == decides => Ok(Datum::Bool(b)),
                _ => Err(failed),
            },
        }
    }

    fn binary(&mut self, operator: Operator, a: &Datum, b: &Datum) -> Result<Datum, Problem> {
        let ordered = match operator {
            Operator::Equal => return Ok(Datum::Bool(a.equals(b, &mut self.work)?)),
            Operator::NotEqual => return Ok(Datum::Bool(!a.equals(b, &mut self.work)?)),
            Operator::In => return self.contains(a, b),
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                return library::arithmetic(operator, a, b, &mut self.work);
            }
            Operator::Less => Ordering::is_lt,
            Operator::LessEqual => Ordering::is_le,
            Operator::Greater => Ordering::is_gt,
            Operator::GreaterEqual => Ordering::is_ge,
        };
        match a.order(b, &mut self.work)? {
            Some(order) => Ok(Datum::Bool(ordered(order))),
            None => Err(library::no_operator(operator, a, b)),
        }
    }

    fn contains(&mut self, item: &Datum, whole: &Datum) -> Result<Datum, Problem> {
        match (item, whole) {
            (Datum::Text(key), Datum::Object(fields)) => Ok(Datum::Bool(fields.contains_key(key.as_ref()))),
            (_, Datum::List(elements)) => {
                for element in elements.iter() {
                    if element.equals(item, &mut self.work)? {
                        return Ok(Datum::Bool(true));
                    }
                }
                Ok(Datum::Bool(false))
            }
            _ => Err(library::no_operator(Operator::In, item, whole)),
        }
    }

    fn object(&mut self, entries: &'a [(Node, Node)]) -> Result<Datum, Problem> {
        let mut fields = BTreeMap::new();
        for (key, value) in entries {
            let key = match self.node(key)? {
                Datum::Text(key) => key.to_string(),
                other => return Err(Problem::mismatch("the key of an object", Type::String, other.type_name())),
            };
            self.work.spend_text(key.len())?;
            let value = self.node(value)?;
            if fields.insert(key.clone(), value).is_some() {
                return Err(Problem::failed(format!("the object has the key `{key}` twice")));
            }
        }
        Ok(Datum::Object(Rc::new(fields)))
    }

    fn call(&mut self, function: Function, args: &'a [Node]) -> Result<Datum, Problem> {
        // The default of `orValue` is looked at only when it is needed.
        if let (Function::OrValue, [value, default]) = (function, args) {
            return match self.node(value)? {
                Datum::Null => self.node(default),
                value => Ok(value),
            };
        }
        let args = self.nodes(args)?;
        library::call(function, &args, &mut self.work)
    }

    fn repeat(&mut self, kind: LoopKind, over: &'a Node, body: &'a Node) -> Result<Datum, Problem> {
        let over = self.node(over)?;
        let elements = match &over {
            Datum::List(elements) => Rc::clone(elements),
            Datum::Object(fields) => Rc::new(fields.keys().map(|key| Datum::text(key)).collect()),
            other => {
                let what = format!("`{}`", kind.name());
                return Err(Problem::mismatch(what, "a list or an object", other.type_name()));
            }
        };
        self.work.spend_list(elements.len())?;
        let result = match kind {
            LoopKind::Map => elements.iter().map(|e| self.turn(e, body)).collect::<Result<_, _>>().map(Datum::list),
            LoopKind::Filter => self.filter(&elements, body),
            LoopKind::All => self.decide(&elements, body, false),
            LoopKind::Exists => self.decide(&elements, body, true),
        };
        self.local = None;
        result
    }

    fn turn(&mut self, element: &Datum, body: &'a Node) -> Result<Datum, Problem> {
        self.local = Some(element.clone());
        self.node(body)
    }

    fn filter(&mut self, elements: &[Datum], body: &'a Node) -> Result<Datum, Problem> {
        let mut kept = Vec::new();
        for element in elements {
            self.local = Some(element.clone());
            if self.test(body, "the test of `filter`")? {
                kept.push(element.clone());
            }
        }
        Ok(Datum::list(kept))
    }

    /// `exists` (`decides` = true) and `all` (false); one that decides makes up for others that failed.
    fn decide(&mut self, elements: &[Datum], body: &'a Node, decides: bool) -> Result<Datum, Problem> {
        let what = if decides { "the test of `exists`" } else { "the test of `all`" };
        let mut failed = None;
        for element in elements {
            self.local = Some(element.clone());
            match self.test(body, what) {
                Ok(b) if b == decides => return Ok(Datum::Bool(b)),
                Ok(_) => {}
                Err(limit @ Problem::TooMuch { .. }) => return Err(limit),
                Err(problem) => failed = failed.or(Some(problem)),
            }
        }
        failed.map_or(Ok(Datum::Bool(!decides)), Err)
    }
}

enum Found<'a> {
    Json(&'a Value),
    Text(&'a str),
    Int(i64),
    Nothing,
}

fn find<'a>(reference: &Reference, values: &'a Values) -> Found<'a> {
    let json = |value: Option<&'a Value>| value.map_or(Found::Nothing, Found::Json);
    match reference {
        Reference::Param(name) => json(values.params.get(name)),
        Reference::StepOutput { step, output } => json(values.steps.get(step).and_then(|step| match &step.outputs {
            Value::Null => Some(&Value::Null),
            outputs => outputs.get(output),
        })),
        Reference::StepOutputs { step } => json(values.steps.get(step).map(|step| &step.outputs)),
        Reference::StepPhase(step) => values.steps.get(step).map_or(Found::Nothing, |s| Found::Text(&s.phase)),
        Reference::RunId => Found::Text(&values.run_id),
        Reference::RunNumber => Found::Int(values.run_number),
        Reference::RunPhase => values.run_phase.as_deref().map_or(Found::Nothing, Found::Text),
        Reference::Item => json(values.item.as_ref().map(|i| &i.value)),
        Reference::Index => values.item.as_ref().map_or(Found::Nothing, |i| Found::Int(i64::from(i.index))),
        Reference::Now => Found::Text(&values.now),
    }
}

fn literal(literal: &Literal) -> Datum {
    match literal {
        Literal::Null => Datum::Null,
        Literal::Bool(b) => Datum::Bool(*b),
        Literal::Int(i) => Datum::Int(*i),
        Literal::Double(d) => Datum::Double(*d),
        Literal::String(s) => Datum::text(s),
    }
}

fn field(of: &Datum, name: &str) -> Result<Datum, Problem> {
    match of {
        Datum::Object(fields) => fields.get(name).cloned().ok_or_else(|| {
            Problem::failed(format!("the object has no field `{name}`; test for it with `has(object.{name})`"))
        }),
        other => Err(Problem::mismatch(format!("`.{name}`"), "an object", other.type_name())),
    }
}

fn index(of: &Datum, key: &Datum) -> Result<Datum, Problem> {
    match (of, key) {
        (Datum::List(elements), Datum::Int(at)) => {
            let found = usize::try_from(*at).ok().and_then(|at| elements.get(at)).cloned();
            let length = elements.len();
            found.ok_or_else(|| Problem::failed(format!("index {at} is outside the list, which has {length} elements")))
        }
        (Datum::Object(_), Datum::Text(name)) => field(of, name),
        (Datum::List(_), _) => Err(Problem::mismatch("the index of a list", Type::Int, key.type_name())),
        (Datum::Object(_), _) => Err(Problem::mismatch("the key of an object", Type::String, key.type_name())),
        _ => Err(Problem::mismatch("`[…]`", "a list or an object", of.type_name())),
    }
}

fn negate(datum: Datum) -> Result<Datum, Problem> {
    match datum {
        Datum::Int(i) => i.checked_neg().map(Datum::Int).ok_or_else(|| library::overflow("-")),
        Datum::Double(d) => Ok(Datum::Double(-d)),
        other => Err(Problem::mismatch("`-`", "integer or number", other.type_name())),
    }
}
