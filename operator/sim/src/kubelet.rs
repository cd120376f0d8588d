//! Scheduler and kubelet: pods that run by script, and the ledger that they append to.

use crate::{
    clock::{our_time, secs},
    outcome::{End, Outcome, Outcomes, Pending},
    report,
    server::{Key, Server, is_gated, is_over},
};
use hearth_contract::{
    digest::Digest,
    message::{Fact, compose},
    spec::Spec,
};
use hearth_crds::{annotation, time::Time};
use hearth_plan::Intent;
use k8s_openapi::api::core::v1::Pod;
use std::{collections::BTreeMap, time::Duration};

/// From creation to the first container status.
const SCHEDULING: Duration = Duration::from_millis(100);
/// From the image to the running container.
const STARTING: Duration = Duration::from_millis(400);
/// How long user code takes to stop when told to.
const STOPPING: Duration = secs(1);
/// After this long on an unreachable node a pod is marked for deletion.
const TOLERATED: Duration = secs(300);
/// After this long more the pod garbage collector takes it away.
const FORGOTTEN: Duration = secs(900);

/// One line of the ledger: what user code itself would have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The attempt, as it was posted.
    pub intent: Intent,
    /// UID of the pod.
    pub uid: String,
    /// When user code began.
    pub start: Time,
    /// When it ended.
    pub end: Option<Time>,
    /// Its node was cut off while it ran.
    pub cut_off: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    NoRoom,
    Assigned,
    Pulling,
    Running,
    CutOff,
    Marked,
    Stopping,
    Over,
}

#[derive(Clone, Debug)]
struct Life {
    key: Key,
    intent: Intent,
    outcome: Outcome,
    stage: Stage,
    due: Option<Time>,
    since: Time,
}

/// The nodes of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Kubelet {
    /// What becomes of pods.
    pub outcomes: Outcomes,
    ledger: Vec<Line>,
    lives: BTreeMap<String, Life>,
    made: BTreeMap<(String, String, u32), usize>,
    seen: usize,
}

impl Kubelet {
    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &[Line] {
        &self.ledger
    }

    /// Whether the pod with that UID is out of reach.
    #[must_use]
    pub fn is_cut_off(&self, uid: &str) -> bool {
        self.lives.get(uid).is_some_and(|l| matches!(l.stage, Stage::CutOff | Stage::Marked))
    }

    /// The log of a pod's container, if one ever ran.
    #[must_use]
    pub fn log_of(&self, uid: &str) -> Option<String> {
        let life = self.lives.get(uid)?;
        let ran = self.ledger.iter().any(|l| l.uid == uid);
        ran.then(|| format!("log of {} attempt {}\n", life.intent.step, life.intent.attempt))
    }

    /// Whether there are changes that it has not noticed.
    #[must_use]
    pub fn lags(&self, server: &Server) -> bool {
        self.seen != server.journal().len()
    }

