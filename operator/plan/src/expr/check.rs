//! The type checker.

use super::{
    Env, Problem, Reference, Type,
    ast::{Literal, LoopKind, Node, Operator},
    functions::Function,
    narrow::{Fact, Facts, facts},
    stack,
};
use std::collections::{BTreeMap, BTreeSet};

/// The types of an expression's references as declared, for reading their values by.
pub(super) type ReferenceTypes = BTreeMap<Reference, Type>;

/// The type of `node`. The references that it reads go into `types`.
pub(super) fn check(node: &Node, env: &Env, types: &mut ReferenceTypes) -> Result<Type, Problem> {
    Checker { env, types, known: Facts::new(), local: None }.any(node)
}

struct Checker<'a> {
    env: &'a Env,
    types: &'a mut ReferenceTypes,
    known: Facts,
    local: Option<(&'a str, Type)>,
}

impl<'a> Checker<'a> {
    /// The type of `node`, which may be null.
    fn any(&mut self, node: &'a Node) -> Result<Type, Problem> {
        stack::step(|| self.kind(node))
    }

    fn kind(&mut self, node: &'a Node) -> Result<Type, Problem> {
        match node {
            Node::Literal(literal) => Ok(literal_type(literal)),
            Node::Ref(reference) => self.reference(reference),
            Node::Local(name) => Ok(self.variable(name)),
            Node::Field { of, name } => self.field(of, name),
            Node::Has { of, name } => {
                let of = self.value(of)?;
                if of.is_object() { Ok(Type::Bool) } else { Err(no_field(name, &of)) }
            }
            Node::Index { of, key } => self.index(of, key),
            Node::Not(inner) => self.need(inner, &Type::Bool, "`!`").map(|()| Type::Bool),
            Node::Negate(inner) => self.negate(inner),
            Node::And(a, b) => self.both(a, b, true),
            Node::Or(a, b) => self.both(a, b, false),
            Node::Condition { test, then, other } => self.condition(test, then, other),
            Node::Binary { operator, left, right } => self.binary(*operator, left, right),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.object(entries),
            Node::Call { function, args } => self.call(*function, args),
            Node::Loop { kind, over, variable, body } => self.repeat(*kind, over, variable, body),
        }
    }

    /// The type of `node`, which may not be null here.
    fn value(&mut self, node: &'a Node) -> Result<Type, Problem> {
        match self.any(node)? {
            Type::Nullable(_) => Err(may_be_null(node)),
            known => Ok(known),
        }
    }

    fn need(&mut self, node: &'a Node, expected: &Type, what: &str) -> Result<(), Problem> {
        let found = self.value(node)?;
        if found == *expected || found == Type::Dyn { Ok(()) } else { Err(Problem::mismatch(what, expected, found)) }
    }

    fn reference(&mut self, reference: &Reference) -> Result<Type, Problem> {
        self.types.insert(reference.clone(), self.env.type_of(reference, false)?);
        let ran = reference.outputs_of().is_some_and(|step| self.known.contains(&Fact::Ran(step.to_owned())));
        let found = self.env.type_of(reference, ran)?;
        let tested = self.known.contains(&Fact::Value(reference.clone()));
        Ok(if tested { found.non_null() } else { found })
    }

    fn variable(&self, name: &str) -> Type {
        let of = self.local.as_ref().map_or(Type::Dyn, |(_, of)| of.clone());
        if self.known.contains(&Fact::Local(name.to_owned())) { of.non_null() } else { of }
    }

    fn field(&mut self, of: &'a Node, name: &str) -> Result<Type, Problem> {
        match self.value(of)? {
            Type::Record(fields) => match fields.get(name) {
                Some(found) => Ok(found.clone()),
                None => Err(Problem::unknown("field", name, fields.keys().map(String::as_str))),
            },
            Type::Map | Type::Dyn => Ok(Type::Dyn),
            other => Err(no_field(name, &other)),
        }
    }

    fn index(&mut self, of: &'a Node, key: &'a Node) -> Result<Type, Problem> {
        let (of, key) = (self.value(of)?, self.value(key)?);
        match (of, &key) {
            (Type::List(element), Type::Int | Type::Dyn) => Ok(*element),
            (Type::Record(_) | Type::Map, Type::String | Type::Dyn) => Ok(Type::Dyn),
            (Type::Dyn, Type::Int | Type::String | Type::Dyn) => Ok(Type::Dyn),
            (Type::List(_), _) => Err(Problem::mismatch("the index of a list", Type::Int, key)),
            (Type::Record(_) | Type::Map, _) => Err(Problem::mismatch("the key of an object", Type::String, key)),
            (of, _) => Err(Problem::mismatch("`[…]`", "a list or an object", of)),
        }
    }

