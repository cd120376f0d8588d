//! One pass of the driver, in the order of protocol.md, one write at a time.

use crate::{
    memory::{Memory, Sight},
    server::{Actor, ApiError, Key, Reply, Write, is_fence},
    trim::controller_of,
    wire::{Sent, Wire},
};
use hearth_crds::{FINALIZER, condition::Reason};
use hearth_plan::{
    Accepted, Action, Facts, Intent, Kind, Plan, Start,
    facts::{Post, Refusal},
    kind::Env,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc};

/// Where a pass stands after one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Went {
    /// There is more to do.
    On,
    /// All is done.
    Done,
    /// It broke off: the error.
    Failed(String),
    /// The process died.
    Dead,
}

/// A breakage that is put in by hand, to see that the suite notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breakage {
    /// None.
    #[default]
    None,
    /// Pods are created before their intent is in an accepted status.
    CreateBeforeIntent,
    /// An attempt of unknown fate is posted again instead of fenced.
    SkipFence,
    /// Rows are written from a status that the server has not accepted.
    RowFromUnaccepted,
}

#[derive(Clone, Debug)]
enum Todo {
    Before(Box<Action>, Reason),
    Patch,
    Starts,
    Post(Box<Start>),
    Fences,
    Fence(Box<Start>),
    After(Box<Action>, Reason),
    Records,
}

/// A pass under way.
pub struct Pass<K: Kind> {
    key: Key,
    uid: String,
    actor: Actor,
    cr: Arc<K::Cr>,
    old: Option<K::Status>,
    facts: Facts,
    specs: Arc<K::Specs>,
    env: Arc<Env>,
    /// What was decided.
    pub plan: Plan<K::Status>,
    accepted: Option<Accepted<K::Status>>,
    todo: VecDeque<Todo>,
    trouble: Option<String>,
    /// Something was learned that the next decision needs.
    pub learned: bool,
    breakage: Breakage,
}

impl<K: Kind> Pass<K> {
    /// Plans; nothing is written yet.
    pub fn begin(
        actor: Actor,
        key: &Key,
        Sight { cr, facts, specs }: Sight<K>,
        env: &Arc<Env>,
        now: hearth_crds::time::Time,
        breakage: Breakage,
    ) -> Self {
        let plan = K::plan(&cr, &specs, &facts, env, now);
        let mut todo = VecDeque::new();
        let (before, after): (Vec<_>, Vec<_>) = plan.actions.iter().cloned().partition(|(a, _)| a.before_patch());
        todo.extend(before.into_iter().map(|(a, r)| Todo::Before(Box::new(a), r)));
        let creates = [Todo::Starts, Todo::Fences];
        if breakage == Breakage::CreateBeforeIntent {
            todo.extend(creates.clone());
        }
        if plan.status.is_some() {
            todo.push_back(Todo::Patch);
        }
        if breakage != Breakage::CreateBeforeIntent {
            todo.extend(creates);
        }
        todo.extend(after.into_iter().map(|(a, r)| Todo::After(Box::new(a), r)));
        if breakage == Breakage::RowFromUnaccepted {
            todo.push_front(Todo::Records);
        } else {
            todo.push_back(Todo::Records);
        }
        let old = K::status(&cr).cloned();
        Self {
            key: key.clone(),
            uid: cr.uid().unwrap_or_default(),
            actor,
            accepted: old.clone().map(Accepted::by_server),
            old,
            cr,
            facts,
            specs,
            env: env.clone(),
            plan,
            todo,
            trouble: None,
            learned: false,
            breakage,
        }
    }

    /// Does the next thing; at most one write.
    pub fn step(&mut self, memory: &mut Memory<K>, wire: &mut Wire<'_>) -> Went {
        let Some(todo) = self.todo.pop_front() else {
            return self.trouble.take().map_or(Went::Done, Went::Failed);
        };
        match todo {
            Todo::Before(action, reason) => self.act(*action, reason, memory, wire, true),
            Todo::Patch => self.patch(memory, wire),
            Todo::Starts => {
                let intents = if self.breakage == Breakage::SkipFence {
                    [self.plan.intents.clone(), self.plan.fences.clone()].concat()
                } else {
                    self.plan.intents.clone()
                };
                let starts = self.starts(&intents);
                self.prepend(starts, Todo::Post);
                Went::On
            }
            Todo::Fences => {
                if self.breakage != Breakage::SkipFence {
                    let starts = self.starts(&self.plan.fences.clone());
                    self.prepend(starts, Todo::Fence);
                }
                Went::On
            }
            Todo::Post(start) => self.post(&start, memory, wire),
            Todo::Fence(start) => self.fence(&start, memory, wire),
            Todo::After(action, reason) => self.act(*action, reason, memory, wire, false),
            Todo::Records => {
                self.records(memory, wire);
                Went::On
            }
        }
    }

