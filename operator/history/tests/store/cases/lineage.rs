//! What came of what.

use crate::{
    harness::{Db, start},
    rows::{batch, lineage, run, run_batch, run_record},
};
use hearth_history::{Lineage, LineageEdge, LineageQuery, LineageRoot, ObjectKey, RecordBatch};
use hearth_plan::record::{LineageRow, Record, Relation, RunRow};
use uuid::Uuid;

const IMAGE: &str = "sha256:1111";

/// The id of the run that started that many minutes after the first.
fn id(minute: u128) -> Uuid {
    Uuid::from_u128(((1_795_248_000_000 + minute * 60_000) << 80) | (7 << 76) | (2 << 62) | minute)
}

fn of(id: Uuid, lineage: Vec<Record>) -> RecordBatch {
    let mut records = vec![run_record(run(id, 1, "Succeeded"))];
    records.extend(lineage);
    batch(id, 1, true, records)
}

fn query(root: LineageRoot) -> LineageQuery {
    LineageQuery { root, namespace: None, namespace_uid: None, depth: 10, limit: 100 }
}

async fn from_run(db: &Db, id: Uuid) -> Lineage {
    db.store().lineage(&query(LineageRoot::Run(id))).await.unwrap()
}

async fn from_digest(db: &Db, digest: &str) -> Lineage {
    db.store().lineage(&query(LineageRoot::Digest(digest.to_owned()))).await.unwrap()
}

/// Edges as `DEPTH RELATION FROM TO`, runs by their minute.
fn told(edges: &[LineageEdge]) -> Vec<String> {
    let short = |end: &str| match Uuid::parse_str(end) {
        Ok(id) => format!("run{}", id.as_u128() & 0xffff),
        Err(_) => end.trim_start_matches("sha256:").to_owned(),
    };
    edges.iter().map(|e| format!("{} {} {} {}", e.depth, e.relation, short(&e.from), short(&e.to))).collect()
}

/// Run 1 makes data of an image, run 2 takes over from it and makes more, run 3 reads that.
async fn fill(db: &Db) {
    let mut w = start(&db.store());
    let first = id(1).to_string();
    w.store(of(
        id(1),
        vec![
            lineage(id(1), Relation::RanTemplate, "workflow/base", ""),
            lineage(id(1), Relation::RanImage, IMAGE, "clean"),
            lineage(id(1), Relation::Wrote, "sha256:a", "clean"),
        ],
    ))
    .await;
    w.store(of(
        id(2),
        vec![
            lineage(id(2), Relation::RerunOf, &first, ""),
            lineage(id(2), Relation::Read, "sha256:a", "fit"),
            lineage(id(2), Relation::Wrote, "sha256:b", "fit"),
        ],
    ))
    .await;
    w.store(of(id(3), vec![lineage(id(3), Relation::Read, "sha256:b", "plot")])).await;
}

pub async fn lineage_is_read_both_ways(db: Db) {
    fill(&db).await;
    let found = from_run(&db, id(2)).await;
    let upstream = ["1 Read a run2", "1 RerunOf run1 run2", "2 RanImage 1111 run1", "2 RanTemplate workflow/base run1"];
    assert_eq!(told(&found.upstream)[..4], upstream);
    assert_eq!(told(&found.upstream)[4..], ["2 Wrote run1 a"]);
    assert_eq!(told(&found.downstream), ["1 Wrote run2 b", "2 Read b run3"]);
    assert_eq!(found.runs.iter().map(|r| r.id).collect::<Vec<_>>(), [id(3), id(2), id(1)]);
    assert!(!found.truncated);
    let read = found.upstream.iter().find(|e| e.relation == "Read").unwrap();
    assert_eq!((read.step.as_str(), read.attempt, read.name.as_str(), read.run_id), ("fit", 1, "table", id(2)));

    let data = from_digest(&db, "sha256:a").await;
    assert_eq!(told(&data.upstream)[0], "1 Wrote run1 a");
    assert_eq!(told(&data.downstream), ["1 Read a run2", "2 Wrote run2 b", "3 Read b run3"]);
    let image = from_digest(&db, IMAGE).await;
    assert_eq!((image.upstream.len(), told(&image.downstream)[0].as_str()), (0, "1 RanImage 1111 run1"));
    for nothing in ["sha256:none", "", "a\0b", "' OR 1=1 --"] {
        assert_eq!(from_digest(&db, nothing).await, Lineage::default(), "{nothing}");
    }
    assert_eq!(from_run(&db, id(9)).await, Lineage::default());
}

