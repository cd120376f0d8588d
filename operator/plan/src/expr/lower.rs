//! From the `cel` crate's tree to ours: paths become references, calls become operators and functions, and whatever
//! lies outside the subset is refused by name.

use super::{
    MAX_DEPTH, Problem, Reference,
    ast::{Literal, LoopKind, Node, Operator},
    functions::{Function, LOOPS, Style},
};
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

/// Names that a loop variable may not take: all roots, those of later kinds too.
const ROOTS: [&str; 7] = ["params", "steps", "run", "now", "item", "index", "datasets"];
const KNOWN_ROOTS: [&str; 6] = ["params", "steps", "run", "now", "item", "index"];

pub(super) fn lower(tree: &IdedExpr) -> Result<Node, Problem> {
    Lower { local: None }.node(tree, 0)
}

/// A path on its way to a value: `steps.a` is none yet.
enum Path {
    Params,
    Steps,
    Step(String),
    Run,
    Node(Node),
}

impl Path {
    fn into_node(self) -> Result<Node, Problem> {
        match self {
            Self::Node(node) => Ok(node),
            Self::Params => Err(Problem::unsupported("`params` as a value", "write `params.NAME`")),
            Self::Steps => Err(Problem::unsupported("`steps` as a value", "write `steps.NAME.outputs.NAME`")),
            Self::Step(name) => Err(Problem::unsupported(
                format!("step `{name}` as a value"),
                format!(
                    "write `.outputs.NAME` or `.phase` after it; a step whose name has a `-` is written \
                     `steps[\"{name}-…\"]`"
                ),
            )),
            Self::Run => Err(Problem::unsupported("`run` as a value", "write `run.id` or `run.number`")),
        }
    }

    fn member(self, name: &str) -> Result<Self, Problem> {
        let reference = match self {
            Self::Params => Reference::Param(name.to_owned()),
            Self::Steps => return Ok(Self::Step(name.to_owned())),
            Self::Step(step) => match name {
                "outputs" => Reference::StepOutputs { step },
                "phase" => Reference::StepPhase(step),
                other => return Err(Problem::unknown("field of a step", other, ["outputs", "phase"])),
            },
            Self::Run => match name {
                "id" => Reference::RunId,
                "number" => Reference::RunNumber,
                "phase" => Reference::RunPhase,
                other => return Err(Problem::unknown("field of `run`", other, ["id", "number", "phase"])),
            },
            Self::Node(Node::Ref(Reference::StepOutputs { step })) => {
                Reference::StepOutput { step, output: name.to_owned() }
            }
            Self::Node(of) => return Ok(Self::Node(Node::Field { of: Box::new(of), name: name.to_owned() })),
        };
        Ok(Self::Node(Node::Ref(reference)))
    }
}

struct Lower<'a> {
    /// The variable of the loop that we are in.
    local: Option<&'a str>,
}

impl<'a> Lower<'a> {
    fn node(&mut self, tree: &'a IdedExpr, depth: usize) -> Result<Node, Problem> {
        self.path(tree, depth)?.into_node()
    }

    fn boxed(&mut self, tree: &'a IdedExpr, depth: usize) -> Result<Box<Node>, Problem> {
        self.node(tree, depth).map(Box::new)
    }

