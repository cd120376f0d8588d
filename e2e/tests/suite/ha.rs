//! Mode ha: two replicas, Postgres, artifacts in S3. What stops replicas comes one after the other, and so does what stops
//! S3; the ones go beside the others, since neither may hold up a run of the other.

use anyhow::{Context, Result, bail, ensure};
use hearth_e2e::{
    A_RUN, A_WORD, Cluster, OPERATOR_NAMESPACE, Scene, audit,
    collector::{Collector, Post},
    lab::{self, Away, Busy},
    ledger, operator, plugin,
    process::capture,
    rows, scene,
    status::{items, number, text},
    store, until,
    wait::until_despite_errors,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

static REPLICAS: Mutex<()> = Mutex::new(());
static STORE: Mutex<()> = Mutex::new(());

/// Leaves a file when it is let go, which another step reads.
const HANDS_ON: &str = r#"
steps:
- name: make
  command: [sh, -ec]
  args:
  - |
    while [ ! -e /tmp/go ]; do sleep 1; done
    head -c 300000 /dev/urandom > /hearth/out/noise.bin
    sum=$(sha256sum /hearth/out/noise.bin | cut -d' ' -f1)
    echo "{\"sum\": \"sha256:$sum\"}" > /dev/termination-log
  outputs: [{name: sum}]
  artifacts: {out: [{name: noise, path: noise.bin}]}
- name: read
  needs: [make]
  command: [sh, -ec]
  args: ['echo "{\"sum\": \"sha256:$(sha256sum /hearth/in/noise | cut -d" " -f1)\"}" > /dev/termination-log']
  outputs: [{name: sum}]
  artifacts: {in: [{from: make.noise}]}
results: {made: "${steps.make.outputs.sum}", read: "${steps.read.outputs.sum}"}
"#;

fn name(pod: &Value) -> &str {
    text(pod, "/metadata/name")
}

/// The rows say what the status says. The API is asked again if the replica that it was asked of went.
fn recorded(scene: &Scene, object: &Value) -> Result<String> {
    until_despite_errors("the record, through the API", A_WORD, || rows::equal_status(scene, object).map(Some))
}

#[test]
#[ignore = "needs mode ha: cargo xtask test --only ha"]
fn both_replicas_answer_and_one_leads() -> Result<()> {
    let _serial = REPLICAS.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::new()?;
    let pods = operator::replicas(&cluster, 2)?;
    let leader = operator::leader(&cluster)?;
    for pod in &pods {
        let address = format!("{}:8443", text(pod, "/status/podIP"));
        let said = plugin::hearth(&cluster, &["runs", "-n", OPERATOR_NAMESPACE, "--api-address", &address])?;
        ensure!(said.code == 0, "{} does not answer: {said:?}", name(pod));
        let path = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{}:8080/proxy/metrics", name(pod));
        let metrics = cluster.kubectl(&["get", "--raw", &path])?;
        let leads = format!("hearth_leading {}", i32::from(name(pod) == name(&leader)));
        ensure!(metrics.lines().any(|line| line == leads), "{} does not say {leads}", name(pod));
    }
    println!("{} leads, and {} answer", name(&leader), pods.len());
    Ok(())
}

/// The file in which S3 keeps an artifact.
fn blob(scene: &Scene, digest: &str) -> Result<PathBuf> {
    let namespace = scene.cluster.get(&["namespace", &scene.namespace])?.context("no namespace")?;
    let hex = digest.strip_prefix("sha256:").context("a digest names its algorithm")?;
    Ok(lab::bucket()?.join(text(&namespace, "/metadata/uid")).join(hex))
}

/// The run ended well; what it handed on is a blob of S3, and comes from there through the API as it is.
fn handed_on(scene: &Scene, workflow: &str) -> Result<()> {
    let object = scene.complete(workflow, A_RUN)?;
    let run = recorded(scene, &object)?;
    let results = object.pointer("/status/run/results").context("no results")?;
    let digest = text(results, "/made");
    ensure!(!digest.is_empty() && results["made"] == results["read"], "{results}");
    let file = std::env::temp_dir().join(format!("{}-{workflow}", scene.namespace));
    let to = file.to_string_lossy();
    until_despite_errors("the artifact, through the API", A_WORD, || {
        let said = plugin::hearth(&scene.cluster, &["artifact", "make.noise", &run, "--to", &to])?;
        ensure!(said.code == 0, "{said:?}");
        Ok(Some(()))
    })?;
    let (fetched, stored) = (fs::read(&file)?, fs::read(blob(scene, digest)?).context("there is no blob in S3")?);
    fs::remove_file(&file)?;
    let sum = capture(Command::new("sha256sum").arg(blob(scene, digest)?), None)?;
    ensure!(fetched == stored && fetched.len() == 300_000, "{} bytes came of {}", fetched.len(), stored.len());
    ensure!(
        sum.split(' ').next().map(|hex| format!("sha256:{hex}")).as_deref() == Some(digest),
        "{sum} is not {digest}"
    );
    Ok(())
}

/// Waits until the log of the pod's step says that.
fn says(scene: &Scene, pod: &Value, words: &str) -> Result<()> {
    until(&format!("{} says {words:?}", name(pod)), A_WORD, || {
        let log = scene.cluster.kubectl(&["-n", &scene.namespace, "logs", name(pod)])?;
        Ok(log.contains(words).then_some(()))
    })
}

/// What follows such a flag of the operator, up to the path.
fn told(cluster: &Cluster, flag: &str) -> Result<String> {
    let found = cluster.get(&["-n", OPERATOR_NAMESPACE, "deployment", "hearth"])?.context("no Deployment hearth")?;
    let flags = items(&found, "/spec/template/spec/containers/0/args").iter().filter_map(Value::as_str);
    let mut values = flags.filter_map(|all| all.strip_prefix(flag)?.split('/').next());
    values.next().map(str::to_owned).with_context(|| format!("the operator has no flag {flag}"))
}

/// S3 answers 503, and then is away, while a step has something to store: it says so and waits; others go on.
#[test]
#[ignore = "needs mode ha: cargo xtask test --only ha"]
fn s3_is_busy_and_away_in_mid_run() -> Result<()> {
    let _serial = STORE.lock().unwrap_or_else(PoisonError::into_inner);
    scene("s3-away", |scene| {
        scene.apply("before", HANDS_ON)?;
        scene.let_go(&scene.running_pod("before", "make")?)?;
        handed_on(scene, "before")?;
        let before = text(&scene.read("before")?, "/status/run/id").to_owned();

        scene.apply("during", HANDS_ON)?;
        let pod = scene.running_pod("during", "make")?;
        let away = Away::stopped("s3")?;
        let busy = Busy::s3(&told(&scene.cluster, "--artifacts-s3-endpoint=https://")?)?;
        scene.let_go(&pod)?;
        says(scene, &pod, "artifact noise: the artifact store answered 503: Please reduce your request rate.")?;
        drop(busy);
        scene
            .apply("neighbour", "{steps: [{name: a, command: ['true']}, {name: b, needs: [a], command: ['true']}]}")?;
        let neighbour = scene.complete("neighbour", A_RUN)?;
        recorded(scene, &neighbour)?;
        says(scene, &pod, "refused")?;
        let nowhere = std::env::temp_dir().join(format!("{}-none", scene.namespace));
        let to = nowhere.to_string_lossy();
        until("the API says that the store of artifacts is away", A_WORD, || {
            let said = plugin::hearth(&scene.cluster, &["artifact", "make.noise", &before, "--to", &to])?;
            ensure!(said.code != 0 && !nowhere.exists(), "an artifact without its store: {said:?}");
            Ok(said.err.contains("the artifact store does not answer").then_some(()))
        })?;
        let during = scene.read("during")?;
        ensure!(text(&during, "/status/phase") == "Running", "{during}");

        away.back()?;
        handed_on(scene, "during")?;
        let steps = store::steps(text(&during, "/status/run/id"))?;
        ensure!(steps.iter().all(|s| s["phase"] == json!("Succeeded") || s["phase"] == json!("Void")), "{steps:?}");
        Ok(())
    })
}

/// Nobody listens where runs are exported to, until a run is long over: then it is told, whoever leads by then.
#[test]
#[ignore = "needs mode ha: cargo xtask test --only ha"]
fn a_collector_that_comes_late_is_told_of_all() -> Result<()> {
    scene("exports", |scene| {
        scene.apply("told", "{steps: [{name: a, command: ['true']}, {name: b, needs: [a], command: ['false']}]}")?;
        let object = scene.wait("told", "condition=Failed", A_RUN)?;
        let id = text(&object, "/status/run/id").to_owned();
        recorded(scene, &object)?;
        let collector = Collector::listen(&told(&scene.cluster, "--openlineage-url=http://")?)?;
        let events = until("the run is told in events", A_RUN, || {
            let all = collector.posts().into_iter().filter(|post| post.path == "/api/v1/lineage");
            let events = all.map(|post| serde_json::from_slice(&post.body)).collect::<Result<Vec<Value>, _>>()?;
            let of: Vec<Value> = events.into_iter().filter(|e| e.to_string().contains(&id)).collect();
            Ok(of.iter().any(|e| e["eventType"] == "FAIL" && e["job"]["name"] == "told").then_some(of))
        })?;
        let brief = |e: &Value| format!("{} {}", text(e, "/eventType"), text(e, "/job/name"));
        let told: Vec<String> = events.iter().map(brief).collect();
        let want = ["START told", "START told.a", "COMPLETE told.a", "START told.b", "FAIL told.b", "FAIL told"];
        // A leader that was killed on the way has the next one tell it again.
        ensure!(
            want.iter().all(|w| told.iter().any(|t| t == w)) && told.first().is_some_and(|t| t == want[0]),
            "{told:?}"
        );
        ensure!(
            events.iter().all(|e| text(e, "/job/namespace") == format!("hearth/{}", scene.namespace)),
            "{events:?}"
        );
        let trace: Vec<u8> =
            id.split('-').flat_map(|part| part.as_bytes().chunks(2)).map(hex).collect::<Result<_>>()?;
        until("the run is told as a trace", A_RUN, || {
            let holds = |post: &Post| post.path == "/v1/traces" && post.body.windows(16).any(|bytes| bytes == trace);
            Ok(collector.posts().iter().any(holds).then_some(()))
        })
    })
}

fn hex(pair: &[u8]) -> Result<u8> {
    Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)
}

