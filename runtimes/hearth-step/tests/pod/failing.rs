//! When a step's artifacts are not there or cannot be stored.

use crate::{
    harness::{Pod, until},
    scene::{Scene, volume},
    storing::{WRITE, writing},
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Command,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

/// Somewhere nobody listens.
fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("https://localhost:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_artifact_is_named_with_its_path() {
    let scene = Scene::new(writing).await;
    let pod = Pod::of(&scene);
    let ended = pod.run("echo x > $ROOT/hearth/out/model.bin").await;
    assert_eq!(ended.code, 65);
    for words in ["artifact plots", "/hearth/out/plots"] {
        assert!(pod.said().contains(words) && ended.err.contains(words), "{ended:?}");
    }
    assert_eq!(scene.cluster.asked.lock().unwrap().len(), 0, "nothing is uploaded when one is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_outputs_are_wrong_data() {
    let scene = Scene::new(writing).await;
    for (outputs, words) in [
        ("[1]", "JSON object"),
        ("done", "JSON object"),
        ("{\"x\": \"$(head -c 3072 /dev/zero | tr '\\0' y)\"}", "3072"),
    ] {
        let pod = Pod::of(&scene);
        let script = format!("{WRITE}; cat > $ROOT/dev/termination-log <<END\n{outputs}\nEND");
        let ended = pod.run(&script).await;
        assert_eq!(ended.code, 65, "{outputs}: {ended:?}");
        assert!(pod.said().contains(words), "{}", pod.said());
    }
    assert_eq!(scene.cluster.asked.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_stores_nothing_and_its_words_stay() {
    let scene = Scene::new(writing).await;
    let pod = Pod::of(&scene);
    let ended = pod.run(&format!("{WRITE}; echo why > $ROOT/dev/termination-log; exit 3")).await;
    assert_eq!((ended.code, pod.said().as_str()), (3, "why\n"));
    assert_eq!(scene.cluster.asked.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_or_a_volume_that_is_away_means_try_again() {
    let pod = Pod::new(&writing(&nowhere()), &Scene::new(writing).await.ca);
    let ended = pod.run_for(1, WRITE).await;
    assert_eq!(ended.code, 75, "{ended:?}");
    assert!(pod.said().contains("artifact model: the Recorder is away"), "{}", pod.said());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let full = Scene::behind(listener, &endpoint, writing, |folder| volume(folder, &endpoint, u64::MAX));
    let pod = Pod::of(&full);
    let ended = pod.run_for(1, WRITE).await;
    assert_eq!(ended.code, 75, "{ended:?}");
    assert!(pod.said().contains("507") && pod.said().contains("volume is full"), "{}", pod.said());
}

/// A store whose certificate no public authority signed, and neither did the Recorder's.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_an_authority_of_its_own_is_known_by_that_one() {
    let store = Scene::new(writing).await;
    let there = format!("https://localhost:{}", store.addr.port());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let scene = Scene::behind(listener, &endpoint, writing, |folder| volume(folder, &there, 0));
    let pod = Pod::of(&scene);
    let ended = pod.run_for(1, WRITE).await;
    assert_eq!(ended.code, 75, "{ended:?}");
    assert!(pod.said().contains("artifact model: the artifact store"), "{}", pod.said());
    let pod = Pod::of(&scene);
    fs::write(pod.at(hearth_contract::STORE_CA), &store.ca).unwrap();
    let ended = pod.run(WRITE).await;
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final() {
    let scene = Scene::new(|_| json!({"version": "1", "step": "fit", "attempt": 2})).await;
    let pod = Pod::new(&writing(&format!("https://localhost:{}", scene.addr.port())), &scene.ca);
    let begun = Instant::now();
    let ended = pod.run_for(60, WRITE).await;
    assert_eq!(ended.code, 74, "{ended:?}");
    assert!(pod.said().contains("\"model\" is no output artifact"), "{}", pod.said());
    assert!(begun.elapsed() < Duration::from_secs(20));
    let other = Scene::new(writing).await;
    let pod = Pod::new(&writing(&format!("https://localhost:{}", scene.addr.port())), &other.ca);
    assert_eq!(pod.run_for(1, WRITE).await.code, 75, "whoever has not our CA's certificate is not the Recorder");
    let pod = Pod::new(&writing("http://localhost:1"), &other.ca);
    assert_eq!(pod.run_for(1, WRITE).await.code, 78, "no token goes over an open connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_does_not_try_for_long() {
    let pod = Pod::new(&writing(&nowhere()), &Scene::new(writing).await.ca);
    let mut child = pod.start(&["run", "--deadline", "600", "--", "sh", "-c", WRITE]);
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard =
        tokio::task::spawn_blocking(move || errors.find(|l| l.as_ref().unwrap().contains("next try")).is_some());
    assert!(heard.await.unwrap());
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let mut code = None;
    until("it ends", || {
        code = child.try_wait().unwrap().and_then(|s| s.code());
        code.is_some()
    })
    .await;
    assert_eq!(code, Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_container_that_is_told_to_stop_does() {
    let spec = json!({
        "version": "1", "step": "fit", "attempt": 2, "recorder": {"endpoint": nowhere()},
        "inputs": [{"name": "x", "path": "/hearth/in/x", "digest": hearth_contract::digest::Digest::of(b"x"), "bytes": 1}],
    });
    let pod = Pod::new(&spec, &Scene::new(writing).await.ca);
    let mut child = pod.start(&["fetch", "--deadline", "600"]);
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard =
        tokio::task::spawn_blocking(move || errors.find(|l| l.as_ref().unwrap().contains("next try")).is_some());
    assert!(heard.await.unwrap());
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let mut code = None;
    until("it ends", || {
        code = child.try_wait().unwrap().and_then(|s| s.code());
        code.is_some()
    })
    .await;
    assert_eq!(code, Some(143));
}
