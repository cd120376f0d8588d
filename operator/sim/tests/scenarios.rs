//! Scripted scenarios: `tests/scenarios/NAME.txt` in, `tests/golden/NAME.snap` out, so that a change of behaviour is read as a diff.

use hearth_plan::workflow::WorkflowKind;
use hearth_sim::scenario::play;
use std::{fs, panic, path::Path};

fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut list: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    list.sort();
    list
}

/// Every scenario is played; each one that differs from its golden text is named.
#[test]
fn scenarios_show_what_their_golden_texts_say() {
    let mut bad = Vec::new();
    let scripts = scripts();
    for (name, script) in &scripts {
        let shown = play::<WorkflowKind>(script).unwrap_or_else(|e| panic!("{name}.txt, {e}"));
        assert!(shown.contains("judge: nothing wrong"), "{name}:\n{shown}");
        let same = panic::catch_unwind(|| {
            insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
                insta::assert_snapshot!(name.as_str(), shown);
            });
        });
        if same.is_err() {
            bad.push(name.clone());
        }
    }
    println!("{} scenarios", scripts.len());
    assert!(scripts.len() >= 15);
    assert!(bad.is_empty(), "these scenarios show something else: {bad:?}");
}
