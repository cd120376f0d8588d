//! Work that was done before is not done again.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, A_WORD, Scene, plugin, rows, scene,
    status::{self, items, number, text},
    store,
    wait::until,
};
use serde_json::{Value, json};

/// The image of most steps by its digest, as a node knows it.
fn busybox_by_digest(scene: &Scene) -> Result<String> {
    until("a node that has busybox by its digest", A_RUN, || {
        let nodes = scene.cluster.list(&["nodes"])?;
        let images = nodes.iter().flat_map(|node| items(node, "/status/images")).flat_map(|i| items(i, "/names"));
        let named = images.filter_map(Value::as_str).find(|n| n.contains("hearth.dev/busybox@sha256:"));
        Ok(named.map(str::to_owned))
    })
}

fn reason<'a>(object: &'a Value, step: &str) -> &'a str {
    status::step(object, step).map_or("", |s| text(s, "/reason"))
}

/// The second run makes pods for the step without `cache` and for the new items alone, and everything else is as it was. What is
/// written is random, so work that is done again shows.
#[test]
fn a_second_run_takes_work_over() -> Result<()> {
    scene("cache", |scene| {
        let image = busybox_by_digest(scene)?;
        let spec = r#"
image: IMAGE
params: [{name: files, type: array, default: [a, b]}]
steps:
- name: make
  command: [sh, -ec]
  args:
  - |
    head -c 5000 /dev/urandom > /hearth/out/noise
    echo "{\"dice\": \"$(head -c 9 /dev/urandom | base64)\", \"unread\": \"$(date +%s%N)\"}" > /dev/termination-log
  outputs: [{name: dice}, {name: unread}]
  artifacts: {out: [{name: noise}]}
  cache: {maxAge: 1h}
- name: read
  needs: [make]
  command: [sh, -ec, 'echo "{\"sum\": \"$(sha256sum /hearth/in/noise | cut -d" " -f1)\"}" > /dev/termination-log']
  outputs: [{name: sum}]
  artifacts: {in: [{from: make.noise}]}
- name: each
  forEach: {expression: "${params.files}"}
  command: [sh, -ec, 'echo "{\"dice\": \"$(head -c 9 /dev/urandom | base64)\"}" > /dev/termination-log']
  args: [each, "${item}"]
  outputs: [{name: dice}]
  cache: {maxAge: 1h}
results: {dice: "${steps.make.outputs.dice}", sum: "${steps.read.outputs.sum}", each: "${steps.each.outputs.map(o, o.dice)}"}
"#;
        scene.apply("w", &spec.replace("IMAGE", &image))?;
        let first = scene.complete("w", A_RUN)?;
        let first_id = rows::equal_status(scene, &first)?;
        let found =
            status::step(&first, "make").and_then(|s| s.pointer("/cache/found")).context("it was not looked up")?;
        ensure!(*found == json!("Missed"), "{found}");

        let more = json!({"spec": {"params": [{"name": "files", "type": "array", "default": ["new", "a", "b"]}]}});
        scene.cluster.patch(&scene.namespace, "hwf/w", &more)?;
        scene.look("w", "a second run", A_WORD, |o| Ok(number(o, "/status/run/number") == 2))?;
        let second = scene.complete("w", A_RUN)?;
        let second_id = rows::equal_status(scene, &second)?;
        ensure!((reason(&second, "make"), reason(&second, "read")) == ("Cached", ""), "{second}");
        let cached = status::step(&second, "make").and_then(|s| s.get("cache")).context("no cache")?;
        ensure!(text(cached, "/run") == first_id && text(cached, "/step") == "make", "{cached}");
        let (old, new) = (&first["status"]["run"]["results"], &second["status"]["run"]["results"]);
        ensure!(old["dice"] == new["dice"] && old["sum"] == new["sum"], "{old} {new}");
        ensure!(old["each"][0] == new["each"][1] && old["each"][1] == new["each"][2], "{old} {new}");
        ensure!(new["each"][0] != new["each"][1], "the new item is work of its own: {new}");

        let steps = store::steps(&second_id)?;
        let pods = steps.iter().filter(|row| row["pod"].is_string()).map(|row| text(row, "/step")).collect::<Vec<_>>();
        ensure!(pods.len() == 2 && pods.contains(&"read") && pods.contains(&"each"), "{pods:?}");
        let row = steps.iter().find(|r| text(r, "/step") == "make").context("no row")?;
        ensure!(row["attempt"] == json!(0) && text(row, "/cached_from") == first_id, "{row}");
        let done = store::steps(&first_id)?;
        let done = done.iter().find(|r| text(r, "/step") == "make").context("no row")?;
        ensure!(row["outputs"] == done["outputs"] && row["artifacts"] == done["artifacts"], "{row} {done}");

        let said = plugin::hearth(&scene.cluster, &["describe", &second_id])?;
        ensure!(said.code == 0 && said.out.contains("Taken over:") && said.out.contains(&first_id), "{said:?}");
        println!("{}", said.out);
        let said = plugin::hearth(&scene.cluster, &["tree", &second_id])?;
        ensure!(said.code == 0 && said.out.contains("Cached"), "{said:?}");
        println!("{}", said.out);
        let said = plugin::hearth(&scene.cluster, &["lineage", &second_id])?;
        ensure!(said.code == 0 && said.out.contains("work taken over by each, make"), "{said:?}");
        println!("{}", said.out);
        let file = std::env::temp_dir().join(&scene.namespace);
        let said =
            plugin::hearth(&scene.cluster, &["artifact", "make.noise", &second_id, "--to", &file.to_string_lossy()])?;
        ensure!(said.code == 0 && std::fs::metadata(&file)?.len() == 5000, "{said:?}");
        std::fs::remove_file(&file)?;
        Ok(())
    })
}
