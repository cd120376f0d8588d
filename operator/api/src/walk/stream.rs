//! The stream of a run's transitions, by the router.

use super::*;

/// The events of a stream: name, id and data.
fn events(text: &str) -> Vec<(String, Option<String>, Value)> {
    let field = |block: &str, name: &str| {
        block.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim_start_matches(':').trim().to_owned())
    };
    let blocks = text.split("\n\n").filter(|b| field(b, "event").is_some());
    blocks
        .map(|b| {
            let data = serde_json::from_str(&field(b, "data").unwrap()).unwrap();
            (field(b, "event").unwrap(), field(b, "id"), data)
        })
        .collect()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn resume(app: &Router, token: &str, id: &str) -> Response {
    let request = Request::get(filled(Endpoint::Stream))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("Last-Event-ID", id);
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_until_the_run_ends_and_can_be_resumed() {
    let store = store();
    store.set_phase("Running");
    let app = app(&FakeCluster::with(ADA), &store, true);
    let response = send(&app, &filled(Endpoint::Stream), Some("token-ada")).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let reading = tokio::spawn(text(response));
    // The store goes away for a while, and comes back with the end.
    *store.away.lock().unwrap() = true;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    store.add_event("Failed", 2);
    store.set_phase("Failed");
    *store.away.lock().unwrap() = false;
    let seen = events(&reading.await.unwrap());
    let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["transition", "transition", "end"]);
    assert_eq!(seen[1].2["transition"], "Failed");
    assert_eq!(seen[2].2["phase"], "Failed");
    let rest = events(&text(resume(&app, "token-ada", seen[0].1.as_ref().unwrap()).await).await);
    assert_eq!(rest[..], seen[1..]);
    let all = resume(&app, "token-ada", seen[1].1.as_ref().unwrap()).await;
    assert_eq!(all.status(), StatusCode::NO_CONTENT, "a browser does not come back");
    assert_eq!(resume(&app, "token-ada", "made-up").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_right_to_see_it() {
    let (store, cluster) = (store(), FakeCluster::with(ADA));
    store.set_phase("Running");
    let app = app(&cluster, &store, true);
    let reading = tokio::spawn(text(send(&app, &filled(Endpoint::Stream), Some("token-ada")).await));
    tokio::task::yield_now().await;
    store.runs.lock().unwrap()[0].summary.namespace_uid = "another".to_owned();
    let seen = events(&reading.await.unwrap());
    let (name, _, problem) = seen.last().unwrap();
    assert_eq!((name.as_str(), &problem["status"]), ("problem", &Value::from(403)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_run_without_an_end_ends_too() {
    let store = store();
    store.set_phase("Running");
    let app = app(&FakeCluster::with(ADA), &store, true);
    let mut open = Vec::new();
    loop {
        let response = send(&app, &filled(Endpoint::Stream), Some("token-ada")).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        open.push(response);
    }
    assert_eq!(open.len(), 8);
    let seen = events(&text(open.pop().unwrap()).await);
    assert_eq!(seen.len(), 1, "no end: {seen:?}");
    assert_eq!(
        send(&app, &filled(Endpoint::Stream), Some("token-ada")).await.status(),
        StatusCode::OK,
        "a place is free"
    );
}
