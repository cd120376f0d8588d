//! Running tests: each in a process of its own, so that one can be stopped and the next one starts afresh.

use crate::build::Program;
use anyhow::{Context, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::process::Command;

/// The longest that a test may take without any mutant.
const LONGEST: Duration = Duration::from_secs(900);
/// Address space of a test, in KiB: a mutant may collect without end.
const MEMORY: &str = "6000000";

/// A test, and what is known of it.
#[derive(Clone, Debug)]
pub struct Test {
    program: Program,
    name: String,
    took: Duration,
    /// The mutants that it reaches.
    reaches: BTreeSet<usize>,
}

/// How a run of a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    TimeOut,
}

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This test failed.
    Noticed(String),
    /// This test did not end in time.
    TimeOut(String),
    /// It does not compile.
    Impossible,
    /// So many tests reached it, and all passed.
    Missed(usize),
}

/// The tests of a program.
async fn names(program: &Program) -> Result<Vec<String>> {
    let list = async |more: &[&str]| {
        let mut command = command(program);
        let output = command.args(["--list", "--format", "terse"]).args(more).output().await.context("list tests")?;
        ensure!(output.status.success(), "{} --list: {}", program.path.display(), output.status);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::Ok(text.lines().filter_map(|l| l.strip_suffix(": test").map(str::to_owned)).collect::<Vec<_>>())
    };
    let ignored: BTreeSet<String> = list(&["--ignored"]).await?.into_iter().collect();
    Ok(list(&[]).await?.into_iter().filter(|name| !ignored.contains(name)).collect())
}

/// Runs every test once without a mutant, and notes how long it takes and what it reaches.
///
/// # Errors
/// A test fails without any mutant.
pub async fn record(programs: &[Program], folder: &Path, jobs: usize) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for program in programs {
        let new = |name| Test { program: program.clone(), name, took: LONGEST, reaches: BTreeSet::new() };
        tests.extend(names(program).await?.into_iter().map(new));
    }
    let one = async |(n, mut test): (usize, Test)| {
        let seen = folder.join(format!("seen-{n}"));
        // Numbers of an earlier run.
        drop(std::fs::remove_file(&seen));
        let began = Instant::now();
        let end = test.run("MUTANTS_SEEN", &seen.to_string_lossy(), LONGEST).await?;
        ensure!(end == End::Passed, "{} without a mutant: {end:?}", test.name);
        test.took = began.elapsed();
        let numbers = std::fs::read_to_string(&seen).unwrap_or_default();
        test.reaches = numbers.lines().filter_map(|n| n.parse().ok()).collect();
        anyhow::Ok(test)
    };
    at_once(tests.into_iter().enumerate(), jobs, one).await
}

/// Some at a time, in any order.
pub async fn at_once<T, R>(
    all: impl IntoIterator<Item = T>,
    jobs: usize,
    one: impl AsyncFn(T) -> Result<R>,
) -> Result<Vec<R>> {
    use futures::{StreamExt, TryStreamExt, stream};
    let one = &one;
    let all: Vec<_> = all.into_iter().map(|item| async move { one(item).await }).collect();
    stream::iter(all).buffer_unordered(jobs).try_collect().await
}

/// All tests, and which of them have noticed how many mutants.
pub struct Trials {
    tests: Vec<Test>,
    noticed: Mutex<BTreeMap<String, u32>>,
}

impl Trials {
    /// Tests that have noticed nothing yet.
    pub fn new(tests: Vec<Test>) -> Self {
        Self { tests, noticed: Mutex::default() }
    }

    /// How many there are, and how long they take one after the other.
    pub fn size(&self) -> (usize, Duration) {
        (self.tests.len(), self.tests.iter().map(|t| t.took).sum())
    }

    /// Runs the tests that reach the mutant until one fails; quick ones that noticed others come first.
    ///
    /// # Errors
    /// A test cannot be started.
    pub async fn of(&self, id: usize) -> Result<Verdict> {
        self.run(self.tests.iter().filter(|t| t.reaches.contains(&id)), "MUTANT", &id.to_string()).await
    }

    /// Runs all tests of other programs, built with one mutant, until one fails.
    ///
    /// # Errors
    /// A test cannot be started.
    pub async fn of_programs(&self, programs: &[Program]) -> Result<Verdict> {
        let built = |test: &Test| {
            let program =
                programs.iter().find(|p| stem(p) == stem(&test.program) && p.package == test.program.package)?;
            Some(Test { program: program.clone(), ..test.clone() })
        };
        let tests: Vec<Test> = self.tests.iter().filter_map(built).collect();
        self.run(tests.iter(), "MUTANT", "none").await
    }

    async fn run(&self, tests: impl Iterator<Item = &Test>, name: &str, value: &str) -> Result<Verdict> {
        let mut tests: Vec<&Test> = tests.collect();
        let noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let promise = |test: &Test| {
            let noticed = noticed.get(&test.name).copied().unwrap_or(0);
            test.took.as_secs_f64() / (1.0 + f64::from(noticed).sqrt())
        };
        tests.sort_by(|a, b| promise(a).total_cmp(&promise(b)));
        for test in &tests {
            let end = test.run(name, value, test.took * 6 + Duration::from_secs(5)).await?;
            if end != End::Passed {
                *self.noticed.lock().unwrap_or_else(PoisonError::into_inner).entry(test.name.clone()).or_default() += 1;
                let name = test.name.clone();
                return Ok(if end == End::Failed { Verdict::Noticed(name) } else { Verdict::TimeOut(name) });
            }
        }
        Ok(Verdict::Missed(tests.len()))
    }
}

/// The name of a program without the digest that cargo adds.
fn stem(program: &Program) -> Option<&str> {
    program.path.file_name()?.to_str()?.rsplit_once('-').map(|(name, _)| name)
}

impl Test {
    async fn run(&self, name: &str, value: &str, limit: Duration) -> Result<End> {
        let mut command = command(&self.program);
        command.args([&self.name, "--exact", "--test-threads=1"]).env(name, value);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("start a test")?;
        match tokio::time::timeout(limit, child.wait()).await {
            Ok(status) => Ok(if status?.success() { End::Passed } else { End::Failed }),
            Err(_) => {
                child.kill().await.context("stop a test")?;
                Ok(End::TimeOut)
            }
        }
    }
}

fn command(program: &Program) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY])
        .arg(&program.path)
        .current_dir(&program.package)
        .env("CARGO_MANIFEST_DIR", &program.package)
        // A failing test must leave nothing behind.
        .envs([("CI", "true"), ("INSTA_UPDATE", "no"), ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")])
        .kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_names() {
        let program = Program { path: "/x/hearth_plan-0123456789abcdef".into(), package: "/x".into() };
        assert_eq!(stem(&program), Some("hearth_plan"));
    }
}
