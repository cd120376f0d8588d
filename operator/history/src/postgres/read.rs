//! One run and what belongs to it.

use super::{Postgres, stamp::Stamp};
use crate::{
    clean::borrowed,
    error::Error,
    fields::{all, event, run, step},
    model::{Event, EventKey, Page, Run, Step, StepKey},
    paging::{page, page_size},
};
use uuid::Uuid;

pub(super) const GET_RUN: &str = include_str!("sql/get_run.sql");
pub(super) const LIST_STEPS: &str = include_str!("sql/list_steps.sql");
pub(super) const LIST_EVENTS: &str = include_str!("sql/list_events.sql");

impl Postgres {
    pub(crate) async fn get_run(&self, id: Uuid) -> Result<Option<Run>, Error> {
        let query = sqlx::query(GET_RUN).bind(id);
        self.read(
            "reading a run",
            |pool| async move { query.fetch_optional(&pool).await?.as_ref().map(run).transpose() },
        )
        .await
    }

    pub(crate) async fn list_steps(
        &self,
        run: Uuid,
        after: Option<&StepKey>,
        limit: u32,
    ) -> Result<Page<Step, StepKey>, Error> {
        let limit = page_size(limit);
        let at = after.map_or(Stamp::EVER, |k| k.started_at.map_or(Stamp::NEVER, Stamp::from));
        let query = sqlx::query(LIST_STEPS)
            .bind(run)
            .bind(at)
            .bind(after.map_or("".into(), |k| borrowed(&k.step)).into_owned())
            .bind(after.map_or(i32::MIN, |k| k.item))
            .bind(after.map_or(i32::MIN, |k| k.attempt))
            .bind(i64::from(limit) + 1);
        let rows = self
            .read("reading the steps of a run", |pool| async move { all(&query.fetch_all(&pool).await?, step) })
            .await?;
        Ok(page(rows, limit, Step::key))
    }

    pub(crate) async fn list_events(
        &self,
        run: Uuid,
        after: Option<&EventKey>,
        limit: u32,
    ) -> Result<Page<Event, EventKey>, Error> {
        let limit = page_size(limit);
        let query = sqlx::query(LIST_EVENTS)
            .bind(run)
            .bind(after.map_or(Stamp::EVER, |k| k.at.into()))
            .bind(after.map_or(i64::MIN, |k| k.seq))
            .bind(after.map_or("".into(), |k| borrowed(&k.subject)).into_owned())
            .bind(after.map_or("".into(), |k| borrowed(&k.transition)).into_owned())
            .bind(i64::from(limit) + 1);
        let rows = self
            .read("reading the events of a run", |pool| async move { all(&query.fetch_all(&pool).await?, event) })
            .await?;
        Ok(page(rows, limit, Event::key))
    }
}
