//! One run and what belongs to it.

use super::{
    Postgres,
    list::{page, page_size, summary},
    stamp::Stamp,
};
use crate::{
    clean::borrowed,
    error::Error,
    model::{Event, EventKey, Log, Page, Run, Step, StepKey},
};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

pub(super) const GET_RUN: &str = include_str!("sql/get_run.sql");
pub(super) const LIST_STEPS: &str = include_str!("sql/list_steps.sql");
pub(super) const LIST_EVENTS: &str = include_str!("sql/list_events.sql");
pub(super) const GET_LOG: &str = include_str!("sql/get_log.sql");

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
            .read("reading the steps of a run", |pool| async move {
                query.fetch_all(&pool).await?.iter().map(step).collect::<Result<Vec<_>, _>>()
            })
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
            .read("reading the events of a run", |pool| async move {
                query.fetch_all(&pool).await?.iter().map(event).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        Ok(page(rows, limit, Event::key))
    }

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
}

fn run(row: &PgRow) -> Result<Run, sqlx::Error> {
    Ok(Run {
        summary: summary(row)?,
        revision: row.try_get("revision")?,
        digest: row.try_get("digest")?,
        seq: row.try_get("seq")?,
        spec: row.try_get("spec")?,
        params: row.try_get("params")?,
        results: row.try_get("results")?,
        labels: row.try_get::<Json<_>, _>("labels")?.0,
    })
}

fn step(row: &PgRow) -> Result<Step, sqlx::Error> {
    Ok(Step {
        step: row.try_get("step")?,
        item: row.try_get("item")?,
        attempt: row.try_get("attempt")?,
        seq: row.try_get("seq")?,
        phase: row.try_get("phase")?,
        terminal: row.try_get("terminal")?,
        class: row.try_get("class")?,
        reason: row.try_get("reason")?,
        message: row.try_get("message")?,
        exit_code: row.try_get("exit_code")?,
        pod: row.try_get("pod")?,
        node: row.try_get("node")?,
        image: row.try_get("image")?,
        image_id: row.try_get("image_id")?,
        outputs: row.try_get("outputs")?,
        has_log: row.try_get("has_log")?,
        log_unavailable: row.try_get("log_unavailable")?,
        started_at: row.try_get::<Option<Stamp>, _>("started_at")?.map(Into::into),
        finished_at: row.try_get::<Option<Stamp>, _>("finished_at")?.map(Into::into),
        duration_ms: row.try_get("duration_ms")?,
    })
}

fn event(row: &PgRow) -> Result<Event, sqlx::Error> {
    Ok(Event {
        subject: row.try_get("subject")?,
        transition: row.try_get("transition")?,
        seq: row.try_get("seq")?,
        at: row.try_get::<Stamp, _>("at")?.into(),
        reason: row.try_get("reason")?,
        message: row.try_get("message")?,
    })
}

fn log(row: &PgRow) -> Result<Log, sqlx::Error> {
    Ok(Log {
        step: row.try_get("step")?,
        item: row.try_get("item")?,
        attempt: row.try_get("attempt")?,
        phase: row.try_get("phase")?,
        pod: row.try_get("pod")?,
        log: row.try_get("log")?,
        log_unavailable: row.try_get("log_unavailable")?,
    })
}
