//! What nothing refers to goes after a day, and nothing else does.

use crate::harness::{Scene, config, key};
use hearth_artifacts::{
    Artifacts, BlobKey,
    volume::{Volume, VolumeConfig},
};
use jiff::{SignedDuration, Timestamp};
use std::{fs, time::Duration};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// `hours` from now, as if time had passed.
fn later(hours: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(hours)
}

#[tokio::test]
async fn a_blob_without_a_reference_goes_at_the_second_look_a_day_later() {
    let scene = Scene::new().await;
    for bytes in [&b"kept"[..], b"lost"] {
        scene.put(bytes).await;
    }
    let kept = |k: &BlobKey| *k == key(b"kept");
    let pass = |hours| scene.artifacts.collect(later(hours), DAY, kept);
    assert_eq!(pass(23).await.unwrap().waiting, 0, "too young to be looked at");
    assert_eq!(pass(25).await.unwrap().waiting, 1, "noted");
    assert_eq!(pass(48).await.unwrap().removed, 0, "a day has not passed since");
    let done = pass(50).await.unwrap();
    assert_eq!((done.listed, done.removed, done.removed_bytes, done.waiting), (2, 1, 4, 0));
    assert!(scene.file(b"kept").exists() && !scene.file(b"lost").exists());
    assert_eq!(pass(80).await.unwrap().listed, 1);
}

#[tokio::test]
async fn a_reference_or_an_upload_in_between_saves_it() {
    let scene = Scene::new().await;
    for bytes in [&b"referred"[..], b"again"] {
        scene.put(bytes).await;
    }
    assert_eq!(scene.artifacts.collect(later(25), DAY, |_| false).await.unwrap().waiting, 2);
    // It was uploaded again 30 hours from now.
    let file = fs::File::options().write(true).open(scene.file(b"again")).unwrap();
    file.set_modified(later(30).into()).unwrap();
    let done = scene.artifacts.collect(later(50), DAY, |k| *k == key(b"referred")).await.unwrap();
    assert_eq!((done.removed, done.waiting), (0, 0));
    let done = scene.artifacts.collect(later(55), DAY, |_| false).await.unwrap();
    assert_eq!((done.removed, done.waiting), (0, 2), "both begin anew");
    assert_eq!(scene.artifacts.collect(later(80), DAY, |_| false).await.unwrap().removed, 2);
}

#[tokio::test]
async fn an_upload_after_the_first_look_begins_its_time_anew() {
    let scene = Scene::new().await;
    scene.put(b"x").await;
    scene.artifacts.collect(later(25), DAY, |_| false).await.unwrap();
    let file = fs::File::options().write(true).open(scene.file(b"x")).unwrap();
    file.set_modified(later(30).into()).unwrap();
    let done = scene.artifacts.collect(later(55), DAY, |_| false).await.unwrap();
    assert_eq!((done.removed, done.waiting), (0, 1), "the note is older than the upload");
    assert_eq!(scene.artifacts.collect(later(80), DAY, |_| false).await.unwrap().removed, 1);
}

#[tokio::test]
async fn a_reference_that_is_made_during_the_pass_saves_it() {
    let scene = Scene::new().await;
    scene.put(b"x").await;
    scene.artifacts.collect(later(25), DAY, |_| false).await.unwrap();
    let asked = std::sync::atomic::AtomicU32::new(0);
    let second_time = |_: &BlobKey| asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
    assert_eq!(scene.artifacts.collect(later(50), DAY, second_time).await.unwrap().removed, 0);
    assert!(scene.file(b"x").exists());
}

#[tokio::test]
async fn notes_outlive_the_process_and_damage_only_delays() {
    let scene = Scene::new().await;
    scene.put(b"x").await;
    scene.artifacts.collect(later(25), DAY, |_| false).await.unwrap();
    let notes = scene.folder.path().join("blobs/gc/marks.json");
    let saved = fs::read(&notes).unwrap();
    let again = || {
        let config: VolumeConfig = config(scene.folder.path(), "http://h".to_owned());
        Artifacts::volume(Volume::open(config).unwrap())
    };
    fs::write(&notes, b"{").unwrap();
    assert_eq!(again().collect(later(50), DAY, |_| false).await.unwrap().removed, 0);
    fs::write(&notes, saved).unwrap();
    assert_eq!(again().collect(later(50), DAY, |_| false).await.unwrap().removed, 1);
}
