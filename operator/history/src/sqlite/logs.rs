//! Logs of attempts, and where whole ones are.

use super::Sqlite;
use crate::{
    clean::borrowed,
    error::Error,
    fields::log,
    model::{AttemptKey, Log, WholeLog},
};
use uuid::Uuid;

pub(super) const GET_LOG: &str = include_str!("sql/get_log.sql");
pub(super) const PUT_LOG: &str = include_str!("sql/put_log.sql");

impl Sqlite {
    pub(crate) async fn get_log(
        &self,
        run: Uuid,
        step: &str,
        item: i32,
        attempt: Option<i32>,
    ) -> Result<Option<Log>, Error> {
        let query =
            sqlx::query(GET_LOG).bind(run.to_string()).bind(borrowed(step).into_owned()).bind(item).bind(attempt);
        self.read("reading a log", |mut connection| async move {
            query.fetch_optional(&mut *connection).await?.as_ref().map(log).transpose()
        })
        .await
    }

    pub(crate) async fn put_log(&self, of: &AttemptKey, log: Result<&WholeLog, &str>) -> Result<(), Error> {
        self.bounded("writing where a log is", async {
            let mut held = self.hold().await?;
            sqlx::query(PUT_LOG)
                .bind(of.run_id.to_string())
                .bind(borrowed(&of.step).into_owned())
                .bind(of.item)
                .bind(of.attempt)
                .bind(log.ok().map(|l| l.digest.clone()))
                .bind(log.ok().map(|l| l.bytes))
                .bind(log.ok().map(|l| l.left_out))
                .bind(log.err().map(|why| borrowed(why).into_owned()))
                .execute(&mut held.connection)
                .await?;
            held.keep();
            Ok(())
        })
        .await
    }
}