    fn starts(&self, intents: &[Intent]) -> Vec<Start> {
        if intents.is_empty() {
            return Vec::new();
        }
        let planned =
            self.plan.status.clone().filter(|_| self.breakage == Breakage::CreateBeforeIntent).map(Accepted::by_server);
        planned
            .or_else(|| self.accepted.clone())
            .map_or_else(Vec::new, |accepted| K::starts(&self.cr, &self.specs, &accepted, intents, &self.env))
    }

    fn prepend(&mut self, starts: Vec<Start>, make: fn(Box<Start>) -> Todo) {
        for start in starts.into_iter().rev() {
            self.todo.push_front(make(Box::new(start)));
        }
    }

    fn patch(&mut self, memory: &mut Memory<K>, wire: &mut Wire<'_>) -> Went {
        let status = match serde_json::to_value(&self.plan.status) {
            Ok(status) => status,
            Err(error) => return Went::Failed(format!("the status does not serialise: {error}")),
        };
        let rv = self.cr.resource_version().unwrap_or_default();
        match wire.send(self.actor, Write::Status { key: self.key.clone(), rv, status }) {
            Sent::Answer(Ok(reply)) => self.take_cr(reply, memory),
            Sent::Answer(Err(error)) => Went::Failed(error.to_string()),
            Sent::NoAnswer => Went::Failed("no answer to the status patch".to_owned()),
            Sent::Dead => Went::Dead,
        }
    }

    /// What the server returned is what is accepted.
    fn take_cr(&mut self, reply: Reply, memory: &mut Memory<K>) -> Went {
        let Reply::Cr(raw) = reply else { return Went::On };
        match serde_json::from_value::<K::Cr>((*raw).clone()) {
            Ok(cr) => {
                self.cr = Arc::new(cr);
                self.accepted = K::status(&self.cr).cloned().map(Accepted::by_server);
                memory.own(&self.uid).written = Some(self.cr.clone());
                Went::On
            }
            Err(error) => Went::Failed(format!("what was written does not decode: {error}")),
        }
    }

    fn post(&mut self, start: &Start, memory: &mut Memory<K>, wire: &mut Wire<'_>) -> Went {
        if !wire.lease {
            return Went::Dead;
        }
        let name = start.pod().metadata.name.clone().unwrap_or_default();
        let write = Write::Pod {
            ns: self.key.0.clone(),
            pod: Box::new(start.pod().clone()),
            intent: start.intent().clone(),
            placeholder: false,
        };
        let post = match wire.send(self.actor, write) {
            Sent::Dead => return Went::Dead,
            Sent::NoAnswer => self.uncertain(&name),
            Sent::Answer(Ok(_)) => Post::Created,
            Sent::Answer(Err(error)) if error.reason == "AlreadyExists" => self.who_is_it(&name, memory, wire),
            Sent::Answer(Err(error)) if is_refusal(&error) => {
                self.trouble = Some(error.to_string());
                Post::Refused(refusal(error, wire.now))
            }
            Sent::Answer(Err(_)) => self.uncertain(&name),
        };
        memory.own(&self.uid).posts.insert(name, post);
        Went::On
    }

    fn uncertain(&mut self, name: &str) -> Post {
        self.trouble = Some(format!("no answer to the POST of {name}"));
        Post::Uncertain
    }

