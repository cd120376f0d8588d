//! The world: a cluster, a store and processes of the operator under one clock.

use crate::{
    act::Act,
    clock::{Dice, begin},
    driver::Driver,
    fault::{Faults, IN_FLIGHT},
    judge::{Judge, Posted},
    kubelet::Kubelet,
    lens::Lens,
    pass::{Breakage, Went},
    server::{Actor, Key, Server},
    store::Store,
    whole_logs::WholeLogs,
    wire::{InFlight, Reads, Wire},
};
use hearth_crds::{json::ValueType, time::Time};
use hearth_plan::{
    Kind,
    kind::{Env, OnDelete},
    offer::{ArtifactService, Offer, Runtime},
    record::{Ack, RecordBatch},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// The namespace of simulated objects.
pub const NAMESPACE: &str = "lab";

/// How long a process takes to be replaced.
const REPLACED: Duration = Duration::from_secs(2);

/// How disorderly the world is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disorder {
    /// Things that could happen at the same time happen in any order, and watches lag.
    pub shuffled: bool,
    /// Watches repeat themselves once in so many deliveries; 0 is never.
    pub repeats: usize,
    /// Watches break and list anew once in so many deliveries; 0 is never.
    pub relists: usize,
    /// A new process lists a world that is up to so many changes old.
    pub stale_start: usize,
}

/// How a run of the world ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Nothing more will happen by itself.
    Rest,
    /// The time is up.
    TimeUp,
    /// The condition holds.
    Met,
    /// It goes round in circles.
    Circles,
}

#[derive(Clone, Debug)]
enum Move {
    Arrive(usize),
    Tick,
    Replace,
    Deliver(usize),
    Step(usize, Key),
    Begin(usize, Key),
    Flush(usize),
    Acked(usize),
    Act(usize),
}

/// The world.
pub struct World<K: Kind> {
    /// Now.
    pub now: Time,
    /// The cluster's API server.
    pub server: Server,
    /// The cluster's nodes.
    pub kubelet: Kubelet,
    /// The history store.
    pub store: Store,
    early: Vec<String>,
    /// Whole logs.
    pub whole_logs: WholeLogs,
    /// Processes of the operator; the last one is the leader, those before it were.
    pub drivers: Vec<Driver<K>>,
    deposed: Vec<(usize, Time)>,
    /// What goes wrong, at which write.
    pub faults: Faults,
    in_flight: Vec<InFlight>,
    posts: Vec<Posted>,
    offered: Vec<RecordBatch>,
    /// Reads so far.
    pub reads: Reads,
    /// Runs whose record was given up.
    pub lost_records: Vec<String>,
    env: Arc<Env>,
    /// Who looks at every change.
    pub judge: Judge<K>,
    dice: Dice,
    /// How disorderly the world is.
    pub disorder: Disorder,
    script: Vec<(Time, Act)>,
    acks: Vec<(Time, usize, Ack)>,
    /// From commit to acknowledgement.
    pub ack_delay: Duration,
    replace_at: Option<Time>,
    next_id: usize,
    /// A breakage put in by hand, in every process.
    pub breakage: Breakage,
    panics: std::collections::BTreeSet<Key>,
    /// Moves so far.
    pub moves: usize,
}

/// How late things may be in a disorderly world, at one go.
const LATE: Duration = Duration::from_secs(1);

/// The most moves of one call; more is going round in circles.
const MOVES: usize = 60_000;

impl<K: Kind> World<K> {
    /// An empty cluster with one process of the operator.
    #[must_use]
    pub fn new(lens: Lens<K>, seed: u64) -> Self {
        let now = begin();
        let server = Server::new(&[NAMESPACE]);
        let env = Arc::new(env());
        let mut world = Self {
            now,
            drivers: vec![Driver::start(1, &server, 0, now)],
            server,
            kubelet: Kubelet::default(),
            store: Store::new(),
            early: Vec::new(),
            whole_logs: WholeLogs::default(),
            deposed: Vec::new(),
            faults: Faults::default(),
            in_flight: Vec::new(),
            posts: Vec::new(),
            offered: Vec::new(),
            reads: Reads::default(),
            lost_records: Vec::new(),
            env,
            judge: Judge::new(lens),
            dice: Dice::new(seed),
            disorder: Disorder::default(),
            script: Vec::new(),
            acks: Vec::new(),
            ack_delay: Duration::from_millis(20),
            replace_at: None,
            next_id: 2,
            breakage: Breakage::None,
            panics: std::collections::BTreeSet::new(),
            moves: 0,
        };
        world.set_breakage(Breakage::None);
        world
    }

