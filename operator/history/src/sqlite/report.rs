//! Runs that outside systems report.

use super::{
    Sqlite,
    migrate::BEGIN,
    write::{INSERT_EVENTS, UPSERT_STEPS, insert},
};
use crate::{
    clean::borrowed,
    error::Error,
    fields::known,
    report::{Report, ReportRows, Reported},
};
use sqlx::{Connection, SqliteConnection};

pub(super) const FIND_REPORT: &str = include_str!("sql/find_report.sql");
pub(super) const REPORT_RUN: &str = include_str!("sql/report_run.sql");

impl Sqlite {
    pub(crate) async fn report(&self, report: &Report) -> Result<Reported, Error> {
        self.bounded("writing a report", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            let found = sqlx::query(FIND_REPORT)
                .bind(borrowed(&report.reported_id).into_owned())
                .bind(borrowed(&report.namespace_uid).into_owned())
                .bind(borrowed(&report.name).into_owned())
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

async fn write(connection: &mut SqliteConnection, rows: ReportRows) -> Result<Reported, sqlx::Error> {
    let run = serde_json::to_string(&rows.run).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let done = sqlx::query(REPORT_RUN).bind(run).bind(&rows.reported_id).execute(&mut *connection).await?;
    if done.rows_affected() == 0 {
        return Ok(Reported::Deleted(rows.run.id));
    }
    insert(connection, UPSERT_STEPS, &rows.steps).await?;
    insert(connection, INSERT_EVENTS, &rows.events).await?;
    Ok(rows.answer)
}
