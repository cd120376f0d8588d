//! Every example is a Workflow that the operator would start.

use hearth_crds::workflow::Workflow;
use hearth_plan::{offer::Offer, workflow::validate::validate};
use std::{fs, path::Path};

#[test]
fn every_example_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).expect("examples/ is there") {
        let path = entry.unwrap().path().join("workflow.yaml");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let workflow: Workflow = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if let Err(e) = validate(&workflow.spec, &Offer::assumed(&workflow.spec)) {
            panic!("{}: {e:?}", path.display());
        }
        names.push(workflow.metadata.name.expect("a name"));
    }
    names.sort();
    for expected in ["co2", "diamond", "hello", "retry"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not among {names:?}");
    }
}
