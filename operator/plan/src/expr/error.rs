//! What can be wrong with an expression.

use super::{MAX_DEPTH, MAX_EXPRESSION, MAX_NESTING, Type};
use std::fmt;
use thiserror::Error;

/// An expression, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {problem}", Cut(expression))]
pub struct ExprError {
    /// The text as written, with its `${` and `}`.
    pub expression: String,
    /// What is wrong, and how to put it right.
    pub problem: Problem,
}

/// What is wrong with an expression. The first group is found in the text, the second against the declared names and
/// types, the third only when values are there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// A `${` without its `}`.
    #[error("`${{` at character {at} has no closing `}}`; write `$${{` for a literal `${{`")]
    Unterminated {
        /// Counted from 1.
        at: usize,
    },
    /// Nothing between `${` and `}`.
    #[error("the expression is empty; write `$${{` for a literal `${{`")]
    Empty,
    /// Longer than [`MAX_EXPRESSION`].
    #[error("the expression has {bytes} bytes; at most {MAX_EXPRESSION} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nested deeper than [`MAX_NESTING`] brackets or [`MAX_DEPTH`] operators.
    #[error(
        "the expression nests too deeply; at most {MAX_NESTING} brackets or `?:`, and {MAX_DEPTH} operators, may lie \
         within each other"
    )]
    TooDeep,
    /// Not CEL.
    #[error("syntax error at character {at} of the expression: {message}")]
    Syntax {
        /// Counted from 1.
        at: usize,
        /// What the parser said.
        message: String,
    },
    /// CEL, but outside the subset.
    #[error("{what} cannot be used here; {fix}")]
    Unsupported {
        /// What was used.
        what: String,
        /// What to do instead.
        fix: String,
    },

    /// A name that nobody declared.
    #[error("unknown {what} `{name}`; {}", Known(.known, .suggestion))]
    Unknown {
        /// What kind of thing the name should have been.
        what: &'static str,
        /// As written.
        name: String,
        /// The nearest known name, when one is near.
        suggestion: Option<String>,
        /// All names that would do.
        known: Vec<String>,
    },
    /// A step that exists but need not have ended yet.
    #[error("step `{step}` need not have ended before this one; add it to `needs`")]
    NotNeeded {
        /// Its name.
        step: String,
    },
    /// A value of the wrong type.
    #[error("{what} needs {expected}, found {found}{}", Fix(.fix))]
    Mismatch {
        /// The operator, function or field.
        what: String,
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
        /// A way out; may be empty.
        fix: String,
    },
    /// A value that may be null, used as if it never were.
    #[error("{}; give a default with `{place}.orValue(…)`, or test it first: `{place} != null ? … : …`", Null(.place, .step))]
    MayBeNull {
        /// The value as written.
        place: String,
        /// The step that makes it null when it is skipped.
        step: Option<String>,
    },
    /// A list, a map or null amid text.
    #[error("{found} cannot stand in text; {fix}")]
    NotText {
        /// Its type.
        found: String,
        /// What to do instead.
        fix: &'static str,
    },

    /// An evaluation that has no result, such as a division by zero.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
    },
    /// A value that is not of its declared type, or is not there at all.
    #[error("`{name}` is declared as {expected}, but is {found}")]
    WrongValue {
        /// What was read.
        name: String,
        /// The declared type.
        expected: Type,
        /// What is there.
        found: String,
    },
    /// A limit was hit.
    #[error("{what} is over the limit of {limit}")]
    TooMuch {
        /// What was too much.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Problem {
    pub(super) fn unsupported(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), fix: fix.into() }
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into() }
    }

    pub(super) fn mismatch(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self::mismatch_fix(what, expected, found, "")
    }

    pub(super) fn mismatch_fix(
        what: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
        fix: impl Into<String>,
    ) -> Self {
        Self::Mismatch { what: what.into(), expected: expected.to_string(), found: found.to_string(), fix: fix.into() }
    }

    pub(super) fn unknown<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let suggestion = super::suggest::nearest(name, &known);
        Self::Unknown { what, name: name.to_owned(), suggestion, known }
    }

    pub(super) fn of(self, expression: &str) -> ExprError {
        ExprError { expression: expression.to_owned(), problem: self }
    }
}

/// The expression, cut to what fits into a condition's message.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ROOM: usize = 120;
        match self.0.char_indices().nth(ROOM) {
            None => f.write_str(self.0),
            Some((at, _)) => write!(f, "{}…", self.0.get(..at).unwrap_or_default()),
        }
    }
}

struct Known<'a>(&'a [String], &'a Option<String>);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.1 {
            write!(f, "did you mean `{name}`? ")?;
        }
        if self.0.is_empty() {
            return f.write_str("none is declared");
        }
        write!(f, "known: {}", self.0.join(", "))
    }
}

struct Fix<'a>(&'a str);

impl fmt::Display for Fix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; {}", self.0) }
    }
}

struct Null<'a>(&'a str, &'a Option<String>);

impl fmt::Display for Null<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(step) => write!(f, "`{}` is null when step `{step}` is skipped", self.0),
            None => write!(f, "`{}` may be null", self.0),
        }
    }
}
