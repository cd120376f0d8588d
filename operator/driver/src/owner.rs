//! What this process remembers of one object's children.

use crate::pods::PodView;
use hearth_crds::label;
use hearth_plan::{
    PodFact, Post, RevisionFact,
    facts::Facts,
    kind::RunMark,
    record::Ack,
    work::{Answer, Sought},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Runs whose acknowledgement is remembered, per object.
const ACKS_KEPT: usize = 64;
/// Pods of an object, from which on it is worth while to look for recorded ones that may go in mid-run.
const MANY_PODS: usize = 200;
/// Between two requests that delete pods of the same place.
const SWEEP_PAUSE: Duration = Duration::from_secs(2);
/// A refused child is not posted again sooner than that, whatever happens; when it is, is for the kind to decide.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// How the controller of an object's kind is told to look at it.
#[derive(Clone, Debug)]
pub(crate) struct Wake {
    pub(crate) key: Key,
    pub(crate) queue: mpsc::UnboundedSender<Key>,
}

impl Wake {
    pub(crate) fn now(&self) {
        // A closed queue means that the controller has stopped.
        let _closed = self.queue.send(self.key.clone());
    }
}

#[derive(Clone, Debug)]
struct Cached {
    fact: Arc<PodFact>,
    version: u64,
    /// The watch shows its changes.
    watched: bool,
    /// The watch has lost it, and it was not seen to end or to be deleted: only a GET knows whether it is gone.
    doubtful: bool,
}

#[derive(Clone, Debug)]
struct Posted {
    post: Post,
    run_id: String,
    again_at: Instant,
}

/// Memory of one object. What is in here and not in etcd may be lost at any time without harm.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    pub(crate) wake: Option<Wake>,
    pub(crate) failures: u32,
    pub(crate) revisions: BTreeMap<String, Arc<RevisionFact>>,
    pods: BTreeMap<String, Cached>,
    posts: BTreeMap<String, Posted>,
    logs: BTreeMap<String, Result<String, String>>,
    reading: BTreeSet<String>,
    kept_logs: BTreeSet<String>,
    keeping: BTreeSet<String>,
    work: BTreeMap<Sought, Answer>,
    looking: BTreeSet<Sought>,
    sweeping: BTreeMap<String, Option<Instant>>,
    stored: BTreeMap<String, i64>,
    recorded: BTreeMap<String, i64>,
}

impl Owner {
    /// Takes a pod as the watch, a POST or a GET showed it. An older one than is known changes nothing.
    ///
    /// Answers whether that is news: most events of a pod change nothing that decisions read.
    pub(crate) fn pod_seen(&mut self, pod: &PodView) -> bool {
        let (name, version) = (pod.fact.name.clone(), pod.version());
        let noted = self.posts.remove(&name).is_some();
        let news = match self.pods.get(&name) {
            Some(known) if known.version > version => return noted,
            Some(known) => *known.fact != pod.fact || known.watched != pod.watched || known.doubtful,
            None => true,
        };
        self.pods
            .insert(name, Cached { fact: Arc::new(pod.fact.clone()), version, watched: pod.watched, doubtful: false });
        noted || news
    }

    /// Takes a DELETED event: the last state is kept, marked as gone.
    ///
    /// The API server sends the same event when somebody takes away the label that the watch selects by.
    pub(crate) fn pod_deleted(&mut self, pod: &PodView) {
        match self.pods.get(&pod.fact.name) {
            Some(known) if known.version > pod.version() || known.fact.uid != pod.fact.uid => {}
            Some(_) | None => {
                self.pod_seen(pod);
                self.lose(&pod.fact.name);
            }
        }
    }

    /// UIDs of its pods, those included that are gone.
    pub(crate) fn pod_uids(&self) -> impl Iterator<Item = &str> {
        self.pods.values().map(|p| p.fact.uid.as_str())
    }

    /// Pods of which only a GET can say how they are.
    pub(crate) fn unclear(&self) -> Vec<String> {
        let unclear = |p: &&Cached| p.doubtful || (!p.watched && !p.fact.gone && !p.fact.seen_to_end());
        self.pods.values().filter(unclear).map(|p| p.fact.name.clone()).collect()
    }

    /// Takes the answer of such a GET.
    pub(crate) fn cleared(&mut self, name: &str, found: Option<&PodView>) {
        let Some(known) = self.pods.get_mut(name) else { return };
        match found {
            Some(pod) if pod.fact.uid == known.fact.uid => {
                *known = Cached {
                    fact: Arc::new(pod.fact.clone()),
                    version: pod.version(),
                    watched: pod.watched,
                    doubtful: false,
                }
            }
            Some(_) | None => {
                Arc::make_mut(&mut known.fact).gone = true;
                known.doubtful = false;
            }
        }
    }

    /// Marks as gone what a complete list did not show.
    pub(crate) fn keep_listed(&mut self, listed: &BTreeSet<String>) -> bool {
        let lost: Vec<String> = self
            .pods
            .values()
            .filter(|p| !p.fact.gone && !listed.contains(&p.fact.uid))
            .map(|p| p.fact.name.clone())
            .collect();
        lost.iter().for_each(|name| self.lose(name));
        !lost.is_empty()
    }

    fn lose(&mut self, name: &str) {
        if let Some(pod) = self.pods.get_mut(name) {
            let explained = pod.fact.seen_to_end() || pod.fact.deleting_at.is_some();
            Arc::make_mut(&mut pod.fact).gone = explained;
            pod.doubtful = !explained;
        }
    }

