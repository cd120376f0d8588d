//! The audit trail: chained, kept, and vouched for when it goes by age.

use crate::harness::Db;
use hearth_crds::time::Time;
use hearth_history::{AuditEntry, AuditFilter, Retention, Store};
use hearth_wire::{NO_HASH, Verdict, Verifier};
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

const DAY: u64 = 86_400;

fn entry(who: &str, namespace: &str) -> AuditEntry {
    AuditEntry {
        at: Time::new(Timestamp::now()),
        who: who.to_owned(),
        verb: "delete".to_owned(),
        resource: "workflows.hearth.dev".to_owned(),
        namespace: namespace.to_owned(),
        name: "co2".to_owned(),
        run: Some(Uuid::now_v7()),
        from: "10.0.0.1".to_owned(),
        allowed: true,
        reason: "odd text: \0 \"quoted\" ü 𝄞\n".to_owned(),
    }
}

fn aged(days: u64) -> AuditEntry {
    let at = Timestamp::now().checked_sub(Duration::from_secs(days * DAY)).unwrap();
    AuditEntry { at: Time::new(at), ..entry("ada", "climate") }
}

/// As kubectl hearth does it, in pages.
async fn verify(store: &Store) -> Verdict {
    let anchors = store.audit_anchors(None, 500).await.unwrap();
    assert_eq!(anchors.next, None);
    let mut verifier = Verifier::new(None, &anchors.items);
    let mut after = None;
    loop {
        let page = store.audit_chain(after, 2).await.unwrap();
        page.items.into_iter().for_each(|r| verifier.take(r));
        after = page.next;
        if after.is_none() {
            return verifier.finish(None);
        }
    }
}

pub async fn each_record_holds_the_hash_of_the_one_before(db: Db) {
    let (one, other) = (db.store(), db.store());
    let first = one.record(&entry("ada", "climate")).await.unwrap();
    let second = one.record(&entry("bob", "lab")).await.unwrap();
    let elsewhere = other.record(&entry("eve", "lab")).await.unwrap();
    let third = one.record(&entry("ada", "climate")).await.unwrap();
    assert_eq!((first.number, first.previous.as_str()), (1, NO_HASH));
    assert_eq!((second.number, &second.previous, &second.writer), (2, &first.hash, &first.writer));
    assert_eq!((third.number, &third.previous), (3, &second.hash));
    assert_ne!(elsewhere.writer, first.writer);
    assert_eq!((elsewhere.number, &elsewhere.previous), (1, &second.hash), "a chain begins after the newest of all");
    let verdict = verify(&one).await;
    assert_eq!((verdict.records, verdict.chains, verdict.faults.len()), (4, 2, 0), "{:?}", verdict.faults);
}

pub async fn a_clock_that_goes_back_does_not_turn_a_chain_round(db: Db) {
    let store = db.store();
    let first = store.record(&entry("ada", "climate")).await.unwrap();
    let earlier = AuditEntry { at: Time::from_millis(first.at.millis() - 5), ..entry("ada", "climate") };
    assert_eq!(store.record(&earlier).await.unwrap().at, first.at);
}

pub async fn the_trail_is_listed_newest_first(db: Db) {
    let store = db.store();
    let mut written = Vec::new();
    for n in 0..7 {
        let allowed = n % 2 == 0;
        let entry = AuditEntry { allowed, ..entry(["ada", "bob"][n % 2], ["climate", "lab", ""][n % 3]) };
        written.push(store.record(&entry).await.unwrap());
    }
    written.reverse();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = store.list_audit(&AuditFilter::default(), after, 3).await.unwrap();
        read.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(read, written);
    let count = async |filter: AuditFilter| store.list_audit(&filter, None, 100).await.unwrap().items.len();
    let none = AuditFilter::default();
    assert_eq!(count(AuditFilter { who: Some("ada".into()), ..none.clone() }).await, 4);
    assert_eq!(count(AuditFilter { namespace: Some("lab".into()), ..none.clone() }).await, 2);
    assert_eq!(count(AuditFilter { namespace: Some(String::new()), ..none.clone() }).await, 2);
    assert_eq!(count(AuditFilter { allowed: Some(false), ..none.clone() }).await, 3);
    let later = Time::from_millis(written[0].at.millis() + 1);
    assert_eq!(count(AuditFilter { since: Some(later), ..none.clone() }).await, 0);
    assert_eq!(count(AuditFilter { since: Some(written[6].at), ..none }).await, 7);
}

