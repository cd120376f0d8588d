//! The Recorder's calls over a real connection, with an API server that a test can change.

#![allow(missing_docs, reason = "tests document themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panic"
)]

#[path = "../scene/mod.rs"]
mod scene;

use hearth_contract::{MAX_BYTES, digest::Digest};
use hearth_recorder_proto::v1::{Access, GetSpecRequest, PresignRequest, recorder_client::RecorderClient};
use scene::{Known, NAMESPACE_UID, Scene, TOKEN};
use serde_json::{Value, json};
use tonic::{
    Code, Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

fn spec() -> Value {
    json!({
        "version": "1", "step": "fit", "attempt": 2,
        "inputs": [{"name": "table", "path": "/hearth/in/table", "digest": Digest::of(b"table"), "bytes": 5}],
        "artifacts": [{"name": "model", "path": "/hearth/out/model"}],
    })
}

async fn scene() -> (Scene, RecorderClient<Channel>) {
    let scene = Scene::new(|_| spec()).await;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&scene.ca)).domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{}", scene.addr)).unwrap().tls_config(tls).unwrap();
    let client = RecorderClient::new(endpoint.connect().await.unwrap());
    (scene, client)
}

fn signed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    request
}

fn write(bytes: &[u8]) -> PresignRequest {
    PresignRequest {
        attempt: 2,
        name: "model".to_owned(),
        access: Access::Write.into(),
        digest: Digest::of(bytes).to_string(),
        size: bytes.len() as u64,
    }
}

fn read() -> PresignRequest {
    PresignRequest { name: "table".to_owned(), access: Access::Read.into(), ..write(b"table") }
}

/// What a test does to what the API server knows.
type Change = Box<dyn Fn(&mut Known)>;

async fn refusal(client: &mut RecorderClient<Channel>) -> Status {
    client.presign(signed(write(b"x"))).await.unwrap_err()
}

