//! Bad days: the store away or hanging, the API server restarted, the operator killed and its decisions panicking.
//! Run in the lab only, and one after the other: each stops a part of the cluster.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, A_WORD, Cluster, Scene, audit, lab, lab::Away, ledger, operator, plugin, rows, scene, scene::HELD, status,
    store, until, wait::until_despite_errors,
};
use serde_json::{Value, json};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

static SERIAL: Mutex<()> = Mutex::new(());

const QUICK: &str = "{steps: [{name: a, command: ['true']}]}";

/// How long Postgres is away.
fn away_time() -> Duration {
    let seconds = std::env::var("HEARTH_E2E_AWAY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    Duration::from_secs(seconds)
}

fn run_id(object: &Value) -> String {
    status::text(object, "/status/run/id").to_owned()
}

fn store_away(name: &str, how: fn() -> Result<Away>) -> Result<()> {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    scene(name, |scene| {
        scene.apply("flying", HELD)?;
        scene.apply("deleted", HELD)?;
        let pod = scene.running_pod("flying", "a")?;
        scene.running_pod("deleted", "a")?;
        let (first, deleted) = (run_id(&scene.read("flying")?), run_id(&scene.read("deleted")?));
        let (away, begun) = (how()?, Instant::now());

        // Runs go on; an object that is deleted is held; an object is the spool of its last run.
        scene.cluster.kubectl(&["-n", &scene.namespace, "delete", "hwf", "deleted", "--wait=false"])?;
        scene.let_go(&pod)?;
        scene.apply("during", QUICK)?;
        let flying = scene.wait("flying", "condition=Complete", A_RUN)?;
        ensure!(run_id(&flying) == first, "{flying}");
        scene.wait("during", "condition=Complete", A_RUN)?;
        println!("{name}: runs end while the store is away ({} s)", begun.elapsed().as_secs());
        for object in ["flying", "during"] {
            let object = scene.look(object, "HistoryStored=False (Backlog)", A_WORD, |o| {
                Ok(status::says(o, "HistoryStored", "False", "Backlog"))
            })?;
            status::expect(&object, "HistoryStored", "False", "Backlog", &["Postgres", "away"])?;
            status::expect(&object, "Complete", "True", "Completed", &[])?;
        }
        let held = scene.look("deleted", "held, and says why", A_WORD, |o| {
            Ok(status::text(o, "/status/phase") == "Cancelled" && status::says(o, "HistoryStored", "False", "Backlog"))
        })?;
        status::expect(&held, "HistoryStored", "False", "Backlog", &["Postgres", "deletion waits"])?;
        // A second run starts: the record of the first is spooled beside the object.
        scene.cluster.patch(&scene.namespace, "hwf/flying", &json!({"spec": {"rerun": {"token": "again"}}}))?;
        scene.let_go(&scene.running_pod("flying", "a")?)?;
        let second = scene.look("flying", "run 2 is complete", A_RUN, |o| {
            Ok(status::number(o, "/status/run/number") == 2 && status::condition(o, "Complete").is_some())
        })?;
        let said = plugin::hearth(&scene.cluster, &["runs", "-n", &scene.namespace])?;
        ensure!(said.code == 5, "the API must say that the store is away: {said:?}");
        // The time itself is what is tested: it is filled up, and the object stays held all along.
        until("the time is over", away_time() + A_WORD, || {
            scene.read("deleted").context("the object went although its record is not stored")?;
            Ok((begun.elapsed() >= away_time()).then_some(()))
        })?;
        away.back()?;
        println!("{name}: Postgres was away for {} s", begun.elapsed().as_secs());

        until("the deleted object goes", A_RUN, || {
            Ok(scene.cluster.get(&["-n", &scene.namespace, "hwf", "deleted"])?.is_none().then_some(()))
        })?;
        let row = store::run(&deleted)?.context("the deleted object left no row")?;
        ensure!(
            row["terminal"] == json!(true) && row["phase"] == json!("Cancelled") && row["reason"] == json!("Deleted"),
            "{row}"
        );
        for object in ["flying", "during"] {
            let object = scene.complete(object, A_RUN)?;
            rows::equal_status(scene, &object)?;
        }
        let spooled = until("the spooled run is stored", A_WORD, || {
            Ok(store::run(&first)?.filter(|r| r["terminal"] == json!(true)))
        })?;
        ensure!(spooled["phase"] == json!("Succeeded"), "{spooled}");
        let steps = store::steps(&first)?;
        ensure!(steps.len() == 2 && steps.iter().all(|s| s["phase"] == json!("Succeeded")), "{steps:?}");
        let runs = store::runs_in(&scene.namespace)?;
        ensure!(runs.len() == 4 && runs.iter().all(|r| r["terminal"] == json!(true)), "{runs:?}");
        ensure!(run_id(&second) != first);
        Ok(())
    })
}

#[test]
fn postgres_is_away() -> Result<()> {
    store_away("store-away", || Away::stopped("postgres"))
}

#[test]
fn postgres_hangs() -> Result<()> {
    store_away("store-hangs", || Away::hanging("postgres"))
}

#[test]
fn the_operator_is_killed_five_times_in_one_run() -> Result<()> {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    scene("killed", |scene| {
        ledger::claim(scene)?;
        let mark = audit::mark()?;
        scene.apply("calm", &ledger::chains().to_string())?;
        let calm = scene.complete("calm", A_RUN)?;
        let calm = rows::equal_status(scene, &calm)?;

        let scaled = operator::Scaled::to_zero(&scene.cluster)?;
        let id = killed_five_times(scene, &scaled)?;
        drop(scaled);

        let object = scene.complete("killed", A_RUN)?;
        ensure!(run_id(&object) == id, "another run was started: {object}");
        rows::equal_status(scene, &object)?;
        let (undisturbed, disturbed) = (rows::comparable(&calm)?, rows::comparable(&id)?);
        ensure!(undisturbed == disturbed, "undisturbed:\n{undisturbed:#}\nkilled five times:\n{disturbed:#}");
        let void = store::steps(&id)?.iter().filter(|s| status::text(s, "/phase") == "Void").count();
        println!("rows are those of an undisturbed run, and {void} attempts are void");
        ledger::one_pod_per_attempt(scene, mark, &[&calm, &id])?;
        for run in [&calm, &id] {
            ledger::is_true(&ledger::of(scene, run)?, run)?;
        }
        Ok(())
    })
}

fn killed_five_times(scene: &Scene, scaled: &operator::Scaled<'_>) -> Result<String> {
    let limit = Duration::from_secs(90);
    let attempt = |object: &Value| status::step(object, "first").map_or(0, |s| status::number(s, "/attempt"));

    // 1: the intent is in status, and nothing was created.
    let armed = scaled.start("hearth-killed-1", "before-create:exit:1")?;
    scene.apply("killed", &ledger::chains().to_string())?;
    armed.hit(limit)?;
    let object = scene.read("killed")?;
    ensure!(attempt(&object) == 1, "no intent: {object}");
    ensure!(scene.pods("killed")?.is_empty(), "it was to die before the create");
    drop(armed);
    let id = run_id(&object);

    // 2: the placeholder that fences the first attempt is there, and nobody knows.
    let armed = scaled.start("hearth-killed-2", "after-fence:exit:1")?;
    armed.hit(limit)?;
    let pods = scene.pods("killed")?;
    ensure!(
        pods.len() == 1 && pods.iter().all(|p| p.pointer("/spec/schedulingGates/0").is_some()),
        "no placeholder: {pods:?}"
    );
    drop(armed);

    // 3: the second attempt's pod is there, and nobody knows.
    let armed = scaled.start("hearth-killed-3", "after-create:exit:1")?;
    armed.hit(limit)?;
    ensure!(attempt(&scene.read("killed")?) == 2, "the first attempt is not void");
    ensure!(scene.pods("killed")?.len() == 2, "a placeholder and a pod were to be there");
    drop(armed);

    // 4: two creates at once, and it dies while they are under way.
    let armed = scaled.start("hearth-killed-4", "before-create:exit:2")?;
    armed.hit(limit)?;
    let object = scene.read("killed")?;
    ensure!(
        status::step(&object, "left").is_some() && status::step(&object, "right").is_some(),
        "no intents: {object}"
    );
    drop(armed);

    // 5: the terminal status is accepted, and no row says so.
    let armed = scaled.start("hearth-killed-5", "after-terminal-patch:exit:1")?;
    armed.hit(Duration::from_secs(150))?;
    let object = scene.read("killed")?;
    ensure!(status::text(&object, "/status/phase") == "Succeeded", "{object}");
    let row = store::run(&id)?;
    ensure!(row.is_none_or(|r| r["terminal"] == json!(false)), "the final row was stored before the kill");
    Ok(id)
}

#[test]
fn the_operators_pod_is_killed_in_mid_run() -> Result<()> {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    scene("pod-killed", |scene| {
        let mark = audit::mark()?;
        scene.apply("w", HELD)?;
        let pod = scene.running_pod("w", "a")?;
        operator::kill(&scene.cluster)?;
        scene.let_go(&pod)?;
        operator::ready(&scene.cluster)?;
        let object = scene.complete("w", A_RUN)?;
        let id = rows::equal_status(scene, &object)?;
        ensure!(store::steps(&id)?.len() == 2, "a kill made further attempts");
        ledger::one_pod_per_attempt(scene, mark, &[&id])
    })
}

/// Waits until the namespaces of earlier tests are gone. While it starts, an API server lists no custom resources: the
/// namespace controller would take a namespace for empty, and leave its Workflows behind in no namespace at all.
fn nothing_is_being_deleted(cluster: &Cluster) -> Result<()> {
    until("no namespace is being deleted", A_RUN, || {
        let namespaces = cluster.list(&["namespaces", "-l", "hearth-e2e=true"])?;
        let going = namespaces.iter().any(|n| status::text(n, "/status/phase") == "Terminating");
        Ok((!going).then_some(()))
    })
}

#[test]
fn the_api_server_is_restarted_in_mid_run() -> Result<()> {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    scene("apiserver", |scene| {
        let mark = audit::mark()?;
        scene.apply("held", HELD)?;
        scene.apply("busy", "{parallelism: 1, steps: [{name: a, command: [sleep, '1']}, {name: b, command: [sleep, '1']}, {name: c, command: [sleep, '1']}, {name: d, command: [sleep, '1']}, {name: e, command: [sleep, '1']}]}")?;
        let pod = scene.running_pod("held", "a")?;
        nothing_is_being_deleted(&scene.cluster)?;
        lab::lab(&["restart", "apiserver"])?;
        let mut runs = Vec::new();
        until_despite_errors("the held step is let go", A_WORD, || scene.let_go(&pod).map(Some))?;
        for name in ["held", "busy"] {
            let object =
                until_despite_errors(&format!("{name} is complete"), A_RUN, || scene.complete(name, A_WORD).map(Some))?;
            runs.push(rows::equal_status(scene, &object)?);
        }
        operator::ready(&scene.cluster)?;
        ledger::one_pod_per_attempt(scene, mark, &runs.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

#[test]
fn a_decision_that_panics_stops_nobody_else() -> Result<()> {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    scene("panic", |scene| {
        let scaled = operator::Scaled::to_zero(&scene.cluster)?;
        let armed = scaled.start("hearth-panics", "")?;
        let mut object = scene.workflow("w", QUICK)?;
        object["metadata"]["annotations"] = json!({"hearth.dev/test-panic": "yes"});
        scene.cluster.apply(&object.to_string())?;
        scene.apply("neighbour", QUICK)?;
        let parked = scene.look("w", "parked", A_WORD, |o| Ok(status::condition(o, "Stalled").is_some()))?;
        status::expect(&parked, "Stalled", "True", "Poisoned", &["panicked", "hearth.dev/test-panic"])?;
        let neighbour = scene.complete("neighbour", A_RUN)?;
        rows_without_api(&neighbour)?;
        // It goes on by itself when what made it panic is gone.
        scene.cluster.kubectl(&["-n", &scene.namespace, "annotate", "hwf", "w", "hearth.dev/test-panic-"])?;
        let object = scene.complete("w", A_RUN)?;
        ensure!(status::condition(&object, "Stalled").is_none(), "{object}");
        drop(armed);
        drop(scaled);
        // The operator that is shipped takes no notice of such an annotation.
        let mut object = scene.workflow("shipped", QUICK)?;
        object["metadata"]["annotations"] = json!({"hearth.dev/test-panic": "yes"});
        scene.cluster.apply(&object.to_string())?;
        let object = scene.complete("shipped", A_RUN)?;
        rows::equal_status(scene, &object).map(drop)
    })
}

fn rows_without_api(object: &Value) -> Result<()> {
    let row = store::run(&run_id(object))?.context("no row")?;
    ensure!(row["phase"] == json!("Succeeded") && row["terminal"] == json!(true), "{row}");
    Ok(())
}

/// The archive that the running image was imported from holds no mark of a failure point; the one for tests does.
#[test]
fn the_shipped_image_has_no_failure_points() -> Result<()> {
    let cluster = hearth_e2e::Cluster::new()?;
    let deployment =
        cluster.get(&["-n", hearth_e2e::OPERATOR_NAMESPACE, "deployment", "hearth"])?.context("no Deployment")?;
    let image = status::text(&deployment, "/spec/template/spec/containers/0/image");
    let (_, hash) = image.rsplit_once(':').context("an image has a tag")?;
    let cache = match std::env::var("XDG_CACHE_HOME") {
        Ok(dir) if !dir.is_empty() => dir,
        _ => format!("{}/.cache", std::env::var("HOME").context("HOME")?),
    };
    let folder = std::path::Path::new(&cache).join("hearth/images");
    let shipped = folder.join(format!("hearth-{hash}.tar"));
    let armed: Vec<_> = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("hearth-failpoints-")))
        .collect();
    ensure!(!armed.is_empty(), "there is no image with failure points: cargo xtask images hearth-failpoints");
    for mark in ["HEARTH_FAILPOINTS", "hearth.dev/test-panic", "before-create", "after-terminal-patch"] {
        ensure!(!holds(&shipped, mark)?, "{} holds {mark}", shipped.display());
        ensure!(armed.iter().any(|path| holds(path, mark).unwrap_or(false)), "no image for tests holds {mark}");
    }
    println!("{} has none of the marks", shipped.display());
    Ok(())
}

fn holds(path: &std::path::Path, mark: &str) -> Result<bool> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(bytes.windows(mark.len()).any(|window| window == mark.as_bytes()))
}
