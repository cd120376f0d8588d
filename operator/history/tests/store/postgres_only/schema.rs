//! The schema in a database that is not ours alone.

use crate::harness::with_empty_postgres;
use sqlx::Executor;

#[tokio::test]
async fn all_that_is_ours_is_in_our_schema() {
    with_empty_postgres(|db| async move {
        db.store().migrate().await.unwrap();
        let elsewhere =
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname <> 'workflow_runs'";
        assert_eq!(db.count(elsewhere).await, 0);
        assert_eq!(db.count("SELECT count(*) FROM public.workflow_runs").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_table_of_that_name_in_public_is_left_alone() {
    with_empty_postgres(|db| async move {
        db.sql().execute("CREATE TABLE public.workflow_runs (mine text)").await.unwrap();
        db.store().migrate().await.unwrap();
        assert_eq!(db.count("SELECT count(mine) FROM public.workflow_runs").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_database_without_public_is_fine() {
    with_empty_postgres(|db| async move {
        db.sql().execute("DROP SCHEMA public").await.unwrap();
        db.store().migrate().await.unwrap();
        assert_eq!(db.count("SELECT count(*) FROM hearth.workflow_runs").await, 0);
    })
    .await;
}
