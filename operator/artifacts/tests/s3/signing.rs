//! What a pre-signed URL gives leave to.

use crate::gateway::{Gateway, MINUTE, NAMESPACE, key};
use futures::TryStreamExt;
use hearth_artifacts::{Artifacts, S3Config, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

#[tokio::test]
async fn what_is_put_by_url_is_read_by_url_and_by_the_operator() {
    let gateway = Gateway::start();
    let store = gateway.store(gateway.addr, MINUTE);
    for bytes in [vec![7; 300_000], Vec::new()] {
        let put = store.presign_put(&key(&bytes), bytes.len() as u64, MINUTE).await.unwrap();
        assert!(put.url.contains(&format!("/hearth/artifacts/v1/{}?", key(&bytes))), "{}", put.url);
        assert_eq!(gateway.send(&put, bytes.clone()).await.unwrap(), 200);
        let get = store.presign_get(&key(&bytes), MINUTE).await.unwrap();
        let answer = gateway.client.get(&get.url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap().to_vec()), (200, bytes.clone()));
        assert_eq!(store.stat(&key(&bytes)).await.unwrap().unwrap().bytes, bytes.len() as u64);
        let read: Vec<_> = store.read(&key(&bytes)).await.unwrap().try_collect().await.unwrap();
        assert_eq!(read.concat(), bytes);
    }
    assert_eq!(store.write(NAMESPACE, "own".into()).await.unwrap(), key(b"own"));
    assert!(store.stat(&key(b"own")).await.unwrap().is_some());
    assert!(store.stat(&key(b"none")).await.unwrap().is_none());
    assert!(matches!(store.read(&key(b"none")).await.err(), Some(StoreError::Missing(_))));
}

#[tokio::test]
async fn other_bytes_another_size_or_another_name_are_refused_and_leave_nothing() {
    let gateway = Gateway::start();
    let store = gateway.store(gateway.addr, MINUTE);
    let bytes = vec![1; 1000];
    let leave = store.presign_put(&key(&bytes), 1000, MINUTE).await.unwrap();
    assert_eq!(gateway.send(&leave, vec![2; 1000]).await.unwrap(), 400, "other bytes of the same length");

    let mut unbound = leave.clone();
    unbound.headers.retain(|(name, _)| name != "x-amz-checksum-sha256");
    assert_eq!(gateway.send(&unbound, bytes.clone()).await.unwrap(), 403, "without the checksum");

    let mut other = leave.clone();
    for (name, value) in &mut other.headers {
        if name == "x-amz-checksum-sha256" {
            *value = key(&[2; 1000]).digest().checksum_header();
        }
    }
    assert_eq!(gateway.send(&other, vec![2; 1000]).await.unwrap(), 403, "another checksum");

    let mut longer = leave.clone();
    longer.headers.retain(|(name, _)| name != "content-length");
    assert_eq!(gateway.send(&longer, vec![1; 1001]).await.unwrap(), 403, "another size");

    let mut elsewhere = leave.clone();
    elsewhere.url = leave.url.replace(NAMESPACE, &NAMESPACE.replace('6', "7"));
    assert_eq!(gateway.send(&elsewhere, bytes.clone()).await.unwrap(), 403, "another tenant");
    assert_eq!(gateway.client.get(&leave.url).send().await.unwrap().status(), 403, "another method");
    assert!(store.stat(&key(&bytes)).await.unwrap().is_none());
    assert_eq!(gateway.send(&leave, bytes.clone()).await.unwrap(), 200, "and as it was signed it is taken");
}

#[tokio::test]
async fn a_damaged_object_is_noticed() {
    let gateway = Gateway::start();
    let store = gateway.store(gateway.addr, MINUTE);
    let key = store.write(NAMESPACE, "whole".into()).await.unwrap();
    std::fs::write(gateway.file(&key), "holes").unwrap();
    let read: Result<Vec<_>, _> = store.read(&key).await.unwrap().try_collect().await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn a_url_expires() {
    let gateway = Gateway::start();
    let store = gateway.store(gateway.addr, MINUTE);
    let leave = store.presign_put(&key(b"x"), 1, Duration::from_secs(1)).await.unwrap();
    let begun = std::time::Instant::now();
    while gateway.send(&leave, b"x".to_vec()).await.unwrap() != 403 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never expires");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_nothing_refers_to_is_collected() {
    let gateway = Gateway::start();
    let store = gateway.store(gateway.addr, MINUTE);
    let day = Duration::from_secs(24 * 3600);
    let later = |hours| Timestamp::now() + SignedDuration::from_hours(hours);
    for bytes in ["kept", "lost"] {
        store.write(NAMESPACE, bytes.into()).await.unwrap();
    }
    let kept = |k: &hearth_artifacts::BlobKey| *k == key(b"kept");
    assert_eq!(store.collect(later(25), day, kept).await.unwrap().waiting, 1);
    // The notes are in the bucket: another process goes on from them.
    let done = gateway.store(gateway.addr, MINUTE).collect(later(50), day, kept).await.unwrap();
    assert_eq!((done.listed, done.removed, done.removed_bytes), (2, 1, 4));
    assert!(store.stat(&key(b"lost")).await.unwrap().is_none() && store.stat(&key(b"kept")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_bucket_of_aws_is_addressed_by_its_own_host_and_a_session_goes_along() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let config = S3Config {
        bucket: "runs".to_owned(),
        region: Some("eu-west-1".to_owned()),
        environment: vec![
            variable("AWS_ACCESS_KEY_ID", "someone"),
            variable("AWS_SECRET_ACCESS_KEY", "something"),
            variable("AWS_SESSION_TOKEN", "a/b+c="),
        ],
        ..S3Config::default()
    };
    let leave = Artifacts::s3(&config).unwrap().presign_put(&key(b"x"), 1, MINUTE).await.unwrap();
    let start = format!("https://runs.s3.eu-west-1.amazonaws.com/{}?X-Amz-Algorithm=AWS4-HMAC-SHA256&", key(b"x"));
    assert!(leave.url.starts_with(&start), "{}", leave.url);
    for part in [
        "&X-Amz-Expires=60&X-Amz-Security-Token=a%2Fb%2Bc%3D&",
        "&X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-sha256&",
        "%2Feu-west-1%2Fs3%2Faws4_request&",
    ] {
        assert!(leave.url.contains(part), "{}", leave.url);
    }
}

#[test]
fn a_wrong_configuration_is_refused_by_name() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = S3Config { bucket: "b".to_owned(), prefix: Some("a b".to_owned()), ..S3Config::default() };
    assert!(Artifacts::s3(&config).err().unwrap().to_string().contains("prefix"));
    assert!(Artifacts::s3(&S3Config::default()).err().unwrap().to_string().contains("bucket"));
    let plain = Some("http://minio:9000".to_owned());
    let config = S3Config { bucket: "b".to_owned(), endpoint: plain, ..S3Config::default() };
    assert!(Artifacts::s3(&config).err().unwrap().to_string().contains("endpoint"));
}