pub async fn lineage_is_kept_once_and_goes_with_its_run(db: Db) {
    fill(&db).await;
    fill(&db).await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.lineage").await, 7);
    let store = db.store();
    store.bury(&[id(2)], "test").await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.lineage").await, 4);
    fill(&db).await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.lineage").await, 4, "a tombstone keeps it away");
    let left = from_digest(&db, "sha256:a").await;
    assert_eq!((left.downstream.len(), left.runs.len()), (0, 1));
}

pub async fn equal_bytes_of_other_runs_are_not_taken_for_the_cause(db: Db) {
    let mut w = start(&db.store());
    // Each night writes the same table, reads it, and writes a plot of its own.
    for night in 1..=5 {
        let plot = format!("sha256:plot{night}");
        let rows = vec![
            lineage(id(night), Relation::Wrote, "sha256:table", "clean"),
            lineage(id(night), Relation::Read, "sha256:table", "plot"),
            lineage(id(night), Relation::Wrote, &plot, "plot"),
        ];
        w.store(of(id(night), rows)).await;
    }
    // One more reads the table of whoever wrote it before.
    let reader = Uuid::from_u128(id(3).as_u128() + (1 << 80) + 100);
    w.store(of(reader, vec![lineage(reader, Relation::Read, "sha256:table", "look")])).await;

    let found = from_run(&db, id(4)).await;
    assert_eq!(told(&found.upstream), ["1 Read table run4"], "it has it from itself");
    assert!(found.upstream[0].own);
    assert_eq!(told(&found.downstream), ["1 Wrote run4 plot4", "1 Wrote run4 table"], "later readers have their own");
    let found = from_run(&db, reader).await;
    let writers = ["1 Read table run103", "2 Wrote run3 table", "2 Wrote run2 table", "2 Wrote run1 table"];
    assert_eq!(told(&found.upstream)[..4], writers, "nobody who wrote it later");
    let found = from_run(&db, id(2)).await;
    assert!(told(&found.downstream).contains(&"2 Read table run103".to_owned()), "{:?}", told(&found.downstream));
    let found = from_run(&db, id(5)).await;
    assert!(!told(&found.downstream).iter().any(|e| e.ends_with("run103")), "it read before");
    let table = from_digest(&db, "sha256:table").await;
    let readers = told(&table.downstream).into_iter().filter(|e| e.starts_with("1 Read")).count();
    assert_eq!(readers, 6, "of the data itself all readers are told");
}

