//! From one step's artifacts to another's inputs.

use crate::{
    front::stand_before,
    gateway::{self, Gateway},
    harness::Pod,
    scene::{NAMESPACE_UID, Scene, volume},
};
use hearth_contract::{digest::Digest, message::Fact};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, sync::atomic::Ordering};
use tokio::net::TcpListener;

pub fn writing(endpoint: &str) -> Value {
    json!({
        "version": "1", "step": "fit", "attempt": 2, "recorder": {"endpoint": endpoint},
        "artifacts": [{"name": "model", "path": "/hearth/out/model.bin"}, {"name": "plots", "path": "/hearth/out/plots"}],
    })
}

pub const WRITE: &str = "head -c 300000 /dev/zero > $ROOT/hearth/out/model.bin; mkdir -p $ROOT/hearth/out/plots/deep/er; \
                     echo one > $ROOT/hearth/out/plots/one.svg; echo two > $ROOT/hearth/out/plots/deep/two.svg; \
                     chmod +x $ROOT/hearth/out/plots/one.svg; echo '{\"rmse\": 0.25}' > $ROOT/dev/termination-log";

/// Makes the scene's attempt one that reads these.
fn reading(scene: &Scene, inputs: &[(&str, Fact)], endpoint: &str) -> Pod {
    let inputs: Vec<Value> = inputs
        .iter()
        .map(|(name, fact)| {
            json!({"name": name, "path": format!("/hearth/in/{name}"), "digest": fact.digest, "bytes": fact.bytes,
                "directory": fact.directory})
        })
        .collect();
    let spec =
        json!({"version": "1", "step": "fit", "attempt": 2, "recorder": {"endpoint": endpoint}, "inputs": inputs});
    scene.cluster.known.lock().unwrap().pod = Some(crate::scene::pod(&spec));
    Pod::of(scene)
}

async fn round_trip(scene: &Scene, endpoint: &str) {
    let writer = Pod::of(scene);
    let ended = writer.run_for(20, WRITE).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let message = writer.message();
    assert_eq!(message.outputs["rmse"], 0.25);
    let (model, plots) = (message.artifacts["model"], message.artifacts["plots"]);
    assert_eq!((model.digest, model.bytes, model.directory), (Digest::of(&vec![0; 300_000]), 300_000, false));
    assert!(plots.directory);

    let again = Pod::of(scene);
    assert_eq!(again.run_for(20, WRITE).await.code, 0);
    assert_eq!(again.message(), message, "the same content has the same digests");

    let reader = reading(scene, &[("model", model), ("plots", plots)], endpoint);
    let ended = reader.step(&["fetch", "--deadline", "20"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(fs::read(reader.at("/hearth/in/model")).unwrap(), vec![0; 300_000]);
    assert_eq!(fs::read_to_string(reader.at("/hearth/in/plots/one.svg")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(reader.at("/hearth/in/plots/deep/two.svg")).unwrap(), "two\n");
    assert!(reader.at("/hearth/in/plots/deep/er").is_dir());
    let mode = |path: &str| fs::metadata(reader.at(path)).unwrap().permissions().mode() & 0o100;
    assert_eq!((mode("/hearth/in/plots/one.svg"), mode("/hearth/in/plots/deep/two.svg")), (0o100, 0));
    assert_eq!(fs::read_dir(reader.at("/hearth/in")).unwrap().count(), 2, "nothing half is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_step_stores_another_fetches() {
    let scene = Scene::new(writing).await;
    round_trip(&scene, &format!("https://localhost:{}", scene.addr.port())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_way_of_s3_too() {
    let gateway = Gateway::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let scene = Scene::behind(listener, &endpoint, writing, |_| gateway.store(gateway.addr, gateway::MINUTE));
    round_trip(&scene, &endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_connections_are_tried_again() {
    let (front, inner) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let endpoint = format!("https://localhost:{}", front.local_addr().unwrap().port());
    let target = inner.local_addr().unwrap();
    let scene = Scene::behind(inner, &endpoint, writing, |folder| volume(folder, &endpoint, 0));
    // A call that is not answered, a call, an upload that is cut in the middle.
    let count = stand_before(front, target, &[Some(0), Some(1000), None, Some(100_000)]);
    round_trip(&scene, &endpoint).await;
    assert!(count.load(Ordering::Relaxed) > 8);
    assert_eq!(fs::read_dir(scene.folder.0.join("uploads")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_input_is_not_taken() {
    let scene = Scene::new(writing).await;
    let endpoint = format!("https://localhost:{}", scene.addr.port());
    let key = scene.artifacts.write(NAMESPACE_UID, "whole".into()).await.unwrap();
    fs::write(scene.folder.0.join("blobs").join(key.to_string()), "holes").unwrap();
    let pod = reading(&scene, &[("x", Fact { digest: key.digest(), bytes: 5, directory: false })], &endpoint);
    let ended = pod.step(&["fetch", "--deadline", "1"]).await;
    assert_eq!(ended.code, 75, "{ended:?}");
    assert!(pod.said().contains("input x"), "{}", pod.said());
    assert_eq!(fs::read_dir(pod.at("/hearth/in")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_gives_is_verified_here() {
    let gateway = Gateway::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let scene = Scene::behind(listener, &endpoint, writing, |_| gateway.store(gateway.addr, gateway::MINUTE));
    let key = scene.artifacts.write(NAMESPACE_UID, "whole".into()).await.unwrap();
    fs::write(gateway.file(&key), "holes").unwrap();
    let pod = reading(&scene, &[("x", Fact { digest: key.digest(), bytes: 5, directory: false })], &endpoint);
    let ended = pod.step(&["fetch", "--deadline", "5"]).await;
    assert_eq!(ended.code, 74, "{ended:?}");
    assert!(pod.said().contains("damaged"), "{}", pod.said());
    assert_eq!(fs::read_dir(pod.at("/hearth/in")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tar_with_a_link_is_not_unpacked() {
    let scene = Scene::new(writing).await;
    let endpoint = format!("https://localhost:{}", scene.addr.port());
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "way-out", "/etc").unwrap();
    let bytes = tar.into_inner().unwrap();
    let fact = Fact { digest: Digest::of(&bytes), bytes: bytes.len() as u64, directory: true };
    scene.artifacts.write(NAMESPACE_UID, bytes.into()).await.unwrap();
    let pod = reading(&scene, &[("x", fact)], &endpoint);
    let ended = pod.step(&["fetch", "--deadline", "5"]).await;
    assert_eq!(ended.code, 74, "{ended:?}");
    assert!(pod.said().contains("\"way-out\" in the tar"), "{}", pod.said());
    assert_eq!(fs::read_dir(pod.at("/hearth/in")).unwrap().count(), 0);
}
