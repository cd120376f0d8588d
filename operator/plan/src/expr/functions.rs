//! The functions: names, how they are called, types.

use super::{Problem, Type};

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `f(x, y)`.
    Global,
    /// `x.f(y)`.
    Member,
    /// Both.
    Either,
}

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Length of a text, list or object.
    Size,
    /// To text.
    String,
    /// To an integer.
    Int,
    /// To a number.
    Double,
    /// To a boolean.
    Bool,
    /// A default for null.
    OrValue,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// JSON text.
    ToJson,
    /// Prefix test.
    StartsWith,
    /// Suffix test.
    EndsWith,
    /// Substring test.
    Contains,
    /// Small letters.
    LowerAscii,
    /// Capital letters.
    UpperAscii,
    /// Without white space at both ends.
    Trim,
    /// Each occurrence replaced.
    Replace,
    /// Text to list.
    Split,
    /// List to text.
    Join,
}

/// What the documentation says about a function.
#[derive(Clone, Copy, Debug)]
pub struct FunctionDoc {
    /// Which one.
    pub function: Function,
    /// Its name.
    pub name: &'static str,
    /// How it is called.
    pub style: Style,
    /// Least and greatest number of arguments, the receiver among them.
    pub args: (usize, usize),
    /// The call and its type.
    pub signature: &'static str,
    /// What it does.
    pub doc: &'static str,
}

const ANY_NUMBER: usize = 64;

const fn doc(
    function: Function,
    name: &'static str,
    style: Style,
    args: (usize, usize),
    signature: &'static str,
    doc: &'static str,
) -> FunctionDoc {
    FunctionDoc { function, name, style, args, signature, doc }
}

/// All functions. `has(x.y)` and the loops `map`, `filter`, `all` and `exists` are syntax and stand beside them.
#[rustfmt::skip]
pub const FUNCTIONS: &[FunctionDoc] = &[
    doc(Function::Size, "size", Style::Either, (1, 1), "size(string | list | object) -> integer", "characters, elements or fields"),
    doc(Function::String, "string", Style::Global, (1, 1), "string(boolean | integer | number | string) -> string", "as text: `12`, `0.5`, `true`"),
    doc(Function::Int, "int", Style::Global, (1, 1), "int(integer | number | string) -> integer", "numbers are cut towards zero"),
    doc(Function::Double, "double", Style::Global, (1, 1), "double(integer | number | string) -> number", "as a number with a fraction"),
    doc(Function::Bool, "bool", Style::Global, (1, 1), "bool(boolean | string) -> boolean", "`true` and `false` as text"),
    doc(Function::OrValue, "orValue", Style::Either, (2, 2), "x.orValue(default)", "`default` when `x` is null"),
    doc(Function::Min, "min", Style::Global, (1, ANY_NUMBER), "min(a, b, …) or min(list) -> integer | number", "the least; an empty list is an error"),
    doc(Function::Max, "max", Style::Global, (1, ANY_NUMBER), "max(a, b, …) or max(list) -> integer | number", "the greatest; an empty list is an error"),
    doc(Function::ToJson, "toJson", Style::Global, (1, 1), "toJson(any) -> string", "JSON on one line"),
    doc(Function::StartsWith, "startsWith", Style::Member, (2, 2), "string.startsWith(string) -> boolean", "whether it begins so"),
    doc(Function::EndsWith, "endsWith", Style::Member, (2, 2), "string.endsWith(string) -> boolean", "whether it ends so"),
    doc(Function::Contains, "contains", Style::Member, (2, 2), "string.contains(string) -> boolean", "whether it occurs; for lists: `x in list`"),
    doc(Function::LowerAscii, "lowerAscii", Style::Member, (1, 1), "string.lowerAscii() -> string", "A to Z made small"),
    doc(Function::UpperAscii, "upperAscii", Style::Member, (1, 1), "string.upperAscii() -> string", "a to z made capital"),
    doc(Function::Trim, "trim", Style::Member, (1, 1), "string.trim() -> string", "without white space at both ends"),
    doc(Function::Replace, "replace", Style::Member, (3, 3), "string.replace(from, to) -> string", "each occurrence replaced"),
    doc(Function::Split, "split", Style::Member, (2, 2), "string.split(separator) -> list of string", "the parts between separators"),
    doc(Function::Join, "join", Style::Member, (1, 2), "list.join(separator) -> string", "the elements as text in a row; no separator when left out"),
];

/// What a call that is no function may have meant.
pub(super) const LOOPS: [&str; 4] = ["map", "filter", "all", "exists"];