pub async fn lineage_is_bounded_and_says_so(db: Db) {
    let mut w = start(&db.store());
    for n in 1..=6 {
        let rows = vec![
            lineage(id(n), Relation::Read, &format!("sha256:{}", n - 1), "s"),
            lineage(id(n), Relation::Wrote, &format!("sha256:{n}"), "s"),
        ];
        w.store(of(id(n), rows)).await;
    }
    let store = db.store();
    let whole = query(LineageRoot::Digest("sha256:0".into()));
    let seen = async |depth, limit| {
        let found = store.lineage(&LineageQuery { depth, limit, ..whole.clone() }).await.unwrap();
        assert!(found.upstream.is_empty());
        (found.downstream.len(), found.truncated)
    };
    assert_eq!(seen(12, 12).await, (12, false));
    assert_eq!(seen(11, 12).await, (11, true));
    assert_eq!(seen(3, 100).await, (3, true));
    assert_eq!(seen(12, 11).await, (11, true));
    assert_eq!(seen(100, 1).await, (1, true));
    // A circle ends.
    let (a, b) = (id(20), id(21));
    let circle = |run, read: &str, wrote: &str| {
        vec![lineage(run, Relation::Read, read, "s"), lineage(run, Relation::Wrote, wrote, "s")]
    };
    w.store(of(a, circle(a, "sha256:x", "sha256:y"))).await;
    w.store(of(b, circle(b, "sha256:y", "sha256:x"))).await;
    let found = from_digest(&db, "sha256:x").await;
    assert_eq!((found.upstream.len(), found.downstream.len(), found.truncated), (4, 4, false));
}

pub async fn lineage_keeps_to_its_namespace(db: Db) {
    let mut w = start(&db.store());
    let lab = RunRow {
        object: ObjectKey { namespace: "lab".into(), ..crate::rows::object("co2") },
        namespace_uid: "ns-uid-2".into(),
        ..run(id(2), 1, "Succeeded")
    };
    w.store(of(
        id(1),
        vec![lineage(id(1), Relation::Wrote, "sha256:a", "s"), lineage(id(1), Relation::RanImage, IMAGE, "s")],
    ))
    .await;
    let rows = vec![
        run_record(lab),
        lineage(id(2), Relation::Read, "sha256:a", "s"),
        lineage(id(2), Relation::RanImage, IMAGE, "s"),
    ];
    w.store(batch(id(2), 1, true, rows)).await;
    assert_eq!(told(&from_run(&db, id(1)).await.downstream), ["1 Wrote run1 a"], "the same bytes elsewhere are others");
    let everywhere = from_digest(&db, "sha256:a").await;
    assert_eq!((everywhere.upstream.len(), told(&everywhere.downstream)), (2, vec!["1 Read a run2".to_owned()]));
    let store = db.store();
    let only = async |namespace: Option<&str>, uid: Option<&str>| {
        let (namespace, namespace_uid) = (namespace.map(str::to_owned), uid.map(str::to_owned));
        let asked = LineageQuery { namespace, namespace_uid, ..query(LineageRoot::Digest(IMAGE.into())) };
        let found = store.lineage(&asked).await.unwrap();
        (told(&found.downstream)[..found.downstream.len().min(1)].to_vec(), found.runs.len())
    };
    assert_eq!(only(Some("lab"), None).await, (vec!["1 RanImage 1111 run2".to_owned()], 1));
    assert_eq!(only(None, Some("ns-uid-1")).await, (vec!["1 RanImage 1111 run1".to_owned()], 1));
    assert_eq!(only(Some("lab"), Some("ns-uid-1")).await, (vec![], 0));
    assert_eq!(only(None, Some("")).await, (vec![], 0), "an unknown UID is no wildcard");
}

pub async fn a_bad_row_of_lineage_is_a_letter_and_the_rest_goes_on(db: Db) {
    let mut w = start(&db.store());
    let Record::Lineage(row) = lineage(id(1), Relation::Wrote, "sha256:a", "s") else { panic!("not a row of lineage") };
    let odd = Record::Lineage(LineageRow { attempt: -1, ..row.clone() });
    let nul = Record::Lineage(LineageRow { name: "a\0b".into(), ..row });
    assert!(!w.store(of(id(1), vec![odd, nul])).await.minimal);
    w.store(run_batch(run(id(2), 1, "Succeeded"))).await;
    assert_eq!(from_run(&db, id(1)).await.downstream[0].name, "a\u{FFFD}b");
    let letters = db.letters().await;
    assert_eq!((letters.len(), letters[0].0.as_str(), &letters[0].1), (1, "lineage", &id(1).to_string()));
}
