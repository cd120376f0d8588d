//! Lists of runs: filters as bound values, keyset paging on (start, id).

use super::{Postgres, stamp::Stamp};
use crate::{
    clean::borrowed,
    error::Error,
    fields::{all, summary},
    filter::{Order, RunFilter},
    model::{Page, RunCursor, RunSummary},
    paging::{page, page_size},
};
use sqlx::{QueryBuilder, types::Json};
use std::collections::BTreeMap;

type Query = QueryBuilder<sqlx::Postgres>;

const COLUMNS: &str = "SELECT r.id, r.cluster, r.kind, r.namespace, r.namespace_uid, r.name, r.uid, r.number, r.phase, r.terminal, \
     r.reason, r.message, r.trigger, r.owner, r.started_at, r.finished_at, r.duration_ms, r.minimal, r.reported_id FROM hearth.runs r WHERE true";

impl Postgres {
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
            .read("listing runs", |pool| async move { all(&query.build().fetch_all(&pool).await?, summary) })
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
            let many: Vec<String> = many.iter().map(|v| borrowed(v).into_owned()).collect();
            q.push(" = ANY (").push_bind(many).push(")")
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
    if !f.labels.is_empty() {
        let labels: BTreeMap<_, _> =
            f.labels.iter().map(|(k, v)| (borrowed(k).into_owned(), borrowed(v).into_owned())).collect();
        q.push(" AND r.labels @> ").push_bind(Json(labels));
    }
    for (name, value) in &f.params {
        q.push(" AND r.params ->> ").push_bind(borrowed(name).into_owned());
        q.push(" = ").push_bind(borrowed(value).into_owned());
    }
}

fn outcome(q: &mut Query, f: &RunFilter) {
    equals(q, " AND r.reason = ", f.reason.as_ref());
    equals(q, " AND r.trigger = ", f.trigger.as_ref());
    if !f.phases.is_empty() {
        any_of(q, "r.phase", &f.phases);
    }
    if let Some(class) = &f.class {
        q.push(" AND EXISTS (SELECT FROM hearth.steps s WHERE s.run_id = r.id AND s.class = ");
        q.push_bind(borrowed(class).into_owned()).push(")");
    }
}

fn times(q: &mut Query, f: &RunFilter) {
    if let Some(from) = f.from {
        q.push(" AND r.started_at >= ").push_bind(Stamp::from(from));
    }
    if let Some(to) = f.to {
        q.push(" AND r.started_at < ").push_bind(Stamp::from(to));
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
        q.push(beyond).push_bind(Stamp::from(started_at)).push(", ").push_bind(id).push(")");
    }
    q.push(sorted);
}
