//! Logs of attempts, and where whole ones are.

use super::Postgres;
use crate::{
    clean::borrowed,
    error::Error,
    fields::log,
    model::{AttemptKey, Log, WholeLog},
};
use uuid::Uuid;

pub(super) const GET_LOG: &str = include_str!("sql/get_log.sql");
pub(super) const PUT_LOG: &str = include_str!("sql/put_log.sql");

impl Postgres {
    pub(crate) async fn get_log(
        &self,
        run: Uuid,
        step: &str,
        item: i32,
        attempt: Option<i32>,
    ) -> Result<Option<Log>, Error> {
        let query = sqlx::query(GET_LOG).bind(run).bind(borrowed(step).into_owned()).bind(item).bind(attempt);
        self.read(
            "reading a log",
            |pool| async move { query.fetch_optional(&pool).await?.as_ref().map(log).transpose() },
        )
        .await
    }

    pub(crate) async fn put_log(&self, of: &AttemptKey, log: Result<&WholeLog, &str>) -> Result<(), Error> {
        self.bounded("writing where a log is", async {
            let mut held = self.hold().await?;
            sqlx::query(PUT_LOG)
                .bind(of.run_id)
                .bind(borrowed(&of.step))
                .bind(of.item)
                .bind(of.attempt)
                .bind(log.ok().map(|l| l.digest.as_str()))
                .bind(log.ok().map(|l| l.bytes))
                .bind(log.ok().map(|l| l.left_out))
                .bind(log.err().map(borrowed))
                .execute(&mut held.connection)
                .await?;
            held.keep();
            Ok(())
        })
        .await
    }
}