impl Function {
    /// The entry of [`FUNCTIONS`].
    pub(super) fn find(name: &str) -> Result<&'static FunctionDoc, Problem> {
        FUNCTIONS.iter().find(|d| d.name == name).ok_or_else(|| {
            let known = FUNCTIONS.iter().map(|d| d.name).chain(LOOPS).chain(["has"]);
            Problem::unknown("function", name, known)
        })
    }

    pub(super) fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|d| d.function == self).map_or("", |d| d.name)
    }

    /// The type of a call with arguments of types `args`, none of which may be null (but the first of `orValue`, and
    /// that of `toJson`).
    pub(super) fn result(self, args: &[Type]) -> Result<Type, Problem> {
        let call = || format!("`{}`", self.name());
        match self {
            Self::Size => {
                let fits = |t: &Type| matches!(t, Type::String | Type::List(_)) || t.is_object();
                each(args, fits, call, "a string, a list or an object", |_| String::new())?;
                Ok(Type::Int)
            }
            Self::String => {
                each(args, Type::is_scalar, call, "boolean, integer, number or string", |t| match t {
                    Type::List(_) => "for lists use `.join(\", \")` or `toJson(…)`".to_owned(),
                    _ => "use `toJson(…)`".to_owned(),
                })?;
                Ok(Type::String)
            }
            Self::Int | Self::Double => {
                let fits = |t: &Type| t.is_number() || *t == Type::String;
                each(args, fits, call, "integer, number or string", |_| String::new())?;
                Ok(if self == Self::Int { Type::Int } else { Type::Double })
            }
            Self::Bool => {
                let fits = |t: &Type| matches!(t, Type::Bool | Type::String | Type::Dyn);
                each(args, fits, call, "boolean or string", |_| String::new())?;
                Ok(Type::Bool)
            }
            Self::OrValue => or_value(args),
            Self::Min | Self::Max => extreme(self, args),
            Self::ToJson => Ok(Type::String),
            Self::StartsWith | Self::EndsWith | Self::Contains => {
                each(args, is_text, call, "strings", |t| match (self, t) {
                    (Self::Contains, Type::List(_)) => "for lists write `x in list`".to_owned(),
                    _ => "use `string(…)`".to_owned(),
                })?;
                Ok(Type::Bool)
            }
            Self::LowerAscii | Self::UpperAscii | Self::Trim | Self::Replace => {
                each(args, is_text, call, "strings", |_| "use `string(…)`".to_owned())?;
                Ok(Type::String)
            }
            Self::Split => {
                each(args, is_text, call, "strings", |_| "use `string(…)`".to_owned())?;
                Ok(Type::list(Type::String))
            }
            Self::Join => join(args),
        }
    }
}

fn is_text(t: &Type) -> bool {
    matches!(t, Type::String | Type::Dyn)
}

fn each(
    args: &[Type],
    fits: impl Fn(&Type) -> bool,
    call: impl Fn() -> String,
    expected: &str,
    fix: impl Fn(&Type) -> String,
) -> Result<(), Problem> {
    match args.iter().find(|t| !fits(t)) {
        None => Ok(()),
        Some(t) => Err(Problem::mismatch_fix(call(), expected, t, fix(t))),
    }
}

fn or_value(args: &[Type]) -> Result<Type, Problem> {
    let [value, default] = args else { return Ok(Type::Dyn) };
    let value = value.clone().non_null();
    value.clone().join(default.clone()).ok_or_else(|| {
        let fix =
            if value.is_number() && default.is_number() { "convert with `int(…)` or `double(…)`" } else { "" };
        Problem::mismatch_fix("the default of `orValue`", value, default, fix)
    })
}

fn extreme(function: Function, args: &[Type]) -> Result<Type, Problem> {
    let what = || format!("`{}`", function.name());
    if let [Type::List(element)] = args {
        return match element.as_ref() {
            t @ (Type::Int | Type::Double | Type::Dyn) => Ok(t.clone()),
            t => Err(Problem::mismatch(what(), "a list of integers or of numbers", Type::list(t.clone()))),
        };
    }
    let mut result: Option<Type> = None;
    for t in args {
        if !t.is_number() {
            return Err(Problem::mismatch(what(), "integers, numbers or one list", t));
        }
        let so_far = result.take().unwrap_or_else(|| t.clone());
        result = Some(
            so_far
                .clone()
                .join(t.clone())
                .ok_or_else(|| Problem::mismatch_fix(what(), so_far, t, "convert with `int(…)` or `double(…)`"))?,
        );
    }
    Ok(result.unwrap_or(Type::Dyn))
}

fn join(args: &[Type]) -> Result<Type, Problem> {
    match args.first() {
        Some(Type::Dyn) => {}
        Some(Type::List(element)) if element.is_scalar() => {}
        Some(t) => {
            let fix = "make text of each element: `.map(x, …)`";
            return Err(Problem::mismatch_fix("`join`", "a list of booleans, integers, numbers or strings", t, fix));
        }
        None => {}
    }
    match args.get(1) {
        Some(t) if !is_text(t) => Err(Problem::mismatch("the separator of `join`", Type::String, t)),
        Some(_) | None => Ok(Type::String),
    }
}