    fn negate(&mut self, inner: &'a Node) -> Result<Type, Problem> {
        let found = self.value(inner)?;
        if found.is_number() { Ok(found) } else { Err(Problem::mismatch("`-`", "integer or number", found)) }
    }

    fn both(&mut self, a: &'a Node, b: &'a Node, and: bool) -> Result<Type, Problem> {
        let what = if and { "`&&`" } else { "`||`" };
        self.need(a, &Type::Bool, what)?;
        // The right side counts only when the left is true (`&&`) or false (`||`).
        self.knowing(facts(a, and), |checker| checker.need(b, &Type::Bool, what))?;
        Ok(Type::Bool)
    }

    fn condition(&mut self, test: &'a Node, then: &'a Node, other: &'a Node) -> Result<Type, Problem> {
        self.need(test, &Type::Bool, "the test of `?:`")?;
        let then = self.knowing(facts(test, true), |checker| checker.any(then))?;
        let other = self.knowing(facts(test, false), |checker| checker.any(other))?;
        then.clone()
            .join(other.clone())
            .ok_or_else(|| Problem::mismatch_fix("the second branch of `?:`", &then, &other, conversion(&then, &other)))
    }

    fn knowing<T>(&mut self, more: Facts, f: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        let before = self.known.clone();
        self.known.extend(more);
        let result = f(self);
        self.known = before;
        result
    }

    fn binary(&mut self, operator: Operator, left: &'a Node, right: &'a Node) -> Result<Type, Problem> {
        if matches!(operator, Operator::Equal | Operator::NotEqual) {
            return self.equality(operator, left, right);
        }
        let (a, b) = (self.value(left)?, self.value(right)?);
        let result = match operator {
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => ordered(&a, &b),
            Operator::In => contained(&a, &b),
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder
            | Operator::Equal
            | Operator::NotEqual => arithmetic(operator, &a, &b),
        };
        result.ok_or_else(|| {
            let what = format!("`{}`", operator.symbol());
            Problem::mismatch_fix(what, takes(operator), format!("{a} and {b}"), conversion(&a, &b))
        })
    }

    fn equality(&mut self, operator: Operator, left: &'a Node, right: &'a Node) -> Result<Type, Problem> {
        let (a, b) = (self.any(left)?, self.any(right)?);
        if a == Type::Null || b == Type::Null {
            return Ok(Type::Bool);
        }
        for (node, of) in [(left, &a), (right, &b)] {
            if matches!(of, Type::Nullable(_)) {
                return Err(may_be_null(node));
            }
        }
        if a.comparable(&b) {
            return Ok(Type::Bool);
        }
        let what = format!("`{}`", operator.symbol());
        Err(Problem::mismatch_fix(what, takes(operator), format!("{a} and {b}"), conversion(&a, &b)))
    }

    fn list(&mut self, elements: &'a [Node]) -> Result<Type, Problem> {
        let mut of: Option<Type> = None;
        for element in elements {
            let found = self.any(element)?;
            of = Some(match of {
                None => found,
                Some(so_far) => so_far.join(found).unwrap_or(Type::Dyn),
            });
        }
        Ok(Type::list(of.unwrap_or(Type::Dyn)))
    }

    fn object(&mut self, entries: &'a [(Node, Node)]) -> Result<Type, Problem> {
        let mut fields = BTreeMap::new();
        let mut computed = false;
        let mut seen = BTreeSet::new();
        for (key, value) in entries {
            let of = self.any(value)?;
            if let Node::Literal(Literal::String(name)) = key {
                if !seen.insert(name) {
                    return Err(Problem::unsupported(format!("the key `{name}` twice"), "leave one out"));
                }
                fields.insert(name.clone(), of);
            } else {
                self.need(key, &Type::String, "the key of an object")?;
                computed = true;
            }
        }
        Ok(if computed { Type::Map } else { Type::Record(fields) })
    }

