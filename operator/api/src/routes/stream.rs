//! The transitions of a run as they come, until it ends: server-sent events.

use super::extract::RunOf;
use crate::{gate::Part, identity::Identity, refused::Refused, router::Api, source, streams::Place};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event as Sent, KeepAlive, Sse},
    },
};
use futures::{Stream, stream::unfold};
use hearth_history::{Event, EventKey};
use hearth_wire::{MAX_PAGE, ProblemKind, RunSummary};
use std::{collections::VecDeque, convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(1);
/// After this time a stream ends, so that its credential is looked at anew; clients come back by themselves.
const LONGEST: Duration = Duration::from_secs(240);
/// How soon clients come back.
const RETRY: Duration = Duration::from_secs(2);

/// Follow the transitions of a run
///
/// Server-sent events: `transition` for each, with the id to resume from, and `end` with the run when it has its end.
/// `problem` says why the stream ends before. A stream ends after 4 minutes; send Last-Event-ID to go on from there.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/events/stream",
    operation_id = "followEvents",
    tag = "runs",
    params(
        ("id" = String, Path, description = "Id of the run (UUIDv7)."),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that was seen.")
    ),
    responses(
        (status = 200, description = "The stream.", content_type = "text/event-stream", body = String),
        (status = 204, description = "The run is over, and all was seen.")
    )
)]
pub async fn follow(State(api): State<Api>, headers: HeaderMap, RunOf(run, who): RunOf) -> Result<Response, Refused> {
    let row = &run.get().summary;
    let mut follower = Follower::new(api.clone(), who, row.id, after(&api, &headers, row.id)?)?;
    // What is wrong at once is an answer of its own, not one within a stream.
    follower.look().await?;
    if headers.contains_key("last-event-id") && follower.over() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = Sse::new(follower.stream()).keep_alive(KeepAlive::default());
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], stream).into_response())
}

/// Where the client was.
fn after(api: &Api, headers: &HeaderMap, run: Uuid) -> Result<Option<EventKey>, Refused> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let bad = |e: &dyn std::fmt::Display| Refused::new(ProblemKind::BadRequest, format!("Last-Event-ID: {e}"));
    let text = id.to_str().map_err(|e| bad(&e))?;
    api.cursors().open(text, &of(run)).map(Some).map_err(|e| bad(&e))
}

/// The list that the ids belong to: the same as that of its pages.
fn of(run: Uuid) -> String {
    format!("events/{run}")
}

/// Somebody who follows a run.
struct Follower {
    api: Api,
    who: Identity,
    run: Uuid,
    after: Option<EventKey>,
    waiting: VecDeque<Event>,
    /// The run, once it has its end and all that is stored of it was read.
    end: Option<RunSummary>,
    /// More of it is stored than was read.
    more: bool,
    until: Instant,
    done: bool,
    _place: Place,
}

impl Follower {
    fn new(api: Api, who: Identity, run: Uuid, after: Option<EventKey>) -> Result<Self, Refused> {
        let place = api.streams().take(who.key()).ok_or_else(|| {
            Refused::new(ProblemKind::TooManyRequests, "too many streams are open; close one, or try again later")
        })?;
        let until = Instant::now() + LONGEST;
        let waiting = VecDeque::new();
        Ok(Self { api, who, run, after, waiting, end: None, more: false, until, done: false, _place: place })
    }

    /// Reads what is new. Whether the asker may see the run is asked each time.
    async fn look(&mut self) -> Result<(), Refused> {
        // The run first: when it has its end, its last transition is stored too.
        let run = self.api.gate().get_run(&self.who, self.run).await?;
        let part = Part { after: self.after.clone(), limit: MAX_PAGE };
        let page = self.api.gate().list_events(&run, part).await?;
        self.more = page.next.is_some();
        self.after = page.items.last().map(Event::key).or_else(|| self.after.take());
        self.waiting.extend(page.items);
        let row = run.into_inner().summary;
        self.end = (row.terminal && !self.more).then(|| source::summary(row));
        Ok(())
    }

    fn over(&self) -> bool {
        self.waiting.is_empty() && self.end.is_some()
    }

    fn stream(self) -> impl Stream<Item = Result<Sent, Infallible>> {
        unfold(self, |mut follower| async move {
            let sent = follower.next().await?;
            Some((Ok(sent), follower))
        })
    }

    /// The next event; None when the stream is over.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                let id = self.api.cursors().sign(&event.key(), &of(self.run));
                return sent("transition", &source::event(event)).map(|e| e.id(id).retry(RETRY));
            }
            if self.done {
                return None;
            }
            if let Some(end) = &self.end {
                self.done = true;
                return sent("end", end);
            }
            if Instant::now() >= self.until {
                return None;
            }
            if !self.more {
                sleep(EVERY).await;
            }
            match self.look().await {
                Ok(()) => {}
                // What is away comes back; meanwhile comments keep the connection.
                Err(refused) if refused.passes() => self.more = false,
                Err(refused) => {
                    self.done = true;
                    return sent("problem", &refused.problem());
                }
            }
        }
    }
}

fn sent<T: serde::Serialize>(name: &str, data: &T) -> Option<Sent> {
    Sent::default().event(name).json_data(data).ok()
}