/// The runs of these Workflows ended well, each with one row, and no attempt was started twice.
fn true_to_the_ledger(scene: &Scene, mark: u64, workflows: &[&str]) -> Result<()> {
    let mut runs = Vec::new();
    for workflow in workflows {
        let object = scene.complete(workflow, A_RUN)?;
        ensure!(object.pointer("/status/run/results/sum") == Some(&json!(4)), "{object}");
        runs.push(recorded(scene, &object)?);
    }
    let rows = store::runs_in(&scene.namespace)?;
    ensure!(rows.len() == runs.len() && rows.iter().all(|r| r["terminal"] == json!(true)), "{rows:?}");
    ledger::one_pod_per_attempt(scene, mark, &runs.iter().map(String::as_str).collect::<Vec<_>>())?;
    runs.iter().try_for_each(|run| ledger::is_true(&ledger::of(scene, run)?, run))
}

#[test]
#[ignore = "needs mode ha: cargo xtask test --only ha"]
fn the_leader_dies_in_mid_run() -> Result<()> {
    let _serial = REPLICAS.lock().unwrap_or_else(PoisonError::into_inner);
    scene("leader-dies", |scene| {
        operator::replicas(&scene.cluster, 2)?;
        ledger::claim(scene)?;
        let mark = audit::mark()?;
        scene.apply("w", &ledger::held().to_string())?;
        let pod = scene.running_pod("w", "left")?;
        let leader = operator::leader(&scene.cluster)?;
        // Without a word: one that hangs hears no SIGTERM, and cannot give its Lease back.
        let hanging = operator::Hanging::pod(&leader)?;
        operator::kill_pod(&scene.cluster, name(&leader))?;
        scene.let_go(&pod)?;
        let (next, took) = operator::next_leader(&scene.cluster, name(&leader))?;
        println!("{next} leads {} s after {} died", took.as_secs(), name(&leader));
        drop(hanging);
        true_to_the_ledger(scene, mark, &["w"])?;
        operator::replicas(&scene.cluster, 2).map(drop)
    })
}

