//! Whole logs: stored before their pods go, and read back byte for byte.

use anyhow::{Result, ensure};
use hearth_e2e::{A_RUN, plugin, rows, scene, status::text, store, wait::until};
use serde_json::json;
use std::{fmt::Write as _, time::Duration};

/// What the step writes: far more than the record keeps, and no newline at its end.
fn written(attempt: u32) -> String {
    let lines = (1..=60_000).fold(String::new(), |mut lines, n| {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "line {n}");
        lines
    });
    format!("{lines}end of attempt {attempt}")
}

/// The first attempt fails and the second does not: the log of each is kept whole, and the pods go all the same.
#[test]
fn the_log_of_every_attempt_is_kept_whole() -> Result<()> {
    scene("whole-logs", |scene| {
        scene.apply(
            "noisy",
            r#"
steps:
- name: noisy
  logs: Full
  retry: {limit: 1, backoff: {base: 1s}}
  command: [sh, -ec]
  args:
  - |
    attempt=$(sed 's/.*"attempt":\([0-9]*\).*/\1/' /hearth/spec.json)
    seq 1 60000 | sed 's/^/line /'
    printf 'end of attempt %s' "$attempt"
    sleep 2 # on a busy node the runtime drops what is still in the pipe when a container ends
    test "$attempt" = 2
- {name: quiet, needs: [noisy], command: [echo, unheard]}
"#,
        )?;
        let object = scene.complete("noisy", A_RUN)?;
        rows::equal_status(scene, &object)?;
        let run = text(&object, "/status/run/id");
        until("the pods to go", Duration::from_secs(60), || Ok(scene.pods("noisy")?.is_empty().then_some(())))?;
        let kept = store::logs(run)?;
        let bytes = json!(written(1).len());
        ensure!(kept.len() == 2 && kept.iter().all(|l| l["bytes"] == bytes && l["left_out"] == json!(0)), "{kept:?}");
        for attempt in 1..=2 {
            let number = attempt.to_string();
            let said = plugin::hearth(&scene.cluster, &["logs", run, "--step", "noisy", "--attempt", &number])?;
            let want = written(attempt);
            ensure!(said.code == 0, "{said:?}");
            ensure!(said.out == want, "{} bytes came, {} were written", said.out.len(), want.len());
        }
        let said = plugin::hearth(&scene.cluster, &["logs", run, "--step", "quiet"])?;
        ensure!(said.code != 0 && said.err.contains("logs: Full"), "{said:?}");
        Ok(())
    })
}
