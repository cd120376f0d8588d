//! The expression language: CEL in `${…}`, checked before anything runs.
//!
//! A string of a spec becomes a [`Template`] (parsed once), a [`Checked`] (its names and types hold against an
//! [`Env`]), and at last a value (its expressions replaced once, from [`Values`]; the result is never scanned again):
//!
//! ```text
//! Template::parse("${params.window + 1}")?.check(&env)?.render(&values)?
//! ```
//!
//! Syntax comes from the `cel` crate's parser. What Hearth adds is the subset (`lower`), the types (`check`) and an
//! evaluator that counts its work (`eval`): whatever a spec says, an evaluation ends soon, and needs little memory.
//! The functions are listed in [`FUNCTIONS`].

mod ast;
mod check;
mod convert;
mod datum;
mod env;
mod error;
mod escape;
mod eval;
mod functions;
mod library;
mod lower;
mod narrow;
mod parse;
mod scan;
mod stack;
mod suggest;
mod template;
#[cfg(test)]
mod tests;
mod types;

pub use ast::Reference;
pub use env::{Env, Item, StepType, StepValue, Values};
pub use error::{ExprError, Problem};
pub use escape::kubelet_escape;
pub use functions::{FUNCTIONS, Function, FunctionDoc, Style};
pub use template::{Checked, Template};
pub use types::Type;

/// The longest expression between `${` and `}`, in bytes.
pub const MAX_EXPRESSION: usize = 1024;
/// The deepest nesting of brackets and of `?:`.
pub const MAX_NESTING: usize = 16;
/// The deepest tree of operators: `a + b + c` has two levels.
pub const MAX_DEPTH: usize = 64;
/// The longest list that an expression may read or make.
pub const MAX_LIST: usize = 10_000;
/// The largest value that an expression may give, in bytes of JSON.
pub const MAX_OUTPUT: usize = 64 * 1024;
/// The most work that one expression may do: about one unit for each operation, element or eight bytes of text.
pub const MAX_WORK: u64 = 1_000_000;
