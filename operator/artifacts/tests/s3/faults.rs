//! An S3 server that is away, late, silent, or breaks off.

use crate::{
    gateway::{Gateway, MINUTE, NAMESPACE, key},
    proxy::{Fault, Proxy},
};
use std::time::{Duration, Instant};

async fn scene() -> (Gateway, Proxy) {
    let gateway = Gateway::start();
    let proxy = Proxy::start(gateway.addr, gateway.client.clone()).await;
    (gateway, proxy)
}

#[tokio::test]
async fn the_operator_tries_again_when_the_server_has_too_much_to_do_or_is_late() {
    let (gateway, proxy) = scene().await;
    let store = gateway.store(proxy.addr, MINUTE);
    proxy.fail(&[Fault::SlowDown, Fault::SlowDown, Fault::Late(Duration::from_millis(300))]);
    store.write(NAMESPACE, "x".into()).await.unwrap();
    assert!(proxy.all_happened());
    proxy.fail(&[Fault::SlowDown]);
    assert_eq!(store.stat(&key(b"x")).await.unwrap().unwrap().bytes, 1);
}

#[tokio::test]
async fn a_silent_server_holds_nobody_for_longer_than_was_said() {
    let (gateway, proxy) = scene().await;
    let patience = Duration::from_millis(400);
    let store = gateway.store(proxy.addr, patience);
    proxy.fail(&[Fault::Silence; 20]);
    let begun = Instant::now();
    let error = store.stat(&key(b"x")).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}: {error}", begun.elapsed());
}

#[tokio::test]
async fn an_upload_that_is_refused_or_cut_leaves_nothing_and_can_be_tried_again() {
    let (gateway, proxy) = scene().await;
    let store = gateway.store(proxy.addr, MINUTE);
    let bytes = vec![3; 2_000_000];
    let leave = store.presign_put(&key(&bytes), bytes.len() as u64, MINUTE).await.unwrap();
    proxy.fail(&[Fault::SlowDown, Fault::Cut(700_000)]);
    assert!(matches!(gateway.send(&leave, bytes.clone()).await, Ok(503) | Err(_)));
    assert!(matches!(gateway.send(&leave, bytes.clone()).await, Ok(502) | Err(_)));
    assert!(proxy.all_happened());
    assert!(store.stat(&key(&bytes)).await.unwrap().is_none());
    assert_eq!(gateway.send(&leave, bytes.clone()).await.unwrap(), 200);
    assert_eq!(store.stat(&key(&bytes)).await.unwrap().unwrap().bytes, 2_000_000);
}
