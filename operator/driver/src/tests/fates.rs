use super::*;
use crate::fate::{self, Fate};
use hearth_plan::record::ObjectKey;
use k8s_openapi::api::core::v1::Pod;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn a_live_get_says_what_became_of_a_run() {
    let here = object(6, &[], &json!({}), Some(running(1, 1)));
    let mut recreated = here.clone();
    recreated["metadata"]["uid"] = json!("another");
    let undecodable = object(6, &[], &json!({"unheard": "of"}), None);
    for (found, run, fate) in [
        (Some(&here), "run-1", Fate::Current),
        (Some(&here), "run-0", Fate::LaterRun),
        (Some(&recreated), "run-1", Fate::Gone),
        (Some(&undecodable), "run-1", Fate::Current),
        (None, "run-1", Fate::Gone),
    ] {
        let mut b = bench();
        let key = ObjectKey { kind: "Fake".into(), namespace: "ns".into(), name: "a".into(), uid: "uid-a".into() };
        let ask = fate::of::<Fake>(&b.shared, &key, run);
        let serve = async {
            let asked = b.server.expect(Method::GET, OBJECT).await;
            match found {
                Some(o) => drop(asked.answer(200, o)),
                None => drop(asked.refuse(404, "NotFound", "gone")),
            }
        };
        assert_eq!(tokio::join!(ask, serve).0.unwrap(), fate);
    }
}

#[tokio::test]
async fn the_client_sends_nothing_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = [0u8; 4096];
            let read = stream.read(&mut seen).await.unwrap();
            let text = String::from_utf8_lossy(&seen[..read]).into_owned();
            assert!(text.starts_with("POST ") && text.contains("user-agent: hearth/"), "{text}");
            count.fetch_add(1, Ordering::SeqCst);
            let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
        }
    });
    let client = crate::client::build(kube::Config::new(url.parse().unwrap())).unwrap();
    let calls = Calls::new(client, Duration::from_secs(5));
    let error = calls.create::<Pod, Value>("ns", &json!({})).await.unwrap_err();
    assert_eq!(error.class(), crate::Class::Transient, "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    server.abort();
}
