//! What becomes of it when a target does not take it.

use crate::{
    Endpoint, Targets,
    testing::{PATIENCE, Scene, Server, run, step, until},
};
use hearth_history::Export;
use uuid::Uuid;

fn lineage(server: &Server) -> Targets {
    Targets { openlineage: Some((server.endpoint(), "hearth".into())), opentelemetry: None }
}

const REFUSED: &str = "hearth_export_notices_total{target=\"openlineage\",outcome=\"refused\"}";

/// What waits for the target of lineage.
async fn waiting(scene: &Scene) -> Vec<Export> {
    scene.store.exports(crate::OPENLINEAGE, 100).await.unwrap()
}

async fn told_all(scene: &Scene) {
    let emptied = async {
        while !waiting(scene).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, emptied).await.expect("all is told");
}

/// A notice is counted just after it left the store.
async fn counted(scene: &Scene, series: &str, count: u64) {
    until(|| scene.metric(series) == count).await;
}

#[tokio::test]
async fn a_target_that_is_away_is_told_later_and_in_order() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    server.answer(|_| 503);
    let telling = scene.export(lineage(&server)).await;
    let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        scene.keep(run(*id, "co2", 1, "Succeeded"), vec![]).await;
    }
    until(|| server.posts().len() > 5).await;
    assert_eq!(waiting(&scene).await.len(), 6, "nothing is lost meanwhile");
    assert!(scene.metric("hearth_export_failures_total{target=\"openlineage\"}") > 0);
    server.answer(|_| 200);
    let posts = server.taken(6).await;
    told_all(&scene).await;
    let told: Vec<(String, String)> = posts
        .iter()
        .map(|p| (p.json()["run"]["runId"].as_str().unwrap().into(), p.json()["eventType"].as_str().unwrap().into()))
        .collect();
    let pairs = ids.iter().flat_map(|id| ["START", "COMPLETE"].map(|kind| (id.to_string(), kind.to_owned())));
    let mut want: Vec<_> = pairs.collect();
    let (mut sorted, _) = (told.clone(), want.sort());
    sorted.sort();
    assert_eq!(sorted, want, "each once");
    for id in &ids {
        let of: Vec<_> = told.iter().filter(|(run, _)| *run == id.to_string()).map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(of, ["START", "COMPLETE"]);
    }
    assert_eq!(posts[0].headers["authorization"], "Bearer s3cret");
    assert_eq!(posts[0].headers["content-type"], "application/json");
    assert_eq!(posts[0].path, "/told");
    counted(&scene, "hearth_export_notices_total{target=\"openlineage\",outcome=\"told\"}", 6).await;
    telling.abort();
}

#[tokio::test]
async fn what_is_refused_is_counted_and_the_rest_goes_on() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let (bad, good) = (Uuid::now_v7(), Uuid::now_v7());
    server.answer(move |post| if post.json()["run"]["runId"] == bad.to_string() { 422 } else { 200 });
    let telling = scene.export(lineage(&server)).await;
    scene.keep(run(bad, "co2", 1, "Succeeded"), vec![]).await;
    scene.keep(run(good, "co2", 1, "Succeeded"), vec![]).await;
    server.taken(2).await;
    // What is refused is given up when it is refused again after something else was taken.
    while scene.metric(REFUSED) < 2 {
        scene.keep(run(Uuid::now_v7(), "co2", 1, "Running"), vec![]).await;
    }
    told_all(&scene).await;
    counted(&scene, REFUSED, 2).await;
    telling.abort();
}

#[tokio::test]
async fn many_that_are_refused_hold_up_nothing() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let targets = [hearth_history::ExportTarget { name: crate::OPENLINEAGE, starts: true }];
    scene.store.set_export_targets(&targets).await.unwrap();
    server.answer(|post| if post.json()["job"]["name"] == "odd" { 413 } else { 200 });
    for name in ["odd", "odd", "odd", "co2"] {
        scene.keep(run(Uuid::now_v7(), name, 1, "Running"), vec![]).await;
    }
    let telling = scene.export(lineage(&server)).await;
    server.taken(1).await;
    told_all(&scene).await;
    counted(&scene, REFUSED, 3).await;
    telling.abort();
}

#[tokio::test]
async fn an_address_that_refuses_all_is_a_wrong_address() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    server.answer(|_| 400);
    let telling = scene.export(lineage(&server)).await;
    let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        scene.keep(run(*id, "co2", 1, "Running"), vec![]).await;
    }
    until(|| server.posts().len() > 10).await;
    assert_eq!((waiting(&scene).await.len(), scene.metric(REFUSED)), (3, 0));
    server.answer(|_| 200);
    server.taken(3).await;
    told_all(&scene).await;
    assert_eq!(scene.metric(REFUSED), 0);
    telling.abort();
}

