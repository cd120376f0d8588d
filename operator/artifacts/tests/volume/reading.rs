//! GET: whole and verified, or a range.

use crate::harness::{Scene, key, noise, problem};
use futures::{StreamExt, TryStreamExt};
use hearth_artifacts::StoreError;
use std::{fs, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream};

#[tokio::test]
async fn ranges_are_served() {
    let scene = Scene::new().await;
    let bytes = noise(1_000_000);
    scene.put(&bytes).await;
    for (range, from, to) in
        [("bytes=0-9", 0, 10), ("bytes=300000-", 300_000, 1_000_000), ("bytes=-5", 999_995, 1_000_000)]
    {
        let response = scene.get(&bytes, Some(range)).await;
        assert_eq!(response.status(), 206);
        assert_eq!(response.headers()["content-range"], format!("bytes {from}-{}/1000000", to - 1));
        assert_eq!(response.bytes().await.unwrap(), bytes[from..to], "{range}");
    }
    assert_eq!(problem(scene.get(&bytes, Some("bytes=1000000-")).await).await.0, 416);
    assert_eq!(problem(scene.get(b"missing", None).await).await.0, 404);
}

#[tokio::test]
async fn nobody_gets_all_of_a_damaged_blob() {
    let scene = Scene::new().await;
    for length in [1_000_000, 10] {
        let bytes = noise(length);
        scene.put(&bytes).await;
        let mut damaged = bytes.clone();
        damaged[0] ^= 1;
        fs::write(scene.file(&bytes), &damaged).unwrap();
        let response = scene.get(&bytes, None).await;
        assert_eq!(response.content_length(), Some(length as u64));
        assert!(response.bytes().await.is_err(), "the answer must end before its length");
        let read: Result<Vec<_>, StoreError> =
            scene.artifacts.read(&key(&bytes)).await.unwrap().map_ok(|p| p.to_vec()).try_collect().await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))));
    }
}

#[tokio::test]
async fn what_the_operator_writes_it_reads() {
    let scene = Scene::new().await;
    let bytes = noise(700_000);
    let stored = scene.artifacts.write(crate::harness::NAMESPACE, bytes.clone().into()).await.unwrap();
    assert_eq!(stored, key(&bytes));
    let read: Vec<_> = scene.artifacts.read(&stored).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(read.concat(), bytes);
    assert!(matches!(scene.artifacts.read(&key(b"missing")).await.err(), Some(StoreError::Missing(_))));
    assert!(scene.artifacts.stat(&key(b"missing")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_place() {
    let scene = Scene::with(|c| {
        c.limits.downloads = 1;
        c.limits.idle = Duration::from_millis(300);
    })
    .await;
    // More than all buffers between the two hold.
    let bytes = vec![7; 16 * 1024 * 1024];
    scene.artifacts.write(crate::harness::NAMESPACE, bytes.clone().into()).await.unwrap();
    scene.put(b"small").await;
    let leave = scene.artifacts.presign_get(&key(&bytes), Duration::from_secs(60)).await.unwrap();
    let mut stream = TcpStream::connect(scene.addr).await.unwrap();
    let path = leave.url.strip_prefix(&format!("http://{}", scene.addr)).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", scene.addr);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.readable().await.unwrap();
    assert_eq!(problem(scene.get(b"small", None).await).await.0, 503, "its place is taken");
    let begun = std::time::Instant::now();
    while scene.get(b"small", None).await.status() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "its place is never free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stream);
}