    fn fence(&mut self, start: &Start, memory: &mut Memory<K>, wire: &mut Wire<'_>) -> Went {
        if !wire.lease {
            return Went::Dead;
        }
        let name = start.placeholder().metadata.name.clone().unwrap_or_default();
        let write = Write::Pod {
            ns: self.key.0.clone(),
            pod: Box::new(start.placeholder().clone()),
            intent: start.intent().clone(),
            placeholder: true,
        };
        match wire.send(self.actor, write) {
            Sent::Dead => return Went::Dead,
            Sent::NoAnswer => self.trouble = Some(format!("no answer to the fence of {name}")),
            Sent::Answer(Ok(Reply::Pod(pod))) => {
                memory.note_pod(&self.uid, &pod, wire.server.journal().len());
                self.learned = true;
            }
            Sent::Answer(Ok(Reply::Cr(_) | Reply::Done)) => {}
            Sent::Answer(Err(error)) if error.reason == "AlreadyExists" => {
                let post = self.who_is_it(&name, memory, wire);
                memory.own(&self.uid).posts.insert(name, post);
            }
            // A refused fence says nothing about the attempt: it stays unknown.
            Sent::Answer(Err(error)) => {
                self.trouble = Some(error.to_string());
                if is_refusal(&error) {
                    memory.own(&self.uid).posts.insert(name, Post::Unfenced(refusal(error, wire.now)));
                }
            }
        }
        Went::On
    }

    /// The name is taken: one quorum GET says by what.
    fn who_is_it(&mut self, name: &str, memory: &mut Memory<K>, wire: &mut Wire<'_>) -> Post {
        let Some(pod) = wire.get_pod(&(self.key.0.clone(), name.to_owned())) else { return self.uncertain(name) };
        if controller_of(&pod).as_deref() == Some(self.uid.as_str()) {
            memory.note_pod(&self.uid, &pod, wire.server.journal().len());
            self.learned = true;
            return if is_fence(&pod) { Post::Uncertain } else { Post::Created };
        }
        Post::Stranger { what: format!("Pod/{name}, {}", describe_owner(&pod)) }
    }

    fn act(
        &mut self,
        action: Action,
        reason: Reason,
        memory: &mut Memory<K>,
        wire: &mut Wire<'_>,
        before: bool,
    ) -> Went {
        let write = match self.write_of(action, reason, memory, wire) {
            Some(write) => write,
            None => return Went::On,
        };
        match wire.send(self.actor, write) {
            Sent::Dead => Went::Dead,
            Sent::Answer(Ok(reply)) => self.take_cr(reply, memory),
            Sent::NoAnswer if before => Went::Failed("no answer to a write that comes before the patch".to_owned()),
            Sent::Answer(Err(error)) if before && error.reason != "AlreadyExists" => Went::Failed(error.to_string()),
            Sent::NoAnswer => {
                self.trouble = Some("no answer".to_owned());
                Went::On
            }
            // Gone already, or there already: as wanted. Any other no is tried again later.
            Sent::Answer(Err(error)) => {
                if error.code != 404 && error.reason != "AlreadyExists" {
                    self.trouble = Some(error.to_string());
                }
                Went::On
            }
        }
    }

    fn write_of(
        &mut self,
        action: Action,
        reason: Reason,
        memory: &mut Memory<K>,
        wire: &mut Wire<'_>,
    ) -> Option<Write> {
        let ns = self.key.0.clone();
        let rv = self.cr.resource_version().unwrap_or_default();
        let mut finalizers: Vec<String> = self.cr.finalizers().iter().filter(|f| *f != FINALIZER).cloned().collect();
        Some(match action {
            Action::AddFinalizer => {
                finalizers.push(FINALIZER.to_owned());
                Write::Finalizers { key: self.key.clone(), rv, finalizers }
            }
            Action::CountLostRecord { run_id } => {
                wire.lost_records.push(run_id);
                return None;
            }
            Action::RemoveFinalizer => Write::Finalizers { key: self.key.clone(), rv, finalizers },
            Action::PostRevision(revision) => Write::Revision { ns, revision },
            Action::DeleteRevision { name, uid } => Write::DeleteRevision { key: (ns, name), uid },
            Action::DeletePod { name, uid } => Write::DeletePod { key: (ns, name), uid: Some(uid) },
            Action::DeleteRunPods(pods) => Write::DeleteRunPods { ns, pods },
            Action::Relabel { name, uid, labels } => Write::Relabel { key: (ns, name), uid, labels },
            Action::PublishEvent { warning, message } => {
                Write::Event { object: self.key.clone(), warning, reason: reason.as_str().to_owned(), message }
            }
            Action::PostObject { object, .. } => Write::Object { ns, object },
            Action::DeleteObject { uid } => Write::DeleteObject { key: self.key.clone(), uid },
            Action::LookUp { sought } => {
                let own = memory.own(&self.uid);
                own.work.retain(|known, _| sought.contains(known));
                let known = own.work.len();
                for sought in sought {
                    own.work.entry(sought).or_insert_with_key(|sought| wire.look_up(sought));
                }
                self.learned |= own.work.len() > known;
                return None;
            }
            Action::ReadLog { name } => {
                let answer = wire.read_log(&(ns, name.clone()));
                memory.own(&self.uid).logs.insert(name, answer);
                self.learned = true;
                return None;
            }
            Action::KeepLog { name, attempt } => {
                if wire.keep_log(&(ns, name.clone()), &attempt) {
                    memory.own(&self.uid).kept_logs.insert(name);
                    self.learned = true;
                }
                return None;
            }
        })
    }

