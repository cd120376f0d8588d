//! Lists of runs: filters as bound values, keyset paging on (start, id).

use super::Sqlite;
use crate::{
    clean::borrowed,
    error::Error,
    fields::{all, summary},
    filter::{Order, RunFilter},
    model::{Page, RunCursor, RunSummary},
    paging::{page, page_size},
};
use serde_json::Value;
use sqlx::QueryBuilder;

type Query = QueryBuilder<sqlx::Sqlite>;

const COLUMNS: &str = "SELECT r.id, r.cluster, r.kind, r.namespace, r.namespace_uid, r.name, r.uid, r.number, r.phase, r.terminal, \
     r.reason, r.message, r.trigger, r.owner, r.started_at, r.finished_at, r.duration_ms, r.minimal, r.reported_id FROM runs r WHERE true";

impl Sqlite {
    pub(crate) async fn list_runs(
        &self,
        filter: &RunFilter,
        order: Order,
        after: Option<RunCursor>,
        limit: u32,
    ) -> Result<Page<RunSummary, RunCursor>, Error> {
        let limit = page_size(limit);
        let mut query = statement(filter, order, after, limit);
        let rows = self
            .read("listing runs", |mut connection| async move {
                all(&query.build().fetch_all(&mut *connection).await?, summary)
            })
            .await?;
        Ok(page(rows, limit, RunSummary::cursor))
    }
}

/// The statement; what a user gave is only ever a bound value.
pub(super) fn statement(filter: &RunFilter, order: Order, after: Option<RunCursor>, limit: u32) -> Query {
    let mut q = Query::new(COLUMNS);
    objects(&mut q, filter);
    outcome(&mut q, filter);
    times(&mut q, filter);
    place(&mut q, order, after);
    q.push(" LIMIT ").push_bind(i64::from(limit) + 1);
    q
}

fn equals(q: &mut Query, condition: &'static str, value: Option<&String>) {
    if let Some(value) = value {
        q.push(condition).push_bind(borrowed(value).into_owned());
    }
}

/// One value is compared as such: with a list of them the newest rows would not be found by their index.
fn any_of(q: &mut Query, column: &'static str, values: &[String]) {
    q.push(" AND ").push(column);
    match values {
        [one] => q.push(" = ").push_bind(borrowed(one).into_owned()),
        many => {
            let many: Vec<Value> = many.iter().map(|v| borrowed(v).into_owned().into()).collect();
            q.push(" IN (SELECT value FROM json_each(").push_bind(Value::Array(many).to_string()).push("))")
        }
    };
}

fn objects(q: &mut Query, f: &RunFilter) {
    equals(q, " AND r.kind = ", f.kind.as_ref());
    equals(q, " AND r.name = ", f.name.as_ref());
    equals(q, " AND r.uid = ", f.uid.as_ref());
    equals(q, " AND r.owner = ", f.owner.as_ref());
    if let Some(namespaces) = &f.namespaces {
        any_of(q, "r.namespace", namespaces);
    }
    if let Some(uids) = &f.namespace_uids {
        any_of(q, "r.namespace_uid", uids);
    }
    for (name, value) in &f.labels {
        q.push(" AND EXISTS (SELECT 1 FROM json_each(r.labels) l WHERE l.key = ")
            .push_bind(borrowed(name).into_owned());
        q.push(" AND l.value = ").push_bind(borrowed(value).into_owned()).push(")");
    }
    for (name, value) in &f.params {
        q.push(" AND EXISTS (SELECT 1 FROM json_each(r.params) p WHERE p.key = ")
            .push_bind(borrowed(name).into_owned());
        // Flags are numbers to SQLite, and words to whoever asks.
        q.push(" AND CASE WHEN p.type IN ('true', 'false') THEN p.type ELSE CAST(p.value AS TEXT) END = ");
        q.push_bind(borrowed(value).into_owned()).push(")");
    }
}

fn outcome(q: &mut Query, f: &RunFilter) {
    equals(q, " AND r.reason = ", f.reason.as_ref());
    equals(q, " AND r.trigger = ", f.trigger.as_ref());
    if !f.phases.is_empty() {
        any_of(q, "r.phase", &f.phases);
    }
    if let Some(class) = &f.class {
        q.push(" AND EXISTS (SELECT 1 FROM steps s WHERE s.run_id = r.id AND s.class = ");
        q.push_bind(borrowed(class).into_owned()).push(")");
    }
}

fn times(q: &mut Query, f: &RunFilter) {
    if let Some(from) = f.from {
        q.push(" AND r.started_at >= ").push_bind(from.to_string());
    }
    if let Some(to) = f.to {
        q.push(" AND r.started_at < ").push_bind(to.to_string());
    }
    if let Some(least) = f.min_duration {
        q.push(" AND r.duration_ms >= ").push_bind(i64::try_from(least.as_millis()).unwrap_or(i64::MAX));
    }
}

fn place(q: &mut Query, order: Order, after: Option<RunCursor>) {
    let (beyond, sorted) = match order {
        Order::NewestFirst => (" AND (r.started_at, r.id) < (", " ORDER BY r.started_at DESC, r.id DESC"),
        Order::OldestFirst => (" AND (r.started_at, r.id) > (", " ORDER BY r.started_at, r.id"),
    };
    if let Some(RunCursor { started_at, id }) = after {
        q.push(beyond).push_bind(started_at.to_string()).push(", ").push_bind(id.to_string()).push(")");
    }
    q.push(sorted);
}