#[test]
#[ignore = "needs mode ha: cargo xtask test --only ha"]
fn the_leader_hangs_for_three_lease_lengths_and_goes_on() -> Result<()> {
    let _serial = REPLICAS.lock().unwrap_or_else(PoisonError::into_inner);
    scene("leader-hangs", |scene| {
        operator::replicas(&scene.cluster, 2)?;
        ledger::claim(scene)?;
        let mark = audit::mark()?;
        scene.apply("passing", &ledger::chains().to_string())?;
        scene.apply("held", &ledger::held().to_string())?;
        let pod = scene.running_pod("held", "left")?;
        let leader = operator::leader(&scene.cluster)?;
        let time = operator::lease_length(&scene.cluster)?.saturating_mul(3);
        let (hanging, begun) = (operator::Hanging::pod(&leader)?, Instant::now());
        let (next, took) = operator::next_leader(&scene.cluster, name(&leader))?;
        println!("{next} leads {} s after {} hung", took.as_secs(), name(&leader));
        scene.complete("passing", A_RUN)?;
        // The time itself is what is tested: it is filled up.
        until("three lengths of the Lease are over", time, || Ok((begun.elapsed() >= time).then_some(())))?;
        // Both know of the end of this step: the one that leads, and the one that still believes it does.
        scene.let_go(&pod)?;
        drop(hanging);
        println!("{} hung for {} s", name(&leader), begun.elapsed().as_secs());
        until("the one that hung begins anew", A_WORD, || {
            let pods = operator::pods(&scene.cluster)?;
            let found = pods.iter().find(|p| name(p) == name(&leader)).context("its pod is gone")?;
            Ok((number(found, "/status/containerStatuses/0/restartCount") == 1).then_some(()))
        })?;
        true_to_the_ledger(scene, mark, &["passing", "held"])?;
        operator::replicas(&scene.cluster, 2)?;
        ensure!(name(&operator::leader(&scene.cluster)?) == next, "the one that hung leads again");
        Ok(())
    })
}