pub async fn nobody_changes_or_deletes_a_record(db: Db) {
    let store = db.store();
    store.record(&entry("ada", "climate")).await.unwrap();
    store.record(&aged(400)).await.unwrap();
    store.upkeep(Retention(Some(Duration::from_secs(365 * DAY)))).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.audit_anchors").await, 1);
    for sql in [
        "UPDATE hearth.audit SET allowed = false",
        "UPDATE hearth.audit SET who = 'eve' WHERE number = 1",
        "DELETE FROM hearth.audit",
        "UPDATE hearth.audit_anchors SET number = 2",
        "DELETE FROM hearth.audit_anchors",
    ] {
        let error = db.execute(sql).await.unwrap_err().to_string();
        assert!(error.contains("the audit trail is only added to"), "{sql}: {error}");
    }
    assert_eq!(verify(&store).await.records, 1);
}

pub async fn what_is_changed_behind_our_back_is_found(db: Db) {
    let store = db.store();
    for _ in 0..3 {
        store.record(&entry("ada", "climate")).await.unwrap();
    }
    db.unguard_audit().await;
    db.execute("UPDATE hearth.audit SET who = 'eve' WHERE number = 2").await.unwrap();
    let faults = verify(&store).await.faults;
    assert!(faults.len() == 1 && faults[0].starts_with("record 2 of chain"), "{faults:?}");
    db.execute("DELETE FROM hearth.audit WHERE number = 2").await.unwrap();
    let faults = verify(&store).await.faults;
    assert!(faults.len() == 1 && faults[0].starts_with("records 2 to 2 of chain"), "{faults:?}");
}

pub async fn old_chains_go_and_anchors_vouch_for_them(db: Db) {
    let (old, store) = (db.store(), db.store());
    // More than go in one step.
    for _ in 0..620 {
        old.record(&aged(400)).await.unwrap();
    }
    let young = store.record(&entry("ada", "climate")).await.unwrap();
    let late = old.record(&aged(400)).await.unwrap();
    assert_eq!(store.upkeep(Retention(None)).await.unwrap(), 0, "unset keeps all");
    assert!(store.upkeep(Retention(Some(Duration::from_secs(365 * DAY)))).await.unwrap() >= 621);
    assert_eq!(db.count("SELECT count(*) FROM hearth.audit").await, 1);
    let anchors = store.audit_anchors(None, 10).await.unwrap().items;
    let hashes: Vec<&str> = anchors.iter().map(|a| a.hash.as_str()).collect();
    assert!(hashes.contains(&young.previous.as_str()) && hashes.contains(&late.hash.as_str()), "{anchors:?}");
    let verdict = verify(&store).await;
    assert_eq!((verdict.records, verdict.faults.len()), (1, 0), "{:?}", verdict.faults);
    // A chain that begins when only anchors are left begins after the newest of them.
    let next = db.store().record(&entry("bob", "lab")).await.unwrap();
    assert_eq!(next.previous, young.hash);
    assert_eq!(store.upkeep(Retention(Some(Duration::from_secs(365 * DAY)))).await.unwrap(), 0);
}

pub async fn many_at_once_are_one_chain_per_writer(db: Db) {
    let (one, other) = (db.store(), db.store());
    let write = async |store: &Store| {
        let all = (0..20).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.record(&entry("ada", "climate")).await })
        });
        for task in all.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
    };
    tokio::join!(write(&one), write(&other));
    let verdict = verify(&one).await;
    assert_eq!((verdict.records, verdict.chains, verdict.faults.len()), (40, 2, 0), "{:?}", verdict.faults);
}