    /// Notes the outcome of a POST. Answers whether it is news that a decision should look at:
    /// each refusal is, since the time of the last one says when to try again.
    pub(crate) fn posted(&mut self, name: &str, run_id: &str, post: Post) -> bool {
        let before = self.posts.get(name);
        let news = before.is_none_or(|p| p.post != post);
        self.posts.insert(
            name.to_owned(),
            Posted { post, run_id: run_id.to_owned(), again_at: Instant::now() + REFUSED_PAUSE },
        );
        news
    }

    /// How long a child that was refused still waits before it is posted again.
    pub(crate) fn post_pause(&self, name: &str) -> Option<Duration> {
        let posted = self.posts.get(name)?;
        match posted.post {
            Post::Refused(_) => posted.again_at.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()),
            Post::Created | Post::Uncertain | Post::Unfenced(_) | Post::Stranger { .. } => None,
        }
    }

    /// Whether it is known what holds that name.
    pub(crate) fn decided(&self, name: &str) -> bool {
        self.pods.get(name).is_some_and(|p| !p.fact.gone)
            || self.posts.get(name).is_some_and(|p| matches!(p.post, Post::Stranger { .. }))
    }

    /// Whether nobody reads that log yet; from now on somebody does.
    pub(crate) fn start_reading(&mut self, pod: &str) -> bool {
        !self.logs.contains_key(pod) && self.reading.insert(pod.to_owned())
    }

    pub(crate) fn log_read(&mut self, pod: &str, log: Result<String, String>) {
        self.reading.remove(pod);
        self.logs.insert(pod.to_owned(), log);
    }

    /// Whether nobody stores that log yet; from now on somebody does.
    pub(crate) fn start_keeping(&mut self, pod: &str) -> bool {
        !self.kept_logs.contains(pod) && self.keeping.insert(pod.to_owned())
    }

    pub(crate) fn log_kept(&mut self, pod: &str) {
        self.keeping.remove(pod);
        self.kept_logs.insert(pod.to_owned());
    }

    /// Whether no pods of that place are being deleted, nor were until a moment ago; from now on some are.
    pub(crate) fn start_sweeping(&mut self, place: &str) -> bool {
        let now = Instant::now();
        let free = self.sweeping.get(place).is_none_or(|until| until.is_some_and(|at| at <= now));
        if free {
            self.sweeping.insert(place.to_owned(), None);
        }
        free
    }

    /// The request was answered: the next one waits until the watch has shown what this one did.
    pub(crate) fn swept(&mut self, place: &str) {
        self.sweeping.insert(place.to_owned(), Some(Instant::now() + SWEEP_PAUSE));
    }

    /// Forgets what is listed no more. Answers what of the rest nobody looks for yet; from now on somebody does.
    pub(crate) fn start_looking(&mut self, listed: &[Sought]) -> Vec<Sought> {
        let listed: BTreeSet<&Sought> = listed.iter().collect();
        self.work.retain(|sought, _| listed.contains(sought));
        let new = listed.into_iter().filter(|s| !self.work.contains_key(s) && self.looking.insert((*s).clone()));
        new.cloned().collect()
    }

    pub(crate) fn looked_up(&mut self, answers: BTreeMap<Sought, Answer>) {
        self.looking.retain(|sought| !answers.contains_key(sought));
        self.work.extend(answers);
    }

    /// Takes the store's word. Whether something waits for it: the record of a run, many pods that may go in mid-run, or
    /// steps that take over work.
    pub(crate) fn acked(&mut self, ack: &Ack) -> bool {
        let lists = [Some(&mut self.recorded), ack.last.then_some(&mut self.stored)];
        for list in lists.into_iter().flatten() {
            let known = list.entry(ack.run_id.clone()).or_insert(ack.seq);
            *known = ack.seq.max(*known);
            while list.len() > ACKS_KEPT {
                list.pop_first();
            }
        }
        ack.last || !self.work.is_empty() || self.pods.values().filter(|p| !p.fact.gone).count() > MANY_PODS
    }

    /// Forgets what the accepted status needs no more: children of runs that are over and stored, or were left behind.
    pub(crate) fn forget(&mut self, mark: &RunMark) {
        let over = |run: Option<&str>| match (run, mark.run_id.as_deref()) {
            (Some(run), Some(current)) => run != current || mark.stored,
            (None, _) | (_, None) => false,
        };
        self.posts.retain(|_, p| !over(Some(&p.run_id)));
        self.pods.retain(|_, p| !(p.fact.gone && over(p.fact.labels.get(label::RUN).map(String::as_str))));
        let pods = &self.pods;
        self.logs.retain(|name, _| pods.contains_key(name));
        self.kept_logs.retain(|name| pods.contains_key(name));
        self.work.retain(|sought, _| !over(Some(&sought.run_id)));
        let now = Instant::now();
        self.sweeping.retain(|_, until| until.is_none_or(|at| at > now));
    }

    /// Whether there is nothing left but memory of what was.
    pub(crate) fn is_empty(&self) -> bool {
        self.wake.is_none() && self.revisions.is_empty() && self.pods.values().all(|p| p.fact.gone || p.doubtful)
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            pods: self.pods.iter().map(|(n, p)| (n.clone(), Arc::clone(&p.fact))).collect(),
            posts: self.posts.iter().map(|(n, p)| (n.clone(), p.post.clone())).collect(),
            revisions: self.revisions.clone(),
            stored: self.stored.clone(),
            recorded: self.recorded.clone(),
            logs: self.logs.clone(),
            kept_logs: self.kept_logs.clone(),
            work: self.work.clone(),
            ..Facts::default()
        }
    }
}
