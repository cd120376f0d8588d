//! PUT: all of it, or nothing.

use crate::harness::{Folder, Scene, client, config, key, noise, problem, send, until};
use hearth_artifacts::volume::{Limits, Volume};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Command,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn an_upload_is_there_and_nobody_else_reads_the_file() {
    let scene = Scene::new().await;
    for bytes in [noise(3_000_000), b"x".to_vec(), Vec::new()] {
        assert_eq!(scene.put(&bytes).await.status(), 201);
        assert_eq!(scene.get(&bytes, None).await.bytes().await.unwrap(), bytes);
        let meta = fs::metadata(scene.file(&bytes)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(meta.len(), bytes.len() as u64);
        assert_eq!(scene.artifacts.stat(&key(&bytes)).await.unwrap().unwrap().bytes, bytes.len() as u64);
    }
    assert_eq!(fs::metadata(scene.folder.path().join("blobs")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(scene.uploads(), 0);
}

#[tokio::test]
async fn two_uploads_of_the_same_bytes_both_end_well() {
    let scene = Scene::new().await;
    let bytes = noise(2_000_000);
    let (one, two) = tokio::join!(scene.put(&bytes), scene.put(&bytes));
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (201, 201));
    let inode = fs::metadata(scene.file(&bytes)).unwrap().ino();
    assert_eq!(scene.put(&bytes).await.status(), 201, "and so does a later one");
    assert_ne!(fs::metadata(scene.file(&bytes)).unwrap().ino(), inode, "which counts as new for the collection");
    assert_eq!(scene.get(&bytes, None).await.bytes().await.unwrap(), bytes);
    assert_eq!(scene.uploads(), 0);
}

#[tokio::test]
async fn other_bytes_or_another_length_leave_nothing() {
    let scene = Scene::new().await;
    let (bytes, other) = (noise(1000), vec![7; 1000]);
    let leave = scene.leave_to_put(&bytes).await;
    let (status, _, detail) = problem(send(&scene.client, &leave, &other).await).await;
    assert!(status == 400 && detail.contains(&key(&other).digest().to_string()), "{detail}");
    let short = scene.client.put(&leave.url).body(bytes[..999].to_vec()).send().await.unwrap();
    let (status, _, detail) = problem(short).await;
    assert!(status == 400 && detail.contains("Content-Length is 999"), "{detail}");
    let pieces = futures::stream::iter([Ok::<_, std::io::Error>(bytes.clone())]);
    let unknown = scene.client.put(&leave.url).body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap();
    assert_eq!(problem(unknown).await.0, 411);
    assert!(!scene.file(&bytes).exists() && !scene.file(&other).exists());
    assert_eq!(scene.uploads(), 0);
}

/// Sends the head of a PUT and `bytes` of its body.
async fn half(scene: &Scene, url: &str, length: usize, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(scene.addr).await.unwrap();
    let path = url.strip_prefix(&format!("http://{}", scene.addr)).unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n", scene.addr);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

#[tokio::test]
async fn an_upload_that_is_cut_leaves_nothing() {
    let scene = Scene::new().await;
    let bytes = noise(1_000_000);
    let leave = scene.leave_to_put(&bytes).await;
    let stream = half(&scene, &leave.url, bytes.len(), &bytes[..400_000]).await;
    until("the upload has begun", || scene.uploads() == 1).await;
    drop(stream);
    until("its rest is gone", || scene.uploads() == 0).await;
    assert!(!scene.file(&bytes).exists());
    assert_eq!(send(&scene.client, &leave, &bytes).await.status(), 201, "and it can be tried again");
}

#[tokio::test]
async fn a_client_that_stops_sending_is_told_so_and_leaves_nothing() {
    let idle = Duration::from_millis(200);
    let scene = Scene::with(|c| c.limits.idle = idle).await;
    let bytes = noise(1000);
    let leave = scene.leave_to_put(&bytes).await;
    let mut stream = half(&scene, &leave.url, bytes.len(), &bytes[..500]).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("urn:hearth:problem:timed-out"), "{answer}");
    assert_eq!(scene.uploads(), 0);
}

#[tokio::test]
async fn more_uploads_than_places_are_told_to_come_again() {
    let scene = Scene::with(|c| c.limits = Limits { uploads: 1, ..Limits::default() }).await;
    let bytes = noise(1000);
    let leave = scene.leave_to_put(&bytes).await;
    let stream = half(&scene, &leave.url, bytes.len(), &bytes[..500]).await;
    until("the first upload has begun", || scene.uploads() == 1).await;
    let refused = scene.put(b"other").await;
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(problem(refused).await.0, 503);
    drop(stream);
    until("the place is free", || scene.uploads() == 0).await;
    assert_eq!(scene.put(b"other").await.status(), 201);
}

#[tokio::test]
async fn a_volume_without_room_says_so() {
    let scene = Scene::with(|c| c.keep_free = u64::MAX).await;
    let (status, kind, detail) = problem(scene.put(b"x").await).await;
    assert_eq!((status, kind.as_str()), (507, "urn:hearth:problem:volume-full"));
    assert!(detail.contains("full"), "{detail}");
    assert_eq!(scene.uploads(), 0);
    assert!(!scene.file(b"x").exists());
}

/// In a process of its own whose files may have 64 KiB: what the kernel says there is what it says of a full volume.
#[test]
fn a_volume_that_fills_up_while_it_is_written_says_so() {
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "uploading::with_small_files_only", "--include-ignored"])
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
#[ignore = "run by a_volume_that_fills_up_while_it_is_written_says_so, in a process with a limit"]
async fn with_small_files_only() {
    let scene = Scene::new().await;
    assert_eq!(scene.put(&noise(60_000)).await.status(), 201);
    let large = noise(200_000);
    assert_eq!(problem(scene.put(&large).await).await.0, 507);
    assert_eq!(scene.uploads(), 0);
    assert!(!scene.file(&large).exists());
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_at_the_next_start() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("uploads")).unwrap();
    fs::write(folder.path().join("uploads/half"), b"half").unwrap();
    let _client = client();
    let _volume = Volume::open(config(folder.path(), "http://localhost".to_owned())).unwrap();
    assert!(!folder.path().join("uploads/half").exists());
}
