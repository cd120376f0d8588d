//! Every kind of wrong spec is refused with words that name the field and the fix, and a healthy neighbour completes.

use anyhow::{Result, ensure};
use hearth_e2e::{A_RUN, A_WORD, Scene, scene, status};

/// Where a wrong spec is told so.
enum Told {
    /// By the API server, when it is applied; these words are in its answer.
    AtApply(&'static [&'static str]),
    /// In the condition Stalled, reason InvalidSpec; these words are in its message.
    Stalled(&'static [&'static str]),
}

struct Row {
    name: &'static str,
    spec: &'static str,
    told: Told,
}

const ROWS: &[Row] = &[
    Row {
        name: "unknown-param",
        spec: "{params: [{name: window, type: integer, default: 12}], steps: [{name: a, args: ['${string(params.widnow)}']}]}",
        told: Told::Stalled(&["spec.steps[a].args[0]", "widnow", "window"]),
    },
    Row {
        name: "unknown-output",
        spec: "{steps: [{name: a, outputs: [{name: rows, type: integer}]}, {name: b, needs: [a], args: ['${string(steps.a.outputs.row)}']}]}",
        told: Told::Stalled(&["spec.steps[b].args[0]", "row", "rows"]),
    },
    Row {
        name: "unknown-step",
        spec: "{steps: [{name: a}, {name: b, needs: [a], when: '${steps.c.phase == \"Succeeded\"}'}]}",
        told: Told::Stalled(&["spec.steps[b].when", "c"]),
    },
    Row {
        name: "step-not-needed",
        spec: "{steps: [{name: a, outputs: [{name: x}]}, {name: b, args: ['${steps.a.outputs.x}']}]}",
        told: Told::Stalled(&["spec.steps[b].args[0]", "needs"]),
    },
    Row {
        name: "type-mismatch",
        spec: "{params: [{name: window, type: integer, default: 12}], steps: [{name: a, when: '${params.window + \"x\" == \"y\"}'}]}",
        told: Told::Stalled(&["spec.steps[a].when"]),
    },
    Row {
        name: "when-not-bool",
        spec: "{params: [{name: window, type: integer, default: 12}], steps: [{name: a, when: '${params.window}'}]}",
        told: Told::Stalled(&["spec.steps[a].when"]),
    },
    Row {
        name: "null-use",
        spec: "{params: [{name: n, type: integer, default: 1}], steps: [{name: a, when: '${params.n > 5}', outputs: [{name: x, type: integer}]}, {name: b, needs: [a], args: ['${string(steps.a.outputs.x + 1)}']}]}",
        told: Told::Stalled(&["spec.steps[b].args[0]", "orValue"]),
    },
    Row {
        name: "bad-expression",
        spec: "{steps: [{name: a, args: ['${1 +}']}]}",
        told: Told::Stalled(&["spec.steps[a].args[0]"]),
    },
    Row {
        name: "cycle",
        spec: "{steps: [{name: a, needs: [c]}, {name: b, needs: [a]}, {name: c, needs: [b]}]}",
        told: Told::Stalled(&["spec.steps[a].needs", "a → c → b → a"]),
    },
    Row {
        name: "needs-itself",
        spec: "{steps: [{name: a, needs: [a]}]}",
        told: Told::Stalled(&["spec.steps[a].needs", "a → a"]),
    },
    Row {
        name: "missing-need",
        spec: "{steps: [{name: a}, {name: b, needs: [aa]}]}",
        told: Told::Stalled(&["spec.steps[b].needs", "aa", "the steps are a, b"]),
    },
    Row {
        name: "image-missing",
        spec: "{image: null, steps: [{name: a, command: [echo]}]}",
        told: Told::Stalled(&["spec.steps[a].image", "spec.image"]),
    },
    Row {
        name: "bad-step-name",
        spec: "{steps: [{name: Not_A_Label}]}",
        told: Told::AtApply(&["spec.steps[0].name", "Not_A_Label"]),
    },
    Row {
        name: "step-twice",
        spec: "{steps: [{name: a, args: ['1']}, {name: a, args: ['2']}]}",
        told: Told::AtApply(&["spec.steps[1]", "Duplicate"]),
    },
    Row { name: "no-steps", spec: "{steps: []}", told: Told::AtApply(&["spec.steps"]) },
    Row {
        name: "param-no-value",
        spec: "{params: [{name: window, type: integer}], steps: [{name: a}]}",
        told: Told::Stalled(&["spec.params[window].default", "no value", "default"]),
    },
    Row {
        name: "param-mistyped",
        spec: "{params: [{name: window, type: integer, default: twelve}], steps: [{name: a}]}",
        told: Told::Stalled(&["spec.params[window].default", "string", "integer"]),
    },
    Row {
        name: "param-too-small",
        spec: "{params: [{name: window, type: integer, default: 0, minimum: 1, maximum: 120}], steps: [{name: a}]}",
        told: Told::Stalled(&["spec.params[window].default", "0", "minimum 1"]),
    },
    Row {
        name: "param-too-large",
        spec: "{params: [{name: window, type: integer, default: 121, minimum: 1, maximum: 120}], steps: [{name: a}]}",
        told: Told::Stalled(&["spec.params[window].default", "121", "maximum 120"]),
    },
    Row {
        name: "range-upside-down",
        spec: "{params: [{name: window, type: integer, default: 5, minimum: 9, maximum: 1}], steps: [{name: a}]}",
        told: Told::AtApply(&["minimum must not be above maximum"]),
    },
    Row {
        name: "bad-duration",
        spec: "{timeout: soon, steps: [{name: a}]}",
        told: Told::AtApply(&["spec.timeout", "soon"]),
    },
    Row { name: "unknown-field", spec: "{paralellism: 3, steps: [{name: a}]}", told: Told::AtApply(&["paralellism"]) },
    Row {
        name: "wrong-type-of-field",
        spec: "{parallelism: many, steps: [{name: a}]}",
        told: Told::AtApply(&["spec.parallelism", "integer"]),
    },
    Row {
        name: "bad-result",
        spec: "{steps: [{name: a, outputs: [{name: x}]}], results: {best: '${steps.a.outputs.y}'}}",
        told: Told::Stalled(&["spec.results.best", "x"]),
    },
    Row {
        name: "mount-without-volume",
        spec: "{steps: [{name: a, pod: {volumeMounts: [{name: data, mountPath: /data}]}}]}",
        told: Told::Stalled(&["spec.steps[a].pod.volumeMounts", "data"]),
    },
    Row {
        name: "reserved-label",
        spec: "{steps: [{name: a, pod: {labels: {hearth.dev/run-id: mine}}}]}",
        told: Told::Stalled(&["spec.steps[a].pod.labels", "reserved"]),
    },
];