/// Asks for a pod's eviction, as a drain does.
fn evict(cluster: &Cluster, pod: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}/eviction");
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": pod, "namespace": OPERATOR_NAMESPACE}});
    capture(cluster.command("kubectl").args(["create", "--raw", &path, "-f", "-"]), Some(&eviction.to_string()))
}

#[test]
#[ignore = "needs mode ha: cargo xtask test --only ha"]
fn a_drain_takes_one_replica_at_a_time() -> Result<()> {
    let _serial = REPLICAS.lock().unwrap_or_else(PoisonError::into_inner);
    scene("drained", |scene| {
        let cluster = &scene.cluster;
        let pods = operator::replicas(cluster, 2)?;
        ledger::claim(scene)?;
        let mark = audit::mark()?;
        scene.apply("w", &ledger::held().to_string())?;
        let pod = scene.running_pod("w", "left")?;
        until("one replica may go", A_WORD, || {
            let budget = cluster.get(&["-n", OPERATOR_NAMESPACE, "poddisruptionbudget", "hearth"])?;
            Ok((number(&budget.context("no budget")?, "/status/disruptionsAllowed") == 1).then_some(()))
        })?;
        let leader = operator::leader(cluster)?;
        let other = pods.iter().find(|p| name(p) != name(&leader)).context("no other replica")?;
        evict(cluster, name(&leader))?;
        let Err(refusal) = evict(cluster, name(other)) else { bail!("both replicas were evicted at once") };
        ensure!(format!("{refusal:#}").contains("disruption budget"), "{refusal:#}");
        let (next, took) = operator::next_leader(cluster, name(&leader))?;
        println!("{next} leads {:.1} s after {} was evicted", took.as_secs_f64(), name(&leader));
        let patience = operator::lease_length(cluster)?.saturating_sub(Duration::from_secs(5));
        ensure!(took < patience, "the Lease was not given back: {took:?}");
        scene.let_go(&pod)?;
        true_to_the_ledger(scene, mark, &["w"])?;
        operator::replicas(cluster, 2)?;
        // Then it is the other's turn.
        until_despite_errors("the other may go", A_WORD, || evict(cluster, name(other)).map(Some))?;
        operator::replicas(cluster, 2).map(drop)
    })
}