    fn path(&mut self, tree: &'a IdedExpr, depth: usize) -> Result<Path, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        let below = depth + 1;
        let node = match &tree.expr {
            Expr::Ident(name) => return self.name(name),
            Expr::Select(select) => return self.path(&select.operand, below)?.member(&select.field),
            Expr::Call(call) if call.func_name == operators::INDEX => return self.index(call, below),
            Expr::Call(call) => self.call(call, below)?,
            Expr::Literal(literal) => Node::Literal(self::literal(literal)?),
            Expr::List(list) => Node::List(self.nodes(&list.elements, below)?),
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        entries.push((self.node(&entry.key, below)?, self.node(&entry.value, below)?));
                    }
                }
                Node::Map(entries)
            }
            Expr::Struct(made) => {
                let what = format!("the type `{}`", made.type_name);
                return Err(Problem::unsupported(what, "write an object: `{\"key\": value}`"));
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                return Err(Problem::unsupported("this expression", "write it with the listed functions"));
            }
        };
        Ok(Path::Node(node))
    }

    fn name(&self, name: &str) -> Result<Path, Problem> {
        if self.local == Some(name) {
            return Ok(Path::Node(Node::Local(name.to_owned())));
        }
        match name {
            "params" => Ok(Path::Params),
            "steps" => Ok(Path::Steps),
            "run" => Ok(Path::Run),
            "now" => Ok(Path::Node(Node::Ref(Reference::Now))),
            "item" => Ok(Path::Node(Node::Ref(Reference::Item))),
            "index" => Ok(Path::Node(Node::Ref(Reference::Index))),
            other => Err(Problem::unknown("name", other, KNOWN_ROOTS.into_iter().chain(self.local))),
        }
    }

    fn index(&mut self, call: &'a CallExpr, depth: usize) -> Result<Path, Problem> {
        let [of, key] = call.args.as_slice() else { return Err(arity("[…]", "one key")) };
        let of = self.path(of, depth)?;
        match (of, self.node(key, depth)?) {
            // An object's field by its name, as `.name` would have it.
            (of, Node::Literal(Literal::String(name))) => of.member(&name),
            (Path::Node(of), key) => Ok(Path::Node(Node::Index { of: Box::new(of), key: Box::new(key) })),
            (Path::Params | Path::Steps | Path::Step(_) | Path::Run, _) => {
                Err(Problem::unsupported("a computed name of a param or step", "write the name itself"))
            }
        }
    }

    fn nodes(&mut self, trees: &'a [IdedExpr], depth: usize) -> Result<Vec<Node>, Problem> {
        trees.iter().map(|tree| self.node(tree, depth)).collect()
    }

    fn call(&mut self, call: &'a CallExpr, depth: usize) -> Result<Node, Problem> {
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::CONDITIONAL, None, [test, then, other]) => Ok(Node::Condition {
                test: self.boxed(test, depth)?,
                then: self.boxed(then, depth)?,
                other: self.boxed(other, depth)?,
            }),
            (operators::LOGICAL_AND, None, [a, b]) => Ok(Node::And(self.boxed(a, depth)?, self.boxed(b, depth)?)),
            (operators::LOGICAL_OR, None, [a, b]) => Ok(Node::Or(self.boxed(a, depth)?, self.boxed(b, depth)?)),
            (operators::LOGICAL_NOT, None, [a]) => Ok(Node::Not(self.boxed(a, depth)?)),
            (operators::NEGATE, None, [a]) => Ok(Node::Negate(self.boxed(a, depth)?)),
            (operators::HAS, None, [field]) => self.has(field, depth),
            (name, None, [left, right]) if operator(name).is_some() => {
                let Some(operator) = operator(name) else { return Err(arity(name, "two operands")) };
                let (left, right) = (self.boxed(left, depth)?, self.boxed(right, depth)?);
                Ok(Node::Binary { operator, left, right })
            }
            (name, Some(over), args) if LOOPS.contains(&name) => self.repeat(name, over, args, depth),
            (name @ ("exists_one" | "existsOne"), _, _) => {
                Err(Problem::unsupported(format!("`{name}`"), "write `size(xs.filter(x, …)) == 1`"))
            }
            (name, target, args) => self.function(name, target, args, depth),
        }
    }

    fn has(&mut self, field: &'a IdedExpr, depth: usize) -> Result<Node, Problem> {
        match self.node(field, depth)? {
            Node::Field { of, name } => Ok(Node::Has { of, name }),
            Node::Ref(reference) => Err(Problem::unsupported(
                format!("`has({reference})`"),
                format!("the name is declared, so it is there; write `{reference} != null`"),
            )),
            _ => Err(Problem::unsupported("`has` of a value", "write `has(object.field)`")),
        }
    }

    fn repeat(&mut self, name: &str, over: &'a IdedExpr, args: &'a [IdedExpr], depth: usize) -> Result<Node, Problem> {
        let [variable, body] = args else {
            return Err(arity(name, &format!("a variable and an expression: `xs.{name}(x, …)`")));
        };
        let Expr::Ident(variable) = &variable.expr else {
            return Err(arity(name, &format!("a plain name as its variable: `xs.{name}(x, …)`")));
        };
        if ROOTS.contains(&variable.as_str()) || variable.starts_with('.') {
            return Err(Problem::unsupported(format!("`{variable}` as a variable"), "take another name"));
        }
        if self.local.is_some() {
            let fix = "only one level is; chain them instead: `xs.filter(x, …).map(x, …)`";
            return Err(Problem::unsupported(format!("`{name}` within another loop"), fix));
        }
        let kind = match name {
            "map" => LoopKind::Map,
            "filter" => LoopKind::Filter,
            "all" => LoopKind::All,
            _ => LoopKind::Exists,
        };
        let over = self.boxed(over, depth)?;
        self.local = Some(variable);
        let body = self.boxed(body, depth);
        self.local = None;
        Ok(Node::Loop { kind, over, variable: variable.clone(), body: body? })
    }

    fn function(
        &mut self,
        name: &str,
        target: Option<&'a IdedExpr>,
        args: &'a [IdedExpr],
        depth: usize,
    ) -> Result<Node, Problem> {
        let doc = Function::find(name)?;
        let styled = match doc.style {
            Style::Either => true,
            Style::Global => target.is_none(),
            Style::Member => target.is_some(),
        };
        let count = args.len() + usize::from(target.is_some());
        if !styled || !(doc.args.0..=doc.args.1).contains(&count) {
            return Err(Problem::unsupported(format!("`{name}` like this"), format!("write `{}`", doc.signature)));
        }
        let args = target.into_iter().chain(args).map(|a| self.node(a, depth)).collect::<Result<_, _>>()?;
        Ok(Node::Call { function: doc.function, args })
    }
}

fn arity(name: &str, needs: &str) -> Problem {
    Problem::unsupported(format!("`{name}` like this"), format!("it takes {needs}"))
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterEqual,
        operators::IN => Operator::In,
        _ => return None,
    })
}

fn literal(value: &LiteralValue) -> Result<Literal, Problem> {
    Ok(match value {
        LiteralValue::Null => Literal::Null,
        LiteralValue::Boolean(b) => Literal::Bool(*b.inner()),
        LiteralValue::Int(i) => Literal::Int(*i.inner()),
        LiteralValue::Double(d) => Literal::Double(*d.inner()),
        LiteralValue::String(s) => Literal::String(s.inner().to_owned()),
        LiteralValue::UInt(u) => {
            return Err(Problem::unsupported(format!("the unsigned `{}u`", u.inner()), "leave the `u` out"));
        }
        LiteralValue::Bytes(_) => return Err(Problem::unsupported("bytes (`b\"…\"`)", "write a string")),
    })
}
