//! Runs that outside systems report.

use super::{
    Postgres,
    stamp::Stamp,
    write::{insert_events, upsert_steps},
};
use crate::{
    clean::borrowed,
    error::Error,
    fields::known,
    report::{Report, ReportRows, Reported},
};
use sqlx::{Connection, PgConnection};

pub(super) const REPORT_LOCK: &str = include_str!("sql/report_lock.sql");
pub(super) const FIND_REPORT: &str = include_str!("sql/find_report.sql");
pub(super) const REPORT_RUN: &str = include_str!("sql/report_run.sql");

impl Postgres {
    /// The lock keeps two first reports of a run, by two replicas, from being two runs.
    pub(crate) async fn report(&self, report: &Report) -> Result<Reported, Error> {
        self.bounded("writing a report", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin().await?;
            sqlx::query(REPORT_LOCK).bind(report.key()).execute(&mut *transaction).await?;
            let found = sqlx::query(FIND_REPORT)
                .bind(borrowed(&report.reported_id))
                .bind(borrowed(&report.namespace_uid))
                .bind(borrowed(&report.name))
                .fetch_optional(&mut *transaction)
                .await?;
            let answer = match report.over(found.as_ref().map(known).transpose()?.as_ref()) {
                Ok(rows) => write(&mut transaction, *rows).await?,
                Err(answer) => answer,
            };
            transaction.commit().await?;
            held.keep();
            Ok(answer)
        })
        .await
    }
}

async fn write(connection: &mut PgConnection, rows: ReportRows) -> Result<Reported, sqlx::Error> {
    let run = &rows.run;
    let done = sqlx::query(REPORT_RUN)
        .bind(run.id)
        .bind(&run.cluster)
        .bind(&run.kind)
        .bind(&run.namespace)
        .bind(&run.namespace_uid)
        .bind(&run.name)
        .bind(&run.uid)
        .bind(run.number)
        .bind(run.seq)
        .bind(&run.phase)
        .bind(run.terminal)
        .bind(&run.reason)
        .bind(&run.message)
        .bind(&run.trigger)
        .bind(&run.revision)
        .bind(&run.digest)
        .bind(&run.spec)
        .bind(&run.params)
        .bind(&run.results)
        .bind(&run.labels)
        .bind(&run.owner)
        .bind(Stamp::from(run.started_at))
        .bind(run.finished_at.map(Stamp::from))
        .bind(run.minimal)
        .bind(&rows.reported_id)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(Reported::Deleted(run.id));
    }
    upsert_steps(connection, &rows.steps).await?;
    insert_events(connection, &rows.events).await?;
    Ok(rows.answer)
}