    fn call(&mut self, function: Function, args: &'a [Node]) -> Result<Type, Problem> {
        let mut types = Vec::with_capacity(args.len());
        for (at, arg) in args.iter().enumerate() {
            let null_is_fine = function == Function::OrValue || function == Function::ToJson && at == 0;
            types.push(if null_is_fine { self.any(arg)? } else { self.value(arg)? });
        }
        function.result(&types)
    }

    fn repeat(&mut self, kind: LoopKind, over: &'a Node, variable: &'a str, body: &'a Node) -> Result<Type, Problem> {
        let element = match self.value(over)? {
            Type::List(element) => *element,
            Type::Record(_) | Type::Map => Type::String,
            Type::Dyn => Type::Dyn,
            other => return Err(Problem::mismatch(format!("`{}`", kind.name()), "a list or an object", other)),
        };
        self.local = Some((variable, element.clone()));
        let result = self.body(kind, body, element, variable);
        self.local = None;
        result
    }

    fn body(&mut self, kind: LoopKind, body: &'a Node, element: Type, variable: &str) -> Result<Type, Problem> {
        if kind == LoopKind::Map {
            return self.any(body).map(Type::list);
        }
        self.need(body, &Type::Bool, &format!("the test of `{}`", kind.name()))?;
        if kind != LoopKind::Filter {
            return Ok(Type::Bool);
        }
        let kept = facts(body, true).contains(&Fact::Local(variable.to_owned()));
        Ok(Type::list(if kept { element.non_null() } else { element }))
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
    }
}

/// Outputs may be null because their step may have been skipped, and for no other reason.
fn may_be_null(node: &Node) -> Problem {
    let (place, step) = match node {
        Node::Ref(reference) => (reference.to_string(), reference.outputs_of().map(str::to_owned)),
        Node::Local(name) => (name.clone(), None),
        _ => ("(…)".to_owned(), None),
    };
    Problem::MayBeNull { place, step }
}

fn no_field(name: &str, of: &Type) -> Problem {
    Problem::mismatch(format!("`.{name}`"), "an object", of)
}

fn takes(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "two integers, numbers, strings or lists",
        Operator::Subtract | Operator::Multiply | Operator::Divide => "two integers or two numbers",
        Operator::Remainder => "two integers",
        Operator::Equal | Operator::NotEqual => "two values of one type",
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => "numbers or strings",
        Operator::In => "a value and a list of its type, or a string and an object",
    }
}

/// What would make the two types meet, if anything would.
fn conversion(a: &Type, b: &Type) -> &'static str {
    match (a, b) {
        (Type::Int, Type::Double) | (Type::Double, Type::Int) => "convert with `int(…)` or `double(…)`",
        (Type::String, other) | (other, Type::String) if other.is_scalar() => {
            "convert with `string(…)`, `int(…)` or `double(…)`"
        }
        _ => "",
    }
}

fn arithmetic(operator: Operator, a: &Type, b: &Type) -> Option<Type> {
    let add = operator == Operator::Add;
    match (a, b) {
        (Type::Int, Type::Int) => Some(Type::Int),
        (Type::Double, Type::Double) if operator != Operator::Remainder => Some(Type::Double),
        (Type::String, Type::String) if add => Some(Type::String),
        (Type::List(a), Type::List(b)) if add => {
            Some(Type::list(a.as_ref().clone().join(*b.clone()).unwrap_or(Type::Dyn)))
        }
        (Type::Dyn, Type::Dyn) => Some(Type::Dyn),
        // An integer from outside may turn out to be a number, and then the result is one.
        (Type::Dyn, Type::Int) | (Type::Int, Type::Dyn) => Some(Type::Dyn),
        (Type::Dyn, known) | (known, Type::Dyn) => match arithmetic(operator, known, known)? {
            Type::List(_) => Some(Type::list(Type::Dyn)),
            other => Some(other),
        },
        _ => None,
    }
}

fn ordered(a: &Type, b: &Type) -> Option<Type> {
    let text = |t: &Type| matches!(t, Type::String | Type::Dyn);
    (a.is_number() && b.is_number() || text(a) && text(b)).then_some(Type::Bool)
}

fn contained(item: &Type, whole: &Type) -> Option<Type> {
    let fits = match whole {
        Type::List(element) => item.comparable(element),
        Type::Record(_) | Type::Map => matches!(item, Type::String | Type::Dyn),
        Type::Dyn => true,
        Type::Null | Type::Bool | Type::Int | Type::Double | Type::String | Type::Nullable(_) => false,
    };
    fits.then_some(Type::Bool)
}
