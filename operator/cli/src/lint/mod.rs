//! `lint`: what is wrong with files, before they are applied and without a cluster.

mod documents;
mod rules;
mod schema;
mod workflow;

use crate::{
    args::LintArgs,
    error::CliError,
    render,
    terminal::{Terminal, show},
};
use anyhow::Context;
use documents::Document;
use hearth_crds::{API_VERSION, GROUP, registry::KINDS};
use serde_json::Value;
use std::{io::Read, path::Path, process::ExitCode};

/// The longest file that is read. Nothing near it fits into a cluster.
const LONGEST: u64 = 8 * 1024 * 1024;
/// Above this size `kubectl apply` cannot keep the object in its annotation.
const CLIENT_SIDE: usize = 256 * 1024;

/// Something to put right, or to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where in the object, for example `spec.steps[fit].needs`.
    pub field: String,
    /// What is wrong, and the fix.
    pub message: String,
    /// It can be applied as it is.
    pub hint: bool,
}

impl Finding {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), hint: false }
    }
}

/// What was found in one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// Number and title of the document, and what is wrong with it.
    findings: Vec<(usize, String, Finding)>,
    /// Objects of ours.
    checked: usize,
}

/// Checks the files.
pub fn run(args: &LintArgs) -> Result<ExitCode, CliError> {
    let (mut checked, mut wrong, mut text) = (0, 0, String::new());
    for file in &args.files {
        let name = if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() };
        let report = lint(&read(file)?);
        checked += report.checked;
        wrong += report.findings.iter().filter(|(_, _, f)| !f.hint).count();
        text += &shown(&name, &report, Terminal::of_stdout().width);
    }
    show(&text)?;
    let files = args.files.len();
    eprintln!("{} of {GROUP} in {}: {}", count(checked, "object"), count(files, "file"), verdict(checked, wrong));
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(checked: usize, wrong: usize) -> String {
    match (checked, wrong) {
        (_, 1..) => count(wrong, "thing") + " to put right",
        (0, 0) => "nothing was checked".to_owned(),
        (_, 0) => "nothing is wrong".to_owned(),
    }
}

fn count(n: usize, of: &str) -> String {
    format!("{n} {of}{}", if n == 1 { "" } else { "s" })
}

fn read(file: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)
    } else {
        if file.is_dir() {
            return Err(CliError::Usage(format!("{} is a folder; name its files", file.display())));
        }
        std::fs::File::open(file).and_then(|f| f.take(LONGEST + 1).read_to_string(&mut text))
    };
    let length = read.with_context(|| format!("{} cannot be read", file.display()))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LONGEST {
        return Err(CliError::Usage(format!("{} is longer than {LONGEST} bytes; no object is", file.display())));
    }
    Ok(text)
}

/// Checks a text of YAML documents.
fn lint(text: &str) -> Report {
    let mut report = Report::default();
    for (number, document) in documents::read(text) {
        match document {
            Document::Broken(finding) => report.findings.push((number, String::new(), finding)),
            Document::Object(object) => {
                let Some(findings) = object_findings(&object) else { continue };
                report.checked += 1;
                let title = title(&object);
                report.findings.extend(findings.into_iter().map(|f| (number, title.clone(), f)));
            }
        }
    }
    report
}

/// What is wrong with an object; None when it is not one of ours.
fn object_findings(object: &Value) -> Option<Vec<Finding>> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if version.split('/').next() != Some(GROUP) {
        return None;
    }
    if version != API_VERSION {
        return Some(vec![Finding::new("apiVersion", format!("there is no {version}: write {API_VERSION}"))]);
    }
    let Some(entry) = KINDS.iter().find(|k| k.kind == kind) else {
        let kinds: Vec<&str> = KINDS.iter().map(|k| k.kind).collect();
        return Some(vec![Finding::new(
            "kind",
            format!("there is no kind {kind:?}: the kinds are {}", kinds.join(", ")),
        )]);
    };
    let mut findings = schema::findings(entry, object);
    if findings.is_empty() && kind == "Workflow" {
        findings.extend(workflow::findings(object));
    }
    let size = serde_json::to_vec(object).map_or(0, |v| v.len());
    if size > CLIENT_SIDE {
        findings.push(Finding {
            field: String::new(),
            message: format!("is {size} bytes of JSON, more than kubectl apply can keep in its annotation: use kubectl apply --server-side"),
            hint: true,
        });
    }
    Some(findings)
}