    /// Puts a breakage in every process, now and later.
    pub fn set_breakage(&mut self, breakage: Breakage) {
        self.breakage = breakage;
        for driver in &mut self.drivers {
            driver.breakage = breakage;
        }
    }

    /// What is the same for every object.
    #[must_use]
    pub fn env(&self) -> &Arc<Env> {
        &self.env
    }

    /// Lets deleted objects go without their record after a time, or never.
    pub fn on_delete(&mut self, on_delete: OnDelete) {
        self.judge.release = match on_delete {
            OnDelete::Hold => false,
            OnDelete::Release(_) => true,
        };
        Arc::make_mut(&mut self.env).on_delete = on_delete;
    }

    /// Something happens at that time.
    pub fn at(&mut self, time: Time, act: Act) {
        self.script.push((time, act));
    }

    /// Something happens now.
    pub fn act(&mut self, act: Act) {
        self.perform(act);
        self.judge();
    }

    /// Goes on for that long, or until nothing more happens by itself.
    pub fn run_for(&mut self, length: Duration) -> Halt {
        self.run_until(self.now.after(length), |_| false)
    }

    /// Goes on until the condition holds, the time is up, or nothing more happens by itself.
    pub fn run_until(&mut self, limit: Time, mut met: impl FnMut(&Self) -> bool) -> Halt {
        for _ in 0..MOVES {
            if met(self) {
                return Halt::Met;
            }
            let moves = self.moves_now();
            if moves.is_empty() || (self.disorder.shuffled && self.dice.one_in(24)) {
                match self.next_time() {
                    // What is urgent may be late, but not for ever.
                    Some(at) if !moves.is_empty() && at > self.now.after(LATE) => {}
                    Some(at) if at <= limit => self.now = self.now.max(at),
                    Some(_) if moves.is_empty() => {
                        self.now = limit;
                        return Halt::TimeUp;
                    }
                    None if moves.is_empty() => return Halt::Rest,
                    Some(_) | None => {}
                }
                continue;
            }
            let index = if self.disorder.shuffled { self.dice.below(moves.len()) } else { 0 };
            if let Some(chosen) = moves.into_iter().nth(index) {
                self.moves += 1;
                self.make(chosen);
                self.judge();
            }
        }
        self.judge.violations.push(format!("{}: it goes round in circles", crate::clock::since_begin(self.now)));
        Halt::Circles
    }

    fn judge(&mut self) {
        self.judge.look(self.now, &self.server, &self.kubelet, &self.store, &mut self.posts, &mut self.offered);
        let logless = self.whole_logs.lost.drain(..).map(|pod| (pod, "whole log"));
        for (pod, what) in logless.chain(self.early.drain(..).map(|pod| (pod, "row"))) {
            let text = format!("pod {pod} was deleted before its {what} was stored");
            self.judge.violations.push(format!("{}: {text}", crate::clock::since_begin(self.now)));
        }
    }

    /// What can happen at this instant, the most urgent first.
    fn moves_now(&self) -> Vec<Move> {
        let now = self.now;
        let mut moves = Vec::new();
        moves.extend(
            self.script.iter().enumerate().filter(|(_, (at, _))| *at <= now).map(|(i, _)| Move::Act(i)).take(1),
        );
        moves.extend(
            self.in_flight.iter().enumerate().filter(|(_, f)| f.at <= now).map(|(i, _)| Move::Arrive(i)).take(1),
        );
        if self.kubelet.lags(&self.server) || self.kubelet.next().is_some_and(|at| at <= now) {
            moves.push(Move::Tick);
        }
        if self.replace_at.is_some_and(|at| at <= now) {
            moves.push(Move::Replace);
        }
        moves.extend(
            self.acks.iter().enumerate().filter(|(_, (at, _, _))| *at <= now).map(|(i, _)| Move::Acked(i)).take(1),
        );
        for (i, driver) in self.drivers.iter().enumerate() {
            let leads = !self.is_deposed(driver.id);
            moves.extend(driver.busy().into_iter().map(|key| Move::Step(i, key)));
            if leads && driver.cache.behind(&self.server) > 0 {
                moves.push(Move::Deliver(i));
            }
            if leads && (self.disorder.shuffled || driver.cache.behind(&self.server) == 0) {
                moves.extend(driver.due(now).into_iter().map(|key| Move::Begin(i, key)));
            }
            let waits = !driver.memory.outbox.is_empty();
            let news = self.store.up != driver.memory.store_up;
            if (waits && self.store.up) || (news && (waits || self.store.up)) {
                moves.push(Move::Flush(i));
            }
        }
        moves
    }

