//! What the operator stores as it comes: in one request, or in parts.

use crate::{
    gateway::{Gateway, MINUTE, NAMESPACE, key},
    proxy::{Fault, Proxy},
};
use futures::{TryStreamExt, stream};
use hearth_artifacts::{Artifacts, Bytes, Written};
use std::io;

const LIMIT: u64 = 64 * 1024 * 1024;

async fn written(store: &Artifacts, bytes: &[u8]) -> Written {
    let pieces: Vec<io::Result<Bytes>> = bytes.chunks(777_777).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
    store.write_stream(NAMESPACE, LIMIT, stream::iter(pieces)).await.unwrap()
}

#[tokio::test]
async fn long_and_short_ones_are_read_back() {
    let gateway = Gateway::start();
    let proxy = Proxy::start(gateway.addr, gateway.client.clone()).await;
    let store = gateway.store(proxy.addr, MINUTE);
    for length in [0, 3, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1, 20_000_000] {
        let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
        proxy.fail(&[Fault::SlowDown]);
        let stored = written(&store, &bytes).await;
        assert!(proxy.all_happened());
        assert_eq!(stored, Written { key: key(&bytes), bytes: u64::from(length), left_out: 0 });
        let read: Vec<Bytes> = store.read(&stored.key).await.unwrap().try_collect().await.unwrap();
        assert!(read.concat() == bytes, "{length} bytes");
        assert_eq!(store.stat(&stored.key).await.unwrap().unwrap().bytes, u64::from(length));
    }
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let some: Vec<Bytes> =
        store.read_range(&key(&bytes), 19_999_990..20_000_000).await.unwrap().try_collect().await.unwrap();
    assert_eq!(some.concat(), bytes[19_999_990..]);
}
