//! Outputs that are not what the step declares end it with a reason, an explanation and a row; the neighbour completes.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{A_RUN, scene, status, store};

struct Row {
    name: &'static str,
    step: &'static str,
    reason: &'static str,
    words: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        name: "too-long",
        step: r#"{name: a, command: [sh, -c, 'printf "{\"x\": \"%03500d\"}" 0 > /dev/termination-log'], outputs: [{name: x}]}"#,
        reason: "OutputsTooLong",
        words: &["step a", "3072", "/dev/termination-log"],
    },
    Row {
        name: "cut-by-kubelet",
        step: r#"{name: a, command: [sh, -c, 'printf "{\"x\": \"%09000d\"}" 0 > /dev/termination-log'], outputs: [{name: x}]}"#,
        reason: "OutputsTooLong",
        words: &["step a", "3072"],
    },
    Row {
        name: "not-json",
        step: "{name: a, command: [sh, -c, 'echo rows=12 > /dev/termination-log'], outputs: [{name: x}]}",
        reason: "OutputsNotJson",
        words: &["step a", "not JSON"],
    },
    Row {
        name: "not-an-object",
        step: "{name: a, command: [sh, -c, 'echo [1,2] > /dev/termination-log'], outputs: [{name: x}]}",
        reason: "OutputsNotJson",
        words: &["step a", "array", "JSON object"],
    },
    Row {
        name: "undeclared",
        step: r#"{name: a, command: [sh, -c, 'echo "{\"x\": \"1\", \"y\": 2}" > /dev/termination-log'], outputs: [{name: x}]}"#,
        reason: "OutputUndeclared",
        words: &["step a", "output y", "declared: x"],
    },
    Row {
        name: "missing",
        step: r#"{name: a, command: [sh, -c, 'echo "{\"x\": \"1\"}" > /dev/termination-log'], outputs: [{name: x}, {name: z}]}"#,
        reason: "OutputMissing",
        words: &["step a", "output z"],
    },
    Row {
        name: "nothing-written",
        step: "{name: a, command: ['true'], outputs: [{name: x}]}",
        reason: "OutputMissing",
        words: &["step a", "output x"],
    },
    Row {
        name: "mistyped",
        step: r#"{name: a, command: [sh, -c, 'echo "{\"x\": \"twelve\"}" > /dev/termination-log'], outputs: [{name: x, type: integer}]}"#,
        reason: "OutputMistyped",
        words: &["step a", "output x", "string", "integer"],
    },
];

#[test]
fn every_bad_output_fails_its_step_once() -> Result<()> {
    scene("bad-outputs", |scene| {
        scene.apply(
            "neighbour",
            r#"{steps: [{name: a, command: [sh, -c, 'echo "{\"x\": 7}" > /dev/termination-log'], outputs: [{name: x, type: integer}]}], results: {x: '${steps.a.outputs.x}'}}"#,
        )?;
        for row in ROWS {
            // Bad outputs are the user's: a retry would not help, and is not made.
            let step = row.step.replacen("{name: a,", "{name: a, retry: {limit: 2},", 1);
            scene.apply(row.name, &format!("{{steps: [{step}]}}"))?;
        }
        let mut wrong = Vec::new();
        for row in ROWS {
            if let Err(error) = check(scene, row) {
                wrong.push(format!("{}: {error:#}", row.name));
            }
        }
        let neighbour = scene.complete("neighbour", A_RUN)?;
        hearth_e2e::rows::equal_status(scene, &neighbour)?;
        ensure!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
        println!("{} rows of bad outputs, and their neighbour is Complete", ROWS.len());
        Ok(())
    })
}

fn check(scene: &hearth_e2e::Scene, row: &Row) -> Result<()> {
    let object = scene.failed(row.name, A_RUN)?;
    status::expect(&object, "Failed", "True", "StepFailed", row.words)?;
    status::expect(&object, "Stalled", "True", row.reason, row.words)?;
    ensure!(status::text(&object, "/status/run/failure/reason") == row.reason, "{object}");
    ensure!(status::text(&object, "/status/run/failure/step") == "a", "{object}");
    let id = hearth_e2e::rows::equal_status(scene, &object)?;
    let steps = store::steps(&id)?;
    ensure!(steps.len() == 1, "one attempt was to be made: {steps:?}");
    let step = steps.first().context("no row")?;
    ensure!(status::text(step, "/reason") == row.reason && status::text(step, "/class") == "UserError", "{step}");
    Ok(())
}