fn title(object: &Value) -> String {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("/kind"), text("/metadata/name")).trim().to_owned()
}

/// A title for each document, and below it what was found in it.
fn shown(file: &str, report: &Report, width: Option<usize>) -> String {
    let (mut text, mut last) = (String::new(), String::new());
    for (number, title, finding) in &report.findings {
        let title = if title.is_empty() { String::new() } else { format!(" ({title})") };
        let place = format!("{file}, document {number}{title}:");
        if place != last {
            text += &render::title(&place, width);
            last = place;
        }
        let field = if finding.field.is_empty() { String::new() } else { format!("{}: ", finding.field) };
        let hint = if finding.hint { "hint: " } else { "" };
        text += &render::finding(&format!("{hint}{field}{}", finding.message), finding.hint, width);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> String {
        anstream::adapter::strip_str(&shown("flow.yaml", &lint(text), None)).to_string()
    }

    const HEAD: &str = "apiVersion: hearth.dev/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n";

    #[test]
    fn every_example_is_fine() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let mut checked = 0;
        for folder in std::fs::read_dir(root).unwrap() {
            let file = folder.unwrap().path().join("workflow.yaml");
            if !file.is_file() {
                continue;
            }
            let report = lint(&read(&file).unwrap());
            assert_eq!((report.checked, &report.findings), (1, &Vec::new()), "{}", file.display());
            checked += 1;
        }
        assert!(checked >= 4, "{checked} examples");
    }

    #[test]
    fn each_mistake_is_named_with_its_place_and_its_fix() {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: other}}\ndata: {{steps: nonsense}}\n---\n{HEAD}{}\n---\n{HEAD}{}\n---\n{HEAD}{}\n---\n{}\n---\n{}\n",
            "spec: {image: a, parallelism: many, steps: [{name: fit, need: [clean], retry: {limit: 101}, logs: All}, {name: Fit!}], replicas: 2}",
            "spec: {image: a, steps: [{name: fit, env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: s, key: k}}}]}, {name: fit}]}",
            "spec: {image: a, steps: [{name: fit, needs: [cleen]}, {name: clean}]}",
            "apiVersion: hearth.dev/v1\nkind: Workflow",
            "apiVersion: hearth.dev/v1alpha1\nkind: WorkFlow",
        );
        insta::assert_snapshot!(found(&text));
    }

    #[test]
    fn what_is_no_yaml_is_named() {
        insta::assert_snapshot!(found("a: 1\n---\n- a list\n---\na: 1\na: 2\n"));
        insta::assert_snapshot!(found("a: [1\nb: 2\n"));
        assert_eq!(found(""), "");
        assert!(found("a: &a [x]\nb: &b [*a, *a]\n").is_empty(), "anchors are fine");
    }

    #[test]
    fn a_bomb_of_aliases_does_not_go_off() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let before = vec![format!("*a{}", n - 1); 10].join(", ");
            text += &format!("a{n}: &a{n} [{before}]\n");
        }
        assert!(found(&text).contains("is no valid YAML"), "{}", found(&text).len());
    }

    #[test]
    fn a_large_object_needs_the_server() {
        let args = vec!["x".repeat(16_000); 20].join(", ");
        let text = format!("{HEAD}spec: {{steps: [{{name: a, image: b, args: [{args}]}}]}}\n");
        let report = lint(&text);
        assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
        assert!(report.findings[0].2.hint && report.findings[0].2.message.contains("--server-side"));
    }

    #[test]
    fn items_of_a_list_are_objects() {
        let item = "{apiVersion: hearth.dev/v1alpha1, kind: Workflow, metadata: {name: w}, spec: {steps: []}}";
        let report = lint(&format!("apiVersion: v1\nkind: List\nitems: [{item}, {item}]\n"));
        assert_eq!((report.checked, report.findings.len()), (2, 2), "{report:?}");
    }
}
