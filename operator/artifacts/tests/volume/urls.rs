//! What a URL gives leave to, over the wire.

use crate::harness::{MINUTE, Scene, key, problem, send};
use hearth_artifacts::volume::{UrlKeys, Volume, VolumeConfig, router};
use hearth_artifacts::{Artifacts, StoreError};
use std::time::Duration;
use tower::ServiceExt;

#[tokio::test]
async fn a_url_gives_leave_to_one_thing() {
    let scene = Scene::new().await;
    scene.put(b"x").await;
    let get = scene.artifacts.presign_get(&key(b"x"), MINUTE).await.unwrap().url;
    let put = scene.leave_to_put(b"x").await.url;
    let other = get.replace(&key(b"x").digest().hex(), &key(b"y").digest().hex());
    let tenant = get.replace("6f1c2c1e", "7f1c2c1e");
    for (method, url) in [
        ("PUT", get.clone()),
        ("HEAD", get.clone()),
        ("DELETE", get.clone()),
        ("POST", get.clone()),
        ("GET", put),
        ("GET", other),
        ("GET", tenant),
        ("GET", get.replace("/blobs/", "/blobs/..%2f")),
        ("GET", get.split('?').next().unwrap().to_owned()),
        ("GET", format!("{get}&x=1")),
    ] {
        let method: reqwest::Method = method.parse().unwrap();
        let response = scene.client.request(method.clone(), &url).body("x").send().await.unwrap();
        assert_eq!(response.status(), 403, "{method} {url}");
    }
    assert_eq!(scene.client.get(&get).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_path_that_climbs_leads_nowhere() {
    let scene = Scene::new().await;
    // Clients tidy such paths, so this goes straight to the router.
    let app = router(&scene.artifacts).unwrap();
    for path in
        ["/blobs/../uploads/x", "/blobs/..%2f..%2fetc/passwd", "/blobs/%2e%2e/x?kid=a&expires=9&sig=b", "/uploads/x"]
    {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let status = app.clone().oneshot(request).await.unwrap().status().as_u16();
        assert!(status == 403 || status == 404, "{path}: {status}");
    }
}

#[tokio::test]
async fn a_url_expires() {
    let scene = Scene::new().await;
    let second = Duration::from_secs(1);
    let leave = scene.artifacts.presign_put(&key(b"x"), 1, second).await.unwrap();
    let begun = std::time::Instant::now();
    loop {
        let response = send(&scene.client, &leave, b"x").await;
        if response.status() == 403 {
            assert!(problem(response).await.2.contains("expired"));
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it never expires");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for impossible in [Duration::ZERO, Duration::from_secs(3601)] {
        assert!(matches!(scene.artifacts.presign_get(&key(b"x"), impossible).await, Err(StoreError::Ttl(_))));
    }
    assert!(matches!(scene.artifacts.presign_put(&key(b"x"), u64::MAX, MINUTE).await, Err(StoreError::TooLong(_))));
}

#[tokio::test]
async fn urls_outlive_a_change_of_the_secret() {
    let scene = Scene::new().await;
    scene.put(b"x").await;
    let old = scene.artifacts.presign_get(&key(b"x"), MINUTE).await.unwrap().url;
    let opens = |keys: UrlKeys| {
        let config = VolumeConfig { keys, ..crate::harness::config(scene.folder.path(), "http://h".to_owned()) };
        let app = router(&Artifacts::volume(Volume::open(config).unwrap())).unwrap();
        let path = old.split_once("/blobs/").unwrap().1;
        let request = axum::http::Request::get(format!("/blobs/{path}")).body(axum::body::Body::empty()).unwrap();
        async move { app.oneshot(request).await.unwrap().status().as_u16() }
    };
    assert_eq!(opens(UrlKeys::derive(b"new", Some(b"test"))).await, 200);
    assert_eq!(opens(UrlKeys::derive(b"new", None)).await, 403);
}

#[tokio::test]
async fn no_url_is_printed() {
    let scene = Scene::new().await;
    let printed = format!("{:?}", scene.leave_to_put(b"x").await);
    assert!(!printed.contains("sig") && !printed.contains("http"), "{printed}");
}
