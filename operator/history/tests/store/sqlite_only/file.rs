//! The file, and the volume that it is on.

use crate::{
    harness::{Db, short, start, with_empty_sqlite, with_sqlite},
    rows::{run, run_batch},
};
use hearth_history::{Class, Error, open, open_with};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use uuid::Uuid;

fn file(db: &Db) -> &Path {
    let Db::Sqlite { file, .. } = db else { panic!("not a file") };
    file
}

fn beside(file: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", file.display()))
}

#[tokio::test]
async fn only_its_owner_may_read_the_file_and_those_beside_it() {
    with_sqlite(|db| async move {
        let mut w = start(&db.store());
        w.store(run_batch(run(Uuid::now_v7(), 1, "Succeeded"))).await;
        for path in [file(&db).to_owned(), beside(file(&db), "-wal"), beside(file(&db), "-shm")] {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    })
    .await;
}

/// What is acknowledged is in the log on the disk: with FULL, SQLite syncs it at each commit.
#[tokio::test]
async fn the_file_is_in_wal_mode_and_survives_without_a_clean_end() {
    with_sqlite(|db| async move {
        let mut w = start(&db.store());
        let id = Uuid::now_v7();
        w.store(run_batch(run(id, 1, "Succeeded"))).await;
        assert_eq!(db.count("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'").await, 1);
        // A copy of what is on the disk now is what a killed process leaves behind.
        let left = tempfile::tempdir().unwrap();
        let copy = left.path().join("history.db");
        fs::copy(file(&db), &copy).unwrap();
        fs::copy(beside(file(&db), "-wal"), beside(&copy, "-wal")).unwrap();
        let found = open(&copy).get_run(id).await.unwrap().unwrap();
        assert_eq!(found.summary.phase, "Succeeded");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_database_says_what_to_do() {
    with_empty_sqlite(|db| async move {
        fs::write(file(&db), "this is no database, but it is long enough to be looked at as one").unwrap();
        let error = db.store().migrate().await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(error.class(), Class::Transient, "rows are kept");
        let text = error.to_string();
        for word in [".recover", "backup", "history.db"] {
            assert!(text.contains(word), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let error = open_with(Path::new("/proc/none/history.db"), short()).migrate().await.unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    assert!(error.to_string().contains("/proc/none/history.db"), "{error}");
}