    fn next_time(&self) -> Option<Time> {
        let later = |at: Time| Some(at).filter(|at| *at > self.now);
        let drivers = self.drivers.iter().filter(|d| !self.is_deposed(d.id)).filter_map(Driver::next);
        let script = self.script.iter().map(|(at, _)| *at);
        let flights = self.in_flight.iter().map(|f| f.at);
        let acks = self.acks.iter().map(|(at, _, _)| *at);
        drivers
            .chain(script)
            .chain(flights)
            .chain(acks)
            .chain(self.kubelet.next())
            .chain(self.replace_at)
            .filter_map(later)
            .min()
    }

    fn is_deposed(&self, id: usize) -> bool {
        self.deposed.iter().any(|(d, _)| *d == id)
    }

    fn make(&mut self, chosen: Move) {
        match chosen {
            Move::Act(i) => {
                let (_, act) = self.script.remove(i);
                self.perform(act);
            }
            Move::Arrive(i) => {
                let late = self.in_flight.remove(i);
                // Nobody waits for the answer any more.
                let _ = self.server.apply(self.now, late.by, late.write);
            }
            Move::Tick => self.kubelet.tick(self.now, &mut self.server),
            Move::Replace => self.replace(),
            Move::Deliver(i) => self.deliver(i),
            Move::Step(i, key) => self.drive(i, &key, false),
            Move::Begin(i, key) => self.drive(i, &key, true),
            Move::Flush(i) => self.flush(i),
            Move::Acked(i) => {
                let (_, id, ack) = self.acks.remove(i);
                let now = self.now;
                // What is told to a process that is gone is told to nobody.
                if let Some(driver) = self.drivers.iter_mut().find(|d| d.id == id) {
                    driver.ack(&ack, now);
                }
            }
        }
    }

    fn deliver(&mut self, i: usize) {
        let (repeats, relists) = (self.disorder.repeats, self.disorder.relists);
        let repeat = repeats > 0 && self.dice.one_in(repeats);
        let relist = relists > 0 && self.dice.one_in(relists);
        let (now, server) = (self.now, &self.server);
        let Some(driver) = self.drivers.get_mut(i) else { return };
        let keys = if relist {
            driver.cache.relist(server)
        } else if repeat {
            driver.cache.repeat(server)
        } else {
            driver.cache.deliver(server)
        };
        driver.shown(keys, now);
    }

    fn drive(&mut self, i: usize, key: &Key, begin: bool) {
        let Some(driver) = self.drivers.get_mut(i) else { return };
        let lease =
            self.deposed.iter().find(|(id, _)| *id == driver.id).is_none_or(|(_, at)| self.now.since(*at) <= IN_FLIGHT);
        let kubelet = &self.kubelet;
        let log_of = |uid: &str| kubelet.log_of(uid);
        let mut wire = Wire {
            now: self.now,
            server: &mut self.server,
            faults: &mut self.faults,
            in_flight: &mut self.in_flight,
            offered: &mut self.offered,
            posts: &mut self.posts,
            reads: &mut self.reads,
            lost_records: &mut self.lost_records,
            early: &mut self.early,
            whole_logs: &mut self.whole_logs,
            log_of: &log_of,
            store: &self.store,
            lease,
        };
        let went = if begin { driver.begin(key, &self.env, &mut wire) } else { driver.step(key, &mut wire) };
        match went {
            Went::Dead => self.bury(i),
            Went::On => {}
            Went::Done | Went::Failed(_) => self.retire(i),
        }
    }

    /// A process has died; if it was the leader, another will start.
    fn bury(&mut self, i: usize) {
        if i >= self.drivers.len() {
            return;
        }
        let dead = self.drivers.remove(i);
        if self.is_deposed(dead.id) {
            self.deposed.retain(|(id, _)| *id != dead.id);
        } else {
            self.replace_at = Some(self.now.after(REPLACED));
        }
    }

    /// A deposed process that has nothing more under way is gone.
    fn retire(&mut self, i: usize) {
        let over = self.drivers.get(i).is_some_and(|d| self.is_deposed(d.id) && d.busy().is_empty());
        if over {
            self.bury(i);
        }
    }