#[tokio::test]
async fn an_attempt_gets_its_spec_and_urls_for_what_it_declares() {
    let (scene, mut client) = scene().await;
    let answer = client.get_spec(signed(GetSpecRequest {})).await.unwrap().into_inner();
    assert_eq!(serde_json::from_str::<Value>(&answer.spec).unwrap(), spec());

    let roots = reqwest::tls::Certificate::from_pem(scene.ca.as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([roots]).build().unwrap();
    let put = client.presign(signed(write(b"a model"))).await.unwrap().into_inner();
    assert!(put.url.contains(&format!("/blobs/{NAMESPACE_UID}/{}", Digest::of(b"a model").hex())), "{}", put.url);
    let mut upload = http.put(&put.url).body("a model");
    for (name, value) in &put.headers {
        upload = upload.header(name, value);
    }
    assert_eq!(upload.send().await.unwrap().status(), 201);

    scene.artifacts.write(NAMESPACE_UID, "table".into()).await.unwrap();
    let get = client.presign(signed(read())).await.unwrap().into_inner();
    assert_eq!(http.get(&get.url).send().await.unwrap().text().await.unwrap(), "table");
}

#[tokio::test]
async fn a_token_is_reviewed_once_in_a_while_and_the_pod_is_looked_at_each_time() {
    let (scene, mut client) = scene().await;
    for _ in 0..3 {
        client.presign(signed(write(b"x"))).await.unwrap();
    }
    assert_eq!((scene.cluster.count("/tokenreviews"), scene.cluster.count("/pods/fit-1")), (1, 3));
    scene.cluster.known.lock().unwrap().pod.as_mut().unwrap()["status"]["phase"] = "Succeeded".into();
    assert_eq!(refusal(&mut client).await.code(), Code::PermissionDenied, "an ended pod has no authority at once");
}

#[tokio::test]
async fn who_is_not_known_is_refused() {
    let (scene, mut client) = scene().await;
    assert_eq!(client.get_spec(GetSpecRequest {}).await.unwrap_err().code(), Code::Unauthenticated);
    for header in ["Bearer another", "Basic x", "Bearer"] {
        let mut request = Request::new(GetSpecRequest {});
        request.metadata_mut().insert("authorization", header.parse().unwrap());
        assert_eq!(client.get_spec(request).await.unwrap_err().code(), Code::Unauthenticated, "{header}");
    }
    let changes: [fn(&mut Known); 3] = [
        |k| k.review["audiences"] = json!(["https://kubernetes.default.svc"]),
        |k| k.review["user"]["extra"] = json!({}),
        |k| k.review["user"]["username"] = json!("ada"),
    ];
    for change in changes {
        change(&mut scene.cluster.known.lock().unwrap());
        assert_eq!(refusal(&mut client).await.code(), Code::Unauthenticated);
        scene.cluster.known.lock().unwrap().review = scene::review();
    }
    client.presign(signed(write(b"x"))).await.unwrap();
}

#[tokio::test]
async fn a_pod_that_is_none_of_ours_or_has_ended_has_no_authority() {
    let (scene, mut client) = scene().await;
    client.presign(signed(write(b"x"))).await.unwrap();
    let fresh = scene.cluster.known.lock().unwrap().clone();
    fn change(pointer: &'static str, value: Value) -> Change {
        Box::new(move |k| *k.pod.as_mut().unwrap().pointer_mut(pointer).unwrap() = value.clone())
    }
    let cases: Vec<(&str, Change)> = vec![
        ("does not exist", Box::new(|k| k.pod = None)),
        ("does not exist", change("/metadata/uid", json!("a later pod"))),
        ("has ended", change("/status/phase", json!("Succeeded"))),
        ("has ended", change("/status/phase", json!("Failed"))),
        ("not known", change("/status/phase", json!("Unknown"))),
        ("not an attempt", change("/metadata/labels/hearth.dev~1role", json!("placeholder"))),
        ("no object", change("/metadata/ownerReferences", json!([]))),
        ("no object", change("/metadata/ownerReferences/0/controller", json!(false))),
        ("no object", change("/metadata/ownerReferences/0/kind", json!("Job"))),
        ("no object", change("/metadata/ownerReferences/0/apiVersion", json!("hearth.dev.example/v1"))),
        ("no object", change("/metadata/labels/hearth.dev~1owner-uid", json!("another"))),
        ("Workflow of this pod", Box::new(|k| k.owner = None)),
        ("Workflow of this pod", Box::new(|k| k.owner.as_mut().unwrap()["metadata"]["uid"] = json!("a later one"))),
        ("differ", change("/metadata/labels/hearth.dev~1attempt", json!("3"))),
        ("differ", change("/metadata/labels/hearth.dev~1step", json!("other"))),
        ("annotation", change("/metadata/annotations", json!({}))),
        ("annotation", change("/metadata/annotations/hearth.dev~1spec", json!("{"))),
    ];
    for (at, (words, change)) in cases.into_iter().enumerate() {
        let mut known = fresh.clone();
        change(&mut known);
        *scene.cluster.known.lock().unwrap() = known;
        let status = refusal(&mut client).await;
        assert_eq!(status.code(), Code::PermissionDenied, "case {at}: {status}");
        assert!(status.message().contains(words), "case {at}: {status}");
    }
    *scene.cluster.known.lock().unwrap() = fresh;
    client.presign(signed(write(b"x"))).await.unwrap();
}

#[tokio::test]
async fn only_what_the_spec_declares_is_signed() {
    let (_scene, mut client) = scene().await;
    let cases = [
        (Code::PermissionDenied, "no output artifact", PresignRequest { name: "other".to_owned(), ..write(b"x") }),
        (Code::PermissionDenied, "no output artifact", PresignRequest { name: "table".to_owned(), ..write(b"x") }),
        (Code::PermissionDenied, "no output artifact", PresignRequest { name: "../model".to_owned(), ..write(b"x") }),
        (Code::PermissionDenied, "no input", PresignRequest { name: "model".to_owned(), ..read() }),
        (Code::PermissionDenied, "5 bytes", PresignRequest { digest: Digest::of(b"y").to_string(), ..read() }),
        (Code::PermissionDenied, "5 bytes", PresignRequest { size: 6, ..read() }),
        (Code::InvalidArgument, "attempt 2", PresignRequest { attempt: 1, ..write(b"x") }),
        (Code::InvalidArgument, "READ or WRITE", PresignRequest { access: 0, ..write(b"x") }),
        (Code::InvalidArgument, "READ or WRITE", PresignRequest { access: 9, ..write(b"x") }),
        (Code::InvalidArgument, "digest", PresignRequest { digest: "sha256:../..".to_owned(), ..write(b"x") }),
        (Code::InvalidArgument, "longer", PresignRequest { size: MAX_BYTES + 1, ..write(b"x") }),
    ];
    for (at, (code, words, request)) in cases.into_iter().enumerate() {
        let status = client.presign(signed(request)).await.unwrap_err();
        assert!(status.code() == code && status.message().contains(words), "case {at}: {status}");
    }
}

#[tokio::test]
async fn an_api_server_that_is_away_is_said_and_not_remembered() {
    let (scene, mut client) = scene().await;
    scene.cluster.known.lock().unwrap().down = true;
    let status = refusal(&mut client).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.message().contains("etcd"), "why is for the log: {status}");
    scene.cluster.known.lock().unwrap().down = false;
    client.presign(signed(write(b"x"))).await.unwrap();
}

#[tokio::test]
async fn long_messages_and_too_many_calls_are_refused() {
    let (_scene, mut client) = scene().await;
    let long = PresignRequest { name: "x".repeat(5 * 1024 * 1024), ..write(b"x") };
    assert_eq!(client.presign(signed(long)).await.unwrap_err().code(), Code::OutOfRange);
    let mut refused = 0;
    for _ in 0..400 {
        match client.get_spec(signed(GetSpecRequest {})).await {
            Ok(_) => {}
            Err(status) if status.code() == Code::ResourceExhausted => refused += 1,
            Err(status) => panic!("{status}"),
        }
    }
    assert!(refused > 0, "no call of 400 at once was refused");
}

#[tokio::test]
async fn more_calls_than_may_run_at_a_time_wait_and_are_answered() {
    let (_scene, mut client) = scene().await;
    // With the first answer the client learns how many may run.
    client.get_spec(signed(GetSpecRequest {})).await.unwrap();
    let calls = (0..150).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { client.get_spec(signed(GetSpecRequest {})).await.map(drop) })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
}