    /// Rows of the accepted status: what is new in it, or all of them when this process has not offered any yet.
    fn records(&mut self, memory: &mut Memory<K>, wire: &mut Wire<'_>) {
        let unaccepted =
            self.plan.status.clone().filter(|_| self.breakage == Breakage::RowFromUnaccepted).map(Accepted::by_server);
        let Some(accepted) = unaccepted.or_else(|| self.accepted.clone()) else { return };
        let now = mark(accepted.status());
        let before = memory.own(&self.uid).offered.clone();
        if before == now && self.breakage != Breakage::RowFromUnaccepted {
            return self.spooled(memory, wire);
        }
        // What this process has not offered itself, it cannot take for offered: another one may have died before.
        let old = self.old.as_ref().filter(|old| mark(*old) == before);
        let mut all = true;
        if let Some(batch) = K::records(&self.cr, &self.specs, old, &accepted, &self.facts, &self.env) {
            wire.offered.push(batch.clone());
            all = memory.offer(batch);
        }
        memory.own(&self.uid).offered = now.filter(|_| all);
        self.spooled(memory, wire);
    }

    fn spooled(&mut self, memory: &mut Memory<K>, wire: &mut Wire<'_>) {
        for revision in self.facts.revisions.values().filter(|r| r.role == hearth_crds::label::REVISION_SPOOL) {
            if memory.own(&self.uid).spooled.contains(&revision.name) {
                continue;
            }
            if let Some(batch) = K::spooled(&self.cr, revision, &self.env) {
                wire.offered.push(batch.clone());
                if memory.offer(batch) {
                    memory.own(&self.uid).spooled.insert(revision.name.clone());
                }
            }
        }
    }

    /// The object.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The object as this pass knows it now.
    #[must_use]
    pub fn cr(&self) -> &K::Cr {
        &self.cr
    }

    /// UID of the object.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Whether nothing is to be written or done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.plan.status.is_none()
            && self.plan.intents.is_empty()
            && self.plan.fences.is_empty()
            && self.plan.actions.is_empty()
    }

    /// The status before the pass, for comparison.
    #[must_use]
    pub fn old_status(&self) -> Option<&K::Status> {
        self.old.as_ref()
    }
}

/// Run and seq of a status: what the driver of any kind may read of it.
pub fn mark(status: &impl serde::Serialize) -> Option<(String, i64)> {
    let status = serde_json::to_value(status).ok()?;
    let id = status.pointer("/run/id")?.as_str()?.to_owned();
    Some((id, status.pointer("/run/seq").and_then(Value::as_i64).unwrap_or(0)))
}

fn refusal(error: ApiError, at: hearth_crds::time::Time) -> Refusal {
    Refusal { code: error.code, reason: error.reason, message: error.message, at }
}

fn is_refusal(error: &ApiError) -> bool {
    matches!(error.code, 400 | 403 | 404 | 422 | 429) || (error.code == 409 && error.reason == "Conflict")
}

fn describe_owner(pod: &Pod) -> String {
    controller_of(pod).map_or_else(|| "which has no controller".to_owned(), |uid| format!("whose controller is {uid}"))
}

/// A patch that parks an object which cannot be handled, if its status does not say so yet.
#[must_use]
pub fn poison_patch<K: Kind>(key: &Key, raw: &Value, message: &str, now: hearth_crds::time::Time) -> Option<Write> {
    let generation = raw.pointer("/metadata/generation").and_then(Value::as_i64);
    let status = K::poisoned(raw.get("status"), generation, message, now);
    let rv = raw.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    (raw.get("status") != Some(&status)).then(|| Write::Status { key: key.clone(), rv, status })
}
