//! Room on the stack. One that overflows takes the whole process with it, so what descends asks first.

/// More than a step of the checker or the evaluator needs, unoptimised.
const STEP: usize = 256 * 1024;
/// What a new piece has: some steps' worth.
const PIECE: usize = 8 * STEP;
/// The parser descends a dozen calls for each bracket: with 16 brackets, or 500 operators in a row, it was seen to need
/// less than 2 MiB, unoptimised. What is larger is refused before it starts (`scan`).
const PARSER: usize = 4 * 1024 * 1024;

/// Runs one step of a descent, on a new piece of stack when little is left.
pub(super) fn step<T>(f: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STEP, PIECE, f)
}

/// Runs the parser.
pub(super) fn parser<T>(f: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(PARSER, PARSER, f)
}
