//! The wire between a process and the server: where requests get lost.

use crate::{
    fault::{Faults, IN_FLIGHT, Mode},
    judge::Posted,
    server::{Actor, ApiError, Key, Reply, Server, Write, selects},
    store::Store,
    whole_logs::WholeLogs,
};
use hearth_crds::time::Time;
use hearth_plan::{
    Intent,
    record::RecordBatch,
    work::{Answer, Sought},
};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// What became of a request, as its sender knows it.
#[derive(Clone, Debug)]
pub enum Sent {
    /// The server answered.
    Answer(Result<Reply, ApiError>),
    /// No answer came.
    NoAnswer,
    /// The sender died.
    Dead,
}

/// A request that is still under way.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// When it arrives.
    pub at: Time,
    /// Who sent it.
    pub by: Actor,
    /// What it asks.
    pub write: Write,
}

/// The requests that only read, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Quorum GETs of pods.
    pub gets: usize,
    /// Log tails.
    pub logs: usize,
    /// Questions to the store about earlier work.
    pub lookups: usize,
}

/// What a pass may use of the world.
pub struct Wire<'a> {
    /// Now.
    pub now: Time,
    /// The server.
    pub server: &'a mut Server,
    /// What goes wrong.
    pub faults: &'a mut Faults,
    /// Requests under way.
    pub in_flight: &'a mut Vec<InFlight>,
    /// Batches that were offered to the store's writer, for the judge.
    pub offered: &'a mut Vec<RecordBatch>,
    /// POSTs of working pods, for the judge.
    pub posts: &'a mut Vec<Posted>,
    /// Runs whose record was given up.
    pub lost_records: &'a mut Vec<String>,
    /// Reads so far.
    pub reads: &'a mut Reads,
    /// Pods that went in mid-run before their row was stored, for the judge.
    pub early: &'a mut Vec<String>,
    /// Where whole logs go.
    pub whole_logs: &'a mut WholeLogs,
    /// Logs by pod UID.
    pub log_of: &'a dyn Fn(&str) -> Option<String>,
    /// The history store.
    pub store: &'a Store,
    /// Whether the sender's lease is fresh enough to create anything.
    pub lease: bool,
}

impl Wire<'_> {
    /// Sends a request that changes something.
    pub fn send(&mut self, by: Actor, write: Write) -> Sent {
        let working = match &write {
            Write::Pod { ns, pod, placeholder: false, .. } => {
                Some((ns.clone(), pod.metadata.name.clone().unwrap_or_default()))
            }
            Write::Pod { .. }
            | Write::Finalizers { .. }
            | Write::Status { .. }
            | Write::Revision { .. }
            | Write::DeleteRevision { .. }
            | Write::DeletePod { .. }
            | Write::DeleteRunPods { .. }
            | Write::Relabel { .. }
            | Write::Object { .. }
            | Write::DeleteObject { .. }
            | Write::Event { .. } => None,
        };
        self.whole_logs.watch(self.now, &write, self.server);
        self.watch_early(&write);
        let sent = self.transmit(by, write);
        if let Some(key) = working {
            let refused =
                matches!(&sent, Sent::Answer(Err(error)) if error.reason != "AlreadyExists" && error.code < 500);
            self.posts.push(Posted { key, refused });
        }
        sent
    }

    /// Notes the pods that this write takes in mid-run although their end is not on record.
    fn watch_early(&mut self, write: &Write) {
        let Write::DeleteRunPods { ns, pods } = write else { return };
        if pods.only.is_none() {
            return;
        }
        let is_stored = |pod: &Pod| {
            let intent = self.server.intent_of(pod.metadata.uid.as_deref().unwrap_or_default());
            intent.is_some_and(|i| self.store.has_attempt(i))
        };
        let taken = self.server.pods().iter().filter(|(key, pod)| key.0 == *ns && selects(pods, pod));
        self.early.extend(taken.filter(|(_, pod)| !is_stored(pod)).map(|(key, _)| key.1.clone()));
    }

    fn transmit(&mut self, by: Actor, write: Write) -> Sent {
        match self.faults.next(&describe(&write)) {
            None => Sent::Answer(self.server.apply(self.now, by, write)),
            Some(Mode::KillBefore) => Sent::Dead,
            Some(Mode::KillAfter) => {
                // The answer dies with its reader.
                let _ = self.server.apply(self.now, by, write);
                Sent::Dead
            }
            Some(Mode::NoReplyTaken) => {
                // The answer is lost on its way.
                let _ = self.server.apply(self.now, by, write);
                Sent::NoAnswer
            }
            Some(Mode::NoReplyLost) => Sent::NoAnswer,
            Some(Mode::KillInFlight) => {
                self.in_flight.push(InFlight { at: self.now.after(IN_FLIGHT), by, write });
                Sent::Dead
            }
        }
    }

    /// A quorum read of a pod.
    pub fn get_pod(&mut self, key: &Key) -> Option<Arc<Pod>> {
        self.reads.gets += 1;
        self.server.get_pod(key)
    }

    /// Whether work was done before.
    pub fn look_up(&mut self, sought: &Sought) -> Answer {
        self.reads.lookups += 1;
        self.store.look_up(sought, self.now)
    }

    /// The end of a pod's log.
    ///
    /// # Errors
    /// There is none.
    pub fn read_log(&mut self, key: &Key) -> Result<String, String> {
        self.reads.logs += 1;
        self.log_at(key)
    }

    /// Stores the whole log of a pod, or that it cannot be had. False when that has to be tried again.
    pub fn keep_log(&mut self, key: &Key, attempt: &Intent) -> bool {
        let log = self.log_at(key);
        self.whole_logs.keep(attempt, log)
    }

    fn log_at(&self, key: &Key) -> Result<String, String> {
        let pod = self.server.get_pod(key).ok_or("the pod is gone")?;
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        (self.log_of)(&uid).ok_or_else(|| "the container never ran".to_owned())
    }
}

/// `create pods fit/1`: what a write is, for the list of kill points.
#[must_use]
pub fn describe(write: &Write) -> String {
    match write {
        Write::Finalizers { finalizers, .. } => format!("patch finalizers {finalizers:?}"),
        Write::Status { status, .. } => {
            let text = |path: &str| {
                status
                    .pointer(path)
                    .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                    .unwrap_or_default()
            };
            format!("patch status seq {} {}", text("/run/seq"), text("/phase"))
        }
        Write::Pod { intent, placeholder, .. } => {
            let sort = if *placeholder { "placeholder" } else { "pod" };
            format!("create {sort} {}#{}", intent.step, intent.attempt)
        }
        Write::Revision { revision, .. } => {
            let role = revision
                .metadata
                .labels
                .as_ref()
                .and_then(|l| l.get(hearth_crds::label::REVISION))
                .cloned()
                .unwrap_or_default();
            format!("create revision ({role})")
        }
        Write::DeleteRevision { .. } => "delete revision".to_owned(),
        Write::DeletePod { .. } => "delete pod".to_owned(),
        Write::DeleteRunPods { .. } => "deletecollection pods".to_owned(),
        Write::Relabel { .. } => "patch pod labels".to_owned(),
        Write::Object { .. } => "create object".to_owned(),
        Write::DeleteObject { .. } => "delete object".to_owned(),
        Write::Event { .. } => "create event".to_owned(),
    }
}