#[test]
fn every_wrong_spec_says_what_is_wrong() -> Result<()> {
    scene("bad-input", |scene| {
        scene.apply(
            "neighbour",
            "{steps: [{name: a, command: [echo, hello]}, {name: b, needs: [a], command: ['true']}]}",
        )?;
        let mut wrong = Vec::new();
        for row in ROWS {
            if let Err(error) = told(scene, row) {
                wrong.push(format!("{}: {error:#}", row.name));
            }
        }
        let said = scene.cluster.refused(&scene.workflow(&"x".repeat(53), "{steps: [{name: a}]}")?.to_string())?;
        if !said.contains("at most 52 characters") {
            wrong.push(format!("name-too-long: {said}"));
        }
        for row in ROWS.iter().filter(|r| matches!(r.told, Told::Stalled(_))) {
            if let Err(error) = stalled(scene, row) {
                wrong.push(format!("{}: {error:#}", row.name));
            }
        }
        let neighbour = scene.complete("neighbour", A_RUN)?;
        hearth_e2e::rows::equal_status(scene, &neighbour)?;
        ensure!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
        println!("{} rows of wrong specs, and their neighbour is Complete", ROWS.len() + 1);
        Ok(())
    })
}

/// Applies the row: refused with those words, or accepted.
fn told(scene: &Scene, row: &Row) -> Result<()> {
    let document = scene.workflow(row.name, row.spec)?.to_string();
    match row.told {
        Told::AtApply(words) => {
            let said = scene.cluster.refused(&document)?;
            for word in words {
                ensure!(said.contains(word), "the refusal does not say {word:?}: {said}");
            }
            Ok(())
        }
        Told::Stalled(_) => scene.cluster.apply(&document).map(drop),
    }
}

fn stalled(scene: &Scene, row: &Row) -> Result<()> {
    let Told::Stalled(words) = row.told else { return Ok(()) };
    let object = scene.look(row.name, "Stalled", A_WORD, |o| Ok(status::condition(o, "Stalled").is_some()))?;
    status::expect(&object, "Stalled", "True", "InvalidSpec", words)?;
    status::expect(&object, "Ready", "False", "InvalidSpec", words)?;
    ensure!(object.pointer("/status/run").is_none(), "a run was started");
    ensure!(
        status::number(&object, "/status/observedGeneration") == status::number(&object, "/metadata/generation"),
        "the status does not answer this generation"
    );
    Ok(())
}

#[test]
fn a_wrong_spec_is_put_right() -> Result<()> {
    scene("put-right", |scene| {
        scene.apply("w", "{steps: [{name: a, needs: [b]}]}")?;
        scene.wait("w", "condition=Stalled", A_WORD)?;
        scene.apply("w", "{steps: [{name: a, command: ['true']}]}")?;
        let object = scene.complete("w", A_RUN)?;
        ensure!(status::condition(&object, "Stalled").is_none(), "still Stalled: {object}");
        ensure!(status::number(&object, "/status/run/number") == 1);
        Ok(())
    })
}