    fn replace(&mut self) {
        self.replace_at = None;
        let back = self.dice.below(self.disorder.stale_start + 1);
        let position = self.server.journal().len().saturating_sub(back);
        let mut driver = Driver::start(self.next_id, &self.server, position, self.now);
        driver.breakage = self.breakage;
        driver.panics = self.panics.clone();
        self.next_id += 1;
        self.drivers.push(driver);
    }

    fn flush(&mut self, i: usize) {
        let now = self.now;
        let Some(driver) = self.drivers.get_mut(i) else { return };
        driver.set_store_up(self.store.up, now);
        if !self.store.up {
            return;
        }
        for batch in std::mem::take(&mut driver.memory.outbox) {
            let minimal = self.store.take(&batch);
            let RecordBatch { object, run_id, seq, last, .. } = batch;
            self.acks.push((now.after(self.ack_delay), driver.id, Ack { object, run_id, seq, last, minimal }));
        }
    }

    pub(crate) fn restart(&mut self) {
        while !self.drivers.is_empty() {
            self.drivers.remove(0);
        }
        self.deposed.clear();
        self.acks.clear();
        self.replace();
    }

    pub(crate) fn depose(&mut self) {
        if let Some(old) = self.drivers.last() {
            self.deposed.push((old.id, self.now));
            let idle = old.busy().is_empty();
            if idle {
                self.deposed.pop();
                self.drivers.pop();
            }
            self.replace();
        }
    }

    /// A process that knows only the world as it was after `position` changes, and has one pass per object under way.
    /// It does not lead; what it can still send, it sends.
    pub fn stale_pass(&mut self, position: usize) {
        let old = Driver::start(self.next_id, &self.server, position, self.now);
        self.next_id += 1;
        self.deposed.push((old.id, self.now));
        let keys = old.due(self.now);
        self.drivers.insert(0, old.take_breakage(self.breakage));
        for key in keys {
            self.drive(0, &key, true);
            if self.drivers.first().is_none_or(|d| !self.is_deposed(d.id)) {
                return;
            }
        }
        self.retire(0);
        self.judge();
    }

    pub(crate) fn panic_on(&mut self, key: Key) {
        for driver in &mut self.drivers {
            driver.panics.insert(key.clone());
        }
        self.panics.insert(key);
    }

    /// The leader.
    #[must_use]
    pub fn leader(&self) -> Option<&Driver<K>> {
        self.drivers.last()
    }

    /// The leader, to be worked with.
    pub fn leader_mut(&mut self) -> Option<&mut Driver<K>> {
        self.drivers.last_mut()
    }

    /// The status of an object as stored, typed.
    #[must_use]
    pub fn status(&self, key: &Key) -> Option<K::Status> {
        serde_json::from_value(self.server.cr(key)?.get("status")?.clone()).ok()
    }

    /// What must never be and was.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.judge.violations
    }

    /// A request by a person, straight to the server.
    pub fn user(&self) -> Actor {
        Actor::User
    }
}

fn env() -> Env {
    Env {
        cluster_id: "00000000-0000-4000-8000-0000000000c1".to_owned(),
        namespace_uids: [(NAMESPACE.to_owned(), "00000000-0000-4000-8000-0000000000a1".to_owned())].into(),
        run_as: Some(65532),
        fence_age: Duration::from_secs(25),
        store_name: "hearth-database".to_owned(),
        on_delete: OnDelete::Hold,
        offer: Arc::new(offer()),
    }
}

/// A catalog of one runtime, and an artifact store.
fn offer() -> Offer {
    let shape = Runtime {
        image: format!("hearth.dev/shape@sha256:{}", "0".repeat(64)),
        command: vec!["/shape".to_owned()],
        schema: Some(json!({
            "type": "object",
            "properties": {"window": {"type": "integer", "minimum": 1}, "of": {"type": "string"}},
            "additionalProperties": false,
        })),
        outputs: Some([("rows".to_owned(), ValueType::Integer)].into()),
        artifacts: Some(vec!["table".to_owned()]),
        ..Runtime::default()
    };
    let service = ArtifactService {
        image: "hearth.dev/hearth-step@sha256:0".to_owned(),
        recorder: "https://hearth.hearth-system.svc:8444".to_owned(),
        store_ca: None,
    };
    Offer { runtimes: [("shape".to_owned(), shape)].into(), artifacts: Some(service) }
}