#[tokio::test]
async fn an_address_that_is_mended_between_two_posts_loses_nothing() {
    // The first post of the start, and the first of the end, come before that.
    for before in [1, 2] {
        let (mut scene, server) = (Scene::new().await, Server::start().await);
        let targets = [hearth_history::ExportTarget { name: crate::OPENLINEAGE, starts: before == 1 }];
        scene.store.set_export_targets(&targets).await.unwrap();
        for _ in 0..2 {
            let id = Uuid::now_v7();
            scene.keep(run(id, "co2", 1, "Succeeded"), vec![step(id, "fit", 1, "Succeeded")]).await;
        }
        let count = std::sync::atomic::AtomicU32::new(0);
        server
            .answer(move |_| if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < before { 400 } else { 200 });
        let telling = scene.export(lineage(&server)).await;
        told_all(&scene).await;
        let (posts, want) = (server.posts(), if before == 1 { 8 } else { 6 });
        let mut taken: Vec<_> = posts.iter().filter(|(_, answer)| *answer == 200).map(|(p, _)| &p.body).collect();
        taken.sort();
        taken.dedup();
        assert_eq!((taken.len(), scene.metric(REFUSED)), (want, 0), "{before} refused before");
        telling.abort();
    }
}

#[tokio::test]
async fn what_was_refused_before_a_break_is_not_taken_for_told() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let id = Uuid::now_v7();
    let telling = scene.export(lineage(&server)).await;
    scene.keep(run(id, "co2", 1, "Running"), vec![]).await;
    server.taken(1).await;
    // The address becomes a wrong one, and stumbles too.
    let count = std::sync::atomic::AtomicU32::new(0);
    server.answer(move |_| if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 { 503 } else { 400 });
    scene.keep(run(id, "co2", 2, "Succeeded"), vec![step(id, "fit", 1, "Succeeded")]).await;
    until(|| server.posts().len() > 12).await;
    assert_eq!((waiting(&scene).await.len(), scene.metric(REFUSED)), (1, 0));
    server.answer(|_| 200);
    assert_eq!(server.taken(4).await.len(), 4, "the start, and all three of the end");
    told_all(&scene).await;
    telling.abort();
}

#[tokio::test]
async fn no_end_is_told_before_its_start() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let id = Uuid::now_v7();
    scene
        .store
        .set_export_targets(&[hearth_history::ExportTarget { name: crate::OPENLINEAGE, starts: true }])
        .await
        .unwrap();
    scene.keep(run(id, "co2", 1, "Succeeded"), vec![]).await;
    assert_eq!(waiting(&scene).await.len(), 2);
    let first = std::sync::atomic::AtomicBool::new(true);
    server.answer(move |_| if first.swap(false, std::sync::atomic::Ordering::Relaxed) { 503 } else { 200 });
    let telling = scene.export(lineage(&server)).await;
    server.taken(2).await;
    let kinds: Vec<_> =
        server.posts().iter().map(|(post, answer)| (post.json()["eventType"].clone(), *answer)).collect();
    assert_eq!(kinds, [("START".into(), 503), ("START".into(), 200), ("COMPLETE".into(), 200)]);
    telling.abort();
}

#[tokio::test]
async fn telling_goes_on_where_it_broke_off() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let id = Uuid::now_v7();
    let count = std::sync::atomic::AtomicU32::new(0);
    // Every third post fails: a run of many posts would never be told from its beginning to its end.
    server.answer(move |_| if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 3 == 2 { 429 } else { 200 });
    let telling = scene.export(lineage(&server)).await;
    let steps = (0..20).map(|n| step(id, &format!("s{n}"), 1, "Succeeded")).collect();
    scene.keep(run(id, "co2", 1, "Succeeded"), steps).await;
    let posts = server.taken(42).await;
    told_all(&scene).await;
    let mut bodies: Vec<_> = posts.iter().map(|post| post.body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!((bodies.len(), scene.metric(REFUSED)), (42, 0), "each was taken once");
    telling.abort();
}

#[tokio::test]
async fn what_is_refused_of_a_run_does_not_hold_up_its_rest() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let id = Uuid::now_v7();
    server.answer(|post| if post.json()["job"]["name"] == "co2.odd" { 422 } else { 200 });
    let telling = scene.export(lineage(&server)).await;
    let steps = ["fit", "odd", "plot"].map(|name| step(id, name, 1, "Succeeded"));
    scene.keep(run(id, "co2", 1, "Succeeded"), steps.into()).await;
    let posts = server.taken(6).await;
    told_all(&scene).await;
    assert_eq!(posts[5].json()["job"]["name"], "co2");
    counted(&scene, REFUSED, 1).await;
    assert_eq!(server.posts().len(), 10, "what was refused is asked twice");
    telling.abort();
}

#[tokio::test]
async fn a_deleted_run_says_nothing_of_a_target_that_is_away() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    server.answer(|_| 503);
    let telling = scene.export(lineage(&server)).await;
    scene.keep(run(Uuid::now_v7(), "co2", 1, "Running"), vec![]).await;
    let gone = "hearth_export_notices_total{target=\"openlineage\",outcome=\"gone\"}";
    for count in 1..=8 {
        let id = Uuid::now_v7();
        scene.keep(run(id, "co2", 1, "Running"), vec![]).await;
        scene.store.bury(&[id], "test").await.unwrap();
        until(|| scene.metric(gone) == count).await;
    }
    assert_eq!((waiting(&scene).await.len(), scene.metric(REFUSED)), (1, 0));
    telling.abort();
}

