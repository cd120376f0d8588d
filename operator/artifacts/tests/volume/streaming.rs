//! What the operator stores as it comes.

use crate::harness::{NAMESPACE, Scene, key, noise};
use futures::{TryStreamExt, stream};
use hearth_artifacts::{Bytes, StoreError, Written};
use std::io;

const LIMIT: u64 = 1_000_000;

/// The bytes in pieces of odd sizes.
fn pieces(bytes: &[u8]) -> Vec<io::Result<Bytes>> {
    bytes.chunks(77_777).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

async fn written(scene: &Scene, bytes: &[u8]) -> Written {
    scene.artifacts.write_stream(NAMESPACE, LIMIT, stream::iter(pieces(bytes))).await.unwrap()
}

async fn read(scene: &Scene, written: &Written) -> Vec<u8> {
    let pieces: Vec<Bytes> = scene.artifacts.read(&written.key).await.unwrap().try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn what_comes_without_a_length_is_stored_under_its_digest() {
    let scene = Scene::new().await;
    for length in [0, 10, 1_000_000] {
        let bytes = noise(length);
        let stored = written(&scene, &bytes).await;
        assert_eq!(stored, Written { key: key(&bytes), bytes: length as u64, left_out: 0 });
        assert_eq!(read(&scene, &stored).await, bytes);
    }
    assert_eq!(scene.uploads(), 0);
}

#[tokio::test]
async fn of_more_than_the_limit_the_middle_is_left_out_and_a_line_says_so() {
    let scene = Scene::new().await;
    let bytes = noise(2_345_678);
    let stored = written(&scene, &bytes).await;
    let note = "\n[1345678 bytes are left out here: the log is longer than 1000000 bytes]\n";
    let want = [&bytes[..500_000], note.as_bytes(), &bytes[1_845_678..]].concat();
    assert_eq!(stored, Written { key: key(&want), bytes: want.len() as u64, left_out: 1_345_678 });
    assert_eq!(read(&scene, &stored).await, want);
}

#[tokio::test]
async fn what_breaks_off_is_not_stored() {
    let scene = Scene::new().await;
    let bytes = noise(300_000);
    let mut cut = pieces(&bytes);
    cut.push(Err(io::ErrorKind::ConnectionReset.into()));
    let error = scene.artifacts.write_stream(NAMESPACE, LIMIT, stream::iter(cut)).await.unwrap_err();
    assert!(matches!(error, StoreError::Source(_)), "{error}");
    assert!(scene.artifacts.stat(&key(&bytes)).await.unwrap().is_none());
    assert_eq!(scene.uploads(), 0);
    let error = scene.artifacts.write_stream("no-uid", LIMIT, stream::iter(pieces(&bytes))).await.unwrap_err();
    assert!(matches!(error, StoreError::Config(_)), "{error}");
}

#[tokio::test]
async fn some_of_a_blob_can_be_read() {
    let scene = Scene::new().await;
    let bytes = noise(700_000);
    let stored = written(&scene, &bytes).await;
    for span in [0..10, 300_000..700_000, 699_999..700_000] {
        let some: Vec<Bytes> =
            scene.artifacts.read_range(&stored.key, span.clone()).await.unwrap().try_collect().await.unwrap();
        assert_eq!(some.concat(), bytes[span.start as usize..span.end as usize], "{span:?}");
    }
    let missing = scene.artifacts.read_range(&key(b"missing"), 0..1).await.err();
    assert!(matches!(missing, Some(StoreError::Missing(_))));
}