    /// When something happens next if nobody does anything.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.lives.values().filter_map(|l| l.due).min()
    }

    /// Takes notice of new, deleted and vanished pods, and lets time do its work.
    pub fn tick(&mut self, now: Time, server: &mut Server) {
        self.notice(now, server);
        let due: Vec<String> =
            self.lives.iter().filter(|(_, l)| l.due.is_some_and(|at| at <= now)).map(|(uid, _)| uid.clone()).collect();
        for uid in due {
            self.step(now, server, &uid);
        }
        self.notice(now, server);
    }

    fn notice(&mut self, now: Time, server: &Server) {
        if self.seen == server.journal().len() {
            return;
        }
        self.seen = server.journal().len();
        for (key, pod) in server.pods() {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            if self.lives.contains_key(&uid) || is_gated(pod) {
                continue;
            }
            if let Some(intent) = server.intent_of(&uid) {
                self.adopt(now, key, uid, intent.clone());
            }
        }
        for (uid, life) in &mut self.lives {
            let pod = server.pods().get(&life.key).filter(|p| p.metadata.uid.as_ref() == Some(uid));
            match pod {
                None if life.stage != Stage::Over => {
                    life.stage = Stage::Over;
                    life.due = None;
                    close(&mut self.ledger, uid, now);
                }
                Some(pod)
                    if pod.metadata.deletion_timestamp.is_some()
                        && !matches!(life.stage, Stage::Stopping | Stage::Over | Stage::CutOff | Stage::Marked) =>
                {
                    life.stage = Stage::Stopping;
                    life.due = Some(now.after(STOPPING.min(Server::grace_left(now, pod))));
                }
                None | Some(_) => {}
            }
        }
    }

    fn adopt(&mut self, now: Time, key: &Key, uid: String, intent: Intent) {
        let count = self.made.entry((intent.run_id.clone(), intent.step.clone(), intent.item)).or_default();
        *count += 1;
        let outcome = self.outcomes.get(&intent.step, intent.item, *count);
        self.lives.insert(
            uid,
            Life { key: key.clone(), intent, outcome, stage: Stage::New, due: Some(now.after(SCHEDULING)), since: now },
        );
    }

    fn step(&mut self, now: Time, server: &mut Server, uid: &str) {
        let Some(life) = self.lives.get(uid).cloned() else { return };
        let (stage, due) = self.advance(now, server, uid, &life);
        if let Some(kept) = self.lives.get_mut(uid) {
            kept.stage = stage;
            kept.due = due;
        }
    }

    fn advance(&mut self, now: Time, server: &mut Server, uid: &str, life: &Life) -> (Stage, Option<Time>) {
        match life.stage {
            Stage::New => match life.outcome.pending {
                Pending::Node(clears) => {
                    server.update_pod(&life.key, uid, |p| report::unschedulable(p, now));
                    (Stage::NoRoom, clears.map(|d| life.since.after(d)))
                }
                Pending::Nothing | Pending::Image(_) | Pending::Config => assign(now, server, uid, life),
            },
            Stage::NoRoom => assign(now, server, uid, life),
            Stage::Assigned => match &life.outcome.pending {
                Pending::Image(clears) => {
                    server.update_pod(&life.key, uid, |p| {
                        report::waiting(p, "ImagePullBackOff", "Back-off pulling image: ErrImagePull: not found")
                    });
                    (Stage::Pulling, clears.map(|d| life.since.after(d)))
                }
                Pending::Config => {
                    server.update_pod(&life.key, uid, |p| {
                        report::waiting(p, "CreateContainerConfigError", "secret \"settings\" not found")
                    });
                    (Stage::Pulling, None)
                }
                Pending::Nothing | Pending::Node(_) => self.start(now, server, uid, life),
            },
            Stage::Pulling => self.start(now, server, uid, life),
            Stage::Running => self.end(now, server, uid, life),
            Stage::CutOff => {
                server.update_pod(&life.key, uid, |p| report::marked_by_taint(p, now));
                (Stage::Marked, Some(life_end(now, life)))
            }
            Stage::Marked => {
                close(&mut self.ledger, uid, now);
                server.remove_pod(&life.key, uid);
                (Stage::Over, None)
            }
            Stage::Stopping => {
                close(&mut self.ledger, uid, now);
                server.update_pod(&life.key, uid, |p| {
                    if !is_over(p) {
                        report::ended(p, now, 143, "Error", "");
                    }
                });
                server.remove_pod(&life.key, uid);
                (Stage::Over, None)
            }
            Stage::Over => (Stage::Over, None),
        }
    }

    fn start(&mut self, now: Time, server: &mut Server, uid: &str, life: &Life) -> (Stage, Option<Time>) {
        self.ledger.push(Line {
            intent: life.intent.clone(),
            uid: uid.to_owned(),
            start: now,
            end: None,
            cut_off: false,
        });
        server.update_pod(&life.key, uid, |p| report::running(p, now));
        let due = match life.outcome.end {
            End::Never => None,
            End::Exit(..) | End::Oom | End::Evicted { .. } | End::Preempted | End::NodeLost(_) => {
                Some(now.after(life.outcome.run_for))
            }
        };
        let deadline = deadline_of(server, &life.key).map(|d| now.after(d));
        (Stage::Running, [due, deadline].into_iter().flatten().min())
    }

    fn end(&mut self, now: Time, server: &mut Server, uid: &str, life: &Life) -> (Stage, Option<Time>) {
        let started = self.ledger.iter().rev().find(|l| l.uid == uid).map_or(now, |l| l.start);
        let natural = now.since(started) >= life.outcome.run_for && life.outcome.end != End::Never;
        if !natural {
            close(&mut self.ledger, uid, now);
            server.update_pod(&life.key, uid, |p| report::deadline(p, now));
            return (Stage::Over, None);
        }
        match &life.outcome.end {
            End::NodeLost(back) => {
                for line in self.ledger.iter_mut().filter(|l| l.uid == uid) {
                    line.cut_off = true;
                }
                server.update_pod(&life.key, uid, |p| report::unreachable(p, now));
                let marked = now.after(TOLERATED);
                return match back {
                    Some(d) if *d < TOLERATED => (Stage::Marked, Some(now.after(*d))),
                    Some(_) | None => (Stage::CutOff, Some(marked)),
                };
            }
            End::Preempted => {
                server.update_pod(&life.key, uid, |p| report::preempted(p, now));
                return (Stage::Stopping, Some(now.after(STOPPING)));
            }
            End::Exit(code, message) => {
                let text = if *code == 0 { wrapped(server, &life.key, message) } else { message.clone() };
                let (code, message) = (*code, cut(&text));
                let reason = if code == 0 { "Completed" } else { "Error" };
                server.update_pod(&life.key, uid, |p| report::ended(p, now, code, reason, &message));
            }
            End::Oom => server.update_pod(&life.key, uid, |p| report::ended(p, now, 137, "OOMKilled", "")),
            End::Evicted { own_limits } => server.update_pod(&life.key, uid, |p| report::evicted(p, now, *own_limits)),
            End::Never => {}
        }
        close(&mut self.ledger, uid, now);
        (Stage::Over, None)
    }
}

