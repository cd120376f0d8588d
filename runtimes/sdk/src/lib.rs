//! What every runtime of Hearth shares: it reads `/hearth/spec.json`, finds inputs and artifacts, writes outputs, and
//! ends with the exit codes of `runtimes/CONTRACT.md`. A runtime is a type that implements [`Runtime`] and a `main` that
//! calls [`main`].
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that fails shall fail loudly"
    )
)]

pub mod catalog;
mod failure;
mod job;
mod outputs;
mod program;
mod spec;
mod termination;

pub use failure::{Code, Failure};
pub use job::{Input, Job};
pub use outputs::{Output, OutputType, Outputs};
pub use program::main;
pub use spec::{Artifact, DeclaredOutput, Run, Spec, Workflow};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A program that does the work of a step.
pub trait Runtime {
    /// The name in the catalog, and of the image.
    const NAME: &'static str;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// The outputs that it can write; a step declares those that it wants.
    const OUTPUTS: &'static [Output];
    /// The artifacts that it can write; a step declares those that it wants.
    const ARTIFACTS: &'static [&'static str];
    /// What stands under `with:` in the step. Unknown fields should be refused (`deny_unknown_fields`).
    type With: DeserializeOwned + JsonSchema;

    /// Does the work.
    ///
    /// # Errors
    ///
    /// A [`Failure`] with the exit code and the explanation that people will read.
    fn run(with: Self::With, job: &Job) -> Result<Outputs, Failure>;
}
