//! From text to a tree of the subset.

use super::{Problem, ast::Node, lower, stack};
use cel::Env;

/// Parses one expression of at most `MAX_EXPRESSION` bytes, scanned already.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::Empty);
    }
    stack::parser(|| {
        // Without macros `xs.map(x, …)` stays the call that it is written as.
        let parser = Env::default().with_optional_support(false).parser().enable_ident_escape_syntax(true);
        let tree = parser.parse(text).map_err(|errors| syntax(text, &errors))?;
        lower::lower(&tree)
    })
}

fn syntax(text: &str, errors: &cel::ParseErrors) -> Problem {
    let Some(first) = errors.errors.first() else {
        return Problem::Syntax { at: 1, message: "not an expression".to_owned() };
    };
    let (line, column) = first.pos;
    let before: usize =
        text.split('\n').take(usize::try_from(line - 1).unwrap_or(0)).map(|l| l.chars().count() + 1).sum();
    let message = first.msg.trim_start_matches("Syntax error: ");
    // The list of all tokens that would do helps nobody.
    let message = message.split(" expecting {").next().unwrap_or(message);
    Problem::Syntax { at: before + usize::try_from(column).unwrap_or(1).max(1), message: message.to_owned() }
}