fn assign(now: Time, server: &mut Server, uid: &str, life: &Life) -> (Stage, Option<Time>) {
    server.update_pod(&life.key, uid, |p| report::assigned(p, now));
    (Stage::Assigned, Some(now.after(STARTING)))
}

/// What the wrapper makes of the outputs of a step that leaves artifacts: as many as it declares, all of them stored.
fn wrapped(server: &Server, key: &Key, outputs: &str) -> String {
    let annotations = server.pods().get(key).and_then(|p| p.metadata.annotations.as_ref());
    let spec = annotations.and_then(|a| a.get(annotation::SPEC)).and_then(|text| Spec::parse(text).ok());
    let Some(spec) = spec.filter(|s| !s.artifacts.is_empty()) else { return outputs.to_owned() };
    let fact = |name: &str| Fact { digest: Digest::of(name.as_bytes()), bytes: 4096, directory: false };
    let facts = spec.artifacts.iter().map(|a| (a.name.clone(), fact(&a.name))).collect();
    compose(outputs, &facts).unwrap_or_else(|e| e.to_string())
}

/// The kubelet keeps 4,096 bytes of a termination message.
fn cut(message: &str) -> String {
    let mut end = message.len().min(4096);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default().to_owned()
}

fn life_end(now: Time, life: &Life) -> Time {
    match life.outcome.end {
        End::NodeLost(Some(back)) => now.after(back.saturating_sub(TOLERATED)),
        End::NodeLost(None) | End::Exit(..) | End::Oom | End::Evicted { .. } | End::Preempted | End::Never => {
            now.after(FORGOTTEN)
        }
    }
}

fn close(ledger: &mut [Line], uid: &str, now: Time) {
    for line in ledger.iter_mut().filter(|l| l.uid == uid && l.end.is_none()) {
        line.end = Some(now);
    }
}

fn deadline_of(server: &Server, key: &Key) -> Option<Duration> {
    let spec: &Pod = server.pods().get(key)?;
    let seconds = spec.spec.as_ref()?.active_deadline_seconds?;
    Some(secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Whether a pod that is being deleted on an unreachable node is past grace and a minute: promised to be lost by then.
#[must_use]
pub fn given_up(now: Time, pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.as_ref().is_some_and(|end| now >= our_time(end).after(secs(60)))
}