#[tokio::test]
async fn what_a_target_stumbles_over_does_not_hold_up_the_rest_for_ever() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let bad = Uuid::now_v7();
    server.answer(move |post| if post.json()["run"]["runId"] == bad.to_string() { 500 } else { 200 });
    let telling = scene.export(lineage(&server)).await;
    scene.keep(run(bad, "co2", 1, "Running"), vec![]).await;
    let mut taken = 0;
    while scene.metric(REFUSED) == 0 {
        scene.keep(run(Uuid::now_v7(), "co2", 1, "Running"), vec![]).await;
        taken += 1;
        server.taken(taken).await;
    }
    told_all(&scene).await;
    assert!((5..50).contains(&taken), "it was given up after {taken} others");
    telling.abort();
}

#[tokio::test]
async fn a_wrong_token_loses_nothing() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    for status in [401, 403, 404, 429, 302] {
        server.answer(move |_| status);
        let before = server.posts().len();
        let telling = scene.export(lineage(&server)).await;
        scene.keep(run(Uuid::now_v7(), "co2", 1, "Running"), vec![]).await;
        until(|| server.posts().len() > before + 2).await;
        telling.abort();
    }
    assert_eq!(waiting(&scene).await.len(), 5);
    assert!(server.posts().iter().all(|(post, _)| post.path == "/told"), "a redirect takes no secret elsewhere");
}

#[tokio::test]
async fn a_run_that_was_deleted_is_not_told() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    server.answer(|_| 503);
    let telling = scene.export(lineage(&server)).await;
    let id = Uuid::now_v7();
    scene.keep(run(id, "co2", 1, "Succeeded"), vec![step(id, "fit", 1, "Succeeded")]).await;
    scene.store.bury(&[id], "test").await.unwrap();
    told_all(&scene).await;
    counted(&scene, "hearth_export_notices_total{target=\"openlineage\",outcome=\"gone\"}", 2).await;
    telling.abort();
}

#[tokio::test]
async fn one_target_does_not_wait_for_another() {
    let (mut scene, away, there) = (Scene::new().await, Server::start().await, Server::start().await);
    away.answer(|_| 503);
    let targets =
        Targets { openlineage: Some((away.endpoint(), "hearth".into())), opentelemetry: Some(there.endpoint()) };
    let telling = scene.export(targets).await;
    scene.keep(run(Uuid::now_v7(), "co2", 1, "Failed"), vec![]).await;
    there.taken(1).await;
    assert_eq!(waiting(&scene).await.len(), 2);
    telling.abort();
}

#[tokio::test]
async fn what_was_told_before_a_restart_is_told_alike_or_not_at_all() {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let id = Uuid::now_v7();
    // All but the end of the run itself is taken: then the process dies.
    server.answer(|post| {
        if post.json()["eventType"] == "COMPLETE" && post.json()["job"]["name"] == "co2" { 503 } else { 200 }
    });
    let telling = scene.export(lineage(&server)).await;
    scene.keep(run(id, "co2", 1, "Succeeded"), vec![step(id, "fit", 1, "Succeeded")]).await;
    let first = server.taken(3).await;
    telling.abort();
    let _ended = telling.await;
    let before = server.posts().len();
    server.answer(|_| 200);
    let telling = scene.export(lineage(&server)).await;
    told_all(&scene).await;
    let mut again: Vec<_> = server.posts()[before..].iter().map(|(post, _)| post.body.clone()).collect();
    // The last post before the restart may arrive after it.
    again.sort();
    again.dedup();
    assert_eq!(again.len(), 3, "the start was told, the end with its step is told whole");
    assert!(first[1..3].iter().all(|post| again.contains(&post.body)));
    telling.abort();
}

#[test]
fn places_that_cannot_work_are_refused() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    for url in
        ["", "collector:4318", "grpc://collector:4317", "file:///etc/passwd", "http://", "https://me:secret@h:99999/"]
    {
        let error = Endpoint::new(url, &[], None).unwrap_err().to_string();
        assert!(error.contains("use http://HOST") && !error.contains("secret"), "{url}: {error}");
    }
    for (name, value) in [("a b", "x"), ("x", "line\nbreak")] {
        let error = Endpoint::new("http://h", &[(name.into(), value.into())], None).unwrap_err();
        assert!(error.to_string().contains("NAME=VALUE"), "{error}");
        assert!(!error.to_string().contains(value) || value == "x", "its value is secret: {error}");
    }
    assert!(
        Endpoint::new("https://h", &[], Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).is_err()
    );
    let place = Endpoint::new("https://me:secret@h:8443/v1?token=secret", &[], None).unwrap().place();
    assert_eq!(place, "https://h:8443/v1");
}

#[tokio::test]
async fn an_address_without_a_server_says_so_and_hides_what_is_secret() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let endpoint = Endpoint::new("http://127.0.0.1:1/v1?token=secret", &[], None).unwrap();
    let error = endpoint.post("application/json", vec![]).await.unwrap_err().to_string();
    assert!(error.contains("no answer") && !error.contains("secret"), "{error}");
}
